"""The real Terraform walks through both modules, against the local engine."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local import provider_stack
from local.engine import ROOT, Engine
from local.scenarios import World
from tests import terraform_cli
from tests.terraform_cli import TerraformCli

Walk = Callable[[str], "Configuration"]


class Configuration(TerraformCli):
    """A module's example, in a folder of its own, for the one server."""

    def __init__(self, folder: Path, environment: dict[str, str], server_id: str) -> None:
        super().__init__(folder, environment)
        self._server = f"-var=server_id={server_id}"

    def plan(self, desired: str) -> tuple[int, str]:
        """Return 0 where there is nothing to do, 2 where there is, and what was printed."""
        done = self.run(
            "plan",
            "-detailed-exitcode",
            "-input=false",
            self._server,
            f"-var=desired_state={desired}",
        )
        return done.returncode, _on_one_line(done.stdout)

    def change(self, command: str, desired: str, *more: str) -> tuple[bool, str]:
        """Apply or destroy, and tell whether it succeeded, and what was printed."""
        done = self.run(
            command,
            "-auto-approve",
            "-input=false",
            self._server,
            f"-var=desired_state={desired}",
            *more,
        )
        return done.returncode == 0, _on_one_line(done.stdout)

    def succeed(self, command: str, desired: str, *more: str) -> str:
        succeeded, printed = self.change(command, desired, *more)
        assert succeeded, printed
        return printed

    def fail(self, command: str, desired: str) -> str:
        succeeded, printed = self.change(command, desired)
        assert not succeeded, printed
        return printed


def _on_one_line(printed: str) -> str:
    """Undo the frames and breaks of Terraform's diagnostics."""
    return " ".join(printed.translate(dict.fromkeys(map(ord, "│╷╵"), " ")).split())


@pytest.fixture
def configure(world: World, engine: Engine, tmp_path: Path) -> Walk:
    inherited = {name: "" for name in os.environ if name.startswith("AWS_")}
    environment = {
        **inherited,
        **terraform_cli.environment(tmp_path),
        **engine.exports,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "127.0.0.1",
    }

    def configure(module: str) -> Configuration:
        shutil.copytree(ROOT / "terraform" / module, tmp_path / module)
        folder = tmp_path / module / "examples" / "basic"
        configuration = Configuration(folder, environment, world.server_id)
        configuration.init()
        validated = configuration.run("validate")
        assert validated.returncode == 0, validated.stdout
        return configuration

    return configure


def put(world: World, state: str) -> None:
    """Let somebody move the server."""
    world.engine.control("POST", f"servers/{world.server_id}/state", {"state": state})


def test_the_invocation_module(configure: Walk, world: World, engine: Engine) -> None:
    terraform = configure("invocation")
    put(world, "ONLINE")
    assert 'state = "OFFLINE"' in terraform.succeed("apply", "OFFLINE")
    assert world.state() == "OFFLINE"

    status, printed = terraform.plan("OFFLINE")
    assert (status, "Warning" in printed) == (0, False), printed

    put(world, "ONLINE")
    status, printed = terraform.plan("OFFLINE")
    assert (status, "Warning: Check block assertion failed" in printed) == (0, True)
    assert "is ONLINE, wanted OFFLINE; terraform/files declares OFFLINE: drifted" in printed

    put(world, "OFFLINE")
    terraform.succeed("apply", "ONLINE")
    assert world.state() == "ONLINE"
    assert "expected ONLINE or OFFLINE" in terraform.fail("apply", "OFLINE")

    settings = f"servers/{world.server_id}/settings"
    engine.control("PATCH", settings, {"stop_failures": 1})
    printed = terraform.fail("apply", "OFFLINE")
    assert f"{world.server_id} is STOP_FAILED, wanted OFFLINE, after StopServer" in printed
    # Terraform takes it for applied all the same; the check does not.
    status, printed = terraform.plan("OFFLINE")
    assert (status, "terraform/files declares OFFLINE: failed" in printed) == (0, True)

    printed = terraform.succeed("apply", "OFFLINE", "-replace=module.state.terraform_data.owner")
    assert "2 added, 0 changed, 2 destroyed" in printed
    assert world.state() == "OFFLINE"
    terraform.succeed("destroy", "OFFLINE")
    assert world.state() == "OFFLINE"


def test_the_stack_module(configure: Walk, world: World, engine: Engine) -> None:
    put(world, "ONLINE")
    rival = {"ServerId": world.server_id, "Owner": "files", "DesiredState": "ONLINE"}
    invoked(engine, rival)
    terraform = configure("stack")
    assert "expected ONLINE or OFFLINE" in terraform.fail("apply", "OFLINE")
    assert (
        f"is declared by terraform/files, so transfer-server-state-{world.server_id}/State may not "
        "declare it too"
    ) in terraform.fail("apply", "OFFLINE")
    assert world.state() == "ONLINE"

    invoked(engine, {**rival, "tf": {"action": "delete", "prev_input": rival}})
    assert 'state = "OFFLINE"' in terraform.succeed("apply", "OFFLINE")
    assert world.state() == "OFFLINE"
    assert terraform.plan("OFFLINE")[0] == 0
    terraform.succeed("destroy", "OFFLINE")
    assert world.state() == "OFFLINE"


def invoked(engine: Engine, payload: dict[str, Any]) -> None:
    answer = engine.client("lambda").invoke(
        FunctionName=provider_stack.deployed(engine, "Terraform"), Payload=json.dumps(payload)
    )
    assert "FunctionError" not in answer, answer["Payload"].read()
