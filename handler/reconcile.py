"""One request and its server: claim the row, observe, decide, act, and write each step down.

It carries out what claim.py and progress.py decide, one step at a time. All that it works with is
passed in; it knows no event and no AWS client, and never waits: loop.py does.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from handler import report
from handler.report import Answer
from transfer_server_state import claim, pacing
from transfer_server_state.aws.client import RefusedError, UnavailableError
from transfer_server_state.aws.registry import ConflictError, Registry, Unremembered
from transfer_server_state.aws.server import Server
from transfer_server_state.aws.stack import Stacks
from transfer_server_state.clock import Clock
from transfer_server_state.machine import COMMANDS, State, Step
from transfer_server_state.outcome import Outcome
from transfer_server_state.progress import LEAVES_WITHIN_S, READ_LAG_S, Progress
from transfer_server_state.request import Request
from transfer_server_state.row import Row

# A newer request is noticed within twice that, if the table answers.
CHECK_EVERY_S = 30
# How long a command that AWS puts off goes by what was seen before: a look costs a call, too.
PUT_OFF_S = 60


@dataclass(frozen=True)
class Means:
    """What a request is carried out with."""

    server: Callable[[str], Server]
    registry: Registry
    stacks: Stacks
    clock: Clock


class Reconciliation:
    """One request, its server and its row; its methods raise what the calls to AWS raise."""

    def __init__(self, request: Request, means: Means) -> None:
        self.request = request
        self._stacks = means.stacks
        self._now = means.clock.now
        self._registry = means.registry
        self._server = means.server(request.server_id)
        self._row, self._is_current = Row(request.server_id), False
        self._progress = Progress()
        self._put_off: Step | None = None
        self._is_done = self._has_yielded = False
        self._began_s = self._checked_at_s = self._now()
        self._seen_at_s = 0.0

    def step(self) -> Answer | None:
        """Take the next step; return the answer if it was the last.

        Raises ConflictError where somebody else wrote the row: then it has to start over.
        """
        self._is_done = False
        if not self._is_current:
            if answer := self._claim():
                return answer
        elif self._now() - self._checked_at_s >= CHECK_EVERY_S:
            self.check()
        step = self._decide()
        self._is_done = step is Step.DONE
        if self._is_done:
            return self._end(Outcome.DONE)
        if step is Step.FAILED:
            refusal = self._progress.refusal
            return self._end(Outcome.REFUSED if refusal else Outcome.FAILED, refusal)
        self._put_off = step if step in COMMANDS else None
        if self._put_off and self._now() < self.request.deadline_s:
            self._command(step)
        return None

    def check(self) -> None:
        """Raise ConflictError where somebody else wrote the row."""
        if self._registry.read(self._row.server_id).version != self._row.version:
            raise ConflictError
        self._checked_at_s = self._now()

    def start_over(self) -> None:
        """Claim the row anew at the next step: what somebody else wrote decides."""
        self._is_current = self._is_done = False
        self._put_off = None

    def go_without_registry(self, why: str) -> None:
        """Go by what is known of the row, and write nothing more."""
        self._registry = Unremembered(self._row, why)

    @property
    def is_open(self) -> bool:
        """Tell whether a command could not be given yet, or nobody knows whether it was."""
        return self._progress.uncertain or self._put_off is not None

    @property
    def has_commanded(self) -> bool:
        """Tell whether its command was given."""
        return self._progress.command is not None

    def pause_s(self) -> float:
        """Return how long to wait before the next look."""
        since_s = self._now() - (self._progress.commanded_at_s or self._began_s)
        moves = self.has_commanded and self._progress.last is not self._row.target
        return pacing.look_pause_s(since_s, moves=moves)

    def save(self) -> None:
        """Write down what was seen, if that is possible; the command was written down before."""
        with suppress(UnavailableError, ConflictError):
            if self._is_current and self._row.progress != self._progress:
                self._row = self._registry.write(replace(self._row, progress=self._progress))

    def give_up(self, outcome: Outcome, problem: str) -> Answer:
        """End a request that can't be carried out, even if that can't be written down."""
        problem = self._progress.refusal or problem
        if self._row.request != self.request.digest:
            # Another delivery may have claimed it meanwhile.
            with suppress(UnavailableError):
                self._row = self._registry.read(self.request.server_id)
        # Of a row that it does not have, it tells no more than what it saw itself.
        if self._row.request != self.request.digest:
            if self._has_yielded:
                return self._answer(Outcome.RETAINED, self._own_row())
            unread = Outcome.UNKNOWN if self.request.releases else outcome
            return self._answer(unread, self._own_row(), problem)
        for _ in range(2):
            with suppress(UnavailableError, RefusedError, ConflictError):
                try:
                    return self._last_word(outcome, problem)
                except ConflictError:
                    # Another delivery may write its last command first, and then its answer.
                    self.start_over()
                    return self._last_word(outcome, problem)
        mine = self._row.request == self.request.digest
        row = self._row.with_progress(self._progress) if mine else self._own_row()
        return self._answer(outcome, row, problem)

    def _last_word(self, outcome: Outcome, problem: str) -> Answer:
        """Return the answer that was given already, or write this one down."""
        if not self._is_current and (answer := self._claim()):
            return answer
        # What was done in time, but not written down yet, is done.
        return self._end(Outcome.DONE) if self._is_done else self._end(outcome, problem)

    def _claim(self) -> Answer | None:
        """Take the row, or return the answer if there is nothing to do about the server."""
        self._row = row = self._registry.read(self.request.server_id)
        if row.request != self.request.digest:
            claimed = claim.decide(self.request, row, self._stacks)
            if isinstance(claimed, Outcome):
                return self._yield(claimed, row)
            if claimed.released or claimed.request != self.request.digest:
                return self._leave(claimed)
            row = self._registry.write(claimed)
        elif row.answer:
            return Answer.of(row.answer)
        # Of a URL without a date, the row knows when it first came.
        self.request = replace(self.request, sent_s=row.sent_at)
        # What it saw since the same command, it knows better than the row.
        if not self._progress.last or self._progress.commanded_at_s != row.progress.commanded_at_s:
            self._progress = row.progress
        self._row, self._is_current, self._checked_at_s = row, True, self._now()
        return None

    def _yield(self, outcome: Outcome, row: Row) -> Answer:
        """Leave the server to whoever has the row."""
        self._has_yielded = outcome is Outcome.RETAINED and not self.request.releases
        if self._has_yielded:
            # A stack that rolls back reads its attributes all the same.
            self._progress = self._progress.seen(self._server.observe(), self._now())
            row = self._own_row()
        return self._answer(outcome, row)

    def _own_row(self) -> Row:
        """Return a row of nothing but what it saw itself, for who has none in the registry."""
        return Row(request=self.request.digest, progress=self._progress)

    def _leave(self, claimed: Row) -> Answer:
        """Write a row down with which nothing more is to be done about the server."""
        unread = self._registry.unread
        answer = self._answer(Outcome.UNKNOWN if unread else Outcome.RETAINED, claimed, unread)
        self._registry.write(claimed.answered(self.request, answer.record()))
        return answer

    def _decide(self) -> Step:
        if self._put_off and self._now() - self._seen_at_s <= PUT_OFF_S:
            return self._put_off
        observed = self._server.observe()
        self._seen_at_s = self._now()
        self._progress = self._progress.seen(observed, self._seen_at_s)
        target = self._row.target
        doubted_until_s = self.request.sent_s + READ_LAG_S if self._doubts(target) else 0
        return self._progress.step(target, self._seen_at_s, doubted_until_s)

    def _doubts(self, target: State) -> bool:
        """Tell whether the server may have been moved shortly before the request was sent."""
        if self.request.doubted or target is not self._row.desired:
            return True
        # AWS's own update of a server starts it, and is not over before this one's resource begins.
        brings_in = not (self.request.knows or self.has_commanded)
        return brings_in and target is State.OFFLINE

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

    def _end(self, outcome: Outcome, problem: str = "") -> Answer:
        """Write the answer down, and return it."""
        row = self._row.with_progress(self._progress)
        answer = self._answer(outcome, row, problem)
        if not self.request.releases:
            row = replace(row, held=row.held or outcome is Outcome.DONE)
        elif outcome in {Outcome.DONE, Outcome.GONE}:
            row = row.buried()
        self._registry.write(row.answered(self.request, answer.record()))
        return answer

    def _answer(self, outcome: Outcome, row: Row, problem: str = "") -> Answer:
        return report.answer(
            self.request,
            outcome,
            # Another request's progress is not for this one to tell.
            row if row.request == self.request.digest else replace(row, progress=Progress()),
            now_s=self._now(),
            arn=self._server.arn,
            problem=problem,
        )
