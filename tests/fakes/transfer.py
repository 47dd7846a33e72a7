"""Transfer's API as a boto3 client shows it: the emulator's, without the bytes between them.

The faults' account has a real client instead, as have the emulator's own tests.
"""

import json
from collections.abc import Callable
from typing import Any

from local.emulator.service import Service
from tests.fakes.errors import client_error


class Transfer:
    """The operations of the emulator, as methods."""

    def __init__(self, emulator: Service, region: str) -> None:
        self._emulator = emulator
        self._region = region

    def __getattr__(self, name: str) -> Callable[..., Any]:
        operation = name.title().replace("_", "")
        return lambda **arguments: self._call(operation, arguments)

    def _call(self, operation: str, arguments: dict[str, Any]) -> Any:
        asked = json.dumps(arguments).encode()
        answer = self._emulator.answer(f"TransferService.{operation}", asked, self._region)
        body = json.loads(answer.body or b"{}")
        if answer.status >= 300:
            message = body.get("message", body.get("Message", ""))
            raise client_error(body["__type"], answer.status, operation, message)
        return body
