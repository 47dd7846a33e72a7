"""However `make run` and `make up` end, they leave no process and no file."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.engine import ROOT

pytestmark = pytest.mark.skipif(shutil.which("ps") is None, reason="ps lists the processes")

COMMAND = [sys.executable, "-m", "local.walk"]
# As if set-up were done: it must not touch the environment that runs this test.
MAKE = ["make", "--assume-old=.venv/.ready-run", "run"]


@dataclass(frozen=True)
class Run:
    """What is known of a run after its end; its processes all belong to one session."""

    session: int
    folder: Path
    status: int
    said: str

    def processes(self) -> list[str]:
        """Its processes that run; one that has ended may wait long to be reaped by init."""
        listed = subprocess.run(
            ["ps", "-A", "-o", "pid=,stat=,args="],  # noqa: S607 - where ps is differs
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        return [
            line
            for line in listed
            if _session(int(line.split()[0])) == self.session
            and not line.split()[1].startswith("Z")
        ]

    def leftovers(self, *, within_s: float) -> list[str]:
        give_up = time.monotonic() + within_s
        while True:
            left = self.processes() + [path.name for path in self.folder.iterdir()]
            if not left or time.monotonic() > give_up:
                return left
            time.sleep(0.02)


def _session(pid: int) -> int | None:
    with suppress(ProcessLookupError, PermissionError):
        return os.getsid(pid)
    return None


def _environment(folder: Path) -> dict[str, str]:
    """This one's, with its files in a folder; what a make that runs these tests tells is not."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return {**kept, "TMPDIR": str(folder)}


@pytest.fixture(autouse=True)
def _in_a_terminal() -> Iterator[None]:
    """Have what is started here heed Ctrl-C, which whoever runs in the background ignores."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def started(argv: list[str], folder: Path, checkout: Path = ROOT) -> subprocess.Popen[str]:
    """Start it in a session of its own, with its files in a folder."""
    return subprocess.Popen(
        argv,
        cwd=checkout,
        env=_environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def interrupted(
    argv: list[str], number: int, folder: Path, *, group: bool = False, after: str = "deployed"
) -> Run:
    """Run it until it says `after`, by default as it begins to deploy; then send the signal."""
    with started(argv, folder) as process:
        assert process.stdout
        assert process.stderr
        for line in process.stdout:
            if after in line:
                break
        # It, its supervisor, two servers and a folder at the least.
        assert len(Run(process.pid, folder, 0, "").leftovers(within_s=0)) >= 5
        (os.killpg if group else os.kill)(process.pid, number)
        said = process.stderr.read()
    return Run(process.pid, folder, process.returncode, said)


@pytest.mark.parametrize(
    ("number", "after"), [(signal.SIGINT, "StopServer"), (signal.SIGTERM, "deployed")]
)
def test_interrupted(number: signal.Signals, after: str, tmp_path: Path) -> None:
    run = interrupted(COMMAND, number, tmp_path, after=after)
    assert run.leftovers(within_s=0.5) == []
    assert (run.status, run.said) == (128 + number, "")


def test_ctrl_c_in_the_terminal_that_runs_make(tmp_path: Path) -> None:
    run = interrupted(MAKE, signal.SIGINT, tmp_path, group=True)
    assert run.leftovers(within_s=0.5) == []
    assert run.status != 0
    assert "Traceback" not in run.said


def _ctrl_c(argv: list[str], after_s: float, folder: Path, checkout: Path = ROOT) -> Run:
    with started(argv, folder, checkout) as process:
        time.sleep(after_s)
        os.killpg(process.pid, signal.SIGINT)
        try:
            _, said = process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    # make itself speaks where its shell ends before it has learned what to do, but of no error.
    ours = [line for line in said.splitlines() if not line.startswith("make: ") or "Error" in line]
    return Run(process.pid, folder, process.returncode, "".join(ours))


@pytest.mark.parametrize("after_s", [0.02, 0.2, 1])
@pytest.mark.parametrize("target", ["run", "up", "emulator"])
def test_ctrl_c_is_answered_with_silence_at_any_moment(
    target: str, after_s: float, tmp_path: Path
) -> None:
    run = _ctrl_c([*MAKE[:-1], target], after_s, tmp_path)
    # Whatever was about to start sees that it is alone, and ends, with its ports.
    assert run.leftovers(within_s=5) == []
    assert run.status != 0
    assert run.said == ""


@pytest.mark.parametrize("after_s", [0.02, 0.2, 1])
def test_ctrl_c_is_answered_with_silence_while_it_is_set_up(after_s: float, tmp_path: Path) -> None:
    folder, checkout = tmp_path / "temporary", tmp_path / "checkout"
    folder.mkdir()
    _copy_what_sets_up(checkout)
    run = _ctrl_c(["make", "run"], after_s, folder, checkout)
    assert run.leftovers(within_s=0.5) == []
    assert run.status != 0
    assert run.said == ""
    assert list(checkout.glob(".venv.*")) == []


@pytest.mark.parametrize("command", ["local.walk", "local.up", "local.emulator"])
def test_ctrl_c_while_a_command_imports_is_answered_with_silence(
    command: str, tmp_path: Path
) -> None:
    # Python tells of each import that is done.
    with started([sys.executable, "-v", "-m", command], tmp_path) as process:
        assert process.stderr
        for line in process.stderr:
            if line.startswith("import 'local' #"):
                break
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert "Traceback" not in said
    assert process.returncode == -signal.SIGINT


@pytest.mark.parametrize("command", ["local.walk", "local.up"])
def test_before_there_is_something_to_close_it_opens_nothing(command: str) -> None:
    audited = (
        "import sys\n"
        "opens = ('tempfile.', 'subprocess.', 'os.fork', 'os.posix_spawn')\n"
        "sys.addaudithook(lambda event, given: event.startswith(opens) and print(event, given))\n"
        f"import {command}\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", audited], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout == ""


def test_a_port_that_is_taken_is_said_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = subprocess.run(
            [sys.executable, "-m", "local.up", "--port", str(port)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
    assert (ran.returncode, ran.stdout) == (1, "")
    assert f"Port {port} of 127.0.0.1 is not to be had" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_killed_without_a_chance_to_clean_up(tmp_path: Path) -> None:
    run = interrupted(COMMAND, signal.SIGKILL, tmp_path)
    assert run.leftovers(within_s=5) == []
    assert run.status == -signal.SIGKILL


def test_make_up_ends_with_ctrl_c(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "local.up"]
    run = interrupted(argv, signal.SIGINT, tmp_path, after="Ctrl-C")
    assert run.leftovers(within_s=0.5) == []
    assert (run.status, run.said) == (0, "")


def _copy_what_sets_up(checkout: Path) -> None:
    checkout.mkdir(exist_ok=True)
    for name in ("Makefile", "requirements-run.txt"):
        shutil.copy(ROOT / name, checkout)


def _failed_set_up(checkout: Path, *arguments: str) -> str:
    """Return what a set-up said that failed."""
    ran = subprocess.run(
        ["make", *arguments, "run"],  # noqa: S607 - where make is differs
        cwd=checkout,
        env=_environment(checkout),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode != 0
    return ran.stdout


def test_a_set_up_that_fails_says_why(tmp_path: Path) -> None:
    _copy_what_sets_up(tmp_path)
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\n[ "$1" = -c ] || { echo "The disk is full." >&2; exit 1; }\n')
    python.chmod(0o700)
    assert "The disk is full." in _failed_set_up(tmp_path, f"PYTHON={python}")
    assert list(tmp_path.glob(".venv.*")) == []


def test_no_set_up_empties_what_a_link_leads_to(tmp_path: Path) -> None:
    _copy_what_sets_up(tmp_path)
    kept = tmp_path / "somebody's" / "file"
    kept.parent.mkdir()
    kept.touch()
    (tmp_path / ".venv").symlink_to(kept.parent)
    assert ".venv is a link, and would be emptied where it leads: remove it." in _failed_set_up(
        tmp_path
    )
    assert kept.exists()


def test_what_differs_is_said_in_a_sentence() -> None:
    code = (
        "from local.clean_exit import ending_well\n"
        "from local.scenarios import DiffersError\n"
        "with ending_well():\n"
        "    raise DiffersError('The server is OFFLINE, and should be ONLINE.')\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (1, "The server is OFFLINE, and should be ONLINE.\n")
