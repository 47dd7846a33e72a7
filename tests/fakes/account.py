"""An account in which everything but AWS is real, and moves with one clock.

Real entry point, crhelper and boto3; the emulator stands for the Transfer API, a fake behind a
real client for DynamoDB, a real HTTP server for the response store; Lambda's and CloudFormation's
own APIs are fakes.
"""

import uuid
from dataclasses import dataclass, field
from typing import Any

import boto3

from handler.cloudformation import Provider
from local.emulator import Emulator, State
from tests.fakes.clock import Clock
from tests.fakes.cloudformation import CloudFormation, Stack
from tests.fakes.dynamodb import DynamoDB
from tests.fakes.function import Lambda
from tests.fakes.response_store import ResponseStore
from transfer_server_state.aws.client import CONFIG, Aws

REGION = "eu-west-1"
ACCOUNT = "000000000000"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:provider"
STACK = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/demo/00000000-0000-4000-8000-000000000000"
NO_SERVER = "s-00000000000000000"
TABLE = "registry"


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
    """An account with the provider deployed, and one server in it."""

    emulator: Emulator
    store: ResponseStore
    clock: Clock
    provider: Provider = field(init=False)
    lambda_: Lambda = field(default_factory=Lambda)
    stack: Stack = field(default_factory=lambda: Stack(STACK))
    cloudformation: CloudFormation = field(init=False)
    dynamodb: DynamoDB = field(default_factory=lambda: DynamoDB(TABLE, stale_reads=True))
    timeout_s: float = 900
    transfer: Any = field(init=False)
    server_id: str = field(init=False)

    def __post_init__(self) -> None:
        self.cloudformation = CloudFormation(self.stack)
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
            "dynamodb": self.dynamodb,
        }
        usual: dict[str, Any] = {"aws": Aws(clients.get), "clock": self.clock}
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
