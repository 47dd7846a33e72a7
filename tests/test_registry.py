"""The registry's table: what is written is read again, and nobody overwrites what they did not read."""

import json
from contextlib import closing
from dataclasses import replace
from typing import Any

import boto3
import pytest

from tests.fakes.account import REGION, TABLE
from tests.fakes.dynamodb import DynamoDB
from tests.fakes.errors import client_error
from transfer_server_state.aws.client import CONFIG, Aws
from transfer_server_state.aws.registry import (
    ConflictError,
    Registry,
    UnreachableError,
    Unremembered,
)
from transfer_server_state.machine import State, Step
from transfer_server_state.progress import Progress
from transfer_server_state.request import Owner
from transfer_server_state.row import Row

SERVER = "s-0123456789abcdef0"
WHOLE = Row(
    SERVER,
    Owner("arn:aws:cloudformation:eu-west-1:000000000000:stack/demo/1", "State"),
    desired=State.OFFLINE,
    found=State.ONLINE,
    request="d1",
    sent_at=1_700_000_000.0,
    declared_at=1_600_000_000.5,
    past=("d0", "d-1"),
    progress=Progress(
        first=State.STARTING,
        last=State.ONLINE,
        command=Step.STOP,
        commanded_in=State.ONLINE,
        commanded_at_s=1_700_000_001.25,
        uncertain=True,
        refusal="no",
        looks=3,
        earlier_at_s=1_600_000_001,
        earlier_unseen=True,
    ),
    answer={"status": "SUCCESS", "data": {"State": "OFFLINE"}},
    held=True,
    restoring=State.ONLINE,
    released=True,
    expires_at=1_702_592_000,
)


@pytest.fixture
def dynamodb() -> DynamoDB:
    return DynamoDB(TABLE, stale_reads=True)


@pytest.fixture
def registry(dynamodb: DynamoDB) -> Any:
    with closing(boto3.client("dynamodb", region_name=REGION, config=CONFIG)) as client:
        client.meta.events.register_first("before-send.dynamodb", dynamodb.before_send)
        yield Registry(Aws(lambda _: client), TABLE)


def test_a_row_that_is_not_there_is_new(registry: Registry) -> None:
    assert registry.read(SERVER) == Row(SERVER)


@pytest.mark.parametrize("row", [WHOLE, Row(SERVER, Owner("stack", "State"))])
def test_what_is_written_is_read_again(registry: Registry, row: Row) -> None:
    written = registry.write(row)
    assert written == replace(row, version=1)
    assert registry.read(SERVER) == written
    assert registry.write(written) == replace(row, version=2)


def test_an_attribute_has_the_name_and_the_type_that_people_look_for(
    registry: Registry, dynamodb: DynamoDB
) -> None:
    registry.write(WHOLE)
    item = dynamodb.get_item(TableName=TABLE, Key={"ServerId": {"S": SERVER}}, ConsistentRead=True)
    kinds = {name: next(iter(value)) for name, value in item["Item"].items()}
    numbers = {"SentAt", "DeclaredAt", "Held", "Released", "ExpiresAt", "Version"}
    texts = {"ServerId", "Owner", "Desired", "Found", "Request", "Past", "Progress", "Answer"}
    assert kinds == dict.fromkeys(texts | {"Restoring"}, "S") | dict.fromkeys(numbers, "N")
    assert item["Item"]["ExpiresAt"] == {"N": "1702592000"}


@pytest.mark.parametrize(
    "read", [Row(SERVER), replace(WHOLE, version=1), replace(WHOLE, version=3)]
)
def test_what_was_written_since_is_not_overwritten(registry: Registry, read: Row) -> None:
    now = registry.write(registry.write(replace(WHOLE, desired=State.ONLINE)))
    with pytest.raises(ConflictError):
        registry.write(read)
    assert registry.read(SERVER) == now


def test_what_another_version_of_the_provider_knows_is_left_out_and_nothing_is_lost(
    registry: Registry, dynamodb: DynamoDB
) -> None:
    progress = {"first": "ONLINE", "command": "StopServer", "mood": "good"}
    item = {"ServerId": {"S": SERVER}, "Version": {"N": "7"}, "Colour": {"S": "blue"}}
    item |= {"Found": {"S": "ONLINE"}, "Progress": {"S": json.dumps(progress)}}
    dynamodb.put_item(TableName=TABLE, Item=item)
    assert registry.read(SERVER) == Row(
        SERVER,
        found=State.ONLINE,
        progress=Progress(first=State.ONLINE, command=Step.STOP),
        version=7,
    )


@pytest.mark.parametrize(
    ("code", "status"),
    [("ResourceNotFoundException", 400), ("AccessDeniedException", 400), ("InternalError", 500)],
)
def test_a_table_that_refuses_is_one_that_does_not_answer_for_now(
    registry: Registry, dynamodb: DynamoDB, code: str, status: int
) -> None:
    for operation, call in (
        ("GetItem", lambda: registry.read(SERVER)),
        ("PutItem", lambda: registry.write(WHOLE)),
    ):
        dynamodb.failures[operation].append(client_error(code, status, operation))
        with pytest.raises(UnreachableError, match=f"dynamodb:{operation}: {code}"):
            call()


def test_without_the_table_a_deletion_keeps_its_own_row() -> None:
    registry = Unremembered(WHOLE)
    assert registry.read(SERVER) == WHOLE
    assert registry.write(Row(SERVER)) == registry.read(SERVER) == Row(SERVER)
