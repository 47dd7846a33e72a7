"""Runs servers for another process, and ends them and their folder when that process ends.

It must not know what the servers are. What it is told comes in on stdin, one JSON object a line
(`argv`, `env`, `log`: a file name in the folder); the end of stdin is the end of whoever started
it, however that came about, SIGKILL included.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> None:
    """Make the folder, name it on stdout, start what stdin asks for; at its end clean up."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # A handler and not SIG_IGN, which the servers would inherit.
        signal.signal(number, lambda *_: None)
    folder = Path(tempfile.mkdtemp(prefix="transfer-server-state-"))
    started: list[subprocess.Popen[bytes]] = []
    try:
        # Whoever started it may be gone already; then stdin ends too.
        with contextlib.suppress(BrokenPipeError):
            os.write(sys.stdout.fileno(), f"{folder}\n".encode())
        for line in sys.stdin:
            order = json.loads(line)
            with (folder / order["log"]).open("wb") as log:
                started.append(
                    subprocess.Popen(  # noqa: S603 - argv comes from the process that started us
                        order["argv"],
                        env={**order["env"], "TMPDIR": str(folder)},
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                        # A group of its own, so that what the server starts ends with it.
                        process_group=0,
                    )
                )
    finally:
        for process in started:
            # Gone already, or (as macOS says it) only a zombie is left.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        while folder.exists():
            # What the servers started may take a moment to die, and still write.
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
