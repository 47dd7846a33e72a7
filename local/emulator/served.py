"""What a server's endpoint needs to know of it, and what is told to endpoints.

Must not know any protocol: without endpoints, servers are there in the API alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from local.emulator.lifecycle import State


@dataclass(frozen=True)
class Served:
    """A server at one moment; the next change of its state may be known."""

    state: State
    next_change_s: float | None
    properties: Mapping[str, Any]
    users: Mapping[str, Mapping[str, Any]]
    session_grace_s: float

    @property
    def has_sftp(self) -> bool:
        """Whether SFTP is among its protocols."""
        return "SFTP" in self.properties["Protocols"]


class Endpoints(Protocol):
    """What lets clients in where servers say so."""

    def changed(self, server_id: str) -> None:
        """Be as the server is now; it may be new, changed or gone."""

    def listed(self) -> dict[str, Any]:
        """Describe each server's endpoint, as a JSON value."""
