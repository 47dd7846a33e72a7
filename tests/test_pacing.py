"""When to look again."""

from random import Random

import pytest

from transfer_server_state.pacing import backoff_s, crowded_pause_s, look_pause_s


@pytest.mark.parametrize(
    ("since_s", "pause_s"), [(0, 1), (4.9, 1), (5, 0.09), (50, 0.9), (100, 1.8), (3_600, 1.8)]
)
def test_every_end_of_a_move_is_noticed_within_1_8_s(since_s: float, pause_s: float) -> None:
    assert look_pause_s(since_s, moves=True) == pytest.approx(pause_s)


@pytest.mark.parametrize(
    ("since_s", "pause_s"), [(0, 1), (5, 1), (50, 1), (100, 1.8), (3_600, 1.8)]
)
def test_what_does_not_move_is_looked_at_once_a_second_at_most(
    since_s: float, pause_s: float
) -> None:
    assert look_pause_s(since_s, moves=False) == pytest.approx(pause_s)


class Loaded(Random):
    """Dice that fall at one end of what they are asked for."""

    def __init__(self, end: int) -> None:
        super().__init__()
        self.end = end

    def uniform(self, a: float, b: float) -> float:
        return (a, b)[self.end]


@pytest.mark.parametrize(
    ("previous_s", "least_s", "most_s"),
    [(0, 1, 3), (1, 1, 3), (4, 1, 12), (10, 1, 30), (30, 1, 30)],
)
def test_after_failures_it_waits_up_to_three_times_as_long_and_30_s_at_most(
    previous_s: float, least_s: float, most_s: float
) -> None:
    assert backoff_s(previous_s, Loaded(0)) == least_s
    assert backoff_s(previous_s, Loaded(1)) == most_s


def test_those_that_were_throttled_spread_by_a_quarter() -> None:
    assert crowded_pause_s(12, Loaded(0)) == 12
    assert crowded_pause_s(12, Loaded(1)) == 15
    assert crowded_pause_s(0, Loaded(1)) == 0
