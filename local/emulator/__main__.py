"""The emulator as a process: arguments in, its URL out, until it is told to end."""

import argparse
import json
import os
import signal
import sys
import textwrap
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import Any

from local.emulator import Emulator, SftpEndpoints
from local.emulator.control import PATHS
from local.emulator.settings import Fault, Settings, SettingsError, Throttle, explained

_WIDTH = 80
_TEXTS = {each.name for each in fields(Settings) if each.type is str}


def main() -> None:
    """Serve until SIGINT or SIGTERM, or with --with-parent until standard input ends."""
    parser = argparse.ArgumentParser(
        prog=".venv/bin/python -m local.emulator",
        description="The AWS Transfer Family API's server lifecycle, on 127.0.0.1.\n"
        "Its URL is the first line of its output. Each server with SFTP is a line more:\n"
        "its id, and where SFTP clients find it. It leaves nothing on disk but the files\n"
        "of --files.",
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
        "--sftp-port",
        type=_port,
        default=0,
        help="port of the first server with SFTP; 0 is any"
        " free, and later servers take the next ones",
    )
    parser.add_argument(
        "--files",
        type=_folder,
        metavar="FOLDER",
        help="keep what SFTP clients put there, in a folder for each server",
    )
    parser.add_argument(
        "--with-parent",
        action="store_true",
        help="end when standard input ends: start it with a pipe there, and it ends with the "
        "process that holds the other end, however that one ends",
    )
    arguments = parser.parse_args()
    # Python's own handlers may come too late for a wait that begins, or into each other's way.
    ended, end = os.pipe()
    os.set_blocking(end, False)
    signal.set_wakeup_fd(end, warn_on_full_buffer=False)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    try:
        with (
            Emulator(port=arguments.port, **dict(arguments.set)) as emulator,
            _sftp(emulator, arguments),
        ):
            _tell(emulator.url)
            if arguments.with_parent:
                Thread(target=_await_parent, args=(end,), daemon=True).start()
            os.read(ended, 1)
    except SettingsError as cause:
        parser.error(f"--set: {cause}")
    except OSError as cause:
        parser.error(f"--port: cannot listen on 127.0.0.1:{arguments.port}: {cause.strerror}")


def _sftp(emulator: Emulator, arguments: argparse.Namespace) -> AbstractContextManager[object]:
    if not find_spec("asyncssh"):
        sys.stderr.write("No SFTP endpoints: they need asyncssh, which is not installed.\n")
        return nullcontext()
    return SftpEndpoints(
        emulator, files=arguments.files, first_port=arguments.sftp_port, tell=_tell
    )


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _await_parent(end: int) -> None:
    sys.stdin.buffer.read()
    os.write(end, b".")


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to 65535")
    return int(text)


def _folder(text: str) -> Path:
    try:
        Path(text).mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise argparse.ArgumentTypeError(f"{text!r} is no folder: {cause.strerror}") from None
    return Path(text)


def _assignment(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    try:
        return name, value if name in _TEXTS else json.loads(value)
    except ValueError:
        return name, value


def _table(lines: Iterable[str]) -> str:
    """Indent lines whose last column begins where those of `explained` and of PATHS do."""
    after = " " * 42
    return "\n".join(
        textwrap.fill(line, _WIDTH, initial_indent="  ", subsequent_indent=after) for line in lines
    )


def _guide() -> str:
    settings, throttle, fault = (_table(explained(kind)) for kind in (Settings, Throttle, Fault))
    paths = _table(PATHS.splitlines())
    return f"""\
pointing clients at it (with any credentials; the region is what they sign for):
  export AWS_ENDPOINT_URL_TRANSFER=http://127.0.0.1:PORT
  export AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any
  export AWS_DEFAULT_REGION=us-east-1
  aws transfer create-server

putting a file (the port is printed, and at /_emulator/endpoints):
  aws transfer create-user --server-id ID --user-name alice \\
      --home-directory /bucket/alice --role arn:aws:iam::000000000000:role/any \\
      --ssh-public-key-body "$(cat ~/.ssh/id_ed25519.pub)"
  sftp -P PORT alice@127.0.0.1

what SFTP clients see of a server's state:
  ONLINE                 it lets them in
  STOPPING, STOP_FAILED  it lets nobody in; who is in may go on a while
  OFFLINE, STARTING,
  START_FAILED           it refuses connections, and has cut every session
AWS says of ONLINE alone that a server accepts jobs, so a failed transition
opens nothing.

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
            "faults": [
              {{"operation": "StopServer", "error": "InternalServiceError"}},
              {{"operation": "DescribeServer", "wire": "close", "skip": 1}}]}}'
  curl -X POST $AWS_ENDPOINT_URL_TRANSFER/_emulator/servers/ID/state \\
       -d '{{"state": "STOP_FAILED"}}'
"""


if __name__ == "__main__":
    main()
