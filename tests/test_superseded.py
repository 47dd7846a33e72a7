"""Requests that came too late, or again: they move no server, and say so."""

from dataclasses import replace
from typing import Any

import pytest

from local.emulator import State
from tests.fakes.account import MADE_UP, OTHER_STACK, TABLE, Account, kill
from tests.fakes.errors import client_error
from transfer_server_state.aws.registry import Registry

DAY_S = 24 * 3600


def update(account: Account, desired: str, before: str, **properties: Any) -> dict[str, Any]:
    return account.request(
        "Update",
        DesiredState=desired,
        PhysicalResourceId=f"{account.server_id}:from-ONLINE",
        OldResourceProperties={"ServerId": account.server_id, "DesiredState": before},
        **properties,
    )


def answers_by_id(account: Account) -> dict[str, dict[str, Any]]:
    return {answer["RequestId"]: answer for answer in account.store.answers}


@pytest.mark.parametrize("state", [State.STARTING, State.STOPPING])
def test_a_cancelled_update_stops_within_a_minute_and_commands_nothing(
    account: Account, state: State
) -> None:
    """Whether it waits before its command or after: the server may take long."""
    account.emulator.set(start_s=400, stop_s=400)
    if state is State.STARTING:
        account.state = State.OFFLINE
        account.transfer.start_server(ServerId=account.server_id)
    cancelled = update(account, "OFFLINE", "ONLINE")

    def cancel() -> None:
        account.become("UPDATE_ROLLBACK_IN_PROGRESS")
        # Its first invocation is a short one; others go on later.
        account.timeout_s = 4
        account.invoke(update(account, "ONLINE", "OFFLINE"))

    account.clock.after(100, cancel)
    began_s = account.clock.now()
    account.invoke(cancelled)
    stopped = answers_by_id(account)[cancelled["RequestId"]]
    assert stopped["Status"] == "FAILED"
    assert stopped["Reason"].rpartition(" [")[0] == (
        f"A newer request of demo/State came for {account.server_id}. This one does nothing more."
    )
    assert account.clock.now() - began_s < 100 + 60
    assert len(account.commands) == 1
    account.timeout_s = 900
    account.clock.sleep(400)
    while account.lambda_.queue:
        account.invoke(account.lambda_.queue.popleft())
    assert account.state is State.ONLINE


def test_a_cancelled_creation_commands_nothing_more(account: Account) -> None:
    account.emulator.set(start_s=300)
    account.state = State.OFFLINE
    account.transfer.start_server(ServerId=account.server_id)
    creation = account.request("Create", DesiredState="OFFLINE")

    def cancel() -> None:
        account.become("ROLLBACK_IN_PROGRESS")
        account.send("Delete", DesiredState="OFFLINE", PhysicalResourceId=MADE_UP)

    account.clock.after(100, cancel)
    account.invoke(creation)
    assert answers_by_id(account)[creation["RequestId"]]["Status"] == "FAILED"
    account.clock.sleep(600)
    assert (account.state, account.commands) == (State.ONLINE, ["StartServer"])


@pytest.mark.parametrize("request_type", ["Create", "Update", "Delete"])
def test_an_older_request_that_is_delivered_later_is_superseded(
    account: Account, request_type: str
) -> None:
    """A Delete answers SUCCESS, or it would block its stack."""
    given = {"PhysicalResourceId": f"{account.server_id}:from-ONLINE"}
    older = account.request(
        request_type, DesiredState="OFFLINE", **({} if request_type == "Create" else given)
    )
    account.become("ROLLBACK_IN_PROGRESS")
    account.clock.sleep(5)
    account.settle(update(account, "ONLINE", "OFFLINE"))
    calls = len(account.operations)
    answer = account.settle(older)
    assert answer["Status"] == ("SUCCESS" if request_type == "Delete" else "FAILED")
    assert "This one does nothing more." in answer["Reason"]
    assert len(account.operations) == calls


@pytest.mark.parametrize("number", range(1, 5))
def test_none_of_the_last_requests_claims_again(account: Account, number: int) -> None:
    """Even where all came in the same second."""
    states = ["OFFLINE", "ONLINE"] * 3
    requests = [update(account, state, "") for state in states]
    for request in requests:
        account.settle(request)
        account.clock.now_s = 1_700_001_000.0
    account.clock.sleep(60)
    commands = account.commands
    assert account.settle(requests[-number - 1])["Status"] == "FAILED"
    assert account.commands == commands


def test_of_two_updates_of_one_second_the_later_delivered_holds(account: Account) -> None:
    account.settle(update(account, "OFFLINE", ""))
    account.clock.now_s = 1_700_001_000.0
    assert account.settle(update(account, "ONLINE", ""))["Status"] == "SUCCESS"
    assert account.state is State.ONLINE


@pytest.mark.parametrize("late_s", [3_601, 3_700, DAY_S, 13 * DAY_S])
@pytest.mark.parametrize("request_type", ["Create", "Update", "Delete"])
def test_an_expired_event_calls_nobody(account: Account, request_type: str, late_s: int) -> None:
    given = {"PhysicalResourceId": f"{account.server_id}:from-OFFLINE"}
    more = {} if request_type == "Create" else given
    account.become("ROLLBACK_IN_PROGRESS")
    event = account.request(request_type, DesiredState="OFFLINE", OnDelete="RESTORE", **more)
    account.clock.sleep(late_s)
    answer = account.settle(event)
    assert answer["Status"] == ("SUCCESS" if request_type == "Delete" else "FAILED")
    assert answer["Reason"].startswith(
        f"The request for {account.server_id} came {late_s} s after it was sent, too late. "
        "This delivery did nothing."
    )
    assert account.border.calls == []


@pytest.mark.parametrize(("late_s", "expired"), [(60, False), (61, True)])
def test_an_event_expires_with_its_service_timeout(
    account: Account, late_s: int, *, expired: bool
) -> None:
    event = account.request("Create", DesiredState="OFFLINE", ServiceTimeout="60")
    account.clock.sleep(late_s)
    answer = account.settle(event)
    assert ("too late" in answer["Reason"]) is expired
    assert answer["Status"] == "FAILED"
    assert account.commands == []


def test_a_late_event_has_what_is_left_of_its_time(account: Account) -> None:
    """A retry of Lambda's comes minutes later, and CloudFormation's patience is the same."""
    account.emulator.set(stop_s=100_000)
    sent_s = account.clock.now()
    event = account.request("Create", DesiredState="OFFLINE", ServiceTimeout="600")
    account.clock.sleep(300)
    assert account.settle(event)["Status"] == "FAILED"
    assert account.clock.now() - sent_s == pytest.approx(540, abs=2)


@pytest.mark.parametrize("date", ["20991231T000000Z", "yesterday", ""])
def test_a_date_that_cannot_be_counts_from_the_first_delivery(account: Account, date: str) -> None:
    """Also in a later invocation, which cannot know by itself when that was."""
    account.emulator.set(stop_s=100_000)
    account.timeout_s = 200
    began_s = account.clock.now()
    event = account.request("Create", DesiredState="OFFLINE", ServiceTimeout="600")
    event["ResponseURL"] = f"https://response.example.com/?X-Amz-Date={date}"
    assert account.settle(event)["Status"] == "FAILED"
    assert account.clock.now() - began_s == pytest.approx(540, abs=2)
    assert account.lambda_.invocations


@pytest.mark.parametrize("state", ["OFFLINE", "ONLINE"])
@pytest.mark.parametrize("request_type", ["Create", "Update", "Delete"])
def test_a_repeated_delivery_gets_the_same_answer_and_calls_nobody(
    account: Account, request_type: str, state: str
) -> None:
    given = {"PhysicalResourceId": f"{account.server_id}:from-OFFLINE"}
    more = {} if request_type == "Create" else given
    event = account.request(request_type, DesiredState=state, OnDelete="RESTORE", **more)
    account.settle(event)
    calls = len(account.border.calls)
    account.state = State.START_FAILED
    account.clock.sleep(300)
    account.settle(event)
    first, second = account.store.puts
    assert first == second
    assert account.border.calls[calls:] == ["GetItem"]


def test_an_answer_that_did_not_arrive_is_given_again_without_a_second_command(
    account: Account,
) -> None:
    event = account.request("Create", DesiredState="OFFLINE")
    account.store.statuses.extend([503] * 5)
    with pytest.raises(Exception, match="did not take the answer: HTTP 503"):
        account.invoke(event)
    account.settle(event)
    assert len({body for _, body in account.store.puts}) == 1
    assert account.commands == ["StopServer"]


@pytest.mark.parametrize("timeout_s", [900, 8])
def test_an_update_that_comes_late_decides_alike_however_long_an_invocation_is(
    account: Account, timeout_s: float
) -> None:
    """Eleven seconds late, its stack at rest, the server STARTING: it is the newest still."""
    account.emulator.set(start_s=30)
    account.state = State.OFFLINE
    account.become("UPDATE_COMPLETE")
    event = update(account, "OFFLINE", "ONLINE")
    account.clock.sleep(11)
    account.transfer.start_server(ServerId=account.server_id)
    account.timeout_s = timeout_s
    assert account.settle(event)["Status"] == "SUCCESS"
    assert account.commands == ["StartServer", "StopServer"]
    assert bool(account.lambda_.invocations) is (timeout_s < 30)


def test_what_was_killed_is_carried_on_by_the_next_delivery(account: Account) -> None:
    account.emulator.set(stop_s=60)
    event = account.request("Create", DesiredState="OFFLINE")
    account.border.after("StopServer", kill)
    account.die(event)
    account.clock.sleep(60)
    answer = account.settle(event)
    assert answer["PhysicalResourceId"] == f"{account.server_id}:from-ONLINE"
    assert answer["Data"]["PreviousState"] == "ONLINE"
    assert account.commands == ["StopServer"]


def test_what_it_saw_itself_is_not_forgotten_for_a_write_of_another_delivery(
    account: Account,
) -> None:
    account.emulator.set(stop_s=20)
    account.clock.after(10, lambda: Registry(account.aws, TABLE).write(account.row))
    assert account.send("Create", DesiredState="OFFLINE")["Status"] == "SUCCESS"
    assert account.commands == ["StopServer"]
    assert account.row.progress.looks == account.operations.count("DescribeServer")


def test_a_superseded_request_notices_within_a_minute_while_it_is_throttled(
    account: Account,
) -> None:
    """However long its pauses have become by then: they are drawn, so many are."""
    account.emulator.set(stop_s=10_000, start_s=10_000)
    throttled = client_error("Throttling", 400, "DescribeServer")
    registry = Registry(account.aws, TABLE)
    for number in range(40):
        account.clock.now_s += 30_000
        account.border.broken.clear()
        account.state = State.ONLINE
        account.clock.after(2, lambda: account.border.broken.update(DescribeServer=throttled))
        superseded_at_s: list[float] = []

        def supersede(told: list[float] = superseded_at_s) -> None:
            row = account.row
            registry.write(replace(row, request="newer", sent_at=account.clock.now()))
            told.append(account.clock.now())

        account.clock.after(300 + number, supersede)
        assert "A newer request" in account.settle(update(account, "OFFLINE", ""))["Reason"]
        assert account.clock.now() - superseded_at_s[0] <= 60


def test_who_is_throttled_throughout_looks_less_than_twice_a_minute(account: Account) -> None:
    account.emulator.set(stop_s=10_000)
    throttled = client_error("Throttling", 400, "DescribeServer")
    account.clock.after(2, lambda: account.border.broken.update(DescribeServer=throttled))
    event = account.request("Create", DesiredState="OFFLINE", ServiceTimeout="600")
    answer = account.settle(event)
    assert answer["Status"] == "FAILED"
    assert "was last seen STOPPING, wanted OFFLINE, after StopServer, 540 s" in answer["Reason"]
    assert 600 / 70 < account.border.calls.count("DescribeServer") < 540 / 30


def test_however_far_apart_its_looks_the_last_is_at_the_deadline(account: Account) -> None:
    account.emulator.set(stop_s=500)
    sent_at_s = account.clock.now()
    throttled = client_error("Throttling", 400, "DescribeServer")
    event = account.request("Create", DesiredState="OFFLINE", ServiceTimeout="600")
    account.clock.after(2, lambda: account.border.broken.update(DescribeServer=throttled))
    account.clock.after(535, account.border.broken.clear)
    assert account.settle(event)["Status"] == "SUCCESS"
    # A minute is left for the answer.
    assert account.border.calls[-2:] == ["DescribeServer", "PutItem"]
    assert account.clock.now() - sent_at_s == pytest.approx(540)


def test_an_answer_of_another_version_of_the_provider_is_repeated(account: Account) -> None:
    """What it wrote down besides is left out."""
    event = account.request("Create", DesiredState="OFFLINE")
    answer = account.settle(event)
    row = account.row
    Registry(account.aws, TABLE).write(replace(row, answer={**(row.answer or {}), "novel": 1}))
    assert account.settle(event) == answer


def lose_after(account: Account, delay_s: float) -> None:
    """Let a rival's request have the row then, while the stacks may not be asked any more."""

    def take() -> None:
        rival = replace(account.row.owner, stack_id=OTHER_STACK)
        newer = replace(account.row, owner=rival, request="newer", sent_at=account.clock.now())
        Registry(account.aws, TABLE).write(newer)
        denied = client_error("AccessDenied", 403, "DescribeStacks")
        account.border.broken["DescribeStacks"] = denied

    account.clock.after(delay_s, take)


def test_who_lost_its_row_and_may_not_ask_whose_it_is_tells_what_it_saw_itself(
    account: Account,
) -> None:
    account.emulator.set(stop_s=10_000)
    lose_after(account, 20)
    reason = account.settle(update(account, "OFFLINE", ""))["Reason"]
    assert f"{account.server_id} was last seen STOPPING, wanted OFFLINE, after StopServer" in reason
    assert "denied: cloudformation:DescribeStacks" in reason


def test_who_lost_its_row_at_the_deadline_and_may_not_ask_tells_so_too(account: Account) -> None:
    account.emulator.set(stop_s=10_000)
    lose_after(account, 88)
    reason = account.settle(update(account, "OFFLINE", "", ServiceTimeout=120))["Reason"]
    seen = f"{account.server_id} is STOPPING, wanted OFFLINE, after StopServer, 90 s."
    assert f"{seen} Once it has settled, deploy again" in reason
