"""The emulator over HTTP on 127.0.0.1: sockets, and faults at their level.

Must not know what any call means.
"""

import json
import re
import socket
import struct
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from local.emulator.control import PREFIX, control
from local.emulator.service import Service

DEFAULT_REGION = "us-east-1"
GARBAGE = b"<html>This is no answer of the API."

_SCOPE = re.compile(r"Credential=[^/]*/[^/]*/([a-z0-9-]+)/")
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Emulator(Service):
    """The Transfer API at `url`, from entering the context until leaving it.

    `now` is its clock and `sleep` how it delays answers, both in seconds; the settings may be
    given as well.
    """

    url: str

    def __init__(
        self, *, port: int = 0, sleep: Callable[[float], object] | None = None, **rest: Any
    ) -> None:
        super().__init__(**rest)
        self._port = port
        self._closing = Event()
        self.sleep = sleep or self._closing.wait

    def __enter__(self) -> Self:
        """Listen. Raises OSError where the port cannot be had."""
        self._http = _Server(self, self._port)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = Thread(target=self._accept)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every connection, and end every thread."""
        self._closing.set()
        # One last connection wakes the thread that accepts them: cheaper than its polling.
        socket.create_connection(("127.0.0.1", self._http.server_port)).close()
        self._thread.join()
        self._http.hang_up()
        self._http.server_close()

    def _accept(self) -> None:
        while not self._closing.is_set():
            self._http.handle_request()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that server_close waits for them
    request_queue_size = 1024

    def __init__(self, emulator: Emulator, port: int) -> None:
        self.emulator = emulator
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def server_bind(self) -> None:
        # HTTPServer would look up the host's name.
        TCPServer.server_bind(self)
        self.server_port = self.server_address[1]

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8) == _RESET_ON_CLOSE:
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def hang_up(self) -> None:
        for connection in self.connections.copy():
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # its other end has hung up already

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def do_POST(self) -> None:
        if self.path.startswith(PREFIX):
            self._control()
            return
        body = self._body()
        scope = _SCOPE.search(self.headers.get("Authorization", ""))
        answer = self.server.emulator.answer(
            self.headers.get("X-Amz-Target", ""), body, scope[1] if scope else DEFAULT_REGION
        )
        if answer.delay_s:
            self.server.emulator.sleep(answer.delay_s)
        if answer.wire in {"close", "reset"}:
            if answer.wire == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self.close_connection = True
        elif answer.wire == "garbage":
            self._send(200, GARBAGE, "text/html")
        else:
            error = {"x-amzn-ErrorType": answer.error} if answer.error else {}
            self._send(answer.status, answer.body, "application/x-amz-json-1.1", **error)

    def do_GET(self) -> None:
        self._control()

    def do_PATCH(self) -> None:
        self._control()

    def _control(self) -> None:
        status, value = control(self.server.emulator, self.command, self.path, self._body())
        self._send(status, json.dumps(value, indent=2).encode() + b"\n", "application/json")

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "0")
        return self.rfile.read(int(length)) if length.isdecimal() else b""

    def _send(self, status: int, body: bytes, content_type: str, **headers: str) -> None:
        self.send_response(status)
        self.send_header("x-amzn-RequestId", str(uuid4()))
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any, **__: Any) -> None:
        pass
