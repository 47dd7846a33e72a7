"""`make up` tells what to type, and shows what comes of it."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Timer
from typing import IO, Any

import boto3
import pytest
from botocore.config import Config

from local.cloudformation_stack import Stack
from local.engine import ROOT
from local.scenarios import TEMPLATE
from local.up import differences

# Far more than it takes on a busy machine: it only keeps a test from waiting for ever.
GIVE_UP_S = 240.0


def three_free_ports() -> int:
    """Return the first of three that no other engine chooses; `make up` takes all three."""
    for first in range(30_000, 32_000, 3):
        with ExitStack() as held:
            try:
                for port in range(first, first + 3):
                    held.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError:
                continue
            return first
    pytest.fail("no three ports are free")


@contextmanager
def up(first_port: int) -> Iterator[IO[str]]:
    """Run it until the end of the context; what it prints, as it prints it."""
    argv = [sys.executable, "-m", "local.up", "--port", str(first_port)]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        # What is awaited and never printed.
        give_up = Timer(GIVE_UP_S, process.terminate)
        give_up.start()
        try:
            yield process.stdout
        finally:
            give_up.cancel()
            process.terminate()


def client(service: str, port: int) -> Any:
    return boto3.client(
        service,
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106
        config=Config(proxies={}),
    )


def until(printed: IO[str], end: str) -> str:
    """Read until a line that has `end`."""
    lines = []
    for line in printed:
        lines.append(line)
        if end in line:
            break
    assert lines, f"nothing more was printed, nor {end!r}"
    assert end in lines[-1], "".join(lines)
    return "".join(lines)


def _sftp_port(line: str) -> int:
    listed = re.search(r" sftp://127\.0\.0\.1:(\d+) ", line)
    assert listed, line
    return int(listed[1])


def test_at_the_port_that_was_asked_for_it_shows_calls_states_events_and_the_log() -> None:
    first_port = three_free_ports()
    with up(first_port) as printed:
        guide = until(printed, "SERVER AND CALLS")
        # But for a folder, which may be long.
        assert [line for line in guide.splitlines() if len(line) > 80 and "KEY=" not in line] == []
        assert f"export AWS_ENDPOINT_URL=http://127.0.0.1:{first_port}\n" in guide
        assert f"export AWS_ENDPOINT_URL_TRANSFER=http://127.0.0.1:{first_port + 1}\n" in guide

        server_id = client("transfer", first_port + 1).create_server()["ServerId"]
        until(printed, "│ CreateServer")
        assert server_id in until(printed, "● ONLINE")
        endpoint = until(printed, "sftp://").splitlines()[-1]
        assert server_id in endpoint
        with socket.create_connection(("127.0.0.1", _sftp_port(endpoint)), 10) as client_of_it:
            assert client_of_it.recv(7) == b"SSH-2.0"

        stack = Stack(client("cloudformation", first_port), "demo")
        stack.change(TEMPLATE, {"ServerId": server_id, "DesiredState": "ONLINE"})
        assert stack.settled() == "CREATE_COMPLETE"
        shown = until(printed, '"outcome":') + until(printed, '"WaitedSeconds":')
        assert "demo/State" in shown
        assert "│ DescribeServer" in shown
        # In CloudWatch's own format, for its metrics.
        assert "_aws" not in shown


def test_it_says_what_differs_from_aws_as_the_docs_do() -> None:
    said = differences()
    assert "permissions: hold at once" in said
    assert "DescribeStackResource while a resource is created: it does not exist" in said
    table = (ROOT / "docs" / "local.md").read_text().split("\n## What differs from AWS\n")[1]
    rows = [line for line in table.split("\n## ")[0].splitlines() if line.startswith("| ")]
    assert len(said) == len(rows) - 1
