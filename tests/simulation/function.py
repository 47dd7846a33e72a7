"""Lambda: the provider's function, and what the service does to it.

Deliveries are asynchronous and at least once; an invocation may be killed at any point; a failed
one is tried again after one and two minutes, then its event goes to the dead-letter queue.
"""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from crhelper import resource_helper
from greenlet import getcurrent

from handler.aws import Aws
from handler.cloudformation import Provider
from handler.machine import State, Step
from tests.simulation.clock import Task
from tests.simulation.transfer import ACCOUNT, REGION, Command, Server

if TYPE_CHECKING:
    from tests.simulation.cloudformation import Request
    from tests.simulation.world import World

ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:provider"
TIMEOUT_S = 900
_RETRIES_AFTER_S = (60, 120)


@dataclass(eq=False)
class Delivery:
    """An event in Lambda's queue; `parent` is the invocation that sent it, if one did.

    The rest is what the request had seen and done by then.
    """

    request: "Request"
    payload: str
    parent: "Invocation | None" = None
    reads: tuple[tuple[float, Server, State], ...] = ()
    given: tuple[Step, ...] = ()
    commands: tuple[Command, ...] = ()


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
    given: list[Step] = field(default_factory=list)
    # Those of them that reached AWS.
    commands: list[Command] = field(default_factory=list)
    answers: list[tuple[float, bytes]] = field(default_factory=list)
    puts_failed: list[float] = field(default_factory=list)
    # When a call failed, or ended to which nothing answered for long.
    failures: list[float] = field(default_factory=list)
    acknowledged: bool = False
    # When it could read its stack for the first time.
    stack_read_s: float = float("inf")
    # Calls for the stack that failed in a row, and whether that left a question without answer.
    stack_failures: int = 0
    stack_unread: bool = False
    told_gone: bool = False
    handed_over: bool = False

    def line(self) -> "list[Invocation]":
        """Return it and those that it continues, the eldest first."""
        parent = self.delivery.parent
        return [*(parent.line() if parent else ()), self]

    def all_reads(self) -> "list[tuple[float, Server, State]]":
        """Return what it read, after what those had read that it continues."""
        return [*self.delivery.reads, *self.reads]

    def all_given(self) -> list[Step]:
        """Return the commands that it gave, after theirs."""
        return [*self.delivery.given, *self.given]

    def all_commands(self) -> list[Command]:
        """Return those that reached AWS."""
        return [*self.delivery.commands, *self.commands]

    def memory(self) -> Delivery | None:
        """Return the first delivery in its line that knows what was found, if there is one."""
        return next((i.delivery for i in self.line() if i.delivery.reads), None)

    def __str__(self) -> str:
        return f"{self.delivery.request} i{self.number}"


class _Timer:
    """threading.Timer, on the clock of the invocation that starts it."""

    def __init__(self, interval_s: float, work: Callable[[], object]) -> None:
        self._interval_s, self._work, self._cancelled = interval_s, work, False

    def start(self) -> None:
        invocation = getcurrent().owner
        clock = invocation.delivery.request.world.clock

        def fire() -> None:
            if not self._cancelled:
                invocation.tasks.append(clock.spawn(self._work, invocation))

        clock.at(clock.now() + self._interval_s, fire)

    def cancel(self) -> None:
        self._cancelled = True


@contextmanager
def virtual_timers() -> Iterator[None]:
    """Let crhelper's own timer keep virtual time."""
    real = resource_helper.threading
    resource_helper.threading = SimpleNamespace(Timer=_Timer)
    try:
        yield
    finally:
        resource_helper.threading = real


@dataclass
class _Context:
    """What Lambda passes along with an event."""

    now: Callable[[], float]
    until_s: float
    aws_request_id: str
    invoked_function_arn: str = ARN

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
        assert (FunctionName, InvocationType) == (ARN, "Event")
        invocation = getcurrent().owner

        def accept() -> None:
            self._world.note(invocation, "hands over to a new invocation")
            seen = (invocation.all_reads(), invocation.all_given(), invocation.all_commands())
            self.deliver(
                Delivery(invocation.delivery.request, Payload, invocation, *map(tuple, seen))
            )

        self._world.network.call("lambda", "Invoke", accept)
        invocation.handed_over = True
        return {"StatusCode": 202}

    def deliver(self, delivery: Delivery) -> None:
        """Take an event: it is delivered soon, late or more than once."""
        world, rng = self._world, self._world.rng
        after_s = [rng.uniform(0.05, 0.5)]
        if rng.random() < world.knobs.delay:
            world.fault("lambda late")
            after_s = [world.log_uniform(2, 600)]
        if rng.random() < world.knobs.duplicate:
            world.fault("lambda duplicate")
            after_s.append(world.log_uniform(0.1, 1200))
        for seconds in after_s:
            self._schedule(delivery, 0, seconds)

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
            aws=Aws(client=world.clients.__getitem__),
            put=world.store.put,
            now=world.clock.now,
            sleep=world.clock.sleep,
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
            self._world.note(invocation, "goes to the dead-letter queue")
            self.dead_letters.append(invocation.delivery)
