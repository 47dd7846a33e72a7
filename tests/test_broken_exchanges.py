"""Broken sockets, for real: what botocore makes of them, and what becomes of the answer then."""

import json
import socket
import traceback
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from handler import delivery
from handler.delivery import DeliveryError
from local.emulator import State
from tests.fakes.account import REGION, SECRET
from tests.fakes.breaker import WAYS, Breaker
from tests.fakes.faults import BROKEN, Plan, faults
from tests.fakes.faulty_account import FaultyAccount, client
from transfer_server_state.aws.client import CONFIG

BREAKING = sorted(set(WAYS) - {"fine"})


@pytest.fixture(scope="module")
def breaker() -> Iterator[Breaker]:
    with Breaker() as breaker:
        yield breaker


def raised() -> tuple[type[Exception], int]:
    """Return what a look raises, and the status that it was answered with, or 0."""
    with pytest.raises((BotoCoreError, ClientError)) as caught:
        client("transfer").describe_server(ServerId="s-00000000000000000")
    answer = caught.value.response if isinstance(caught.value, ClientError) else {}
    return caught.type, answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


@pytest.mark.parametrize("way", sorted(set(BREAKING) - {"garbage"}))
def test_the_matrix_breaks_a_call_as_a_broken_socket_does(breaker: Breaker, way: str) -> None:
    (fault,) = (fault for fault in faults("DescribeServer") if fault.name == way)
    account = FaultyAccount(Plan("DescribeServer", fault))
    with account.answering():
        injected = raised()

    def send_there(request: Any, **_: object) -> None:
        request.url = breaker.url(way)

    events = client("transfer").meta.events
    events.register_first("before-send", send_there)
    try:
        assert raised() == injected
    finally:
        events.unregister("before-send", send_there)


def test_the_matrix_breaks_a_call_in_every_way_that_is_tried_here() -> None:
    assert set(BROKEN) == {*BREAKING, "connect time-out", "read time-out"}


def test_a_server_that_is_silent_is_a_read_time_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        real = boto3.client(
            "transfer",
            region_name=REGION,
            endpoint_url=f"http://127.0.0.1:{silent.getsockname()[1]}",
            config=CONFIG.merge(Config(read_timeout=0.02, signature_version=UNSIGNED)),
        )
        with closing(real), pytest.raises(ReadTimeoutError):
            real.describe_server(ServerId="s-00000000000000000")


class Store:
    """A response store that breaks the first deliveries."""

    def __init__(self, breaker: Breaker, way: str, breaks: int) -> None:
        self._breaker, self._way, self._left = breaker, way, breaks
        self.puts: list[tuple[str, bytes]] = []

    def put(self, url: str, body: bytes) -> int:
        self.puts.append((url, body))
        way = self._way if self._left else "fine"
        self._left -= bool(self._left)
        return int(way) if way.isdecimal() else delivery.put(self._breaker.url(way), body)


# Of an answer to the answer, nobody needs more than its status.
TRIED_AGAIN = (*(way for way in BREAKING if way != "garbage"), "500", "501", "504", "599")
GIVEN_UP = ("301", "307", "400", "403", "404", "410", "412", "422", "499")


def begin(breaker: Breaker, way: str, breaks: int) -> tuple[FaultyAccount, Store, dict[str, Any]]:
    """Set up a creation whose server is there already, and a store that breaks."""
    account, store = FaultyAccount(latency_s=0, look_s=0), Store(breaker, way, breaks)
    account.deliver_to(store.put)
    return account, store, account.request("Create", DesiredState="ONLINE")


def assert_one_answer(store: Store, event: dict[str, Any], tries: int) -> None:
    assert len(store.puts) == tries
    assert {url for url, _ in store.puts} == {event["ResponseURL"]}
    (body,) = {body for _, body in store.puts}
    assert json.loads(body)["Status"] == "SUCCESS"


@pytest.mark.parametrize("breaks", [1, 4], ids=["first", "all but the last"])
@pytest.mark.parametrize("way", TRIED_AGAIN)
def test_an_answer_that_does_not_arrive_is_sent_again(
    breaker: Breaker, way: str, breaks: int
) -> None:
    account, store, event = begin(breaker, way, breaks)
    account.settle(event)
    assert account.clock.slept_s == [1, 2, 4, 8][:breaks]
    assert_one_answer(store, event, breaks + 1)


@pytest.mark.parametrize("way", ["garbage", "200", "204", "299"])
def test_an_answer_that_arrived_is_not_sent_again(breaker: Breaker, way: str) -> None:
    account, store, event = begin(breaker, way, 1)
    account.settle(event)
    assert_one_answer(store, event, 1)


@pytest.mark.parametrize(
    ("way", "tries"), [*dict.fromkeys(TRIED_AGAIN, 5).items(), *dict.fromkeys(GIVEN_UP, 1).items()]
)
def test_an_answer_that_never_arrives_is_told_to_lambda_without_its_url(
    breaker: Breaker, way: str, tries: int
) -> None:
    account, store, event = begin(breaker, way, 5)
    with pytest.raises(DeliveryError, match="CloudFormation did not take the answer: ") as raised:
        account.settle(event)
    assert SECRET not in "".join(traceback.format_exception(raised.value))
    assert_one_answer(store, event, tries)
    if way.isdecimal():
        assert str(raised.value).endswith(f"HTTP {way}")


@pytest.mark.parametrize("request_type", ["Create", "Update", "Delete"])
def test_lambda_s_next_try_tells_the_same_without_a_second_command(
    breaker: Breaker, request_type: str
) -> None:
    account, store, event = begin(breaker, "503", 5)
    account.become("ROLLBACK_IN_PROGRESS")
    event["RequestType"] = request_type
    if request_type != "Create":
        event["PhysicalResourceId"] = f"{account.server_id}:from-ONLINE"
    account.transfer.put(account.server_id, State.OFFLINE)
    with pytest.raises(DeliveryError):
        account.settle(event)
    account.clock.now_s += 60
    account.settle(event)
    assert_one_answer(store, event, 6)
    assert account.commands == ["StartServer"]
