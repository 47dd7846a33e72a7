"""examples/cdk: what the CDK makes of it is deployed here, and a mistake is told at synthesis."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from local.cloudformation_stack import Stack
from local.engine import ROOT, Engine

APP = ROOT / "examples" / "cdk"
VENV = ROOT / ".venv-cdk"

pytestmark = [
    pytest.mark.skipif(not (VENV / ".ready").exists(), reason="the CDK is not installed: make cdk"),
    pytest.mark.skipif(shutil.which("node") is None, reason="the CDK needs Node"),
]
# One process has both: starting the CDK takes most of the time.
CASES = """
import json, runpy
from aws_cdk import CfnParameter, Duration, Stack
from transfer_server_state.cdk import DesiredState, TransferServerState

runpy.run_path("app.py")
stack = Stack()
known_later = CfnParameter(stack, "Later").value_as_string
arn = "arn:aws:transfer:eu-west-1:111122223333:server/s-0123456789abcdef0"

def refused(case, **declared):
    valid = {"server_id": "s-0123456789abcdef0", "desired_state": DesiredState.ONLINE}
    try:
        TransferServerState(stack, case, **valid | declared)
    except ValueError as error:
        return str(error)

print(json.dumps({
    "server": refused("server", server_id="s-1"),
    "both": refused("both", desired_state="OFLINE", service_timeout=Duration.seconds(10)),
    "later": refused("later", server_id=known_later, triggers={"any": known_later}),
    "arn": refused("arn", server_id=arn, triggers=[]),
}))
"""


@pytest.fixture(scope="module")
def synthesised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the app's assembly is, with what the cases came to beside it."""
    folder = tmp_path_factory.mktemp("cdk")
    done = subprocess.run(
        [VENV / "bin" / "python", "-c", CASES],
        cwd=APP,
        env=os.environ | {"CDK_OUTDIR": str(folder / "cdk.out"), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (folder / "cases.json").write_text(done.stdout)
    return folder


def test_the_app_declares_what_it_says(synthesised: Path) -> None:
    template = json.loads((synthesised / "cdk.out" / "files.template.json").read_text())
    (declared,) = [
        resource["Properties"]
        for resource in template["Resources"].values()
        if resource["Type"] == "Custom::TransferServerState"
    ]
    assert declared == {
        "ServiceToken": {"Fn::ImportValue": "TransferServerState-ServiceToken"},
        "ServiceTimeout": "1800",
        "ServerId": {"Fn::GetAtt": ["Server", "ServerId"]},
        "DesiredState": "OFFLINE",
        "OnDelete": "RETAIN",
        "OnDrift": "REASSERT",
        "Triggers": ["TransferSecurityPolicy-2024-01"],
    }


def test_whoever_synthesises_offline_is_told_what_it_costs(synthesised: Path) -> None:
    metadata = json.loads((synthesised / "cdk.out" / "files.metadata.json").read_text())
    (note,) = [each["data"] for each in metadata["/files/State"] if each["type"] == "aws:cdk:info"]
    assert note.startswith("An OFFLINE server costs as much as one that is ONLINE")


def test_a_mistake_is_told_at_synthesis_unless_only_the_deployment_knows(synthesised: Path) -> None:
    cases: dict[str, Any] = json.loads((synthesised / "cases.json").read_text())
    assert cases["server"].startswith("Default/server: ServerId: 's-1', expected a server id")
    assert "DesiredState: 'OFLINE', expected ONLINE or OFFLINE; did you mean" in cases["both"]
    assert "ServiceTimeout: 10, expected a whole number of seconds from 30" in cases["both"]
    assert cases["later"] is None
    assert cases["arn"] is None


def test_what_it_makes_is_deployed(engine: Engine, synthesised: Path) -> None:
    engine.control("PATCH", "settings", {"start_s": 0, "stop_s": 0})
    # What `cdk bootstrap` leaves in an account.
    engine.client("ssm").put_parameter(
        Name="/cdk-bootstrap/hnb659fds/version", Value="31", Type="String"
    )
    stack = Stack(engine.client("cloudformation"), "files")
    stack.change((synthesised / "cdk.out" / "files.template.json").read_text())
    assert stack.settled() == "CREATE_COMPLETE"
    outputs = stack.outputs()
    assert outputs["ServerState"] == "OFFLINE"
    assert engine.control("GET", f"servers/{outputs['ServerId']}")["state"] == "OFFLINE"
