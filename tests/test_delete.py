"""Delete: nothing by default, what was found on RESTORE or in a rollback."""

from typing import Any

import pytest

from local.emulator import State
from tests.lab import NO_SERVER, STACK, Account, client_error

ROLLBACKS = [
    "ROLLBACK_IN_PROGRESS",
    "UPDATE_ROLLBACK_IN_PROGRESS",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
]
ORDINARY = ["DELETE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"]
PARENT = STACK.replace("/demo/", "/parent/")


def delete(account: Account, found: str, status: str, **more: Any) -> dict[str, Any]:
    account.cloudformation.stacks[STACK] = {"StackStatus": status}
    declared = {"ONLINE": "OFFLINE", "OFFLINE": "ONLINE"}[found]
    account.state = State(declared)
    account.emulator.set(start_s=60, stop_s=60)
    given = f"{account.server_id}:from-{found}"
    return account.send("Delete", **{"DesiredState": declared, "PhysicalResourceId": given, **more})


@pytest.mark.parametrize("found", ["ONLINE", "OFFLINE"])
@pytest.mark.parametrize("status", ORDINARY)
def test_delete_changes_nothing_by_default(account: Account, status: str, found: str) -> None:
    assert delete(account, found, status)["Status"] == "SUCCESS"
    assert account.operations == []


@pytest.mark.parametrize("found", ["ONLINE", "OFFLINE"])
@pytest.mark.parametrize("status", ORDINARY)
def test_restore_brings_back_what_was_found(account: Account, status: str, found: str) -> None:
    assert delete(account, found, status, OnDelete="RESTORE")["Status"] == "SUCCESS"
    assert account.state == found


@pytest.mark.parametrize("found", ["ONLINE", "OFFLINE"])
@pytest.mark.parametrize("on_delete", ["RETAIN", "RESTORE"])
@pytest.mark.parametrize("status", ROLLBACKS)
def test_a_rollback_brings_back_what_was_found_whatever_is_declared(
    account: Account, status: str, on_delete: str, found: str
) -> None:
    assert delete(account, found, status, OnDelete=on_delete)["Status"] == "SUCCESS"
    assert account.state == found
    assert len(account.commands) == 1


@pytest.mark.parametrize(
    ("parent", "restored"), [("ROLLBACK_IN_PROGRESS", True), ("DELETE_IN_PROGRESS", False)]
)
def test_a_nested_stack_is_rolled_back_by_being_deleted(
    account: Account, parent: str, *, restored: bool
) -> None:
    account.cloudformation.stacks[PARENT] = {"StackStatus": parent}
    nested = {"StackStatus": "DELETE_IN_PROGRESS", "ParentId": PARENT}
    account.cloudformation.stacks[STACK + "n"] = nested
    delete(account, "ONLINE", "DELETE_IN_PROGRESS", StackId=STACK + "n")
    assert (account.state is State.ONLINE) is restored


@pytest.mark.parametrize("successor", ["renamed", "replaced under the same name"])
def test_restore_leaves_the_server_to_a_successor_in_the_same_stack(
    account: Account, successor: str
) -> None:
    account.cloudformation.resources = [
        {"LogicalResourceId": "Topic", "ResourceStatus": "CREATE_COMPLETE"},
        {
            "LogicalResourceId": "Renamed" if successor == "renamed" else "State",
            "PhysicalResourceId": f"{account.server_id}:from-OFFLINE",
            "ResourceStatus": "CREATE_COMPLETE",
        },
    ]
    status = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
    answer = delete(account, "ONLINE", status, OnDelete="RESTORE")
    assert answer["Status"] == "SUCCESS"
    assert account.operations == []


@pytest.mark.parametrize(
    "other",
    [
        {"LogicalResourceId": "Other", "PhysicalResourceId": f"{NO_SERVER}:from-ONLINE"},
        {"LogicalResourceId": "Other", "ResourceStatus": "DELETE_COMPLETE"},
        {"LogicalResourceId": "Other", "ResourceStatus": "DELETE_IN_PROGRESS"},
        {"LogicalResourceId": "State"},
    ],
    ids=["another server", "deleted", "being deleted", "itself"],
)
def test_restore_heeds_no_resource_that_is_no_successor(
    account: Account, other: dict[str, str]
) -> None:
    account.cloudformation.resources = [
        {
            "PhysicalResourceId": f"{account.server_id}:from-ONLINE",
            "ResourceStatus": "UPDATE_COMPLETE",
            **other,
        }
    ]
    delete(account, "ONLINE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", OnDelete="RESTORE")
    assert account.state is State.ONLINE


@pytest.mark.parametrize("on_delete", ["RETAIN", "RESTORE"])
def test_a_stack_that_is_deleted_because_its_creation_failed_is_rolled_back(
    account: Account, on_delete: str
) -> None:
    """So it says with OnFailure: DELETE, which knows no rollback."""
    account.emulator.set(start_s=60)
    account.state = State.OFFLINE
    account.cloudformation.stacks[STACK] = {
        "StackStatus": "DELETE_IN_PROGRESS",
        "StackStatusReason": "The following resource(s) failed to create: [Other]. Delete",
    }
    given = f"{account.server_id}:from-ONLINE"
    event = {"DesiredState": "OFFLINE", "OnDelete": on_delete, "PhysicalResourceId": given}
    assert account.send("Delete", **event)["Status"] == "SUCCESS"
    assert account.state is State.ONLINE


@pytest.mark.parametrize("status", ["ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS"])
@pytest.mark.parametrize(
    "given", ["not-created", "demo-State-1ABCDEF", "s-0123456789abcdef0", "s-x:from-ONLINE"]
)
def test_an_id_that_is_not_ours_has_nothing_to_undo(
    account: Account, given: str, status: str
) -> None:
    answer = delete(account, "ONLINE", status, OnDelete="RESTORE", PhysicalResourceId=given)
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", given)
    assert account.operations == []


def test_invalid_properties_block_no_deletion(account: Account) -> None:
    answer = delete(account, "ONLINE", "ROLLBACK_IN_PROGRESS", OnDelete="x")
    assert answer["Status"] == "SUCCESS"
    assert account.operations == []


def test_a_server_that_is_gone_blocks_no_deletion(account: Account) -> None:
    answer = delete(
        account,
        "ONLINE",
        "ROLLBACK_IN_PROGRESS",
        ServerId=NO_SERVER,
        PhysicalResourceId=f"{NO_SERVER}:from-ONLINE",
    )
    assert answer["Status"] == "SUCCESS"
    assert account.commands == []


def test_a_restoration_that_fails_is_told(account: Account) -> None:
    account.emulator.set(start_failures=1)
    answer = delete(account, "ONLINE", "ROLLBACK_IN_PROGRESS")
    assert answer["Status"] == "FAILED"
    assert "START_FAILED, wanted ONLINE" in answer["Reason"]


def test_a_stack_that_cannot_be_described_counts_as_deleted(account: Account) -> None:
    account.cloudformation.failures.append(client_error("AccessDenied", 403, "DescribeStacks"))
    answer = delete(account, "ONLINE", "ROLLBACK_IN_PROGRESS")
    assert answer["Status"] == "SUCCESS"
    assert answer["Reason"].endswith("is left as it is: its stack could not be read.")
    assert account.operations == []


@pytest.mark.parametrize("unread", ["DescribeStacks", "ListStackResources"])
def test_restore_leaves_the_server_alone_where_a_successor_cannot_be_ruled_out(
    account: Account, unread: str
) -> None:
    account.cloudformation.denied.add(unread)
    status = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
    answer = delete(account, "ONLINE", status, OnDelete="RESTORE")
    assert answer["Status"] == "SUCCESS"
    assert answer["Reason"].endswith("is left as it is: its stack could not be read.")
    assert account.operations == []


def test_a_throttled_description_of_the_stack_is_asked_for_again(account: Account) -> None:
    throttled = client_error("Throttling", 400, "DescribeStacks")
    account.cloudformation.failures.extend([throttled] * 5)
    delete(account, "ONLINE", "ROLLBACK_IN_PROGRESS")
    assert account.state is State.ONLINE


def test_a_rolled_back_creation_leaves_no_trace(account: Account) -> None:
    account.emulator.set(start_s=60, stop_s=60)
    created = account.send("Create", DesiredState="OFFLINE")
    assert account.commands == ["StopServer"]
    account.cloudformation.stacks[STACK] = {"StackStatus": "ROLLBACK_IN_PROGRESS"}
    given = created["PhysicalResourceId"]
    answer = account.send("Delete", DesiredState="OFFLINE", PhysicalResourceId=given)
    assert answer["Status"] == "SUCCESS"
    assert account.state is State.ONLINE


def test_a_restoration_does_not_believe_a_first_look_that_shows_what_was_found(
    account: Account,
) -> None:
    """The read may lag behind the command that is to be undone."""
    account.emulator.set(read_lag_s=10)
    created = account.send("Create", DesiredState="OFFLINE")
    account.emulator.put(account.server_id, State.ONLINE)
    account.transfer.stop_server(ServerId=account.server_id)
    account.cloudformation.stacks[STACK] = {"StackStatus": "ROLLBACK_IN_PROGRESS"}
    given = created["PhysicalResourceId"]
    assert account.send("Delete", DesiredState="OFFLINE", PhysicalResourceId=given)
    assert account.state is State.ONLINE


def test_a_deletion_that_comes_after_its_clean_up_restores_nothing(account: Account) -> None:
    answer = delete(account, "ONLINE", "UPDATE_COMPLETE", OnDelete="RESTORE")
    assert answer["Status"] == "SUCCESS"
    assert account.operations == []
