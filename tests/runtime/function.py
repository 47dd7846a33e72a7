"""The provider as a process of AWS's Lambda runtime client, in the place that Lambda gives it.

Of this machine's packages it sees those that Lambda's Python brings, and no other: what else it
needs has to be in its package.
"""

import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import distribution
from pathlib import Path
from typing import Self

# The runtime's own, as the template's Runtime has them.
_BROUGHT = (
    "awslambdaric",
    "boto3",
    "botocore",
    "jmespath",
    "python-dateutil",
    "s3transfer",
    "simplejson",
    "six",
    "snapshot-restore-py",
    "urllib3",
)


def bring(folder: Path) -> Path:
    """Fill a folder with the packages that the runtime brings."""
    for name in _BROUGHT:
        for top in {file.parts[0] for file in distribution(name).files or []}:
            if top not in {"..", "__pycache__"}:
                (folder / top).symlink_to(Path(str(distribution(name).locate_file(top))))
    return folder


class Function:
    """A process that polls the Runtime API from entering the context until leaving it."""

    def __init__(self, package: Path, runtime: Path, log: Path, env: Mapping[str, str]) -> None:
        self._package, self._runtime, self._log, self._env = package, runtime, log, env

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                # Without site, there is no way to the packages of this environment.
                [sys.executable, "-S", "-m", "awslambdaric", "handler.cloudformation.handler"],
                cwd=self._package,
                env={**self._env, "PYTHONPATH": str(self._runtime)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def log(self) -> str:
        """What it has written so far."""
        return self._log.read_text()

    def exit_code(self, within_s: float) -> int:
        """Wait for its own end."""
        return self._process.wait(within_s)
