"""Create and Update: real events in, what CloudFormation and the Transfer API saw out."""

from itertools import pairwise
from typing import Any

import pytest

from local.emulator import State
from tests.fakes.account import ACCOUNT, NO_SERVER, REGION, Account
from tests.fakes.errors import client_error

OPPOSITE = {"ONLINE": "OFFLINE", "OFFLINE": "ONLINE"}
COMMAND = {"ONLINE": "StartServer", "OFFLINE": "StopServer"}
DESIRED = pytest.mark.parametrize("desired", ["ONLINE", "OFFLINE"])


def arn(account: Account, region: str = REGION, partition: str = "aws") -> str:
    return f"arn:{partition}:transfer:{region}:{ACCOUNT}:server/{account.server_id}"


def given(account: Account, request_type: str = "Update") -> dict[str, Any]:
    """What a request has besides its properties."""
    known = {"PhysicalResourceId": f"{account.server_id}:from-ONLINE"}
    return known if request_type == "Update" else {}


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
@pytest.mark.parametrize("request_type", ["Create", "Update"])
def test_create_and_update_make_it_so_from_any_state_with_one_command_at_most(
    account: Account, request_type: str, observed: State, desired: str
) -> None:
    account.emulator.set(start_s=10, stop_s=10)
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
    answer = account.send(request_type, DesiredState=desired, **given(account, request_type))
    assert answer["Status"] == "SUCCESS"
    assert account.state == desired
    settles = {State.STARTING: "ONLINE", State.STOPPING: "OFFLINE"}.get(observed, observed)
    commands = account.commands[commands_before:]
    assert commands == ([] if settles == desired else [COMMAND[desired]])
    assert answer["Data"]["PreviousState"] == observed


@DESIRED
@pytest.mark.parametrize("request_type", ["Create", "Update"])
def test_equal_states_mean_one_look_and_no_command(
    account: Account, request_type: str, desired: str
) -> None:
    account.state = State(desired)
    answer = account.send(request_type, DesiredState=desired, **given(account, request_type))
    assert (answer["Status"], answer["Data"]["PreviousState"]) == ("SUCCESS", desired)
    if desired == "OFFLINE":
        # AWS's own update of the server may just have started it.
        assert 15 <= sum(account.clock.slept_s) <= 17
        assert set(account.operations) == {"DescribeServer"}
    else:
        assert account.operations == ["DescribeServer"]
        assert account.clock.slept_s == []


@DESIRED
@pytest.mark.parametrize("request_type", ["Create", "Update"])
def test_a_transition_of_minutes_takes_one_invocation(
    account: Account, request_type: str, desired: str
) -> None:
    account.state = State(OPPOSITE[desired])
    account.emulator.set(start_s=180, stop_s=180)
    answer = account.send(request_type, DesiredState=desired, **given(account, request_type))
    assert answer["Status"] == "SUCCESS"
    assert account.lambda_.invocations == []


def test_a_transition_costs_a_read_and_three_writes_of_the_registry(account: Account) -> None:
    """Claim, intention and answer."""
    account.send("Create", DesiredState="OFFLINE")
    calls = [call for call in account.border.calls if call.endswith("Item")]
    assert calls == ["GetItem", "PutItem", "PutItem", "PutItem"]


@DESIRED
def test_update_keeps_the_id(account: Account, desired: str) -> None:
    account.state = State(OPPOSITE[desired])
    answer = account.send("Update", DesiredState=desired, **given(account))
    assert answer["PhysicalResourceId"] == given(account)["PhysicalResourceId"]
    assert account.commands == [COMMAND[desired]]


@pytest.mark.parametrize("found", ["ONLINE", "OFFLINE"])
def test_another_server_is_a_replacement_with_the_state_that_it_was_found_in(
    account: Account, found: str
) -> None:
    account.state = State(found)
    old = "s-ffffffffffffffff0:from-OFFLINE"
    answer = account.send("Update", DesiredState="OFFLINE", PhysicalResourceId=old)
    assert answer["PhysicalResourceId"] == f"{account.server_id}:from-{found}"


@DESIRED
def test_a_failure_of_our_command_fails_the_request(account: Account, desired: str) -> None:
    failed = {"ONLINE": State.START_FAILED, "OFFLINE": State.STOP_FAILED}[desired]
    account.state = State(OPPOSITE[desired])
    account.emulator.set(start_s=30, stop_s=30, start_failures=1, stop_failures=1)
    answer = account.send("Update", DesiredState=desired, **given(account))
    assert answer["Status"] == "FAILED"
    assert answer["PhysicalResourceId"] == given(account)["PhysicalResourceId"]
    assert answer["Reason"].startswith(
        f"{account.server_id} is {failed}, wanted {desired}, after {COMMAND[desired]}, 3"
    )
    assert "AWS Support" in answer["Reason"]
    assert "then deploy again. [" in answer["Reason"]
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


def test_a_command_that_is_refused_for_good_fails_though_the_server_could_still_move(
    account: Account,
) -> None:
    refused = client_error("InvalidRequestException", 400, "StopServer", "not this one")
    account.border.before("StopServer", refused)
    began_s = account.clock.now()
    answer = account.send("Create", DesiredState="OFFLINE")
    assert answer["Status"] == "FAILED"
    assert "transfer:StopServer: InvalidRequestException: not this one" in answer["Reason"]
    assert 15 <= account.clock.now() - began_s < 25
    assert account.border.calls.count("StopServer") == 1


def test_a_refused_command_fails_once_a_lagging_read_is_ruled_out(account: Account) -> None:
    account.state = State.STOP_FAILED
    account.emulator.set(command_after_failure="strict")
    began_s = account.clock.now()
    answer = account.send("Create", DesiredState="OFFLINE")
    assert answer["Status"] == "FAILED"
    assert "transfer:StopServer: InvalidRequestException" in answer["Reason"]
    assert 15 <= account.clock.now() - began_s < 25
    assert account.commands == ["StopServer"]


def test_a_refused_command_does_not_matter_where_the_server_was_on_its_way(
    account: Account,
) -> None:
    """Somebody else's stop is behind a lagging read, and ours is refused for that."""
    account.emulator.set(stop_s=30, read_lag_s=10, command_in_transition="strict")
    account.transfer.stop_server(ServerId=account.server_id)
    assert account.send("Create", DesiredState="OFFLINE")["Status"] == "SUCCESS"
    assert account.commands == ["StopServer"] * 2


# When a look is doubted: AWS's own update, or a command before, may just have moved the server


@pytest.mark.parametrize(
    ("desired", "changed"),
    [
        ("ONLINE", {"DesiredState": "OFFLINE"}),
        ("OFFLINE", {"Triggers": ["1"]}),
        ("OFFLINE", {"OnDelete": "RESTORE"}),
        ("OFFLINE", {"OnDrift": "REASSERT"}),
        ("OFFLINE", {"ServiceTimeout": "1800"}),
    ],
    ids=["reversal", "triggers", "OnDelete", "OnDrift", "ServiceTimeout"],
)
@pytest.mark.parametrize("lag_s", [2, 8, 14])
def test_an_update_does_not_believe_a_look_that_may_be_older_than_what_caused_it(
    account: Account, desired: str, changed: dict[str, Any], lag_s: float
) -> None:
    """AWS starts a server when it is updated, and a cancelled update may have stopped it."""
    account.state = State(desired)
    account.clock.sleep(60)
    account.emulator.set(read_lag_s=lag_s, stop_s=30, start_s=30)
    if desired == "ONLINE":
        account.transfer.stop_server(ServerId=account.server_id)
    else:
        account.transfer.start_server(ServerId=account.server_id)
    answer = account.send(
        "Update",
        DesiredState=desired,
        Triggers=["2"],
        OldResourceProperties={"DesiredState": desired, "Triggers": ["2"]} | changed,
        **given(account),
    )
    assert answer["Status"] == "SUCCESS"
    account.clock.sleep(60)
    assert account.state == desired
    assert len(account.commands) == 2


@pytest.mark.parametrize(
    ("desired", "changed", "doubted"),
    [
        ("OFFLINE", {"DesiredState": "ONLINE"}, True),
        ("OFFLINE", {"Triggers": ["1"]}, True),
        ("OFFLINE", {"OnDelete": "RESTORE"}, True),
        ("ONLINE", {"DesiredState": "OFFLINE"}, True),
        ("ONLINE", {"Triggers": ["1"]}, True),
        # AWS's own update leaves it ONLINE, too.
        ("ONLINE", {"OnDelete": "RESTORE"}, False),
    ],
    ids=str,
)
def test_an_update_costs_fifteen_seconds_where_something_may_just_have_moved_the_server(
    account: Account, desired: str, changed: dict[str, Any], *, doubted: bool
) -> None:
    account.state = State(desired)
    answer = account.send(
        "Update",
        DesiredState=desired,
        OldResourceProperties={"DesiredState": desired} | changed,
        **given(account),
    )
    assert answer["Status"] == "SUCCESS"
    waited_s = sum(account.clock.slept_s)
    assert (15 <= waited_s < 17) if doubted else waited_s == 0


@pytest.mark.parametrize("before", ["ONLINE", "OFFLINE"])
def test_the_least_service_timeout_is_enough_for_a_reversal(account: Account, before: str) -> None:
    account.state = State.OFFLINE
    answer = account.send(
        "Update",
        DesiredState="OFFLINE",
        ServiceTimeout="30",
        OldResourceProperties={"DesiredState": before, "Triggers": ["1"]},
        **given(account),
    )
    assert answer["Status"] == "SUCCESS"
    assert sum(account.clock.slept_s) < 30


@pytest.mark.parametrize("gap_s", [0.5, 2, 4])
def test_nor_does_the_reversal_of_an_update_that_is_under_way_need_more(
    account: Account, gap_s: float
) -> None:
    account.emulator.set(start_s=3, stop_s=3)
    account.clock.sleep(60)
    least = {"ServiceTimeout": "30", **given(account)}
    online, offline = ({"DesiredState": state} for state in ("ONLINE", "OFFLINE"))
    told: dict[str, Any] = {}

    def cancel() -> None:
        account.become("UPDATE_ROLLBACK_IN_PROGRESS")
        told.update(account.send("Update", **online, **least, OldResourceProperties=offline))

    account.clock.after(gap_s, cancel)
    account.invoke(account.request("Update", **offline, **least, OldResourceProperties=online))
    assert (told["Status"], account.state) == ("SUCCESS", State.ONLINE)


# How long it takes


def test_it_looks_each_second_at_first_and_never_further_apart_than_it_promises(
    account: Account,
) -> None:
    account.emulator.set(stop_s=300)
    account.send("Create", DesiredState="OFFLINE")
    looks_s = [c.at_s for c in account.emulator.calls() if c.operation == "DescribeServer"]
    pauses_s = [later - earlier for earlier, later in pairwise(looks_s)]
    assert pauses_s[:5] == pytest.approx([1] * 5)
    assert max(pauses_s) <= 1.8 + 1e-6


@pytest.mark.parametrize("stop_s", [5.1, 17, 60, 300])
def test_the_end_is_noticed_within_a_fiftieth_of_the_way_to_it(
    account: Account, stop_s: float
) -> None:
    account.emulator.set(stop_s=stop_s)
    account.send("Create", DesiredState="OFFLINE")
    assert stop_s <= sum(account.clock.slept_s) <= 1.02 * stop_s


@pytest.mark.parametrize("timeout", ["60", 300])
def test_a_server_that_never_settles_fails_before_the_service_timeout(
    account: Account, timeout: object
) -> None:
    account.emulator.set(stop_s=100_000)
    began_s = account.clock.now()
    answer = account.send("Create", DesiredState="OFFLINE", ServiceTimeout=timeout)
    spent_s, whole_s = account.clock.now() - began_s, int(str(timeout))
    assert answer["Status"] == "FAILED"
    assert 0.74 * whole_s <= spent_s < whole_s
    assert f"is STOPPING, wanted OFFLINE, after StopServer, {spent_s:.0f} s" in answer["Reason"]
    assert "or raise ServiceTimeout. [" in answer["Reason"]
    assert answer["PhysicalResourceId"] == f"{account.server_id}:from-ONLINE"


def test_by_default_it_waits_an_hour_and_nobody_is_told_to_raise_that(account: Account) -> None:
    account.emulator.set(stop_s=100_000)
    event = account.request("Create", DesiredState="OFFLINE")
    account.clock.sleep(3_500)
    answer = account.settle(event)
    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith(
        f"{account.server_id} is STOPPING, wanted OFFLINE, after StopServer, 3540 s"
    )
    assert "raise ServiceTimeout" not in answer["Reason"]


def test_no_command_is_given_when_the_time_is_up(account: Account) -> None:
    account.state = State.OFFLINE
    account.emulator.set(start_s=44.9)
    account.transfer.start_server(ServerId=account.server_id)
    answer = account.send("Create", DesiredState="OFFLINE", ServiceTimeout="60")
    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith(f"{account.server_id} is ONLINE, wanted OFFLINE, 45 s")
    assert account.commands == ["StartServer"]


# What may not be declared


@pytest.mark.parametrize(
    ("properties", "told"),
    [
        ({"DesiredState": "OFLINE", "Color": "red"}, "did you mean OFFLINE?"),
        ({"DesiredState": "OFLINE", "Color": "red"}, "Color: there is no such property"),
        ({"DesiredState": "ONLINE", "ServerId": f" {NO_SERVER}"}, "has spaces around it"),
    ],
)
def test_an_invalid_declaration_is_refused_without_a_call(
    account: Account, properties: dict[str, Any], told: str
) -> None:
    answer = account.send("Create", **properties)
    assert answer["Status"] == "FAILED"
    assert told in answer["Reason"]
    assert answer["PhysicalResourceId"] == "not-created"
    assert account.border.calls == []


@pytest.mark.parametrize("place", [{"region": "us-east-1"}, {"partition": "aws-cn"}])
def test_a_server_of_another_place_is_refused_without_a_call(
    account: Account, place: dict[str, str]
) -> None:
    answer = account.send("Create", DesiredState="ONLINE", ServerId=arn(account, **place))
    assert answer["Status"] == "FAILED"
    assert "declare it in a stack there" in answer["Reason"]
    assert account.border.calls == []


def test_the_value_of_a_secret_is_in_no_reason_and_no_log_line(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    """A NoEcho parameter as Triggers, which may not be a string, or as a property's value."""
    for name in ("Triggers", "Token"):
        answer = account.send("Create", DesiredState="x", **{name: "hunter2"})
        assert answer["Status"] == "FAILED"
        assert name in answer["Reason"]
    assert "hunter2" not in caplog.text + str(account.store.answers)


def test_an_invalid_update_keeps_the_id(account: Account) -> None:
    answer = account.send("Update", DesiredState="x", **given(account))
    assert answer["Status"] == "FAILED"
    assert answer["PhysicalResourceId"] == given(account)["PhysicalResourceId"]


def test_a_replacement_that_fails_before_its_command_keeps_the_old_id(account: Account) -> None:
    old = "s-ffffffffffffffff0:from-OFFLINE"
    answer = account.send(
        "Update", DesiredState="OFFLINE", ServerId=NO_SERVER, PhysicalResourceId=old
    )
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("FAILED", old)


def test_a_replacement_that_fails_after_its_command_answers_the_new_id(account: Account) -> None:
    """So that CloudFormation deletes it, and what was found comes back."""
    account.emulator.set(stop_failures=1)
    old = "s-ffffffffffffffff0:from-OFFLINE"
    answer = account.send("Update", DesiredState="OFFLINE", PhysicalResourceId=old)
    assert answer["Status"] == "FAILED"
    assert answer["PhysicalResourceId"] == f"{account.server_id}:from-ONLINE"


@pytest.mark.parametrize("request_type", ["Create", "Update"])
def test_a_server_that_is_brought_in_offline_may_just_have_been_started_by_its_own_update(
    account: Account, request_type: str
) -> None:
    """In the same deployment, and no look shows it yet."""
    other = account.new_server()
    account.clock.now_s += 60
    account.emulator.put(other, State.OFFLINE)
    account.clock.now_s += 60
    account.emulator.set(read_lag_s=10, start_s=20)
    account.transfer.start_server(ServerId=other)
    account.clock.sleep(3)
    replaces = {"PhysicalResourceId": f"{account.server_id}:from-ONLINE"}
    more = replaces if request_type == "Update" else {}
    answer = account.send(request_type, ServerId=other, DesiredState="OFFLINE", **more)
    assert answer["Status"] == "SUCCESS"
    account.clock.sleep(60)
    assert account.emulator.states()[other] is State.OFFLINE
