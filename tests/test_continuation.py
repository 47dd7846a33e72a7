"""A request that outlives its invocation, or its stack."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from local.emulator import State
from tests.lab import FUNCTION, NO_SERVER, STACK, Account, client_error


def test_near_the_end_of_an_invocation_another_carries_on(account: Account) -> None:
    account.emulator.set(stop_s=2_000)
    given = f"{account.server_id}:from-ONLINE"
    answer = account.send("Update", DesiredState="OFFLINE", PhysicalResourceId=given)
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", given)
    assert account.commands == ["StopServer"]
    assert [i["InvocationType"] for i in account.lambda_.invocations] == ["Event", "Event"]
    assert {i["FunctionName"] for i in account.lambda_.invocations} == {FUNCTION}


def test_the_deadline_holds_across_invocations(account: Account) -> None:
    account.emulator.set(stop_s=100_000)
    began_s = account.clock.now()
    answer = account.send("Create", DesiredState="OFFLINE", ServiceTimeout="3000")
    assert answer["Status"] == "FAILED"
    assert account.clock.now() - began_s == pytest.approx(2940, abs=1)
    assert account.commands == ["StopServer"]


def test_no_invocation_is_used_up(account: Account) -> None:
    account.emulator.set(stop_s=2_000)
    account.lambda_.queue.append(account.request("Create", DesiredState="OFFLINE"))
    while account.lambda_.queue:
        began_s = account.clock.now()
        account.invoke(account.lambda_.queue.popleft())
        assert account.clock.now() - began_s <= account.timeout_s - 60
    assert account.store.answers[0]["Status"] == "SUCCESS"


def test_what_was_found_is_in_lambda_s_queue_before_the_command_is_given(account: Account) -> None:
    account.emulator.set(stop_s=60)
    account.invoke(account.request("Create", DesiredState="OFFLINE"))
    assert (account.commands, account.store.puts) == ([], [])
    kept = account.lambda_.queue.popleft()
    # The invocation that gives the command dies; Lambda tries the same event again.
    with pytest.raises(KilledError):
        account.invoke(kept, provider=Dying(account).provider)
    assert account.commands == ["StopServer"]
    account.clock.sleep(60)
    account.invoke(kept)
    (answer,) = account.store.answers
    assert answer["PhysicalResourceId"] == f"{account.server_id}:from-ONLINE"
    assert account.commands == ["StopServer"]


class KilledError(BaseException):
    """The sandbox is gone."""


class Dying:
    """A function that is killed when it first sleeps."""

    def __init__(self, account: Account) -> None:
        self.provider = account.new_provider(sleep=self._die)

    def _die(self, _: float) -> None:
        raise KilledError


def test_a_request_that_cannot_hand_over_before_its_command_gives_it_all_the_same(
    account: Account,
) -> None:
    denied = client_error("AccessDeniedException", 403, "Invoke")
    account.lambda_.failures.append(denied)
    account.emulator.set(stop_s=60)
    answer = account.send("Create", DesiredState="OFFLINE")
    assert answer["Status"] == "SUCCESS"
    assert answer["PhysicalResourceId"] == f"{account.server_id}:from-ONLINE"


def test_a_throttled_hand_over_is_tried_again(account: Account) -> None:
    throttled = client_error("TooManyRequestsException", 429, "Invoke")
    account.lambda_.failures.extend([throttled] * 2)
    assert account.send("Create", DesiredState="OFFLINE")["Status"] == "SUCCESS"
    assert len(account.lambda_.queue) == 0
    assert len(account.lambda_.invocations) == 3


def test_a_request_that_cannot_go_on_says_so(account: Account) -> None:
    account.emulator.set(stop_s=2_000)
    account.lambda_.failures.append(client_error("AccessDeniedException", 403, "Invoke"))
    given = f"{account.server_id}:from-ONLINE"
    answer = account.send("Update", DesiredState="OFFLINE", PhysicalResourceId=given)
    assert answer["Status"] == "FAILED"
    assert "lambda:InvokeFunction" in answer["Reason"]
    assert answer["Reason"].endswith("could not invoke itself to go on. Mend that, deploy again.")


@pytest.mark.parametrize(
    "garbage",
    [None, 7, {}, {"progress": None}, {"progress": {"desired": "x"}}, {"progress": {}, "x": 1}],
)
def test_a_continuation_that_makes_no_sense_is_a_fresh_request(
    account: Account, garbage: object
) -> None:
    event = account.request("Create", DesiredState="OFFLINE") | {"Continuation": garbage}
    assert account.settle(event)["Status"] == "SUCCESS"


@pytest.mark.parametrize("deadline_s", [1e308, float("nan"), 1_700_009_999])
def test_nobody_keeps_the_function_busy_with_a_forged_deadline(
    account: Account, deadline_s: float
) -> None:
    account.emulator.set(stop_s=100_000)
    account.invoke(account.request("Create", DesiredState="OFFLINE", ServiceTimeout="600"))
    forged = account.lambda_.queue.popleft()
    forged["Continuation"]["progress"]["deadline_s"] = deadline_s
    began_s = account.clock.now()
    assert account.settle(forged)["Status"] == "FAILED"
    assert account.clock.now() - began_s < 600


def test_a_continuation_is_json_beside_the_same_event(account: Account) -> None:
    event = account.request("Create", DesiredState="OFFLINE")
    account.invoke(event)
    kept = json.loads(account.lambda_.invocations[0]["Payload"])
    assert {name: kept[name] for name in event} == event
    assert kept.keys() - event.keys() == {"Continuation"}
    assert kept["Continuation"]["progress"]["first"] == "ONLINE"


@pytest.mark.parametrize("status", ["ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"])
@pytest.mark.parametrize("stop_failures", [0, 1])
def test_a_creation_whose_stack_rolled_back_meanwhile_takes_its_command_back(
    account: Account, status: str, stop_failures: int
) -> None:
    """CloudFormation gave up waiting, and deleted an id that it made up itself."""
    account.emulator.set(stop_s=60, start_s=60, stop_failures=stop_failures)
    before = {"UPDATE_ROLLBACK_IN_PROGRESS": "UPDATE_IN_PROGRESS"}.get(status, "CREATE_IN_PROGRESS")
    account.cloudformation.stacks[STACK] = {"StackStatus": before}
    account.invoke(account.request("Create", DesiredState="OFFLINE"))
    account.cloudformation.stacks[STACK] = {"StackStatus": status}
    account.invoke(account.lambda_.queue.popleft())
    assert account.state is State.ONLINE
    assert account.commands == ["StopServer", "StartServer"]
    (answer,) = account.store.answers
    assert answer["Status"] == "FAILED"
    assert "rolled back meanwhile" in answer["Reason"]
    assert answer["PhysicalResourceId"] == f"{account.server_id}:from-ONLINE"


def test_taking_a_command_back_survives_its_invocation(account: Account) -> None:
    account.emulator.set(stop_s=60, start_s=1_500)
    account.invoke(account.request("Create", DesiredState="OFFLINE"))
    account.cloudformation.stacks[STACK] = {"StackStatus": "ROLLBACK_IN_PROGRESS"}
    while account.lambda_.queue:
        account.invoke(account.lambda_.queue.popleft())
    assert account.state is State.ONLINE
    (answer,) = account.store.answers
    assert "rolled back meanwhile" in answer["Reason"]
    assert answer["PhysicalResourceId"] == f"{account.server_id}:from-ONLINE"


def held(account: Account) -> dict[str, str]:
    return {
        "LogicalResourceId": "State",
        "PhysicalResourceId": f"{account.server_id}:from-ONLINE",
        "ResourceStatus": "UPDATE_COMPLETE",
    }


def test_what_was_answered_is_not_taken_back_when_a_later_deployment_rolls_back(
    account: Account,
) -> None:
    """Lambda may deliver a continuation again, long after another one answered."""
    account.emulator.set(stop_s=60)
    account.cloudformation.stacks[STACK] = {"StackStatus": "UPDATE_IN_PROGRESS"}
    account.invoke(account.request("Create", DesiredState="OFFLINE"))
    kept = account.lambda_.queue.popleft()
    account.invoke(kept)
    account.cloudformation.stacks[STACK] = {"StackStatus": "UPDATE_ROLLBACK_COMPLETE"}
    account.cloudformation.resources = [held(account)]
    account.clock.sleep(600)
    account.invoke(kept)
    assert account.commands == ["StopServer"]
    assert account.state is State.OFFLINE


def test_what_cannot_be_known_to_be_ours_is_not_taken_back(account: Account) -> None:
    account.emulator.set(stop_s=60)
    account.invoke(account.request("Create", DesiredState="OFFLINE"))
    account.cloudformation.stacks[STACK] = {"StackStatus": "ROLLBACK_IN_PROGRESS"}
    account.cloudformation.denied.add("ListStackResources")
    account.invoke(account.lambda_.queue.popleft())
    assert account.commands == ["StopServer"]


def test_what_a_rollback_itself_brings_in_is_not_taken_back_when_it_is_complete(
    account: Account,
) -> None:
    """It undoes a replacement, so its Update brings the first server in again."""
    account.emulator.set(stop_s=60)
    account.cloudformation.stacks[STACK] = {"StackStatus": "UPDATE_ROLLBACK_IN_PROGRESS"}
    replacement = f"{NO_SERVER}:from-ONLINE"
    account.invoke(
        account.request("Update", DesiredState="OFFLINE", PhysicalResourceId=replacement)
    )
    kept = account.lambda_.queue.popleft()
    account.invoke(kept)
    account.cloudformation.stacks[STACK] = {"StackStatus": "UPDATE_ROLLBACK_COMPLETE"}
    account.cloudformation.resources = [held(account)]
    account.invoke(kept)
    assert account.commands == ["StopServer"]
    assert account.state is State.OFFLINE


def test_an_update_of_the_same_server_never_takes_anything_back(account: Account) -> None:
    """The rollback has an Update of its own for that."""
    account.cloudformation.stacks[STACK] = {"StackStatus": "UPDATE_ROLLBACK_IN_PROGRESS"}
    given = f"{account.server_id}:from-ONLINE"
    answer = account.send("Update", DesiredState="OFFLINE", PhysicalResourceId=given)
    assert answer["Status"] == "SUCCESS"
    assert account.commands == ["StopServer"]


def start_then_leave(account: Account, phase: dict[str, str]) -> dict[str, object]:
    """Begin to wait for a starting server, then let the stack go on."""
    account.state = State.OFFLINE
    account.emulator.set(start_s=1_000)
    account.transfer.start_server(ServerId=account.server_id)
    given = f"{account.server_id}:from-OFFLINE"
    account.cloudformation.stacks[STACK] = {"StackStatus": "UPDATE_IN_PROGRESS"}
    account.invoke(account.request("Update", DesiredState="OFFLINE", PhysicalResourceId=given))
    account.cloudformation.stacks[STACK] = phase
    while account.lambda_.queue:
        account.invoke(account.lambda_.queue.popleft())
    (answer,) = account.store.answers
    return answer


@pytest.mark.parametrize(
    "phase",
    [
        {"StackStatus": "UPDATE_ROLLBACK_IN_PROGRESS"},
        {"StackStatus": "UPDATE_IN_PROGRESS", "LastUpdatedTime": "a later update"},
    ],
)
def test_a_newer_operation_of_the_stack_is_not_undone_by_a_late_command(
    account: Account, phase: dict[str, str]
) -> None:
    answer = start_then_leave(account, phase)
    assert answer["Status"] == "FAILED"
    assert "went on to another operation" in str(answer["Reason"])
    assert account.commands == ["StartServer"]


@pytest.mark.parametrize("phase", [{"StackStatus": "UPDATE_IN_PROGRESS"}, {}])
def test_a_late_command_is_given_while_the_stack_still_waits_or_cannot_be_read(
    account: Account, phase: dict[str, str]
) -> None:
    assert start_then_leave(account, phase)["Status"] == "SUCCESS"
    assert account.commands == ["StartServer", "StopServer"]


def test_a_request_is_as_old_as_the_signature_of_its_url(account: Account) -> None:
    """A retry of Lambda's comes minutes later, and CloudFormation's patience is the same."""
    account.emulator.set(stop_s=100_000)
    sent_s = account.clock.now() - 300
    event = account.request("Create", DesiredState="OFFLINE", ServiceTimeout="600")
    event["ResponseURL"] += "&X-Amz-Date=20231114T222500Z"
    assert account.settle(event)["Status"] == "FAILED"
    assert account.clock.now() - sent_s == pytest.approx(540, abs=2)


@pytest.mark.parametrize("date", ["20231114T212800Z", "20231114T223100Z", "yesterday", ""])
def test_a_date_that_cannot_be_is_no_date(account: Account, date: str) -> None:
    account.emulator.set(stop_s=100_000)
    began_s = account.clock.now()
    event = account.request("Create", DesiredState="OFFLINE", ServiceTimeout="600")
    event["ResponseURL"] += f"&X-Amz-Date={date}"
    assert account.settle(event)["Status"] == "FAILED"
    assert account.clock.now() - began_s == pytest.approx(540, abs=2)


def test_an_answer_that_accepts_nothing_is_no_hand_over(account: Account) -> None:
    account.emulator.set(stop_s=2_000)
    account.lambda_.status = 200
    event = account.request("Create", DesiredState="OFFLINE")
    account.invoke(event)
    (answer,) = account.store.answers
    assert answer["Status"] == "FAILED"
    assert "lambda:InvokeFunction: not accepted" in answer["Reason"]


def test_a_hand_over_that_stays_unavailable_is_told(account: Account) -> None:
    account.emulator.set(stop_s=2_000)
    account.lambda_.failures.extend([client_error("ServiceException", 500, "Invoke")] * 3)
    given = f"{account.server_id}:from-ONLINE"
    answer = account.send("Update", DesiredState="OFFLINE", PhysicalResourceId=given)
    assert answer["Status"] == "FAILED"
    assert "lambda:InvokeFunction: ServiceException" in answer["Reason"]
    assert len(account.lambda_.invocations) == 3


def late(account: Account, request_type: str, stack: dict[str, object]) -> dict[str, object]:
    """Deliver a request five minutes after it was sent."""
    account.cloudformation.stacks[STACK] = stack
    account.state = State.OFFLINE
    given = {"PhysicalResourceId": f"{account.server_id}:from-ONLINE"}
    more = {} if request_type == "Create" else given
    event = account.request(request_type, DesiredState="ONLINE", **more)
    event["ResponseURL"] += "&X-Amz-Date=20231114T222500Z"
    return account.settle(event)


SENT = datetime(2023, 11, 14, 22, 25, tzinfo=UTC)


@pytest.mark.parametrize(
    ("request_type", "stack"),
    [
        ("Create", {"StackStatus": "ROLLBACK_IN_PROGRESS"}),
        ("Create", {"StackStatus": "CREATE_COMPLETE"}),
        ("Update", {"StackStatus": "UPDATE_COMPLETE"}),
        ("Update", {"StackStatus": "UPDATE_ROLLBACK_COMPLETE"}),
        (
            "Update",
            {"StackStatus": "UPDATE_IN_PROGRESS", "LastUpdatedTime": SENT + timedelta(seconds=60)},
        ),
    ],
)
def test_a_request_that_comes_again_when_its_stack_went_on_commands_nothing(
    account: Account, request_type: str, stack: dict[str, object]
) -> None:
    answer = late(account, request_type, stack)
    assert answer["Status"] == "FAILED"
    assert "went on to another operation" in str(answer["Reason"])
    assert account.commands == []


@pytest.mark.parametrize(
    ("request_type", "stack"),
    [
        ("Create", {"StackStatus": "CREATE_IN_PROGRESS"}),
        ("Create", {"StackStatus": "UPDATE_IN_PROGRESS", "LastUpdatedTime": SENT}),
        ("Update", {"StackStatus": "UPDATE_ROLLBACK_IN_PROGRESS", "LastUpdatedTime": SENT}),
        ("Update", {}),
    ],
)
def test_a_request_that_comes_late_is_carried_out_while_its_stack_waits_for_it(
    account: Account, request_type: str, stack: dict[str, object]
) -> None:
    assert late(account, request_type, stack)["Status"] == "SUCCESS"
    assert account.commands == ["StartServer"]


def test_a_continuation_that_comes_late_does_not_command_for_a_stack_that_went_on(
    account: Account,
) -> None:
    account.invoke(account.request("Create", DesiredState="OFFLINE"))
    account.cloudformation.stacks[STACK] = {"StackStatus": "ROLLBACK_COMPLETE"}
    account.clock.sleep(60)
    account.invoke(account.lambda_.queue.popleft())
    assert account.commands == []
    (answer,) = account.store.answers
    assert "went on to another operation" in answer["Reason"]


def test_a_stack_deleted_meanwhile_waits_for_nobody_either(account: Account) -> None:
    account.emulator.set(stop_s=60, start_s=60)
    account.invoke(account.request("Create", DesiredState="OFFLINE"))
    account.cloudformation.stacks[STACK] = {"StackStatus": "DELETE_COMPLETE"}
    account.invoke(account.lambda_.queue.popleft())
    assert account.commands == ["StopServer", "StartServer"]
    assert account.state is State.ONLINE


def test_a_creation_cancelled_before_its_first_look_commands_nothing(account: Account) -> None:
    account.cloudformation.stacks[STACK] = {"StackStatus": "ROLLBACK_IN_PROGRESS"}
    answer = account.send("Create", DesiredState="OFFLINE")
    assert answer["Status"] == "FAILED"
    assert answer["PhysicalResourceId"] == "not-created"
    assert (account.commands, account.lambda_.invocations) == ([], [])


def test_a_deletion_that_its_stack_no_longer_awaits_blocks_nothing(account: Account) -> None:
    account.cloudformation.stacks[STACK] = {"StackStatus": "ROLLBACK_COMPLETE"}
    given = f"{account.server_id}:from-OFFLINE"
    event = account.request("Delete", DesiredState="ONLINE", PhysicalResourceId=given)
    event["ResponseURL"] += "&X-Amz-Date=20231114T222500Z"
    assert account.settle(event)["Status"] == "SUCCESS"
    assert account.commands == []
