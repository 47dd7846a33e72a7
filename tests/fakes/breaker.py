"""A server on a real socket of this machine that breaks exchanges: what botocore makes of it."""

import socket
import struct
from threading import Thread
from typing import Self

_CLOSE = b"Connection: close\r\nContent-Length: "
# None resets the connection.
_SENT: dict[str, bytes | None] = {
    "fine": b"HTTP/1.1 200 OK\r\n" + _CLOSE + b"0\r\n\r\n",
    "reset": None,
    "closed": b"",
    "no HTTP": b"220 mail.example.com ESMTP\r\n\r\n",
    "cut short": b"HTTP/1.1 200 OK\r\n" + _CLOSE + b"1000\r\n\r\n{",
    "garbage": b"HTTP/1.1 200 OK\r\n" + _CLOSE + b"9\r\n\r\n<html>no<",
    "a gateway's page": b"HTTP/1.1 502 Bad Gateway\r\n" + _CLOSE + b"9\r\n\r\n<html>no<",
    "a bare 503": b"HTTP/1.1 503 Busy\r\n" + _CLOSE + b"0\r\n\r\n",
    "a bare 429": b"HTTP/1.1 429 Busy\r\n" + _CLOSE + b"0\r\n\r\n",
    "a bare 408": b"HTTP/1.1 408 Late\r\n" + _CLOSE + b"0\r\n\r\n",
}
WAYS = ("refused", *_SENT)


class Breaker:
    """Breaks each exchange in the way that the URL asks for."""

    def __enter__(self) -> Self:
        self._socket = socket.create_server(("127.0.0.1", 0))
        # Bound, but nobody listens there.
        self._refusing = socket.socket()
        self._refusing.bind(("127.0.0.1", 0))
        self._thread = Thread(target=self._serve)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with socket.create_connection(self._socket.getsockname()) as last:
            last.sendall(b"END")
        self._thread.join()
        self._socket.close()
        self._refusing.close()

    def url(self, way: str) -> str:
        """Return the URL whose exchanges break so."""
        there = self._refusing if way == "refused" else self._socket
        return f"http://127.0.0.1:{there.getsockname()[1]}/{WAYS.index(way)}"

    def _serve(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            with connection:
                asked = connection.recv(65_536)
                if asked == b"END":
                    return
                self._break(connection, WAYS[int(asked.split()[1].strip(b"/"))])

    @staticmethod
    def _break(connection: socket.socket, way: str) -> None:
        sent = _SENT[way]
        if sent is None:
            no_linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)
            return
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        # Until the other side has read it all, or a reset would overtake it.
        while connection.recv(65_536):
            pass
