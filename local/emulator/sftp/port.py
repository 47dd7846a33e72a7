"""A port of 127.0.0.1 that stays one server's, whether anybody listens on it or not."""

import errno
import socket

_HOST = "127.0.0.1"


class Port:
    """It is held by a socket that does not listen, so that connections are refused.

    Nobody else gets it meanwhile, and a client's own socket cannot meet itself there. `first` is
    the lowest number wanted; with 0 it may be any.
    """

    def __init__(self, first: int = 0) -> None:
        # Holding it lets others of this user in, so first see that there are none.
        with _first_free(first) as free:
            self.number: int = free.getsockname()[1]
        self._held = self._bound()

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"sftp://{_HOST}:{self.number}"

    def listening_socket(self) -> socket.socket:
        """Make the socket to listen with."""
        listening = self._bound()
        # What lingers of its connections keeps nobody from the port when it is let go.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return listening

    def close(self) -> None:
        """Let go of it."""
        self._held.close()

    def _bound(self) -> socket.socket:
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((_HOST, self.number))
        return bound


def _first_free(number: int) -> socket.socket:
    while True:
        probe = socket.socket()
        # What lingers of old connections is no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, number))
        except OSError as cause:
            probe.close()
            if cause.errno != errno.EADDRINUSE or number == 65535:
                raise
            number += 1
        else:
            return probe
