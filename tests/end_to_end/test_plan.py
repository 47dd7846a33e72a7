"""What the plan says of a change set comes about when it is executed; the hook says the same."""

import io
import json
import os
import uuid
from contextlib import redirect_stdout
from typing import Any
from unittest import mock

import pytest

from local import provider_stack
from local.engine import Engine
from local.scenarios import SERVER_AND_STATE, TEMPLATE, World
from transfer_server_state import cli


@pytest.fixture
def stack() -> str:
    return f"planned-{uuid.uuid4().hex[:8]}"


def planned(engine: Engine, *arguments: str) -> tuple[int, list[Any]]:
    """Ask the command line, with the environment that `make up` prints."""
    with mock.patch.dict(os.environ, engine.exports), redirect_stdout(io.StringIO()) as out:
        status = cli.main(["plan", *arguments, "--json"])
    return status, json.loads(out.getvalue())


def of_change_set(engine: Engine, stack: str, name: str) -> tuple[int, list[Any]]:
    return planned(engine, "--change-set", name, "--stack", stack)


def test_a_change_set_does_what_was_planned(world: World, stack: str) -> None:
    new = world.stack(stack)
    declared = {"ServerId": world.server_id, "DesiredState": "OFFLINE"}
    proposed = new.propose(TEMPLATE, declared)
    status, (only,) = of_change_set(world.engine, stack, proposed)
    assert (status, only["action"], only["actual"]) == (2, "stop", "ONLINE")
    assert (only["resource"], only["server_id"]) == (f"{stack}/State", world.server_id)
    assert world.state() == "ONLINE"
    new.execute(proposed)
    assert new.settled() == "CREATE_COMPLETE"
    assert world.state() == "OFFLINE"

    proposed = new.propose(TEMPLATE, {**declared, "DesiredState": "ONLINE"})
    status, (only,) = of_change_set(world.engine, stack, proposed)
    assert (status, only["action"]) == (2, "start")
    assert only["reason"] == "changed: DesiredState OFFLINE -> ONLINE"
    assert world.delete(stack) == "DELETE_COMPLETE"


def test_a_tag_of_a_server_that_is_declared_offline_is_the_restart_that_it_is(
    engine: Engine, stack: str
) -> None:
    world = World(engine, audience=lambda _: None)
    assert world.deploy(stack, SERVER_AND_STATE) == "CREATE_COMPLETE"
    world.server_id = world.stacks[stack].outputs()["ServerId"]
    tagged = SERVER_AND_STATE.replace(
        "      Protocols: [SFTP]", "      Protocols: [SFTP]\n      Tags: [{Key: a, Value: b}]"
    )
    proposed = world.stacks[stack].propose(tagged)
    status, (only,) = of_change_set(engine, stack, proposed)
    assert (status, only["action"], only["server_id"]) == (2, "started by AWS", world.server_id)
    assert "the guard stops it right after" in only["reason"]
    world.stacks[stack].execute(proposed)
    assert world.stacks[stack].settled() == "UPDATE_COMPLETE"
    assert world.state() == "ONLINE"
    # As CloudFormation's event, which the engine does not send, has the guard do it.
    provider_stack.guard(engine, world.server_id)
    world.wait_for("OFFLINE")
    assert world.delete(stack) == "DELETE_COMPLETE"


def test_a_rival_and_a_typo_are_refused_before_there_is_a_stack(
    world: World, stack: str, tmp_path: Any
) -> None:
    assert world.deploy(stack, DesiredState="ONLINE") == "CREATE_COMPLETE"
    file = tmp_path / "rival.yaml"
    file.write_text(TEMPLATE)
    given = ("--template", str(file), "--parameter", f"ServerId={world.server_id}")
    status, (only,) = planned(world.engine, *given, "--parameter", "DesiredState=ONLINE")
    assert (status, only["action"]) == (1, "refused")
    assert f"{stack}/State" in only["reason"]
    status, (only,) = planned(world.engine, *given, "--parameter", "DesiredState=OFLINE")
    assert "did you mean OFFLINE?" in only["reason"]
    assert world.delete(stack) == "DELETE_COMPLETE"


def test_the_hook_as_deployed_plans_and_refuses(world: World, stack: str) -> None:
    assert world.deploy(stack, DesiredState="ONLINE") == "CREATE_COMPLETE"
    stack_id = world.stacks[stack].stack_id
    literal = TEMPLATE.replace("!Ref ServerId", world.server_id)
    offline = literal.replace("!Ref DesiredState", "OFFLINE")
    both = {"previousTemplate": literal, "template": offline}
    answer = provider_stack.hook(world.engine, stack_id, both)
    assert answer["hookStatus"] == "SUCCESS"
    assert f"{world.server_id}: ONLINE -> OFFLINE: stop" in answer["message"]
    both["template"] = offline.replace("OFFLINE", "OFLINE")
    answer = provider_stack.hook(world.engine, stack_id, both)
    assert (answer["hookStatus"], answer["errorCode"]) == ("FAILED", "NonCompliant")
    assert "did you mean OFFLINE?" in answer["message"]
    assert world.state() == "ONLINE"
    assert world.delete(stack) == "DELETE_COMPLETE"
