"""One server, one declaration: who is refused, who takes over, and what a refusal leaves behind."""

from typing import Any

import pytest

from local.emulator import State
from tests.fakes.account import NO_SERVER, OTHER_STACK, STACK, TABLE, Account, kill
from tests.fakes.errors import client_error

PARENT = STACK.replace("/demo/", "/parent/")


def raw_row(account: Account) -> dict[str, Any]:
    """The row as it stands in the table, but for the count of its writes."""
    key = {"ServerId": {"S": account.server_id}}
    read = account.dynamodb.get_item(TableName=TABLE, Key=key, ConsistentRead=True)
    return {name: value for name, value in read["Item"].items() if name != "Version"}


def declared(account: Account, **properties: Any) -> str:
    """Declare the server OFFLINE in a stack that is then at rest."""
    created = account.send("Create", DesiredState="OFFLINE", **properties)
    account.become("CREATE_COMPLETE")
    account.clock.sleep(60)
    return str(created["PhysicalResourceId"])


def kept(account: Account) -> dict[str, Any]:
    """Return the row but for who gave the server up, which is all that others write there."""
    row = raw_row(account)
    return {name: row[name] for name in row.keys() - {"GivenUp", "Version"}}


def test_a_rival_creation_is_refused_with_both_names_and_leaves_nothing(account: Account) -> None:
    declared(account)
    row, calls = kept(account), len(account.operations)
    rival = account.new_stack(OTHER_STACK)
    create = {"DesiredState": "ONLINE", "StackId": OTHER_STACK, "LogicalResourceId": "Mine"}
    refused = account.send("Create", **create)
    assert refused["Status"] == "FAILED"
    assert refused["PhysicalResourceId"] == "not-created"
    assert refused["Reason"].rpartition(" [")[0] == (
        f"{account.server_id} is declared by demo/State, so other/Mine may not declare it too. "
        "A server has one declaration: remove one of the two."
    )
    assert refused["Data"] == {}
    account.become("ROLLBACK_IN_PROGRESS", rival)
    undone = account.send("Delete", **create, PhysicalResourceId="not-created")
    assert undone["Status"] == "SUCCESS"
    assert (kept(account), len(account.operations)) == (row, calls)


def test_so_is_one_that_was_sent_before_and_comes_later(account: Account) -> None:
    late = account.request("Create", DesiredState="OFFLINE")
    account.clock.sleep(5)
    other = account.new_stack(OTHER_STACK)
    account.send("Create", DesiredState="ONLINE", StackId=OTHER_STACK)
    account.become("CREATE_COMPLETE", other)
    assert "is declared by other/State, so demo/State may not" in account.settle(late)["Reason"]


def test_a_repeated_deletion_of_who_does_not_own_a_server_is_answered_the_same(
    account: Account,
) -> None:
    other = account.new_stack(OTHER_STACK)
    account.send("Create", DesiredState="ONLINE", StackId=OTHER_STACK)
    account.become("CREATE_COMPLETE", other)
    account.clock.sleep(3)
    deletion = account.request("Delete", DesiredState="OFFLINE", PhysicalResourceId="not-created")
    assert account.settle(deletion) == account.settle(deletion)


def test_two_stacks_never_both_succeed_with_opposite_declarations(account: Account) -> None:
    account.new_stack(OTHER_STACK)
    mine = account.request("Create", DesiredState="OFFLINE")
    other = account.request("Create", DesiredState="ONLINE", StackId=OTHER_STACK)
    # Both read that there is no row.
    account.border.before("PutItem", lambda: account.invoke(other))
    account.invoke(mine)
    told = {answer["StackId"]: answer["Status"] for answer in account.store.answers}
    assert told == {OTHER_STACK: "SUCCESS", STACK: "FAILED"}
    assert account.state is State.ONLINE


@pytest.mark.parametrize("on_delete", ["RETAIN", "RESTORE"])
def test_the_deletion_of_who_does_not_own_a_server_leaves_it(
    account: Account, on_delete: str
) -> None:
    declared(account)
    rival = account.new_stack(OTHER_STACK)
    account.become("ROLLBACK_IN_PROGRESS", rival)
    row = kept(account)
    answer = account.send(
        "Delete",
        DesiredState="ONLINE",
        OnDelete=on_delete,
        StackId=OTHER_STACK,
        PhysicalResourceId=f"{account.server_id}:from-ONLINE",
    )
    assert answer["Status"] == "SUCCESS"
    assert (account.state, kept(account)) == (State.OFFLINE, row)


@pytest.mark.parametrize(
    ("status", "told"),
    [("UPDATE_IN_PROGRESS", "FAILED"), ("UPDATE_ROLLBACK_IN_PROGRESS", "SUCCESS")],
)
def test_a_rival_update_is_refused_unless_it_is_a_rollback_s(
    account: Account, status: str, told: str
) -> None:
    """Or nothing could ever bring that stack to rest."""
    declared(account)
    account.new_stack(OTHER_STACK, status=status)
    given = f"{account.server_id}:from-ONLINE"
    row = raw_row(account)
    answer = account.send(
        "Update", DesiredState="ONLINE", StackId=OTHER_STACK, PhysicalResourceId=given
    )
    assert (answer["Status"], answer["PhysicalResourceId"]) == (told, given)
    assert (account.state, raw_row(account)) == (State.OFFLINE, row)


def test_a_replacement_by_a_rival_s_server_is_refused_and_keeps_its_id(account: Account) -> None:
    declared(account)
    account.new_stack(OTHER_STACK, status="UPDATE_IN_PROGRESS")
    given = f"{NO_SERVER}:from-ONLINE"
    answer = account.send(
        "Update", DesiredState="ONLINE", StackId=OTHER_STACK, PhysicalResourceId=given
    )
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("FAILED", given)


@pytest.mark.parametrize("how", ["no stack", "a deleted stack", "not listed", "another server"])
def test_a_server_whose_owner_is_gone_is_taken_over(account: Account, how: str) -> None:
    declared(account)
    if how == "no stack":
        del account.cloudformation.stacks[STACK]
    elif how == "a deleted stack":
        account.become("DELETE_COMPLETE")
    elif how == "not listed":
        account.stack.resources.clear()
    else:
        account.stack.resources["State"] = f"{NO_SERVER}:from-ONLINE"
    account.new_stack(OTHER_STACK)
    answer = account.send("Create", DesiredState="ONLINE", StackId=OTHER_STACK)
    assert answer["Status"] == "SUCCESS"
    assert answer["PhysicalResourceId"] == f"{account.server_id}:from-OFFLINE"
    assert account.state is State.ONLINE
    assert account.row.owner.name == "other/State"


def test_what_an_owner_that_is_gone_still_owed_its_heir_restores(account: Account) -> None:
    """The creation never answered, so what it found is what was there before."""
    account.border.after("StopServer", kill)
    account.die(account.request("Create", DesiredState="OFFLINE"))
    del account.cloudformation.stacks[STACK]
    account.clock.sleep(60)
    account.new_stack(OTHER_STACK)
    answer = account.send("Create", DesiredState="OFFLINE", StackId=OTHER_STACK)
    assert answer["PhysicalResourceId"] == f"{account.server_id}:from-ONLINE"


@pytest.mark.parametrize("on_delete", ["RETAIN", "RESTORE"])
def test_a_renamed_resource_takes_over_and_its_clean_up_leaves_the_server(
    account: Account, on_delete: str
) -> None:
    created = declared(account, OnDelete=on_delete)
    account.become("UPDATE_IN_PROGRESS")
    renamed = account.send("Create", DesiredState="OFFLINE", LogicalResourceId="Renamed")
    assert renamed["Status"] == "SUCCESS"
    account.become("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
    account.clock.sleep(60)
    old = {"DesiredState": "OFFLINE", "OnDelete": on_delete, "PhysicalResourceId": created}
    assert account.send("Delete", **old)["Status"] == "SUCCESS"
    assert account.state is State.OFFLINE
    assert account.row.owner.logical_id == "Renamed"


@pytest.mark.parametrize("listed", [True, False])
def test_a_resource_that_moved_between_nested_stacks_keeps_its_server(
    account: Account, *, listed: bool
) -> None:
    """Both found it ONLINE and restore it: the clean-up of the one is not the other's deletion."""
    account.new_stack(PARENT, status="CREATE_IN_PROGRESS")
    for name in ("a", "b"):
        account.new_stack(f"{STACK}{name}", parent_id=PARENT, root_id=PARENT)
    kept = {"DesiredState": "OFFLINE", "OnDelete": "RESTORE"}
    created = account.send("Create", **kept, StackId=f"{STACK}a")["PhysicalResourceId"]
    account.clock.sleep(60)
    moved = account.send("Create", **kept, StackId=f"{STACK}b")
    assert moved["Status"] == "SUCCESS"
    status = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS" if listed else "DELETE_IN_PROGRESS"
    account.become(status, account.cloudformation.stacks[f"{STACK}a"])
    account.clock.sleep(60)
    answer = account.send("Delete", **kept, StackId=f"{STACK}a", PhysicalResourceId=created)
    assert answer["Status"] == "SUCCESS"
    assert account.state is State.OFFLINE
    assert account.commands == ["StopServer"]


def test_a_stack_of_another_root_is_a_rival(account: Account) -> None:
    for name in ("a", "b"):
        account.new_stack(f"{STACK}{name}", root_id=f"{PARENT}{name}")
    account.send("Create", DesiredState="OFFLINE", StackId=f"{STACK}a")
    answer = account.send("Create", DesiredState="OFFLINE", StackId=f"{STACK}b")
    assert answer["Status"] == "FAILED"


@pytest.mark.parametrize(
    ("status", "told"),
    [("UPDATE_IN_PROGRESS", "FAILED"), ("UPDATE_ROLLBACK_IN_PROGRESS", "SUCCESS")],
)
def test_a_rollback_s_update_is_not_refused_where_a_rival_came_later_either(
    account: Account, status: str, told: str
) -> None:
    """It was sent before the rival's Create, and is delivered after it."""
    given = f"{account.server_id}:from-ONLINE"
    account.new_stack(OTHER_STACK, status=status)
    update = account.request(
        "Update", DesiredState="ONLINE", StackId=OTHER_STACK, PhysicalResourceId=given
    )
    account.clock.sleep(10)
    declared(account)
    row = raw_row(account)
    answer = account.settle(update)
    assert (answer["Status"], answer["PhysicalResourceId"]) == (told, given)
    assert (account.state, raw_row(account)) == (State.OFFLINE, row)


@pytest.mark.parametrize("status", ["CREATE_FAILED", "ROLLBACK_FAILED", "DELETE_FAILED"])
def test_a_server_whose_owner_is_gone_is_taken_over_whatever_its_stack_failed_at(
    account: Account, status: str
) -> None:
    """Nothing else would ever let it go."""
    declared(account)
    account.stack.resources.clear()
    account.become(status)
    account.new_stack(OTHER_STACK)
    answer = account.send("Create", DesiredState="ONLINE", StackId=OTHER_STACK)
    assert (answer["Status"], account.state) == ("SUCCESS", State.ONLINE)


def test_a_rollback_s_update_that_yields_still_has_its_attributes(account: Account) -> None:
    """The stack's outputs read them."""
    declared(account)
    account.new_stack(OTHER_STACK, status="UPDATE_ROLLBACK_IN_PROGRESS")
    given = f"{account.server_id}:from-ONLINE"
    update = {"DesiredState": "ONLINE", "StackId": OTHER_STACK, "PhysicalResourceId": given}
    told = account.send("Update", **update)
    assert told["Data"] == {
        "ServerId": account.server_id,
        "Arn": told["Data"]["Arn"],
        "State": "OFFLINE",
        "PreviousState": "OFFLINE",
    }
    denied = client_error("AccessDeniedException", 400, "DescribeServer")
    account.border.before("DescribeServer", denied)
    assert account.send("Update", **update)["Data"]["State"] == "OFFLINE"
    account.transfer.delete_server(ServerId=account.server_id)
    assert account.send("Update", **update)["Status"] == "SUCCESS"


@pytest.mark.parametrize("code", ["AccessDeniedException", "ServiceUnavailableException"])
def test_nor_is_it_blocked_where_nobody_can_read_them(account: Account, code: str) -> None:
    declared(account)
    account.new_stack(OTHER_STACK, status="UPDATE_ROLLBACK_IN_PROGRESS")
    account.border.broken["DescribeServer"] = client_error(code, 400, "DescribeServer")
    given = f"{account.server_id}:from-ONLINE"
    told = account.send(
        "Update", DesiredState="ONLINE", StackId=OTHER_STACK, PhysicalResourceId=given
    )
    assert (told["Status"], told["Data"]) == ("SUCCESS", {})
    assert told["Reason"] == f"{account.server_id} is left as it is."
