"""A renamed resource whose deployment is undone: the old one stands, as it was."""

from typing import Any

import pytest

from local.emulator import State
from tests.fakes.account import MADE_UP, OTHER_STACK, Account, kill

RESOURCE = {"DesiredState": "OFFLINE", "OnDelete": "RESTORE"}


@pytest.fixture(autouse=True)
def _declared(account: Account) -> None:
    """Declare the server OFFLINE, which was ONLINE, and begin to update the stack."""
    account.send("Create", **RESOURCE)
    account.become("CREATE_COMPLETE")
    account.clock.sleep(1_000)
    account.become("UPDATE_IN_PROGRESS")


def renamed(account: Account, name: str = "Renamed", desired: str = "OFFLINE") -> dict[str, Any]:
    """Create it under another name, and return what a Delete of that has."""
    resource = {**RESOURCE, "DesiredState": desired, "LogicalResourceId": name}
    answer = account.send("Create", **resource)
    assert answer["Status"] == "SUCCESS"
    account.clock.sleep(60)
    return {**resource, "PhysicalResourceId": answer["PhysicalResourceId"]}


def undo(account: Account, *resources: dict[str, Any]) -> None:
    account.become("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
    for resource in resources:
        assert account.send("Delete", **resource)["Status"] == "SUCCESS"
        account.stack.resources.pop(resource["LogicalResourceId"], None)
        account.clock.sleep(60)
    account.become("UPDATE_ROLLBACK_COMPLETE")


def assert_the_old_one_stands(account: Account) -> None:
    """No rival may declare the server, and a deletion restores what was there at first."""
    assert account.state is State.OFFLINE
    assert (account.row.owner.logical_id, account.row.released) == ("State", False)
    account.new_stack(OTHER_STACK)
    rival = account.send("Create", DesiredState="ONLINE", StackId=OTHER_STACK)
    assert "is declared by demo/State" in rival["Reason"]
    account.clock.sleep(60)
    account.become("DELETE_IN_PROGRESS")
    given = f"{account.server_id}:from-ONLINE"
    account.send("Delete", **RESOURCE, PhysicalResourceId=given)
    assert (account.state, account.row.released) == (State.ONLINE, True)


@pytest.mark.parametrize("desired", ["OFFLINE", "ONLINE"])
def test_when_its_rename_is_rolled_back_the_old_resource_has_the_server_again(
    account: Account, desired: str
) -> None:
    undo(account, renamed(account, desired=desired))
    assert_the_old_one_stands(account)


def test_so_it_has_where_the_new_one_never_answered(account: Account) -> None:
    account.border.before("DescribeServer", kill)
    account.die(account.request("Create", **RESOURCE, LogicalResourceId="Renamed"))
    account.clock.sleep(60)
    undo(account, {**RESOURCE, "LogicalResourceId": "Renamed", "PhysicalResourceId": MADE_UP})
    assert_the_old_one_stands(account)


@pytest.mark.parametrize("order", [1, -1])
def test_so_it_has_where_it_was_renamed_twice(account: Account, order: int) -> None:
    undo(account, *[renamed(account, name) for name in ("Second", "Third")][::order])
    assert_the_old_one_stands(account)


def test_who_takes_its_server_back_stands_in_nobody_s_way(account: Account) -> None:
    """With rollback disabled, a rename that failed is given up, and both are deleted at last."""
    resource = renamed(account)
    account.become("UPDATE_FAILED")
    account.stack.resources["State"] = MADE_UP
    account.become("UPDATE_IN_PROGRESS")
    given = account.send("Create", **RESOURCE)["PhysicalResourceId"]
    assert account.row.before
    assert account.row.before.before is None
    account.clock.sleep(60)
    undo(account, {**RESOURCE, "LogicalResourceId": "State", "PhysicalResourceId": given}, resource)
    assert account.row.released


def test_so_it_has_where_the_clean_up_failed_at_first(account: Account) -> None:
    resource = renamed(account, desired="ONLINE")
    account.emulator.set(stop_failures=1)
    account.become("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
    assert account.send("Delete", **resource)["Status"] == "FAILED"
    account.clock.sleep(60)
    undo(account, resource)
    assert_the_old_one_stands(account)


def test_so_the_guard_sees_to_it_where_no_deletion_came(account: Account) -> None:
    account.border.after("StartServer", kill)
    renaming = {**RESOURCE, "DesiredState": "ONLINE", "LogicalResourceId": "Renamed"}
    account.die(account.request("Create", **renaming))
    account.become("UPDATE_ROLLBACK_COMPLETE")
    account.clock.sleep(2 * 3_600)
    for _ in range(6):
        account.guard()
        account.clock.sleep(300)
    assert_the_old_one_stands(account)


def test_a_stack_that_never_was_complete_is_deleted_without_a_trace(account: Account) -> None:
    """Rollback was disabled, so both are there, and they are deleted side by side."""
    account.stack.past.clear()
    for status in ("CREATE_IN_PROGRESS", "CREATE_FAILED", "UPDATE_IN_PROGRESS"):
        account.become(status)
    resource = renamed(account) | {"PhysicalResourceId": MADE_UP}
    account.stack.resources["Renamed"] = MADE_UP
    account.become("UPDATE_FAILED")
    account.become("DELETE_IN_PROGRESS")
    given = f"{account.server_id}:from-ONLINE"
    old = account.request("Delete", DesiredState="OFFLINE", PhysicalResourceId=given)
    account.clock.after(5, lambda: account.invoke(old))
    assert account.send("Delete", **resource)["Status"] == "SUCCESS"
    assert (account.state, account.row.released) == (State.ONLINE, True)


def test_the_clean_up_of_an_attempt_before_gives_nothing_up(account: Account) -> None:
    renamed(account)
    row = account.row
    account.become("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
    account.send("Delete", **RESOURCE, PhysicalResourceId="not-created")
    assert account.row == row


@pytest.mark.parametrize("stands", [True, False])
def test_where_no_deletion_came_the_old_one_has_the_server_as_long_as_it_is_there(
    account: Account, *, stands: bool
) -> None:
    renamed(account)
    del account.stack.resources["Renamed"]
    if not stands:
        del account.stack.resources["State"]
    account.become("UPDATE_ROLLBACK_COMPLETE")
    account.new_stack(OTHER_STACK)
    rival = account.send("Create", DesiredState="ONLINE", StackId=OTHER_STACK)
    assert (rival["Status"], "is declared by demo/" in rival["Reason"]) == (
        ("FAILED", True) if stands else ("SUCCESS", False)
    )


def test_when_its_rename_holds_the_new_one_restores_what_was_there_at_first(
    account: Account,
) -> None:
    resource = renamed(account)
    account.become("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
    given = f"{account.server_id}:from-ONLINE"
    account.send("Delete", **RESOURCE, PhysicalResourceId=given)
    assert account.row.before is None
    account.become("UPDATE_COMPLETE")
    account.clock.sleep(1_000)
    account.become("DELETE_IN_PROGRESS")
    account.send("Delete", **resource)
    assert (account.state, account.row.released) == (State.ONLINE, True)
