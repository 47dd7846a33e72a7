"""examples/sam-app: the SAM CLI validates, builds and deploys it, provider included."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.cloudformation_stack import Stack
from local.engine import ROOT, Engine

APP = ROOT / "examples" / "sam-app"
BIN = ROOT / ".venv-sam" / "bin"

pytestmark = pytest.mark.skipif(
    not (BIN / "sam").exists(), reason="the SAM CLI is not installed: make sam-example"
)


def sam(engine: Engine, *arguments: str) -> None:
    mine = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment = {
        **mine,
        **engine.exports,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "SAM_CLI_TELEMETRY": "0",
        # make takes its packages from here: those of this machine.
        "MAKEFLAGS": "e",
        "PACKAGES": f"'{sys.executable}' -m local.copy_packages",
    }
    done = subprocess.run(
        [BIN / "sam", *arguments],
        cwd=APP,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_brings_the_provider_and_declares_a_server_offline(
    engine: Engine, tmp_path: Path
) -> None:
    engine.control("PATCH", "settings", {"start_s": 0, "stop_s": 0})
    sam(engine, "validate", "--lint")
    sam(engine, "build", f"--build-dir={tmp_path}")
    built = f"--template-file={tmp_path / 'template.yaml'}"
    sam(engine, "deploy", built, f"--config-file={APP / 'samconfig.toml'}")
    client = engine.client("cloudformation")
    (found,) = client.describe_stacks(StackName="my-files")["Stacks"]
    stack = Stack(client, "my-files", found["StackId"])
    outputs = stack.outputs()
    assert outputs["State"] == "OFFLINE"
    assert engine.control("GET", f"servers/{outputs['ServerId']}")["state"] == "OFFLINE"
    engine.client("lambda").get_function(FunctionName="my-files-provider")
    # Its declaration goes before the provider does.
    stack.delete()
    assert stack.settled() == "DELETE_COMPLETE"
