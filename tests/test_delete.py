"""Delete: nothing by default, what was found on RESTORE or in a rollback."""

import json
from typing import Any

import pytest

from local.emulator import State
from tests.fakes.account import MADE_UP, STACK, Account
from tests.fakes.errors import client_error

OPPOSITE = {"ONLINE": "OFFLINE", "OFFLINE": "ONLINE"}
ROLLBACKS = [
    "ROLLBACK_IN_PROGRESS",
    "UPDATE_ROLLBACK_IN_PROGRESS",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
]
ORDINARY = ["DELETE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"]
FOUND = pytest.mark.parametrize("found", ["ONLINE", "OFFLINE"])


def delete(account: Account, status: str, found: str = "ONLINE", **more: Any) -> dict[str, Any]:
    """Declare a server otherwise than it is found, and delete the resource."""
    account.state = State(found)
    declared = {"DesiredState": OPPOSITE[found], **more}
    created = account.send("Create", **declared)
    account.become("CREATE_COMPLETE")
    account.clock.sleep(60)
    account.become(status)
    return account.send(
        "Delete", **{"PhysicalResourceId": created["PhysicalResourceId"], **declared}
    )


@FOUND
@pytest.mark.parametrize("status", ORDINARY)
def test_delete_changes_nothing_by_default(account: Account, status: str, found: str) -> None:
    answer = delete(account, status, found)
    assert answer["Status"] == "SUCCESS"
    assert answer["Reason"] == f"{account.server_id} is left as it is."
    assert account.state == OPPOSITE[found]
    assert len(account.commands) == 1


@FOUND
@pytest.mark.parametrize("status", ORDINARY)
def test_restore_brings_back_what_was_found(account: Account, status: str, found: str) -> None:
    assert delete(account, status, found, OnDelete="RESTORE")["Status"] == "SUCCESS"
    assert account.state == found
    assert len(account.commands) == 2


@FOUND
@pytest.mark.parametrize("on_delete", ["RETAIN", "RESTORE"])
@pytest.mark.parametrize("status", ROLLBACKS)
def test_a_rollback_brings_back_what_was_found_whatever_is_declared(
    account: Account, status: str, on_delete: str, found: str
) -> None:
    assert delete(account, status, found, OnDelete=on_delete)["Status"] == "SUCCESS"
    assert account.state == found
    assert len(account.commands) == 2


def test_restore_brings_back_what_was_found_before_all_updates(account: Account) -> None:
    created = account.send("Create", DesiredState="OFFLINE")["PhysicalResourceId"]
    for desired, before in (("ONLINE", "OFFLINE"), ("OFFLINE", "ONLINE")):
        old = {"OldResourceProperties": {"DesiredState": before}}
        account.send("Update", DesiredState=desired, PhysicalResourceId=created, **old)
    account.become("DELETE_IN_PROGRESS")
    account.send("Delete", OnDelete="RESTORE", PhysicalResourceId=created)
    assert account.state is State.ONLINE


def test_a_restoration_is_what_the_log_tells_and_a_retained_server_was_not_commanded(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    delete(account, "DELETE_IN_PROGRESS")
    retained = json.loads(caplog.messages[-1])
    assert (retained["outcome"], retained["command"]) == ("retained", None)
    account.clock.sleep(60)
    delete(account, "DELETE_IN_PROGRESS", OnDelete="RESTORE")
    restored = json.loads(caplog.messages[-1])
    assert (restored["outcome"], restored["command"]) == ("done", "StartServer")


@pytest.mark.parametrize("status", ["ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS"])
@pytest.mark.parametrize(
    "given", ["not-created", MADE_UP, "s-0123456789abcdef0", "s-x:from-ONLINE", ""]
)
def test_what_was_never_created_has_nothing_to_undo(
    account: Account, given: str, status: str
) -> None:
    account.become(status)
    answer = account.send("Delete", OnDelete="RESTORE", PhysicalResourceId=given)
    assert answer["Status"] == "SUCCESS"
    assert answer["PhysicalResourceId"] == (given or "not-created")
    assert account.operations == []


def test_a_deletion_that_names_no_server_calls_nobody(account: Account) -> None:
    """Its creation was refused for that."""
    answer = account.send("Delete", ServerId="x", PhysicalResourceId="not-created")
    assert answer["Status"] == "SUCCESS"
    assert account.border.calls == []


def test_a_deletion_takes_its_server_from_its_id(account: Account) -> None:
    """A replacement's clean-up may have the properties of either."""
    created = account.send("Create", DesiredState="OFFLINE")["PhysicalResourceId"]
    account.become("ROLLBACK_IN_PROGRESS")
    account.send("Delete", ServerId=account.new_server(), PhysicalResourceId=created)
    assert account.state is State.ONLINE


def test_a_stack_that_may_not_be_read_blocks_no_deletion_which_says_so(account: Account) -> None:
    created = account.send("Create", DesiredState="OFFLINE")["PhysicalResourceId"]
    account.become("ROLLBACK_IN_PROGRESS")
    account.border.broken["DescribeStacks"] = client_error("AccessDenied", 403, "DescribeStacks")
    answer = account.send("Delete", PhysicalResourceId=created)
    assert answer["Status"] == "SUCCESS"
    assert (
        "whether it should be nobody could tell: cloudformation:DescribeStacks" in answer["Reason"]
    )
    assert account.state is State.OFFLINE


def test_a_deleted_server_can_be_declared_again(account: Account) -> None:
    delete(account, "DELETE_IN_PROGRESS")
    account.clock.sleep(60)
    stack = account.new_stack(STACK.replace("/demo/", "/again/"))
    answer = account.send("Create", DesiredState="ONLINE", StackId=stack.stack_id)
    assert answer["Status"] == "SUCCESS"
    assert answer["PhysicalResourceId"] == f"{account.server_id}:from-OFFLINE"
    assert account.row.owner.name == "again/State"
