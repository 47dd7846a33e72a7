"""The real Terraform walks through the module terraform/invocation, against the local engine."""

from collections.abc import Callable

from local.engine import Engine
from local.scenarios import World
from tests.terraform_cli import Configuration

ONLINE, OFFLINE = ({"desired_state": state} for state in ("ONLINE", "OFFLINE"))


def test_it_declares_warns_of_drift_fails_with_the_reason_and_goes_again(
    configure: Callable[[str, str], Configuration], world: World, engine: Engine
) -> None:
    server = f"servers/{world.server_id}"

    def put(state: str) -> None:
        engine.control("POST", f"{server}/state", {"state": state})

    terraform = configure("invocation/examples/basic", world.server_id)
    put("OFFLINE")
    assert 'state = "ONLINE"' in terraform.succeed("apply", **ONLINE)
    assert world.state() == "ONLINE"
    status, printed = terraform.plan(**ONLINE)
    assert (status, "Warning" in printed) == (0, False), printed

    put("OFFLINE")
    status, printed = terraform.plan(**ONLINE)
    assert (status, "Warning: Check block assertion failed" in printed) == (0, True), printed
    assert "is OFFLINE, wanted ONLINE; terraform/files declares ONLINE: drifted." in printed

    assert "expected ONLINE or OFFLINE" in terraform.fail("apply", desired_state="OFLINE")

    put("ONLINE")
    engine.control("PATCH", f"{server}/settings", {"stop_failures": 1})
    printed = terraform.fail("apply", **OFFLINE)
    assert f"{world.server_id} is STOP_FAILED, wanted OFFLINE, after StopServer" in printed
    # Terraform has kept the input all the same; the module has not.
    status, printed = terraform.plan(**OFFLINE)
    assert (status, "1 to change" in printed) == (2, True), printed

    replace = "-replace=module.state.aws_lambda_invocation.state"
    printed = terraform.succeed("apply", replace, **OFFLINE)
    assert "1 added, 0 changed, 1 destroyed" in printed
    assert world.state() == "OFFLINE"
    terraform.succeed("destroy", **OFFLINE)
    assert world.state() == "OFFLINE"
