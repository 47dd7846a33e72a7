"""A request that outlives its invocation: the next one goes on from what the registry knows."""

import json
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from tests.fakes.account import FUNCTION, OTHER_STACK, TABLE, Account
from tests.fakes.errors import client_error


def update(account: Account, **more: Any) -> dict[str, Any]:
    given = f"{account.server_id}:from-ONLINE"
    return account.request("Update", DesiredState="OFFLINE", PhysicalResourceId=given, **more)


def continued(account: Account, event: dict[str, Any]) -> dict[str, Any]:
    """Invoke the function once, for a few seconds, and return the event that it passed on."""
    account.timeout_s = 8
    account.emulator.set(stop_s=60)
    account.invoke(event)
    account.timeout_s = 900
    return account.lambda_.queue.popleft()


def test_near_the_end_of_an_invocation_another_carries_on(account: Account) -> None:
    account.emulator.set(stop_s=300)
    account.timeout_s = 160
    event = update(account)
    answer = account.settle(event)
    assert answer["Status"] == "SUCCESS"
    assert answer["PhysicalResourceId"] == event["PhysicalResourceId"]
    assert answer["Data"]["PreviousState"] == "ONLINE"
    assert account.commands == ["StopServer"]
    assert [i["InvocationType"] for i in account.lambda_.invocations] == ["Event", "Event"]
    assert {i["FunctionName"] for i in account.lambda_.invocations} == {FUNCTION}


@pytest.mark.parametrize("qualifier", ["live", "7"])
def test_an_alias_or_a_version_goes_on_as_itself(account: Account, qualifier: str) -> None:
    account.function = f"{FUNCTION}:{qualifier}"
    continued(account, update(account))
    (invocation,) = account.lambda_.invocations
    assert invocation["FunctionName"] == f"{FUNCTION}:{qualifier}"


def test_what_is_passed_on_is_the_event_as_it_came(account: Account) -> None:
    event = update(account, Triggers=["ü" * 1_000, "☃", "\N{PILE OF POO}"], ServiceTimeout=600)
    assert continued(account, event) == event


def test_what_is_passed_on_is_not_longer_than_what_came(account: Account) -> None:
    """Lambda limits its bytes, and CloudFormation may have used them all."""
    event = update(account, Triggers=["ü☃\N{PILE OF POO}" * 1_000])
    came = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
    continued(account, event)
    (invocation,) = account.lambda_.invocations
    assert len(invocation["Payload"]) <= len(came)


def test_a_request_that_goes_on_gives_no_second_command_and_counts_on(account: Account) -> None:
    event = continued(account, account.request("Create", DesiredState="OFFLINE"))
    looks = account.row.progress.looks
    answer = account.settle(event)
    assert answer["PhysicalResourceId"] == f"{account.server_id}:from-ONLINE"
    assert account.commands == ["StopServer"]
    assert account.row.progress.looks > looks > 1


def test_what_another_version_of_the_provider_wrote_besides_is_left_out(account: Account) -> None:
    """An upgrade, or its rollback, may come between two invocations; what was found is kept."""
    event = continued(account, account.request("Create", DesiredState="OFFLINE"))
    key = {"ServerId": {"S": account.server_id}}
    item = account.dynamodb.get_item(TableName=TABLE, Key=key, ConsistentRead=True)["Item"]
    progress = json.loads(item["Progress"]["S"]) | {"novel": [1]}
    account.dynamodb.put_item(
        TableName=TABLE, Item=item | {"Progress": {"S": json.dumps(progress)}, "New": {"S": "x"}}
    )
    answer = account.settle(event)
    assert answer["PhysicalResourceId"] == f"{account.server_id}:from-ONLINE"
    assert account.commands == ["StopServer"]


@pytest.mark.parametrize("timeout", ["300", 600])
def test_the_deadline_holds_across_invocations(account: Account, timeout: object) -> None:
    account.emulator.set(stop_s=100_000)
    account.timeout_s = 120
    began_s = account.clock.now()
    answer = account.send("Create", DesiredState="OFFLINE", ServiceTimeout=timeout)
    assert answer["Status"] == "FAILED"
    assert account.clock.now() - began_s == pytest.approx(int(str(timeout)) - 60, abs=1)
    assert account.commands == ["StopServer"]


@pytest.mark.parametrize(("timeout_s", "kept_s"), [(300, 75), (100, 25), (8, 2)])
def test_no_invocation_is_used_up(account: Account, timeout_s: float, kept_s: float) -> None:
    """Some of its time is kept to pass on what is not done."""
    account.timeout_s = timeout_s
    account.emulator.set(stop_s=timeout_s * 1.5)
    account.lambda_.queue.append(account.request("Create", DesiredState="OFFLINE"))
    while account.lambda_.queue:
        began_s = account.clock.now()
        account.invoke(account.lambda_.queue.popleft())
        assert account.clock.now() - began_s <= timeout_s - kept_s
    assert account.store.answers[0]["Status"] == "SUCCESS"


@pytest.mark.parametrize("code", ["ThrottlingException", "ConditionalCheckFailedException"])
def test_a_request_goes_on_where_the_registry_does_not_take_what_was_seen(
    account: Account, code: str
) -> None:
    """What was written with the command is enough."""
    account.emulator.set(stop_s=60)
    away = client_error(code, 400, "PutItem")
    account.clock.after(3, lambda: account.border.broken.update(PutItem=away))
    event = continued(account, update(account))
    account.border.broken.clear()
    assert account.settle(event)["Status"] == "SUCCESS"
    assert account.commands == ["StopServer"]


def test_who_does_not_have_the_row_yet_writes_nothing_as_it_goes_on(account: Account) -> None:
    account.send("Create", DesiredState="OFFLINE")
    row = account.row
    account.new_stack(OTHER_STACK, status="CREATE_IN_PROGRESS")
    throttled = client_error("ThrottlingException", 400, "DescribeStackResource")
    account.border.broken["DescribeStackResource"] = throttled
    account.border.broken["DescribeStacks"] = throttled
    continued(account, account.request("Create", DesiredState="ONLINE", StackId=OTHER_STACK))
    assert account.row == row


UNWILLING = pytest.mark.parametrize(
    ("code", "status"),
    [
        ("TooManyRequestsException", 429),
        ("ServiceException", 500),
        ("AccessDeniedException", 403),
        ("ResourceConflictException", 409),
    ],
)


@UNWILLING
def test_an_invocation_that_is_refused_for_half_a_minute_is_tried_again(
    account: Account, code: str, status: int
) -> None:
    """So long the time lasts that is kept for it: throttling, an update of the function."""
    account.border.before("Invoke", *[client_error(code, status, "Invoke")] * 5)
    account.emulator.set(stop_s=900)
    began_s = account.clock.now()
    account.invoke(event := update(account))
    assert account.clock.now() - began_s == pytest.approx(900 - 75 + 31, abs=2)
    assert account.settle(account.lambda_.queue.popleft())["Status"] == "SUCCESS"
    assert event == json.loads(account.lambda_.invocations[-1]["Payload"])
    assert account.border.calls.count("Invoke") == 6


@UNWILLING
def test_a_request_that_cannot_go_on_says_so(account: Account, code: str, status: int) -> None:
    account.border.broken["Invoke"] = client_error(code, status, "Invoke")
    reason = given_up(account)
    assert f"{account.server_id} was last seen STOPPING, wanted OFFLINE, after Stop" in reason
    assert f"lambda:InvokeFunction: {code}" in reason


def test_there_is_time_to_say_that_a_request_cannot_go_on(account: Account) -> None:
    """Each try takes as long as a call can, or crhelper's timer would answer instead."""
    account.timeout_s = 900
    account.emulator.set(stop_s=10_000)
    silent = ReadTimeoutError(endpoint_url="https://aws")

    def take_15_s() -> None:
        account.clock.sleep(15)
        raise silent

    account.border.before("Invoke", *[take_15_s] * 10)
    began_s = account.clock.now()
    account.invoke(update(account))
    assert account.clock.now() - began_s <= 900 - 10
    assert "could not invoke itself" in account.store.answers[0]["Reason"]
    assert account.border.calls.count("Invoke") == 3


def test_what_no_utf_8_can_hold_is_passed_on_as_it_came(account: Account) -> None:
    """Half of a surrogate pair: JSON can say it, an encoder cannot."""
    event = update(account, Triggers=["\ud83d", "ü"])
    assert continued(account, event) == event
    assert account.settle(event)["Status"] == "SUCCESS"


def test_an_invocation_that_is_not_accepted_is_none(account: Account) -> None:
    account.lambda_.status = 200
    assert "lambda:InvokeFunction: not accepted" in given_up(account)


def given_up(account: Account) -> str:
    """Let a request come to the end of its invocation; return why it could not go on."""
    account.emulator.set(stop_s=60)
    account.timeout_s = 8
    account.invoke(update(account))
    (answer,) = account.store.answers
    assert answer["Status"] == "FAILED"
    assert "could not invoke itself. Mend that, then deploy again. [" in answer["Reason"]
    return str(answer["Reason"])
