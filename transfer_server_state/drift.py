"""A drift: a declared server that was found otherwise, and what was done about it so far.

This module knows no client and no row; the time is passed in.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from transfer_server_state.machine import State

# A command that led nowhere so often in a row will not help.
MOST_COMMANDS = 3
# Seen for less, and so in one pass only, an update of AWS's own may be under way; and so long a
# command has to show what comes of it. Schedules are at least two minutes apart.
ENOUGH_S = 90


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
    `commands` counts those that were given; `told` is the last finding that was.
    """

    request: str
    since_s: float
    actual: State | None
    commands: int = 0
    told: str = ""

    def seen(self, request: str, actual: State | None) -> "Drift":
        """Return it after a further pass; what was declared anew starts anew."""
        if request != self.request:
            return Drift(request, self.since_s, actual, told=self.told and Finding.DRIFTED)
        return replace(self, actual=actual)

    def finding(self, *, has_owner: bool) -> Finding:
        """Return what there is to tell."""
        if not has_owner:
            return Finding.OWNERLESS
        return Finding.HOPELESS if self.commands >= MOST_COMMANDS else Finding.DRIFTED

    def is_due(self, now_s: float, commanded_at_s: float) -> bool:
        """Tell whether it lasts, and so does what came of the last command."""
        return now_s - max(self.since_s, commanded_at_s) >= ENOUGH_S

    def commanded(self) -> "Drift":
        """Return it with one more command given."""
        return replace(self, commands=self.commands + 1)
