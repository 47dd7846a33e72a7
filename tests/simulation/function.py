"""Lambda: the provider's function, and what the service does to it.

Deliveries are asynchronous and at least once; an invocation may be killed at any point; a failed
one is tried again after one and two minutes, then its event goes to the dead-letter queue.
"""

import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from crhelper import resource_helper
from greenlet import getcurrent

from handler.cloudformation import Provider
from tests.simulation.clock import Task
from tests.simulation.registry import TABLE
from tests.simulation.template import FUNCTION_ARN
from tests.simulation.transfer import Command, Server
from transfer_server_state.aws.client import Aws
from transfer_server_state.machine import State, Step

if TYPE_CHECKING:
    from tests.simulation.stack import Request
    from tests.simulation.world import World

TIMEOUT_S = 900
_RETRIES_AFTER_S = (60, 120)
_DAY_S = 86400


@dataclass(eq=False)
class Delivery:
    """An event in Lambda's queue; `parent` is the invocation that sent it, if one did."""

    request: "Request"
    payload: str
    parent: "Invocation | None" = None


@dataclass(eq=False)
class Invocation:
    """One run of the function, and what it saw and did."""

    number: int
    delivery: Delivery
    attempt: int
    began_s: float
    tasks: list[Task] = field(default_factory=list)
    ended_s: float = float("inf")
    ending: str = ""
    reads: list[tuple[float, Server, State]] = field(default_factory=list)
    given: list[tuple[float, Server, Step]] = field(default_factory=list)
    # Those of them that reached AWS.
    commands: list[Command] = field(default_factory=list)
    answers: list[tuple[float, bytes, dict[str, Any]]] = field(default_factory=list)
    # When each call failed, of which service and how; and each PUT.
    failures: list[tuple[float, str, str]] = field(default_factory=list)
    puts_failed: list[float] = field(default_factory=list)
    acknowledged: bool = False
    handed_over: bool = False

    @property
    def request(self) -> "Request":
        """Return the request that it is about."""
        return self.delivery.request

    def __str__(self) -> str:
        return f"{self.request} i{self.number}"


class _Timer:
    """threading.Timer, on the clock of the invocation that starts it."""

    def __init__(self, interval_s: float, work: Callable[[], object]) -> None:
        self._interval_s, self._work, self._cancelled = interval_s, work, False

    def start(self) -> None:
        invocation = getcurrent().owner
        clock = invocation.request.world.clock

        def fire() -> None:
            if not self._cancelled:
                invocation.tasks.append(clock.spawn(self._work, invocation))

        clock.at(clock.now() + self._interval_s, fire)

    def cancel(self) -> None:
        self._cancelled = True


@contextmanager
def runtime() -> Iterator[None]:
    """Let the function's environment be there, and crhelper's own timer keep virtual time."""
    threading = patch.object(resource_helper, "threading", SimpleNamespace(Timer=_Timer))
    with threading, patch.dict(os.environ, REGISTRY_TABLE=TABLE):
        yield


@dataclass
class _Context:
    """What Lambda passes along with an event."""

    now: Callable[[], float]
    until_s: float
    aws_request_id: str
    invoked_function_arn: str = FUNCTION_ARN

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self.until_s - self.now()) * 1000))


class Function:
    """The deployed function; also the lambda API, as a boto3 client shows it."""

    def __init__(self, world: "World", provider: Callable[..., Provider]) -> None:
        self._world = world
        self._provider = provider
        self._idle: list[Provider] = []
        self.invocations: list[Invocation] = []
        self.dead_letters: list[Delivery] = []

    def invoke(self, FunctionName: str, InvocationType: str, Payload: str) -> dict[str, Any]:
        """Take an event that the function sends to itself."""
        invocation = getcurrent().owner
        if (FunctionName, InvocationType) != (FUNCTION_ARN, "Event"):
            self._world.oddities.append((3, f"{invocation} invokes {FunctionName}"))

        def accept() -> None:
            self._world.note(invocation, "hands over to a new invocation")
            if json.loads(Payload) != invocation.request.event:
                self._world.oddities.append((3, f"{invocation} hands over another event"))
            self.deliver(Delivery(invocation.request, Payload, invocation))

        self._world.network.call("lambda", "Invoke", accept)
        invocation.handed_over = True
        return {"StatusCode": 202}

    def deliver(self, delivery: Delivery) -> None:
        """Take an event: it is delivered soon, late, more than once, or not at all."""
        world, rng = self._world, self._world.rng
        if rng.random() < world.knobs.lost:
            world.fault("lambda lost")
            self._bury(delivery)
            return
        after_s = [rng.uniform(0.05, 0.5)]
        if rng.random() < world.knobs.delay:
            world.fault("lambda late")
            after_s = [world.log_uniform(2, 600)]
        if rng.random() < world.knobs.duplicate:
            world.fault("lambda duplicate")
            after_s.append(world.log_uniform(0.1, 1200))
        for seconds in after_s:
            self._schedule(delivery, 0, seconds)

    def _bury(self, delivery: Delivery) -> None:
        """Put an event into the dead-letter queue, from where people send it again days later."""
        world = self._world
        world.note(delivery.request, "goes to the dead-letter queue")
        self.dead_letters.append(delivery)
        if world.rng.random() < world.knobs.redriven:
            world.fault("dead letter redriven")
            after_s = world.log_uniform(60, 13 * _DAY_S)
            self._schedule(delivery, len(_RETRIES_AFTER_S), after_s)

    def _schedule(self, delivery: Delivery, attempt: int, after_s: float) -> None:
        clock = self._world.clock
        clock.at(clock.now() + after_s, lambda: self._start(delivery, attempt))

    def _start(self, delivery: Delivery, attempt: int) -> None:
        world = self._world
        invocation = Invocation(len(self.invocations), delivery, attempt, world.clock.now())
        self.invocations.append(invocation)
        delivery.request.invocations.append(invocation)
        warm = self._idle and world.rng.random() < 0.8
        provider = self._idle.pop() if warm else self._cold()
        world.note(invocation, "starts, %s, attempt %s", "warm" if warm else "cold", attempt + 1)

        def work() -> None:
            context = _Context(
                world.clock.now, invocation.began_s + TIMEOUT_S, f"lambda-{invocation.number}"
            )
            try:
                provider.handle(json.loads(delivery.payload), context)
                self._end(invocation, "returned")
            except Exception as raised:
                logging.getLogger().exception("[ERROR]")
                self._end(invocation, f"raised {type(raised).__name__}")
            self._idle.append(provider)

        invocation.tasks.append(world.clock.spawn(work, invocation))
        end_s: float = TIMEOUT_S
        if world.rng.random() < world.knobs.kill:
            end_s = min(TIMEOUT_S, world.log_uniform(0.05, 1500))
        world.clock.at(invocation.began_s + end_s, lambda: self._kill(invocation))

    def _cold(self) -> Provider:
        world = self._world
        return self._provider(
            aws=Aws(client=world.clients.__getitem__), put=world.store.put, clock=world.clock
        )

    def _kill(self, invocation: Invocation) -> None:
        if not invocation.ending:
            self._world.fault("lambda killed")
            self._end(invocation, "killed")
            self._world.clock.kill(invocation.tasks[0])

    def _end(self, invocation: Invocation, ending: str) -> None:
        """Freeze what still runs of it, and have a failed one tried again."""
        clock = self._world.clock
        invocation.ending, invocation.ended_s = ending, clock.now()
        self._world.note(invocation, "ends: %s", ending)
        for task in invocation.tasks[1:]:
            clock.at(clock.now(), lambda task=task: clock.kill(task))  # type: ignore[misc]
        if ending == "returned":
            return
        if invocation.attempt < len(_RETRIES_AFTER_S):
            after_s = _RETRIES_AFTER_S[invocation.attempt] + self._world.rng.uniform(0, 5)
            self._schedule(invocation.delivery, invocation.attempt + 1, after_s)
        else:
            self._bury(invocation.delivery)
