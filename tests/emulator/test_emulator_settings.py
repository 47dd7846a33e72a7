"""What can be set is set alike from Python and over HTTP, and what is wrong with it is told."""

from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.emulator import Emulator, Fault, Settings, SettingsError, State, Throttle
from tests.emulator.raw import Wire
from tests.fakes.account import NO_SERVER
from tests.fakes.clock import Clock

EVERYTHING: dict[str, Any] = {
    "start_s": 1,
    "stop_s": 2.5,
    "start_failures": 3,
    "stop_failures": 4,
    "read_lag_s": 5,
    "endpoint_ready_s": 5.25,
    "session_grace_s": 5.5,
    "stop_when_offline": "strict",
    "command_in_transition": "strict",
    "command_after_failure": "strict",
    "create_s": 6,
    "account_id": "123456789012",
    "throttle": {"rate_per_s": 7, "burst": 8},
    "faults": [{"operation": "StopServer", "wire": "reset", "times": None}],
}
SET = Settings(
    **EVERYTHING
    | {
        "throttle": Throttle(rate_per_s=7, burst=8),
        "faults": (Fault(operation="StopServer", wire="reset", times=None),),
    }
)
FAULT = {"operation": "StopServer", "error": "InternalServiceError"}
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"stop_s": -1}, "stop_s: -1 is not a number of seconds, 0 or more"),
    ({"start_s": "1"}, 'start_s: "1" is not a number of seconds, 0 or more'),
    ({"read_lag_s": True}, "read_lag_s: true is not a number of seconds, 0 or more"),
    ({"create_s": []}, "create_s: [] is not a number of seconds, 0 or more"),
    ({"stop_failures": 1.5}, "stop_failures: 1.5 is not a whole number, 0 or more"),
    ({"start_failures": -1}, "start_failures: -1 is not a whole number, 0 or more"),
    ({"stop_when_offline": "maybe"}, 'stop_when_offline: "maybe" is not lenient or strict'),
    ({"account_id": "42"}, 'account_id: "42" is not a string of 12 digits'),
    ({"throttle": 10}, "throttle: 10 is not an object"),
    ({"throttle": {"rate_per_s": 0}}, "throttle.rate_per_s: 0 is not a number above 0"),
    ({"throttle": {"burst": 0}}, "throttle.burst: 0 is not a whole number, 1 or more"),
    ({"throttle": {"bucket": 1}}, 'throttle: "bucket" is not one of: rate_per_s, burst'),
    ({"faults": {}}, "faults: {} is not a list of faults"),
    ({"faults": [FAULT, 1]}, "faults[1]: 1 is not a fault: it needs error, wire or delay_s"),
    ({"faults": [{"delay_s": 0}]}, 'faults[0]: {"delay_s": 0} is not a fault: it needs error'),
    ({"faults": [{}]}, "faults[0]: {} is not a fault: it needs error, wire or delay_s"),
    (
        {"faults": [FAULT | {"operation": "Stop"}]},
        'faults[0].operation: "Stop" is not an operation of the API, or *',
    ),
    ({"faults": [{"error": "NoSuchError"}]}, 'faults[0].error: "NoSuchError" is not one of Acc'),
    (
        {"faults": [{"error": "NoSuchError", "status": 600}]},
        "faults[0].status: 600 is not an HTTP status from 400 to 599, or null",
    ),
    ({"faults": [{"wire": "cut"}]}, 'faults[0].wire: "cut" is not close, reset, garbage or null'),
    ({"faults": [FAULT | {"times": 0}]}, "faults[0].times: 0 is not a whole number, 1 or more"),
    ({"faults": [FAULT | {"skip": -1}]}, "faults[0].skip: -1 is not a whole number, 0 or more"),
    ({"faults": [FAULT | {"carried_out": 1}]}, "faults[0].carried_out: 1 is not true or false"),
    ({"stop": 1}, 'settings: "stop" is not one of: start_s, stop_s, '),
    ({"stop": None}, 'settings: "stop" is not one of: start_s, stop_s, '),
]


def test_everything_can_be_set_from_python(emulator: Emulator) -> None:
    emulator.set(**EVERYTHING)
    assert emulator.settings == SET


def test_everything_can_be_set_from_the_start() -> None:
    with Emulator(**EVERYTHING) as emulator:
        assert emulator.settings == SET


def test_everything_can_be_set_and_read_over_http(emulator: Emulator, wire: Wire) -> None:
    answer = wire.control("PATCH", "settings", EVERYTHING)
    assert answer.status == 200
    assert emulator.settings == SET
    read = wire.control("GET", "settings").json
    assert read == answer.json
    emulator.set(**dict.fromkeys(EVERYTHING))
    assert emulator.settings == Settings()
    wire.control("PATCH", "settings", read)
    assert emulator.settings == SET


def test_a_change_leaves_other_settings_as_they_are(emulator: Emulator, wire: Wire) -> None:
    emulator.set(stop_s=1)
    wire.control("PATCH", "settings", {"start_s": 2})
    assert emulator.settings == Settings(stop_s=1, start_s=2)


@pytest.mark.parametrize(("changes", "told"), WRONG)
def test_a_bad_setting_is_refused_with_its_name_value_and_what_was_expected(
    emulator: Emulator, wire: Wire, changes: dict[str, Any], told: str
) -> None:
    answer = wire.control("PATCH", "settings", {"stop_failures": 9} | changes)
    assert answer.status == 400
    assert told in answer.json["error"]
    with pytest.raises(SettingsError) as raised:
        emulator.set(**changes)
    assert told in str(raised.value)
    assert emulator.settings == Settings()


def test_all_bad_settings_are_told_at_once(wire: Wire) -> None:
    answer = wire.control("PATCH", "settings", {"stop_s": -1, "start_s": -2})
    assert answer.json["error"].count("is not a number of seconds") == 2


@given(value=st.sampled_from([float("nan"), float("inf"), object(), {1}]))
def test_a_value_that_json_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(SettingsError, match="not JSON"):
        Emulator(stop_s=value)


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000])
def test_a_body_that_is_not_json_is_refused(wire: Wire, body: bytes) -> None:
    answer = wire.send("PATCH", "/_emulator/settings", body)
    assert answer.status == 400
    assert answer.json["error"].startswith("the body is not JSON")


@pytest.mark.parametrize("value", [[], None, "stop_s"])
def test_a_body_that_is_no_object_is_refused(wire: Wire, value: Any) -> None:
    answer = wire.control("PATCH", "settings", value)
    assert answer.status == 400
    assert answer.json["error"].endswith("not an object")


def test_a_server_s_own_settings_are_set_and_read_over_http(
    emulator: Emulator, wire: Wire, server_id: str
) -> None:
    emulator.set(stop_s=1)
    path = f"servers/{server_id}"
    changed = wire.control("PATCH", f"{path}/settings", {"start_s": 2}).json
    assert changed == wire.control("GET", path).json
    assert changed["settings"] == asdict(emulator.settings_of(server_id))
    assert (changed["settings"]["start_s"], changed["settings"]["stop_s"]) == (2, 1)
    assert emulator.settings.start_s == 0
    refused = wire.control("PATCH", f"{path}/settings", {"create_s": 1, "stop_s": "1"})
    assert refused.status == 400
    assert '"create_s" is not one of' in refused.json["error"]
    assert wire.control("GET", path).json == changed


def test_a_server_is_put_into_a_state_over_http(
    emulator: Emulator, wire: Wire, server_id: str
) -> None:
    for state in State:
        answer = wire.control("POST", f"servers/{server_id}/state", {"state": state})
        assert answer.json["state"] == state
        assert emulator.states() == {server_id: state}
    assert wire.control("GET", "servers").json == emulator.states()


@pytest.mark.parametrize(
    "value", [{"state": "DOWN"}, {"state": []}, {}, {"state": "ONLINE", "a": 1}]
)
def test_a_bad_state_is_refused(wire: Wire, server_id: str, value: Any) -> None:
    answer = wire.control("POST", f"servers/{server_id}/state", value)
    assert answer.status == 400
    assert "one of ONLINE, OFFLINE, STARTING" in answer.json["error"]


def test_a_server_s_history_is_read_over_http(
    emulator: Emulator, clock: Clock, transfer: Any, wire: Wire, server_id: str
) -> None:
    emulator.put(server_id, State.ONLINE)
    emulator.set(stop_s=10)
    transfer.stop_server(ServerId=server_id)
    began_s = clock.now()
    clock.sleep(9)
    history = [{"since_s": None, "state": "ONLINE"}, {"since_s": began_s, "state": "STOPPING"}]
    assert wire.control("GET", f"servers/{server_id}").json["history"] == history
    clock.sleep(1)
    history.append({"since_s": began_s + 10, "state": "OFFLINE"})
    assert wire.control("GET", f"servers/{server_id}").json["history"] == history


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"servers/{NO_SERVER}"),
        ("PATCH", f"servers/{NO_SERVER}/settings"),
        ("POST", f"servers/{NO_SERVER}/state"),
    ],
)
def test_an_unknown_server_is_not_found(wire: Wire, method: str, path: str) -> None:
    answer = wire.control(method, path, {"state": "ONLINE"} if method == "POST" else {})
    assert answer.status == 404
    assert NO_SERVER in answer.json["error"]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("GET", "/_emulator/"), ("POST", "/_emulator/settings")]
)
def test_an_unknown_path_tells_those_that_there_are(wire: Wire, method: str, path: str) -> None:
    answer = wire.send(method, path)
    assert answer.status == 404
    assert "GET   /_emulator/settings" in answer.json["error"]


def test_every_call_is_logged_with_what_became_of_it(
    emulator: Emulator, clock: Clock, wire: Wire, server_id: str
) -> None:
    request = {"ServerId": server_id}
    clock.sleep(1)
    began_s = clock.now()
    emulator.set(
        faults=[{"error": "InternalServiceError"}, {"wire": "garbage", "carried_out": True}]
    )
    wire.call("StopServer", request)
    wire.call("StopServer", request)
    wire.call("StopServer", {})
    wire.call("StartServer", request)
    common = {"at_s": began_s, "region": "eu-west-1"}
    stop = common | {"operation": "StopServer", "request": request, "wire": None}
    expected = [
        stop | {"number": 2, "status": 500, "error": "InternalServiceError", "carried_out": False},
        stop | {"number": 3, "status": 200, "error": None, "carried_out": True, "wire": "garbage"},
        stop
        | {
            "number": 4,
            "request": {},
            "status": 400,
            "error": "InvalidRequestException",
            "carried_out": False,
        },
        stop
        | {
            "number": 5,
            "operation": "StartServer",
            "status": 200,
            "error": None,
            "carried_out": True,
        },
    ]
    assert [asdict(call) for call in emulator.calls(after=1)] == expected
    assert wire.control("GET", "calls?after=1").json == expected
    assert [call["number"] for call in wire.control("GET", "calls").json] == [1, 2, 3, 4, 5]
    assert wire.control("GET", "calls?after=5").json == []
    assert wire.control("GET", "calls?after=-1").status == 400
