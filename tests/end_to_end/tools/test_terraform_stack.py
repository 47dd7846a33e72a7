"""The real Terraform walks through the module terraform/stack, against the local engine."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from deploy import artefact
from deploy.package import translated
from local import provider_stack
from local.engine import REGION, Engine
from local.scenarios import World
from tests.terraform_cli import Configuration

OFFLINE = {"desired_state": "OFFLINE"}


@pytest.fixture
def template_url(engine: Engine, tmp_path: Path) -> str:
    """Put the provider's package and its translated template where a deployment finds them."""
    package = provider_stack.build(tmp_path / "package")
    archive = artefact.archive(package, tmp_path / "package.zip")
    s3, bucket = engine.client("s3"), f"packages-{REGION}"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="package.zip", Body=archive.read_bytes())
    body = translated("packages", "package.zip").encode()
    s3.put_object(Bucket=bucket, Key="template.json", Body=body)
    return f"{engine.aws_url}/{bucket}/template.json"


def test_it_declares_and_a_rival_in_terraform_is_refused_with_both_names(
    configure: Callable[[str, str], Configuration], world: World, engine: Engine, template_url: str
) -> None:
    declared_by_another = new_server(engine)
    rival = {"Owner": "files", "DesiredState": "ONLINE"}
    assert invoked(engine, {**rival, "ServerId": declared_by_another})["State"] == "ONLINE"
    terraform = configure("stack/examples/basic", world.server_id)
    other = configure("stack/examples/basic", declared_by_another)
    with_provider = configure("stack/examples/with-provider", new_server(engine))
    refused = other.fail("apply", **OFFLINE)
    whole = with_provider.succeed("apply", **OFFLINE, template_url=template_url)
    assert 'state = "OFFLINE"' in terraform.succeed("apply", **OFFLINE)
    reason = (
        f"{declared_by_another} is declared by terraform/files, so "
        f"transfer-server-state-{declared_by_another}/State may not declare it too"
    )
    assert reason in refused
    assert "2 added" in whole
    assert 'state = "OFFLINE"' in whole
    assert world.state() == "OFFLINE"
    stack = f"transfer-server-state-{world.server_id}/State"
    told = invoked(engine, {**rival, "ServerId": world.server_id})["errorMessage"]
    assert f"is declared by {stack}, so terraform/files may not declare it too" in told

    assert terraform.plan(**OFFLINE)[0] == 0
    terraform.succeed("destroy", **OFFLINE)
    assert world.state() == "OFFLINE"
    with pytest.raises(ClientError, match="does not exist"):
        engine.client("cloudformation").describe_stacks(StackName=stack.partition("/")[0])


def new_server(engine: Engine) -> str:
    return str(engine.client("transfer").create_server()["ServerId"])


def invoked(engine: Engine, payload: dict[str, str]) -> dict[str, str]:
    """Invoke the function as the other module does, without Terraform."""
    answer = engine.client("lambda").invoke(
        FunctionName=provider_stack.deployed(engine, "TerraformFunction"),
        Payload=json.dumps(payload),
    )
    return dict(json.load(answer["Payload"]))
