"""How far a look is believed: each rule of progress.py, at its boundary."""

from dataclasses import replace

import pytest

from transfer_server_state.machine import State, Step
from transfer_server_state.progress import LEAVES_WITHIN_S, QUIET_S, READ_LAG_S, Progress

AT_S = 1_000.0
SEEN = Progress().seen(State.ONLINE, AT_S)
INTENDED = SEEN.intended(Step.STOP, AT_S)
GIVEN = replace(INTENDED, uncertain=False)


def step(progress: Progress, after_s: float, **more: float) -> Step:
    return progress.step(State.OFFLINE, AT_S + after_s, **more)


def test_the_quiet_time_covers_the_way_to_aws_and_the_lag() -> None:
    assert (LEAVES_WITHIN_S, READ_LAG_S, QUIET_S) == (5, 15, 25)


def test_the_first_look_and_the_last_are_kept_and_all_are_counted() -> None:
    progress = SEEN.seen(State.STOPPING, AT_S + 1).seen(State.OFFLINE, AT_S + 2)
    assert progress == Progress(first=State.ONLINE, last=State.OFFLINE, looks=3)


def test_nothing_is_done_before_a_look() -> None:
    assert step(Progress(), 0) is Step.WAIT


def test_the_table_decides() -> None:
    assert step(SEEN, 0) is Step.STOP
    assert step(GIVEN, 0) is Step.WAIT
    assert step(GIVEN.seen(State.OFFLINE, AT_S + 1), 1) is Step.DONE
    assert step(GIVEN.seen(State.STOP_FAILED, AT_S + 1), 1) is Step.FAILED


def test_a_command_is_noted_with_when_and_where_it_was_given_and_as_uncertain() -> None:
    assert (
        replace(
            SEEN,
            command=Step.STOP,
            commanded_in=State.ONLINE,
            commanded_at_s=AT_S,
            uncertain=True,
        )
        == INTENDED
    )


@pytest.mark.parametrize("shown", [State.STOPPING, State.OFFLINE, State.STOP_FAILED])
def test_another_state_shows_that_an_uncertain_command_took_effect(shown: State) -> None:
    assert INTENDED.seen(shown, AT_S + 1) == replace(INTENDED, last=shown, looks=2, uncertain=False)


@pytest.mark.parametrize(("after_s", "again"), [(QUIET_S - 0.1, False), (QUIET_S, True)])
def test_the_same_stable_state_after_the_quiet_time_shows_that_it_had_none(
    after_s: float, *, again: bool
) -> None:
    after = INTENDED.seen(State.ONLINE, AT_S + after_s)
    assert after.command is (None if again else Step.STOP)
    assert after.commanded_in is (None if again else State.ONLINE)
    assert after.uncertain is not again
    assert step(after, after_s) is (Step.STOP if again else Step.WAIT)


def test_a_failed_state_may_have_been_reached_anew_so_its_command_is_not_given_again() -> None:
    failed = Progress().seen(State.STOP_FAILED, AT_S).intended(Step.STOP, AT_S)
    for after_s, expected in ((QUIET_S - 0.1, Step.WAIT), (QUIET_S, Step.FAILED)):
        assert step(failed.seen(State.STOP_FAILED, AT_S + after_s), after_s) is expected


@pytest.mark.parametrize(("after_s", "expected"), [(14.9, Step.WAIT), (15, Step.FAILED)])
def test_a_failure_in_the_state_of_the_command_is_believed_after_the_lag(
    after_s: float, expected: Step
) -> None:
    given = replace(Progress().seen(State.STOP_FAILED, AT_S).intended(Step.STOP, AT_S))
    given = replace(given, uncertain=False)
    assert step(given.seen(State.STOP_FAILED, AT_S + after_s), after_s) is expected


@pytest.mark.parametrize(("after_s", "expected"), [(14.9, Step.WAIT), (15, Step.FAILED)])
@pytest.mark.parametrize("seen", [State.ONLINE, State.STARTING])
def test_a_refused_command_fails_unless_the_server_gets_to_move(
    seen: State, after_s: float, expected: Step
) -> None:
    refused = replace(GIVEN, refusal="no")
    assert step(refused.seen(seen, AT_S + after_s), after_s) is expected
    moving = refused.seen(State.STOPPING, AT_S + 1)
    assert moving.refusal == ""
    assert step(moving, 60) is Step.WAIT


def test_a_refused_command_does_not_matter_to_a_server_that_is_there() -> None:
    assert step(replace(GIVEN, refusal="no").seen(State.OFFLINE, AT_S + 1), 1) is Step.DONE


@pytest.mark.parametrize(("after_s", "expected"), [(14.9, Step.WAIT), (15, Step.DONE)])
def test_done_is_doubted_for_as_long_as_asked(after_s: float, expected: Step) -> None:
    there = Progress().seen(State.OFFLINE, AT_S)
    assert step(there, after_s, doubted_until_s=AT_S + READ_LAG_S) is expected
    assert step(there, after_s) is Step.DONE


def test_the_next_request_knows_when_a_command_was_given_and_whether_that_was_seen() -> None:
    assert Progress().next() == SEEN.next() == Progress()
    unseen = Progress(earlier_at_s=AT_S, earlier_unseen=True)
    assert INTENDED.next() == GIVEN.next() == unseen
    assert GIVEN.seen(State.STOPPING, AT_S + 1).next() == Progress(earlier_at_s=AT_S)
    assert unseen.next() == unseen


@pytest.mark.parametrize(("after_s", "expected"), [(24.9, Step.WAIT), (25, Step.STOP)])
def test_no_look_is_believed_while_an_earlier_command_may_take_effect_unseen(
    after_s: float, expected: Step
) -> None:
    assert step(GIVEN.next().seen(State.ONLINE, AT_S + after_s), after_s) is expected


@pytest.mark.parametrize(("after_s", "expected"), [(14.9, Step.WAIT), (15, Step.DONE)])
def test_done_may_be_older_than_an_earlier_command(after_s: float, expected: Step) -> None:
    earlier = GIVEN.seen(State.STOPPING, AT_S + 1).next()
    assert step(earlier.seen(State.OFFLINE, AT_S + after_s), after_s) is expected
    assert step(earlier.seen(State.ONLINE, AT_S + 1), 1) is Step.STOP
