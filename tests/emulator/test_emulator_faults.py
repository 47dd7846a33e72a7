"""Calls go wrong as they are told to: which, how often, and how it looks to a client."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from local.emulator import Emulator, Fault, State
from tests.emulator.raw import Wire
from tests.fakes.clock import Clock

DESCRIBE = {"operation": "DescribeServer", "error": "InternalServiceError"}


@pytest.fixture
def outcomes(wire: Wire, server_id: str) -> Callable[..., list[int]]:
    """Make calls, and give the status of each."""
    return lambda *operations: [
        wire.call(operation, {"ServerId": server_id}).status for operation in operations
    ]


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ([DESCRIBE], [500, 200, 200, 200, 200]),
        ([DESCRIBE | {"times": 3}], [500, 500, 500, 200, 200]),
        ([DESCRIBE | {"times": None}], [500, 500, 500, 500, 500]),
        ([DESCRIBE | {"skip": 2}], [200, 200, 500, 200, 200]),
        ([DESCRIBE | {"skip": 1, "times": 2}], [200, 500, 500, 200, 200]),
        ([DESCRIBE, DESCRIBE | {"error": "ThrottlingException"}], [500, 400, 200, 200, 200]),
        ([DESCRIBE | {"skip": 1}, DESCRIBE | {"status": 503}], [503, 500, 200, 200, 200]),
        ([DESCRIBE | {"operation": "*", "times": 2}], [500, 500, 200, 200, 200]),
        ([DESCRIBE | {"operation": "StopServer"}], [200, 200, 200, 200, 200]),
        ([Fault(error="InternalServiceError")], [500, 200, 200, 200, 200]),
    ],
)
def test_a_fault_happens_to_the_calls_that_it_names(
    emulator: Emulator,
    outcomes: Callable[..., list[int]],
    faults: list[Any],
    expected: list[int],
) -> None:
    emulator.set(faults=faults)
    assert outcomes(*["DescribeServer"] * 5) == expected


def test_a_fault_leaves_other_operations_alone(
    emulator: Emulator, outcomes: Callable[..., list[int]]
) -> None:
    emulator.set(faults=[DESCRIBE])
    assert outcomes("StartServer", "DescribeServer", "DescribeServer") == [200, 500, 200]
    assert emulator.settings.faults == ()


@pytest.mark.parametrize("wire_fault", ["close", "reset"])
@pytest.mark.parametrize("carried_out", [False, True])
def test_an_unanswered_call_is_carried_out_only_if_so_set(
    *,
    emulator: Emulator,
    transfer: Any,
    server_id: str,
    wire_fault: str,
    carried_out: bool,
) -> None:
    emulator.set(faults=[{"wire": wire_fault, "carried_out": carried_out}])
    with pytest.raises(ConnectionClosedError):
        transfer.stop_server(ServerId=server_id)
    state = State.OFFLINE if carried_out else State.ONLINE
    assert emulator.states() == {server_id: state}
    assert transfer.describe_server(ServerId=server_id)["Server"]["State"] == state


@pytest.mark.parametrize(
    ("wire_fault", "seen"), [("close", ConnectionError), ("reset", ConnectionResetError)]
)
def test_a_connection_is_closed_or_reset_as_is_set(
    emulator: Emulator, wire: Wire, wire_fault: str, seen: type[Exception]
) -> None:
    emulator.set(faults=[{"wire": wire_fault}])
    with pytest.raises(seen) as raised:
        wire.call("ListServers", {})
    assert raised.type.__name__ == {"close": "RemoteDisconnected"}.get(wire_fault, seen.__name__)


def test_garbage_is_an_answer_in_which_boto3_finds_nothing(
    emulator: Emulator, transfer: Any, server_id: str
) -> None:
    emulator.set(faults=[{"wire": "garbage"}])
    answer = transfer.describe_server(ServerId=server_id)
    assert answer.keys() == {"ResponseMetadata"}


def test_an_error_may_hide_that_the_operation_was_carried_out(
    emulator: Emulator, transfer: Any, server_id: str
) -> None:
    emulator.set(faults=[{"error": "ServiceUnavailableException", "carried_out": True}])
    with pytest.raises(transfer.exceptions.ServiceUnavailableException):
        transfer.stop_server(ServerId=server_id)
    assert emulator.states() == {server_id: State.OFFLINE}


def test_an_answer_is_delayed_and_is_the_proper_one(
    emulator: Emulator, clock: Clock, transfer: Any, server_id: str
) -> None:
    emulator.set(faults=[{"operation": "DescribeServer", "delay_s": 12.5}])
    began_s = clock.now()
    assert transfer.describe_server(ServerId=server_id)["Server"]["State"] == "ONLINE"
    assert clock.now() - began_s == 12.5


def test_a_delayed_answer_holds_up_no_other_client_nor_the_end() -> None:
    with Emulator(faults=[{"operation": "ListServers", "delay_s": 3600}]) as emulator:
        late, other = Wire(emulator.url), Wire(emulator.url)
        late.ask("POST", "/", b"{}", **{"X-Amz-Target": "TransferService.ListServers"})
        while "ListServers" not in {call.operation for call in emulator.calls()}:
            assert other.call("CreateServer", {}).status == 200
        assert other.call("CreateServer", {}).status == 200
    late.close()
    other.close()


def test_a_bucket_gives_out_its_burst_then_its_rate(
    emulator: Emulator, clock: Clock, outcomes: Callable[..., list[int]]
) -> None:
    emulator.set(throttle={"rate_per_s": 2, "burst": 3})
    calls = ["DescribeServer", "StopServer", "StartServer", "DescribeServer", "StopServer"]
    assert outcomes(*calls) == [200, 200, 200, 400, 400]
    clock.sleep(0.25)
    assert outcomes("DescribeServer") == [400]
    clock.sleep(0.25)
    assert outcomes("DescribeServer", "DescribeServer") == [200, 400]
    clock.sleep(3600)
    assert outcomes(*calls) == [200, 200, 200, 400, 400]
    emulator.set(throttle=None)
    assert outcomes(*calls) == [200] * 5


def test_a_throttled_call_is_told_when_to_come_back_and_changes_nothing(
    emulator: Emulator, transfer: Any, server_id: str
) -> None:
    emulator.set(throttle={"rate_per_s": 0.1, "burst": 1})
    transfer.describe_server(ServerId=server_id)
    with pytest.raises(ClientError) as raised:
        transfer.stop_server(ServerId=server_id)
    response = raised.value.response
    assert response["Error"] == {"Code": "ThrottlingException", "Message": ""}
    assert response["RetryAfterSeconds"] == "10"
    assert emulator.states() == {server_id: State.ONLINE}
