"""When calls go wrong on purpose: which fault is next, and when a bucket is empty.

Pure but for the bucket's tokens. Must not know the wire: times are the caller's.
"""

from dataclasses import replace

from local.emulator.settings import Fault, Throttle


def next_fault(faults: tuple[Fault, ...], operation: str) -> tuple[Fault | None, tuple[Fault, ...]]:
    """Find the fault of a call, and what is left of the faults after it."""
    left = list(faults)
    for index, fault in enumerate(faults):
        if fault.operation not in {operation, "*"}:
            continue
        if fault.skip:
            left[index] = replace(fault, skip=fault.skip - 1)
            continue
        if fault.times == 1:
            del left[index]
        elif fault.times:
            left[index] = replace(fault, times=fault.times - 1)
        return fault, tuple(left)
    return None, tuple(left)


class Bucket:
    """A token bucket, full at first."""

    def __init__(self, throttle: Throttle, now: float) -> None:
        self._throttle = throttle
        self._tokens = float(throttle.burst)
        self._at = now

    def wait_s(self, now: float) -> float:
        """Take a token: 0; or none is left: the seconds until there is one."""
        rate = self._throttle.rate_per_s
        self._tokens = min(self._throttle.burst, self._tokens + (now - self._at) * rate)
        self._at = now
        if self._tokens < 1:
            return (1 - self._tokens) / rate
        self._tokens -= 1
        return 0.0
