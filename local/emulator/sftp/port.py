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
        self.number, self._held = _hold(first)

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"sftp://{_HOST}:{self.number}"

    def listening_socket(self) -> socket.socket:
        """Make the socket to listen with."""
        listening = _bound(self.number, socket.SO_REUSEPORT)
        # What lingers of its connections keeps nobody from the port when it is let go.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return listening

    def close(self) -> None:
        """Let go of it."""
        self._held.close()


def _hold(number: int) -> tuple[int, socket.socket]:
    while True:
        try:
            # Holding it lets others of this user in, so first see that there are none. What lingers
            # of old connections is no hindrance to that.
            with _bound(number, socket.SO_REUSEADDR) as free:
                number = free.getsockname()[1]
            return number, _bound(number, socket.SO_REUSEPORT)
        except OSError as cause:
            if cause.errno != errno.EADDRINUSE or number == 65535:
                raise
            number += 1


def _bound(number: int, option: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, option, 1)
    try:
        bound.bind((_HOST, number))
    except OSError:
        bound.close()
        raise
    return bound
