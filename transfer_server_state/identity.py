"""The PhysicalResourceId: the server, and the stable state in which it was found.

A rollback can restore from it even if the registry was lost. Knows no event and no AWS client.
"""

import re
from dataclasses import dataclass

from transfer_server_state.machine import State

# The id of a request that failed before it saw the server.
NOT_CREATED = "not-created"

_FORM = re.compile(r"(s-[0-9a-f]{17}):from-(ONLINE|OFFLINE)")


@dataclass(frozen=True)
class Identity:
    """A declared server, and its stable state before it was first declared."""

    server_id: str
    found: State

    @classmethod
    def parse(cls, physical_resource_id: object) -> "Identity | None":
        """Read an id back; None if it is not one of ours."""
        text = physical_resource_id if isinstance(physical_resource_id, str) else ""
        match = _FORM.fullmatch(text)
        return cls(match[1], State(match[2])) if match else None

    def __str__(self) -> str:
        return f"{self.server_id}:from-{self.found}"
