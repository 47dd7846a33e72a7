"""The loop alone: a server that is a script, a clock that only sleeping moves."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import inf

import pytest

from handler.machine import State, Step
from handler.reconcile import (
    DeniedError,
    Ending,
    GoneError,
    Progress,
    RefusedError,
    UnavailableError,
    reconcile,
)
from tests.lab import Clock

ONLINE, OFFLINE, STARTING, STOPPING = State.ONLINE, State.OFFLINE, State.STARTING, State.STOPPING
STOP_FAILED = State.STOP_FAILED
BEGAN_S = 1_000_000
REQUEST = Progress(OFFLINE, began_s=BEGAN_S, deadline_s=BEGAN_S + 3_000)
LOST = UnavailableError("lost", maybe_done=True)
BUSY = UnavailableError("busy", maybe_done=False)


@dataclass
class Script:
    """A server whose every look and command is written down; the last look stays."""

    looks: deque[State | Exception]
    answers: deque[Exception | None] = field(default_factory=deque)
    commands: list[Step] = field(default_factory=list)
    left: int = 10_000
    server_id: str = "s-0123456789abcdef0"

    def observe(self) -> State:
        self.left -= 1
        assert self.left, "It looks for ever."
        look = self.looks.popleft() if len(self.looks) > 1 else self.looks[0]
        if isinstance(look, Exception):
            raise look
        return look

    def command(self, step: Step) -> None:
        self.commands.append(step)
        answer = self.answers.popleft() if self.answers else None
        if answer:
            raise answer


@dataclass
class Run:
    """How a run of the loop ended."""

    ending: Ending
    progress: Progress
    commands: list[Step]
    slept_s: list[float]

    @property
    def spent_s(self) -> float:
        return sum(self.slept_s)


def run(
    *looks: State | Exception,
    answers: tuple[Exception | None, ...] = (),
    progress: Progress = REQUEST,
    until_s: float = inf,
    may_command: Callable[[Progress], bool] = lambda _: True,
    step_s: float | None = None,
    server_id: str = "",
) -> Run:
    script, clock = Script(deque(looks), deque(answers)), Clock()
    script.server_id = server_id or script.server_id
    clock.now_s = BEGAN_S
    ending, progress = reconcile(
        script,
        progress,
        now=clock.now,
        sleep=clock.sleep if step_s is None else lambda _: clock.sleep(step_s),
        until_s=until_s,
        may_command=may_command,
    )
    return Run(ending, replace(progress, seen_at_s=0), script.commands, clock.slept_s)


def assert_spread(slept_s: list[float], least_s: list[float]) -> None:
    """Each pause is as long as expected, or up to a quarter longer."""
    assert len(slept_s) == len(least_s)
    for slept, least in zip(slept_s, least_s, strict=True):
        assert least <= slept <= 1.25 * least, (slept_s, least_s)


def test_a_server_that_is_there_needs_one_look() -> None:
    done = run(OFFLINE)
    assert done == Run(Ending.DONE, replace(REQUEST, first=OFFLINE, last=OFFLINE, polls=1), [], [])


def test_what_happened_is_remembered() -> None:
    done = run(STARTING, ONLINE, ONLINE, STOPPING, OFFLINE)
    assert done == Run(
        Ending.DONE,
        replace(
            REQUEST,
            first=STARTING,
            last=OFFLINE,
            command=Step.STOP,
            commanded_in=ONLINE,
            commanded_at_s=BEGAN_S + 1,
            polls=5,
        ),
        [Step.STOP],
        [1, 1, 1, 1],
    )


def test_it_looks_each_second_at_first_and_then_each_time_a_share_longer_has_passed() -> None:
    waits = run(STOPPING, progress=replace(REQUEST, deadline_s=BEGAN_S + 300))
    expected, elapsed_s = [], 0.0
    while elapsed_s < 300:
        pause_s = 1 if elapsed_s < 5 else 0.018 * min(elapsed_s, 100)
        expected.append(min(pause_s, 300 - elapsed_s))
        elapsed_s += expected[-1]
    assert waits.slept_s == pytest.approx(expected)
    assert waits.ending is Ending.TIMED_OUT


def test_the_time_waited_counts_from_the_command() -> None:
    """What settles, settles soon after a command, not after a request."""
    waits = run(*[STARTING] * 200, ONLINE, STOPPING, STOPPING, OFFLINE)
    assert waits.slept_s[199] > 1.5
    assert waits.slept_s[200:] == [1, 1, 1]


def test_it_backs_off_while_aws_is_unavailable_and_no_longer() -> None:
    waits = run(*[BUSY] * 8, STOPPING, BUSY, BUSY, OFFLINE)
    assert_spread(waits.slept_s[:8], [2, 4, 8, 16, 32, 60, 60, 60])
    assert waits.slept_s[8] == pytest.approx(1.8)
    assert_spread(waits.slept_s[9:], [2, 4])
    assert waits.progress.polls == 2


@pytest.mark.parametrize(("asked_s", "slept_s"), [(0.5, 0.5), (1, 1), (40, 40), (1_000, 60)])
def test_it_waits_as_long_as_aws_asks_for_up_to_a_minute(asked_s: float, slept_s: float) -> None:
    assert_spread(run(throttled(asked_s), OFFLINE).slept_s, [slept_s])


def throttled(asked_s: float = 1) -> UnavailableError:
    return UnavailableError("throttled", maybe_done=False, retry_after_s=asked_s)


def test_a_throttled_request_looks_further_apart_until_it_is_so_no_longer() -> None:
    waits = run(STOPPING, throttled(), *[STOPPING] * 40, OFFLINE)
    assert_spread(waits.slept_s[:5], [1, 1, 12, 12 * 0.9, 12 * 0.81])
    assert waits.slept_s[-1] == pytest.approx(1.8)


def test_a_look_that_is_throttled_after_the_command_leaves_room_for_others_commands() -> None:
    waits = run(ONLINE, throttled(), throttled(40), OFFLINE)
    assert_spread(waits.slept_s, [1, 12, 40])


def test_requests_that_are_throttled_together_do_not_come_again_together() -> None:
    pauses_s = set()
    for number in range(20):
        clock = Clock()
        reconcile(
            Script(deque([throttled(), OFFLINE]), server_id=f"s-{number}"),
            replace(REQUEST, began_s=clock.now_s, deadline_s=clock.now_s + 60),
            now=clock.now,
            sleep=clock.sleep,
            until_s=inf,
            may_command=lambda _: True,
        )
        pauses_s.add(clock.slept_s[0])
    assert len(pauses_s) == 20
    assert max(pauses_s) - min(pauses_s) > 0.15


def test_a_throttled_command_is_given_again_without_a_look_for_a_minute() -> None:
    answers = (*[throttled(10)] * 6, None)
    again = run(ONLINE, OFFLINE, answers=answers)
    assert (again.ending, again.commands) == (Ending.DONE, [Step.STOP] * 6)
    assert again.progress.polls == 2
    assert again.spent_s > 60


def test_a_put_off_command_asks_for_permission_again_after_the_lag() -> None:
    asked_at: list[int] = []

    def may_command(progress: Progress) -> bool:
        asked_at.append(progress.polls)
        return True

    run(ONLINE, OFFLINE, answers=(throttled(4),) * 5, may_command=may_command)
    assert len(asked_at) == 2


def test_a_put_off_command_goes_by_what_was_seen_for_a_minute_and_no_longer() -> None:
    again = run(ONLINE, OFFLINE, answers=(throttled(),) * 2, step_s=30)
    assert (again.ending, again.commands, again.spent_s) == (Ending.DONE, [Step.STOP] * 3, 90)
    looked = run(ONLINE, OFFLINE, answers=(throttled(),) * 2, step_s=30.1)
    assert (looked.ending, looked.commands) == (Ending.DONE, [Step.STOP] * 2)


def test_a_permission_holds_as_long_as_a_read_may_lag() -> None:
    asked: list[Progress] = []

    def may_command(progress: Progress) -> bool:
        asked.append(progress)
        return True

    run(ONLINE, OFFLINE, answers=(throttled(),), may_command=may_command, step_s=15)
    assert len(asked) == 1
    run(ONLINE, OFFLINE, answers=(throttled(),), may_command=may_command, step_s=15.1)
    assert len(asked) == 3


def test_pauses_are_spread_by_server_and_time_and_can_be_repeated() -> None:
    one = run(BUSY, BUSY, BUSY, OFFLINE, server_id="s-1").slept_s
    assert run(BUSY, BUSY, BUSY, OFFLINE, server_id="s-1").slept_s == one
    assert run(BUSY, BUSY, BUSY, OFFLINE, server_id="s-2").slept_s != one
    assert len({pause_s / 2**number for number, pause_s in enumerate(one, 1)}) == 3


def test_an_unavailability_asks_for_no_time_of_its_own() -> None:
    assert BUSY.retry_after_s == 0


def test_it_sleeps_to_the_end_of_its_time_and_not_past_it() -> None:
    assert run(STOPPING, until_s=BEGAN_S + 1).slept_s == [1]
    assert run(STOPPING, until_s=BEGAN_S + 1.5).slept_s == [1]
    stopped = run(STOPPING, until_s=BEGAN_S)
    assert stopped == Run(
        Ending.OUT_OF_TIME, replace(REQUEST, first=STOPPING, last=STOPPING, polls=1), [], []
    )


def test_a_last_look_is_taken_at_the_deadline() -> None:
    short = replace(REQUEST, deadline_s=BEGAN_S + 2.5)
    late = run(STOPPING, progress=short)
    assert (late.ending, late.slept_s) == (Ending.TIMED_OUT, [1, 1, 0.5])
    assert run(STOPPING, STOPPING, STOPPING, OFFLINE, progress=short).ending is Ending.DONE
    assert run(STOPPING, progress=short, until_s=BEGAN_S + 2.5).ending is Ending.TIMED_OUT


def test_no_command_is_given_at_the_deadline() -> None:
    late = run(STARTING, ONLINE, progress=replace(REQUEST, deadline_s=BEGAN_S + 1))
    assert (late.ending, late.commands) == (Ending.TIMED_OUT, [])
    in_time = run(STARTING, ONLINE, progress=replace(REQUEST, deadline_s=BEGAN_S + 1.1))
    assert (in_time.ending, in_time.commands) == (Ending.TIMED_OUT, [Step.STOP])


def test_whoever_asks_may_hold_the_command_back() -> None:
    asked: list[Progress] = []

    def may_command(progress: Progress) -> bool:
        asked.append(progress)
        return False

    held = run(STARTING, ONLINE, may_command=may_command)
    assert held.ending is Ending.PAUSED
    assert held.commands == []
    assert [replace(progress, seen_at_s=0) for progress in asked] == [held.progress]
    assert held.progress == replace(REQUEST, first=STARTING, last=ONLINE, polls=2)


@pytest.mark.parametrize(
    ("error", "ending"), [(DeniedError("no"), Ending.DENIED), (GoneError("no"), Ending.GONE)]
)
def test_what_aws_will_say_again_ends_it_at_once(error: Exception, ending: Ending) -> None:
    seen = replace(REQUEST, first=ONLINE, last=ONLINE, polls=1)
    assert run(ONLINE, answers=(error,)) == Run(
        ending, replace(seen, problem="no"), [Step.STOP], []
    )
    assert run(error) == Run(ending, replace(REQUEST, problem="no"), [], [])


def test_a_look_that_is_refused_ends_it_at_once() -> None:
    refused = run(RefusedError("no"))
    assert (refused.ending, refused.progress.problem) == (Ending.REFUSED, "no")


STOPPED = replace(
    REQUEST,
    first=ONLINE,
    last=ONLINE,
    command=Step.STOP,
    commanded_in=ONLINE,
    commanded_at_s=BEGAN_S,
    polls=1,
)


def test_a_refused_command_is_a_failure_once_a_lagging_read_is_ruled_out() -> None:
    refused = run(ONLINE, answers=(RefusedError("no"),))
    polls = refused.progress.polls
    assert refused.ending is Ending.REFUSED
    assert refused.progress == replace(STOPPED, refusal="no", polls=polls)
    assert refused.commands == [Step.STOP]
    assert 15 <= refused.spent_s < 15.3


def test_a_refused_command_does_not_matter_where_the_server_is_there_all_the_same() -> None:
    there = run(ONLINE, ONLINE, OFFLINE, answers=(RefusedError("no"),))
    assert there == Run(
        Ending.DONE, replace(STOPPED, refusal="no", last=OFFLINE, polls=3), [Step.STOP], [1, 1]
    )


def test_a_refused_command_is_forgotten_where_the_server_is_under_way() -> None:
    failed = run(ONLINE, STOPPING, STOP_FAILED, answers=(RefusedError("no"),))
    assert failed == Run(
        Ending.FAILED, replace(STOPPED, last=STOP_FAILED, polls=3), [Step.STOP], [1, 1]
    )
    up = replace(REQUEST, desired=ONLINE)
    failed = run(OFFLINE, STOPPING, OFFLINE, answers=(RefusedError("no"),), progress=up)
    assert failed.ending is Ending.REFUSED


def test_a_command_whose_answer_is_lost_is_not_given_again_while_it_may_be_under_way() -> None:
    waits = run(ONLINE, ONLINE, answers=(LOST,), until_s=BEGAN_S + 14)
    polls = waits.progress.polls
    assert waits.ending is Ending.OUT_OF_TIME
    assert waits.progress == replace(STOPPED, uncertain=True, problem="lost", polls=polls)
    assert waits.commands == [Step.STOP]


def test_a_lost_command_that_took_effect_is_one_that_was_given() -> None:
    waits = run(ONLINE, ONLINE, STOPPING, answers=(LOST,), until_s=BEGAN_S + 2)
    assert waits.progress == replace(STOPPED, last=STOPPING, polls=3)
    waits = run(ONLINE, STOPPING, ONLINE, OFFLINE, answers=(LOST,))
    assert (waits.ending, waits.commands) == (Ending.DONE, [Step.STOP])


def test_a_lost_command_without_effect_is_given_again() -> None:
    again = run(ONLINE, answers=(LOST,), until_s=BEGAN_S + 15.5)
    assert again.commands == [Step.STOP, Step.STOP]
    assert 15 <= again.progress.commanded_at_s - BEGAN_S < 15.3
    assert again.progress.uncertain is False


def test_a_lost_command_that_nobody_may_repeat_was_never_given() -> None:
    allowed = iter([True, False])
    held = run(ONLINE, answers=(LOST,), may_command=lambda _: next(allowed))
    polls = held.progress.polls
    never = replace(STOPPED, command=None, commanded_in=None, problem="lost", polls=polls)
    assert (held.ending, held.progress, held.commands) == (Ending.PAUSED, never, [Step.STOP])
    assert 15 <= held.spent_s < 15.3


def test_a_command_that_never_left_is_given_again_at_once() -> None:
    again = run(ONLINE, ONLINE, ONLINE, OFFLINE, answers=(BUSY, BUSY))
    assert (again.ending, again.commands) == (Ending.DONE, [Step.STOP] * 3)
    assert_spread(again.slept_s[:2], [2, 4])


def test_what_stood_in_the_way_of_the_command_is_kept_to_the_end() -> None:
    short = replace(REQUEST, deadline_s=BEGAN_S + 5)
    late = run(ONLINE, answers=(BUSY, BUSY, BUSY), progress=short)
    assert late == Run(
        Ending.TIMED_OUT,
        replace(short, first=ONLINE, last=ONLINE, polls=1, problem="busy"),
        [Step.STOP, Step.STOP],
        late.slept_s,
    )
    assert late.spent_s == pytest.approx(5)


def test_what_is_over_is_no_longer_in_the_way() -> None:
    over = run(BUSY, STOPPING, until_s=BEGAN_S + 3)
    assert over.progress == replace(REQUEST, first=STOPPING, last=STOPPING, polls=1)


def test_a_reversed_declaration_believes_its_first_look_after_the_lag() -> None:
    reversal = replace(REQUEST, reverses=True)
    believed = run(OFFLINE, progress=reversal)
    assert believed.ending is Ending.DONE
    assert 15 <= believed.spent_s < 15.3
    doubted = run(OFFLINE, ONLINE, OFFLINE, progress=reversal)
    assert (doubted.commands, doubted.spent_s) == ([Step.STOP], 2)


def test_an_old_failure_is_believed_after_the_lag() -> None:
    failed = run(STOP_FAILED)
    assert (failed.ending, failed.commands) == (Ending.FAILED, [Step.STOP])
    assert 15 <= failed.spent_s < 15.3


def test_another_failure_is_believed_at_once() -> None:
    failed = run(ONLINE, STOP_FAILED)
    assert (failed.ending, failed.spent_s) == (Ending.FAILED, 1)


def test_a_run_goes_on_where_another_stopped() -> None:
    went_on = run(STOPPING, OFFLINE, progress=STOPPED)
    assert went_on == Run(Ending.DONE, replace(STOPPED, last=OFFLINE, polls=3), [], [1])


def test_what_was_seen_just_before_a_hand_over_is_not_looked_at_again() -> None:
    seen = replace(REQUEST, first=ONLINE, last=ONLINE, polls=1, seen_at_s=BEGAN_S - 14)
    assert run(OFFLINE, progress=seen).commands == [Step.STOP]
    assert run(OFFLINE, progress=replace(seen, seen_at_s=BEGAN_S - 15)).commands == []
