"""Lambda's Runtime API, from which a function's process fetches its invocations.

It must not know what is invoked, or with what.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import json
import time
import uuid
from concurrent.futures import Future
from queue import Queue
from typing import Any, NamedTuple, Self

from tests.runtime.http_server import Asked, HttpServer, Reply

_ACCEPTED = Reply(202, b'{"status": "OK"}', {"Content-Type": "application/json"})


class FunctionError(Exception):
    """What a function reported in the place of a result: `payload`, as its caller gets it."""

    def __init__(self, payload: dict[str, str]) -> None:
        super().__init__(payload["errorMessage"])
        self.payload = payload


class Invocation(NamedTuple):
    """An invocation that waits for the function; its result comes in a Future."""

    id: str
    event: Any
    remaining_s: float
    result: "Future[Any]"


class RuntimeApi:
    """The Runtime API of one function's process, at `address`.

    As in Lambda, an init error is what its invocations come to.
    """

    def __init__(self, function_arn: str) -> None:
        self._function_arn = function_arn
        self._waiting: Queue[Invocation | None] = Queue()
        self._invocations: dict[str, Invocation] = {}
        self._http = HttpServer(self._answer)
        self.address = self._http.address
        self.init_error: Future[dict[str, Any]] = Future()

    def __enter__(self) -> Self:
        self._http.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        # Whoever waits for an invocation gets none.
        self._waiting.put(None)
        self._http.__exit__()

    def invoke(self, event: Any, *, remaining_s: float) -> Invocation:
        """Let the function have an event, and so long to handle it once it has it."""
        invocation = Invocation(str(uuid.uuid4()), event, remaining_s, Future())
        self.init_error.add_done_callback(
            lambda error: invocation.result.set_exception(FunctionError(error.result()))
        )
        self._invocations[invocation.id] = invocation
        self._waiting.put(invocation)
        return invocation

    def _answer(self, asked: Asked) -> Reply | None:
        match asked.method, asked.path.removeprefix("/2018-06-01/runtime/").split("/"):
            case "GET", ["invocation", "next"]:
                return self._next()
            case "POST", ["invocation", invocation_id, "response"]:
                self._invocations[invocation_id].result.set_result(json.loads(asked.body))
            case "POST", ["invocation", invocation_id, "error"]:
                error = FunctionError(json.loads(asked.body))
                self._invocations[invocation_id].result.set_exception(error)
            case "POST", ["init", "error"]:
                self.init_error.set_result(json.loads(asked.body))
            case _:
                return Reply(404)
        return _ACCEPTED

    def _next(self) -> Reply | None:
        invocation = self._waiting.get()
        if invocation is None:
            return None
        deadline_ms = int((time.time() + invocation.remaining_s) * 1000)
        return Reply(
            200,
            json.dumps(invocation.event).encode(),
            {
                "Content-Type": "application/json",
                "Lambda-Runtime-Aws-Request-Id": invocation.id,
                "Lambda-Runtime-Deadline-Ms": str(deadline_ms),
                "Lambda-Runtime-Invoked-Function-Arn": self._function_arn,
            },
        )
