"""How far a request has come, and how far a look is believed."""

import pytest

from transfer_server_state.machine import State, Step
from transfer_server_state.progress import LEAVES_WITHIN_S, QUIET_S, READ_LAG_S, Progress

ON, OFF = State.ONLINE, State.OFFLINE
AT = 1_000.0
LOOKED = Progress().seen(ON, AT)
# StopServer was written down; whether it left is not known.
INTENDED = LOOKED.intended(Step.STOP, AT)
COMMANDED = Progress(ON, ON, Step.STOP, ON, AT, looks=1)
REFUSED = Progress(ON, ON, Step.STOP, ON, AT, refusal="no", looks=1)


def test_the_quiet_time_is_a_command_s_way_to_aws_and_the_lag_of_a_read() -> None:
    assert (READ_LAG_S, LEAVES_WITHIN_S, QUIET_S) == (15, 5, 25)


def test_it_keeps_the_first_look_the_last_and_how_many() -> None:
    assert LOOKED.seen(State.STOPPING, AT).seen(OFF, AT) == Progress(ON, OFF, looks=3)


def test_an_intended_command_is_uncertain_and_knows_where_it_was_given() -> None:
    expected = Progress(ON, ON, Step.STOP, ON, AT, uncertain=True, looks=1)
    assert expected == INTENDED


@pytest.mark.parametrize("observed", [State.STOPPING, OFF, State.STOP_FAILED])
def test_another_state_shows_the_effect_of_an_uncertain_command(observed: State) -> None:
    seen = INTENDED.seen(observed, AT + 1)
    assert (seen.uncertain, seen.command, seen.commanded_in) == (False, Step.STOP, ON)


@pytest.mark.parametrize(("later_s", "given"), [(1, True), (24.9, True), (25, False)])
def test_the_same_stable_state_after_the_quiet_time_shows_that_it_had_none(
    later_s: float, *, given: bool
) -> None:
    seen = INTENDED.seen(ON, AT + later_s)
    assert seen.uncertain is given
    assert (seen.command, seen.commanded_in) == ((Step.STOP, ON) if given else (None, None))
    assert seen.step(OFF, AT + later_s, 0) is (Step.WAIT if given else Step.STOP)
    # When it was tried is not forgotten.
    assert seen.commanded_at_s == AT


@pytest.mark.parametrize(("later_s", "step"), [(24.9, Step.WAIT), (25, Step.FAILED)])
def test_the_same_failure_is_no_sign_that_an_uncertain_command_had_no_effect(
    later_s: float, step: Step
) -> None:
    failed = Progress().seen(State.STOP_FAILED, AT).intended(Step.STOP, AT)
    seen = failed.seen(State.STOP_FAILED, AT + later_s)
    assert seen.uncertain
    assert seen.step(OFF, AT + later_s, 0) is step


def test_a_certain_command_is_not_given_again_however_long_nothing_moves() -> None:
    assert COMMANDED.seen(ON, AT + 3_600).step(OFF, AT + 3_600, 0) is Step.WAIT


@pytest.mark.parametrize(("later_s", "step"), [(14.9, Step.WAIT), (15, Step.FAILED)])
def test_a_refusal_is_believed_when_no_look_shows_the_server_on_its_way(
    later_s: float, step: Step
) -> None:
    assert REFUSED.seen(ON, AT + later_s).step(OFF, AT + later_s, 0) is step


@pytest.mark.parametrize(
    ("command", "observed", "refusal"),
    [
        (Step.STOP, State.STOPPING, ""),
        (Step.START, State.STARTING, ""),
        (Step.STOP, State.STARTING, "no"),
        (Step.START, State.STOPPING, "no"),
        (Step.STOP, OFF, "no"),
    ],
)
def test_a_refusal_is_forgotten_when_the_server_goes_where_it_was_sent(
    command: Step, observed: State, refusal: str
) -> None:
    refused = Progress(ON, ON, command, ON, AT, refusal="no")
    assert refused.seen(observed, AT + 1).refusal == refusal


@pytest.mark.parametrize(("later_s", "step"), [(14.9, Step.WAIT), (15, Step.FAILED)])
def test_the_failure_in_which_a_command_was_given_may_be_a_stale_read(
    later_s: float, step: Step
) -> None:
    stopped = Progress(State.STOP_FAILED, State.STOP_FAILED, Step.STOP, State.STOP_FAILED, AT)
    assert stopped.step(OFF, AT + later_s, 0) is step


def test_a_new_failure_is_believed_at_once() -> None:
    assert COMMANDED.seen(State.STOP_FAILED, AT + 1).step(OFF, AT + 1, 0) is Step.FAILED


def test_without_a_look_nothing_is_decided() -> None:
    assert Progress().step(OFF, AT, 0) is Step.WAIT


@pytest.mark.parametrize(("now_s", "step"), [(AT + 9.9, Step.WAIT), (AT + 10, Step.DONE)])
def test_where_a_look_is_doubted_it_is_not_done_before_the_doubt_ends(
    now_s: float, step: Step
) -> None:
    assert LOOKED.step(ON, now_s, doubted_until_s=AT + 10) is step
    # A doubt keeps nobody from a command.
    assert LOOKED.step(OFF, now_s, doubted_until_s=AT + 10) is Step.STOP


# What an earlier request set in motion


def test_a_request_begins_with_the_time_of_the_command_before_it() -> None:
    assert LOOKED.for_the_next_request() == Progress()
    assert COMMANDED.seen(OFF, AT + 60).for_the_next_request() == Progress(earlier_at_s=AT)
    assert COMMANDED.for_the_next_request() == Progress(earlier_at_s=AT, earlier_in=ON)
    assert INTENDED.seen(ON, AT).for_the_next_request() == Progress(earlier_at_s=AT, earlier_in=ON)


def test_the_next_but_one_still_knows_of_it() -> None:
    begun = COMMANDED.for_the_next_request()
    assert begun.for_the_next_request() == begun
    assert begun.seen(ON, AT + 1).for_the_next_request() == begun


@pytest.mark.parametrize(("later_s", "believed"), [(24.9, False), (25, True)])
def test_no_look_is_believed_while_an_earlier_command_may_take_effect_unseen(
    later_s: float, *, believed: bool
) -> None:
    seen = COMMANDED.for_the_next_request().seen(ON, AT + later_s)
    assert seen.step(OFF, AT + later_s, 0) is (Step.STOP if believed else Step.WAIT)
    assert seen.earlier_in is (None if believed else ON)


@pytest.mark.parametrize("observed", [State.STOPPING, OFF, State.STOP_FAILED])
def test_a_look_that_shows_another_state_shows_what_came_of_it(observed: State) -> None:
    seen = COMMANDED.for_the_next_request().seen(observed, AT + 1)
    assert seen.earlier_in is None
    # What was before is not taken for unseen again.
    assert seen.seen(ON, AT + 2).step(OFF, AT + 2, 0) is Step.STOP


@pytest.mark.parametrize(("later_s", "step"), [(14.9, Step.WAIT), (15, Step.DONE)])
def test_a_look_may_be_older_than_a_command_whose_effect_was_seen(
    later_s: float, step: Step
) -> None:
    seen = COMMANDED.seen(OFF, AT + 2).for_the_next_request().seen(ON, AT + later_s)
    assert seen.step(ON, AT + later_s, 0) is step
    assert seen.step(OFF, AT + later_s, 0) is Step.STOP
