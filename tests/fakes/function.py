"""Lambda's asynchronous queue, as a boto3 client shows it."""

import json
from collections import deque
from typing import Any

from tests.fakes.errors import Failing


class Lambda(Failing):
    """Keeps what the function is invoked with."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: deque[dict[str, Any]] = deque()
        self.invocations: list[dict[str, Any]] = []
        self.status = 202

    def invoke(self, **arguments: Any) -> dict[str, Any]:
        self.invocations.append(arguments)
        self._fail()
        self.queue.append(json.loads(arguments["Payload"]))
        return {"StatusCode": self.status}
