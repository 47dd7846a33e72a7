"""The faults one by one: each call to AWS in each way it can fail, once and for good.

Whatever fails, and however often: answered once, truthfully, in time, with a Reason that a person
can act on; and what CloudFormation does next finds nothing half done. The errors are those of
botocore's service models.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pytest

from tests.fakes.account import OTHER_STACK
from tests.fakes.cloudformation import Stack
from tests.fakes.faults import (
    COMMANDS,
    CONFLICT,
    DENIED,
    GONE,
    SERVICE_OF,
    Fault,
    Plan,
    faults,
    lost,
    one_of_each,
)
from tests.fakes.faulty_account import FaultyAccount
from transfer_server_state.machine import State
from transfer_server_state.request import Owner
from transfer_server_state.row import Row

OFFLINE, ONLINE = State.OFFLINE, State.ONLINE
# What a request wants; a deletion, what was found.
WANTED = {"Create": OFFLINE, "Update": ONLINE, "Delete": ONLINE}
# How CloudFormation's next request leaves it where this one failed.
UNDONE = {"Create": ONLINE, "Update": OFFLINE, "Delete": ONLINE}
# Enough for a deletion to do without the registry, or for a second invocation.
TIMEOUT_S, LONG_S = 240, 480
ADVICE = re.compile(
    r"((deploy again|delete again, or retain the resource)(, or raise ServiceTimeout)?\."
    r"|Check ServerId: .*\.) \[[0-9a-f]{8}\]$"
)


Case = Callable[[FaultyAccount], dict[str, Any]]


def declared(account: FaultyAccount) -> str:
    """Declare the server OFFLINE, and return the resource's id."""
    account.transfer.set(stop_s=0)
    answer = account.send("Create", DesiredState=OFFLINE)
    account.transfer.set(stop_s=20)
    account.puts.clear()
    account.observed = None
    account.calls.clear()
    return str(answer["PhysicalResourceId"])


def create(account: FaultyAccount, timeout_s: int = TIMEOUT_S) -> dict[str, Any]:
    return account.request("Create", DesiredState=OFFLINE, ServiceTimeout=str(timeout_s))


def update(account: FaultyAccount) -> dict[str, Any]:
    given = declared(account)
    account.become("UPDATE_IN_PROGRESS")
    return account.request(
        "Update",
        DesiredState=ONLINE,
        ServiceTimeout=str(TIMEOUT_S),
        PhysicalResourceId=given,
        OldResourceProperties={"ServerId": account.server_id, "DesiredState": OFFLINE},
    )


def delete(account: FaultyAccount, status: str = "ROLLBACK_IN_PROGRESS") -> dict[str, Any]:
    given = declared(account)
    account.become(status)
    return account.request(
        "Delete", DesiredState=OFFLINE, ServiceTimeout=str(LONG_S), PhysicalResourceId=given
    )


def delete_before_completion(account: FaultyAccount) -> dict[str, Any]:
    return delete(account, "DELETE_IN_PROGRESS")


def delete_of_nothing_owed(account: FaultyAccount) -> dict[str, Any]:
    return delete(account, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")


def take_over(account: FaultyAccount) -> dict[str, Any]:
    """Create what a stack declares that is gone."""
    account.cloudformation.stacks[OTHER_STACK] = Stack(OTHER_STACK, "DELETE_COMPLETE")
    gone = Owner(OTHER_STACK, "State")
    account.remember(Row(account.server_id, gone, OFFLINE, found=ONLINE, request="r", held=True))
    return create(account)


def long_create(account: FaultyAccount) -> dict[str, Any]:
    account.transfer.set(stop_s=160)
    account.invocation_s, account.look_s = 220, 9
    return create(account, LONG_S)


# The calls of a request to which nothing happens, each once however often it is repeated.
CALLS: dict[Case, str] = {
    create: "GetItem PutItem DescribeServer PutItem StopServer DescribeServer PutItem",
    update: "GetItem PutItem DescribeServer PutItem StartServer DescribeServer PutItem",
    delete: "GetItem DescribeStacks PutItem DescribeServer PutItem StartServer DescribeServer "
    "PutItem",
    delete_before_completion: "GetItem DescribeStacks DescribeStackEvents PutItem DescribeServer "
    "PutItem StartServer DescribeServer PutItem",
    delete_of_nothing_owed: "GetItem DescribeStacks PutItem",
    take_over: "GetItem DescribeStacks DescribeStackResource PutItem DescribeServer PutItem "
    "StopServer DescribeServer PutItem",
    long_create: "GetItem PutItem DescribeServer PutItem StopServer DescribeServer GetItem "
    "DescribeServer GetItem DescribeServer GetItem DescribeServer GetItem DescribeServer PutItem "
    "Invoke GetItem DescribeServer PutItem",
}


def begin(case: Case) -> tuple[FaultyAccount, dict[str, Any]]:
    account = FaultyAccount()
    account.become("CREATE_IN_PROGRESS")
    account.transfer.set(stop_s=20, start_s=20)
    return account, case(account)


@pytest.mark.parametrize("case", CALLS, ids=lambda case: case.__name__)
def test_the_matrix_has_every_call_of_a_request(case: Case) -> None:
    account, event = begin(case)
    account.settle(event)
    assert " ".join(operation for operation, _ in groupby(account.calls)) == CALLS[case]
    assert account.answers[0]["Status"] == "SUCCESS"


@dataclass(frozen=True)
class Point:
    """A call of a request: the operation's first, second..."""

    case: Case
    operation: str
    number: int

    def __str__(self) -> str:
        return f"{self.case.__name__}-{self.operation}-{self.number + 1}"


# Of these, the calls that no other request has.
OWN_CALLS: dict[Case, tuple[int, ...]] = {
    delete_before_completion: (2,),
    take_over: (1, 2, 3),
    long_create: (6, 14, 15, 16),
}


def points() -> Iterator[Point]:
    for case, calls in CALLS.items():
        operations = calls.split()
        for place in OWN_CALLS.get(case, range(len(operations))):
            operation = operations[place]
            # Looks in a row are one here, and so are counted right up to the second such row.
            yield Point(case, operation, operations[:place].count(operation))


def cases() -> Iterator[Any]:
    """Pair each call with one fault of each kind, once and lasting.

    An operation's first call meets each of its other faults too, once: that they are of their
    kind shows in what comes of it.
    """
    known: set[str] = set()
    for point in points():
        of_each_kind = one_of_each(point.operation)
        for fault in of_each_kind:
            yield _case(point, fault, lasts=False)
            # A condition that never holds is no fault: somebody else would have to write each time.
            if fault.name != CONFLICT:
                yield _case(point, fault, lasts=True)
        if point.operation not in known:
            known.add(point.operation)
            every = (*faults(point.operation), *lost(point.operation))
            yield from (
                _case(point, fault, lasts=False) for fault in every if fault not in of_each_kind
            )


def _case(point: Point, fault: Fault, *, lasts: bool) -> Any:
    return pytest.param(point, fault, lasts, id=f"{point}-{fault}-{'lasting' if lasts else 'once'}")


def is_passing(point: Point, fault: Fault) -> bool:
    """Tell whether a request goes on in spite of a fault that ends."""
    # Of a refusal to go on, or of the registry, nothing is believed before there is no more time.
    tried_again = point.operation == "Invoke" or SERVICE_OF[point.operation] == "dynamodb"
    return fault.passes or fault.name in DENIED | {GONE} or tried_again


def succeeds(point: Point, fault: Fault, *, lasts: bool) -> bool:
    """Tell whether the request can and so has to succeed in spite of the fault."""
    if not lasts and is_passing(point, fault):
        return True
    service = SERVICE_OF[point.operation]
    if point.case is delete_of_nothing_owed:
        return True
    if point.case.__name__.startswith("delete"):
        # Without the registry it goes by its id, and without its stack it blocks nothing.
        silent = service == "dynamodb" and not fault.is_slow
        if silent or service == "cloudformation" or fault.name == GONE:
            return True
    if point.operation == "PutItem" and (fault.is_slow or fault.carried_out):
        # A command whose intention is never known to be written in time is never given.
        return not commands_after(point)
    # A hand-over that may have arrived is no hand-over.
    return fault.is_slow or (fault.carried_out and point.operation != "Invoke")


def commands_after(point: Point) -> bool:
    """Tell whether a request still has its command to give when it comes to a call."""
    calls = CALLS[point.case].split()
    places = [place for place, operation in enumerate(calls) if operation == point.operation]
    return any(operation in COMMANDS for operation in calls[places[point.number] :])


@pytest.mark.parametrize(("point", "fault", "lasts"), list(cases()))
def test_a_request_is_answered_once_truthfully_in_time_and_left_nowhere_half_done(
    point: Point,
    fault: Fault,
    lasts: bool,  # noqa: FBT001 - pytest passes it by name
) -> None:
    account, event = begin(point.case)
    request_type = event["RequestType"]
    earlier, sent_s = len(account.commands), account.clock.now()
    account.plan = Plan(point.operation, fault, point.number, lasts)
    account.settle(event)
    assert account.struck_at_s

    (answer,) = {body: json.loads(body) for _, _, body in account.puts}.values()
    (answered_s, url, _), *more = account.puts
    # Nobody can know that a lost hand-over arrived, so two may go on.
    assert not more or (point.operation == "Invoke" and fault.carried_out)
    assert url == event["ResponseURL"]
    for name in ("StackId", "RequestId", "LogicalResourceId"):
        assert answer[name] == event[name]
    assert answered_s - sent_s < int(event["ResourceProperties"]["ServiceTimeout"])
    assert account.overran_s <= 0

    commands = account.commands[earlier:]
    assert len(commands) <= 1
    reason = answer["Reason"]
    assert 0 < len(reason) <= 256
    assert account.server_id in reason
    expected = "SUCCESS" if succeeds(point, fault, lasts=lasts) else "FAILED"
    assert answer["Status"] == expected, reason
    # Of what an earlier invocation saw and did, the registry alone knows.
    is_lost = point.case is long_create and point.operation == "GetItem" and lasts
    if request_type != "Create":
        assert answer["PhysicalResourceId"] == event["PhysicalResourceId"]
    elif (commands and not is_lost) or expected == "SUCCESS":
        assert answer["PhysicalResourceId"] == f"{account.server_id}:from-ONLINE"
    if expected == "FAILED":
        assert ADVICE.search(reason), reason
        timeout_s = int(event["ResourceProperties"]["ServiceTimeout"])
        assert_fails_no_sooner(account, point, fault, answered_s, sent_s + timeout_s - 60)
        seen = account.observed if account.observed and not is_lost else ""
        stands = f"(is|was last seen) {seen}" if seen else "was not seen"
        told = re.search(f"{stands}, wanted {WANTED[request_type]}", reason)
        assert fault.name == GONE or told, reason
        if not (fault.carried_out or fault.is_slow):
            assert f"{SERVICE_OF[point.operation]}:{point.operation}" in reason
    if "left as it is" in reason:
        assert not commands
    elif expected == "SUCCESS" and fault.name != GONE:
        assert str(account.state) == WANTED[request_type]
    account.plan = None
    if is_recorded(point, fault, lasts=lasts):
        deliver_again(account, event)
    if expected == "FAILED":
        undo(account, event, answer)
        assert str(account.state) == UNDONE[request_type]


def assert_fails_no_sooner(
    account: FaultyAccount, point: Point, fault: Fault, answered_s: float, deadline_s: float
) -> None:
    """What may pass is waited for until the deadline, a denial for about half a minute."""
    if point.operation == "Invoke":
        return
    if fault.passes or SERVICE_OF[point.operation] == "dynamodb":
        assert answered_s >= deadline_s
    elif is_passing(point, fault):
        assert 30 <= answered_s - account.struck_at_s <= 75


def is_recorded(point: Point, fault: Fault, *, lasts: bool) -> bool:
    """Tell whether the answer could be written down, in a row that was the request's."""
    service = SERVICE_OF[point.operation]
    if service == "dynamodb":
        return not lasts or fault.is_slow or (fault.carried_out and not commands_after(point))
    goes_on = fault.is_slow or (not lasts and is_passing(point, fault))
    return service != "cloudformation" or goes_on


def deliver_again(account: FaultyAccount, event: dict[str, Any]) -> None:
    """Deliver an event that was answered: the answer is the same, and nobody else is called."""
    account.calls.clear()
    account.settle(event)
    assert account.answers[-1] == account.answers[0]
    assert account.calls == ["GetItem"]


def undo(account: FaultyAccount, event: dict[str, Any], answer: dict[str, Any]) -> None:
    """Do what CloudFormation does after a failure, and see that it succeeds."""
    kind, properties = event["RequestType"], event["ResourceProperties"]
    given = {"PhysicalResourceId": answer["PhysicalResourceId"]}
    if kind == "Create":
        account.become("ROLLBACK_IN_PROGRESS")
        told = account.send("Delete", DesiredState=OFFLINE, **given)
    elif kind == "Update":
        account.become("UPDATE_ROLLBACK_IN_PROGRESS")
        told = account.send(
            "Update", DesiredState=OFFLINE, OldResourceProperties=properties, **given
        )
    else:
        account.become("ROLLBACK_FAILED")
        account.become("DELETE_IN_PROGRESS")
        told = account.send("Delete", DesiredState=OFFLINE, **given)
    assert told["Status"] == "SUCCESS"
    assert account.row.restoring is None
    assert account.row.owner.stack_id == OTHER_STACK or account.row.released is (kind != "Update")
