"""When to look again: all waiting times of the loop.

Knows neither server nor clock: who asks says how long it has waited, and brings the dice.
"""

from random import Random

FIRST_S = 1.0
# Nothing settles in the first seconds.
SETTLES_AFTER_S = 5.0
LATENESS = 0.018
LATENESS_GROWS_S = 100.0
# The first pause after a failure is at most that long; each may be twice the last.
RETRY_S = 5.5
LONGEST_S = 20.0
# With each refusal a request's looks move further apart, up to the most; with each look that
# passes, a little together. So many at once come to ask about as often as AWS lets them.
CROWDING_S = 9.0
CROWDING = 1.5
MOST_CROWDED_S = 70.0
EASING = 0.9
# What part of that a command's request waits where its look was refused.
PATIENCE = 0.5


def look_pause_s(since_s: float, *, moves: bool) -> float:
    """Return the pause before the next look, `since_s` after the command or the first look.

    While the server `moves`, from the fifth second on a look each time 1.8% longer has passed,
    until they are 1.8 s apart, notices every end at most that late, in the fewest looks.
    """
    if since_s < SETTLES_AFTER_S:
        return FIRST_S
    pause_s = LATENESS * min(since_s, LATENESS_GROWS_S)
    return pause_s if moves else max(FIRST_S, pause_s)


class Pace:
    """How long a request waits before its next step, by how its last ones went.

    It backs off from failures exponentially, with equal jitter. The more often it was throttled,
    the less often it looks; once its command is given, it leaves the calls to those without one.
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """

    def __init__(self) -> None:
        self.pause_s = self._backoff_s = self._crowded_s = 0.0

    def succeeded(self, look_pause_s: float) -> None:
        """Wait for the next look."""
        self._backoff_s = 0
        self.pause_s = max(look_pause_s, self._crowded_s)
        self._crowded_s *= EASING

    def failed(self, dice: Random, *, throttled: bool, commanded: bool) -> None:
        """Wait for the next try."""
        most_s = max(RETRY_S, 2 * self._backoff_s)
        self.pause_s = self._backoff_s = min(LONGEST_S, most_s * dice.uniform(0.5, 1))
        if throttled:
            crowded_s = CROWDING * self._crowded_s + CROWDING_S
            self._crowded_s = min(MOST_CROWDED_S, crowded_s)
            self.pause_s += PATIENCE * self._crowded_s if commanded else 0
