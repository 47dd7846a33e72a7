"""The loop around a reconciliation: again and again, until done or out of time.

It alone waits, and knows what a failed call means to the request: a reason to try again, or its
end. What is done in a step, reconcile.py knows.
"""

from collections.abc import Callable
from random import Random

from handler import report
from handler.reconcile import CHECK_EVERY_S, Means, Reconciliation
from handler.report import Answer
from transfer_server_state import pacing
from transfer_server_state.aws.client import RefusedError, UnavailableError
from transfer_server_state.aws.registry import ConflictError, UnreachableError
from transfer_server_state.outcome import Outcome
from transfer_server_state.pacing import Pace
from transfer_server_state.request import Request
from transfer_server_state.row import Row

# New permissions take a while to hold, and what is new to be known.
GRACE_S = 30
# After so long without the registry a deletion goes by its id.
PATIENCE_S = 120


class Loop:
    """One request in one invocation, which ends at `until_s`: then another has to `go_on`.

    `go_on` raises UnavailableError or RefusedError.
    """

    def __init__(
        self, request: Request, means: Means, until_s: float, go_on: Callable[[], None]
    ) -> None:
        self._reconciliation = Reconciliation(request, means)
        self._clock = means.clock
        self._until_s = until_s
        self._go_on = go_on
        self._failure: UnavailableError | RefusedError | None = None
        self._unreachable_since_s = self._refused_since_s = 0.0
        self._pace = Pace()
        self._due_s = 0.0

    def run(self) -> Answer | None:
        """Return the answer, or None if another invocation goes on."""
        while True:
            if answer := self._attempt():
                return answer
            now_s = self._clock.now()
            # However long it waits, it has to notice a newer request.
            pause_s = min(max(0, self._due_s - now_s), CHECK_EVERY_S)
            if now_s + pause_s > self._until_s:
                return self._pass_on()
            self._clock.sleep(pause_s)

    def _attempt(self) -> Answer | None:
        """Take a step if it is time; what fails is tried again, or ends the request."""
        try:
            if self._clock.now() < self._due_s:
                self._reconciliation.check()
            elif answer := self._reconciliation.step():
                return answer
            else:
                self._succeed()
        except ConflictError:
            self._reconciliation.start_over()
            self._due_s = self._clock.now() + pacing.FIRST_S
        except UnavailableError as error:
            self._fail(error)
            # Only what is said throughout is believed.
            self._refused_since_s = 0
        except RefusedError as error:
            self._fail(error)
            self._refused_since_s = self._refused_since_s or self._clock.now()
            lasts = self._clock.now() - self._refused_since_s >= GRACE_S
            if lasts or error.outcome is Outcome.REFUSED:
                return self._give_up(error.outcome)
        if self._clock.now() < self._reconciliation.request.deadline_s:
            return None
        return self._give_up(self._failure.outcome if self._failure else Outcome.TIMED_OUT)

    def _pass_on(self) -> Answer | None:
        """Have another invocation go on from what was written down."""
        self._reconciliation.save()
        try:
            self._go_on()
        except (UnavailableError, RefusedError) as error:
            self._failure = error
            return self._give_up(Outcome.NOT_CONTINUED)
        return None

    def _give_up(self, outcome: Outcome) -> Answer:
        return self._reconciliation.give_up(outcome, str(self._failure or ""))

    def _succeed(self) -> None:
        """Forget what failed before, and look again when it is worth it."""
        self._unreachable_since_s = self._refused_since_s = 0
        if not self._reconciliation.is_open:
            self._failure = None
        self._pace.succeeded(self._reconciliation.pause_s())
        self._schedule()

    def _fail(self, error: UnavailableError | RefusedError) -> None:
        """Take note of a failure, and try again after a while."""
        self._failure = error
        throttled = isinstance(error, UnavailableError) and error.throttled
        commanded = self._reconciliation.has_commanded
        self._pace.failed(self._dice(), throttled=throttled, commanded=commanded)
        self._schedule()
        if not isinstance(error, UnreachableError):
            # What else fails says nothing of the registry.
            self._unreachable_since_s = 0
            return
        now_s = self._clock.now()
        self._unreachable_since_s = self._unreachable_since_s or now_s
        releases = self._reconciliation.request.releases
        if releases and now_s - self._unreachable_since_s > PATIENCE_S:
            self._reconciliation.go_without_registry(str(error))

    def _schedule(self) -> None:
        """Put the next step off; the last is at the deadline."""
        pause_s, deadline_s = self._pace.pause_s, self._reconciliation.request.deadline_s
        self._due_s = min(self._clock.now() + pause_s, deadline_s)

    def _dice(self) -> Random:
        """Return what tells requests of one moment apart."""
        digest = self._reconciliation.request.digest
        return Random(f"{digest} {self._clock.now()}")  # noqa: S311 - no secret


def carry_out(
    request: Request, means: Means, *, until_s: float, go_on: Callable[[], None]
) -> Answer | None:
    """Return what to answer, or None if another invocation goes on: see Loop."""
    now_s = means.clock.now()
    if request.is_expired(now_s):
        return report.answer(request, Outcome.EXPIRED, Row(), now_s=now_s)
    if not request.server_id:
        return report.answer(request, Outcome.RETAINED, Row(), now_s=now_s)
    if request.abandoned:
        undone = Loop(request.release_abandoned(), means, until_s, go_on).run()
        if undone is None or not undone.succeeded:
            return undone
    return Loop(request, means, until_s, go_on).run()
