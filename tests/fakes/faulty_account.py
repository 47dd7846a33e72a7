"""An account in which one call goes wrong: real clients, and a fault at their border.

Real entry point, crhelper, boto3 and botocore's parsers, which are fed the bytes of the protocols
by the emulator and the fakes, through botocore's own event `before-send`. Nothing is sent, and
what takes time moves the clock.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import boto3
from botocore import UNSIGNED, xform_name
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError

from handler.cloudformation import Provider
from local.emulator import State
from local.emulator.service import Service
from tests.fakes.account import REGION, STACK, TABLE, Context, custom_resource_request
from tests.fakes.clock import Clock
from tests.fakes.cloudformation import CloudFormation, Stack
from tests.fakes.dynamodb import DynamoDB
from tests.fakes.faults import COMMANDS, SERVICE_OF, SERVICES, Fault, Plan, error_body
from tests.fakes.function import Lambda
from transfer_server_state.aws.client import CONFIG, Aws
from transfer_server_state.aws.registry import Registry
from transfer_server_state.row import Row

MOST_INVOCATIONS = 20


@cache
def client(service: str) -> Any:
    """Make the one client of a service for all accounts; it never connects."""
    # Nobody checks the signature or reads the user agent, and the emulator refuses what is not
    # valid; without them a call takes a quarter less.
    plain = CONFIG.merge(
        Config(signature_version=UNSIGNED, user_agent="a test", parameter_validation=False)
    )
    return boto3.client(service, region_name=REGION, config=plain)


@dataclass
class FaultyAccount:
    """An account with the provider deployed, one server in it, ONLINE, and one fault."""

    plan: Plan | None = None
    invocation_s: float = 900
    # Few looks are enough to see a transition where each takes a while.
    latency_s: float = 4
    look_s: float = 8
    clock: Clock = field(default_factory=Clock)
    stack: Stack = field(default_factory=lambda: Stack(STACK))
    lambda_: Lambda = field(default_factory=Lambda)
    dynamodb: DynamoDB = field(default_factory=lambda: DynamoDB(TABLE, stale_reads=True))
    puts: list[tuple[float, str, bytes]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    observed: State | None = None
    overran_s: float = 0
    struck_at_s: float = 0

    def __post_init__(self) -> None:
        self.cloudformation = CloudFormation(self.stack)
        self._registry = Registry(Aws({"dynamodb": self.dynamodb}.__getitem__), TABLE)
        self.transfer = Service(now=self.clock.now)
        created = self.transfer.answer("TransferService.CreateServer", b"{}", REGION)
        self.server_id: str = json.loads(created.body)["ServerId"]
        self.transfer.put(self.server_id, State.ONLINE)
        self.start(Aws(client))

    def start(self, aws: Aws, put: Callable[[str, bytes], int] | None = None) -> None:
        """Start the function cold."""
        self.provider = Provider(aws=aws, put=put or self._put, clock=self.clock)

    def deliver_to(self, put: Callable[[str, bytes], int]) -> None:
        """Start the function cold, with its answers going there."""
        self.start(Aws(client), put)

    def command(self, operation: str) -> None:
        """Give a command as somebody else."""
        body = json.dumps({"ServerId": self.server_id}).encode()
        self.transfer.answer(f"TransferService.{operation}", body, REGION)

    def request(self, request_type: str, **fields: Any) -> dict[str, Any]:
        """Make a request as CloudFormation sends it now; properties are given by their names."""
        fields = {"ServerId": self.server_id, **fields}
        return custom_resource_request(
            request_type, f"{request_type}-of-its-own", self.clock.now(), **fields
        )

    def settle(self, event: Any) -> None:
        """Invoke the function until nothing is queued."""
        queue = self.lambda_.queue
        queue.append(event)
        with self.answering():
            for _ in range(MOST_INVOCATIONS):
                if not queue:
                    return
                context = Context(self.clock, self.clock.now() + self.invocation_s)
                self.provider.handle(queue.popleft(), context)
                self.overran_s = max(self.overran_s, self.clock.now() - context.until_s)
        raise AssertionError("It invokes itself for ever.")

    def send(self, request_type: str, **fields: Any) -> dict[str, Any]:
        """Make a request and return its one answer."""
        before = len(self.puts)
        self.settle(self.request(request_type, **fields))
        (answer,) = self.answers[before:]
        return answer

    def become(self, status: str) -> None:
        """Let the stack go on to a status."""
        self.clock.now_s += 1
        self.stack.become(status, self.clock.now())

    @property
    def answers(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, _, body in self.puts]

    @property
    def row(self) -> Row:
        """The server's row in the registry."""
        return self._registry.read(self.server_id)

    def remember(self, row: Row) -> None:
        """Write a row."""
        self._registry.write(row)

    @property
    def state(self) -> State:
        return self.transfer.states()[self.server_id]

    @property
    def commands(self) -> list[str]:
        """The commands that took effect."""
        return [
            call.operation
            for call in self.transfer.calls()
            if call.operation in COMMANDS and call.carried_out
        ]

    def _put(self, url: str, body: bytes) -> int:
        self.puts.append((self.clock.now(), url, body))
        return 200

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Answer all that the clients ask for."""
        for service in SERVICES:
            client(service).meta.events.register_first("before-send", self.answer)
        try:
            yield
        finally:
            for service in SERVICES:
                client(service).meta.events.unregister("before-send", self.answer)

    def answer(self, request: Any, event_name: str, **_: object) -> AWSResponse:
        """Answer a call, or break it."""
        operation = event_name.rpartition(".")[2]
        fault = self.plan.of(operation) if self.plan else None
        if fault and not self.struck_at_s:
            self.struck_at_s = self.clock.now()
        self.calls.append(operation)
        usual_s = self.look_s if operation == "DescribeServer" else self.latency_s
        faulty_s = fault.takes_s if fault else None
        self.clock.now_s += usual_s if faulty_s is None else faulty_s
        if fault is None or fault.is_slow:
            status, body = self._carried_out(operation, request)
            if operation == "DescribeServer" and status == 200:
                self.observed = State(json.loads(body)["Server"]["State"])
            return _response(request, status, body)
        if fault.carried_out:
            self._carried_out(operation, request)
        return _broken(request, fault)

    def _carried_out(self, operation: str, request: Any) -> tuple[int, bytes]:
        service = SERVICE_OF[operation]
        if service == "transfer":
            target = request.headers["X-Amz-Target"].decode()
            answer = self.transfer.answer(target, request.body, REGION)
            return answer.status, answer.body
        if service == "dynamodb":
            return self.dynamodb.answer(request.headers["X-Amz-Target"].decode(), request.body)
        if service == "lambda":
            return self.lambda_.invoke(Payload=request.body)["StatusCode"], b""
        return self._describe(operation, request.body)

    def _describe(self, operation: str, body: Any) -> tuple[int, bytes]:
        asked = dict(parse_qsl(body if isinstance(body, str) else body.decode()))
        arguments = {name: asked[name] for name in asked if name not in {"Action", "Version"}}
        try:
            found = getattr(self.cloudformation, xform_name(operation))(**arguments)
        except ClientError as error:
            told = error.response["Error"]
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            return status, error_body("cloudformation", told["Code"], told)
        return 200, _xml({f"{operation}Response": {f"{operation}Result": found}}).encode()


def _xml(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(f"<{name}>{_xml(inner)}</{name}>" for name, inner in value.items())
    if isinstance(value, list):
        return "".join(f"<member>{_xml(inner)}</member>" for inner in value)
    return value.isoformat() if isinstance(value, datetime) else escape(value)


def _broken(request: Any, fault: Fault) -> AWSResponse:
    if not fault.status:
        raise fault.error(request.url)
    return _response(request, fault.status, fault.body)


class _Raw(BytesIO):
    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield self.read()


def _response(request: Any, status: int, body: bytes) -> AWSResponse:
    return AWSResponse(request.url, status, {"content-length": str(len(body))}, _Raw(body))
