"""What a plan is made of: what a deployment changes, what is so now, and what would happen.

Words and their texts; plan.py decides. This module knows no client.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from transfer_server_state import claim
from transfer_server_state.machine import State, Step
from transfer_server_state.request import Owner
from transfer_server_state.row import Row

# What AWS writes where a value is not known before it is applied; it may stand within others.
KNOWN_AFTER_APPLY = "{{changeSet:KNOWN_AFTER_APPLY}}"
_LATER = (KNOWN_AFTER_APPLY, "{{resolve:")
# Of a NoEcho parameter.
_MASKED = "****"


class Action(StrEnum):
    """What would happen to a server."""

    NOTHING = "nothing"
    STOP = "stop"
    START = "start"
    WAIT = "wait"
    WAIT_THEN_STOP = "wait, then stop"
    WAIT_THEN_START = "wait, then start"
    RESTORE = "restore"
    STARTED_BY_AWS = "started by AWS"
    REFUSED = "refused"
    UNKNOWN = "unknown until applied"


@dataclass(frozen=True)
class Change:
    """A resource of ours, its properties before and after a deployment; None if it is not there.

    A value that is not known yet holds KNOWN_AFTER_APPLY. `retained`: a DeletionPolicy leaves it
    out of the stack without a word to the provider.
    """

    owner: Owner
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    physical_id: str = ""
    retained: bool = False


@dataclass(frozen=True)
class ServerUpdate:
    """An update of an AWS::Transfer::Server, which AWS's handler ends with the server ONLINE."""

    owner: Owner
    server_id: str


@dataclass(frozen=True)
class Deployment:
    """All that a deployment changes of servers, and of what is declared of them."""

    changes: list[Change] = field(default_factory=list)
    updates: list[ServerUpdate] = field(default_factory=list)


@dataclass(frozen=True)
class Present:
    """What is so now, and what its calls raise, with a text. No state: there is no such server."""

    state: Callable[[str], State | None]
    row: Callable[[str], Row]
    stacks: claim.Stacks
    raises: tuple[type[Exception], ...]
    now_s: float


@dataclass(frozen=True)
class Planned:
    """What would happen to a server, why, and what its users would notice.

    `replaces`: the server that the resource leaves for this one; `last_s`: how long the same took
    last time; `is_problem`: it could not be told.
    """

    resource: str
    action: Action
    reason: str
    server_id: str = ""
    actual: State | None = None
    desired: State | None = None
    command: Step | None = None
    notice: str = ""
    last_s: float | None = None
    replaces: str = ""
    is_problem: bool = False

    @property
    def happens(self) -> bool:
        """Tell whether anything would, or may."""
        return self.action is not Action.NOTHING or bool(self.replaces)

    @property
    def fails(self) -> bool:
        """Tell whether the deployment would fail, or nobody could tell."""
        return self.action is Action.REFUSED or self.is_problem

    @property
    def what(self) -> str:
        """Return what would happen, in a few words."""
        done = f": {self.command}" if self.action is Action.RESTORE and self.command else ""
        return f"{'replace, ' if self.replaces else ''}{self.action}{done}"

    @property
    def line(self) -> str:
        """Return who would do what to which server."""
        seen = (self.actual, self.desired)
        states = " -> ".join(str(each or "?") for each in seen)
        return f"{self.resource}: {self.server_id or '?'}: {states}: {self.what}"

    @property
    def told(self) -> str:
        """Return why, what users would notice, and how long it took last time, in sentences."""
        reason = f"{self.reason.rstrip('.')}."
        # Not so a server's id, or the name of a stack's resource.
        if reason.partition(" ")[0].rstrip(":").isalpha():
            reason = reason[0].upper() + reason[1:]
        replaces = f"It replaces {self.replaces}." if self.replaces else ""
        took = f"It took {self.last_s:.0f} s last time." if self.last_s else ""
        return " ".join(filter(None, [reason, replaces, self.notice, took]))


def summary(planned: list[Planned]) -> str:
    """Return in a sentence how much of what would happen."""
    counts = {action: sum(each.action is action for each in planned) for action in Action}
    told = ", ".join(f"{count} {action}" for action, count in counts.items() if count)
    return f"Plan: {told}." if told else "Plan: nothing happens to any server."


def is_unknown(value: object) -> bool:
    """Tell whether a value, or part of it, is known only once it is applied."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text == _MASKED or any(later in text for later in _LATER)
