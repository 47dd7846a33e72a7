"""What the tests drive the provider with: an account in which everything but AWS is real.

Real entry point, crhelper and boto3; the emulator stands for the Transfer API, a real HTTP server
for the response store; Lambda's and CloudFormation's own APIs are fakes. One clock moves them all.
"""

import json
import uuid
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self

import boto3
from botocore.exceptions import ClientError

from handler.aws import CONFIG, Aws
from handler.cloudformation import Provider
from local.emulator import Emulator, State

REGION = "eu-west-1"
ACCOUNT = "000000000000"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:provider"
STACK = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/demo/00000000-0000-4000-8000-000000000000"
NO_SERVER = "s-00000000000000000"


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 1_700_000_000.0
        self.slept_s: list[float] = []

    def now(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_s += seconds


@dataclass
class Context:
    """What Lambda passes along with an event."""

    clock: Clock
    until_s: float
    invoked_function_arn: str = FUNCTION
    aws_request_id: str = "lambda-request"

    def get_remaining_time_in_millis(self) -> int:
        return int((self.until_s - self.clock.now()) * 1000)


class ResponseStore:
    """A real HTTP server that keeps what is PUT to it."""

    def __init__(self) -> None:
        self.puts: list[tuple[str, dict[str, str], bytes]] = []
        self.statuses: deque[int] = deque()
        store = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                store.puts.append((self.path, dict(self.headers), body))
                status = store.statuses.popleft() if store.statuses else 200
                if status:
                    self.send_response(status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))
        self.host = f"127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def answers(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, _, body in self.puts]


class Failing:
    """A client whose calls fail, in order, before they work."""

    def __init__(self) -> None:
        self.failures: deque[Exception] = deque()

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.popleft()


class Lambda(Failing):
    """Lambda's asynchronous queue."""

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


class CloudFormation(Failing):
    """Stacks as CloudFormation describes them."""

    def __init__(self) -> None:
        super().__init__()
        self.stacks: dict[str, dict[str, Any]] = {STACK: {"StackStatus": "CREATE_IN_PROGRESS"}}
        self.resources: list[dict[str, Any]] = []
        self.denied: set[str] = set()

    def _fail(self, operation: str = "") -> None:
        super()._fail()
        if operation in self.denied:
            raise client_error("AccessDenied", 403, operation)

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        self._fail("DescribeStacks")
        if StackName not in self.stacks:
            raise client_error("ValidationError", 400, "DescribeStacks")
        return {"Stacks": [self.stacks[StackName]]}

    def list_stack_resources(self, StackName: str, NextToken: str = "0") -> dict[str, Any]:
        self._fail("ListStackResources")
        assert StackName in self.stacks
        position = int(NextToken)
        more = {"NextToken": str(position + 1)} if position + 1 < len(self.resources) else {}
        return {"StackResourceSummaries": self.resources[position : position + 1], **more}


def client_error(code: str, status: int, operation: str, message: str = "no") -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": status},
        },
        operation,
    )


@dataclass
class Account:
    """An account with the provider deployed, and one server in it."""

    emulator: Emulator
    store: ResponseStore
    clock: Clock
    provider: Provider = field(init=False)
    lambda_: Lambda = field(default_factory=Lambda)
    cloudformation: CloudFormation = field(default_factory=CloudFormation)
    timeout_s: float = 900
    transfer: Any = field(init=False)
    server_id: str = field(init=False)

    def __post_init__(self) -> None:
        self.transfer = boto3.client(
            "transfer", region_name=REGION, endpoint_url=self.emulator.url, config=CONFIG
        )
        self.provider = self.new_provider()
        self.server_id = self.transfer.create_server()["ServerId"]
        self._seen = len(self.emulator.calls())
        # Long enough ago that no read shows how it came up.
        self.clock.now_s += 1_000

    def new_provider(self, **parts: Any) -> Provider:
        """Start the function cold, with some of its parts replaced."""
        clients = {
            "transfer": self.transfer,
            "lambda": self.lambda_,
            "cloudformation": self.cloudformation,
        }
        usual: dict[str, Any] = {
            "aws": Aws(clients.get),
            "now": self.clock.now,
            "sleep": self.clock.sleep,
        }
        return Provider(**usual | parts)

    def request(self, request_type: str, **fields: Any) -> dict[str, Any]:
        """Make a request as CloudFormation sends it; properties are given by their names."""
        own = {"PhysicalResourceId", "StackId", "LogicalResourceId", "OldResourceProperties"}
        properties = {name: value for name, value in fields.items() if name not in own}
        return {
            "RequestType": request_type,
            "ResponseURL": f"http://{self.store.host}/answer?X-Amz-Signature=presigned-secret",
            "StackId": STACK,
            "RequestId": str(uuid.uuid4()),
            "ResourceType": "Custom::TransferServerState",
            "LogicalResourceId": "State",
            "ResourceProperties": {
                "ServiceToken": FUNCTION,
                "ServerId": self.server_id,
                **properties,
            },
            **{name: value for name, value in fields.items() if name in own},
        }

    def invoke(self, event: Any, provider: Provider | None = None) -> None:
        """Invoke the function once."""
        context = Context(self.clock, self.clock.now() + self.timeout_s)
        (provider or self.provider).handle(event, context)

    def settle(self, event: Any) -> dict[str, Any]:
        """Invoke the function until nothing is queued, and return the one answer."""
        before = len(self.store.puts)
        self.invoke(event)
        while self.lambda_.queue:
            self.invoke(self.lambda_.queue.popleft())
        answers = self.store.answers[before:]
        assert len(answers) == 1, answers
        return answers[0]

    def send(self, request_type: str, **fields: Any) -> dict[str, Any]:
        """Make a request and return its one answer."""
        return self.settle(self.request(request_type, **fields))

    @property
    def state(self) -> State:
        return self.emulator.states()[self.server_id]

    @state.setter
    def state(self, state: State) -> None:
        self.emulator.put(self.server_id, state)

    @property
    def commands(self) -> list[str]:
        """The commands that the Transfer API saw."""
        return [c for c in self.operations if c in {"StartServer", "StopServer"}]

    @property
    def operations(self) -> list[str]:
        return [call.operation for call in self.emulator.calls(after=self._seen)]
