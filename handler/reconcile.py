"""The loop: observe, decide, act, wait, until done or out of time.

It carries out what machine.py decides. Server, clock and sleep are passed in; it knows no AWS
client, no event and no stack. What it knows of a request is a Progress, a value that can be
taken along to another invocation.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from handler.machine import COMMANDS, UNDER_WAY, State, Step, next_step

# How long a read may show a state that is over. AWS states no figure; this one is a guess.
READ_LAG_S = 15
FIRST_PAUSE_S = 1
LONGEST_PAUSE_S = 5
LONGEST_BACKOFF_S = 60


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
    while True:
        try:
            observed = server.observe()
            progress = _seen(progress, observed, now())
            step = _step(progress, observed, now())
            if step not in COMMANDS:
                progress = replace(progress, problem=progress.problem if progress.uncertain else "")
            elif now() < progress.deadline_s:
                if not may_command(progress):
                    return Ending.PAUSED, progress
                progress = _commanded(server, step, progress, now())
            failures = 0
            pause_s = _pause_s(now() - (progress.commanded_at_s or progress.began_s))
        except RefusedError as error:
            return error.ending, replace(progress, problem=str(error))
        except UnavailableError as error:
            step = Step.WAIT
            failures += 1
            progress = replace(progress, problem=str(error))
            pause_s = min(max(2.0**failures, error.retry_after_s), LONGEST_BACKOFF_S)
        if step is Step.DONE:
            return Ending.DONE, progress
        if step is Step.FAILED:
            return (Ending.REFUSED if progress.refusal else Ending.FAILED), progress
        left_s = progress.deadline_s - now()
        if left_s <= 0:
            return Ending.TIMED_OUT, progress
        if now() + min(pause_s, left_s) > until_s:
            return Ending.OUT_OF_TIME, progress
        sleep(min(pause_s, left_s))


def _pause_s(elapsed_s: float) -> float:
    return min(max(FIRST_PAUSE_S, elapsed_s / 50), LONGEST_PAUSE_S)


def _seen(progress: Progress, observed: State, now_s: float) -> Progress:
    progress = replace(
        progress,
        first=progress.first or observed,
        last=observed,
        polls=progress.polls + 1,
    )
    if progress.refusal and observed is UNDER_WAY[progress.desired]:
        return replace(progress, refusal="")
    if progress.uncertain and observed is not progress.commanded_in:
        return replace(progress, uncertain=False)
    if progress.uncertain and not _may_be_stale(progress, now_s):
        # It never took effect, so it may be given.
        return replace(progress, uncertain=False, command=None, commanded_in=None)
    return progress


def _step(progress: Progress, observed: State, now_s: float) -> Step:
    step = next_step(progress.desired, observed, progress.commanded_in)
    if step is Step.DONE and progress.reverses and not progress.command:
        return Step.WAIT if _may_be_stale(progress, now_s) else Step.DONE
    if step is Step.DOUBT or (progress.refusal and step is not Step.DONE):
        return Step.WAIT if _may_be_stale(progress, now_s) else Step.FAILED
    return step


def _may_be_stale(progress: Progress, now_s: float) -> bool:
    return now_s - (progress.commanded_at_s or progress.began_s) < READ_LAG_S


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
