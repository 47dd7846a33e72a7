"""An account in which all moves with one clock, and nothing leaves the process.

Real entry point and crhelper, and the emulator of Transfer. Fakes stand for boto3's clients, and
for the response store.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

from handler.cloudformation import Provider
from handler.guard import Guard
from handler.hook import Hook
from local.emulator import State
from local.emulator.service import Service
from tests.fakes.border import Border, Watched
from tests.fakes.bus import Bus
from tests.fakes.clock import Clock
from tests.fakes.cloudformation import CloudFormation, Stack
from tests.fakes.dynamodb import DynamoDB
from tests.fakes.function import Lambda
from tests.fakes.response_store import ResponseStore
from tests.fakes.transfer import Transfer
from transfer_server_state.aws.client import Aws
from transfer_server_state.aws.registry import Registry
from transfer_server_state.row import Row

REGION = "eu-west-1"
ACCOUNT = "000000000000"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:provider"
STACK = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/demo/00000000-0000-4000-8000-000000000000"
OTHER_STACK = STACK.replace("/demo/", "/other/")
NO_SERVER = "s-00000000000000000"
TABLE = "registry"
# What EventBridge's schedules send.
SCHEDULED = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
# What CloudFormation makes up for a creation that never answered.
MADE_UP = "demo-State-1ABCDEF"


# Of a ResponseURL.
SECRET = "presigned-secret"  # noqa: S105 - it stands for one


def custom_resource_request(
    request_type: str, request_id: str, now_s: float, **fields: Any
) -> dict[str, Any]:
    """Return what CloudFormation sends; what is no field of a request is a property."""
    own = {"PhysicalResourceId", "StackId", "LogicalResourceId", "OldResourceProperties"}
    sent_at = datetime.fromtimestamp(now_s, UTC)
    return {
        "RequestType": request_type,
        "ResponseURL": f"https://response.example.com/{request_id}"
        f"?X-Amz-Date={sent_at:%Y%m%dT%H%M%SZ}&X-Amz-Signature={SECRET}",
        "StackId": STACK,
        "RequestId": request_id,
        "ResourceType": "Custom::TransferServerState",
        "LogicalResourceId": "State",
        "ResourceProperties": {
            "ServiceToken": FUNCTION,
            **{name: value for name, value in fields.items() if name not in own},
        },
        **{name: value for name, value in fields.items() if name in own},
    }


class KilledError(BaseException):
    """The function's sandbox is gone."""


def kill() -> None:
    """Take the sandbox away."""
    raise KilledError


@dataclass
class Context:
    """What Lambda passes along with an event."""

    clock: Clock
    until_s: float
    invoked_function_arn: str = FUNCTION
    aws_request_id: str = "lambda-request"

    def get_remaining_time_in_millis(self) -> int:
        return int((self.until_s - self.clock.now()) * 1000)


@dataclass
class Account:
    """An account with the provider deployed, one server in it, and one stack at work."""

    clock: Clock = field(default_factory=Clock)
    store: ResponseStore = field(default_factory=ResponseStore)
    stack: Stack = field(default_factory=lambda: Stack(STACK))
    lambda_: Lambda = field(default_factory=Lambda)
    dynamodb: DynamoDB = field(default_factory=lambda: DynamoDB(TABLE, stale_reads=True))
    bus: Bus = field(default_factory=Bus)
    border: Border = field(default_factory=Border)
    # How an invocation is called, and how long it may take.
    function: str = FUNCTION
    timeout_s: float = 900

    def __post_init__(self) -> None:
        self.emulator = Service(now=self.clock.now)
        # By number, so that a test runs alike each time.
        self._ids = (f"{number:08x}-0000-4000-8000-000000000000" for number in count(1))
        self.transfer = Transfer(self.emulator, REGION)
        self.cloudformation = CloudFormation(self.stack)
        clients = {
            "transfer": self.transfer,
            "lambda": self.lambda_,
            "cloudformation": self.cloudformation,
            "dynamodb": self.dynamodb,
            "events": self.bus,
        }
        watched = {name: Watched(client, self.border) for name, client in clients.items()}
        self.aws = Aws(watched.__getitem__)
        self.server_id = self.new_server()
        # Long enough ago that no read shows how it came up.
        self.clock.now_s += 1_000
        self.become("CREATE_IN_PROGRESS")

    def new_server(self) -> str:
        """Make another server, ONLINE."""
        return str(self.transfer.create_server()["ServerId"])

    def new_provider(self, **parts: Any) -> Provider:
        """Start the function cold, with some of its parts replaced."""
        usual: dict[str, Any] = {"aws": self.aws, "put": self.store.put, "clock": self.clock}
        return Provider(**usual | parts)

    def new_stack(self, stack_id: str, **fields: Any) -> Stack:
        """Make another stack."""
        stack = self.cloudformation.stacks[stack_id] = Stack(stack_id, **fields)
        self.become(stack.status, stack)
        return stack

    def become(self, status: str, stack: Stack | None = None) -> None:
        """Let a stack go on to a status."""
        (stack or self.stack).become(status, self.clock.now())

    def request(self, request_type: str, **fields: Any) -> dict[str, Any]:
        """Make a request as CloudFormation sends it now; properties are given by their names."""
        fields = {"ServerId": self.server_id, **fields}
        return custom_resource_request(request_type, next(self._ids), self.clock.now(), **fields)

    def invoke(self, event: Any, provider: Provider | None = None) -> None:
        """Invoke the function once, cold unless a provider is given."""
        context = Context(self.clock, self.clock.now() + self.timeout_s, self.function)
        (provider or self.new_provider()).handle(event, context)

    def die(self, event: Any) -> None:
        """Invoke the function once; it is to be killed on its way."""
        try:
            self.invoke(event)
        except KilledError:
            return
        raise AssertionError("nobody killed it")

    def settle(self, event: Any) -> dict[str, Any]:
        """Invoke the function until nothing is queued, and return the one answer."""
        before = len(self.store.puts)
        self.invoke(event)
        while self.lambda_.queue:
            self.invoke(self.lambda_.queue.popleft())
        answers = [a for a in self.store.answers[before:] if a["RequestId"] == event["RequestId"]]
        assert len(answers) == 1, answers
        self._list(event, answers[0])
        return answers[0]

    def _list(self, event: dict[str, Any], answer: dict[str, Any]) -> None:
        """List the resource in its stack as CloudFormation does after an answer."""
        stack = self.cloudformation.stacks.get(event["StackId"])
        if stack and answer["Status"] == "SUCCESS" and event["RequestType"] != "Delete":
            stack.resources[event["LogicalResourceId"]] = answer["PhysicalResourceId"]

    def send(self, request_type: str, **fields: Any) -> dict[str, Any]:
        """Make a request and return its one answer."""
        return self.settle(self.request(request_type, **fields))

    def guard(self, event: dict[str, Any] | None = None) -> None:
        """Let the guard pass, on its schedule unless it is for an event; each has its id."""
        event = {"id": next(self._ids), **(event or SCHEDULED)}
        context = Context(self.clock, self.clock.now() + 300)
        Guard(aws=self.aws, clock=self.clock).handle(event, context)

    def hook(self, event: Any, payload: Any, remaining_s: float = 30) -> dict[str, Any]:
        """Invoke the hook, with what stands behind its URL or what keeps that from being read."""

        def fetch(url: object, now: Callable[[], float]) -> Any:
            assert (url, now()) == (event["requestData"].get("payload"), self.clock.now())
            if isinstance(payload, Exception):
                raise payload
            return payload

        context = Context(self.clock, self.clock.now() + remaining_s)
        return Hook(aws=self.aws, fetch=fetch, clock=self.clock).handle(event, context)

    @property
    def row(self) -> Row:
        """The server's row in the registry."""
        return self.row_of(self.server_id)

    def row_of(self, server_id: str) -> Row:
        clients = {"dynamodb": self.dynamodb}
        return Registry(Aws(clients.__getitem__), TABLE).read(server_id)

    @property
    def state(self) -> State:
        return self.emulator.states()[self.server_id]

    @state.setter
    def state(self, state: State) -> None:
        self.emulator.put(self.server_id, state)

    @property
    def commands(self) -> list[str]:
        """The commands that the Transfer API was given, by the provider or by others."""
        return [c for c in self.operations if c in {"StartServer", "StopServer"}]

    @property
    def operations(self) -> list[str]:
        calls = [call.operation for call in self.emulator.calls()]
        return [operation for operation in calls if operation != "CreateServer"]
