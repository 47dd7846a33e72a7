"""The world that one seed makes, and its history.

Whatever happens by chance is drawn from one generator, in the order in which it happens.
"""

import logging
import math
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from handler.cloudformation import Provider
from tests.simulation.bus import Bus
from tests.simulation.clock import EPOCH_S, Clock
from tests.simulation.cloudformation import CloudFormation
from tests.simulation.deployment import Deployment, Operation
from tests.simulation.function import Function, Invocation, runtime
from tests.simulation.guard import Schedule
from tests.simulation.network import Network
from tests.simulation.registry import Registry
from tests.simulation.response_store import HOST, SECRET, ResponseStore
from tests.simulation.transfer import Server, Transfer
from transfer_server_state.machine import State

if TYPE_CHECKING:
    from tests.simulation.stack import Request, Stack


@dataclass(frozen=True)
class Knobs:
    """How a world is. Rates are chances per call, event or deployment; 0 in many worlds."""

    servers: int
    deployments: int
    operations: int
    nested: float
    server_in_stack: float
    sibling_fails: float
    sibling_fails_late: float
    # In a rollback or a deletion, so that it ends there.
    sibling_stays: float
    on_failure_delete: float
    # With rollback disabled a creation that failed stays as it is, to be updated or deleted.
    kept: float
    deleted_by_user: float
    longest_s: float
    lag_s: float
    transition_fails: float
    outsiders: int
    # Stop of an OFFLINE server, and a command in a transition: nobody knows what AWS does.
    strict: bool
    under_way: str
    background: float
    storms: int
    # Calls to the Transfer API: refill per second and size of the bucket; 0 for no limit.
    rate: float
    burst: float
    # How long after the provider's deployment its role is not known everywhere.
    permissions_s: float
    kill: float
    duplicate: float
    delay: float
    # Events that Lambda takes straight to the dead-letter queue, and those sent again from there.
    lost: float
    redriven: float
    short_timeouts: bool
    dated: bool
    # How far CloudFormation's clock is from the function's.
    skew_s: float
    reuses_request_ids: bool
    # Which id CloudFormation goes by after an Update that failed, and one that is rolled back.
    honours_failed_id: bool
    returns_to_old_id: bool
    guarded: bool

    @classmethod
    def draw(cls, rng: random.Random) -> "Knobs":
        """Draw them, so that calm and stormy worlds both are frequent."""

        def some(chance: float, *values: float) -> float:
            return rng.choice(values) if rng.random() < chance else 0

        rate = some(0.15, 0.2, 1, 5)
        return cls(
            servers=rng.choice((1, 1, 2, 3, 3)),
            deployments=rng.choice((1, 1, 1, 2)),
            operations=rng.choice((1, 1, 2, 2, 3, 4)),
            nested=some(0.3, 1),
            server_in_stack=some(0.4, 1),
            sibling_fails=some(0.6, 0.3, 0.6),
            sibling_fails_late=some(0.6, 0.3, 0.6),
            sibling_stays=some(0.3, 0.2, 0.5),
            on_failure_delete=some(0.3, 0.5),
            kept=some(0.3, 0.5),
            deleted_by_user=some(0.3, 0.5),
            longest_s=rng.choice((5, 5, 40, 40, 120, 120, 300, 300, 1000, 5000)),
            lag_s=some(0.6, 1, 3, 10, 14),
            transition_fails=some(0.2, 0.1, 0.5),
            outsiders=int(some(0.25, 1, 2, 4)),
            strict=rng.random() < 0.5,
            under_way=rng.choice(("refuse", "ignore", "accept")),
            background=some(0.4, 0.01, 0.05, 0.2),
            storms=int(some(0.25, 1, 2, 4)),
            rate=rate,
            burst=rng.choice((1, 5, 20)) if rate else 0,
            permissions_s=some(0.15, 5, 25),
            kill=some(0.3, 0.05, 0.3),
            duplicate=some(0.35, 0.1, 0.4),
            delay=some(0.3, 0.1, 0.4),
            lost=some(0.1, 0.1, 0.3),
            redriven=some(0.5, 0.5, 1),
            short_timeouts=rng.random() < 0.3,
            dated=rng.random() < 0.95,
            skew_s=some(0.3, -0.5, 0.5),
            reuses_request_ids=rng.random() < 0.3,
            honours_failed_id=rng.random() < 0.5,
            returns_to_old_id=rng.random() < 0.5,
            guarded=rng.random() < 0.4,
        )


class World:
    """Everything around the handler, and the record of what happened."""

    def __init__(self, seed: int, provider: Callable[..., Provider] = Provider) -> None:
        self.rng = random.Random(seed)
        self.knobs = Knobs.draw(self.rng)
        self.clock = Clock()
        self.events: list[tuple[float, object, str, tuple[object, ...]]] = []
        self.faults: Counter[str] = Counter()
        self.branches: Counter[tuple[State, State, str]] = Counter()
        self.oddities: list[tuple[int, str]] = []
        self.requests: list[Request] = []
        self.operations: list[Operation] = []
        self.urls: dict[str, Request] = {}
        self.stacks: dict[str, Stack] = {}
        self.network = Network(self)
        self.store = ResponseStore(self)
        self.transfer = Transfer(self)
        self.function = Function(self, provider)
        self.clients: dict[str, Any] = {
            "transfer": self.transfer,
            "dynamodb": Registry(self),
            "lambda": self.function,
            "cloudformation": CloudFormation(self),
            "events": Bus(self),
        }
        self.guard = Schedule(self) if self.knobs.guarded else None
        self.deployments = [
            Deployment(self, name) for name in ("one", "two")[: self.knobs.deployments]
        ]
        for deployment in self.deployments:
            self.clock.spawn(deployment.live, deployment)

    def log_uniform(self, low: float, high: float) -> float:
        """Draw a number, small ones as often as great ones."""
        return math.exp(self.rng.uniform(math.log(low), math.log(high)))

    def duration_s(self) -> float:
        """Draw how long a transition takes."""
        return self.log_uniform(0.5, self.knobs.longest_s)

    def timeout_s(self) -> int:
        """Draw a ServiceTimeout."""
        return int(self.log_uniform(30, 3600)) if self.knobs.short_timeouts else 3600

    def sent_at(self, time_s: float) -> datetime:
        """Return a time by CloudFormation's clock."""
        return datetime.fromtimestamp(time_s + self.knobs.skew_s, UTC)

    def note(self, who: object, text: str, *values: object) -> None:
        """Record what happens, for whoever reads the history."""
        self.events.append((self.clock.now(), who, text, values))

    def fault(self, kind: str) -> None:
        """Count a fault."""
        self.faults[kind] += 1

    def count_branch(self, invocation: Invocation, server: Server, observed: State) -> None:
        """Count the row of machine.TABLE that a read leads to."""
        request = invocation.request
        if request and (wanted := request.wanted) and request.spec.server is server:
            given = any(given[1] is server for i in request.invocations for given in i.given)
            self.branches[wanted, observed, "after" if given else "before"] += 1

    def happened(self) -> Iterator[str]:
        """Return the name of each thing that happened, for a count."""
        for operation in self.operations:
            ending = operation.ending.lower().replace("_", " ")
            yield f"operations: {operation.kind}, {ending or 'under way'}"
        for request in self.requests:
            yield "requests"
            yield f"requests: {request.kind}, {request.over or 'not sent'}"
        for invocation in self.function.invocations:
            yield "invocations"
            yield f"invocations: {invocation.ending or 'frozen'}"
            yield from ["reads"] * len(invocation.reads)
            yield from [f"commands: {step}" for _, _, step in invocation.given]
        for each in self.guard.passes if self.guard else ():
            yield f"guard: passes, {each.ending or 'frozen'}"
            yield from [f"guard: {step}" for _, _, step in each.given]
        yield from ["dead letters"] * len(self.function.dead_letters)

    def history(self) -> Iterator[str]:
        """Return what happened, line by line."""
        yield str(self.knobs)
        for time_s, who, text, values in self.events:
            yield f"{time_s - EPOCH_S:10.2f}  {who!s:28} {text % values}"


class _Log(logging.Handler):
    """Looks for secrets in all that is logged."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        self._world.note("log", "%s", text)
        error = record.exc_info[1] if record.exc_info else None
        while error is not None:
            text += f"\n{error!r}"
            error = error.__cause__ or error.__context__
        if SECRET in text or HOST in text:
            self._world.oddities.append((9, f"a log line has a ResponseURL: {text[:200]}"))


@contextmanager
def _logged(world: World) -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    root.handlers = [_Log(world)]
    try:
        yield
    finally:
        root.handlers = handlers
        root.setLevel(level)


def simulate(seed: int, provider: Callable[..., Provider] = Provider) -> World:
    """Let a world's history pass, to its end."""
    world = World(seed, provider)
    with runtime(), _logged(world):
        world.clock.run()
    return world
