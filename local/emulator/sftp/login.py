"""Who may log in to a server: its users, with one of their keys and nothing else.

Must not know what they do then.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import asyncssh
from asyncssh.stream import SSHServerStreamSession

from local.emulator.keys import public_blob

# The newest that AWS speaks.
_SFTP_VERSION = 3


class Door(Protocol):
    """What a connection came through, and is counted by until it ends."""

    connections: "dict[asyncssh.SSHServerConnection, Login]"
    accepts: bool

    def user(self, name: str) -> Mapping[str, Any] | None:
        """Give who has a name at this moment."""

    def session(self, channel: Any) -> asyncssh.SFTPServer:
        """Begin a session of who is logged in."""


class Login(asyncssh.SSHServer):
    """One connection, from its first byte to its last."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self.done = False

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Be counted."""
        self._connection = conn
        self._door.connections[conn] = self
        if not self._door.accepts:
            conn.abort()  # it came while the port was being closed

    def connection_lost(self, exc: Exception | None) -> None:
        """Be counted no more."""
        self._door.connections.pop(self._connection, None)

    def begin_auth(self, username: str) -> bool:
        """Have everybody log in, whether there is such a user or not."""
        return True

    def auth_completed(self) -> None:
        """Know that it was done."""
        self.done = True

    def public_key_auth_supported(self) -> bool:
        """Say that keys are taken."""
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Tell whether a key is one of the user's."""
        user = self._door.user(username)
        return user is not None and key.public_data in {
            public_blob(each["SshPublicKeyBody"]) for each in user["SshPublicKeys"]
        }

    def session_requested(self) -> SSHServerStreamSession[bytes] | bool:
        """Begin a session, which can be one of SFTP and nothing else."""
        if not self._door.accepts:
            return False
        return SSHServerStreamSession(None, self._door.session, _SFTP_VERSION)
