"""One call of the API from its bytes to its answer, and all that may be done to it from outside.

Must not know HTTP beyond a status and a body: the wire is another module's.
"""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from threading import Lock
from typing import Any

from local.emulator import model
from local.emulator.calls import CallLog, LoggedCall
from local.emulator.faults import Bucket, next_fault
from local.emulator.lifecycle import State, Timeline
from local.emulator.operations import CHANGE_SERVERS, OPERATIONS
from local.emulator.served import Endpoints, Served
from local.emulator.settings import ServerSettings, Settings, checked
from local.emulator.world import Call, Server, World


@dataclass(frozen=True)
class Answer:
    """What to send, and how: after a delay, and not at all if `wire` says so."""

    status: int
    body: bytes
    error: str | None = None
    delay_s: float = 0.0
    wire: str | None = None


class Service:
    """The Transfer API in memory. Several threads may use it at once.

    `now` is the only clock: states, lags and tokens are computed from it when they are asked for.
    `endpoints`, if there are any, hear of each change to a server before whoever made it goes on.
    """

    endpoints: Endpoints | None = None

    def __init__(self, now: Callable[[], float] = time.monotonic, **settings: Any) -> None:
        self._now = now
        self._since_1970_s = time.time() - now()
        self._lock = Lock()
        self._world = World(Settings())
        self._bucket: Bucket | None = None
        self._calls = CallLog()
        self.set(**settings)

    @property
    def settings(self) -> Settings:
        """The settings for all servers."""
        return self._world.settings

    def settings_of(self, server_id: str) -> ServerSettings:
        """Give the settings that hold for a server. Raises LookupError for an unknown one."""
        with self._lock:
            self._server(server_id)
            own = self._world.settings_of(server_id)
            return ServerSettings(
                **{each.name: getattr(own, each.name) for each in fields(ServerSettings)}
            )

    def set(self, server_id: str | None = None, /, **changes: Any) -> None:
        """Change settings, for all servers or for one.

        None takes a setting back: to its default, or for one server to what holds for all.
        Raises SettingsError, and then changes nothing; LookupError for an unknown server.
        """
        with self._lock:
            if server_id is None:
                values = checked(Settings, changes)
                defaults = {name: getattr(Settings(), name) for name in values}
                given = {name: value for name, value in values.items() if value is not None}
                self._world.settings = replace(self._world.settings, **defaults | given)
                if "throttle" in values:
                    throttle = self._world.settings.throttle
                    self._bucket = Bucket(throttle, self._now()) if throttle else None
            else:
                self._server(server_id)
                own = self._world.overrides.get(server_id, {}) | checked(ServerSettings, changes)
                self._world.overrides[server_id] = {
                    name: value for name, value in own.items() if value is not None
                }

    def put(self, server_id: str, state: State) -> None:
        """Put a server into a state, as if it had always been in it: reads see it at once."""
        with self._lock:
            self._server(server_id).timeline = Timeline(State(state))
        self._tell(server_id)

    def served(self, server_id: str) -> Served | None:
        """Give what an endpoint needs to know of a server; None where there is no such server."""
        with self._lock:
            server = self._world.servers.get(server_id)
            if server is None:
                return None
            now = self._now()
            change = server.timeline.next_after(now)
            return Served(
                state=server.timeline.at(now),
                next_change_s=None if change is None else change - now,
                properties=server.properties,
                users={name: user.properties for name, user in server.users.items()},
                session_grace_s=self._world.settings_of(server_id).session_grace_s,
            )

    def identify(self, server_id: str, fingerprint: str) -> None:
        """Have a server described with the fingerprint of the key that its endpoint shows."""
        with self._lock:
            if server := self._world.servers.get(server_id):
                server.properties = server.properties | {"HostKeyFingerprint": fingerprint}

    def states(self) -> dict[str, State]:
        """Give each server's true state; a read over the API may lag behind it."""
        with self._lock:
            now = self._now()
            return {key: each.timeline.at(now) for key, each in self._world.servers.items()}

    def history(self, server_id: str) -> list[tuple[float, State]]:
        """List the true states of a server so far as (since, state); the first since is -inf."""
        with self._lock:
            return self._server(server_id).timeline.until(self._now())

    def calls(self, after: int = 0) -> list[LoggedCall]:
        """List the calls made, oldest first, from the one numbered after + 1."""
        with self._lock:
            return self._calls.after(after)

    def answer(self, target: str, body: bytes, region: str) -> Answer:
        """Answer a call: `target` is the X-Amz-Target header."""
        prefix, _, operation = target.partition(".")
        if prefix != model.TARGET_PREFIX or operation not in model.OPERATIONS:
            return _failed(model.error("UnknownOperationException", f"No operation {target!r}"))
        with self._lock:
            answer, changed = self._answer(operation, body, region)
        if changed:
            self._tell(changed)
        return answer

    def _answer(self, operation: str, body: bytes, region: str) -> tuple[Answer, str | None]:
        now = self._now()
        fault = None
        carried_out = False
        changed = None
        request: dict[str, Any] = {}
        try:
            carry_out = _operation(operation)
            request = model.request(operation, body)
            self._throttle(now)
            fault, left = next_fault(self.settings.faults, operation)
            self._world.settings = replace(self.settings, faults=left)
            result = b""
            if fault is None or fault.carried_out or not (fault.error or fault.wire):
                call = Call(self._world, region, request, now, self._since_1970_s + now)
                outcome = carry_out(call)
                carried_out = True
                if operation in CHANGE_SERVERS:
                    changed = (request | outcome)["ServerId"]
                result = model.response(operation, outcome)
            if fault and fault.error:
                raise model.error(
                    fault.error,
                    fault.message,
                    status=fault.status,
                    RetryAfterSeconds=fault.retry_after_s,
                    Resource=request.get("ServerId"),
                    ResourceType="Server",
                )
            answer = Answer(200, result)
        except model.ApiError as error:
            answer = _failed(error)
        if fault:
            answer = replace(answer, delay_s=fault.delay_s, wire=fault.wire)
        self._calls.add(
            at_s=now,
            region=region,
            operation=operation,
            request=model.loggable(operation, request),
            carried_out=carried_out,
            status=answer.status,
            error=answer.error,
            wire=answer.wire,
        )
        return answer, changed

    def _tell(self, server_id: str) -> None:
        # Not under the lock: endpoints ask back.
        if self.endpoints:
            self.endpoints.changed(server_id)

    def _throttle(self, now: float) -> None:
        wait_s = self._bucket.wait_s(now) if self._bucket else 0
        if wait_s:
            raise model.error("ThrottlingException", RetryAfterSeconds=str(math.ceil(wait_s)))

    def _server(self, server_id: str) -> Server:
        if server_id not in self._world.servers:
            raise LookupError(f"no server {server_id!r}")
        return self._world.servers[server_id]


def _operation(name: str) -> Callable[[Call], dict[str, Any]]:
    if name not in OPERATIONS:
        raise model.ApiError("NotImplemented", 501, {"Message": f"The emulator has no {name}"})
    return OPERATIONS[name]


def _failed(error: model.ApiError) -> Answer:
    body = json.dumps({"__type": error.code} | error.fields).encode()
    return Answer(error.status, body, error.code)
