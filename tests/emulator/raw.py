"""HTTP to an emulator without an SDK between: nothing is checked, filtered or retried."""

import json
from http.client import HTTPConnection
from typing import Any, NamedTuple

from tests.fakes.account import REGION

AUTHORIZATION = f"AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/transfer/aws4_request"


class Raw(NamedTuple):
    """An answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """One connection to an emulator."""

    def __init__(self, url: str) -> None:
        self._connection = HTTPConnection(url.removeprefix("http://"), timeout=10)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> None:
        self._connection.request(method, path, body, headers)

    def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> Raw:
        self.ask(method, path, body, **headers)
        answer = self._connection.getresponse()
        return Raw(answer.status, dict(answer.headers), answer.read())

    def call(self, operation: str, request: Any, service: str = "TransferService") -> Raw:
        body = request if isinstance(request, bytes) else json.dumps(request).encode()
        headers = {"X-Amz-Target": f"{service}.{operation}", "Authorization": AUTHORIZATION}
        return self.send("POST", "/", body, **headers)

    def control(self, method: str, path: str, value: Any = None) -> Raw:
        return self.send(method, f"/_emulator/{path}", json.dumps(value).encode())

    def close(self) -> None:
        self._connection.close()
