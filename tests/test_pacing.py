"""When to look again: never late by more than is promised, and ever more patient with failures."""

from itertools import pairwise
from random import Random

import pytest

from transfer_server_state import pacing
from transfer_server_state.pacing import Pace


def looks(until_s: float) -> list[float]:
    at_s = [0.0]
    while at_s[-1] < until_s:
        at_s.append(at_s[-1] + pacing.look_pause_s(at_s[-1], moves=True))
    return at_s


def test_an_end_is_noticed_a_second_late_at_first_then_1_8_percent_or_1_8_s() -> None:
    for before_s, after_s in pairwise(looks(3_600)):
        late_s = after_s - before_s
        assert late_s <= (1 if before_s < 5 else min(0.018 * before_s, 1.8)) + 1e-9


def test_an_hour_takes_two_thousand_two_hundred_looks() -> None:
    assert 2_100 < len(looks(3_600)) < 2_200


@pytest.mark.parametrize("since_s", [0, 4.9, 5, 30, 55])
def test_where_nothing_moves_it_looks_once_a_second(since_s: float) -> None:
    assert pacing.look_pause_s(since_s, moves=False) == 1


def test_a_long_wait_for_somebody_else_s_transition_is_paced_alike() -> None:
    assert pacing.look_pause_s(90, moves=False) == pytest.approx(0.018 * 90)


def paused_s(pace: Pace, seed: int, *, throttled: bool = False, commanded: bool = False) -> float:
    pace.failed(Random(seed), throttled=throttled, commanded=commanded)
    return pace.pause_s


def test_failures_are_backed_off_from_with_jitter_up_to_a_quarter_of_a_minute() -> None:
    pace, pause_s = Pace(), 0.0
    for seed in range(100):
        before_s, pause_s = pause_s, paused_s(pace, seed)
        assert 1 <= pause_s <= min(15, 6 * max(before_s, 1))
    assert pause_s > 3
    assert len({paused_s(Pace(), seed) for seed in range(50)}) == 50


def test_after_a_success_backing_off_begins_anew() -> None:
    pace = Pace()
    for seed in range(20):
        paused_s(pace, seed)
    pace.succeeded(2, Random(1))
    assert pace.pause_s == 2
    assert paused_s(pace, 1) <= 6


def throttled(times: int, seed: int = 1) -> Pace:
    pace = Pace()
    for _ in range(times):
        paused_s(pace, seed, throttled=True)
    return pace


@pytest.mark.parametrize(("times", "apart_s"), [(1, 7), (3, 21), (8, 56), (9, 60), (50, 60)])
def test_the_more_often_it_was_throttled_the_less_often_it_looks(
    times: int, apart_s: float
) -> None:
    """Up to a minute, and not at once with others."""
    pauses_s = []
    for seed in range(50):
        pace = throttled(times, seed)
        pace.succeeded(1, Random(seed))
        pauses_s.append(pace.pause_s)
    assert len(set(pauses_s)) == 50
    assert apart_s <= min(pauses_s) < 1.05 * apart_s
    assert 1.2 * apart_s < max(pauses_s) <= 1.25 * apart_s


def test_that_wears_off_with_each_look_that_passes() -> None:
    pace = throttled(9)
    for _ in range(13):
        pace.succeeded(1, Random(1))
    assert pace.pause_s == 1


def test_who_gave_its_command_leaves_the_calls_to_others() -> None:
    waiting_s = paused_s(Pace(), 1, throttled=True, commanded=False)
    assert paused_s(Pace(), 1, throttled=True, commanded=True) == waiting_s + 7
    assert paused_s(Pace(), 1, throttled=False, commanded=True) == waiting_s
