"""A drift: a declared server that was found otherwise, and what was done about it so far.

This module knows no client and no row; the time is passed in.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from transfer_server_state.machine import State

# A command that led nowhere so often in a row will not help.
MOST_COMMANDS = 3


class Finding(StrEnum):
    """What is told of a declared server, once each."""

    DRIFTED = "drifted"
    # CloudFormation does not know the resource any more, so its declaration is not enforced.
    OWNERLESS = "ownerless"
    HOPELESS = "given up"
    AS_DECLARED = "as declared"


@dataclass(frozen=True)
class Drift:
    """Since when a server is not as declared, as far as the guard knows.

    `request` is whose declaration that is; `actual` is None where there is no such server.
    `first_pass` is the one that saw it, `last_pass` the one that gave the last of its `commands`,
    each by an id that its repetitions have, too; `told` is the last finding that was.
    """

    request: str
    since_s: float
    actual: State | None
    first_pass: str
    last_pass: str = ""
    commands: int = 0
    told: str = ""

    def seen(self, request: str, actual: State | None, this_pass: str) -> "Drift":
        """Return it after a further pass; what was declared anew starts anew."""
        if request != self.request:
            told = self.told and Finding.DRIFTED
            return Drift(request, self.since_s, actual, this_pass, told=told)
        return replace(self, actual=actual)

    def finding(self, *, has_owner: bool) -> Finding:
        """Return what there is to tell."""
        if not has_owner:
            return Finding.OWNERLESS
        return Finding.HOPELESS if self.commands >= MOST_COMMANDS else Finding.DRIFTED

    def is_due(self, this_pass: str, *, at_once: bool) -> bool:
        """Tell whether a pass may give a command: at once, or as the second that sees it."""
        seen_before = at_once or this_pass != self.first_pass
        return seen_before and this_pass != self.last_pass

    def commanded(self, this_pass: str) -> "Drift":
        """Return it with one more command given."""
        return replace(self, commands=self.commands + 1, last_pass=this_pass)
