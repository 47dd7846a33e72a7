"""The one endpoint that a function here calls AWS at: IAM decides on each call, and it is recorded.

The engine evaluates the caller's policies, but its Transfer servers are not the emulator's; the
emulator knows no policies. So a Transfer call goes to the engine first, for its decision alone,
and on to the emulator unless that is a denial. It must not know what a call does, or who calls.
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Self
from urllib.parse import parse_qs

import urllib3

_DENIED = 403
_SERVICE = re.compile(r"Credential=[^/]*/[^/]*/[^/]*/([^/]*)/")
_UNTIL_ANSWERED = urllib3.Timeout(connect=5, read=None)


@dataclass(frozen=True)
class Call:
    """A call by the name of the action that permits it, such as transfer:StopServer."""

    action: str
    denied: bool


class Gateway:
    """Serves at `url`, from entering the context until leaving it; `calls` has all that came."""

    def __init__(self, aws_url: str, transfer_url: str) -> None:
        self.calls: list[Call] = []
        self._aws_url, self._transfer_url = aws_url, transfer_url
        self._pool = urllib3.PoolManager(maxsize=16)
        self._http = _Server(self)
        self._thread = Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Self:
        """Begin to serve."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it; the connections of callers end when the callers do."""
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
        self._pool.clear()

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> urllib3.BaseHTTPResponse:
        """Pass a call on as it is, so that its signature holds, and record it.

        Raises HTTPError where no answer came.
        """
        signed_for = _SERVICE.search(headers.get("Authorization", ""))
        service = signed_for[1] if signed_for else ""
        answer = self._ask(self._aws_url, path, headers, body)
        denied = answer.status == _DENIED
        self.calls.append(Call(f"{service}:{_operation(path, headers, body)}", denied))
        if service == "transfer" and not denied:
            return self._ask(self._transfer_url, path, headers, body)
        return answer

    def _ask(
        self, url: str, path: str, headers: dict[str, str], body: bytes
    ) -> urllib3.BaseHTTPResponse:
        return self._pool.request(
            "POST",
            url + path,
            body=body,
            headers=headers,
            timeout=_UNTIL_ANSWERED,
            retries=False,
            decode_content=False,
        )


def _operation(path: str, headers: dict[str, str], body: bytes) -> str:
    """Return the operation, which AWS's protocols keep in three places."""
    if target := headers.get("X-Amz-Target"):
        return target.rpartition(".")[2]
    if path.endswith("/invocations"):
        return "InvokeFunction"
    return parse_qs(body.decode()).get("Action", ["?"])[0]


class _Server(ThreadingHTTPServer):
    request_queue_size = 128

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    """Takes POST only, as all that AWS's APIs want of a function here is."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.close_connection = True
        with suppress(urllib3.exceptions.HTTPError, ConnectionError):
            answer = self.server.gateway.answer(self.path, dict(self.headers), body)
            self.send_response_only(answer.status)
            for name, value in answer.headers.items():
                if name.lower() not in {"connection", "transfer-encoding", "content-length"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.data)))
            self.end_headers()
            self.wfile.write(answer.data)
            self.close_connection = False

    def log_message(self, *_: object) -> None:
        pass
