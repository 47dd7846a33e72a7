"""The real SAM CLI, CDK and Terraform, where they are to be had: see the Makefile."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from local.engine import ROOT, Engine
from tests import terraform_cli
from tests.terraform_cli import Configuration


@pytest.fixture
def configure(engine: Engine, tmp_path: Path) -> Callable[[str, str], Configuration]:
    """Set up a module's example, MODULE/examples/NAME, for a server; Terraform calls the engine."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}

    def configure(example: str, server_id: str) -> Configuration:
        folder = tmp_path / server_id
        module, _, path = example.partition("/")
        shutil.copytree(ROOT / "terraform" / module, folder)
        environment = {
            **kept,
            **terraform_cli.environment(folder),
            **engine.exports,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": "127.0.0.1",
        }
        configuration = Configuration(folder / path, environment, {"server_id": server_id})
        configuration.init()
        return configuration

    return configure
