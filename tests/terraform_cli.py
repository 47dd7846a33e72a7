"""The real Terraform, as it is on the PATH, with the AWS provider from a mirror on this machine.

Terraform finds one by its own conventions: a CLI configuration, or the folders that it implies,
such as ~/.terraform.d/plugins. TERRAFORM_PLUGIN_MIRROR names another. Nothing is downloaded.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

_MIRROR = "TERRAFORM_PLUGIN_MIRROR"
NO_MIRROR = f"Terraform finds no mirror of the AWS provider here; {_MIRROR} names one"
_ONLY_THE_MIRROR = """
provider_installation {{
  filesystem_mirror {{
    path = "{}"
  }}
}}
"""


def environment(folder: Path) -> dict[str, str]:
    """Return what Terraform needs in its environment, with the mirror that is named, if any."""
    offline = {
        "CHECKPOINT_DISABLE": "1",
        # Nobody listens there.
        "HTTPS_PROXY": "http://127.0.0.1:9",
        # To start the provider, which each command does twice, takes half the processor time so.
        "GOGC": "400",
    }
    if mirror := os.environ.get(_MIRROR):
        config = folder / "mirror.tfrc"
        config.write_text(_ONLY_THE_MIRROR.format(mirror))
        offline["TF_CLI_CONFIG_FILE"] = str(config)
    return offline


def terraform() -> str:
    """Return where it is, or skip the test that needs it."""
    return shutil.which("terraform") or pytest.skip("terraform is not on the PATH")


@dataclass
class Configuration:
    """A root module in a folder of its own, with the values of its variables."""

    folder: Path
    environment: Mapping[str, str]
    variables: Mapping[str, str]

    def init(self) -> None:
        """Install the provider, or skip the test that needs it."""
        if self._run("init").returncode:
            pytest.skip(NO_MIRROR)

    def plan(self, **variables: str) -> tuple[int, str]:
        """Return 0 where there is nothing to do, 2 where there is, and what was printed."""
        done = self._run("plan", "-detailed-exitcode", *self._given(variables))
        return done.returncode, _on_one_line(done.stdout)

    def succeed(self, command: str, *options: str, **variables: str) -> str:
        """Apply or destroy, and return what was printed."""
        done = self._run(command, "-auto-approve", *options, *self._given(variables))
        assert done.returncode == 0, done.stdout
        return _on_one_line(done.stdout)

    def fail(self, command: str, **variables: str) -> str:
        """Apply or destroy in vain, and return what was printed."""
        done = self._run(command, "-auto-approve", *self._given(variables))
        assert done.returncode == 1, done.stdout
        return _on_one_line(done.stdout)

    def _given(self, variables: Mapping[str, str]) -> list[str]:
        return [f"-var={name}={value}" for name, value in {**self.variables, **variables}.items()]

    def _run(self, command: str, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [terraform(), command, "-no-color", "-input=false", *options],
            cwd=self.folder,
            env=dict(self.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )


def _on_one_line(printed: str) -> str:
    """Undo the frames and line breaks of Terraform's diagnostics."""
    return " ".join(printed.translate(dict.fromkeys(map(ord, "│╷╵"), " ")).split())
