"""The decision: what to do next about a server, as a pure function over one table.

Everybody who asks, asks here. This module knows no AWS client, no event, no time.

States and what the two commands do to them:
https://docs.aws.amazon.com/transfer/latest/APIReference/API_StopServer.html
"""

from enum import StrEnum


class State(StrEnum):
    """The state of a server, in the words of the Transfer API."""

    ONLINE = "ONLINE"
    OFFLINE = "OFFLINE"
    STARTING = "STARTING"
    STOPPING = "STOPPING"
    START_FAILED = "START_FAILED"
    STOP_FAILED = "STOP_FAILED"


class Step(StrEnum):
    """What to do next. Commands are named as the Transfer API names them."""

    DONE = "done"
    WAIT = "wait"
    START = "StartServer"
    STOP = "StopServer"
    FAILED = "failed"
    DOUBT = "wait, then failed"


COMMANDS = frozenset({Step.START, Step.STOP})
MOVING = frozenset({State.STARTING, State.STOPPING})

# Desired state -> observed state -> (before our command, after it).
TABLE = {
    State.OFFLINE: {
        State.OFFLINE: (Step.DONE, Step.DONE),
        State.STOPPING: (Step.WAIT, Step.WAIT),
        State.STARTING: (Step.WAIT, Step.WAIT),
        State.ONLINE: (Step.STOP, Step.WAIT),
        State.STOP_FAILED: (Step.STOP, Step.FAILED),
        State.START_FAILED: (Step.STOP, Step.FAILED),
    },
    State.ONLINE: {
        State.ONLINE: (Step.DONE, Step.DONE),
        State.STARTING: (Step.WAIT, Step.WAIT),
        State.STOPPING: (Step.WAIT, Step.WAIT),
        State.OFFLINE: (Step.START, Step.WAIT),
        State.START_FAILED: (Step.START, Step.FAILED),
        State.STOP_FAILED: (Step.START, Step.FAILED),
    },
}

# Where a server in this state is going, or was before it failed to leave: what to restore.
STABLE = {
    State.ONLINE: State.ONLINE,
    State.STARTING: State.ONLINE,
    State.STOP_FAILED: State.ONLINE,
    State.OFFLINE: State.OFFLINE,
    State.STOPPING: State.OFFLINE,
    State.START_FAILED: State.OFFLINE,
}


def next_step(desired: State, observed: State, commanded_in: State | None) -> Step:
    """Decide what to do about a server.

    `desired` is ONLINE or OFFLINE; `commanded_in` is the state in which this request gave its
    one command, None before it. Reads lag, so an old failure may still be seen after the
    command: DOUBT asks the caller to wait a bounded grace before it becomes FAILED.
    """
    before, after = TABLE[desired][observed]
    if commanded_in is None:
        return before
    if after is Step.FAILED and observed is commanded_in:
        return Step.DOUBT
    return after
