"""The guard on the local engine: the real template, its real functions, and people in between."""

import io
import json
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from typing import Any

import pytest

from local import provider_stack
from local.engine import Engine, running
from local.scenarios import TEMPLATE, World
from transfer_server_state import cli

KEPT = TEMPLATE.replace(
    "      DesiredState: !Ref", "      OnDrift: REASSERT\n      DesiredState: !Ref"
)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """Start one in whose account nothing else is declared, for the guard counts what is."""
    with running() as engine:
        provider_stack.deploy(engine)
        yield engine


def until(world: World, state: str) -> None:
    give_up = time.monotonic() + 15
    while world.state() != state:
        assert time.monotonic() < give_up, f"{world.state()}, not {state}"
        time.sleep(0.02)


def drift(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> tuple[int, Any]:
    """Ask the command line, with the environment that `make up` prints."""
    for name, value in engine.exports.items():
        monkeypatch.setenv(name, value)
    with redirect_stdout(io.StringIO()) as out:
        status = cli.main(["drift", "--json"])
    return status, json.loads(out.getvalue())


def measured(engine: Engine) -> list[dict[str, Any]]:
    """The guard's figures in the log, as CloudWatch takes its metrics from there."""
    group = provider_stack.deployed(engine, "LogGroup")
    events = engine.client("logs").filter_log_events(logGroupName=group)["events"]
    lines = [line for event in events for line in event["message"].splitlines()]
    found = [json.loads(line) for line in lines if '"_aws"' in line and "Drifted" in line]
    names = [m["Name"] for m in found[0]["_aws"]["CloudWatchMetrics"][0]["Metrics"]]
    assert names == ["Drifted", "RestorationsOwed", "Reasserted"]
    return found


def test_what_a_person_starts_is_shown_and_stopped_again(
    world: World, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert world.deploy("kept", KEPT, DesiredState="OFFLINE") == "CREATE_COMPLETE"
    assert drift(monkeypatch, engine)[0] == 0
    engine.client("transfer").start_server(ServerId=world.server_id)
    until(world, "ONLINE")
    status, (shown,) = drift(monkeypatch, engine)
    assert (status, shown["standing"], shown["actual"]) == (2, "drifted", "ONLINE")
    provider_stack.guard(engine)
    assert world.state() == "ONLINE"
    provider_stack.guard(engine)
    until(world, "OFFLINE")
    assert [(m["Drifted"], m["Reasserted"]) for m in measured(engine)] == [(1, 0), (1, 1)]
    assert drift(monkeypatch, engine)[0] == 0
    assert world.delete("kept") == "DELETE_COMPLETE"


def test_its_schedule_is_there_and_calls_it(engine: Engine) -> None:
    rules = [
        rule
        for rule in engine.client("events").list_rules()["Rules"]
        if rule.get("ScheduleExpression")
    ]
    (rule,) = [r for r in rules if r["ScheduleExpression"] == "rate(5 minutes)"]
    assert rule["State"] == "ENABLED"
    targets = engine.client("events").list_targets_by_rule(Rule=rule["Name"])["Targets"]
    assert [target["Arn"].rpartition(":")[2] for target in targets] == [
        provider_stack.deployed(engine, "Guard")
    ]
