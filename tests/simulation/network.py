"""Between the handler and AWS: latency, throttling, and every way in which a call can fail.

The errors are botocore's own, as its client raises them. Which call it is, and what it does, is
passed in.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError
from greenlet import getcurrent

from tests.simulation.clock import EPOCH_S

if TYPE_CHECKING:
    from tests.simulation.world import World

_URL = "https://aws.example/"
# Code -> HTTP status, as the service models have them; AccessDenied is common to all.
MODELLED = {
    "transfer": {
        "InternalServiceError": 500,
        "InvalidRequestException": 400,
        "ResourceNotFoundException": 400,
        "ServiceUnavailableException": 500,
        "ThrottlingException": 400,
        "RequestLimitExceeded": 503,
        "ConflictException": 400,
        "AccessDeniedException": 400,
    },
    "dynamodb": {
        "ProvisionedThroughputExceededException": 400,
        "ThrottlingException": 400,
        "InternalServerError": 500,
        "RequestTimeout": 408,
        "AccessDeniedException": 400,
    },
    "cloudformation": {
        "Throttling": 400,
        "AccessDenied": 403,
        "InternalFailure": 500,
        "ServiceUnavailable": 503,
    },
    "events": {"InternalFailure": 500, "ThrottlingException": 400, "AccessDeniedException": 400},
    "lambda": {
        "TooManyRequestsException": 429,
        "AccessDeniedException": 403,
        "ServiceException": 500,
        "EC2ThrottledException": 502,
        "ResourceNotFoundException": 404,
    },
}
# Kind -> the seconds it takes, whether the call reaches AWS (None: perhaps), and the error.
SOCKET: dict[str, tuple[float, bool | None, Callable[[], Exception]]] = {
    "refused": (0, False, lambda: EndpointConnectionError(endpoint_url=_URL)),
    "connect timeout": (5, False, lambda: ConnectTimeoutError(endpoint_url=_URL)),
    "read timeout": (10, None, lambda: ReadTimeoutError(endpoint_url=_URL)),
    "reset": (0, None, lambda: ConnectionClosedError(endpoint_url=_URL)),
    "garbage": (0, True, lambda: ResponseParserError("invalid JSON received")),
}
# These say that something stays as it is, so they are rarer.
FINAL = {
    "AccessDenied",
    "AccessDeniedException",
    "InvalidRequestException",
    "ResourceNotFoundException",
}
# What is not true of a server that is there; it can last for as long as a change takes to spread.
_SPREADS_WITHIN_S = 20
_DENIED = {
    service: next(code for code in codes if code.startswith("AccessDenied"))
    for service, codes in MODELLED.items()
}


def error(service: str, operation: str, code: str, message: str = "", **fields: str) -> ClientError:
    """Return the error that botocore raises for a code."""
    if code != "ThrottlingException":
        message = message or f"{code} of {operation}"
    status = MODELLED[service].get(code, 400)
    return ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": status, "RetryAttempts": 0},
            **fields,
        },
        operation,
    )


@dataclass(frozen=True)
class Storm:
    """A time in which calls to a service fail, at a rate, in a few ways."""

    service: str
    from_s: float
    until_s: float
    rate: float
    kinds: tuple[str, ...]


class Network:
    """The way to AWS and back."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.storms = [self._storm() for _ in range(world.knobs.storms)]
        self._tokens = world.knobs.burst
        self._filled_s = world.clock.now()
        self._unpermitted = {service for service in MODELLED if world.rng.random() < 0.5}

    def _storm(self) -> Storm:
        rng = self._world.rng
        service = rng.choice(
            ("transfer", "transfer", "dynamodb", "cloudformation", "lambda", "store")
        )
        from_s, lasts_s = self._world.clock.now() + rng.uniform(0, 3000), self._lasts_s()
        kinds = [*MODELLED.get(service, ("503", "503", "403", "slow", "lost")), *SOCKET]
        if lasts_s > _SPREADS_WITHIN_S and "ResourceNotFoundException" in kinds:
            kinds.remove("ResourceNotFoundException")
        return Storm(
            service,
            from_s,
            from_s + lasts_s,
            rng.choice((0.3, 0.9, 1.0)),
            tuple(rng.choice(kinds) for _ in range(rng.choice((1, 1, 3)))),
        )

    def _lasts_s(self) -> float:
        return self._world.log_uniform(1, 1500)

    def fault(self, service: str, kinds: tuple[str, ...]) -> str | None:
        """Return how a call fails that is made now, or None."""
        rng, now_s = self._world.rng, self._world.clock.now()
        if service in self._unpermitted and now_s < EPOCH_S + self._world.knobs.permissions_s:
            return _DENIED[service]
        for storm in self.storms:
            blows = storm.service == service and storm.from_s <= now_s < storm.until_s
            if blows and rng.random() < storm.rate:
                return rng.choice(storm.kinds)
        if rng.random() < self._world.knobs.background:
            kind = rng.choice(kinds)
            return rng.choice(kinds) if kind in FINAL else kind
        return None

    def call(self, service: str, operation: str, perform: Callable[[], Any]) -> Any:
        """Make a call as it fares; a kill may come before and after it reaches AWS."""
        world, invocation = self._world, getcurrent().owner
        world.clock.sleep(world.rng.uniform(0.01, 0.2))
        kind = self.fault(service, (*MODELLED[service], *SOCKET))
        if kind is None and service == "transfer" and not self._has_token():
            kind = "ThrottlingException"
        if kind is None:
            result = perform()
            world.clock.sleep(world.rng.uniform(0.01, 0.2))
            return result
        world.fault(f"{service} {kind}")
        world.note(invocation, "%s fails: %s", operation, kind)
        if kind not in SOCKET:
            invocation.failures.append((world.clock.now(), service, kind))
            retry = {"RetryAfterSeconds": "3"} if kind == "ThrottlingException" else {}
            raise error(service, operation, kind, **retry)
        takes_s, arrives, exception = SOCKET[kind]
        if arrives is None:
            arrives = world.rng.random() < 0.5
        if arrives:
            with suppress(ClientError):
                perform()
        world.clock.sleep(takes_s)
        invocation.failures.append((world.clock.now(), service, kind))
        raise exception()

    def _has_token(self) -> bool:
        knobs, now_s = self._world.knobs, self._world.clock.now()
        if not knobs.rate:
            return True
        self._tokens = min(knobs.burst, self._tokens + (now_s - self._filled_s) * knobs.rate)
        self._filled_s = now_s
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
