"""An account in which one call goes wrong: real clients, and a fault at their border.

Real entry point, crhelper, boto3 and botocore's parsers. Healthy answers come from the emulator
and from fakes of Lambda and CloudFormation, in the bytes of their protocols, through botocore's
own `before-send` event. Broken ones come from real sockets, and what takes time moves the clock.
"""

import json
import socket
import ssl
import struct
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from threading import Thread
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

import boto3
import pytest
from botocore import UNSIGNED
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from handler import delivery
from handler.aws import CONFIG, Aws
from handler.cloudformation import Provider
from local.emulator import State
from local.emulator.service import Service
from tests.lab import FUNCTION, REGION, STACK, Clock, Context

SERVICE_OF = {
    "DescribeServer": "transfer",
    "StartServer": "transfer",
    "StopServer": "transfer",
    "Invoke": "lambda",
    "DescribeStacks": "cloudformation",
    "ListStackResources": "cloudformation",
}
COMMANDS = ("StartServer", "StopServer")
CONNECT_TIMEOUT_S, READ_TIMEOUT_S = CONFIG.connect_timeout, CONFIG.read_timeout
MOST_INVOCATIONS = 20
SECRET = "presigned-secret"  # noqa: S105 - it stands for one


_CLOSE = b"Connection: close\r\nContent-Length: "
BROKEN: dict[str, bytes | None] = {
    "refused": None,
    "reset": None,
    "closed": b"",
    "no HTTP": b"220 mail.example.com ESMTP\r\n\r\n",
    "cut short": b"HTTP/1.1 200 OK\r\n" + _CLOSE + b"1000\r\n\r\n{",
    "garbage": b"HTTP/1.1 200 OK\r\n" + _CLOSE + b"9\r\n\r\n<html>no<",
    "a gateway's page": b"HTTP/1.1 502 Bad Gateway\r\n" + _CLOSE + b"9\r\n\r\n<html>no<",
    "a bare 503": b"HTTP/1.1 503 Busy\r\n" + _CLOSE + b"0\r\n\r\n",
}


class Breaker:
    """A server on a real socket that breaks an exchange, or answers a bare status, as asked."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = Thread(target=self._serve)
        # Bound, but nobody listens there.
        self._refusing = socket.socket()
        self._refusing.bind(("127.0.0.1", 0))
        self._thread.start()

    def url(self, way: str) -> str:
        """Give the URL that breaks in a way, or answers a status."""
        there = self._refusing if way == "refused" else self._socket
        path = list(BROKEN).index(way) if way in BROKEN else way
        return f"http://127.0.0.1:{there.getsockname()[1]}/{path}"

    def close(self) -> None:
        with socket.create_connection(self._socket.getsockname()) as last:
            last.sendall(b"END")
        self._thread.join()
        self._socket.close()
        self._refusing.close()

    def _serve(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            with connection:
                request = connection.recv(65_536)
                if request == b"END":
                    return
                asked = int(request.split()[1].strip(b"/"))
                status = b"HTTP/1.1 %d Status\r\n%s0\r\n\r\n" % (asked, _CLOSE)
                answer = status if asked >= 100 else list(BROKEN.values())[asked]
                if answer is None:
                    no_linger = struct.pack("ii", 1, 0)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)
                else:
                    connection.sendall(answer)
                    connection.shutdown(socket.SHUT_WR)
                    # Until the other side has read it all, or a reset would overtake it.
                    while connection.recv(65_536):
                        pass


@dataclass(frozen=True)
class Fault:
    """What happens to a call.

    With a status, `name` is the code of an error answered; else it is a way to break the
    exchange, a time-out, or "slow". `passes`: the next try may well be answered. `carried_out`:
    it took effect all the same.
    """

    name: str
    passes: bool = True
    carried_out: bool = False
    status: int = 0
    body: bytes = b""
    takes_s: float = 0

    def __str__(self) -> str:
        return f"{self.name}, carried out" if self.carried_out else self.name


@dataclass
class Plan:
    """Which calls of an operation suffer the fault: the one with this number, or all since."""

    operation: str
    fault: Fault
    before: Fault | None = None
    number: int = 0
    lasts: bool = False
    struck: int = 0

    def of(self, operation: str, number: int) -> Fault | None:
        if operation != self.operation or (number > self.number and not self.lasts):
            return None
        if number < self.number:
            return self.before
        self.struck += 1
        return self.fault


class Clients:
    """The three clients, made once for many accounts, and the server that breaks exchanges."""

    def __init__(self) -> None:
        self.breaker = Breaker()
        unsigned = CONFIG.merge(Config(signature_version=UNSIGNED))
        self._clients = {
            service: boto3.client(service, region_name=REGION, config=unsigned)
            for service in set(SERVICE_OF.values())
        }

    def __call__(self, service: str) -> Any:
        return self._clients[service]

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        self.breaker.close()

    @contextmanager
    def answered_by(self, answer: Callable[..., AWSResponse | None]) -> Iterator[None]:
        for client in self._clients.values():
            client.meta.events.register_first("before-send", answer)
        try:
            yield
        finally:
            for client in self._clients.values():
                client.meta.events.unregister("before-send", answer)


@dataclass
class FaultyAccount:
    """An account with the provider deployed, one server in it, and one fault."""

    clients: Clients
    plan: Plan | None = None
    invocation_s: float = 900
    # Few looks are enough to see a transition where each takes a while.
    latency_s: float = 4
    clock: Clock = field(default_factory=Clock)
    stack_status: str = "CREATE_IN_PROGRESS"
    # What it becomes when the server was given a command, if that is something else.
    next_status: str = ""
    queue: deque[dict[str, Any]] = field(default_factory=deque)
    puts: list[tuple[float, str, bytes]] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    observed: State | None = None
    overran_s: float = 0
    handled: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.transfer = Service(now=self.clock.now)
        created = self.transfer.answer("TransferService.CreateServer", b"{}", REGION)
        self.server_id: str = json.loads(created.body)["ServerId"]
        self.deliver_to(self._put)

    def deliver_to(self, put: Callable[[str, bytes], int]) -> None:
        """Start the function cold, with its answers going there."""
        self.provider = Provider(
            aws=Aws(self.clients), put=put, now=self.clock.now, sleep=self.clock.sleep
        )

    def settle(self, event: dict[str, Any]) -> None:
        """Invoke the function until nothing is queued."""
        self.queue.append(event)
        with self.clients.answered_by(self.answer):
            for _ in range(MOST_INVOCATIONS):
                if not self.queue:
                    return
                context = Context(self.clock, self.clock.now() + self.invocation_s)
                self.handled = self.queue.popleft()
                self.provider.handle(self.handled, context)
                self.overran_s = max(self.overran_s, self.clock.now() - context.until_s)
        raise AssertionError("It invokes itself for ever.")

    @property
    def answers(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, _, body in self.puts]

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

    def command(self, operation: str) -> None:
        """Give a command as somebody else."""
        body = json.dumps({"ServerId": self.server_id}).encode()
        self.transfer.answer(f"TransferService.{operation}", body, REGION)

    def _put(self, url: str, body: bytes) -> int:
        self.puts.append((self.clock.now(), url, body))
        return 200

    def answer(self, request: Any, event_name: str, **_: object) -> AWSResponse | None:
        operation = event_name.rpartition(".")[2]
        number = self.calls[operation]
        self.calls[operation] += 1
        fault = self.plan.of(operation, number) if self.plan else None
        self.clock.now_s += fault.takes_s if fault else self.latency_s
        if fault is None or fault.name == "slow":
            status, body = self._healthy(operation, request)
            if operation == "DescribeServer" and status == 200:
                self.observed = State(json.loads(body)["Server"]["State"])
            return _response(request, status, body)
        if fault.carried_out:
            self._healthy(operation, request)
        return _break(request, fault, self.clients.breaker)

    def _healthy(self, operation: str, request: Any) -> tuple[int, bytes]:
        if SERVICE_OF[operation] == "transfer":
            target = request.headers["X-Amz-Target"].decode()
            answer = self.transfer.answer(target, request.body, REGION)
            return answer.status, answer.body
        if operation == "Invoke":
            self.queue.append(json.loads(request.body))
            return 202, b""
        asked = parse_qs(request.body if isinstance(request.body, str) else request.body.decode())
        if asked["StackName"] != [STACK]:
            return 400, error_body(operation, "ValidationError", {"Message": "No such stack."})
        if operation == "DescribeStacks":
            status = self.next_status if self.next_status and self.commands else self.stack_status
            stack = {"StackName": "demo", "StackStatus": status}
            return 200, _xml(operation, "Stacks", stack)
        topic = {"LogicalResourceId": "Topic", "ResourceStatus": "CREATE_COMPLETE"}
        return 200, _xml(operation, "StackResourceSummaries", topic)


def error_body(operation: str, code: str, fields: dict[str, str]) -> bytes:
    """Write an error in the protocol of the operation's service."""
    if SERVICE_OF[operation] == "cloudformation":
        message = escape(fields.get("Message", ""))
        return (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>"
            f"<Message>{message}</Message></Error><RequestId>0</RequestId></ErrorResponse>"
        ).encode()
    return json.dumps({"__type": code, **fields}).encode()


def _xml(operation: str, members: str, member: dict[str, str]) -> bytes:
    inner = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in member.items())
    return (
        f"<{operation}Response><{operation}Result><{members}><member>{inner}</member></{members}>"
        f"</{operation}Result></{operation}Response>"
    ).encode()


class _Raw(BytesIO):
    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield self.read()


def _response(request: Any, status: int, body: bytes, **headers: str) -> AWSResponse:
    return AWSResponse(
        request.url, status, {"content-length": str(len(body)), **headers}, _Raw(body)
    )


def _break(request: Any, fault: Fault, breaker: Breaker) -> AWSResponse | None:
    if fault.status:
        return _response(request, fault.status, fault.body, **{"x-amzn-ErrorType": fault.name})
    if fault.name == "read time-out":
        raise ReadTimeoutError(endpoint_url=request.url)
    if fault.name == "connect time-out":
        raise ConnectTimeoutError(endpoint_url=request.url)
    # From here on it is botocore's own HTTP session that fails.
    request.url = breaker.url(fault.name)
    return None


def event_of(account: FaultyAccount, request_type: str, **properties: str) -> dict[str, Any]:
    """Make a request as CloudFormation sends it."""
    return {
        "RequestType": request_type,
        "ResponseURL": f"https://response.example.com/answer?X-Amz-Signature={SECRET}",
        "StackId": STACK,
        "RequestId": "a request of its own",
        "ResourceType": "Custom::TransferServerState",
        "LogicalResourceId": "State",
        "ResourceProperties": {
            "ServiceToken": FUNCTION,
            "ServerId": account.server_id,
            **properties,
        },
    }


class Wire:
    """What stands for a socket: keeps where it was connected to, and what was sent."""

    def __init__(self, answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") -> None:
        self.answer = answer
        self.connected: list[tuple[str, int]] = []
        self.waits_s: list[float] = []
        self.secured: list[str] = []
        self.sent = b""
        self.closed = False

    def create_connection(self, address: tuple[str, int], timeout: float, *_: object) -> "Wire":
        # As the real one does, before it looks a host up.
        address[0].encode("idna")
        self.connected.append(address)
        self.waits_s.append(timeout)
        return self

    def wrap(self, _socket: object, server_hostname: str) -> "Wire":
        self.secured.append(server_hostname)
        return self

    def sendall(self, data: bytes) -> None:
        self.sent += data

    def makefile(self, *_: object) -> BytesIO:
        return BytesIO(self.answer)

    def setsockopt(self, *_: object) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def put_through(wire: Wire, url: str, body: bytes) -> int:
    """PUT for real, but for the socket."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "create_connection", wire.create_connection)
        patch.setattr(ssl.SSLContext, "wrap_socket", wire.wrap)
        return delivery.put(url, body)
