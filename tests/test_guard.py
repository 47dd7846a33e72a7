"""What was declared stays so: what the guard tells, brings back, completes, and leaves alone."""

import json
import logging
from typing import Any

import pytest

from handler.guard import GuardError
from local.emulator import State
from tests.fakes.account import MADE_UP, SCHEDULED, STACK, TABLE, Account, kill
from tests.fakes.errors import client_error
from tests.test_contracts import actions
from transfer_server_state import __version__

MINUTES = 5 * 60


def declared(account: Account, **properties: Any) -> dict[str, Any]:
    """Declare the server OFFLINE, in a stack that is then at rest; return what a Delete has."""
    resource = {"DesiredState": "OFFLINE", "OnDrift": "REASSERT", **properties}
    answer = account.send("Create", **resource)
    assert answer["Status"] == "SUCCESS"
    account.become("CREATE_COMPLETE")
    account.clock.sleep(3_600)
    return {**resource, "PhysicalResourceId": answer["PhysicalResourceId"]}


def start(account: Account) -> None:
    """Let a person start the server, and the server be there."""
    account.transfer.start_server(ServerId=account.server_id)
    account.clock.sleep(60)
    assert account.state is State.ONLINE


def passes(account: Account, number: int) -> None:
    for _ in range(number):
        account.guard()
        account.clock.sleep(MINUTES)


def updated(account: Account) -> dict[str, Any]:
    """What CloudFormation tells of an update of the server's own resource."""
    return {
        "source": "aws.cloudformation",
        "detail-type": "CloudFormation Resource Status Change",
        "resources": [STACK],
        "detail": {
            "stack-id": STACK,
            "logical-resource-id": "Server",
            "physical-resource-id": f"arn:aws:transfer:eu-west-1:1:server/{account.server_id}",
            "resource-type": "AWS::Transfer::Server",
            "status-details": {"status": "UPDATE_COMPLETE", "status-reason": ""},
        },
    }


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [json.loads(text) for text in caplog.messages if text.startswith("{")]


def test_every_line_of_the_guard_s_log_names_version_and_invocation(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    declared(account)
    start(account)
    caplog.clear()
    passes(account, 2)
    denied = client_error("AccessDeniedException", 400, "DescribeStackResource")
    account.border.broken["DescribeStackResource"] = denied
    start(account)
    with pytest.raises(GuardError):
        account.guard()
    told = lines(caplog)
    assert {"finding", "command", "_aws", "problem"} <= {name for line in told for name in line}
    assert len(told) == len(caplog.messages)
    for line in told:
        assert (line["version"], line["invocation"]) == (__version__, "lambda-request")


def test_the_log_has_each_finding_whatever_level_lambda_was_set_to(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    declared(account)
    start(account)
    logging.getLogger("handler").setLevel(logging.WARNING)
    account.guard()
    assert findings(caplog) == ["drifted"]


def findings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [line["finding"] for line in lines(caplog) if "finding" in line]


def test_a_pass_that_finds_all_as_declared_takes_two_calls_and_changes_nothing(
    account: Account,
) -> None:
    declared(account)
    row, calls = account.row, len(account.border.calls)
    account.guard()
    assert account.border.calls[calls:] == ["Scan", "ListServers"]
    assert (account.row, account.bus.events) == (row, [])


def test_a_server_that_a_person_started_is_stopped_once_it_was_seen_in_two_passes(
    account: Account,
) -> None:
    declared(account)
    start(account)
    account.guard()
    assert account.commands == ["StopServer", "StartServer"]
    account.clock.sleep(MINUTES)
    account.guard()
    assert account.commands == ["StopServer", "StartServer", "StopServer"]
    account.clock.sleep(60)
    assert account.state is State.OFFLINE


def test_a_drift_is_told_once_when_it_begins_and_once_when_it_ends(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    declared(account, OnDrift="REPORT")
    start(account)
    caplog.clear()
    passes(account, 3)
    account.transfer.stop_server(ServerId=account.server_id)
    account.clock.sleep(60)
    passes(account, 3)
    assert account.bus.told == ["Server Drifted", "Server As Declared"]
    assert findings(caplog) == ["drifted", "as declared"]
    begun, ended = account.bus.events
    assert begun["Source"] == "transfer-server-state"
    since = begun["Detail"].pop("since")
    assert begun["Detail"] == {
        "finding": "drifted",
        "server": account.server_id,
        "declared": "OFFLINE",
        "actual": "ONLINE",
        "stack": STACK,
        "resource": "State",
        "owed": False,
        "reasserts": False,
    }
    assert (ended["Detail"]["since"], ended["Detail"]["actual"]) == (since, "OFFLINE")
    assert account.commands == ["StopServer", "StartServer", "StopServer"]
    assert account.row.drift is None


@pytest.mark.parametrize("on_drift", ["REPORT", None])
def test_who_does_not_ask_for_it_is_told_and_no_more(
    account: Account, on_drift: str | None
) -> None:
    given = {} if on_drift is None else {"OnDrift": on_drift}
    resource = {"DesiredState": "OFFLINE", **given}
    account.send("Create", **resource)
    account.become("CREATE_COMPLETE")
    account.clock.sleep(60)
    start(account)
    passes(account, 4)
    account.guard(updated(account))
    assert account.commands == ["StopServer", "StartServer"]
    assert account.bus.told == ["Server Drifted"]


def test_after_an_update_of_aws_s_own_the_state_is_asserted_at_once(account: Account) -> None:
    declared(account)
    start(account)
    now_s = account.clock.now()
    account.guard(updated(account))
    assert account.commands[-1] == "StopServer"
    assert account.clock.now() == now_s
    account.clock.sleep(60)
    assert account.state is State.OFFLINE
    account.guard()
    assert account.bus.told == ["Server Drifted", "Server As Declared"]


@pytest.mark.parametrize("shown", [State.STARTING, State.OFFLINE])
def test_the_event_s_look_may_be_older_than_what_the_event_tells_of(
    account: Account, shown: State
) -> None:
    """So it looks again, when every read shows it."""
    declared(account)
    account.state = shown
    account.clock.after(10, lambda: setattr(account, "state", State.ONLINE))
    account.guard(updated(account))
    assert account.commands == ["StopServer", "StopServer"]


def test_an_event_of_a_server_that_nobody_declares_costs_one_read(account: Account) -> None:
    account.guard(updated(account))
    assert account.border.calls == ["GetItem"]


def test_an_event_of_a_person_s_command_is_looked_at_and_not_fought_at_once(
    account: Account,
) -> None:
    declared(account)
    start(account)
    event = {
        "source": "aws.transfer",
        "detail": {
            "eventName": "StartServer",
            "requestParameters": {"serverId": account.server_id},
        },
    }
    account.guard(event)
    assert account.bus.told == ["Server Drifted"]
    assert account.commands == ["StopServer", "StartServer"]
    account.guard(event)
    assert account.commands[-1] == "StopServer"
    assert "ListServers" not in account.border.calls


@pytest.mark.parametrize("state", [State.STARTING, State.STOPPING])
def test_a_server_that_is_on_its_way_is_left_alone(account: Account, state: State) -> None:
    declared(account)
    account.state = state
    account.emulator.set(start_s=10_000, stop_s=10_000)
    passes(account, 4)
    assert account.commands == ["StopServer"]
    assert account.bus.events == []


def test_every_update_of_the_server_is_a_reason_to_try_again(account: Account) -> None:
    """Also where no scheduled pass sees it as declared in between."""
    declared(account)
    for _ in range(6):
        start(account)
        account.guard(updated(account))
        assert account.commands[-1] == "StopServer"
        account.clock.sleep(60)


def test_two_passes_at_once_are_no_two_passes(account: Account) -> None:
    """A duplicate delivery, or Lambda's next try a minute later."""
    declared(account)
    start(account)
    repeated = SCHEDULED | {"id": "one"}
    account.guard(repeated)
    account.guard(repeated)
    account.clock.sleep(60)
    account.guard(repeated)
    assert account.commands == ["StopServer", "StartServer"]
    account.emulator.set(stop_failures=2)
    for _ in range(3):
        account.guard(SCHEDULED | {"id": "two"})
        account.clock.sleep(60)
    assert account.commands == ["StopServer", "StartServer", "StopServer"]


def test_a_denied_command_does_not_count(account: Account) -> None:
    """It works once the permission is mended."""
    declared(account)
    start(account)
    denied = client_error("AccessDeniedException", 400, "StopServer")
    account.border.broken["StopServer"] = denied
    account.guard()
    for _ in range(5):
        account.clock.sleep(MINUTES)
        with pytest.raises(GuardError, match="AccessDenied"):
            account.guard()
    account.border.broken.clear()
    account.guard()
    assert account.commands[-1] == "StopServer"


def test_a_throttled_command_is_not_given_again_before_the_row_was_looked_at(
    account: Account,
) -> None:
    resource = declared(account)
    start(account)
    account.guard()
    account.clock.sleep(MINUTES)
    throttled = client_error("ThrottlingException", 400, "StopServer")
    account.border.before("StopServer", throttled)
    with pytest.raises(GuardError):
        account.guard()
    account.become("DELETE_IN_PROGRESS")
    assert account.send("Delete", **resource)["Status"] == "SUCCESS"
    passes(account, 3)
    assert account.commands == ["StopServer", "StartServer"]


@pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED"])
def test_a_resource_that_is_gone_is_not_enforced_while_its_stack_is_at_work(
    account: Account, caplog: pytest.LogCaptureFixture, status: str
) -> None:
    declared(account)
    account.stack.resources.clear()
    account.become(status)
    start(account)
    caplog.clear()
    passes(account, 4)
    assert findings(caplog) == ["ownerless"]
    assert account.commands == ["StopServer", "StartServer"]


def test_a_server_that_is_newer_than_the_list_is_no_drift(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared(account)
    nobody = {"Servers": list[Any]()}
    monkeypatch.setattr(account.transfer, "list_servers", lambda **_: nobody, raising=False)
    account.guard()
    assert account.row.drift is None
    assert account.bus.events == []


def test_one_row_that_is_not_understood_stops_no_other(account: Account) -> None:
    declared(account)
    start(account)
    bad = {"ServerId": {"S": "s-bad"}, "Version": {"N": "1"}, "Desired": {"S": "ASLEEP"}}
    account.dynamodb.put_item(TableName=TABLE, Item=bad)
    for _ in range(2):
        with pytest.raises(GuardError, match="s-bad: its row in the registry is not understood"):
            account.guard()
        account.clock.sleep(MINUTES)
    assert account.commands[-1] == "StopServer"


def test_a_pass_goes_on_while_a_minute_is_left_and_then_says_for_how_many_none_was(
    account: Account,
) -> None:
    declared(account)
    for name in ("Second", "Third"):
        other = {"ServerId": account.new_server(), "LogicalResourceId": name}
        account.send("Create", DesiredState="OFFLINE", **other)
    account.become("CREATE_COMPLETE")
    account.clock.sleep(60)
    for server_id in account.emulator.states():
        account.transfer.start_server(ServerId=server_id)
    account.clock.sleep(60)
    account.border.after("ListServers", lambda: account.clock.sleep(240))
    account.border.after("PutEvents", lambda: account.clock.sleep(1))
    with pytest.raises(GuardError, match="no time was left, nor for 1 more"):
        account.guard()
    assert account.bus.told == ["Server Drifted"]


def test_three_commands_that_fail_in_a_row_are_enough(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    declared(account)
    start(account)
    account.emulator.set(stop_failures=100)
    caplog.clear()
    passes(account, 10)
    assert account.commands == ["StopServer", "StartServer", *["StopServer"] * 3]
    assert findings(caplog) == ["drifted", "given up"]
    # It starts anew once the server was seen as declared, or it is declared anew.
    account.state = State.OFFLINE
    passes(account, 1)
    start(account)
    passes(account, 10)
    assert account.commands.count("StopServer") == 1 + 3 + 3
    given = f"{account.server_id}:from-ONLINE"
    resource = {"DesiredState": "OFFLINE", "OnDrift": "REASSERT", "PhysicalResourceId": given}
    account.emulator.set(stop_failures=0)
    assert account.send("Update", **resource)["Status"] == "SUCCESS"
    account.clock.sleep(60)
    start(account)
    passes(account, 2)
    assert account.commands[-1] == "StopServer"
    assert account.bus.told.count("Server Drifted") == 2


@pytest.mark.parametrize("how", ["no stack", "not listed"])
def test_what_cloudformation_does_not_know_any_more_is_told_once_and_not_enforced(
    account: Account, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    """DeletionPolicy: Retain, or a lost Delete."""
    declared(account)
    if how == "no stack":
        del account.cloudformation.stacks[STACK]
    else:
        account.stack.resources.clear()
    start(account)
    caplog.clear()
    passes(account, 4)
    account.guard(updated(account))
    assert account.commands == ["StopServer", "StartServer"]
    assert findings(caplog) == ["ownerless"]


def test_a_server_that_is_gone_is_told_once_and_its_row_ends_with_its_owner_s_deletion(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    resource = declared(account)
    account.transfer.delete_server(ServerId=account.server_id)
    caplog.clear()
    passes(account, 3)
    account.guard(updated(account))
    assert findings(caplog) == ["drifted"]
    assert account.bus.events[0]["Detail"]["actual"] is None
    assert account.row.desired == "OFFLINE"
    account.become("DELETE_IN_PROGRESS")
    assert account.send("Delete", **resource)["Status"] == "SUCCESS"
    assert account.row.released


# Owed restorations


@pytest.mark.parametrize("on_drift", ["REPORT", "REASSERT"])
def test_a_restoration_that_failed_is_completed(
    account: Account, caplog: pytest.LogCaptureFixture, on_drift: str
) -> None:
    resource = declared(account, OnDelete="RESTORE", OnDrift=on_drift)
    account.emulator.set(start_failures=1)
    account.become("DELETE_IN_PROGRESS")
    assert account.send("Delete", **resource)["Status"] == "FAILED"
    account.become("DELETE_FAILED")
    account.clock.sleep(MINUTES)
    caplog.clear()
    passes(account, 3)
    assert account.state is State.ONLINE
    assert account.row.released
    assert findings(caplog) == ["drifted", "as declared"]
    assert account.bus.events[0]["Detail"]["owed"] is True
    account.become("DELETE_IN_PROGRESS")
    assert account.send("Delete", **resource)["Status"] == "SUCCESS"
    assert account.commands.count("StartServer") == 2


def test_a_restoration_whose_deletion_died_is_completed_when_its_time_is_over(
    account: Account,
) -> None:
    resource = declared(account, OnDelete="RESTORE")
    account.become("DELETE_IN_PROGRESS")
    account.border.before("StartServer", kill)
    account.die(account.request("Delete", **resource))
    passes(account, 5)
    assert account.commands == ["StopServer"]
    account.clock.sleep(3_600)
    del account.cloudformation.stacks[STACK]
    passes(account, 3)
    assert account.state is State.ONLINE
    assert account.row.released


def test_a_restoration_that_came_about_by_itself_is_told(account: Account) -> None:
    resource = declared(account, OnDelete="RESTORE")
    account.emulator.set(start_failures=1)
    account.become("DELETE_IN_PROGRESS")
    assert account.send("Delete", **resource)["Status"] == "FAILED"
    start(account)
    passes(account, 1)
    assert account.bus.told == ["Server As Declared"]
    assert account.row.released


def test_a_creation_that_died_and_whose_deletion_was_lost_is_undone(account: Account) -> None:
    account.border.after("StopServer", kill)
    account.die(account.request("Create", DesiredState="OFFLINE"))
    account.become("ROLLBACK_COMPLETE")
    passes(account, 3)
    assert account.commands == ["StopServer"]
    account.clock.sleep(3_600)
    passes(account, 4)
    assert account.commands == ["StopServer", "StartServer"]
    assert account.state is State.ONLINE
    assert account.row.released


def test_a_creation_that_comes_again_after_it_was_undone_does_nothing(account: Account) -> None:
    """Its URL has no date, so nobody can tell how late it is."""
    event = account.request("Create", DesiredState="OFFLINE")
    event["ResponseURL"] = "https://response.example.com/undated"
    account.border.after("StopServer", kill)
    account.die(event)
    account.become("ROLLBACK_COMPLETE")
    account.clock.sleep(4_000)
    passes(account, 4)
    assert (account.state, account.row.released) == (State.ONLINE, True)
    assert "A newer request" in account.settle(event)["Reason"]
    assert account.state is State.ONLINE


def test_a_creation_that_failed_and_was_kept_is_left_to_who_kept_it(account: Account) -> None:
    """With rollback disabled, the resource is there still."""
    account.emulator.set(stop_failures=1)
    assert account.send("Create", DesiredState="OFFLINE")["Status"] == "FAILED"
    account.stack.resources["State"] = MADE_UP
    account.become("CREATE_FAILED")
    account.clock.sleep(4_000)
    passes(account, 4)
    assert account.commands == ["StopServer"]
    assert account.row.restoring is None


# What it does not touch


def test_a_server_that_a_request_is_at_work_on_is_left_to_it(account: Account) -> None:
    account.emulator.set(stop_s=100, start_s=100)
    for at_s in range(0, 400, 20):
        account.clock.after(at_s, account.guard)
    answer = account.send("Create", DesiredState="OFFLINE", OnDrift="REASSERT")
    assert answer["Status"] == "SUCCESS"
    assert account.commands == ["StopServer"]
    assert account.bus.events == []


def test_what_an_update_declared_in_vain_is_not_enforced(account: Account) -> None:
    """The rollback that follows is right, or a person."""
    resource = declared(account)
    account.emulator.set(start_failures=1)
    account.become("UPDATE_IN_PROGRESS")
    update = account.send("Update", **resource | {"DesiredState": "ONLINE"})
    assert update["Status"] == "FAILED"
    passes(account, 4)
    assert account.commands == ["StopServer", "StartServer"]
    assert account.bus.events == []


def test_who_creates_and_fails_is_not_enforced(account: Account) -> None:
    account.emulator.set(stop_failures=1)
    answer = account.send("Create", DesiredState="OFFLINE", OnDrift="REASSERT")
    assert answer["Status"] == "FAILED"
    account.stack.resources["State"] = str(answer["PhysicalResourceId"])
    passes(account, 4)
    assert account.commands == ["StopServer"]


def test_what_was_released_is_nobody_s(account: Account) -> None:
    resource = declared(account)
    account.become("DELETE_IN_PROGRESS")
    account.send("Delete", **resource)
    start(account)
    passes(account, 4)
    account.guard(updated(account))
    assert account.commands == ["StopServer", "StartServer"]


def test_a_request_that_comes_while_the_guard_reads_wins(account: Account) -> None:
    resource = declared(account)
    start(account)
    passes(account, 1)

    def declare_online() -> None:
        account.become("UPDATE_IN_PROGRESS")
        told = account.send("Update", **resource | {"DesiredState": "ONLINE"})
        assert told["Status"] == "SUCCESS"

    account.border.before("PutItem", declare_online)
    account.guard()
    assert account.state is State.ONLINE
    assert account.commands == ["StopServer", "StartServer"]


@pytest.mark.parametrize("call", ["Scan", "ListServers"])
def test_a_deployment_that_ends_while_the_guard_reads_is_no_drift(
    account: Account, call: str
) -> None:
    """Row and state are then of different times."""
    resource = declared(account)

    def declare_online() -> None:
        account.become("UPDATE_IN_PROGRESS")
        told = account.send("Update", **resource | {"DesiredState": "ONLINE"})
        assert told["Status"] == "SUCCESS"

    account.border.after(call, declare_online)
    account.guard()
    assert account.bus.events == []
    assert account.row.drift is None


def test_a_request_that_comes_after_the_guard_s_command_undoes_it(account: Account) -> None:
    """It does not believe a look from before that command."""
    resource = declared(account)
    start(account)
    passes(account, 1)
    account.emulator.set(read_lag_s=10, stop_s=20)
    account.guard()
    account.become("UPDATE_IN_PROGRESS")
    told = account.send("Update", **resource | {"DesiredState": "ONLINE"})
    assert told["Status"] == "SUCCESS"
    account.clock.sleep(60)
    assert account.state is State.ONLINE


def test_a_repeated_delivery_is_answered_the_same_after_the_guard_acted(account: Account) -> None:
    event = account.request("Create", DesiredState="OFFLINE", OnDrift="REASSERT")
    first = account.settle(event)
    account.become("CREATE_COMPLETE")
    account.clock.sleep(60)
    start(account)
    passes(account, 2)
    assert account.settle(event) == first


def test_a_server_that_is_as_declared_by_now_is_not_commanded(account: Account) -> None:
    """It came back between the list and the last look."""
    declared(account)
    start(account)
    passes(account, 1)
    account.border.before("DescribeServer", lambda: setattr(account, "state", State.OFFLINE))
    account.guard()
    assert account.commands == ["StopServer", "StartServer"]


def test_a_command_that_would_leave_late_is_left_to_the_next_pass(account: Account) -> None:
    """Nobody would know then when looks show what came of it."""
    declared(account)
    start(account)
    passes(account, 1)
    account.border.after("PutItem", lambda: account.clock.sleep(6))
    with pytest.raises(GuardError, match="StopServer: the registry took too long"):
        account.guard()
    assert account.commands == ["StopServer", "StartServer"]
    account.clock.sleep(MINUTES)
    account.guard()
    assert account.commands[-1] == "StopServer"


# When AWS fails


def test_a_call_that_fails_for_a_moment_is_made_again(account: Account) -> None:
    declared(account)
    start(account)
    for call in ("Scan", "ListServers", "DescribeStackResource", "PutEvents", "PutItem"):
        throttled = client_error("ThrottlingException", 400, call)
        account.border.before(call, throttled, throttled)
    passes(account, 2)
    account.clock.sleep(60)
    assert account.state is State.OFFLINE
    assert account.bus.told == ["Server Drifted"]


def test_commands_that_never_reached_aws_are_not_among_the_three(account: Account) -> None:
    """Transfer throttles for half an hour, and is asked again after it."""
    declared(account)
    start(account)
    throttled = client_error("ThrottlingException", 400, "StopServer")
    account.border.broken["StopServer"] = throttled
    account.guard()
    for _ in range(6):
        account.clock.sleep(MINUTES)
        with pytest.raises(GuardError, match="ThrottlingException"):
            account.guard()
    account.border.broken.clear()
    account.clock.sleep(MINUTES)
    account.guard()
    assert account.commands[-1] == "StopServer"


def test_one_server_s_failure_stops_no_other_s_restoration_and_fails_the_pass(
    account: Account,
) -> None:
    declared(account)
    other = account.new_server()
    created = {"DesiredState": "OFFLINE", "OnDrift": "REASSERT", "LogicalResourceId": "Other"}
    account.send("Create", ServerId=other, **created)
    account.clock.sleep(60)
    for server_id in (account.server_id, other):
        account.transfer.start_server(ServerId=server_id)
    account.clock.sleep(60)
    passes(account, 1)
    account.border.before("StopServer", client_error("AccessDeniedException", 400, "StopServer"))
    with pytest.raises(GuardError, match=r"1 of .* failed, the first: s-.*AccessDenied"):
        account.guard()
    account.clock.sleep(60)
    assert sorted(account.emulator.states().values()) == ["OFFLINE", "ONLINE"]


def test_a_bus_that_does_not_take_it_keeps_nothing_from_being_done(account: Account) -> None:
    declared(account)
    start(account)
    account.bus.refuses = 2
    for _ in range(2):
        with pytest.raises(GuardError, match="the bus did not take the event"):
            account.guard()
        account.clock.sleep(MINUTES)
    assert account.commands[-1] == "StopServer"
    start(account)
    account.guard()
    assert account.bus.told == ["Server Drifted"]


def test_a_registry_that_cannot_be_read_is_told(account: Account) -> None:
    account.border.broken["Scan"] = client_error("AccessDeniedException", 400, "Scan")
    with pytest.raises(Exception, match="dynamodb:Scan: AccessDenied"):
        account.guard()


def test_a_command_that_may_have_left_is_not_given_again_in_a_pass(account: Account) -> None:
    declared(account)
    start(account)
    passes(account, 1)
    account.border.before("StopServer", client_error("InternalServiceError", 500, "StopServer"))
    with pytest.raises(GuardError):
        account.guard()
    assert account.border.calls.count("StopServer") == 2


def test_an_event_s_look_that_fails_fails_the_pass(account: Account) -> None:
    declared(account)
    denied = client_error("AccessDeniedException", 400, "DescribeServer")
    account.border.broken["DescribeServer"] = denied
    with pytest.raises(Exception, match="transfer:DescribeServer: AccessDenied"):
        account.guard(updated(account))


def test_its_role_permits_exactly_what_it_calls(account: Account) -> None:
    declared(account)
    start(account)
    account.border.calls.clear()
    account.guard(updated(account))
    account.clock.sleep(60)
    account.transfer.start_server(ServerId=account.server_id)
    account.clock.sleep(60)
    passes(account, 2)
    resource = {"DesiredState": "OFFLINE", "OnDelete": "RESTORE"}
    account.become("DELETE_IN_PROGRESS")
    given = f"{account.server_id}:from-ONLINE"
    account.emulator.set(start_failures=1)
    calls = list(account.border.calls)
    account.become("CREATE_COMPLETE")
    account.border.before("StopServer", kill)
    other = account.new_server()
    account.die(account.request("Create", ServerId=other, LogicalResourceId="Lost", **resource))
    account.clock.sleep(4_000)
    account.become("DELETE_IN_PROGRESS")
    account.send("Delete", **resource, PhysicalResourceId=given)
    account.border.calls.clear()
    passes(account, 2)
    called = {*calls, *account.border.calls}
    permitted = {action.partition(":")[2] for action in actions("GuardRole")}
    assert called == permitted - {"CreateLogStream", "PutLogEvents"}


# What is measured


def test_every_scheduled_pass_measures_drifts_and_owed_restorations(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    declared(account)
    start(account)
    caplog.clear()
    passes(account, 3)
    measured = [line for line in lines(caplog) if "_aws" in line]
    assert [line["Drifted"] for line in measured] == [1, 1, 0]
    assert [line["Reasserted"] for line in measured] == [0, 1, 0]
    assert [line["RestorationsOwed"] for line in measured] == [0, 0, 0]
    (directive,) = measured[0]["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "TransferServerState"
    assert {"Name": "Drifted", "Unit": "Count"} in directive["Metrics"]
    assert measured[0]["_aws"]["Timestamp"] == pytest.approx(account.row.sent_at * 1000, rel=1e-3)


def test_a_pass_for_one_server_does_not_measure_the_others(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    declared(account)
    start(account)
    caplog.clear()
    account.guard(updated(account))
    (measured,) = [line for line in lines(caplog) if "_aws" in line]
    assert measured["Reasserted"] == 1
    assert "Drifted" not in measured
