"""The faults one by one: each call to AWS and the delivery of the answer, in each way it can fail.

Whatever fails, and however often: answered once, truthfully, in time, with a Reason that a person
can act on. The errors are those of botocore's service models.
"""

import json
import re
import socket
import ssl
import traceback
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import boto3
import botocore.session
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from handler.aws import CONFIG
from tests.lab import REGION, Clock

from handler import delivery
from handler.delivery import DeliveryError
from local.emulator import State
from local.emulator import model as transfer_model
from tests.faulty import (
    BROKEN,
    COMMANDS,
    CONNECT_TIMEOUT_S,
    READ_TIMEOUT_S,
    SECRET,
    SERVICE_OF,
    Clients,
    Fault,
    FaultyAccount,
    Plan,
    error_body,
    event_of,
)

FOUND = {"Create": State.ONLINE, "Update": State.ONLINE, "Delete": State.OFFLINE}
OPPOSITE = {State.ONLINE: State.OFFLINE, State.OFFLINE: State.ONLINE}
# What AWS sends besides what its models list.
UNMODELLED = {
    "transfer": {"ThrottlingException": 400, "AccessDeniedException": 400},
    "lambda": {"AccessDeniedException": 403, "ThrottlingException": 400},
    "cloudformation": {
        "AccessDenied": 403,
        "InternalFailure": 500,
        "ServiceUnavailable": 503,
        "Throttling": 400,
        "ValidationError": 400,
    },
}
EVERYWHERE = {"ExpiredTokenException": 400, "UnrecognizedClientException": 403}
THROTTLED = {"Throttling", "ThrottlingException", "TooManyRequestsException"}
DENIED = {"AccessDenied", "AccessDeniedException"}
# Where nothing of an answer but its status is read, these are a plain 200.
READ_BY_STATUS = {
    "StartServer": {"garbage"},
    "StopServer": {"garbage"},
    "Invoke": {"garbage", "cut short"},
}
GONE = "ResourceNotFoundException"
ADVICE = re.compile(
    r"(then deploy again|Mend that, deploy again|or raise ServiceTimeout"
    r"|Allow it in the provider's role \(.*\)|Check ServerId: .*)\.$"
)


def errors(operation: str) -> dict[str, int]:
    """Read the errors of an operation with their statuses, and add what AWS sends besides."""
    service = SERVICE_OF[operation]
    listed = botocore.session.get_session().get_service_model(service).operation_model(operation)
    modelled = {
        shape.name: transfer_model.error(shape.name).status
        if service == "transfer"
        else shape.metadata["error"]["httpStatusCode"]
        for shape in listed.error_shapes
    }
    return EVERYWHERE | UNMODELLED[service] | modelled


def answered(operation: str, code: str, status: int, **more: Any) -> Fault:
    if SERVICE_OF[operation] == "transfer" and code in transfer_model.ERRORS:
        fields = transfer_model.error(code, "Because it is so.").fields
    else:
        fields = {"message": "Because it is so.", "Message": "Because it is so."}
    body = error_body(operation, code, fields)
    passes = code in THROTTLED or status >= 500
    return Fault(code, passes=passes, status=status, body=body, **more)


def faults(operation: str) -> Iterator[Fault]:
    for code, status in errors(operation).items():
        yield answered(operation, code, status)
    for name in BROKEN:
        yield Fault(name, passes=name not in READ_BY_STATUS.get(operation, ()))
    yield Fault("connect time-out", takes_s=CONNECT_TIMEOUT_S)
    yield Fault("read time-out", takes_s=READ_TIMEOUT_S)
    yield Fault("slow", takes_s=READ_TIMEOUT_S - 1)
    if operation == "DescribeServer":
        yield Fault("nothing in it", status=200, body=b"{}")
        unknown = {"Server": {"Arn": "arn:…", "State": "PAUSED"}}
        yield Fault("an unknown state", status=200, body=json.dumps(unknown).encode())


def lost(operation: str) -> Iterator[Fault]:
    """Find the faults in which a call may have taken effect all the same."""
    never = {"refused", "connect time-out", "slow"} | THROTTLED
    for fault in faults(operation):
        by_status = operation in COMMANDS and fault.name == "garbage"
        if (fault.passes or by_status) and fault.name not in never:
            yield replace(fault, carried_out=True, passes=True)


def plan(request_type: str, operation: str, fault: Fault, times: str) -> Plan:
    """Let the fault strike first, in the middle, ever since the middle, or every time.

    The middle of the looks is one after the command; that of what is called once, its second try.
    """
    if times in {"first", "every"}:
        return Plan(operation, fault, lasts=times == "every")
    lasts = times == "ever since"
    if operation == "DescribeServer":
        return Plan(operation, fault, number=2, lasts=lasts)
    if (request_type, operation) == ("Update", "DescribeStacks") and lasts:
        return Plan(operation, fault, number=1, lasts=True)
    code = {"lambda": "TooManyRequestsException", "cloudformation": "Throttling"}
    throttled = answered(operation, code.get(SERVICE_OF[operation], "ThrottlingException"), 400)
    return Plan(operation, fault, before=throttled, number=1, lasts=lasts)


CALLERS = ("Create", "Update", "Delete")
CASES = [
    pytest.param(caller, operation, times, fault, id=f"{caller}-{operation}-{times}-{fault}")
    for operation in SERVICE_OF
    for caller in (CALLERS if operation != "ListStackResources" else ("Delete",))
    for fault in [*faults(operation), *(lost(operation) if operation in COMMANDS else ())]
    for times in ("first", "middle", *(["ever since"] if fault.passes else []), "every")
]


@pytest.fixture(scope="module")
def clients() -> Iterator[Clients]:
    clients = Clients()
    yield clients
    clients.close()


def begin(account: FaultyAccount, request_type: str, operation: str) -> dict[str, Any]:
    """Set a request up in which the operation is called."""
    desired = State.ONLINE if operation == "StartServer" else State.OFFLINE
    account.transfer.put(account.server_id, OPPOSITE[desired])
    timeout_s, transition_s = 120, 20
    if operation == "Invoke" and request_type != "Create":
        # The transition outlives an invocation, and few looks are enough to see it.
        timeout_s, transition_s, account.invocation_s, account.latency_s = 500, 200, 240, 9
    account.transfer.set(start_s=transition_s, stop_s=transition_s)
    if operation == "DescribeStacks" and request_type == "Update":
        # A request asks for the stack when it has to wait before its command.
        account.transfer.put(account.server_id, desired)
        account.command("StartServer" if desired is State.OFFLINE else "StopServer")
    found = desired if request_type == "Delete" else OPPOSITE[desired]
    event = event_of(
        account,
        request_type,
        DesiredState=OPPOSITE[desired] if request_type == "Delete" else desired,
        ServiceTimeout=str(timeout_s),
        OnDelete="RESTORE" if operation == "ListStackResources" else "RETAIN",
    )
    if request_type != "Create":
        event["PhysicalResourceId"] = f"{account.server_id}:from-{found}"
        event["OldResourceProperties"] = {"DesiredState": found}
    account.stack_status = {
        "Create": "CREATE_IN_PROGRESS",
        "Update": "UPDATE_IN_PROGRESS",
        "Delete": "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
        if operation == "ListStackResources"
        else "ROLLBACK_IN_PROGRESS",
    }[request_type]
    return event


def succeeds(request_type: str, operation: str, times: str, fault: Fault) -> bool:
    """Tell whether the request can and so has to succeed in spite of the fault."""
    if fault.name == "slow" or SERVICE_OF[operation] == "cloudformation":
        return True
    if operation == "Invoke" and request_type == "Create":
        # What was found is not safe in Lambda's queue then, but nothing is lost yet.
        return True
    if fault.name == GONE and request_type == "Delete" and operation != "Invoke":
        return True
    return fault.passes and (times in {"first", "middle"} or fault.carried_out)


@pytest.mark.parametrize(("request_type", "operation", "times", "fault"), CASES)
def test_a_request_is_answered_once_truthfully_and_in_time(
    clients: Clients, request_type: str, operation: str, times: str, fault: Fault
) -> None:
    account = FaultyAccount(clients, plan(request_type, operation, fault, times))
    event = begin(account, request_type, operation)
    others = len(account.commands)
    began_s = account.clock.now()
    account.settle(event)
    assert account.plan is not None
    assert account.plan.struck > 0

    ((answered_s, url, body),) = account.puts
    answer = json.loads(body)
    assert url == event["ResponseURL"]
    for name in ("StackId", "RequestId", "LogicalResourceId"):
        assert answer[name] == event[name]
    assert answered_s - began_s < int(event["ResourceProperties"]["ServiceTimeout"])
    assert account.overran_s <= 0

    commands = account.commands[others:]
    assert len(commands) <= 1
    found = State.OFFLINE if operation == "StartServer" else State.ONLINE
    if request_type != "Create":
        assert answer["PhysicalResourceId"] == event["PhysicalResourceId"]
    elif commands or answer["Status"] == "SUCCESS":
        assert answer["PhysicalResourceId"] == f"{account.server_id}:from-{found}"

    reason = answer["Reason"]
    assert 0 < len(reason) <= 256
    assert account.server_id in reason
    expected = "SUCCESS" if succeeds(request_type, operation, times, fault) else "FAILED"
    assert answer["Status"] == expected, reason
    if expected == "FAILED":
        where = f"is {account.observed or 'in an unknown state'}, wanted {OPPOSITE[found]}"
        assert where in reason
        assert ADVICE.search(reason), reason
        assert f"{SERVICE_OF[operation]}:{operation}" in reason or (
            fault.name == "garbage" and f"after {operation}" in reason
        )
    elif is_left_alone(request_type, operation, times, fault):
        assert not commands
        assert "is left as it is: its stack could not be read" in reason
    elif fault.name != GONE or operation == "Invoke":
        assert account.state is OPPOSITE[found]


def is_left_alone(request_type: str, operation: str, times: str, fault: Fault) -> bool:
    """Tell whether a deletion cannot learn from its stack whether it has to restore."""
    return (
        request_type == "Delete"
        and SERVICE_OF[operation] == "cloudformation"
        and fault.name != "slow"
        and (times in {"ever since", "every"} or not fault.passes)
    )


@pytest.mark.parametrize("times", ["first", "middle", "every"])
@pytest.mark.parametrize("operation", ["DescribeStacks", "ListStackResources"])
def test_a_cancelled_creation_is_answered_once_and_takes_back_what_it_knows_to_be_its_own(
    clients: Clients, operation: str, times: str
) -> None:
    for fault in faults(operation):
        account = FaultyAccount(clients, plan("Create", operation, fault, times))
        event = begin(account, "Create", operation)
        account.next_status = "ROLLBACK_IN_PROGRESS"
        account.settle(event)
        assert account.plan is not None
        assert account.plan.struck > 0

        (answer,) = account.answers
        assert answer["PhysicalResourceId"] == f"{account.server_id}:from-ONLINE"
        # Without its stack's phase it does not know that it was cancelled.
        is_known = fault.name == "slow" or (fault.passes and times != "every")
        if is_known:
            assert account.commands == ["StopServer", "StartServer"], fault
            assert account.state is State.ONLINE
            assert "took its own command back" in answer["Reason"]
        else:
            assert account.commands == ["StopServer"], fault
            assert answer["Status"] == "SUCCESS"


@pytest.mark.parametrize("times", ["first", "middle"])
@pytest.mark.parametrize("fault", list(lost("Invoke")), ids=str)
@pytest.mark.parametrize("request_type", CALLERS)
def test_a_hand_over_whose_answer_is_lost_gives_no_second_command_and_no_other_answer(
    clients: Clients, request_type: str, fault: Fault, times: str
) -> None:
    """Nobody can know that it arrived, so two invocations may go on."""
    account = FaultyAccount(clients, plan(request_type, "Invoke", fault, times))
    account.settle(begin(account, request_type, "Invoke"))
    told = {(answer["Status"], answer["PhysicalResourceId"]) for answer in account.answers}
    assert told == {("SUCCESS", f"{account.server_id}:from-{FOUND[request_type]}")}
    assert account.commands == ["StopServer"]


@pytest.mark.parametrize("name", ["read time-out", "closed", "refused"])
def test_what_breaks_here_is_what_botocore_makes_of_a_broken_socket(
    clients: Clients, name: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        real = boto3.client(
            "transfer",
            region_name=REGION,
            endpoint_url=url if name == "read time-out" else clients.breaker.url(name),
            config=CONFIG.merge(Config(read_timeout=0.02, signature_version=UNSIGNED)),
        )
        with pytest.raises(BotoCoreError) as raised, closing(real):
            real.describe_server(ServerId="s-00000000000000000")
    account = FaultyAccount(clients, Plan("DescribeServer", Fault(name)))
    with (
        account.clients.answered_by(account.answer),
        pytest.raises(BotoCoreError) as injected,
    ):
        clients("transfer").describe_server(ServerId=account.server_id)
    assert injected.type is raised.type


STATUSES = {
    "delivered": [200, 201, 204, 299],
    "given up": [
        *(300, 301, 302, 303, 304, 307, 308),
        *(400, 401, 403, 404, 405, 407, 409, 410, 411, 412, 413, 414, 415, 417, 422, 451, 499),
    ],
    "tried again": [408, 429, 500, 501, 502, 503, 504, 507, 599],
}
# Where a status was read, nobody needs the rest of the answer.
WAYS = {
    **{str(status): then for then, statuses in STATUSES.items() for status in statuses},
    **dict.fromkeys(BROKEN, "tried again"),
    "cut short": "delivered",
    "garbage": "delivered",
}
RAISED: dict[str, OSError] = {
    "time-out": TimeoutError("timed out"),
    "no such host": socket.gaierror(-2, "Name or service not known"),
    "no route": OSError(113, "No route to host"),
    "a certificate of somebody else": ssl.SSLCertVerificationError("certificate verify failed"),
}


class FaultyStore:
    """The response store, which breaks the first deliveries."""

    def __init__(self, clients: Clients, clock: Clock, way: str, breaks: int) -> None:
        self._clients, self._clock, self._way, self._left = clients, clock, way, breaks
        self.puts: list[tuple[str, bytes]] = []

    def put(self, url: str, body: bytes) -> int:
        self.puts.append((url, body))
        way = self._way if self._left else "200"
        self._left -= bool(self._left)
        if way in RAISED:
            self._clock.now_s += 8 if way == "time-out" else 0
            raise RAISED[way]
        return delivery.put(self._clients.breaker.url(way), body)


@pytest.mark.parametrize("breaks", [1, 4, 5], ids=["first", "all but the last", "every"])
@pytest.mark.parametrize(
    ("way", "then"), [*WAYS.items(), *dict.fromkeys(RAISED, "tried again").items()]
)
@pytest.mark.parametrize("request_type", CALLERS)
def test_an_answer_is_delivered_or_the_invocation_raises(
    clients: Clients, request_type: str, way: str, then: str, breaks: int
) -> None:
    account = FaultyAccount(clients, latency_s=0)
    store = FaultyStore(clients, account.clock, way, breaks)
    account.deliver_to(store.put)
    event = begin(account, request_type, "StopServer")
    account.transfer.put(account.server_id, State.OFFLINE)
    event["OldResourceProperties"] = event["ResourceProperties"]
    began_s = account.clock.now()
    arrives = then == "delivered" or (then == "tried again" and breaks < 5)
    if arrives:
        account.settle(event)
    else:
        with pytest.raises(DeliveryError) as raised:
            account.settle(event)
        assert SECRET not in "".join(traceback.format_exception(raised.value))
        told = f"HTTP {way}" if way.isdecimal() else "CloudFormation did not take the answer: "
        assert told in str(raised.value)
    tries = min(breaks + 1, 5) if then == "tried again" else 1
    assert len(store.puts) == tries
    assert {url for url, _ in store.puts} == {event["ResponseURL"]}
    assert len({body for _, body in store.puts}) == 1
    pauses_s = [1, 2, 4, 8][: tries - 1]
    doubting = account.clock.slept_s[: len(account.clock.slept_s) - len(pauses_s)]
    assert account.clock.slept_s == [*doubting, *pauses_s]
    assert request_type == "Delete" or not doubting
    # What is kept back of an invocation is enough for all tries; a reversal doubts its first look.
    doubts_s = 16 if request_type == "Delete" else 0
    assert account.clock.now() - began_s <= 60 + doubts_s
    answer = json.loads(store.puts[0][1])
    assert (answer["Status"], answer["RequestId"]) == ("SUCCESS", event["RequestId"])


@pytest.mark.parametrize("request_type", CALLERS)
def test_lambda_s_next_try_tells_the_same_without_a_second_command(
    clients: Clients, request_type: str
) -> None:
    account = FaultyAccount(clients)
    store = FaultyStore(clients, account.clock, "503", 5)
    account.deliver_to(store.put)
    event = begin(account, request_type, "StopServer")
    with pytest.raises(DeliveryError):
        account.settle(event)
    account.settle(account.handled)
    first, *_, last = [json.loads(body) for _, body in store.puts]
    assert (first["Status"], last["Status"]) == ("SUCCESS", "SUCCESS")
    assert first["PhysicalResourceId"] == last["PhysicalResourceId"]
    assert account.commands == ["StopServer"]
