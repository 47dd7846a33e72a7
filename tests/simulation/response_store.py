"""Where the answers go: presigned URLs, a store that is not always there, and who listens.

An answer counts from when it arrives, whether or not the handler ever hears of that.
"""

import json
from http.client import RemoteDisconnected
from typing import TYPE_CHECKING

from greenlet import getcurrent

if TYPE_CHECKING:
    from tests.simulation.function import Invocation
    from tests.simulation.world import World

HOST = "cloudformation-custom-resource-response.s3.example"
SECRET = "X-Amz-Signature="  # noqa: S105 - what a secret looks like, not one
_KINDS = ("503", "503", "403", "refused", "reset", "lost", "slow", "read timeout")
_TIMEOUT_S = 8


class ResponseStore:
    """Takes what is PUT to a URL that CloudFormation signed."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def put(self, url: str, body: bytes) -> int:
        """Take the handler's place for delivery.put: the HTTP status, or an OSError."""
        world, invocation = self._world, getcurrent().owner
        world.clock.sleep(world.rng.uniform(0.01, 0.1))
        kind = world.network.fault("store", _KINDS)
        if kind is None:
            self._take(url, body)
            world.clock.sleep(world.rng.uniform(0.01, 0.1))
            return self._acknowledge(invocation)
        invocation.puts_failed.append(world.clock.now())
        world.fault(f"store {kind}")
        world.note(invocation, "the answer's PUT fails: %s", kind)
        if kind in ("503", "403"):
            return int(kind)
        if kind == "slow":
            world.clock.sleep(7)
            invocation.failures.append((world.clock.now(), "store", kind))
            self._take(url, body)
            return self._acknowledge(invocation)
        if kind in ("lost", "garbage"):
            self._take(url, body)
            raise RemoteDisconnected("no response")
        if kind == "read timeout" and world.rng.random() < 0.5:
            self._take(url, body)
        if kind in ("read timeout", "connect timeout"):
            world.clock.sleep(_TIMEOUT_S)
            invocation.failures.append((world.clock.now(), "store", kind))
            raise TimeoutError("timed out")
        raise ConnectionRefusedError if kind == "refused" else ConnectionResetError

    def _acknowledge(self, invocation: "Invocation") -> int:
        invocation.acknowledged = True
        return 200

    def _take(self, url: str, body: bytes) -> None:
        invocation = getcurrent().owner
        self._world.note(invocation, "answers %s", body.decode())
        answer = json.loads(body)
        invocation.answers.append((self._world.clock.now(), body, answer))
        if invocation.acknowledged:
            self._world.oddities.append((3, f"{invocation} answers again after a 2xx"))
        request = self._world.urls.get(url)
        if request is not invocation.request:
            self._world.oddities.append((3, f"{invocation} answers to another request's URL"))
        else:
            request.take(answer)
