"""The provider as a process of AWS's Lambda runtime client, in the place that Lambda gives it.

Of this machine's packages it sees those that Lambda's Python brings, and no other: what else it
needs has to be in its package.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import distribution
from pathlib import Path
from typing import Self

from local.engine import ROOT

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
    """A process that polls the Runtime API from entering the context until leaving it.

    A supervisor starts it, so that it ends with whoever holds it, however that comes about.
    """

    def __init__(
        self, package: Path, runtime: Path, log: Path, handler: str, env: Mapping[str, str]
    ) -> None:
        self._package, self._log = package, log
        order = {
            # Without site, there is no way to the packages of this environment.
            "argv": [sys.executable, "-S", "-m", "awslambdaric", handler],
            "env": {**env, "PYTHONPATH": str(runtime)},
            "log": str(log),
        }
        self._order = json.dumps(order).encode() + b"\n"

    def __enter__(self) -> Self:
        self._supervisor = subprocess.Popen(
            [sys.executable, "-S", "-m", "local.supervisor"],
            cwd=self._package,
            env={"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            process_group=0,
        )
        assert self._supervisor.stdin
        self._supervisor.stdin.write(self._order)
        self._supervisor.stdin.flush()
        return self

    def __exit__(self, *_: object) -> None:
        self._supervisor.communicate()

    @property
    def log(self) -> str:
        """What it has written so far."""
        return self._log.read_text()
