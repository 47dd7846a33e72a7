"""The real Terraform walks through the module terraform/stack, against the local engine."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from local import provider_stack
from local.engine import Engine
from local.scenarios import World
from tests.terraform_cli import Configuration

OFFLINE = {"desired_state": "OFFLINE"}


def test_it_declares_and_a_rival_in_terraform_is_refused_with_both_names(
    configure: Callable[[str, str], Configuration], world: World, engine: Engine
) -> None:
    declared_by_another = engine.client("transfer").create_server()["ServerId"]
    rival = {"Owner": "files", "DesiredState": "ONLINE"}
    assert invoked(engine, {**rival, "ServerId": declared_by_another})["State"] == "ONLINE"
    terraform = configure("stack", world.server_id)
    other = configure("stack", declared_by_another)
    # At once, since Terraform looks every ten seconds how a stack is.
    with ThreadPoolExecutor() as pool:
        refused = pool.submit(other.fail, "apply", **OFFLINE)
        assert 'state = "OFFLINE"' in terraform.succeed("apply", **OFFLINE)
    assert (
        f"{declared_by_another} is declared by terraform/files, so "
        f"transfer-server-state-{declared_by_another}/State may not declare it too"
    ) in refused.result()
    assert world.state() == "OFFLINE"
    stack = f"transfer-server-state-{world.server_id}/State"
    told = invoked(engine, {**rival, "ServerId": world.server_id})["errorMessage"]
    assert f"is declared by {stack}, so terraform/files may not declare it too" in told

    assert terraform.plan(**OFFLINE)[0] == 0
    terraform.succeed("destroy", **OFFLINE)
    assert world.state() == "OFFLINE"
    with pytest.raises(ClientError, match="does not exist"):
        engine.client("cloudformation").describe_stacks(StackName=stack.partition("/")[0])


def invoked(engine: Engine, payload: dict[str, str]) -> dict[str, str]:
    """Invoke the function as the other module does, without Terraform."""
    answer = engine.client("lambda").invoke(
        FunctionName=provider_stack.deployed(engine, "Terraform"), Payload=json.dumps(payload)
    )
    return dict(json.load(answer["Payload"]))
