"""What can happen to a call to AWS: each error of botocore's models, each broken exchange.

Knows how an error and a broken connection look to botocore; not what anybody makes of them.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from xml.sax.saxutils import escape

import botocore.session
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker

from transfer_server_state.aws.client import CONFIG

SERVICES = {
    "transfer": ("DescribeServer", "StartServer", "StopServer"),
    "dynamodb": ("GetItem", "PutItem"),
    "cloudformation": ("DescribeStacks", "DescribeStackResource", "DescribeStackEvents"),
    "lambda": ("Invoke",),
}
SERVICE_OF = {each: service for service, operations in SERVICES.items() for each in operations}
COMMANDS = ("StartServer", "StopServer")
# https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/CommonErrors.html
COMMON = {
    "AccessDeniedException": 400,
    "ExpiredTokenException": 403,
    "IncompleteSignature": 403,
    "InternalFailure": 500,
    "NotAuthorized": 401,
    "OptInRequired": 403,
    "RequestAbortedException": 400,
    "RequestExpired": 400,
    "RequestTimeoutException": 408,
    "ServiceUnavailable": 503,
    "ThrottlingException": 400,
    "UnrecognizedClientException": 403,
    "ValidationError": 400,
}
# What AWS sends besides what its models list.
UNMODELLED = {
    "transfer": {"ConflictException": 400},
    "dynamodb": {},
    "cloudformation": {"AccessDenied": 403, "Throttling": 400, "RequestLimitExceeded": 503},
    "lambda": {"AccessDeniedException": 403},
}
THROTTLED = {*ThrottledRetryableChecker._THROTTLED_ERROR_CODES} - {"LimitExceededException"}
TRANSIENT = {*TransientRetryableChecker._TRANSIENT_ERROR_CODES}
DENIED = {
    "AccessDenied", "AccessDeniedException", "ExpiredTokenException", "IncompleteSignature",
    "NotAuthorized", "OptInRequired", "UnrecognizedClientException",
}  # fmt: skip
GONE = "ResourceNotFoundException"
# Of a write whose condition does not hold.
CONFLICT = "ConditionalCheckFailedException"
SAID = "Because it is so."

_RAISED: dict[str, Callable[..., Exception]] = {
    "refused": EndpointConnectionError,
    "reset": ConnectionClosedError,
    "closed": ConnectionClosedError,
    "no HTTP": ConnectionClosedError,
    "cut short": ConnectionClosedError,
    "connect time-out": ConnectTimeoutError,
    "read time-out": ReadTimeoutError,
}
_READ = {
    "garbage": (200, b"<html>no<"),
    "a gateway's page": (502, b"<html>no<"),
    "a bare 503": (503, b""),
    "a bare 429": (429, b""),
    "a bare 408": (408, b""),
}
BROKEN = (*_RAISED, *_READ)
# These never reached AWS, so they took no effect.
_NEVER = {"refused", "connect time-out", "a bare 429"}
_TAKES_S = {"connect time-out": CONFIG.connect_timeout, "read time-out": CONFIG.read_timeout}


@dataclass(frozen=True)
class Fault:
    """What happens to a call, which takes effect all the same if it was `carried_out`.

    It is answered with the `status`, or breaks in the way that its name tells where that is 0.
    `passes`: the next try may well be answered. `takes_s`: how long, where that is not as usual.
    """

    name: str
    status: int = 0
    body: bytes = b""
    passes: bool = True
    carried_out: bool = False
    takes_s: float | None = None

    def __str__(self) -> str:
        return f"{self.name}, carried out" if self.carried_out else self.name

    @property
    def is_slow(self) -> bool:
        """Tell whether nothing happens to it but that it takes long."""
        return self.name == "slow"

    @property
    def kind(self) -> str:
        """Tell which faults it is like, for whoever goes by what an error means."""
        if self.name in THROTTLED or self.status == 429:
            return "throttled"
        if self.name in DENIED:
            return "denied"
        if not self.passes:
            return self.name if self.name in {GONE, CONFLICT} else "refused"
        return f"{self.status > 0} {self.name in _NEVER} {self.takes_s} {self.carried_out}"

    def error(self, url: str) -> Exception:
        """Return what botocore raises where it gets no answer."""
        return _RAISED[self.name](endpoint_url=url)


SLOW = Fault("slow", takes_s=CONFIG.read_timeout - 1)


@dataclass
class Plan:
    """Which calls of an operation suffer the fault: the one with this number, or all since."""

    operation: str
    fault: Fault
    number: int = 0
    lasts: bool = False
    seen: int = 0

    def of(self, operation: str) -> Fault | None:
        """Return what happens to the next call."""
        if operation != self.operation:
            return None
        self.seen += 1
        hit = self.seen > self.number if self.lasts else self.seen == self.number + 1
        return self.fault if hit else None


@cache
def faults(operation: str) -> tuple[Fault, ...]:
    """Return each error that AWS answers to an operation, and each way in which a call breaks."""
    return (*_answered(operation), *_broken(operation), SLOW)


@cache
def lost(operation: str) -> tuple[Fault, ...]:
    """Return the faults of calls that took effect all the same, where a call has one."""
    if operation not in {*COMMANDS, "PutItem", "Invoke"}:
        return ()
    return tuple(
        replace(fault, carried_out=True)
        for fault in faults(operation)
        if not fault.is_slow
        and fault.name not in THROTTLED | _NEVER
        and (fault.status >= 500 or fault.status in {0, 408})
    )


@cache
def one_of_each(operation: str) -> tuple[Fault, ...]:
    """Return one of each kind of faults and lost calls of an operation."""
    every = (*faults(operation), *lost(operation))
    return tuple({fault.kind: fault for fault in reversed(every)}.values())[::-1]


def error_body(service: str, code: str, fields: dict[str, Any]) -> bytes:
    """Write an error in the protocol of a service."""
    if service != "cloudformation":
        return json.dumps({"__type": code, **fields}).encode()
    message = escape(fields.get("Message", ""))
    return (
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>"
        f"<Message>{message}</Message></Error><RequestId>0</RequestId></ErrorResponse>"
    ).encode()


def _answered(operation: str) -> Iterator[Fault]:
    service = SERVICE_OF[operation]
    model = botocore.session.get_session().get_service_model(service).operation_model(operation)
    modelled = {shape.name: shape for shape in model.error_shapes}
    codes = COMMON | UNMODELLED[service] | dict.fromkeys(modelled, 0)
    for code, usual in codes.items():
        fields, status = {"message": SAID, "Message": SAID}, usual
        if shape := modelled.get(code):
            fields = {name: SAID for name in shape.members if name.lower() == "message"}
            status = shape.metadata.get("error", {}).get("httpStatusCode") or (
                500 if shape._shape_model.get("fault") else 400
            )
        passes = (
            code in THROTTLED | TRANSIENT
            or status in {408, 429}
            or status >= 500
            or code == "ConflictException"
        )
        yield Fault(code, status, error_body(service, code, fields), passes=passes)


def _broken(operation: str) -> Iterator[Fault]:
    for name in _RAISED:
        yield Fault(name, takes_s=_TAKES_S.get(name))
    for name, (status, body) in _READ.items():
        # Where nothing has to be in an answer, botocore takes garbage for nothing.
        if name != "garbage" or operation.startswith("Describe"):
            yield Fault(name, status, body)
    if operation == "DescribeServer":
        yield Fault("nothing in it", 200, b"{}")
        unknown = {"Server": {"Arn": "arn:...", "State": "PAUSED"}}
        yield Fault("an unknown state", 200, json.dumps(unknown).encode())
