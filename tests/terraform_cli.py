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
_ONLY_THE_MIRROR = """
provider_installation {{
  filesystem_mirror {{
    path = "{}"
  }}
}}
"""


def environment(folder: Path) -> dict[str, str]:
    """Return what Terraform needs in its environment, with the mirror that is named, if any."""
    # Nobody listens at that proxy.
    offline = {
        "CHECKPOINT_DISABLE": "1",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "TF_IN_AUTOMATION": "1",
    }
    if mirror := os.environ.get(_MIRROR):
        config = folder / "mirror.tfrc"
        config.write_text(_ONLY_THE_MIRROR.format(mirror))
        offline["TF_CLI_CONFIG_FILE"] = str(config)
    return offline


@dataclass
class TerraformCli:
    """Terraform in the folder of a root module."""

    folder: Path
    environment: Mapping[str, str]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, in plain text, both streams as one."""
        program = shutil.which("terraform")
        if program is None:
            pytest.skip("terraform is not on the PATH")
        return subprocess.run(  # noqa: S603
            [program, *arguments, "-no-color"],
            cwd=self.folder,
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )

    def init(self) -> None:
        """Install the provider, or skip the test that needs it."""
        if self.run("init", "-input=false").returncode:
            pytest.skip(
                f"Terraform finds no mirror of the AWS provider here; {_MIRROR} names one"
            )
