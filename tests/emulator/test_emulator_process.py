"""The emulator as a process says where it is, ends when it is told to, and leaves nothing."""

import signal
import socket
import urllib.error
import urllib.request
from pathlib import Path
from threading import active_count
from typing import Any

import pytest

from local.emulator import Emulator
from tests.emulator.process import Start, url_of
from tests.emulator.raw import Wire


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_its_first_line_is_its_url_and_a_signal_ends_it_cleanly(
    start: Start, tmp_path: Path, end: signal.Signals
) -> None:
    process = start("--port", "0")
    url = url_of(process)
    wire = Wire(url)
    assert wire.call("CreateServer", {"Protocols": ["AS2"], "EndpointType": "VPC"}).status == 200
    process.send_signal(end)
    assert process.communicate(timeout=10) == ("", "")
    assert process.returncode == 0
    wire.close()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(url)  # noqa: S310
    assert list(tmp_path.iterdir()) == []


def test_it_ends_though_one_signal_interrupts_the_other(start: Start) -> None:
    for _ in range(3):
        process = start()
        url_of(process)
        for number in (signal.SIGINT, signal.SIGTERM) * 200:
            process.send_signal(number)
        assert process.communicate(timeout=10) == ("", "")


def test_it_ends_with_its_parent_if_it_is_to(start: Start) -> None:
    process = start("--with-parent")
    assert url_of(process).startswith("http://127.0.0.1:")
    assert process.communicate(timeout=10) == ("", "")
    assert process.returncode == 0


def test_its_settings_can_be_given_as_arguments(start: Start) -> None:
    given = ["stop_s=20.5", "stop_when_offline=strict", "account_id=123456789012"]
    process = start(*[argument for each in given for argument in ("--set", each)])
    wire = Wire(url_of(process))
    settings = wire.control("GET", "settings").json
    wire.close()
    assert settings["stop_s"] == 20.5
    assert settings["stop_when_offline"] == "strict"
    assert settings["account_id"] == "123456789012"


def test_it_listens_where_it_is_told_to_or_says_why_not(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        _, error = start("--port", port).communicate(timeout=10)
        assert f"--port: cannot listen on 127.0.0.1:{port}: Address already in use" in error
    process = start("--port", port)
    assert url_of(process) == f"http://127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--port", "-1"], "'-1' is not a port from 0 to 65535"),
        (["--port", "65536"], "'65536' is not a port from 0 to 65535"),
        (["--port", "http"], "'http' is not a port from 0 to 65535"),
        (["--set", "stop_s"], "'stop_s' is not NAME=VALUE"),
        (["--set", "stop_s=soon"], 'stop_s: "soon" is not a number of seconds, 0 or more'),
        (["--set", "speed=1"], '"speed" is not one of: start_s,'),
        (["here"], "unrecognized arguments: here"),
    ],
)
def test_a_wrong_argument_is_told_without_a_stack_trace(
    start: Start, arguments: list[str], told: str
) -> None:
    process = start(*arguments)
    output, error = process.communicate(timeout=10)
    assert process.returncode == 2
    assert output == ""
    assert told in error
    assert "Traceback" not in error


def test_help_names_every_setting_path_and_how_to_point_the_cli_at_it(
    start: Start, emulator: Emulator, wire: Wire
) -> None:
    text, error = start("--help").communicate(timeout=10)
    assert error == ""
    assert "AWS_ENDPOINT_URL_TRANSFER" in text
    fault: dict[str, Any] = {"wire": "close", "operation": "StopServer"}
    emulator.set(throttle={}, faults=[fault])
    shown = wire.control("GET", "settings").json
    for name in [*shown, *shown["throttle"], *shown["faults"][0]]:
        assert f"\n  {name} " in text
    words = " ".join(text.split())
    for line in wire.send("GET", "/").json["error"].splitlines()[1:]:
        assert " ".join(line.split()) in words
    assert max(map(len, text.splitlines())) <= 80


def test_leaving_it_in_python_leaves_no_thread_and_no_socket() -> None:
    before = active_count()
    with Emulator() as emulator:
        wires = [Wire(emulator.url) for _ in range(5)]
        for wire in wires:
            wire.call("ListServers", {})
        assert active_count() == before + 6
    assert active_count() == before
    for wire in wires:
        with pytest.raises(ConnectionError):
            wire.call("ListServers", {})
        wire.close()
