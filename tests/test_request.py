"""What a request asks, read from CloudFormation's event."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from transfer_server_state.declaration import Home, InvalidDeclarationError
from transfer_server_state.identity import Identity
from transfer_server_state.machine import State
from transfer_server_state.request import Owner, Request

SERVER, OTHER = "s-0123456789abcdef0", "s-ffffffffffffffff0"
STACK = "arn:aws:cloudformation:eu-west-1:000000000000:stack/demo/7f"
HOME = Home("aws", "eu-west-1", "000000000000")
SENT_S = 1_700_000_000.0
URL = "https://example.com/?a=b&X-Amz-Date=20231114T221320Z&c=d"  # the same moment


def event(request_type: str, **more: Any) -> dict[str, Any]:
    own = {"ResponseURL", "RequestId", "PhysicalResourceId", "OldResourceProperties"}
    return {
        "RequestType": request_type,
        "ResponseURL": URL,
        "RequestId": "1",
        "StackId": STACK,
        "LogicalResourceId": "State",
        "ResourceProperties": {
            "ServiceToken": "x",
            "ServerId": SERVER,
            "DesiredState": "OFFLINE",
            **{name: value for name, value in more.items() if name not in own},
        },
        **{name: value for name, value in more.items() if name in own},
    }


def parse(request_type: str, now_s: float = SENT_S, **more: Any) -> Request:
    return Request.parse(event(request_type, **more), HOME, now_s)


def test_a_creation_declares() -> None:
    request = parse("Create", OnDelete="RESTORE", ServiceTimeout="600")
    assert (request.server_id, request.desired) == (SERVER, State.OFFLINE)
    assert (request.restores, request.timeout_s, request.releases) == (True, 600, False)
    assert (request.physical_id, request.identity) == ("not-created", None)
    assert request.owner == Owner(STACK, "State")
    assert request.owner.name == "demo/State"
    assert Owner.parse(str(request.owner)) == request.owner


def test_an_invalid_declaration_raises_and_an_invalid_release_does_not() -> None:
    with pytest.raises(InvalidDeclarationError, match="DesiredState"):
        parse("Create", DesiredState="x")
    assert parse("Delete", DesiredState="x").releases


@pytest.mark.parametrize(
    ("given", "server_id"),
    [(f"{OTHER}:from-ONLINE", OTHER), ("made-up", SERVER), ("not-created", SERVER), (None, SERVER)],
)
def test_a_release_goes_by_its_id_where_that_is_one_of_ours(
    given: str | None, server_id: str
) -> None:
    request = parse("Delete", PhysicalResourceId=given)
    assert request.server_id == server_id
    assert request.knows is (given == f"{OTHER}:from-ONLINE")


@pytest.mark.parametrize("given", [None, 7, "", []])
def test_an_id_that_is_none_is_answered_with_one(given: object) -> None:
    assert parse("Update", PhysicalResourceId=given).physical_id == "not-created"


@pytest.mark.parametrize(
    ("given", "old", "abandoned"),
    [
        (f"{SERVER}:from-ONLINE", {"ServerId": OTHER}, OTHER),
        (f"{SERVER}:from-ONLINE", {"ServerId": SERVER}, ""),
        (f"{SERVER}:from-ONLINE", {}, ""),
        (f"{SERVER}:from-ONLINE", None, ""),
        (f"{OTHER}:from-ONLINE", {"ServerId": OTHER}, ""),
        ("made-up", {"ServerId": OTHER}, ""),
    ],
    ids=["undo", "same server", "no old server", "no old properties", "replacement", "made up"],
)
def test_an_update_back_to_the_server_of_its_id_undoes_a_replacement(
    given: str, old: object, abandoned: str
) -> None:
    request = parse("Update", PhysicalResourceId=given, OldResourceProperties=old)
    assert request.abandoned == abandoned


def test_an_undo_releases_the_other_server_and_keeps_the_request() -> None:
    given = f"{SERVER}:from-ONLINE"
    request = parse("Update", PhysicalResourceId=given, OldResourceProperties={"ServerId": OTHER})
    undo = request.release_abandoned()
    assert (undo.server_id, undo.releases, undo.identity) == (OTHER, True, None)
    assert (undo.digest, undo.owner, undo.sent_s) == (request.digest, request.owner, SENT_S)
    assert undo.abandoned == ""
    assert request.identity == Identity(SERVER, State.ONLINE)


@pytest.mark.parametrize(
    ("given", "old", "desired", "doubted"),
    [
        (SERVER, {"DesiredState": "OFFLINE"}, "ONLINE", True),
        (SERVER, {"DesiredState": "ONLINE"}, "ONLINE", False),
        (SERVER, {"DesiredState": "ONLINE", "Triggers": [1]}, "ONLINE", True),
        (SERVER, None, "ONLINE", False),
        # Which AWS's own update undoes.
        (SERVER, {"DesiredState": "OFFLINE"}, "OFFLINE", True),
        (OTHER, {"DesiredState": "ONLINE"}, "OFFLINE", False),
    ],
)
def test_a_look_is_doubted_where_the_same_server_may_just_have_been_moved(
    given: str, old: object, desired: str, *, doubted: bool
) -> None:
    given = f"{given}:from-ONLINE"
    update = parse(
        "Update", PhysicalResourceId=given, OldResourceProperties=old, DesiredState=desired
    )
    assert update.doubted is doubted


@pytest.mark.parametrize(
    ("timeout", "deadline_s"), [(3600, 3540), (240, 180), (239, 179.25), ("60", 45), (30, 22.5)]
)
def test_a_minute_or_a_quarter_of_the_time_is_kept_to_answer(
    timeout: object, deadline_s: float
) -> None:
    assert parse("Create", ServiceTimeout=timeout).deadline_s == SENT_S + deadline_s


@pytest.mark.parametrize("timeout", [3_600, 60])
def test_a_request_expires_when_its_timeout_is_over(timeout: int) -> None:
    request = parse("Create", ServiceTimeout=timeout)
    # Its date has whole seconds, so that one may still be waited for.
    assert not request.is_expired(SENT_S + timeout + 0.9)
    assert request.is_expired(SENT_S + timeout + 1)


@pytest.mark.parametrize("later_s", [0, 1, 3_600, 3_601, 13 * 24 * 3_600])
def test_a_request_was_sent_when_its_url_was_signed(later_s: float) -> None:
    assert parse("Create", SENT_S + later_s).sent_s == SENT_S


@pytest.mark.parametrize(
    "url",
    [
        URL.replace("2023", "2099"),
        URL.replace("20231114T221320Z", "yesterday"),
        URL.replace("20231114T221320Z", ""),
        "https://example.com/",
    ],
)
def test_without_a_date_that_can_be_it_is_sent_now(url: str) -> None:
    assert parse("Create", SENT_S + 7, ResponseURL=url).sent_s == SENT_S + 7


@pytest.fixture
def _in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_in_tokyo")
def test_a_signature_s_date_is_utc_wherever_the_function_runs() -> None:
    assert parse("Create", SENT_S + 60).sent_s == SENT_S


def test_a_request_is_told_from_others_by_url_and_id_without_keeping_either() -> None:
    """A RequestId alone is used again when a deployment is retried."""
    digests = {
        parse("Create", ResponseURL=url, RequestId=name).digest
        for url in (URL, f"{URL}&e=f")
        for name in ("1", "2")
    }
    assert len(digests) == 4
    assert parse("Create").digest in digests
    assert all(len(digest) == 32 and "example" not in digest for digest in digests)
