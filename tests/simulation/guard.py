"""The guard at work: its schedule, and the event after an update of a server.

Each pass is the real guard's, cold, and may be killed. The schedule ends some passes after all else
is over; where nothing is due for long, it skips.
"""

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from handler.guard import Guard
from tests.simulation.clock import Task
from tests.simulation.transfer import Command, Server
from transfer_server_state.aws.client import Aws
from transfer_server_state.machine import State, Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.world import World

EVERY_S = 300
# Two to see a drift, and some for what fails on the way.
_PASSES_AFTER_ALL = 12
_SCHEDULED: dict[str, Any] = {"source": "aws.events", "detail": {}}


@dataclass(eq=False)
class Pass:
    """One run of the guard, and what it saw and did."""

    number: int
    began_s: float
    ending: str = ""
    request: None = None
    reads: list[tuple[float, Server, State]] = field(default_factory=list)
    given: list[tuple[float, Server, Step]] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    failures: list[tuple[float, str, str]] = field(default_factory=list)

    def __str__(self) -> str:
        return f"guard p{self.number}"


@dataclass(frozen=True)
class _Context:
    """What Lambda passes along with an event."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        return 300_000


class Schedule:
    """When the guard runs, and all its passes."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._left = _PASSES_AFTER_ALL
        self._idle = 0
        self.passes: list[Pass] = []
        world.clock.at(world.clock.now() + world.rng.uniform(0, EVERY_S), self._tick)

    def server_updated(self, server: Server) -> None:
        """Take CloudFormation's event, a little later."""
        clock = self._world.clock
        event = {
            "source": "aws.cloudformation",
            "detail": {"physical-resource-id": server.arn},
        }
        clock.at(clock.now() + self._world.rng.uniform(0.2, 5), lambda: self._run(event))

    def _tick(self) -> None:
        clock = self._world.clock
        now_s, due_s = clock.now(), clock.next_s()
        self._run(_SCHEDULED)
        if due_s is None:
            self._left -= 1
            if self._left:
                clock.at(now_s + EVERY_S, self._tick)
            return
        self._idle = self._idle + 1 if due_s > now_s + EVERY_S else 0
        skips = self._idle > _PASSES_AFTER_ALL
        clock.at(max(now_s + EVERY_S, due_s - EVERY_S if skips else 0), self._tick)

    def _run(self, event: dict[str, Any]) -> None:
        world = self._world
        this = Pass(len(self.passes), world.clock.now())
        self.passes.append(this)

        def work() -> None:
            new_guard: Callable[..., Guard] = Guard
            guard = new_guard(aws=Aws(client=world.clients.__getitem__), clock=world.clock)
            try:
                guard.handle(event | {"id": str(this)}, _Context(str(this)))
                this.ending = "returned"
            except Exception as raised:
                logging.getLogger().exception("[ERROR]")
                this.ending = f"raised {type(raised).__name__}"
            world.note(this, "ends: %s", this.ending)

        task = world.clock.spawn(work, this)
        if world.rng.random() < world.knobs.kill:
            killed_s = world.clock.now() + world.log_uniform(0.05, 60)
            world.clock.at(killed_s, lambda: self._kill(this, task))

    def _kill(self, this: Pass, task: Task) -> None:
        if not this.ending:
            this.ending = "killed"
            self._world.fault("guard killed")
            self._world.clock.kill(task)
