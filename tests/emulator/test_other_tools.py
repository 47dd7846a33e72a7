"""What people point at AWS works the same here: Terraform, the AWS CLI and Cloud Custodian.

Each is taken from the PATH. Nothing that is run here reaches beyond this machine.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.emulator import Emulator, State
from tests import terraform_cli
from tests.fakes.account import REGION

Run = Callable[..., subprocess.CompletedProcess[str]]

TERRAFORM = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  skip_credentials_validation = true
  skip_requesting_account_id  = true
}

variable "policy" {}

resource "aws_transfer_server" "files" {
  security_policy_name = "TransferSecurityPolicy-${var.policy}"
  tags                 = { policy = var.policy }
}

resource "aws_transfer_user" "alice" {
  server_id           = aws_transfer_server.files.id
  user_name           = "alice"
  role                = "arn:aws:iam::000000000000:role/files"
  home_directory_type = "LOGICAL"
  home_directory_mappings {
    entry  = "/"
    target = "/bucket/alice"
  }
}

resource "aws_transfer_ssh_key" "alice" {
  server_id = aws_transfer_server.files.id
  user_name = aws_transfer_user.alice.user_name
  body      = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
}
"""
CUSTODIAN = """
policies:
  - name: {0}-files
    resource: aws.transfer-server
    filters: [State: {1}, "tag:team": files]
    actions: [{0}]
"""


@pytest.fixture
def run(emulator: Emulator, tmp_path: Path) -> Run:
    """Run a program against the emulator, in a folder of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment = kept | {
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": emulator.url,
        **terraform_cli.environment(tmp_path),
        "NO_PROXY": "127.0.0.1",
    }

    def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        program = shutil.which(name)
        if program is None:
            pytest.skip(f"{name} is not on the PATH")
        return subprocess.run(
            [program, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_terraform_applies_plans_nothing_updates_and_destroys(
    run: Run, emulator: Emulator, transfer: Any, tmp_path: Path
) -> None:
    def terraform(command: str, policy: str, *arguments: str) -> None:
        done = run("terraform", command, f"-var=policy={policy}", "-no-color", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr

    (tmp_path / "main.tf").write_text(TERRAFORM)
    if run("terraform", "init").returncode:
        pytest.skip(terraform_cli.NO_MIRROR)
    terraform("apply", "2020-06", "-auto-approve")
    ((server_id, state),) = emulator.states().items()
    assert state is State.ONLINE
    user = transfer.describe_user(ServerId=server_id, UserName="alice")["User"]
    assert len(user["SshPublicKeys"]) == 1
    transfer.stop_server(ServerId=server_id)
    # Where there is something to do, that is its exit code.
    terraform("plan", "2020-06", "-detailed-exitcode")
    terraform("apply", "2024-01", "-auto-approve")
    server = transfer.describe_server(ServerId=server_id)["Server"]
    assert server["SecurityPolicyName"] == "TransferSecurityPolicy-2024-01"
    assert server["Tags"] == [{"Key": "policy", "Value": "2024-01"}]
    # CloudFormation's update would have started it; Terraform's does not.
    assert server["State"] == "OFFLINE"
    terraform("destroy", "2024-01", "-auto-approve")
    assert emulator.states() == {}


def test_the_aws_cli_waits_for_what_it_commands_and_is_told_of_a_failure(
    run: Run, emulator: Emulator
) -> None:
    def aws(*arguments: str) -> subprocess.CompletedProcess[str]:
        return run("aws", "transfer", *arguments)

    server_id = aws("create-server", "--query=ServerId", "--output=text").stdout.strip()
    for command, state in (("stop-server", State.OFFLINE), ("start-server", State.ONLINE)):
        assert aws(command, "--server-id", server_id).returncode == 0
        assert aws("wait", f"server-{state.lower()}", "--server-id", server_id).returncode == 0
        assert emulator.states() == {server_id: state}
    emulator.put(server_id, State.STOP_FAILED)
    failed = aws("wait", "server-offline", "--server-id", server_id)
    assert failed.returncode == 255
    assert "terminal failure state" in failed.stderr


def test_cloud_custodian_filters_stops_starts_and_deletes(
    run: Run, emulator: Emulator, transfer: Any, tmp_path: Path
) -> None:
    def custodian(action: str, state: str) -> dict[str, State]:
        (tmp_path / "policy.yml").write_text(CUSTODIAN.format(action, state))
        done = run("custodian", "run", "--cache-period=0", "--output-dir=out", "policy.yml")
        assert done.returncode == 0, done.stderr
        return emulator.states()

    files, other = (
        transfer.create_server(Tags=[{"Key": "team", "Value": team}])["ServerId"]
        for team in ("files", "other")
    )
    assert custodian("stop", "ONLINE") == {files: State.OFFLINE, other: State.ONLINE}
    assert custodian("stop", "ONLINE") == {files: State.OFFLINE, other: State.ONLINE}
    assert custodian("start", "OFFLINE") == {files: State.ONLINE, other: State.ONLINE}
    assert custodian("delete", "ONLINE") == {other: State.ONLINE}
