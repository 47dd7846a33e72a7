"""Time that passes only when somebody sleeps."""

from collections.abc import Callable
from heapq import heappop, heappush

from transfer_server_state import clock


class Clock(clock.Clock):
    """The clock of a test; what is to happen meanwhile happens when its time is slept through."""

    def __init__(self) -> None:
        self.now_s = 1_700_000_000.0
        self.slept_s: list[float] = []
        self._due: list[tuple[float, int, Callable[[], object]]] = []

    def now(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        wakes_s = self.now_s + seconds
        while self._due and self._due[0][0] <= wakes_s:
            at_s, _, happens = heappop(self._due)
            self.now_s = max(self.now_s, at_s)
            happens()
        # What happened may have taken longer than the sleep.
        self.now_s = max(self.now_s, wakes_s)

    def after(self, seconds: float, happens: Callable[[], object]) -> None:
        """Have something happen that much later."""
        heappush(self._due, (self.now_s + seconds, len(self.slept_s) + len(self._due), happens))
