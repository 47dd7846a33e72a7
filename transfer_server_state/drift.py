"""A drift: a declared server that was found otherwise, and what was done about it so far.

This module knows no client and no row; the time is passed in.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from transfer_server_state.machine import State

# A command that led nowhere so often in a row will not help.
MOST_COMMANDS = 3
# Seen in one pass only, an update of AWS's own may be under way.
_ENOUGH_PASSES = 2


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
    `passes` counts those that saw it, up to what is enough; `commands` those that were given;
    `told` is the last finding that was.
    """

    request: str
    since_s: float
    actual: State | None
    passes: int = 1
    commands: int = 0
    told: str = ""

    def seen(self, request: str, actual: State | None) -> "Drift":
        """Return it after a further pass; what was declared anew starts anew."""
        if request != self.request:
            return Drift(request, self.since_s, actual, told=Finding.DRIFTED)
        return replace(self, actual=actual, passes=min(self.passes + 1, _ENOUGH_PASSES))

    def finding(self, *, has_owner: bool) -> Finding:
        """Return what there is to tell."""
        if not has_owner:
            return Finding.OWNERLESS
        return Finding.HOPELESS if self.commands >= MOST_COMMANDS else Finding.DRIFTED

    def is_due(self, *, at_once: bool) -> bool:
        """Tell whether it is time to give a command, if that is asked for."""
        worth_it = self.actual is not None and self.told == Finding.DRIFTED
        return worth_it and (at_once or self.passes >= _ENOUGH_PASSES)

    def commanded(self) -> "Drift":
        """Return it with one more command given."""
        return replace(self, commands=self.commands + 1)
