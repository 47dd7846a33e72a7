"""What the plan says is what the handler then does, and every answer has its reason in words."""

from itertools import product
from typing import Any

import pytest

from local.emulator import State
from tests.fakes.account import FUNCTION, NO_SERVER, OTHER_STACK, STACK, TABLE, Account
from tests.fakes.errors import client_error
from transfer_server_state import machine
from transfer_server_state.aws.client import Aws, RefusedError, UnavailableError
from transfer_server_state.aws.registry import Registry
from transfer_server_state.aws.server import Server
from transfer_server_state.aws.stack import Stacks
from transfer_server_state.plan import plan
from transfer_server_state.planned import (
    KNOWN_AFTER_APPLY,
    Action,
    Change,
    Deployment,
    Planned,
    Present,
    ServerUpdate,
)
from transfer_server_state.request import Owner

OWNER = Owner(STACK, "State")
STATES = list(State)
DESIRED = ("ONLINE", "OFFLINE")


def present(account: Account) -> Present:
    return Present(
        state=lambda server_id: Server(account.aws, server_id).find(),
        row=Registry(account.aws, TABLE).read,
        stacks=Stacks(account.aws),
        raises=(RefusedError, UnavailableError),
        now_s=account.clock.now(),
    )


def change_of(event: dict[str, Any]) -> Change:
    """The change for which CloudFormation sends an event."""
    deletes = event["RequestType"] == "Delete"
    after = event["ResourceProperties"]
    return Change(
        Owner(event["StackId"], event["LogicalResourceId"]),
        before=after if deletes else event.get("OldResourceProperties"),
        after=None if deletes else after,
        physical_id=event.get("PhysicalResourceId", ""),
    )


def planned(
    account: Account, *changes: Change, updates: tuple[ServerUpdate, ...] = ()
) -> list[Planned]:
    return plan(Deployment(list(changes), list(updates)), present(account))


def the_one(account: Account, change: Change) -> Planned:
    (only,) = planned(account, change)
    return only


def declared(account: Account, **properties: Any) -> dict[str, Any]:
    """Declare the server, and return what the next request of its stack carries."""
    before = {
        "ServiceToken": FUNCTION,
        "ServerId": account.server_id,
        "DesiredState": "OFFLINE",
        **properties,
    }
    answer = account.send("Create", **before)
    assert answer["Status"] == "SUCCESS"
    account.become("CREATE_COMPLETE")
    account.clock.sleep(60)
    return {"OldResourceProperties": before, "PhysicalResourceId": answer["PhysicalResourceId"]}


def changing(**properties: Any) -> Change:
    usual = {"ServiceToken": FUNCTION, "ServerId": NO_SERVER, "DesiredState": "OFFLINE"}
    return Change(OWNER, None, {**usual, **properties})


def bring(account: Account, server_id: str, state: State) -> None:
    """Let a server be in a state, or on its way for half a minute."""
    account.emulator.set(start_s=30, stop_s=30)
    moves = {State.STARTING: "start_server", State.STOPPING: "stop_server"}
    before = {State.STARTING: State.OFFLINE, State.STOPPING: State.ONLINE}
    account.emulator.put(server_id, before.get(state, state))
    if state in moves:
        getattr(account.transfer, moves[state])(ServerId=server_id)


def commands_of(account: Account, event: dict[str, Any]) -> list[str]:
    """The commands that the handler gives for an event."""
    before = len(account.commands)
    account.settle(event)
    return account.commands[before:]


@pytest.mark.parametrize(("state", "desired"), list(product(STATES, DESIRED)))
def test_a_creation_s_plan_is_the_command_that_the_handler_gives(
    account: Account, state: State, desired: str
) -> None:
    bring(account, account.server_id, state)
    event = account.request("Create", DesiredState=desired)
    foretold = the_one(account, change_of(event))
    assert commands_of(account, event) == ([foretold.command] if foretold.command else [])
    assert (foretold.actual, foretold.desired, foretold.happens) == (
        *(machine.State(state), desired),
        foretold.action is not Action.NOTHING,
    )


@pytest.mark.parametrize(
    ("state", "desired", "was", "drift"),
    list(product(STATES, DESIRED, DESIRED, ("REPORT", "REASSERT"))),
)
def test_an_update_s_plan_is_the_command_that_the_handler_gives(
    account: Account, state: State, desired: str, was: str, drift: str
) -> None:
    known = declared(account, DesiredState=was)
    bring(account, account.server_id, state)
    account.become("UPDATE_IN_PROGRESS")
    event = account.request("Update", DesiredState=desired, OnDrift=drift, **known)
    foretold = the_one(account, change_of(event))
    assert commands_of(account, event) == ([foretold.command] if foretold.command else [])


@pytest.mark.parametrize(("state", "on_delete"), list(product(STATES, ("RETAIN", "RESTORE"))))
def test_a_deletion_s_plan_is_the_command_that_the_handler_gives(
    account: Account, state: State, on_delete: str
) -> None:
    known = declared(account, OnDelete=on_delete)
    bring(account, account.server_id, state)
    event = account.request(
        "Delete",
        PhysicalResourceId=known["PhysicalResourceId"],
        **known["OldResourceProperties"],
    )
    foretold = the_one(account, change_of(event))
    account.become("DELETE_IN_PROGRESS")
    assert commands_of(account, event) == ([foretold.command] if foretold.command else [])


@pytest.mark.parametrize(
    ("state", "other", "desired"),
    # Neither server's state decides what becomes of the other: each with two of the other's.
    [
        (state, STATES[(number + ahead) % len(STATES)], desired)
        for (number, state), ahead, desired in product(enumerate(STATES), (0, 1), DESIRED)
    ],
)
def test_a_replacement_s_plan_tells_of_both_servers(
    account: Account, state: State, other: State, desired: str
) -> None:
    known = declared(account, OnDelete="RESTORE")
    new = account.new_server()
    account.clock.sleep(60)
    bring(account, account.server_id, state)
    bring(account, new, other)
    account.become("UPDATE_IN_PROGRESS")
    event = account.request(
        "Update", ServerId=new, DesiredState=desired, OnDelete="RESTORE", **known
    )
    brought, left = planned(account, change_of(event))
    assert (brought.server_id, brought.replaces) == (new, account.server_id)
    assert left.server_id == account.server_id
    assert commands_of(account, event) == ([brought.command] if brought.command else [])
    clean_up = account.request("Delete", **known["OldResourceProperties"])
    clean_up["PhysicalResourceId"] = known["PhysicalResourceId"]
    account.become("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
    assert commands_of(account, clean_up) == ([left.command] if left.command else [])


def test_what_is_so_already_is_nothing(account: Account) -> None:
    account.state = State.OFFLINE
    foretold = the_one(account, changing(ServerId=account.server_id))
    assert (foretold.action, foretold.happens, foretold.notice) == (Action.NOTHING, False, "")


def test_a_stop_tells_what_users_notice_what_it_costs_and_how_long_it_took(
    account: Account,
) -> None:
    known = declared(account)
    account.send("Update", DesiredState="ONLINE", **known)
    account.clock.sleep(60)
    account.state = State.OFFLINE
    before = known["OldResourceProperties"]
    after = {**before, "DesiredState": "ONLINE", "Triggers": ["a secret"]}
    foretold = the_one(account, Change(OWNER, before, after, known["PhysicalResourceId"]))
    assert (foretold.action, foretold.notice) == (Action.START, "Users can connect again.")
    assert foretold.reason == "changed: DesiredState OFFLINE -> ONLINE, Triggers"
    assert foretold.last_s is not None
    assert foretold.last_s >= 15
    account.state = State.ONLINE
    stop = the_one(account, changing(ServerId=account.server_id))
    assert stop.action is Action.STOP
    assert "OFFLINE costs as much as ONLINE" in stop.notice
    assert stop.last_s is None


def test_what_is_created_again_is_not_the_first_declaration(account: Account) -> None:
    first = changing(ServerId=account.server_id)
    assert the_one(account, first).reason == "declared for the first time"
    declared(account)
    assert the_one(account, first).reason == "declared anew"


def test_every_violation_is_told_at_once(account: Account) -> None:
    refused = the_one(account, changing(DesiredState="OFLINE", Server="x", OnDelete="KEEP"))
    assert refused.action is Action.REFUSED
    assert refused.fails
    for name in ("DesiredState", "Server:", "OnDelete"):
        assert name in refused.reason
    assert "did you mean OFFLINE?" in refused.reason


def test_a_server_that_is_not_there_or_is_elsewhere_is_refused(account: Account) -> None:
    gone = the_one(account, changing())
    assert (gone.action, gone.actual) == (Action.REFUSED, None)
    assert gone.reason.startswith(f"{NO_SERVER} does not exist. Check ServerId")
    arn = "arn:aws:transfer:us-east-1:111111111111:server/s-0123456789abcdef0"
    there = the_one(account, changing(ServerId=arn))
    assert there.action is Action.REFUSED
    assert "us-east-1" in there.reason


def test_a_rival_is_refused_with_both_names(account: Account) -> None:
    declared(account)
    account.new_stack(OTHER_STACK)
    rival = Change(Owner(OTHER_STACK, "Mine"), None, changing(ServerId=account.server_id).after)
    refused = the_one(account, rival)
    assert (refused.action, refused.actual) == (Action.REFUSED, machine.State.OFFLINE)
    assert "demo/State" in refused.reason
    assert "other/Mine" in refused.reason


def test_a_rollback_leaves_a_rival_s_server_as_it_is(account: Account) -> None:
    declared(account)
    account.new_stack(OTHER_STACK, status="UPDATE_ROLLBACK_IN_PROGRESS")
    after = changing(ServerId=account.server_id, DesiredState="ONLINE").after
    yields = the_one(account, Change(Owner(OTHER_STACK, "Mine"), changing().after, after))
    assert (yields.action, yields.command, yields.fails) == (Action.NOTHING, None, False)
    # Neither a server's id nor a stack's name is written with a capital.
    assert yields.told.startswith(f"{account.server_id} is left as it is.")
    assert ". ." not in yields.told


def test_a_resource_under_a_new_name_takes_over_and_the_old_one_changes_nothing(
    account: Account,
) -> None:
    known = declared(account, OnDelete="RESTORE")
    before = known["OldResourceProperties"]
    old = Change(OWNER, before, None, known["PhysicalResourceId"])
    new = Change(Owner(STACK, "Renamed"), None, before)
    taken, left = planned(account, old, new)
    assert (taken.resource, taken.action) == ("demo/Renamed", Action.NOTHING)
    assert "taken over from demo/State" in taken.reason
    assert (left.resource, left.action) == ("demo/State", Action.NOTHING)


def test_who_takes_a_server_whose_row_was_lost_has_it_and_who_had_it_restores_nothing(
    account: Account,
) -> None:
    known = declared(account, OnDelete="RESTORE")
    account.dynamodb.delete_item(TableName=TABLE, Key={"ServerId": {"S": account.server_id}})
    create = account.request(
        "Create", LogicalResourceId="Renamed", **known["OldResourceProperties"]
    )
    delete = account.request("Delete", **known["OldResourceProperties"])
    delete["PhysicalResourceId"] = known["PhysicalResourceId"]
    taken, left = planned(account, change_of(delete), change_of(create))
    assert (taken.resource, taken.action) == ("demo/Renamed", Action.NOTHING)
    assert (left.resource, left.action) == ("demo/State", Action.NOTHING)
    assert [commands_of(account, event) for event in (create, delete)] == [[], []]


def test_a_restore_that_only_waits_names_no_command(account: Account) -> None:
    known = declared(account, OnDelete="RESTORE")
    bring(account, account.server_id, State.STARTING)
    old = Change(OWNER, known["OldResourceProperties"], None, known["PhysicalResourceId"])
    left = the_one(account, old)
    assert (left.what, left.command) == ("restore", None)


@pytest.mark.parametrize(
    ("state", "action"), [(State.ONLINE, Action.NOTHING), (State.OFFLINE, Action.RESTORE)]
)
def test_a_deletion_restores_only_what_is_not_as_it_was_found(
    account: Account, state: State, action: Action
) -> None:
    known = declared(account, OnDelete="RESTORE")
    account.state = state
    deletion = Change(OWNER, known["OldResourceProperties"], None, known["PhysicalResourceId"])
    left = the_one(account, deletion)
    assert (left.action, left.reason) == (action, "it was found ONLINE")


def test_a_resource_that_is_retained_is_no_request(account: Account) -> None:
    known = declared(account, OnDelete="RESTORE")
    change = Change(
        *(OWNER, known["OldResourceProperties"], None, known["PhysicalResourceId"]), retained=True
    )
    kept = the_one(account, change)
    assert kept.action is Action.NOTHING
    assert kept.reason == "its DeletionPolicy leaves the declaration standing"


@pytest.mark.parametrize(
    ("unknown", "named"),
    [
        ({"ServerId": KNOWN_AFTER_APPLY}, "ServerId"),
        ({"DesiredState": KNOWN_AFTER_APPLY}, "DesiredState"),
        ({"DesiredState": "{{resolve:ssm:/state}}"}, "DesiredState"),
        ({"ServerId": "****"}, "ServerId"),
        ({"ServerId": f"arn:{KNOWN_AFTER_APPLY}"}, "ServerId"),
        ({"ServerId": KNOWN_AFTER_APPLY, "DesiredState": "****"}, "ServerId and DesiredState"),
    ],
)
def test_what_is_not_known_yet_is_neither_guessed_nor_failed(
    account: Account, unknown: dict[str, str], named: str
) -> None:
    foretold = the_one(account, changing(**unknown))
    assert (foretold.action, foretold.fails) == (Action.UNKNOWN, False)
    assert foretold.reason == f"{named}: known once it is applied"
    assert foretold.server_id == ("" if "ServerId" in unknown else NO_SERVER)
    assert foretold.desired == (None if "DesiredState" in unknown else "OFFLINE")
    assert account.operations == []


def test_an_unknown_value_hides_no_other_mistake(account: Account) -> None:
    refused = the_one(
        account,
        changing(ServerId=KNOWN_AFTER_APPLY, DesiredState="OFF", Sever=KNOWN_AFTER_APPLY),
    )
    assert refused.action is Action.REFUSED
    assert "DesiredState" in refused.reason
    assert "Sever: there is no such property" in refused.reason
    optional = the_one(account, changing(ServerId=account.server_id, OnDelete=KNOWN_AFTER_APPLY))
    assert optional.action is Action.STOP


@pytest.mark.parametrize(
    ("properties", "then"),
    [
        (
            {},
            "demo/State declares it OFFLINE, and nobody stops it again without OnDrift: REASSERT "
            "or a change of Triggers",
        ),
        (
            {"OnDrift": "REASSERT"},
            "demo/State declares it OFFLINE, and the guard stops it right after",
        ),
        ({"DesiredState": "ONLINE"}, "nobody declares it OFFLINE"),
    ],
)
def test_an_update_of_the_server_itself_is_told_as_the_restart_that_it_is(
    account: Account, properties: dict[str, str], then: str
) -> None:
    declared(account, **properties)
    account.state = State.OFFLINE
    update = ServerUpdate(Owner(STACK, "Server"), account.server_id)
    (restart,) = planned(account, updates=(update,))
    assert restart.line == f"demo/Server: {account.server_id}: OFFLINE -> ONLINE: started by AWS"
    assert restart.told == (
        f"AWS starts an OFFLINE server at every update of its AWS::Transfer::Server; {then}. "
        "Users can connect until it is stopped again."
    )
    account.state = State.ONLINE
    assert planned(account, updates=(update,)) == []


def test_a_restart_that_the_same_deployment_undoes_is_told_with_what_undoes_it(
    account: Account,
) -> None:
    known = declared(account)
    before = known["OldResourceProperties"]
    change = Change(OWNER, before, {**before, "Triggers": ["2"]}, known["PhysicalResourceId"])
    update = ServerUpdate(Owner(STACK, "Server"), account.server_id)
    restart, stop = planned(account, change, updates=(update,))
    assert "this deployment then declares it OFFLINE" in restart.reason
    assert (stop.action, stop.actual) == (Action.STOP, machine.State.ONLINE)


def test_what_cannot_be_read_is_said_and_the_rest_is_planned(account: Account) -> None:
    other = account.new_server()
    account.clock.sleep(60)
    failure = client_error("AccessDeniedException", 403, "DescribeServer", "not you")
    denied = {account.server_id}

    class Denying:
        def describe_server(self, ServerId: str) -> Any:
            if ServerId in denied:
                raise failure
            return account.transfer.describe_server(ServerId=ServerId)

    account.aws = Aws({"transfer": Denying(), "dynamodb": account.dynamodb}.__getitem__)
    first, second = planned(
        account,
        changing(ServerId=account.server_id),
        Change(Owner(STACK, "Second"), None, changing(ServerId=other).after),
    )
    assert (first.action, first.fails) == (Action.UNKNOWN, True)
    assert first.reason.startswith("transfer:DescribeServer: AccessDeniedException")
    assert second.action is Action.STOP


def test_a_request_that_is_at_work_is_named(account: Account) -> None:
    known = declared(account)
    bring(account, account.server_id, State.STARTING)
    before = known["OldResourceProperties"]
    event = account.request("Update", **{**before, "DesiredState": "ONLINE"}, **known)
    account.timeout_s = 10
    account.invoke(event)
    change = Change(OWNER, before, {**before, "Triggers": ["2"]}, known["PhysicalResourceId"])
    foretold = the_one(account, change)
    assert foretold.reason.startswith("changed: Triggers, once the request of demo/State is over")
