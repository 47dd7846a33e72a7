"""Rows in the table, through the real client."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.dynamodb import DynamoDB
from tests.fakes.errors import client_error
from transfer_server_state.aws.client import Aws, make_client
from transfer_server_state.aws.registry import (
    ConflictError,
    Registry,
    UnreachableError,
    Unremembered,
)
from transfer_server_state.drift import Drift
from transfer_server_state.machine import State, Step
from transfer_server_state.progress import Progress
from transfer_server_state.request import Owner
from transfer_server_state.row import Row

SERVER = "s-0123456789abcdef0"
OWNER = Owner("arn:aws:cloudformation:eu-west-1:000000000000:stack/demo/7f", "State")
PROGRESS = Progress(
    first=State.ONLINE,
    last=State.STOPPING,
    command=Step.STOP,
    commanded_in=State.ONLINE,
    commanded_at_s=1_000.25,
    uncertain=True,
    refusal="no",
    looks=4,
    earlier_at_s=900.5,
    earlier_in=State.ONLINE,
)
FULL = Row(
    server_id=SERVER,
    owner=OWNER,
    desired=State.OFFLINE,
    found=State.ONLINE,
    request="3",
    sent_at=1_000.5,
    declared_at=999.5,
    past=("1", "2"),
    given_up={str(OWNER): 998.5},
    progress=PROGRESS,
    answer={"status": "SUCCESS", "told": {"command": None, "waited_s": 1.5}},
    held=True,
    restoring=State.ONLINE,
    before=Row(SERVER, OWNER, State.OFFLINE, State.ONLINE, held=True, version=2),
    released=True,
    expires_at=2_000,
)


@pytest.fixture
def table() -> DynamoDB:
    return DynamoDB("registry", stale_reads=True)


@pytest.fixture
def registry(table: DynamoDB) -> Iterator[Registry]:
    client = make_client("dynamodb")
    client.meta.events.register_first("before-send.dynamodb", table.before_send)
    clients = {"dynamodb": client}
    yield Registry(Aws(clients.__getitem__), "registry")
    client.close()


def put(table: DynamoDB, **attributes: dict[str, str]) -> None:
    table.put_item(TableName="registry", Item={"ServerId": {"S": SERVER}, **attributes})


def item(table: DynamoDB) -> dict[str, Any]:
    key = {"ServerId": {"S": SERVER}}
    found = table.get_item(TableName="registry", Key=key, ConsistentRead=True)
    return dict(found["Item"])


def test_a_server_that_nobody_declared_has_a_new_row(registry: Registry) -> None:
    assert registry.read(SERVER) == Row(SERVER)
    assert registry.read(SERVER).is_free


@pytest.mark.parametrize("row", [FULL, Row(SERVER), Row(SERVER, OWNER, request="1")])
def test_a_row_comes_back_as_it_was_written(registry: Registry, row: Row) -> None:
    written = registry.write(row)
    assert written.version == 1
    again = registry.read(SERVER)
    assert again == written
    assert [type(getattr(again.progress, name)) for name in ("first", "command")] == [
        type(row.progress.first),
        type(row.progress.command),
    ]


def test_a_row_reads_well_in_the_console(registry: Registry, table: DynamoDB) -> None:
    registry.write(FULL)
    shown = item(table)
    assert json.loads(shown.pop("Progress")["S"])["commanded_in"] == "ONLINE"
    assert json.loads(shown.pop("Answer")["S"]) == FULL.answer
    before = json.loads(shown.pop("Before")["S"])
    assert (before["Owner"], before["Desired"], before["Held"]) == (str(OWNER), "OFFLINE", "1")
    assert shown == {
        "ServerId": {"S": SERVER},
        "Owner": {"S": f"{OWNER.stack_id}/State"},
        "Desired": {"S": "OFFLINE"},
        "Found": {"S": "ONLINE"},
        "Request": {"S": "3"},
        "SentAt": {"N": "1000.5"},
        "DeclaredAt": {"N": "999.5"},
        "Past": {"S": '["1", "2"]'},
        "GivenUp": {"S": f'{{"{OWNER}": 998.5}}'},
        "Held": {"N": "1"},
        "Restoring": {"S": "ONLINE"},
        "Released": {"N": "1"},
        "ExpiresAt": {"N": "2000"},
        "Version": {"N": "1"},
    }


def test_a_write_is_on_condition_that_nobody_wrote_since(registry: Registry) -> None:
    first = registry.write(Row(SERVER, request="1"))
    second = registry.write(first)
    assert second.version == 2
    for stale in (Row(SERVER), first):
        with pytest.raises(ConflictError):
            registry.write(stale)
    assert registry.read(SERVER) == second


def test_a_row_that_is_gone_is_not_written_over(registry: Registry, table: DynamoDB) -> None:
    row = registry.write(Row(SERVER))
    table.delete_item(TableName="registry", Key={"ServerId": {"S": SERVER}})
    with pytest.raises(ConflictError):
        registry.write(row)


def test_what_another_version_of_the_provider_wrote_besides_is_left_out(
    registry: Registry, table: DynamoDB
) -> None:
    kept = {"first": "ONLINE", "command": "StopServer", "looks": 4, "mood": "fine"}
    put(table, Version={"N": "7"}, Mood={"S": "fine"}, Progress={"S": json.dumps(kept)})
    assert registry.read(SERVER) == Row(
        SERVER, version=7, progress=Progress(first=State.ONLINE, command=Step.STOP, looks=4)
    )


def test_a_row_that_a_person_wrote_has_what_it_has(registry: Registry, table: DynamoDB) -> None:
    put(table, Desired={"S": "OFFLINE"}, Version={"N": "1"})
    assert registry.read(SERVER) == Row(SERVER, desired=State.OFFLINE, version=1)


def test_a_row_without_a_version_can_be_written_over(registry: Registry, table: DynamoDB) -> None:
    put(table, Desired={"S": "OFFLINE"})
    assert registry.write(registry.read(SERVER)).version == 1


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ThrottlingException", 400),
        ("AccessDeniedException", 403),
        ("ResourceNotFoundException", 400),
        ("InternalServerError", 500),
    ],
)
def test_a_table_that_does_not_answer_or_refuses_is_out_of_reach_for_now(
    registry: Registry, table: DynamoDB, code: str, status: int
) -> None:
    for operation in ("GetItem", "PutItem"):
        table.failures[operation].append(client_error(code, status, operation))
    with pytest.raises(UnreachableError, match=f"dynamodb:GetItem: {code}"):
        registry.read(SERVER)
    with pytest.raises(UnreachableError, match=f"dynamodb:PutItem: {code}"):
        registry.write(Row(SERVER))
    assert registry.read(SERVER) == Row(SERVER)


def test_who_cannot_reach_the_table_keeps_a_row_of_its_own() -> None:
    alone = Unremembered(Row(SERVER, request="1"), "It is away.")
    assert alone.unread == "It is away."
    assert Unremembered(Row(SERVER, version=1), "It is away.").unread == ""
    assert alone.read(SERVER).request == "1"
    assert alone.write(Row(SERVER, request="2")).request == "2"
    assert alone.read(SERVER).request == "2"


def test_all_rows_are_read_page_by_page(registry: Registry) -> None:
    """A page holds a megabyte."""
    rows = [
        registry.write(Row(f"s-{number:017x}", answer={"reason": "x" * 60_000}))
        for number in range(40)
    ]
    assert sorted(registry.rows([]), key=lambda row: row.server_id) == rows


def test_a_drift_comes_back_as_it_was_written(registry: Registry) -> None:
    """Also of a server that is gone, and where another version wrote more."""
    for actual in (State.ONLINE, None):
        drift = Drift("1", 1_000.5, actual, "p1", "p2", commands=3, told="drifted")
        written = registry.write(Row(f"s-{actual}", reasserts=True, drift=drift))
        assert registry.read(written.server_id) == written


def test_what_is_no_row_of_ours_is_noted_and_stops_no_other(
    registry: Registry, table: DynamoDB
) -> None:
    written = registry.write(Row(SERVER))
    bad = {"ServerId": {"S": "s-bad"}, "Version": {"N": "1"}, "Desired": {"S": "ASLEEP"}}
    table.put_item(TableName="registry", Item=bad)
    unreadable: list[str] = []
    assert list(registry.rows(unreadable)) == [written]
    assert unreadable == ["s-bad"]
