"""What a deletion owes: the state found before, whatever became of the requests since."""

import json
from typing import Any

import pytest

from local.emulator import State
from tests.fakes.account import MADE_UP, NO_SERVER, STACK, Account, kill
from tests.fakes.errors import client_error

PARENT = STACK.replace("/demo/", "/parent/")


def created(account: Account, **properties: Any) -> dict[str, Any]:
    """Declare the server, which is ONLINE, to be OFFLINE; return what a Delete of it has."""
    declared = {"DesiredState": "OFFLINE", **properties}
    answer = account.send("Create", **declared)
    assert answer["Status"] == "SUCCESS"
    account.clock.sleep(60)
    return {**declared, "PhysicalResourceId": answer["PhysicalResourceId"]}


def delete(account: Account, status: str, resource: dict[str, Any]) -> dict[str, Any]:
    """Let the stack go on to a status, in which the resource is deleted."""
    account.become(status)
    answer = account.send("Delete", **resource)
    account.clock.sleep(60)
    return answer


# A restoration that failed is owed still


@pytest.mark.parametrize(
    ("before", "failing", "failed"),
    [
        ("CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_FAILED"),
        ("CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "DELETE_FAILED"),
        ("UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED"),
        (
            "UPDATE_IN_PROGRESS",
            "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
            "UPDATE_ROLLBACK_COMPLETE",
        ),
    ],
    ids=["rollback", "OnFailure: DELETE", "update", "update, clean-up"],
)
@pytest.mark.parametrize("patience", ["at once", "after three more failures"])
def test_a_restoration_that_failed_is_owed_by_the_deletion_of_the_stack(
    account: Account, before: str, failing: str, failed: str, patience: str
) -> None:
    if before == "UPDATE_IN_PROGRESS":
        account.become("CREATE_COMPLETE")
        account.clock.sleep(60)
        account.become(before)
    resource = created(account)
    account.emulator.set(start_failures=1 if patience == "at once" else 4)
    first = delete(account, failing, resource)
    assert first["Status"] == "FAILED"
    assert f"{account.server_id} is START_FAILED, wanted ONLINE" in first["Reason"]
    assert account.row.restoring == "ONLINE"
    account.become(failed)
    for _ in range(0 if patience == "at once" else 3):
        assert delete(account, "DELETE_IN_PROGRESS", resource)["Status"] == "FAILED"
        account.become("DELETE_FAILED")
    last = delete(account, "DELETE_IN_PROGRESS", resource)
    assert last["Status"] == "SUCCESS"
    assert account.state is State.ONLINE
    assert account.row.released


@pytest.mark.parametrize(
    "status", ["ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS"]
)
def test_what_a_rollback_s_unhandled_deletion_owed_the_deletion_of_the_stack_restores(
    account: Account, status: str
) -> None:
    """It died in Lambda, and CloudFormation waited for it in vain."""
    if status.startswith("UPDATE_"):
        account.become("CREATE_COMPLETE")
        account.clock.sleep(60)
        account.become("UPDATE_IN_PROGRESS")
    resource = created(account)
    account.become(status)
    account.border.before("GetItem", kill)
    account.die(account.request("Delete", **resource))
    account.clock.sleep(3_600)
    account.become(status.replace("IN_PROGRESS", "FAILED"))
    assert delete(account, "DELETE_IN_PROGRESS", resource)["Status"] == "SUCCESS"
    assert account.state is State.ONLINE


def test_the_deletion_of_a_stack_leaves_what_an_earlier_operation_declared(
    account: Account,
) -> None:
    """Its last update failed, and so did the rollback: this server was not of that update."""
    resource = created(account)
    for status in ("CREATE_COMPLETE", "UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED"):
        account.become(status)
        account.clock.sleep(60)
    assert delete(account, "DELETE_IN_PROGRESS", resource)["Status"] == "SUCCESS"
    assert account.state is State.OFFLINE


def test_what_was_being_restored_is_what_the_next_deployment_declares(account: Account) -> None:
    """A failed clean-up owes nothing once the resource is declared anew."""
    resource = created(account)
    account.emulator.set(start_failures=1)
    delete(account, "ROLLBACK_IN_PROGRESS", resource)
    account.become("UPDATE_IN_PROGRESS")
    answer = account.send("Update", **resource)
    assert (answer["Status"], account.state) == ("SUCCESS", State.OFFLINE)
    account.become("UPDATE_COMPLETE")
    delete(account, "DELETE_IN_PROGRESS", resource)
    assert account.state is State.OFFLINE


def test_the_guard_counts_the_restorations_that_are_owed(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    other = {"ServerId": account.new_server(), "LogicalResourceId": "Other"}
    resources = [created(account), created(account, **other)]
    account.emulator.set(start_failures=2)
    for resource in resources:
        assert delete(account, "ROLLBACK_IN_PROGRESS", resource)["Status"] == "FAILED"
    account.become("ROLLBACK_FAILED")
    caplog.clear()
    for _ in range(3):
        account.guard()
        account.clock.sleep(600)
    told = [json.loads(text) for text in caplog.messages]
    owed = [line["RestorationsOwed"] for line in told if "RestorationsOwed" in line]
    # The second pass gives the commands, and the third sees what came of them.
    assert owed == [2, 2, 2]
    assert account.row.released


# A creation that never answered, or whose answer CloudFormation never took


@pytest.mark.parametrize("status", ["ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS"])
@pytest.mark.parametrize(
    "given", [MADE_UP, "not-created", "s-0123456789abcdef0", "s-x:from-ONLINE"]
)
def test_a_creation_that_never_answered_is_undone_whatever_id_is_made_up_for_it(
    account: Account, given: str, status: str
) -> None:
    account.border.after("StopServer", kill)
    account.die(account.request("Create", DesiredState="OFFLINE"))
    account.clock.sleep(60)
    resource = {"DesiredState": "OFFLINE", "PhysicalResourceId": given}
    answer = delete(account, status, resource)
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", given)
    assert account.state is State.ONLINE
    assert account.commands == ["StopServer", "StartServer"]


def test_a_creation_that_is_still_at_work_is_undone(account: Account) -> None:
    """CloudFormation gave it up after it gave its command, and before the server was there."""
    account.emulator.set(stop_s=60, start_s=60)
    creation = account.request("Create", DesiredState="OFFLINE")
    told: dict[str, Any] = {}

    def cancel() -> None:
        resource = {"DesiredState": "OFFLINE", "PhysicalResourceId": MADE_UP}
        told.update(delete(account, "ROLLBACK_IN_PROGRESS", resource))

    account.clock.after(20, cancel)
    account.invoke(creation)
    assert told["Status"] == "SUCCESS"
    assert account.state is State.ONLINE
    assert account.store.answers[-1]["Status"] == "FAILED"


def test_a_creation_that_did_not_get_as_far_as_a_look_owes_nothing(account: Account) -> None:
    account.border.before("DescribeServer", kill)
    account.die(account.request("Create", DesiredState="OFFLINE"))
    resource = {"DesiredState": "OFFLINE", "PhysicalResourceId": MADE_UP}
    assert delete(account, "ROLLBACK_IN_PROGRESS", resource)["Status"] == "SUCCESS"
    assert account.operations == []
    assert account.row.released


@pytest.mark.parametrize("given", ["not-created", MADE_UP])
def test_the_clean_up_of_an_attempt_that_failed_leaves_what_the_next_one_declared(
    account: Account, given: str
) -> None:
    """With rollback disabled, a failed creation is created anew, and its first id deleted last."""
    denied = client_error("AccessDeniedException", 400, "DescribeServer")
    account.border.broken["DescribeServer"] = denied
    assert account.send("Create", DesiredState="OFFLINE")["Status"] == "FAILED"
    account.border.broken.clear()
    for status in ("CREATE_FAILED", "UPDATE_IN_PROGRESS"):
        account.become(status)
    account.clock.sleep(60)
    resource = created(account)
    row = account.row
    cleaned = {"DesiredState": "OFFLINE", "PhysicalResourceId": given}
    answer = delete(account, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", cleaned)
    assert (answer["Status"], account.state) == ("SUCCESS", State.OFFLINE)
    assert account.row == row
    account.become("UPDATE_COMPLETE")
    assert delete(account, "DELETE_IN_PROGRESS", resource)["Status"] == "SUCCESS"
    assert account.row.released


# An update that is undone


def test_the_undo_of_a_replacement_restores_the_server_that_was_being_brought_in(
    account: Account,
) -> None:
    """CloudFormation never took the replacement's answer, so it deletes nothing."""
    resource = created(account)
    account.become("UPDATE_IN_PROGRESS")
    first = {"ServerId": account.server_id, "DesiredState": "OFFLINE"}
    second = {"ServerId": account.new_server(), "DesiredState": "OFFLINE"}
    given = resource["PhysicalResourceId"]
    account.border.after("StopServer", kill)
    account.die(
        account.request("Update", **second, PhysicalResourceId=given, OldResourceProperties=first)
    )
    account.clock.sleep(60)
    assert account.emulator.states()[second["ServerId"]] is State.OFFLINE
    account.become("UPDATE_ROLLBACK_IN_PROGRESS")
    undo = account.send("Update", **first, PhysicalResourceId=given, OldResourceProperties=second)
    assert (undo["Status"], undo["PhysicalResourceId"]) == ("SUCCESS", given)
    assert account.emulator.states() == {
        account.server_id: State.OFFLINE,
        second["ServerId"]: State.ONLINE,
    }


def test_so_does_the_undo_of_a_replacement_whose_answer_was_lost_twice(account: Account) -> None:
    """With rollback disabled, before the stack is rolled back at last."""
    first = {"ServerId": account.server_id, "DesiredState": "OFFLINE"}
    second = {"ServerId": account.new_server(), "DesiredState": "OFFLINE"}
    given = created(account)["PhysicalResourceId"]
    for _ in range(2):
        account.become("UPDATE_IN_PROGRESS")
        account.invoke(
            account.request(
                "Update", **second, PhysicalResourceId=given, OldResourceProperties=first
            )
        )
        account.become("UPDATE_FAILED")
        account.clock.sleep(3_600)
    account.become("UPDATE_ROLLBACK_IN_PROGRESS")
    undo = account.send("Update", **first, PhysicalResourceId=given, OldResourceProperties=second)
    assert undo["Status"] == "SUCCESS"
    assert account.emulator.states()[second["ServerId"]] is State.ONLINE


def test_an_undo_that_fails_is_told_and_its_own_server_is_left(account: Account) -> None:
    resource = created(account)
    first = {"ServerId": account.server_id, "DesiredState": "OFFLINE"}
    second = {"ServerId": account.new_server(), "DesiredState": "OFFLINE"}
    given = resource["PhysicalResourceId"]
    account.send("Update", **second, PhysicalResourceId=given, OldResourceProperties=first)
    account.emulator.set(start_failures=1)
    account.become("UPDATE_ROLLBACK_IN_PROGRESS")
    account.clock.sleep(60)
    undo = account.send("Update", **first, PhysicalResourceId=given, OldResourceProperties=second)
    assert (undo["Status"], undo["PhysicalResourceId"]) == ("FAILED", given)
    assert f"{second['ServerId']} is START_FAILED, wanted ONLINE" in undo["Reason"]
    assert "then deploy again. [" in undo["Reason"]
    assert account.row_of(second["ServerId"]).restoring == "ONLINE"


def test_a_rollback_s_update_brings_back_what_was_declared_before(account: Account) -> None:
    resource = created(account)
    account.become("UPDATE_IN_PROGRESS")
    before, after = {"DesiredState": "OFFLINE"}, {"DesiredState": "ONLINE"}
    given = resource["PhysicalResourceId"]
    account.send("Update", **after, PhysicalResourceId=given, OldResourceProperties=before)
    account.become("UPDATE_ROLLBACK_IN_PROGRESS")
    account.send("Update", **before, PhysicalResourceId=given, OldResourceProperties=after)
    assert account.state is State.OFFLINE
    assert account.commands == ["StopServer", "StartServer", "StopServer"]
    assert account.row.found == "ONLINE"


# A nested stack


@pytest.mark.parametrize(
    ("parent", "restored"),
    [
        ("ROLLBACK_IN_PROGRESS", True),
        ("UPDATE_ROLLBACK_IN_PROGRESS", True),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", False),
        ("DELETE_IN_PROGRESS", False),
    ],
)
def test_a_nested_stack_is_rolled_back_by_being_deleted(
    account: Account, parent: str, *, restored: bool
) -> None:
    outer = account.new_stack(PARENT, status="CREATE_IN_PROGRESS")
    nested = account.new_stack(f"{STACK}n", parent_id=PARENT, root_id=PARENT)
    resource = created(account, StackId=nested.stack_id)
    account.become("CREATE_COMPLETE", nested)
    if not parent.startswith("ROLLBACK"):
        account.become("CREATE_COMPLETE", outer)
    account.become("DELETE_IN_PROGRESS", nested)
    account.become(parent, outer)
    assert account.send("Delete", **resource)["Status"] == "SUCCESS"
    assert (account.state is State.ONLINE) is restored


# What blocks no deletion


def test_a_server_that_is_gone_blocks_no_deletion(account: Account) -> None:
    account.become("ROLLBACK_IN_PROGRESS")
    gone = {"ServerId": NO_SERVER, "PhysicalResourceId": f"{NO_SERVER}:from-ONLINE"}
    answer = account.send("Delete", DesiredState="OFFLINE", **gone)
    assert answer["Status"] == "SUCCESS"
    assert account.commands == []
    assert account.row_of(NO_SERVER).released


def test_a_restoration_does_not_believe_a_look_from_before_somebody_moved_the_server(
    account: Account,
) -> None:
    resource = created(account, OnDelete="RESTORE")
    account.transfer.start_server(ServerId=account.server_id)
    account.clock.sleep(60)
    account.emulator.set(read_lag_s=10, stop_s=5)
    account.transfer.stop_server(ServerId=account.server_id)
    account.clock.sleep(2)
    told = delete(account, "DELETE_IN_PROGRESS", resource)
    assert (told["Status"], account.state) == ("SUCCESS", State.ONLINE)


@pytest.mark.parametrize(
    "odd",
    [
        {"DesiredState": "x"},
        {"OnDelete": "x"},
        {"FromAnOlderSchema": "1"},
        {"ServiceTimeout": "soon"},
        {"Triggers": "x"},
    ],
    ids=str,
)
def test_a_deletion_restores_whatever_else_its_properties_hold(
    account: Account, odd: dict[str, Any]
) -> None:
    """They may be of a schema of years ago."""
    resource = created(account) | odd
    assert delete(account, "ROLLBACK_IN_PROGRESS", resource)["Status"] == "SUCCESS"
    assert account.state is State.ONLINE


def test_a_restoration_that_fails_is_told(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    """In the log, too: what was commanded, and that it failed."""
    resource = created(account)
    account.emulator.set(start_failures=1)
    caplog.clear()
    answer = delete(account, "ROLLBACK_IN_PROGRESS", resource)
    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith(
        f"{account.server_id} is START_FAILED, wanted ONLINE, after StartServer, "
    )
    assert "then delete again, or retain the resource. [" in answer["Reason"]
    told = json.loads(caplog.messages[-1])
    assert (told["status"], told["outcome"]) == ("FAILED", "failed")
    assert (told["command"], told["final"]) == ("StartServer", "START_FAILED")
