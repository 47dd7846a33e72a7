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


def test_failures_are_backed_off_from_with_jitter_up_to_a_third_of_a_minute() -> None:
    pace, pause_s = Pace(), 0.0
    for seed in range(100):
        before_s, pause_s = pause_s, paused_s(pace, seed)
        most_s = max(5.4, 1.75 * before_s)
        assert 0.6 * most_s <= pause_s <= most_s or pause_s == 19
        assert pause_s <= 19
    assert pause_s > 11
    assert len({paused_s(Pace(), seed) for seed in range(50)}) == 50


def test_after_a_success_backing_off_begins_anew() -> None:
    pace = Pace()
    for seed in range(20):
        paused_s(pace, seed)
    pace.succeeded(2)
    assert pace.pause_s == 2
    assert paused_s(pace, 1) <= 5.4


def throttled(times: int, *, commanded: bool) -> Pace:
    pace = Pace()
    for seed in range(times):
        paused_s(pace, seed, throttled=True, commanded=commanded)
    return pace


@pytest.mark.parametrize(
    ("commanded", "apart_s"), [(False, [3.75, 9.75, 19.35, 34.71]), (True, [10, 26, 51.6, 70])]
)
def test_the_more_often_it_was_throttled_the_less_often_it_looks(
    commanded: bool,  # noqa: FBT001 - pytest passes it by name
    apart_s: list[float],
) -> None:
    for times, expected_s in [*enumerate(apart_s, 1), (50, 70)]:
        pace = throttled(times, commanded=commanded)
        pace.succeeded(1)
        assert pace.pause_s == pytest.approx(expected_s)


def test_that_wears_off_with_each_look_that_passes() -> None:
    pace = throttled(1, commanded=True)
    pauses_s = []
    for _ in range(70):
        pace.succeeded(1)
        pauses_s.append(pace.pause_s)
    assert all(after == 1 or after < before for before, after in pairwise(pauses_s))
    assert pauses_s[-1] == 1


def test_who_gave_its_command_leaves_the_calls_to_others() -> None:
    pace = throttled(2, commanded=True)
    assert pace.pause_s == 26
    assert paused_s(pace, 1, throttled=False, commanded=True) < 26
    assert paused_s(Pace(), 1, throttled=True, commanded=False) <= 5.4
