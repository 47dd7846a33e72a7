"""Promises that only a deployed function, an engine and a server together can show."""

import json
import time
from pathlib import Path
from typing import Any

from local import provider_stack
from local.engine import Engine
from local.scenarios import TEMPLATE, World

RESTORING = TEMPLATE.replace("DesiredState: !Ref", "OnDelete: RESTORE\n      DesiredState: !Ref")


def test_restore_brings_the_server_back_when_the_stack_is_deleted(world: World) -> None:
    assert world.deploy("restoring", RESTORING, DesiredState="OFFLINE") == "CREATE_COMPLETE"
    assert world.state() == "OFFLINE"
    assert world.delete("restoring") == "DELETE_COMPLETE"
    assert world.state() == "ONLINE"


def test_another_server_takes_the_first_ones_place(world: World, engine: Engine) -> None:
    other = engine.client("transfer").create_server()["ServerId"]
    assert world.deploy("moving", DesiredState="OFFLINE") == "CREATE_COMPLETE"
    status = world.deploy("moving", DesiredState="OFFLINE", ServerId=other)
    assert status == "UPDATE_COMPLETE"
    assert engine.control("GET", f"servers/{other}")["state"] == "OFFLINE"
    # The first is left as it is, since nothing else was declared.
    assert world.state() == "OFFLINE"


def test_the_attributes_reach_the_template(world: World) -> None:
    assert world.stacks["moving"].outputs() == {"State": "OFFLINE"}


def test_an_event_that_cannot_be_handled_ends_in_the_queue(engine: Engine) -> None:
    function, queue = (provider_stack.deployed(engine, name) for name in ("Provider", "Unhandled"))
    event = {"RequestType": "Nonsense"}
    engine.client("lambda").invoke(
        FunctionName=function, InvocationType="Event", Payload=json.dumps(event)
    )
    message = _received(engine, queue)
    assert message["requestPayload"] == event
    assert "no custom-resource request" in message["responsePayload"]["errorMessage"]


def environments(engine: Engine) -> dict[str, Path]:
    """Where each of the functions' environments has its package."""
    return {p.parent.name: p.resolve() for p in engine.folder.glob("ministack-lambda-*/code")}


def test_environments_outlive_what_their_functions_raise_and_share_a_package(
    engine: Engine,
) -> None:
    provider_stack.guard(engine)
    before = environments(engine)
    for _ in range(2):
        answer = engine.client("lambda").invoke(
            FunctionName=provider_stack.deployed(engine, "Guard"), Payload=b"[]"
        )
        assert answer["FunctionError"] == "Unhandled"
    assert environments(engine) == before
    assert len({*before.values()}) == 1


def test_nobody_is_given_the_engine_s_port_before_the_engine_has_it(engine: Engine) -> None:
    # To whoever asks for any, Linux gives those from 32,768 on, others from 49,152 on.
    assert int(engine.aws_url.rpartition(":")[2]) < 32_768


def _received(engine: Engine, queue: str) -> dict[str, Any]:
    give_up = time.monotonic() + 120
    while time.monotonic() < give_up:
        answer = engine.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=1)
        for message in answer.get("Messages", []):
            return dict(json.loads(message["Body"]))
    raise AssertionError("nothing came to the queue")
