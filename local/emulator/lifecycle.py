"""A server's states over time: what a command begins, and what a reader sees.

Pure. Must not know the API, the settings or the clock: times are seconds on the caller's clock.
"""

from enum import StrEnum
from math import inf
from typing import NamedTuple


class State(StrEnum):
    """The states of a server, in the words of the Transfer API."""

    ONLINE = "ONLINE"
    OFFLINE = "OFFLINE"
    STARTING = "STARTING"
    STOPPING = "STOPPING"
    START_FAILED = "START_FAILED"
    STOP_FAILED = "STOP_FAILED"


class Transition(NamedTuple):
    """The way a command takes: through one state to another, or to a failed one."""

    through: State
    to: State
    failed: State


START = Transition(State.STARTING, State.ONLINE, State.START_FAILED)
STOP = Transition(State.STOPPING, State.OFFLINE, State.STOP_FAILED)

IN_TRANSITION = frozenset({State.STARTING, State.STOPPING})
FAILED = frozenset({State.START_FAILED, State.STOP_FAILED})

# What AWS leaves open, and the setting that decides it.
UNDOCUMENTED = {
    (STOP, State.OFFLINE): "stop_when_offline",
    **{(way, state): "command_in_transition" for way in (START, STOP) for state in IN_TRANSITION},
    **{(way, state): "command_after_failure" for way in (START, STOP) for state in FAILED},
}


def has_effect(way: Transition, state: State) -> bool:
    """Tell whether a command that was accepted in this state begins a transition."""
    return state is not way.to and state not in IN_TRANSITION


class Timeline:
    """The states of one server as (since, state), oldest first; the last may lie ahead."""

    def __init__(self, state: State) -> None:
        self._changes = [(-inf, state)]

    def at(self, time: float) -> State:
        """Tell the state at a time."""
        return next(state for since, state in reversed(self._changes) if since <= time)

    def next_after(self, time: float) -> float | None:
        """Tell when the state changes next, if that lies ahead."""
        return min((since for since, _ in self._changes if since > time), default=None)

    def until(self, time: float) -> list[tuple[float, State]]:
        """List the changes that have happened by then."""
        return [change for change in self._changes if change[0] <= time]

    def change(self, since: float, state: State) -> None:
        """Be in a state from a time on, which is not before the last one's."""
        self._changes.append((since, state))

    def begin(self, way: Transition, now: float, duration_s: float, *, fails: bool) -> None:
        """Go the way of a command."""
        self.change(now, way.through)
        self.change(now + duration_s, way.failed if fails else way.to)
