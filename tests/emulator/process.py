"""Emulators as processes."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

Process = subprocess.Popen[str]


class Start(Protocol):
    """What starts one, with arguments to it, and to the interpreter."""

    def __call__(self, *arguments: str, python: tuple[str, ...] = ...) -> Process: ...


@contextmanager
def starting(folder: Path) -> Iterator[Start]:
    """Start emulators in a folder of their own, which is their TMPDIR too; end them after."""
    started: list[Process] = []

    def start(*arguments: str, python: tuple[str, ...] = ("-m", "local.emulator")) -> Process:
        process = subprocess.Popen(
            [sys.executable, *python, *arguments],
            cwd=folder,
            env={
                "PYTHONPATH": str(Path.cwd()),
                "PYTHONDONTWRITEBYTECODE": "1",
                "TMPDIR": str(folder),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def url_of(process: Process) -> str:
    """Read the line that it says first."""
    return line_of(process)


def line_of(process: Process) -> str:
    assert process.stdout
    return process.stdout.readline().strip()
