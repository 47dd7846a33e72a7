"""The calls that were made, as anybody may see them."""

from collections import deque
from dataclasses import dataclass
from typing import Any

CALLS_KEPT = 100_000


@dataclass(frozen=True)
class LoggedCall:
    """A call that was made: `error` is a code, `wire` what happened instead of an answer."""

    number: int
    at_s: float
    region: str
    operation: str
    request: dict[str, Any]
    carried_out: bool
    status: int
    error: str | None
    wire: str | None


class CallLog:
    """The last calls, numbered from 1. For one caller at a time."""

    def __init__(self) -> None:
        self._calls: deque[LoggedCall] = deque(maxlen=CALLS_KEPT)
        self._count = 0

    def add(self, **call: Any) -> None:
        """Log a call, all of it but its number."""
        self._count += 1
        self._calls.append(LoggedCall(number=self._count, **call))

    def after(self, number: int) -> list[LoggedCall]:
        """List the calls from the one after a number, oldest first."""
        first = self._count - len(self._calls)
        skipped = max(number - first, 0)
        return [self._calls[index] for index in range(skipped, len(self._calls))]
