"""What could slip between two requests for one server: deliveries repeated, delayed and killed.

Each test is an interleaving that once slipped through a draft of the registry's rules. A second
invocation runs between two calls of the first.
"""

from typing import Any

import pytest

from local.emulator import State
from tests.fakes.account import MADE_UP, NO_SERVER, Account, kill

# How long after its intention every look shows what came of a command.
QUIET_S = 25


def rolls_back(account: Account, creation: dict[str, Any]) -> dict[str, Any]:
    """Make the Delete that follows a creation that CloudFormation gave up."""
    account.become("ROLLBACK_IN_PROGRESS")
    name = creation["LogicalResourceId"]
    account.stack.resources[name] = MADE_UP
    delete = account.request("Delete", DesiredState="OFFLINE", PhysicalResourceId=MADE_UP)
    return delete | {"LogicalResourceId": name}


# 1. Every write is conditional on the row as it was read.


def test_two_deliveries_that_both_find_no_effect_give_one_command(account: Account) -> None:
    account.emulator.set(stop_s=60)
    event = account.request("Create", DesiredState="OFFLINE")
    account.border.before("StopServer", kill)
    account.die(event)
    account.border.before("PutItem", lambda: account.invoke(event))
    account.invoke(event)
    assert account.commands == ["StopServer"]
    first, second = account.store.answers
    assert first == second
    assert first["Status"] == "SUCCESS"


# 2. A command leaves soon after its intention, or not; no look is believed before that.


@pytest.mark.parametrize(("after_s", "leaves"), [(5, True), (6, False)])
def test_a_command_leaves_five_seconds_after_its_intention_at_the_latest(
    account: Account, after_s: int, *, leaves: bool
) -> None:
    account.border.after("PutItem", None, lambda: account.clock.sleep(after_s))
    began_s = account.clock.now()
    assert account.send("Create", DesiredState="OFFLINE")["Status"] == "SUCCESS"
    # Else the quiet time passes first.
    assert (account.clock.now() - began_s < QUIET_S) is leaves


def test_who_stood_still_before_a_command_gives_it_no_more(account: Account) -> None:
    account.emulator.set(stop_s=60)
    event = account.request("Create", DesiredState="OFFLINE")

    def stand_still() -> None:
        account.clock.sleep(QUIET_S + 1)
        account.invoke(event)

    account.border.after("PutItem", None, stand_still)
    account.invoke(event)
    assert account.commands == ["StopServer"]
    assert [answer["Status"] for answer in account.store.answers] == ["SUCCESS"] * 2


def test_a_command_that_may_be_on_its_way_is_not_repeated_before_the_quiet_time(
    account: Account,
) -> None:
    event = account.request("Create", DesiredState="OFFLINE")
    account.border.before("StopServer", kill)
    account.die(event)
    intended_s = account.clock.now()
    assert account.settle(event)["Status"] == "SUCCESS"
    (stop,) = [call for call in account.emulator.calls() if call.operation == "StopServer"]
    assert QUIET_S <= stop.at_s - intended_s < QUIET_S + 3


# 3. When an earlier request commanded survives claims and tombstones.


@pytest.mark.parametrize("answer", ["never", "before the Delete"])
def test_a_restoration_does_not_believe_a_look_from_before_the_command_it_undoes(
    account: Account, answer: str
) -> None:
    account.emulator.set(read_lag_s=10, stop_s=3, start_s=60)
    creation = account.request("Create", DesiredState="OFFLINE")
    if answer == "never":
        account.border.after("StopServer", kill)
        account.die(creation)
    else:
        account.settle(creation)
        account.emulator.set(read_lag_s=14)
    restored = account.settle(rolls_back(account, creation))
    assert restored["Status"] == "SUCCESS"
    assert account.state is State.ONLINE
    assert account.commands == ["StopServer", "StartServer"]


def test_nor_where_the_command_was_given_after_the_restoration_was_sent(account: Account) -> None:
    """Both were delivered late, the deletion last."""
    account.emulator.set(read_lag_s=10, stop_s=3, start_s=60)
    creation = account.request("Create", DesiredState="OFFLINE")
    deletion = rolls_back(account, creation)
    account.clock.sleep(20)
    account.border.after("StopServer", kill)
    account.die(creation)
    assert account.settle(deletion)["Status"] == "SUCCESS"
    assert account.state is State.ONLINE
    assert account.commands == ["StopServer", "StartServer"]


# 4. Of one second, a deletion comes last; what was superseded never claims again.


def test_a_creation_that_is_delivered_after_its_deletion_of_the_same_second_is_over(
    account: Account,
) -> None:
    creation = account.request("Create", DesiredState="OFFLINE")
    account.settle(rolls_back(account, creation))
    late = account.settle(creation)
    assert late["Status"] == "FAILED"
    assert account.commands == []


def test_a_creation_that_is_delivered_again_after_its_deletion_is_over(account: Account) -> None:
    creation = account.request("Create", DesiredState="OFFLINE")
    account.settle(creation)
    account.clock.sleep(-account.clock.slept_s[0])
    account.settle(rolls_back(account, creation))
    assert account.settle(creation)["Status"] == "FAILED"
    assert account.commands == ["StopServer", "StartServer"]
    assert account.state is State.ONLINE
    assert account.row.released


def test_an_update_that_was_superseded_in_the_same_second_never_claims_again(
    account: Account,
) -> None:
    given = f"{account.server_id}:from-ONLINE"
    first = account.request("Update", DesiredState="OFFLINE", PhysicalResourceId=given)
    second = account.request("Update", DesiredState="ONLINE", PhysicalResourceId=given)
    account.border.before("StopServer", kill)
    account.die(first)
    assert account.settle(second)["Status"] == "SUCCESS"
    assert account.settle(first)["Status"] == "FAILED"
    assert account.commands == []


# 5. A deletion, or an undo, that comes before its request leaves a tombstone.


def test_a_creation_that_is_delivered_after_its_deletion_is_over(account: Account) -> None:
    creation = account.request("Create", DesiredState="OFFLINE")
    account.clock.sleep(5)
    assert account.settle(rolls_back(account, creation))["Status"] == "SUCCESS"
    assert account.row.released
    assert account.settle(creation)["Status"] == "FAILED"
    assert account.commands == []


def test_a_replacement_that_is_delivered_after_its_undo_is_over(account: Account) -> None:
    old = account.send("Create", DesiredState="ONLINE")["PhysicalResourceId"]
    before = {"ServerId": account.server_id, "DesiredState": "ONLINE"}
    after = {"ServerId": account.new_server(), "DesiredState": "OFFLINE"}
    replacement = account.request(
        "Update", **after, PhysicalResourceId=old, OldResourceProperties=before
    )
    account.clock.sleep(5)
    account.become("UPDATE_ROLLBACK_IN_PROGRESS")
    undo = account.send("Update", **before, PhysicalResourceId=old, OldResourceProperties=after)
    assert undo["Status"] == "SUCCESS"
    assert account.settle(replacement)["Status"] == "FAILED"
    assert account.commands == []
    assert account.row_of(after["ServerId"]).released


# 6. A deletion that finds the row with another owner fails a claim that is under way.


def test_a_renamed_resource_that_is_cancelled_before_its_claim_does_not_claim(
    account: Account,
) -> None:
    account.send("Create", DesiredState="OFFLINE")
    account.become("UPDATE_IN_PROGRESS")
    account.clock.sleep(60)
    renamed = account.request("Create", DesiredState="ONLINE", LogicalResourceId="Renamed")

    def cancel() -> None:
        account.clock.sleep(5)
        account.become("UPDATE_ROLLBACK_IN_PROGRESS")
        account.send(
            "Delete",
            DesiredState="ONLINE",
            LogicalResourceId="Renamed",
            PhysicalResourceId=MADE_UP,
        )

    account.border.before("PutItem", cancel)
    account.invoke(renamed)
    assert account.store.answers[-1]["Status"] == "FAILED"
    assert account.row.owner.logical_id == "State"
    assert account.commands == ["StopServer"]


# 7. A stack that was not complete before its deletion owes what it found.


@pytest.mark.parametrize(
    "past",
    [
        ["ROLLBACK_IN_PROGRESS", "ROLLBACK_FAILED"],
        ["CREATE_FAILED", "UPDATE_IN_PROGRESS", "UPDATE_FAILED"],
        ["CREATE_FAILED", *["UPDATE_IN_PROGRESS", "UPDATE_FAILED"] * 3],
        ["ROLLBACK_IN_PROGRESS", "ROLLBACK_FAILED", "DELETE_IN_PROGRESS", "DELETE_FAILED"],
        ["DELETE_IN_PROGRESS", "DELETE_FAILED"],
        ["CREATE_FAILED"],
    ],
    ids=", ".join,
)
def test_the_deletion_of_a_stack_that_never_was_complete_restores(
    account: Account, past: list[str]
) -> None:
    created = account.send("Create", DesiredState="OFFLINE")["PhysicalResourceId"]
    for status in [*past, "DELETE_IN_PROGRESS"]:
        account.clock.sleep(60)
        account.become(status)
    account.send("Delete", DesiredState="OFFLINE", PhysicalResourceId=created)
    assert account.state is State.ONLINE


# 8. Whether a creation was ever answered is remembered apart from the answer.


def test_an_answer_that_cloudformation_never_took_is_undone(account: Account) -> None:
    creation = account.request("Create", DesiredState="OFFLINE")
    account.store.statuses.extend([503] * 5)
    with pytest.raises(Exception, match="did not take the answer"):
        account.invoke(creation)
    assert account.row.held
    later_deployment_removes_it(account)
    account.send("Delete", DesiredState="OFFLINE", PhysicalResourceId=MADE_UP)
    assert account.state is State.ONLINE


def test_a_creation_that_failed_after_its_command_is_undone(account: Account) -> None:
    account.emulator.set(stop_failures=1)
    failed = account.send("Create", DesiredState="OFFLINE")
    assert failed["Status"] == "FAILED"
    later_deployment_removes_it(account)
    given = failed["PhysicalResourceId"]
    account.send("Delete", DesiredState="OFFLINE", PhysicalResourceId=given)
    assert account.state is State.ONLINE


def later_deployment_removes_it(account: Account) -> None:
    """Nothing was rolled back (--disable-rollback), and the stack has been mended since."""
    for status in ("CREATE_FAILED", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"):
        account.clock.sleep(60)
        account.become(status)


def test_an_update_that_never_answered_leaves_the_creation_answered(account: Account) -> None:
    created = account.send("Create", DesiredState="OFFLINE")["PhysicalResourceId"]
    account.become("CREATE_COMPLETE")
    account.clock.sleep(60)
    account.border.before("DescribeServer", kill)
    account.die(
        account.request("Update", DesiredState="OFFLINE", PhysicalResourceId=created, Triggers=[1])
    )
    account.become("DELETE_IN_PROGRESS")
    account.clock.sleep(60)
    account.send("Delete", DesiredState="OFFLINE", PhysicalResourceId=created)
    assert account.state is State.OFFLINE


# 9. Nobody is gone while their stack is at work; at rest, what is listed must name the server.


@pytest.mark.parametrize(
    ("status", "listed", "lives"),
    [
        ("CREATE_IN_PROGRESS", "", True),
        ("DELETE_IN_PROGRESS", "", True),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", f"{NO_SERVER}:from-ONLINE", True),
        ("UPDATE_COMPLETE", f"{NO_SERVER}:from-ONLINE", False),
        ("UPDATE_COMPLETE", MADE_UP, False),
        ("UPDATE_COMPLETE", "", False),
        ("UPDATE_ROLLBACK_FAILED", "", True),
    ],
)
def test_an_owner_is_gone_when_its_stack_rests_and_lists_it_no_more(
    account: Account, status: str, listed: str, *, lives: bool
) -> None:
    account.send("Create", DesiredState="OFFLINE")
    account.stack.resources = {"State": listed} if listed else {}
    account.become(status)
    account.clock.sleep(60)
    rival = account.new_stack(account.stack.stack_id.replace("/demo/", "/rival/"))
    answer = account.send("Create", DesiredState="ONLINE", StackId=rival.stack_id)
    assert answer["Status"] == ("FAILED" if lives else "SUCCESS")
    assert (account.state is State.OFFLINE) is lives
    assert account.row.owner.name == ("demo/State" if lives else "rival/State")
