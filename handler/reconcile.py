"""The loop: claim the server's row, observe, decide, act, wait, until done or out of time.

It carries out what claim.py and progress.py decide, and writes each step down before it is taken.
All that it works with is passed in; it knows no event and no AWS client.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from random import Random

from handler import claim, report
from handler.report import Answer
from transfer_server_state import pacing
from transfer_server_state.aws.client import RefusedError, UnavailableError
from transfer_server_state.aws.registry import (
    ConflictError,
    Registry,
    UnreachableError,
    Unremembered,
)
from transfer_server_state.aws.server import Server
from transfer_server_state.aws.stack import Stacks
from transfer_server_state.clock import Clock
from transfer_server_state.machine import COMMANDS, Step
from transfer_server_state.outcome import Outcome
from transfer_server_state.pacing import Pace
from transfer_server_state.progress import LEAVES_WITHIN_S, READ_LAG_S, Progress
from transfer_server_state.request import Request
from transfer_server_state.row import Row

# A newer request is noticed within so long.
CHECK_EVERY_S = 30
# New permissions take a while to hold, and what is new to be known.
GRACE_S = 30
# After so long without the registry a deletion goes by its id.
PATIENCE_S = 120
# How long a command that AWS puts off goes by what was seen before: a look costs a call, too.
PUT_OFF_S = 60


@dataclass(frozen=True)
class Means:
    """What a request is carried out with; near `until_s` another invocation has to `go_on`.

    `go_on` raises UnavailableError or RefusedError.
    """

    server: Callable[[str], Server]
    registry: Registry
    stacks: Stacks
    clock: Clock
    until_s: float
    go_on: Callable[[], None]


class Reconciliation:
    """One request and its server, in one invocation."""

    def __init__(self, request: Request, means: Means) -> None:
        self._request = request
        self._means = means
        self._now = means.clock.now
        self._registry = means.registry
        self._server = means.server(request.server_id)
        self._began_s = self._checked_at_s = self._now()
        self._row, self._is_current = Row(request.server_id), False
        self._progress = Progress()
        self._seen_at_s = 0.0
        self._put_off: Step | None = None
        self._problem = ""
        self._unreachable_since_s = self._refused_since_s = 0.0
        self._pace = Pace()

    def run(self) -> Answer | None:
        """Return the answer, or None if another invocation goes on."""
        while True:
            try:
                if answer := self._attempt():
                    return answer
                pause_s = min(self._pace.pause_s, max(0, self._request.deadline_s - self._now()))
                if self._now() + pause_s > self._means.until_s:
                    return self._pass_on()
                self._means.clock.sleep(pause_s)
            except ConflictError:
                # What somebody else wrote decides, from the start.
                self._is_current, self._put_off = False, None
                self._means.clock.sleep(pacing.FIRST_S)

    def _attempt(self) -> Answer | None:
        """Take a step; what fails on the way is tried again, or ends the request."""
        try:
            if answer := self._step():
                return answer
            self._succeed()
        except UnavailableError as error:
            self._fail(error)
            # Only what is said throughout is believed.
            self._refused_since_s = 0
        except RefusedError as error:
            self._fail(error)
            self._refused_since_s = self._refused_since_s or self._now()
            lasts = self._now() - self._refused_since_s >= GRACE_S
            if lasts or error.outcome is Outcome.REFUSED:
                return self._give_up(error.outcome)
        if self._now() < self._request.deadline_s:
            return None
        return self._give_up(Outcome.UNANSWERED if self._problem else Outcome.TIMED_OUT)

    def _step(self) -> Answer | None:
        """Claim the row or look at it, look at the server, and do what is next."""
        if not self._is_current:
            if answer := self._claim():
                return answer
        elif self._now() - self._checked_at_s >= CHECK_EVERY_S:
            self._check()
        step = self._decide()
        if step is Step.DONE:
            return self._end(Outcome.DONE)
        if step is Step.FAILED:
            return self._end(Outcome.REFUSED if self._progress.refusal else Outcome.FAILED)
        self._put_off = step if step in COMMANDS else None
        if self._put_off and self._now() < self._request.deadline_s:
            self._command(step)
        return None

    def _claim(self) -> Answer | None:
        """Take the row, or return the answer if there is nothing to do about the server."""
        self._row = row = self._registry.read(self._request.server_id)
        if row.request != self._request.digest:
            claimed = claim.decide(self._request, row, self._means.stacks)
            if isinstance(claimed, Outcome):
                return self._answer(claimed, row)
            if claimed.released or claimed.request != self._request.digest:
                return self._leave(claimed)
            row = self._registry.write(claimed)
        elif row.answer:
            return Answer(**row.answer)
        # Of a URL without a date, the row knows when it first came.
        self._request = replace(self._request, sent_s=row.sent_at)
        # What it saw since the same command, it knows better than the row.
        if not self._progress.last or self._progress.commanded_at_s != row.progress.commanded_at_s:
            self._progress = row.progress
        self._row, self._is_current, self._checked_at_s = row, True, self._now()
        return None

    def _leave(self, claimed: Row) -> Answer:
        """Write a row down with which nothing more is to be done about the server."""
        # Who never could read the row does not know what it owes.
        unread = not self._row.version and isinstance(self._registry, Unremembered)
        answer = self._answer(Outcome.UNKNOWN if unread else Outcome.RETAINED, claimed)
        self._registry.write(claimed.answered(self._request, answer.record()))
        return answer

    def _check(self) -> None:
        if self._registry.read(self._row.server_id).version != self._row.version:
            raise ConflictError
        self._checked_at_s = self._now()

    def _decide(self) -> Step:
        if self._put_off and self._now() - self._seen_at_s <= PUT_OFF_S:
            return self._put_off
        observed = self._server.observe()
        self._seen_at_s = self._now()
        self._progress = self._progress.seen(observed, self._seen_at_s)
        target = self._row.target
        doubted = self._request.doubted or target is not self._row.desired
        doubted_until_s = self._request.sent_s + READ_LAG_S if doubted else 0
        return self._progress.step(target, self._seen_at_s, doubted_until_s)

    def _command(self, step: Step) -> None:
        """Write the command down, then give it."""
        intended = self._progress.intended(step, self._now())
        self._row = self._registry.write(self._row.with_progress(intended))
        self._checked_at_s = self._now()
        try:
            if self._now() - intended.commanded_at_s <= LEAVES_WITHIN_S:
                self._server.command(step)
                intended = replace(intended, uncertain=False)
        except UnavailableError as error:
            if error.maybe_done:
                self._progress, self._put_off = intended, None
            raise
        except RefusedError as error:
            if error.outcome is not Outcome.REFUSED:
                raise
            intended = replace(intended, uncertain=False, refusal=str(error))
        self._progress, self._put_off = intended, None

    def _end(self, outcome: Outcome) -> Answer:
        """Write the answer down, and return it."""
        row = self._row.with_progress(self._progress)
        answer = self._answer(outcome, row)
        if not self._request.releases:
            row = replace(row, held=row.held or outcome is Outcome.DONE)
        elif outcome in {Outcome.DONE, Outcome.GONE}:
            row = row.buried()
        self._registry.write(row.answered(self._request, answer.record()))
        return answer

    def _give_up(self, outcome: Outcome) -> Answer:
        """End a request that can't be carried out, even if that can't be written down."""
        if self._row.request != self._request.digest:
            unread = Outcome.UNKNOWN if self._request.releases else outcome
            return self._answer(unread, self._row)
        with suppress(UnavailableError, RefusedError):
            # A repeated delivery may have answered meanwhile.
            return (None if self._is_current else self._claim()) or self._end(outcome)
        return self._answer(outcome, self._row.with_progress(self._progress))

    def _pass_on(self) -> Answer | None:
        """Have another invocation go on from what was written down."""
        with suppress(UnavailableError, ConflictError):
            if self._is_current and self._row.progress != self._progress:
                self._row = self._registry.write(replace(self._row, progress=self._progress))
        try:
            self._means.go_on()
        except (UnavailableError, RefusedError) as error:
            self._fail(error)
            return self._give_up(Outcome.NOT_CONTINUED)
        return None

    def _answer(self, outcome: Outcome, row: Row) -> Answer:
        mine = row.request == self._request.digest
        return report.answer(
            self._request,
            outcome,
            row if mine else replace(row, progress=Progress()),
            now_s=self._now(),
            arn=self._server.arn,
            problem=self._problem,
        )

    def _succeed(self) -> None:
        """Forget what failed before, and look again when it is worth it."""
        self._unreachable_since_s = self._refused_since_s = 0
        if not (self._progress.uncertain or self._put_off):
            self._problem = ""
        since_s = self._now() - (self._progress.commanded_at_s or self._began_s)
        moves = self._progress.command is not None and self._progress.last is not self._row.target
        self._pace.succeeded(pacing.look_pause_s(since_s, moves=moves), self._dice())

    def _fail(self, error: UnavailableError | RefusedError) -> None:
        """Take note of a failure, and try again after a while."""
        self._problem = str(error)
        throttled = isinstance(error, UnavailableError) and error.throttled
        commanded = self._progress.command is not None
        self._pace.failed(self._dice(), throttled=throttled, commanded=commanded)
        if not isinstance(error, UnreachableError):
            # What else fails says nothing of the registry.
            self._unreachable_since_s = 0
            return
        self._unreachable_since_s = self._unreachable_since_s or self._now()
        waited_s = self._now() - self._unreachable_since_s
        if self._request.releases and waited_s > PATIENCE_S:
            self._registry = Unremembered(self._row)

    def _dice(self) -> Random:
        """Return what tells requests of one moment apart."""
        return Random(f"{self._request.digest} {self._now()}")  # noqa: S311 - no secret


def carry_out(request: Request, means: Means) -> Answer | None:
    """Return what to answer, or None if another invocation goes on."""
    now_s = means.clock.now()
    if request.is_expired(now_s):
        return report.answer(request, Outcome.EXPIRED, Row(), now_s=now_s)
    if not request.server_id:
        return report.answer(request, Outcome.RETAINED, Row(), now_s=now_s)
    if request.undoes:
        undone = Reconciliation(request.undo(), means).run()
        if undone is None or not undone.succeeded:
            return undone
    return Reconciliation(request, means).run()
