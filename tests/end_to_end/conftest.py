"""An engine for each file of this folder, with the provider deployed; no file meets another's."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local import provider_stack
from local.engine import ROOT, Engine, running
from local.scenarios import World
from tests import terraform_cli
from tests.terraform_cli import Configuration


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with running() as engine:
        provider_stack.deploy(engine, Hook="WARN", Terraform="ON")
        yield engine


@pytest.fixture(scope="module")
def world(engine: Engine) -> World:
    """A server that starts and stops at once, and no stacks yet."""
    world = World(engine, audience=lambda _: None)
    world.open(transition_s=0)
    return world


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
