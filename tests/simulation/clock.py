"""Virtual time, and the tasks that share it: one runs at a time, and gives way only in a wait.

Every order of events follows from the times and from who asked first, so a history is the same
each time. Tasks are greenlets, so blocking code runs as it is. Knows nothing of what they do.
"""

import heapq
import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from greenlet import getcurrent, greenlet

EPOCH_S = 1_900_000_000.0


class KilledError(BaseException):
    """The task ends here and now; no handler of exceptions sees it as one."""


class Task(greenlet):
    """A flow of blocking calls; `owner` is whom it works for."""

    owner: Any = None


class Clock:
    """Runs what is due, in order of time."""

    def __init__(self) -> None:
        self._now_s = EPOCH_S
        self._hub = getcurrent()
        self._asked = 0
        self._due: list[tuple[float, int, Callable[[], object]]] = []

    def now(self) -> float:
        """Return seconds since the epoch."""
        return self._now_s

    def at(self, time_s: float, call: Callable[[], object]) -> None:
        """Have something done at a time; it may not block."""
        self._asked += 1
        heapq.heappush(self._due, (time_s, self._asked, call))

    def next_s(self) -> float | None:
        """Return when the next thing is due, None if nothing ever is."""
        due_s = self._due[0][0] if self._due else math.inf
        return None if due_s == math.inf else due_s

    def spawn(self, work: Callable[[], object], owner: Any = None) -> Task:
        """Start a task now."""

        def run() -> None:
            with suppress(KilledError):
                work()

        task = Task(run, self._hub)
        task.owner = owner
        self.at(self._now_s, task.switch)
        return task

    def kill(self, task: Task) -> None:
        """End a task where it waits; to be called from no task."""
        if not task.dead:
            task.throw(KilledError)

    def sleep(self, seconds: float) -> None:
        """Let time pass for the current task."""
        until_s = self._now_s + max(seconds, 0)
        if self._due and self._due[0][0] <= until_s:
            self.at(until_s, getcurrent().switch)
            self._hub.switch()
        else:
            self._now_s = until_s

    def run(self) -> None:
        """Run until nothing is due any more."""
        while self._due:
            time_s, _, call = heapq.heappop(self._due)
            self._now_s = max(self._now_s, time_s)
            call()


class Signal:
    """What one task waits for and others give."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waits: object = None
        self._task: greenlet | None = None

    def wait(self, until_s: float) -> None:
        """Return when it is given, or at a time."""
        self._waits = wait = object()
        self._task = getcurrent()
        self._clock.at(until_s, lambda: self._resume(wait))
        self._clock._hub.switch()

    def give(self) -> None:
        """Wake the task that waits, if one does."""
        wait = self._waits
        self._clock.at(self._clock.now(), lambda: self._resume(wait))

    def _resume(self, wait: object) -> None:
        if wait is not None and self._waits is wait and self._task:
            self._waits = None
            self._task.switch()
