"""What stands for a socket under urllib3: where it was connected to, and what was sent."""

import ssl
from io import BytesIO

import pytest
from urllib3.util import connection

from handler import delivery

_FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Wire:
    """Delivers for real, but for the network; TLS is left out."""

    def __init__(self) -> None:
        self.connected: list[tuple[str, int]] = []
        self.secured: list[str] = []
        self.sent = b""

    def put(self, url: str, body: bytes) -> int:
        """PUT, and keep what was sent."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(connection, "create_connection", self._connect)
            patch.setattr(ssl.SSLContext, "wrap_socket", self._secure)
            return delivery.put(url, body)

    def _connect(self, address: tuple[str, int], *_: object, **__: object) -> "Wire":
        # As the real one does, before it looks a host up.
        address[0].encode("idna")
        self.connected.append(address)
        return self

    def _secure(self, _socket: object, server_hostname: str, **_: object) -> "Wire":
        self.secured.append(server_hostname)
        return self

    def getpeercert(self, *_: object) -> dict[str, object]:
        host = self.secured[-1]
        return {"subjectAltName": (("DNS", host), ("IP Address", host.strip("[]")))}

    def sendall(self, data: bytes) -> None:
        self.sent += data

    def makefile(self, *_: object) -> BytesIO:
        return BytesIO(_FINE)

    def nothing(self, *_: object) -> None:
        """Do nothing, as is fine for whatever else a socket is asked for."""

    settimeout = setsockopt = close = shutdown = nothing
