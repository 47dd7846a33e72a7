"""When to look again: all waiting times of the loop.

Knows neither server nor clock: who asks says how long it has waited, and brings the dice.
"""

from random import Random

FIRST_S = 1.0
# Nothing settles in the first seconds.
SETTLES_AFTER_S = 5.0
LATENESS = 0.018
LATENESS_GROWS_S = 100.0
LONGEST_S = 15.0
GROWTH = 6
# How much further apart each refusal makes a request look, at most how far, and what is left of
# that after each look that passes.
CROWDING_S = 7.0
MOST_CROWDED_S = 60.0
EASING = 0.7


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

    It backs off from failures with decorrelated jitter. The more often it was throttled, the less
    often it looks; where its command is given it leaves the calls to those that are not so far.
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """

    def __init__(self) -> None:
        self.pause_s = self._backoff_s = self._crowded_s = 0.0

    def succeeded(self, look_pause_s: float, dice: Random) -> None:
        """Wait for the next look."""
        self._backoff_s = 0
        self.pause_s = max(look_pause_s, self._crowded_s * dice.uniform(1, 1.25))
        self._crowded_s *= EASING

    def failed(self, dice: Random, *, throttled: bool, commanded: bool) -> None:
        """Wait for the next try."""
        self._backoff_s = min(
            LONGEST_S, dice.uniform(FIRST_S, GROWTH * max(self._backoff_s, FIRST_S))
        )
        self.pause_s = self._backoff_s
        if throttled:
            self._crowded_s = min(MOST_CROWDED_S, self._crowded_s + CROWDING_S)
            self.pause_s += self._crowded_s if commanded else 0
