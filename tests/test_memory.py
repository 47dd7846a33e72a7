"""What a request takes along to another invocation, and what it makes of it there."""

import json
from dataclasses import asdict, replace
from typing import Any

import pytest

from handler.continuation import Memory, recall
from handler.machine import State, Step
from handler.reconcile import Progress

NOW_S = 1_700_000_000.0
FRESH = Progress(State.OFFLINE, began_s=NOW_S, deadline_s=NOW_S + 3_540)
COMMANDED = replace(
    FRESH,
    first=State.STARTING,
    last=State.STOPPING,
    command=Step.STOP,
    commanded_in=State.ONLINE,
    commanded_at_s=NOW_S + 1,
    uncertain=True,
    refusal="no",
    problem="lost",
    polls=7,
    reverses=True,
)


def kept(memory: Memory) -> dict[str, Any]:
    """Send a memory through Lambda's queue."""
    event: dict[str, Any] = json.loads(json.dumps({"Continuation": asdict(memory)}))
    return event


@pytest.mark.parametrize(
    "memory",
    [
        Memory(FRESH),
        Memory(COMMANDED),
        Memory(COMMANDED, phase="UPDATE_IN_PROGRESS now"),
        Memory(replace(COMMANDED, desired=State.ONLINE, command=Step.START), takes_back=True),
    ],
)
def test_what_is_kept_is_what_is_recalled(memory: Memory) -> None:
    recalled = recall(kept(memory), NOW_S)
    assert recalled == memory
    assert recalled
    for name in ("desired", "first", "last", "commanded_in"):
        assert isinstance(getattr(recalled.progress, name), State | None)
    assert isinstance(recalled.progress.command, Step | None)


def test_a_fresh_request_has_nothing_to_recall() -> None:
    assert recall({}, NOW_S) is None
    assert recall({"Continuation": None}, NOW_S) is None


@pytest.mark.parametrize("name", ["desired", "began_s", "deadline_s"])
def test_a_memory_without_its_beginning_is_none(name: str) -> None:
    event = kept(Memory(COMMANDED))
    del event["Continuation"]["progress"][name]
    assert recall(event, NOW_S) is None


@pytest.mark.parametrize("name", ["desired", "first", "last", "commanded_in", "command"])
def test_a_memory_of_what_is_not_known_is_none(name: str) -> None:
    event = kept(Memory(COMMANDED))
    event["Continuation"]["progress"][name] = "unknown"
    assert recall(event, NOW_S) is None


def test_a_memory_of_more_than_is_known_is_none() -> None:
    event = kept(Memory(COMMANDED))
    event["Continuation"]["more"] = 1
    assert recall(event, NOW_S) is None
    event = kept(Memory(COMMANDED))
    event["Continuation"]["progress"]["more"] = 1
    assert recall(event, NOW_S) is None


@pytest.mark.parametrize(
    ("deadline_s", "believed"),
    [
        (NOW_S - 1, True),
        (NOW_S + 3_600, True),
        (NOW_S + 3_600.1, False),
        (1e308, False),
        (float("inf"), False),
        (float("nan"), False),
        ("soon", False),
    ],
)
def test_a_deadline_that_no_request_has_is_not_believed(deadline_s: Any, *, believed: bool) -> None:
    event = kept(Memory(COMMANDED))
    event["Continuation"]["progress"]["deadline_s"] = deadline_s
    assert (recall(event, NOW_S) is not None) is believed
