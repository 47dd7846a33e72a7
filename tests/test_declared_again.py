"""A server that its own resource declares anew: after an attempt that failed, or a retention."""

from typing import Any

import pytest

from local.emulator import State
from tests.fakes.account import MADE_UP, OTHER_STACK, Account, kill

OFFLINE = {"DesiredState": "OFFLINE"}


def mistyped(account: Account) -> str:
    assert account.send("Create", DesiredState="OFLINE")["Status"] == "FAILED"
    return "not-created"


def refused_as_a_rival(account: Account) -> str:
    other = account.new_stack(OTHER_STACK)
    theirs = account.send("Create", DesiredState="ONLINE", StackId=OTHER_STACK)
    account.become("CREATE_COMPLETE", other)
    assert "is declared by other/State" in account.send("Create", **OFFLINE)["Reason"]
    account.clock.sleep(60)
    given = theirs["PhysicalResourceId"]
    account.send("Delete", StackId=OTHER_STACK, PhysicalResourceId=given)
    return "not-created"


def killed_before_its_first_write(account: Account) -> str:
    account.border.before("PutItem", kill)
    account.die(account.request("Create", **OFFLINE))
    return MADE_UP


@pytest.mark.parametrize("fail", [mistyped, refused_as_a_rival, killed_before_its_first_write])
def test_the_clean_up_of_an_attempt_that_left_no_row_leaves_what_the_next_one_declared(
    account: Account, fail: Any
) -> None:
    """With rollback disabled, a failed creation is created anew, and its first id deleted last."""
    failed_id = fail(account)
    account.become("CREATE_FAILED")
    account.clock.sleep(4_000)
    account.become("UPDATE_IN_PROGRESS")
    assert account.send("Create", **OFFLINE)["Status"] == "SUCCESS"
    row = account.row
    account.become("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
    account.clock.sleep(2)
    told = account.send("Delete", **OFFLINE, PhysicalResourceId=failed_id)
    assert (told["Status"], account.state, account.row) == ("SUCCESS", State.OFFLINE, row)


def retained(account: Account) -> None:
    """Have a DeletionPolicy keep what a stack declared, for a person to use it a week later."""
    account.send("Create", **OFFLINE)
    account.become("CREATE_COMPLETE")
    account.stack.resources.clear()
    account.clock.sleep(3_600)
    account.transfer.start_server(ServerId=account.server_id)
    account.clock.sleep(7 * 86_400)
    account.become("UPDATE_IN_PROGRESS")


def rolled_back(account: Account, given: str, **resource: str) -> dict[str, Any]:
    account.become("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
    account.clock.sleep(30)
    return account.send("Delete", **resource, PhysicalResourceId=given)


@pytest.mark.parametrize("found", [State.ONLINE, State.OFFLINE])
def test_what_is_declared_again_after_it_was_retained_finds_what_is_there_then(
    account: Account, found: State
) -> None:
    account.state = found
    account.clock.sleep(60)
    retained(account)
    given = account.send("Create", **OFFLINE)["PhysicalResourceId"]
    assert given == f"{account.server_id}:from-ONLINE"
    told = rolled_back(account, given, **OFFLINE)
    assert (told["Status"], account.state) == ("SUCCESS", State.ONLINE)


def test_so_it_does_where_the_second_creation_never_answers(account: Account) -> None:
    retained(account)
    account.border.after("StopServer", kill)
    account.die(account.request("Create", **OFFLINE))
    account.clock.sleep(3_600)
    told = rolled_back(account, MADE_UP, **OFFLINE)
    assert (told["Status"], account.state) == ("SUCCESS", State.ONLINE)


def test_what_a_clean_up_owed_is_owed_by_whoever_declares_it_again(account: Account) -> None:
    resource = {**OFFLINE, "OnDelete": "RESTORE"}
    given = account.send("Create", **resource)["PhysicalResourceId"]
    account.become("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
    account.clock.sleep(100)
    account.emulator.set(start_failures=1)
    assert account.send("Delete", **resource, PhysicalResourceId=given)["Status"] == "FAILED"
    account.stack.resources.clear()
    account.become("UPDATE_IN_PROGRESS")
    account.clock.sleep(100)
    account.border.after("StopServer", kill)
    account.die(account.request("Create", **resource))
    account.clock.sleep(3_600)
    told = rolled_back(account, MADE_UP, **resource)
    assert (told["Status"], account.state) == ("SUCCESS", State.ONLINE)


def test_an_answer_that_never_came_is_no_retention(account: Account) -> None:
    """With rollback disabled, and tried again; what the first attempt found is brought back."""
    account.send("Create", **OFFLINE)
    account.stack.resources["State"] = MADE_UP
    account.become("CREATE_FAILED")
    account.clock.sleep(4_000)
    account.become("UPDATE_IN_PROGRESS")
    given = account.send("Create", **OFFLINE)["PhysicalResourceId"]
    assert given == f"{account.server_id}:from-ONLINE"
