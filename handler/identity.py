"""The PhysicalResourceId: the server, and the stable state in which it was found.

It is all that CloudFormation remembers for us, so a rollback can restore what it found. This
module knows no event and no AWS client.
"""

import re
from dataclasses import dataclass

from handler.machine import State

# The id of a request that failed before anything was changed. It is not ours to parse: a Delete
# of it has nothing to undo.
NOT_CREATED = "not-created"

_FORM = re.compile(r"(s-[0-9a-f]{17}):from-(ONLINE|OFFLINE)")


@dataclass(frozen=True)
class Identity:
    """A declared server, and its stable state before it was first declared."""

    server_id: str
    found: State

    def __str__(self) -> str:
        return f"{self.server_id}:from-{self.found}"


def parse(physical_resource_id: object) -> Identity | None:
    """Read an id back; None if it is not one of ours."""
    match = _FORM.fullmatch(physical_resource_id) if isinstance(physical_resource_id, str) else None
    return Identity(match[1], State(match[2])) if match else None
