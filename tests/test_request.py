"""A request without HTTP: what is answered, what is remembered and what is asked, to the letter."""

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from handler.aws import Aws
from handler.continuation import Memory, hand_over
from handler.machine import State, Step
from handler.pursuit import Invocation
from handler.reconcile import Progress, UnavailableError
from handler.report import Answer
from handler.request import carry_out, until_s
from tests.lab import FUNCTION, STACK, Clock, CloudFormation, Context, Lambda, client_error

SERVER = "s-0123456789abcdef0"
ARN = f"arn:aws:transfer:eu-west-1:000000000000:server/{SERVER}"
ONLINE, OFFLINE = State.ONLINE, State.OFFLINE
STARTING, STOPPING = State.STARTING, State.STOPPING
BEGAN_S = 1_700_000_000.0
DATE = "20231114T221320Z"  # the same moment
IN_TURN = "CREATE_IN_PROGRESS"


@dataclass
class Transfer:
    """The Transfer API as a script; the last look stays."""

    looks: deque[State]
    calls: list[str] = field(default_factory=list)

    def describe_server(self, ServerId: str) -> dict[str, Any]:
        assert ServerId == SERVER
        self.calls.append("DescribeServer")
        look = self.looks.popleft() if len(self.looks) > 1 else self.looks[0]
        return {"Server": {"Arn": ARN, "State": str(look)}}

    def stop_server(self, ServerId: str) -> None:
        assert ServerId == SERVER
        self.calls.append("StopServer")

    def start_server(self, ServerId: str) -> None:
        assert ServerId == SERVER
        self.calls.append("StartServer")

    @property
    def commands(self) -> list[str]:
        return [call for call in self.calls if call != "DescribeServer"]


class Stacks(CloudFormation):
    """CloudFormation, and what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def _fail(self, operation: str = "") -> None:
        self.calls.append(operation)
        super()._fail(operation)


class Phases(dict[str, dict[str, Any]]):
    """A stack that goes on whenever it is described."""

    def __init__(self, statuses: deque[str]) -> None:
        super().__init__({STACK: {}})
        self._statuses = statuses

    def __getitem__(self, stack_id: str) -> dict[str, Any]:
        return {"StackStatus": self._statuses.popleft()}


class Bench:
    """One function with its three services, and what it made of a request."""

    def __init__(self, *looks: State, status: str = IN_TURN) -> None:
        self.clock = Clock()
        self.transfer = Transfer(deque(looks))
        self.lambda_ = Lambda()
        self.cloudformation = Stacks()
        self.cloudformation.stacks[STACK] = {"StackStatus": status}
        self.fixed: list[str] = []

    @property
    def aws(self) -> Aws:
        clients = {
            "transfer": self.transfer,
            "lambda": self.lambda_,
            "cloudformation": self.cloudformation,
        }
        return Aws(clients.__getitem__)

    def carry_out(self, event: dict[str, Any], *, for_s: float = 840) -> Answer | None:
        return carry_out(
            Invocation(
                event,
                FUNCTION,
                self.clock.now() + for_s,
                self.aws,
                self.clock.now,
                self.clock.sleep,
                self.fixed.append,
            )
        )

    def go_on(self) -> Answer | None:
        return self.carry_out(self.lambda_.queue.popleft())


def request(request_type: str, desired: str = "OFFLINE", **more: Any) -> dict[str, Any]:
    properties = {"ServiceToken": FUNCTION, "ServerId": SERVER, "DesiredState": desired}
    own = {name: more.pop(name) for name in list(more) if name in {"OnDelete", "ServiceTimeout"}}
    return {
        "RequestType": request_type,
        "ResponseURL": "https://example.com/?signature",
        "StackId": STACK,
        "LogicalResourceId": "State",
        "ResourceProperties": properties | own,
        **more,
    }


def attributes(state: str, previous: str) -> dict[str, str]:
    return {"ServerId": SERVER, "Arn": ARN, "State": state, "PreviousState": previous}


STOPPED = Progress(
    OFFLINE,
    began_s=BEGAN_S,
    deadline_s=BEGAN_S + 3_540,
    first=ONLINE,
    last=OFFLINE,
    command=Step.STOP,
    commanded_in=ONLINE,
    commanded_at_s=BEGAN_S,
    polls=2,
    seen_at_s=BEGAN_S + 1,
)


@pytest.mark.parametrize(
    ("remaining_s", "works_s"), [(900, 825), (300, 225), (299, 224.25), (100, 75), (4, 3)]
)
def test_an_invocation_keeps_time_back_to_hand_over(remaining_s: float, works_s: float) -> None:
    clock = Clock()
    context = Context(clock, clock.now() + remaining_s)
    assert until_s(context, clock.now()) == clock.now() + works_s


def test_a_creation_hands_over_what_it_found_before_its_command() -> None:
    bench = Bench(ONLINE)
    assert bench.carry_out(request("Create")) is None
    (invocation,) = bench.lambda_.invocations
    assert (invocation["FunctionName"], invocation["InvocationType"]) == (FUNCTION, "Event")
    (event,) = bench.lambda_.queue
    assert event.pop("Continuation") == {
        "progress": {
            "desired": "OFFLINE",
            "began_s": BEGAN_S,
            "deadline_s": BEGAN_S + 3_540,
            "reverses": False,
            "first": "ONLINE",
            "last": "ONLINE",
            "command": None,
            "commanded_in": None,
            "commanded_at_s": 0,
            "uncertain": False,
            "refusal": "",
            "problem": "",
            "polls": 1,
            "seen_at_s": BEGAN_S,
            "crowded_s": 0,
        },
        "phase": IN_TURN,
        "takes_back": False,
    }
    assert event == request("Create")
    assert (bench.transfer.commands, bench.fixed) == ([], [])


def test_a_creation_is_answered_by_the_invocation_that_carries_it_on() -> None:
    bench = Bench(ONLINE, OFFLINE)
    assert bench.carry_out(request("Create")) is None
    assert bench.go_on() == Answer(
        succeeded=True,
        reason=f"{SERVER} is OFFLINE, after StopServer, 1 s.",
        outcome="done",
        server_id=SERVER,
        data=attributes("OFFLINE", "ONLINE"),
        progress=STOPPED,
    )
    assert bench.transfer.commands == ["StopServer"]
    assert set(bench.fixed) == {f"{SERVER}:from-ONLINE"}


def test_a_creation_that_finds_the_server_there_is_answered_at_once() -> None:
    bench = Bench(OFFLINE)
    answer = bench.carry_out(request("Create"))
    assert answer
    assert answer.reason == f"{SERVER} is OFFLINE, 0 s."
    assert bench.transfer.calls == ["DescribeServer"]
    assert (bench.fixed, bench.clock.slept_s) == ([f"{SERVER}:from-OFFLINE"], [])
    assert (bench.lambda_.invocations, bench.cloudformation.calls) == ([], [])


@pytest.mark.parametrize("desired", ["ONLINE", "OFFLINE"])
def test_an_update_that_reverses_nothing_believes_its_first_look(desired: str) -> None:
    bench = Bench(State(desired))
    event = request(
        "Update",
        desired,
        PhysicalResourceId=f"{SERVER}:from-ONLINE",
        OldResourceProperties={"DesiredState": desired},
    )
    answer = bench.carry_out(event)
    assert answer
    assert answer.succeeded
    assert answer.progress
    assert not answer.progress.reverses
    assert (bench.transfer.calls, bench.clock.slept_s) == (["DescribeServer"], [])


@pytest.mark.parametrize("old", [{"DesiredState": "ONLINE"}, {}, None])
def test_an_update_that_reverses_a_declaration_doubts_its_first_look(old: object) -> None:
    bench = Bench(OFFLINE)
    event = request("Update", PhysicalResourceId=f"{SERVER}:from-ONLINE", OldResourceProperties=old)
    answer = bench.carry_out(event)
    assert answer
    assert answer.succeeded
    assert 15 <= sum(bench.clock.slept_s) < 15.3
    # It made itself at home, and so asked for the stack; it fixed nothing that was known.
    assert bench.cloudformation.calls == ["DescribeStacks"]
    assert bench.fixed == []


def test_a_replacement_reverses_nothing() -> None:
    bench = Bench(OFFLINE)
    event = request("Update", PhysicalResourceId="s-ffffffffffffffff0:from-ONLINE")
    assert bench.carry_out(event)
    assert bench.clock.slept_s == []
    assert bench.fixed == [f"{SERVER}:from-OFFLINE"]


def test_an_update_commands_at_once_and_waits_in_the_same_invocation() -> None:
    bench = Bench(ONLINE, STOPPING, OFFLINE)
    answer = bench.carry_out(request("Update", PhysicalResourceId=f"{SERVER}:from-OFFLINE"))
    assert answer
    assert answer.data == attributes("OFFLINE", "ONLINE")
    assert bench.transfer.calls == [*["DescribeServer", "StopServer"], *["DescribeServer"] * 2]
    assert bench.clock.slept_s == [1, 1]
    assert (bench.cloudformation.calls, bench.fixed) == ([], [])


@pytest.mark.parametrize(
    ("timeout", "deadline_s"), [(3600, 3540), (240, 180), (239, 179.25), ("60", 45), (1, 0.75)]
)
def test_a_request_keeps_a_minute_or_a_quarter_of_its_time_back(
    timeout: object, deadline_s: float
) -> None:
    answer = Bench(OFFLINE).carry_out(request("Create", ServiceTimeout=timeout))
    assert answer
    assert answer.progress
    assert answer.progress.deadline_s == BEGAN_S + deadline_s


@pytest.mark.parametrize(
    ("later_s", "began_s"), [(0, 0), (1, 0), (3_600, 0), (3_601, 3_601), (-1, -1), (-9_999, -9_999)]
)
def test_a_request_began_when_its_url_was_signed(later_s: float, began_s: float) -> None:
    bench = Bench(OFFLINE)
    bench.clock.now_s += later_s
    event = request("Create") | {"ResponseURL": f"https://example.com/?a=b&X-Amz-Date={DATE}&c=d"}
    answer = bench.carry_out(event)
    assert answer
    assert answer.progress
    assert answer.progress.began_s == BEGAN_S + began_s


DELETE = {"request_type": "Delete", "PhysicalResourceId": f"{SERVER}:from-ONLINE"}


def test_a_deletion_leaves_the_server_alone() -> None:
    bench = Bench(OFFLINE, status="DELETE_IN_PROGRESS")
    assert bench.carry_out(request(**DELETE)) == Answer(
        succeeded=True,
        reason=f"{SERVER} is left as it is.",
        outcome="retained",
        server_id=SERVER,
    )
    assert (bench.transfer.calls, bench.fixed) == ([], [])
    assert bench.cloudformation.calls == ["DescribeStacks"]


@pytest.mark.parametrize("on_delete", ["RETAIN", "RESTORE"])
def test_a_deletion_in_a_stack_that_cannot_be_read_says_so(on_delete: str) -> None:
    bench = Bench(OFFLINE)
    del bench.cloudformation.stacks[STACK]
    assert bench.carry_out(request(**DELETE, OnDelete=on_delete)) == Answer(
        succeeded=True,
        reason=f"{SERVER} is left as it is: its stack could not be read.",
        outcome="retained",
        server_id=SERVER,
    )
    assert bench.transfer.calls == []


def test_a_restoration_leaves_the_server_to_its_successor() -> None:
    bench = Bench(OFFLINE, status="UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
    bench.cloudformation.resources = [
        {
            "LogicalResourceId": "Renamed",
            "PhysicalResourceId": f"{SERVER}:from-OFFLINE",
            "ResourceStatus": "UPDATE_COMPLETE",
        }
    ]
    answer = bench.carry_out(request(**DELETE, OnDelete="RESTORE"))
    assert answer
    assert answer.reason == f"{SERVER} is left as it is."
    assert bench.transfer.calls == []


@pytest.mark.parametrize(
    ("status", "on_delete"), [("DELETE_IN_PROGRESS", "RESTORE"), ("ROLLBACK_IN_PROGRESS", "RETAIN")]
)
def test_a_restoration_brings_back_what_was_found(status: str, on_delete: str) -> None:
    bench = Bench(OFFLINE, ONLINE, status=status)
    assert bench.carry_out(request(**DELETE, OnDelete=on_delete)) == Answer(
        succeeded=True,
        reason=f"{SERVER} is ONLINE, after StartServer, 1 s.",
        outcome="done",
        server_id=SERVER,
        data=attributes("ONLINE", "OFFLINE"),
        progress=Progress(
            ONLINE,
            began_s=BEGAN_S,
            deadline_s=BEGAN_S + 3_540,
            reverses=True,
            first=OFFLINE,
            last=ONLINE,
            command=Step.START,
            commanded_in=OFFLINE,
            commanded_at_s=BEGAN_S,
            polls=2,
            seen_at_s=BEGAN_S + 1,
        ),
    )
    assert (bench.fixed, bench.lambda_.invocations) == ([], [])


def test_a_restoration_is_carried_on_whatever_becomes_of_the_stack() -> None:
    bench = Bench(OFFLINE, STARTING, status="ROLLBACK_IN_PROGRESS")
    assert bench.carry_out(request(**DELETE), for_s=10) is None
    bench.cloudformation.stacks[STACK] = {"StackStatus": "ROLLBACK_COMPLETE"}
    bench.transfer.looks = deque([ONLINE])
    answer = bench.go_on()
    assert answer
    assert answer.succeeded
    assert bench.transfer.commands == ["StartServer"]


def test_a_server_that_is_gone_is_a_failure_unless_it_is_released() -> None:
    class Gone(Transfer):
        def describe_server(self, ServerId: str) -> dict[str, Any]:
            self.calls.append(ServerId)
            raise client_error("ResourceNotFoundException", 400, "DescribeServer")

    for event, succeeded in ((request("Create"), False), (request(**DELETE), True)):
        bench = Bench(status="ROLLBACK_IN_PROGRESS")
        bench.transfer = Gone(deque())
        answer = bench.carry_out(event)
        assert answer
        assert (answer.succeeded, answer.outcome) == (succeeded, "gone")
        assert answer.data == {
            "ServerId": SERVER,
            "Arn": "",
            "State": "None",
            "PreviousState": "None",
        }


def test_an_invalid_declaration_fails_and_its_deletion_does_not() -> None:
    for event, succeeded in ((request("Create"), False), (request(**DELETE), True)):
        event["ResourceProperties"]["DesiredState"] = "x"
        answer = Bench(OFFLINE).carry_out(event)
        assert answer == Answer(
            succeeded=succeeded,
            reason="DesiredState: 'x', expected ONLINE or OFFLINE",
            outcome="invalid",
        )


def test_a_deletion_without_a_date_counts_from_its_start() -> None:
    """It asks its stack first, and that may take a while."""
    bench = Bench(OFFLINE, status="ROLLBACK_IN_PROGRESS")
    began_s = bench.clock.now()
    bench.cloudformation.failures.extend([client_error("Throttling", 400, "DescribeStacks")] * 2)
    given = f"{SERVER}:from-OFFLINE"
    answer = bench.carry_out(request("Delete", "ONLINE", PhysicalResourceId=given))
    assert answer
    assert answer.progress
    assert answer.progress.began_s == began_s < bench.clock.now() - 5


def test_an_id_of_nothing_is_released_without_a_call() -> None:
    bench = Bench(OFFLINE)
    assert bench.carry_out(request("Delete", PhysicalResourceId="not-created")) == Answer(
        succeeded=True, reason="Nothing was created.", outcome="not ours"
    )
    assert (bench.transfer.calls, bench.cloudformation.calls) == ([], [])


def test_a_creation_that_its_stack_gave_up_takes_its_command_back() -> None:
    bench = Bench(ONLINE, OFFLINE, OFFLINE, ONLINE)
    assert bench.carry_out(request("Create")) is None
    bench.cloudformation.stacks[STACK] = {"StackStatus": "ROLLBACK_IN_PROGRESS"}
    answer = bench.go_on()
    taken_s = BEGAN_S + 1
    assert answer == Answer(
        succeeded=False,
        reason=f"{SERVER} is ONLINE, after StartServer, 1 s. Its stack rolled back meanwhile, "
        "so this request took its own command back.",
        outcome="taken back",
        server_id=SERVER,
        data=attributes("ONLINE", "ONLINE"),
        progress=Progress(
            ONLINE,
            began_s=taken_s,
            deadline_s=taken_s + 3_600,
            reverses=True,
            first=ONLINE,
            last=ONLINE,
            command=Step.START,
            commanded_in=OFFLINE,
            commanded_at_s=taken_s,
            polls=2,
            seen_at_s=taken_s + 1,
        ),
    )
    assert bench.transfer.commands == ["StopServer", "StartServer"]
    asked = ["DescribeStacks", "ListStackResources", "DescribeStacks"]
    assert bench.cloudformation.calls == ["DescribeStacks", *asked]


def test_what_a_newer_deployment_may_want_is_not_taken_back() -> None:
    """Its look showed the state that it takes back to, so it waited for a lagging read."""
    bench = Bench(OFFLINE, STARTING, ONLINE, OFFLINE, ONLINE, status="UPDATE_IN_PROGRESS")
    assert bench.carry_out(request("Create", "ONLINE")) is None
    deployed = deque(["UPDATE_ROLLBACK_COMPLETE", "UPDATE_IN_PROGRESS"])
    bench.cloudformation.stacks = Phases(deployed)
    answer = bench.go_on()
    assert answer
    assert not answer.succeeded
    assert f"{SERVER} is ONLINE, wanted OFFLINE" in answer.reason
    assert "went on to another operation" in answer.reason
    assert bench.transfer.commands == ["StartServer"]


def test_a_command_that_cannot_be_taken_back_says_why() -> None:
    bench = Bench(ONLINE, OFFLINE, OFFLINE, State.START_FAILED)
    assert bench.carry_out(request("Create")) is None
    bench.cloudformation.stacks[STACK] = {"StackStatus": "DELETE_IN_PROGRESS"}
    answer = bench.go_on()
    assert answer
    assert not answer.succeeded
    assert answer.reason.endswith("console, then deploy again.")
    assert answer.outcome == "taken back"


def test_a_creation_without_a_command_takes_nothing_back() -> None:
    bench = Bench(OFFLINE, status="ROLLBACK_IN_PROGRESS")
    answer = bench.carry_out(request("Create"))
    assert answer
    assert answer.succeeded
    assert bench.cloudformation.calls == []


@pytest.mark.parametrize("error", ["TooManyRequestsException", "AccessDeniedException"])
def test_a_creation_that_cannot_hand_over_goes_on_by_itself(error: str) -> None:
    bench = Bench(ONLINE, ONLINE, OFFLINE)
    bench.lambda_.failures.extend([client_error(error, 429, "Invoke")] * 4)
    answer = bench.carry_out(request("Create"))
    assert answer
    assert answer.succeeded
    assert bench.transfer.commands == ["StopServer"]
    assert f"{SERVER}:from-ONLINE" in bench.fixed


def test_a_request_out_of_time_hands_over_with_its_command() -> None:
    bench = Bench(ONLINE, STOPPING)
    assert bench.carry_out(request("Create")) is None
    assert bench.carry_out(bench.lambda_.queue.popleft(), for_s=10) is None
    bench.transfer.looks = deque([OFFLINE])
    (event,) = bench.lambda_.queue
    assert event["Continuation"]["progress"]["command"] == "StopServer"
    assert event["Continuation"]["progress"]["commanded_in"] == "ONLINE"
    bench.fixed.clear()
    answer = bench.go_on()
    assert answer
    assert answer.succeeded
    assert bench.fixed[0] == f"{SERVER}:from-ONLINE"
    assert bench.transfer.commands == ["StopServer"]


def test_a_request_out_of_time_that_cannot_hand_over_says_why() -> None:
    bench = Bench(ONLINE, STOPPING)
    bench.lambda_.status = 200
    event = request("Update", PhysicalResourceId=f"{SERVER}:from-ONLINE")
    answer = bench.carry_out(event, for_s=10)
    assert answer
    assert not answer.succeeded
    assert answer.outcome == "out of time"
    assert answer.reason == (
        f"{SERVER} is STOPPING, wanted OFFLINE, after StopServer, 10 s: "
        "lambda:InvokeFunction: not accepted. "
        "The provider could not invoke itself to go on. Mend that, deploy again."
    )


def moving(bench: Bench) -> dict[str, Any]:
    """Let an update wait for its turn, past an invocation and until it is late."""
    event = request("Update", PhysicalResourceId=f"{SERVER}:from-ONLINE")
    assert bench.carry_out(event, for_s=11) is None
    (kept,) = bench.lambda_.queue
    return dict(kept)


def test_a_request_that_waits_for_its_turn_remembers_its_stack_s_phase() -> None:
    bench = Bench(STARTING)
    bench.cloudformation.stacks[STACK]["LastUpdatedTime"] = "now"
    kept = moving(bench)
    assert kept["Continuation"]["phase"] == f"{IN_TURN} now"
    assert bench.cloudformation.calls == ["DescribeStacks"]
    bench.transfer.looks = deque([ONLINE, OFFLINE])
    answer = bench.go_on()
    assert answer
    assert answer.succeeded
    assert bench.cloudformation.calls == ["DescribeStacks"] * 2


def test_a_request_whose_turn_is_over_changes_nothing() -> None:
    bench = Bench(STARTING)
    moving(bench)
    bench.transfer.looks = deque([ONLINE])
    bench.cloudformation.stacks[STACK] = {"StackStatus": "UPDATE_ROLLBACK_IN_PROGRESS"}
    answer = bench.go_on()
    assert answer
    assert (answer.succeeded, answer.outcome) == (False, "paused")
    assert answer.reason.endswith("Its stack went on to another operation, so nothing was changed.")
    assert bench.transfer.commands == []


@pytest.mark.parametrize(
    ("accepted", "raises"), [(202, False), (200, True), (201, True), (203, True), (500, True)]
)
def test_a_hand_over_is_made_when_lambda_accepts_it(accepted: int, *, raises: bool) -> None:
    bench = Bench(ONLINE)
    bench.lambda_.status = accepted
    memory = Memory(STOPPED)
    arguments = (bench.aws, FUNCTION, request("Create"), memory, bench.clock.sleep)
    if raises:
        with pytest.raises(UnavailableError) as told:
            hand_over(*arguments)
        assert str(told.value) == "lambda:InvokeFunction: not accepted"
        assert told.value.maybe_done is True
    else:
        hand_over(*arguments)
    assert bench.clock.slept_s == []


def late(request_type: str, by_s: int, bench: Bench) -> dict[str, Any]:
    bench.clock.now_s += by_s
    more = {"PhysicalResourceId": f"{SERVER}:from-ONLINE"} if request_type != "Create" else {}
    url = f"https://example.com/?X-Amz-Date={DATE}"
    return request(request_type, **more) | {"ResponseURL": url}


@pytest.mark.parametrize(
    ("request_type", "status"),
    [
        ("Create", "CREATE_COMPLETE"),
        ("Create", "ROLLBACK_IN_PROGRESS"),
        ("Update", "UPDATE_COMPLETE"),
    ],
)
def test_a_request_delivered_late_changes_nothing_where_its_stack_went_on(
    request_type: str, status: str
) -> None:
    bench = Bench(ONLINE, status=status)
    answer = bench.carry_out(late(request_type, 11, bench))
    assert answer
    assert (answer.succeeded, answer.outcome) == (False, "paused")
    assert answer.reason == (
        f"{SERVER} is ONLINE, wanted OFFLINE, 11 s. "
        "Its stack went on to another operation, so nothing was changed."
    )
    assert bench.transfer.calls == ["DescribeServer"]
    assert (bench.fixed, bench.lambda_.invocations) == ([], [])


@pytest.mark.parametrize(
    ("by_s", "status", "asked"),
    [
        (10, "UPDATE_COMPLETE", 0),
        (11, "UPDATE_IN_PROGRESS", 1),
        (11, "UPDATE_ROLLBACK_IN_PROGRESS", 1),
        (11, None, 1),
    ],
)
def test_a_request_delivered_late_is_carried_out_where_its_stack_may_still_wait(
    by_s: int, status: str | None, asked: int
) -> None:
    bench = Bench(ONLINE, OFFLINE)
    bench.cloudformation.stacks = {STACK: {"StackStatus": status}} if status else {}
    answer = bench.carry_out(late("Update", by_s, bench))
    assert answer
    assert answer.succeeded
    assert bench.cloudformation.calls == ["DescribeStacks"] * asked


def test_a_request_delivered_late_finds_what_is_there_all_the_same() -> None:
    bench = Bench(OFFLINE, status="UPDATE_COMPLETE")
    event = late("Update", 11, bench) | {"OldResourceProperties": {"DesiredState": "OFFLINE"}}
    answer = bench.carry_out(event)
    assert answer
    assert answer.succeeded


def test_a_command_that_is_taken_back_from_an_unseen_server_tells_where_it_was_last() -> None:
    class Vanishing(Transfer):
        def describe_server(self, ServerId: str) -> dict[str, Any]:
            if len(self.calls) > 2:
                raise client_error("InternalServiceError", 500, "DescribeServer")
            return super().describe_server(ServerId)

    bench = Bench(ONLINE)
    bench.transfer = Vanishing(deque([ONLINE, OFFLINE]))
    assert bench.carry_out(request("Create", ServiceTimeout=120)) is None
    bench.cloudformation.stacks[STACK] = {"StackStatus": "ROLLBACK_IN_PROGRESS"}
    while (answer := bench.go_on()) is None:
        pass
    assert not answer.succeeded
    assert answer.reason.startswith(f"{SERVER} is OFFLINE, wanted ONLINE, 3600 s: transfer:")
    assert answer.data["State"] == "OFFLINE"


def test_a_request_out_of_time_that_may_not_hand_over_names_the_permission() -> None:
    bench = Bench(ONLINE, STOPPING)
    bench.lambda_.failures.append(client_error("AccessDeniedException", 403, "Invoke"))
    event = request("Update", PhysicalResourceId=f"{SERVER}:from-ONLINE")
    answer = bench.carry_out(event, for_s=10)
    assert answer
    assert ": lambda:InvokeFunction. The provider could not invoke itself" in answer.reason


def test_a_command_is_taken_back_even_where_it_is_not_seen_yet() -> None:
    bench = Bench(ONLINE)
    assert bench.carry_out(request("Create", ServiceTimeout=60)) is None
    bench.cloudformation.stacks[STACK] = {"StackStatus": "ROLLBACK_IN_PROGRESS"}
    answer = bench.go_on()
    assert answer
    assert (answer.succeeded, answer.outcome) == (False, "taken back")
    assert bench.transfer.commands == ["StopServer"]


@pytest.fixture
def _in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_in_tokyo")
def test_a_signature_s_date_is_utc_wherever_the_function_runs() -> None:
    bench = Bench(OFFLINE)
    answer = bench.carry_out(late("Create", 60, bench))
    assert answer
    assert answer.progress
    assert answer.progress.began_s == BEGAN_S


@pytest.mark.parametrize(
    ("timeout", "pauses_s"), [(599, [1, 4]), (600, [1, 4, 8, 16, 32]), (3_600, [1, 4, 8, 16, 32])]
)
def test_a_deletion_with_time_asks_its_stack_more_patiently(
    timeout: int, pauses_s: list[float]
) -> None:
    bench = Bench(OFFLINE)
    bench.cloudformation.failures.extend([client_error("Throttling", 400, "DescribeStacks")] * 9)
    answer = bench.carry_out(request(**DELETE, ServiceTimeout=timeout))
    assert answer
    assert answer.reason.endswith("its stack could not be read.")
    assert bench.clock.slept_s == pauses_s


def test_a_creation_asks_its_stack_three_times() -> None:
    bench = Bench(ONLINE)
    bench.cloudformation.failures.extend([client_error("Throttling", 400, "DescribeStacks")] * 9)
    assert bench.carry_out(request("Create")) is None
    assert bench.clock.slept_s == [1, 4]


def test_a_creation_that_changed_nothing_has_nothing_to_take_back() -> None:
    bench = Bench(STARTING)
    assert bench.carry_out(request("Create", ServiceTimeout=60), for_s=11) is None
    bench.cloudformation.stacks[STACK] = {"StackStatus": "ROLLBACK_IN_PROGRESS"}
    answer = bench.go_on()
    assert answer
    assert (answer.succeeded, answer.outcome) == (False, "timed out")
    assert bench.transfer.commands == []
