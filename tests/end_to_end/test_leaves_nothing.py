"""However `make run` ends, it leaves no process and no file."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local.engine import ROOT

COMMAND = [sys.executable, "-m", "local.walk"]
# As if set-up were done: it must not touch the environment that runs this test.
MAKE = ["make", "--assume-old=.venv/.ready", "run"]


def servers() -> set[str]:
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,args="],  # noqa: S607 - where ps is differs
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    ours = ("local.keeper", "local.emulator", "ministack", "local.walk")
    return {line for line in listed if any(name in line for name in ours)}


def interrupted(argv: list[str], number: int, tmp: Path, *, group: bool) -> tuple[int, str]:
    """Run it until the server has been told to stop, then send the signal."""
    with subprocess.Popen(  # noqa: S603
        argv,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout
        assert process.stderr
        for line in process.stdout:
            if "StopServer" in line:
                break
        assert list(tmp.iterdir()), "it has a folder while it runs"
        (os.killpg if group else os.kill)(process.pid, number)
        said = process.stderr.read()
    return process.returncode, said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
def test_interrupted(number: signal.Signals, tmp_path: Path) -> None:
    before = servers()
    status, said = interrupted(COMMAND, number, tmp_path, group=False)
    assert (status, said) == (128 + number, "")
    assert list(tmp_path.iterdir()) == []
    assert servers() == before


def test_ctrl_c_in_the_terminal_that_runs_make(tmp_path: Path) -> None:
    before = servers()
    status, said = interrupted(MAKE, signal.SIGINT, tmp_path, group=True)
    assert status != 0
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []
    assert servers() == before


def test_killed_without_a_chance_to_clean_up(tmp_path: Path) -> None:
    before = servers()
    status, _ = interrupted(COMMAND, signal.SIGKILL, tmp_path, group=False)
    assert status == -signal.SIGKILL
    give_up = time.monotonic() + 5
    while (list(tmp_path.iterdir()) or servers() != before) and time.monotonic() < give_up:
        time.sleep(0.05)
    assert list(tmp_path.iterdir()) == []
    assert servers() == before
