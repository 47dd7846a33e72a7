"""When to look again: all waiting times of the loop, as pure functions.

Knows neither server nor clock; who asks says how long it has waited.
"""

from random import Random

FIRST_S = 1.0
# Nothing settles in the first seconds.
SETTLES_AFTER_S = 5.0
LATENESS = 0.018
LATENESS_GROWS_S = 100.0
LONGEST_BACKOFF_S = 30.0
# How far apart a throttled request looks once its command was given, and what is left of that
# after each look that passes: those that are not so far need the calls more.
CROWDED_S = 12.0
EASING = 0.9


def look_pause_s(since_s: float, *, moves: bool) -> float:
    """Return the pause before the next look, `since_s` after the command or the first look.

    While the server `moves`, from the fifth second on a look each time 1.8% longer
    has passed, until they are 1.8 s apart, notices every end at most that late, in the fewest.
    """
    if since_s < SETTLES_AFTER_S:
        return FIRST_S
    pause_s = LATENESS * min(since_s, LATENESS_GROWS_S)
    return pause_s if moves else max(FIRST_S, pause_s)


def backoff_s(previous_s: float, dice: Random) -> float:
    """Return the pause after a failed call, with decorrelated jitter.

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    return min(LONGEST_BACKOFF_S, dice.uniform(FIRST_S, 3 * max(previous_s, FIRST_S)))


def crowded_pause_s(crowded_s: float, dice: Random) -> float:
    """Return the least pause of a request that was throttled, spread by up to a quarter."""
    return crowded_s * dice.uniform(1, 1.25)
