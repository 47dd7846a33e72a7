"""Where the answers go."""

import json
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self


class ResponseStore:
    """Keeps what is PUT to it, with its URL; answers these statuses first, then 200."""

    def __init__(self) -> None:
        self.puts: list[tuple[str, bytes]] = []
        self.statuses: deque[int] = deque()

    def put(self, url: str, body: bytes) -> int:
        self.puts.append((url, body))
        return self.statuses.popleft() if self.statuses else 200

    @property
    def answers(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.puts]


class HttpResponseStore(ResponseStore):
    """A real HTTP server that keeps what is PUT to it; a status of 0 hangs up unanswered."""

    def __init__(self) -> None:
        super().__init__()
        self.headers: list[dict[str, str]] = []
        store = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                store.headers.append(dict(self.headers))
                if status := store.put(self.path, body):
                    self.send_response(status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
