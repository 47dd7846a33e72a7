"""When to look again: all waiting times of the loop.

Knows neither server nor clock: who asks says how long it has waited, and brings the dice.
"""

from random import Random

FIRST_S = 1.0
# Nothing settles in the first seconds.
SETTLES_AFTER_S = 5.0
LATENESS = 0.018
LATENESS_GROWS_S = 100.0
# The first pause after a failure is at most that long, and each may be longer than the last.
RETRY_S = 5.4
GROWTH = 1.75
LEAST = 0.6
LONGEST_S = 19.0
# With each refusal a request's looks move further apart, up to the most; with each look that
# passes, a little together. So many at once come to ask about as often as AWS lets them. Who has
# its command makes the more room for those who have not.
CROWDING = 1.6
CROWDING_S = 10.0
UNCOMMANDED_S = 3.75
MOST_CROWDED_S = 70.0
EASING = 0.965


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

    It backs off from failures exponentially, with jitter. The more often it was throttled, the
    less often it looks; once its command is given, it leaves the calls to those without one.
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
        most_s = max(RETRY_S, GROWTH * self._backoff_s)
        self.pause_s = self._backoff_s = min(LONGEST_S, most_s * dice.uniform(LEAST, 1))
        if throttled:
            crowded_s = CROWDING * self._crowded_s + (CROWDING_S if commanded else UNCOMMANDED_S)
            self._crowded_s = min(MOST_CROWDED_S, crowded_s)
            if commanded:
                self.pause_s = self._crowded_s
