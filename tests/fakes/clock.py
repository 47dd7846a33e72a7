"""Time that passes only when somebody sleeps."""

from transfer_server_state import clock


class Clock(clock.Clock):
    """The clock of a test."""

    def __init__(self) -> None:
        self.now_s = 1_700_000_000.0
        self.slept_s: list[float] = []

    def now(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_s += seconds
