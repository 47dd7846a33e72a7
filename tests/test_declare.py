"""Create and Update: real events in, what CloudFormation and the Transfer API saw out."""

from itertools import pairwise

import pytest

from local.emulator import State
from tests.lab import ACCOUNT, NO_SERVER, REGION, Account

OPPOSITE = {"ONLINE": "OFFLINE", "OFFLINE": "ONLINE"}
COMMAND = {"ONLINE": "StartServer", "OFFLINE": "StopServer"}
DESIRED = pytest.mark.parametrize("desired", ["ONLINE", "OFFLINE"])


def arn(account: Account) -> str:
    return f"arn:aws:transfer:{REGION}:{ACCOUNT}:server/{account.server_id}"


def test_create_makes_it_so_and_returns_what_get_att_finds(account: Account) -> None:
    account.emulator.set(stop_s=100)
    answer = account.send("Create", DesiredState="OFFLINE", ServerId=arn(account))
    assert answer["Status"] == "SUCCESS"
    assert account.state is State.OFFLINE
    assert answer["PhysicalResourceId"] == f"{account.server_id}:from-ONLINE"
    assert answer["Data"] == {
        "ServerId": account.server_id,
        "Arn": arn(account),
        "State": "OFFLINE",
        "PreviousState": "ONLINE",
    }


@DESIRED
@pytest.mark.parametrize("observed", State)
def test_create_and_update_make_it_so_from_any_state_with_one_command_at_most(
    account: Account, desired: str, observed: State
) -> None:
    account.emulator.set(start_s=40, stop_s=40)
    moving = {
        State.STARTING: ("OFFLINE", "start_server"),
        State.STOPPING: ("ONLINE", "stop_server"),
    }
    if observed in moving:
        before, command = moving[observed]
        account.state = State(before)
        getattr(account.transfer, command)(ServerId=account.server_id)
    else:
        account.state = observed
    commands_before = len(account.commands)
    answer = account.send("Create", DesiredState=desired)
    commands = account.commands[commands_before:]
    assert answer["Status"] == "SUCCESS"
    assert account.state == desired
    settles = {State.STARTING: "ONLINE", State.STOPPING: "OFFLINE"}.get(observed, observed)
    assert commands == ([] if settles == desired else [COMMAND[desired]])
    assert answer["Data"]["PreviousState"] == observed


@DESIRED
def test_equal_states_mean_no_command(account: Account, desired: str) -> None:
    account.state = State(desired)
    answer = account.send("Create", DesiredState=desired)
    assert (answer["Status"], answer["Data"]["PreviousState"]) == ("SUCCESS", desired)
    assert account.operations == ["DescribeServer"]


@DESIRED
def test_update_keeps_the_id_and_needs_no_second_invocation(account: Account, desired: str) -> None:
    account.state = State(OPPOSITE[desired])
    given = f"{account.server_id}:from-ONLINE"
    answer = account.send("Update", DesiredState=desired, PhysicalResourceId=given)
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", given)
    assert account.commands == [COMMAND[desired]]
    assert account.lambda_.invocations == []


@pytest.mark.parametrize("found", ["ONLINE", "OFFLINE"])
def test_another_server_is_a_replacement_with_the_state_that_it_was_found_in(
    account: Account, found: str
) -> None:
    account.state = State(found)
    given = "s-ffffffffffffffff0:from-OFFLINE"
    answer = account.send("Update", DesiredState="OFFLINE", PhysicalResourceId=given)
    assert answer["PhysicalResourceId"] == f"{account.server_id}:from-{found}"


@DESIRED
def test_a_failure_of_our_command_fails_the_request(account: Account, desired: str) -> None:
    failed = {"ONLINE": State.START_FAILED, "OFFLINE": State.STOP_FAILED}[desired]
    account.state = State(OPPOSITE[desired])
    account.emulator.set(start_s=30, stop_s=30, start_failures=1, stop_failures=1)
    given = f"{account.server_id}:from-ONLINE"
    answer = account.send("Update", DesiredState=desired, PhysicalResourceId=given)
    assert answer["Status"] == "FAILED"
    assert answer["PhysicalResourceId"] == given
    assert answer["Reason"].startswith(
        f"{account.server_id} is {failed}, wanted {desired}, after {COMMAND[desired]}, 3"
    )
    assert answer["Reason"].endswith("then deploy again.")
    assert account.commands == [COMMAND[desired]]


@pytest.mark.parametrize("old", [State.STOP_FAILED, State.START_FAILED])
@DESIRED
def test_an_old_failure_gets_one_try_and_its_stale_read_is_not_believed(
    account: Account, desired: str, old: State
) -> None:
    account.state = old
    account.emulator.set(start_s=30, stop_s=30, read_lag_s=10)
    answer = account.send("Create", DesiredState=desired)
    assert answer["Status"] == "SUCCESS"
    assert account.commands == [COMMAND[desired]]


def test_an_old_failure_that_stays_fails_after_a_grace(account: Account) -> None:
    account.state = State.STOP_FAILED
    account.emulator.set(read_lag_s=10_000)
    began_s = account.clock.now()
    answer = account.send("Create", DesiredState="OFFLINE")
    assert answer["Status"] == "FAILED"
    assert account.commands == ["StopServer"]
    assert 15 <= account.clock.now() - began_s < 25


def test_an_update_that_reverses_a_declaration_does_not_believe_its_first_look(
    account: Account,
) -> None:
    """A cancelled update may have stopped the server behind a lagging read."""
    account.emulator.set(read_lag_s=10, stop_s=60, start_s=60)
    account.transfer.stop_server(ServerId=account.server_id)
    answer = account.send(
        "Update",
        DesiredState="ONLINE",
        OldResourceProperties={"DesiredState": "OFFLINE"},
        PhysicalResourceId=f"{account.server_id}:from-ONLINE",
    )
    assert answer["Status"] == "SUCCESS"
    account.clock.sleep(60)
    assert account.state is State.ONLINE
    assert account.commands == ["StopServer", "StartServer"]


def test_it_looks_after_a_second_and_never_more_than_five_apart(account: Account) -> None:
    account.emulator.set(stop_s=300)
    account.send("Create", DesiredState="OFFLINE")
    looks_s = [c.at_s for c in account.emulator.calls() if c.operation == "DescribeServer"]
    pauses_s = [later - earlier for earlier, later in pairwise(looks_s)]
    assert pauses_s[0] == pytest.approx(1)
    assert max(pauses_s) <= 5


def test_the_end_is_noticed_within_a_fiftieth_of_the_way_to_it(account: Account) -> None:
    for stop_s in (5.1, 17, 60, 300):
        account.state = State.ONLINE
        account.emulator.set(stop_s=stop_s)
        began_s = account.clock.now()
        account.send("Create", DesiredState="OFFLINE")
        assert stop_s <= account.clock.now() - began_s <= 1.02 * stop_s


@pytest.mark.parametrize("timeout", ["60", 600, None])
def test_a_server_that_never_settles_fails_before_the_service_timeout(
    account: Account, timeout: object
) -> None:
    account.emulator.set(stop_s=100_000)
    began_s = account.clock.now()
    declared = {} if timeout is None else {"ServiceTimeout": timeout}
    answer = account.send("Create", DesiredState="OFFLINE", **declared)
    spent_s = account.clock.now() - began_s
    assert answer["Status"] == "FAILED"
    assert 0.74 * int(str(timeout or 3600)) <= spent_s < int(str(timeout or 3600))
    assert f"is STOPPING, wanted OFFLINE, after StopServer, {spent_s:.0f} s" in answer["Reason"]
    assert answer["Reason"].endswith("or raise ServiceTimeout.")
    assert answer["PhysicalResourceId"] == f"{account.server_id}:from-ONLINE"


def test_no_command_is_given_when_the_time_is_up(account: Account) -> None:
    account.state = State.OFFLINE
    account.emulator.set(start_s=44.9)
    account.transfer.start_server(ServerId=account.server_id)
    answer = account.send("Create", DesiredState="OFFLINE", ServiceTimeout="60")
    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith(f"{account.server_id} is ONLINE, wanted OFFLINE, 45 s")
    assert account.commands == ["StartServer"]


def test_a_server_that_does_not_exist_fails_at_once(account: Account) -> None:
    began_s = account.clock.now()
    answer = account.send("Create", DesiredState="OFFLINE", ServerId=NO_SERVER)
    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith(f"{NO_SERVER} is in an unknown state, wanted OFFLINE")
    assert "ResourceNotFoundException" in answer["Reason"]
    assert answer["Reason"].endswith("Check ServerId: it must be in this region and account.")
    assert answer["PhysicalResourceId"] == "not-created"
    assert account.clock.now() == began_s


def test_an_invalid_declaration_is_refused_without_a_call(account: Account) -> None:
    answer = account.send("Create", DesiredState="OFLINE", Color="red")
    assert answer["Status"] == "FAILED"
    assert "did you mean OFFLINE?" in answer["Reason"]
    assert "Color: 'red'" in answer["Reason"]
    assert answer["PhysicalResourceId"] == "not-created"
    assert account.operations == []


def test_an_invalid_update_keeps_the_id(account: Account) -> None:
    given = f"{account.server_id}:from-OFFLINE"
    answer = account.send("Update", DesiredState="x", PhysicalResourceId=given)
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("FAILED", given)


def test_a_replacement_that_fails_before_its_command_keeps_the_old_id(account: Account) -> None:
    given = "s-ffffffffffffffff0:from-OFFLINE"
    answer = account.send(
        "Update", DesiredState="OFFLINE", ServerId=NO_SERVER, PhysicalResourceId=given
    )
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("FAILED", given)


def test_a_replacement_that_fails_after_its_command_answers_the_new_id(account: Account) -> None:
    """So that CloudFormation deletes it, and what was found comes back."""
    account.emulator.set(stop_failures=1)
    given = "s-ffffffffffffffff0:from-OFFLINE"
    answer = account.send("Update", DesiredState="OFFLINE", PhysicalResourceId=given)
    assert answer["Status"] == "FAILED"
    assert answer["PhysicalResourceId"] == f"{account.server_id}:from-ONLINE"
