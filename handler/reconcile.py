"""The loop: observe, decide, act, wait, until done or out of time.

It carries out what machine.py decides. Server, clock and sleep are passed in; it knows no AWS
client, no event and no stack. What it knows of a request is a Progress, a value that can be
taken along to another invocation.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf
from random import Random
from typing import Protocol

from handler.machine import COMMANDS, UNDER_WAY, State, Step, next_step

# How long a read may show a state that is over. AWS states no figure; this one is a guess.
READ_LAG_S = 15
FIRST_PAUSE_S = 1
QUIET_S = 5
LATENESS = 0.018
LATENESS_GROWS_S = 100
LONGEST_BACKOFF_S = 60
# How long a command that AWS puts off goes by what was seen before: a look costs a call, too.
PUT_OFF_S = 60
# How far apart a throttled request looks, and what is left of that after each look that passes.
CROWDED_PAUSE_S = 12
EASING = 0.9


class Ending(StrEnum):
    """How a run of the loop ended; PAUSED and OUT_OF_TIME ask for another run."""

    DONE = "done"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    REFUSED = "refused"
    DENIED = "denied"
    GONE = "gone"
    PAUSED = "paused"
    OUT_OF_TIME = "out of time"


class UnavailableError(Exception):
    """AWS gave no answer, or none for now: throttling, 5xx, a broken connection.

    `maybe_done`: the call may have taken effect all the same. `retry_after_s`: AWS's own wish.
    """

    def __init__(self, text: str, *, maybe_done: bool, retry_after_s: float = 0) -> None:
        super().__init__(text)
        self.maybe_done = maybe_done
        self.retry_after_s = retry_after_s


class RefusedError(Exception):
    """AWS said no, and would say so again; the text says to what and why."""

    ending = Ending.REFUSED


class DeniedError(RefusedError):
    """The provider's role lacks a permission; the text is the action."""

    ending = Ending.DENIED


class GoneError(RefusedError):
    """There is no such server."""

    ending = Ending.GONE


class Server(Protocol):
    """One server. Each call may raise UnavailableError or a RefusedError."""

    server_id: str

    def observe(self) -> State:
        """Read its state."""

    def command(self, step: Step) -> None:
        """Give StartServer or StopServer."""


@dataclass(frozen=True)
class Progress:
    """A request so far. Times are seconds since the epoch."""

    desired: State
    began_s: float
    deadline_s: float
    # The opposite was declared until now, so a command may be under way behind a lagging read.
    reverses: bool = False
    first: State | None = None
    last: State | None = None
    command: Step | None = None
    commanded_in: State | None = None
    commanded_at_s: float = 0
    # Whether the command reached AWS is not known.
    uncertain: bool = False
    refusal: str = ""
    problem: str = ""
    polls: int = 0
    seen_at_s: float = 0
    # How far apart to look at least, after AWS throttled the request.
    crowded_s: float = 0


def reconcile(
    server: Server,
    progress: Progress,
    *,
    now: Callable[[], float],
    sleep: Callable[[float], None],
    until_s: float,
    may_command: Callable[[Progress], bool],
) -> tuple[Ending, Progress]:
    """Bring the server to the desired state, from where `progress` stands.

    Gives at most one command, and that only if `may_command` agrees (else PAUSED). Ends
    OUT_OF_TIME rather than sleep past `until_s`, and TIMED_OUT at the deadline.
    """
    failures = 0
    permitted_at_s = -inf
    # A look just before a hand-over is as good as one after it: reads lag as long.
    step = Step.WAIT
    if progress.last and _may_be_stale(progress.seen_at_s, now()):
        step = _step(progress, progress.last, now())
    while True:
        try:
            if step not in COMMANDS or now() - progress.seen_at_s > PUT_OFF_S:
                observed = server.observe()
                progress = _seen(progress, observed, now())
                step = _step(progress, observed, now())
            if step not in COMMANDS:
                progress = replace(progress, problem=progress.problem if progress.uncertain else "")
            elif now() < progress.deadline_s:
                if now() - permitted_at_s > READ_LAG_S:
                    if not may_command(progress):
                        return Ending.PAUSED, progress
                    permitted_at_s = now()
                progress = _commanded(server, step, progress, now())
                step = Step.WAIT
            failures = 0
            crowded_s = _spread(server, progress.crowded_s, now())
            pause_s = max(_pause_s(now() - _since_s(progress)), crowded_s)
            progress = replace(progress, crowded_s=progress.crowded_s * EASING)
        except RefusedError as error:
            return error.ending, replace(progress, problem=str(error))
        except UnavailableError as error:
            failures += 1
            progress = replace(progress, problem=str(error))
            if error.retry_after_s:
                progress = replace(progress, crowded_s=CROWDED_PAUSE_S)
            pause_s = _spread(server, _backoff_s(progress, error, failures), now())
        if ending := _ending(step, progress, now()):
            return ending, progress
        pause_s = min(pause_s, progress.deadline_s - now())
        if now() + pause_s > until_s:
            return Ending.OUT_OF_TIME, progress
        sleep(pause_s)


def _ending(step: Step, progress: Progress, now_s: float) -> Ending | None:
    if step is Step.DONE:
        return Ending.DONE
    if step is Step.FAILED:
        return Ending.REFUSED if progress.refusal else Ending.FAILED
    return Ending.TIMED_OUT if now_s >= progress.deadline_s else None


def _pause_s(elapsed_s: float) -> float:
    """Return how long to wait before the next look, given the time since the command.

    Nothing settles in the first seconds, so a look a second is plenty there. From then on a look
    each time 1.8% longer has passed, until they are 1.8 s apart, notices every end at most that
    late, in the fewest looks.
    """
    return FIRST_PAUSE_S if elapsed_s < QUIET_S else LATENESS * min(elapsed_s, LATENESS_GROWS_S)


def _backoff_s(progress: Progress, error: UnavailableError, failures: int) -> float:
    """Return how long to wait after a failure: AWS's wish, but a look can wait for commands."""
    if not error.retry_after_s:
        return min(2.0**failures, LONGEST_BACKOFF_S)
    return max(error.retry_after_s, CROWDED_PAUSE_S if progress.command else 0)


def _spread(server: Server, pause_s: float, now_s: float) -> float:
    """Lengthen a pause by up to a quarter, lest the requests of a deployment call all at once."""
    dice = Random(f"{server.server_id} {now_s}")  # noqa: S311 - nothing depends on its secrecy
    return min(pause_s, LONGEST_BACKOFF_S) * dice.uniform(1, 1.25)


def _seen(progress: Progress, observed: State, now_s: float) -> Progress:
    progress = replace(
        progress,
        first=progress.first or observed,
        last=observed,
        polls=progress.polls + 1,
        seen_at_s=now_s,
    )
    if progress.refusal and observed is UNDER_WAY[progress.desired]:
        return replace(progress, refusal="")
    if progress.uncertain and observed is not progress.commanded_in:
        return replace(progress, uncertain=False)
    if progress.uncertain and not _may_be_stale(_since_s(progress), now_s):
        # It never took effect, so it may be given.
        return replace(progress, uncertain=False, command=None, commanded_in=None)
    return progress


def _step(progress: Progress, observed: State, now_s: float) -> Step:
    step = next_step(progress.desired, observed, progress.commanded_in)
    if step is Step.DONE and progress.reverses and not progress.command:
        return Step.WAIT if _may_be_stale(_since_s(progress), now_s) else Step.DONE
    if step is Step.DOUBT or (progress.refusal and step is not Step.DONE):
        return Step.WAIT if _may_be_stale(_since_s(progress), now_s) else Step.FAILED
    return step


def _since_s(progress: Progress) -> float:
    return progress.commanded_at_s or progress.began_s


def _may_be_stale(since_s: float, now_s: float) -> bool:
    return now_s - since_s < READ_LAG_S


def _commanded(server: Server, step: Step, progress: Progress, now_s: float) -> Progress:
    given = replace(progress, command=step, commanded_in=progress.last, commanded_at_s=now_s)
    try:
        server.command(step)
    except UnavailableError as error:
        if not error.maybe_done:
            raise
        return replace(given, uncertain=True, problem=str(error))
    except RefusedError as error:
        if error.ending is not Ending.REFUSED:
            raise
        # The server may have moved since it was seen.
        return replace(given, refusal=str(error))
    return given
