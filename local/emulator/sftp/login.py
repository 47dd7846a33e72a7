"""Who may log in to a server: its users, with one of their keys and nothing else.

Must not know what they do then.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import asyncssh


class Login(asyncssh.SSHServer):
    """One connection, from its first byte to its last; `connections` has it that long.

    `user` gives who may log in under a name at this moment, or None; `is_open` tells whether
    anybody may.
    """

    def __init__(
        self,
        user: Callable[[str], Mapping[str, Any] | None],
        connections: "dict[asyncssh.SSHServerConnection, Login]",
        is_open: Callable[[], bool],
    ) -> None:
        self._user = user
        self._connections = connections
        self._is_open = is_open
        self.done = False

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Be counted."""
        self._connection = conn
        self._connections[conn] = self
        if not self._is_open():
            conn.abort()  # it came while the port was being closed

    def connection_lost(self, exc: Exception | None) -> None:
        """Be counted no more."""
        self._connections.pop(self._connection, None)

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
        user = self._user(username)
        return user is not None and key.public_data in _public_data(user["SshPublicKeys"])


def _public_data(keys: Iterable[Mapping[str, Any]]) -> set[bytes]:
    found = set()
    for key in keys:
        try:
            found.add(asyncssh.import_public_key(key["SshPublicKeyBody"].strip()).public_data)
        except asyncssh.KeyImportError:
            continue  # the API takes bodies that are no keys
    return found
