"""The emulator as a process: arguments in, its URL out, until it is told to end."""

import argparse
import json
import signal
import sys
from dataclasses import fields
from threading import Event, Thread
from typing import Any

from local.emulator.control import PATHS
from local.emulator.settings import Fault, Settings, SettingsError, Throttle, explained
from local.emulator.wire import Emulator

_TEXTS = {each.name for each in fields(Settings) if each.type is str}


def main() -> None:
    """Serve until SIGINT or SIGTERM, or with --with-parent until standard input ends."""
    parser = argparse.ArgumentParser(
        prog="python -m local.emulator",
        description="The AWS Transfer Family API's server lifecycle, on 127.0.0.1.\n"
        "Its URL is the first line of its output. It keeps nothing on disk.",
        epilog=_guide(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--port", type=_port, default=0, help="port to listen on; 0 is any free")
    parser.add_argument(
        "--set",
        type=_assignment,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting to begin with, its value as JSON or plain text; may be repeated",
    )
    parser.add_argument(
        "--with-parent",
        action="store_true",
        help="end when standard input ends: start it with a pipe there, and it ends with the "
        "process that holds the other end, however that one ends",
    )
    arguments = parser.parse_args()
    end = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: end.set())
    try:
        with Emulator(port=arguments.port, **dict(arguments.set)) as emulator:
            sys.stdout.write(f"{emulator.url}\n")
            sys.stdout.flush()
            if arguments.with_parent:
                Thread(target=_await_parent, args=(end,), daemon=True).start()
            end.wait()
    except SettingsError as cause:
        parser.error(f"--set: {cause}")
    except OSError as cause:
        parser.error(f"--port: cannot listen on 127.0.0.1:{arguments.port}: {cause.strerror}")


def _await_parent(end: Event) -> None:
    sys.stdin.buffer.read()
    end.set()


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to 65535")
    return int(text)


def _assignment(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    try:
        return name, value if name in _TEXTS else json.loads(value)
    except ValueError:
        return name, value


def _guide() -> str:
    settings, throttle, fault = (
        "\n".join(f"  {line}" for line in explained(kind)) for kind in (Settings, Throttle, Fault)
    )
    paths = "\n".join(f"  {line}" for line in PATHS.splitlines())
    return f"""\
pointing clients at it (any credentials will do; the region is the one they sign for):
  export AWS_ENDPOINT_URL_TRANSFER=http://127.0.0.1:PORT
  export AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any AWS_DEFAULT_REGION=us-east-1
  aws transfer create-server

settings (as arguments: --set stop_s=20 --set stop_when_offline=strict):
{settings}

a throttle has:
{throttle}

a fault has:
{fault}

while it runs, over HTTP:
{paths}

for example:
  curl -X PATCH $AWS_ENDPOINT_URL_TRANSFER/_emulator/settings \\
       -d '{{"stop_s": 20, "read_lag_s": 2, "stop_failures": 1}}'
  curl -X PATCH $AWS_ENDPOINT_URL_TRANSFER/_emulator/settings \\
       -d '{{"throttle": {{"rate_per_s": 10, "burst": 20}},
            "faults": [{{"operation": "StopServer", "error": "InternalServiceError", "times": 2}},
                       {{"operation": "DescribeServer", "wire": "close", "skip": 1}}]}}'
  curl -X POST $AWS_ENDPOINT_URL_TRANSFER/_emulator/servers/ID/state \\
       -d '{{"state": "STOP_FAILED"}}'
"""


if __name__ == "__main__":
    main()
