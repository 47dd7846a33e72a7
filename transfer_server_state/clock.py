"""Time, as it is passed to whatever waits. Knows nothing of who does."""

import time


class Clock:
    """The machine's own; tests have others."""

    def now(self) -> float:
        """Return seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)
