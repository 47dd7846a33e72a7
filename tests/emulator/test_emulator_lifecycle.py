"""A server goes through its states as the API's pages say, at the pace that the test sets."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from local.emulator import Emulator, State
from tests.emulator.raw import Wire
from tests.fakes.account import NO_SERVER
from tests.fakes.clock import Clock
from tests.fakes.keys import public_key

# Command, state in which it is given, then what lenient and strict settings make of it:
# the states that follow, or None where the command is refused.
OUTCOMES: list[tuple[str, str, list[str], list[str] | None]] = [
    ("StopServer", "ONLINE", ["STOPPING", "OFFLINE"], ["STOPPING", "OFFLINE"]),
    ("StopServer", "OFFLINE", [], None),
    ("StopServer", "STARTING", [], None),
    ("StopServer", "STOPPING", [], None),
    ("StopServer", "START_FAILED", ["STOPPING", "OFFLINE"], None),
    ("StopServer", "STOP_FAILED", ["STOPPING", "OFFLINE"], None),
    ("StartServer", "ONLINE", [], []),
    ("StartServer", "OFFLINE", ["STARTING", "ONLINE"], ["STARTING", "ONLINE"]),
    ("StartServer", "STARTING", [], None),
    ("StartServer", "STOPPING", [], None),
    ("StartServer", "START_FAILED", ["STARTING", "ONLINE"], None),
    ("StartServer", "STOP_FAILED", ["STARTING", "ONLINE"], None),
]
STRICT = dict.fromkeys(
    ("stop_when_offline", "command_in_transition", "command_after_failure"), "strict"
)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(("command", "before", "lenient_after", "strict_after"), OUTCOMES)
def test_a_command_does_in_each_state_what_the_table_says(
    *,
    emulator: Emulator,
    clock: Clock,
    wire: Wire,
    server_id: str,
    command: str,
    before: str,
    lenient_after: list[str],
    strict_after: list[str] | None,
    strict: bool,
) -> None:
    emulator.put(server_id, State(before))
    emulator.set(start_s=30, stop_s=30, **STRICT if strict else {})
    answer = wire.call(command, {"ServerId": server_id})
    clock.sleep(30)
    after = strict_after if strict else lenient_after
    if after is None:
        assert answer.json["__type"] == "InvalidRequestException"
        assert f"{server_id} is {before}" in answer.json["Message"]
    else:
        assert (answer.status, answer.body) == (200, b"")
    assert [state for _, state in emulator.history(server_id)] == [before, *(after or [])]


@pytest.mark.parametrize("setting", STRICT)
def test_each_strictness_is_a_setting_of_its_own(
    emulator: Emulator, wire: Wire, server_id: str, setting: str
) -> None:
    emulator.set(**{setting: "strict"})
    refused = set()
    for command, before, *_ in OUTCOMES:
        emulator.put(server_id, State(before))
        if wire.call(command, {"ServerId": server_id}).status == 400:
            refused.add(before)
    assert (
        refused
        == {
            "stop_when_offline": {"OFFLINE"},
            "command_in_transition": {"STARTING", "STOPPING"},
            "command_after_failure": {"START_FAILED", "STOP_FAILED"},
        }[setting]
    )


@pytest.mark.parametrize(
    ("command", "duration", "before", "through", "after"),
    [
        ("stop_server", "stop_s", "ONLINE", "STOPPING", "OFFLINE"),
        ("start_server", "start_s", "OFFLINE", "STARTING", "ONLINE"),
    ],
)
def test_a_transition_takes_as_long_as_is_set(
    *,
    emulator: Emulator,
    clock: Clock,
    transfer: Any,
    server_id: str,
    state: Callable[[], str],
    command: str,
    duration: str,
    before: str,
    through: str,
    after: str,
) -> None:
    emulator.put(server_id, State(before))
    emulator.set(**{duration: 2.5})
    getattr(transfer, command)(ServerId=server_id)
    emulator.set(**{duration: 100})
    assert state() == through
    clock.sleep(2.25)
    assert state() == through
    clock.sleep(0.25)
    assert state() == after
    emulator.put(server_id, State(before))
    emulator.set(**{duration: 0})
    getattr(transfer, command)(ServerId=server_id)
    assert state() == after


def test_a_new_server_is_starting_for_as_long_as_is_set_and_ends_online(
    emulator: Emulator, clock: Clock, transfer: Any
) -> None:
    emulator.set(create_s=5)
    server_id = transfer.create_server()["ServerId"]
    assert emulator.states()[server_id] is State.STARTING
    clock.sleep(5)
    assert emulator.states()[server_id] is State.ONLINE


def test_reads_show_for_a_while_the_state_before_each_change(
    emulator: Emulator, clock: Clock, transfer: Any, server_id: str, state: Callable[[], str]
) -> None:
    def listed() -> str:
        (server,) = transfer.list_servers()["Servers"]
        return str(server["State"])

    emulator.set(read_lag_s=3, stop_s=10)
    clock.sleep(3)
    transfer.stop_server(ServerId=server_id)
    seen = []
    for _ in range(14):
        assert state() == listed()
        seen.append(state())
        clock.sleep(1)
    assert seen == ["ONLINE"] * 3 + ["STOPPING"] * 10 + ["OFFLINE"]


def test_commands_go_by_the_true_state_however_reads_lag(
    emulator: Emulator, transfer: Any, server_id: str
) -> None:
    emulator.set(read_lag_s=60, stop_s=60, command_in_transition="strict")
    transfer.stop_server(ServerId=server_id)
    with pytest.raises(transfer.exceptions.InvalidRequestException):
        transfer.stop_server(ServerId=server_id)


@pytest.mark.parametrize(
    ("command", "setting", "before", "failed", "after"),
    [
        ("stop_server", "stop_failures", "ONLINE", "STOP_FAILED", "OFFLINE"),
        ("start_server", "start_failures", "OFFLINE", "START_FAILED", "ONLINE"),
    ],
)
def test_the_next_transitions_fail_as_many_as_are_set(
    *,
    emulator: Emulator,
    transfer: Any,
    server_id: str,
    state: Callable[[], str],
    command: str,
    setting: str,
    before: str,
    failed: str,
    after: str,
) -> None:
    emulator.put(server_id, State(before))
    emulator.set(**{setting: 2})
    seen = []
    for _ in range(4):
        getattr(transfer, command)(ServerId=server_id)
        seen.append(state())
    assert seen == [failed, failed, after, after]
    assert getattr(emulator.settings, setting) == 0


def test_a_command_without_effect_uses_up_no_failure(
    emulator: Emulator, transfer: Any, server_id: str
) -> None:
    emulator.set(start_failures=1)
    transfer.start_server(ServerId=server_id)
    assert emulator.settings.start_failures == 1


def test_a_server_may_have_settings_of_its_own(
    emulator: Emulator, clock: Clock, transfer: Any, server_id: str
) -> None:
    other = transfer.create_server()["ServerId"]
    emulator.set(stop_s=10, stop_failures=1)
    emulator.set(other, stop_s=20, stop_failures=2)
    for each in (server_id, other):
        transfer.stop_server(ServerId=each)
    assert emulator.settings_of(other).stop_failures == 1
    assert emulator.settings.stop_failures == 0
    clock.sleep(10)
    assert emulator.states() == {server_id: State.STOP_FAILED, other: State.STOPPING}
    clock.sleep(10)
    assert emulator.states()[other] is State.STOP_FAILED
    emulator.set(other, stop_s=None, stop_failures=None)
    assert emulator.settings_of(other) == emulator.settings_of(server_id)


def test_a_state_that_was_put_is_seen_at_once_and_stays(
    emulator: Emulator, clock: Clock, transfer: Any, server_id: str, state: Callable[[], str]
) -> None:
    emulator.set(read_lag_s=60, stop_s=5)
    transfer.stop_server(ServerId=server_id)
    for each in State:
        emulator.put(server_id, each)
        assert state() == each
        clock.sleep(1000)
        assert state() == each


def test_stopping_and_starting_touches_nothing_else_of_the_server_or_its_users(
    emulator: Emulator, transfer: Any
) -> None:
    server_id = transfer.create_server(
        Protocols=["SFTP"],
        PreAuthenticationLoginBanner="Welcome",
        StructuredLogDestinations=["arn:aws:logs:eu-west-1:000000000000:log-group:sftp:*"],
        Tags=[{"Key": "team", "Value": "files"}],
    )["ServerId"]
    key = public_key("A")
    role = "arn:aws:iam::000000000000:role/sftp"
    for name in ("alice", "bob"):
        transfer.create_user(
            ServerId=server_id, UserName=name, Role=role, HomeDirectory="/b", SshPublicKeyBody=key
        )

    def everything() -> list[Any]:
        server = transfer.describe_server(ServerId=server_id)["Server"]
        del server["State"]
        users = [
            transfer.describe_user(ServerId=server_id, UserName=user["UserName"])["User"]
            for user in transfer.list_users(ServerId=server_id)["Users"]
        ]
        return [server, *users]

    before = everything()
    assert len(before) == 3
    emulator.set(stop_failures=1)
    for command in (transfer.stop_server, transfer.stop_server, transfer.start_server):
        command(ServerId=server_id)
        assert everything() == before


@pytest.mark.parametrize(
    ("waiter", "setup", "command", "end"),
    [
        ("server_offline", {"stop_s": 100}, "stop_server", "OFFLINE"),
        ("server_offline", {"stop_s": 100, "stop_failures": 1}, "stop_server", "STOP_FAILED"),
        ("server_online", {"start_s": 100}, "start_server", "ONLINE"),
        ("server_online", {"start_s": 100, "start_failures": 1}, "start_server", "START_FAILED"),
    ],
)
def test_boto3_s_waiters_end_as_the_transition_does(
    *,
    emulator: Emulator,
    clock: Clock,
    transfer: Any,
    server_id: str,
    waiter: str,
    setup: dict[str, Any],
    command: str,
    end: str,
) -> None:
    if command == "start_server":
        emulator.put(server_id, State.OFFLINE)
    # An answer's delay moves the clock on, since a waiter has no clock of its own to pass in.
    emulator.set(**setup, faults=[{"operation": "DescribeServer", "delay_s": 30, "times": None}])
    getattr(transfer, command)(ServerId=server_id)
    began_s = clock.now()
    waiting = {"ServerId": server_id, "WaiterConfig": {"Delay": 0}}
    if end.endswith("FAILED"):
        with pytest.raises(WaiterError, match="terminal failure state"):
            transfer.get_waiter(waiter).wait(**waiting)
    else:
        transfer.get_waiter(waiter).wait(**waiting)
    assert emulator.states()[server_id] == end
    assert clock.now() - began_s == 150


@pytest.mark.parametrize("before", list(State))
def test_a_server_can_be_deleted_in_any_state(
    emulator: Emulator, transfer: Any, server_id: str, before: State
) -> None:
    emulator.put(server_id, before)
    transfer.delete_server(ServerId=server_id)
    assert emulator.states() == {}
    with pytest.raises(transfer.exceptions.ResourceNotFoundException):
        transfer.describe_server(ServerId=server_id)


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("describe_server", {}),
        ("start_server", {}),
        ("stop_server", {}),
        ("delete_server", {}),
        ("update_server", {}),
        ("list_users", {}),
        ("describe_user", {"UserName": "alice"}),
        ("delete_user", {"UserName": "alice"}),
    ],
)
def test_an_unknown_server_is_not_found(
    transfer: Any, method: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(ClientError) as raised:
        getattr(transfer, method)(ServerId=NO_SERVER, **arguments)
    response = raised.value.response
    assert response["Error"] == {"Code": "ResourceNotFoundException", "Message": "Unknown server"}
    assert (response["Resource"], response["ResourceType"]) == (NO_SERVER, "Server")
