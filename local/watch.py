"""What happens at the two servers, seen from outside: stacks, calls, states, and log lines.

It must not know what is deployed, what should happen, or how it is shown.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from local.cloudformation_stack import Stack
from local.engine import Engine

# The emulator tells its times on the machine's monotonic clock, CloudFormation on the wall's.
_CLOCKS_DIFFER_S = time.time() - time.monotonic()


class Kind(IntEnum):
    """Where something was seen; the order in which simultaneous things are told."""

    STACK = 0
    CLIENT = 1
    CALL = 2
    SERVER = 3
    LOG = 4
    PLAN = 5
    CHECK = 6


@dataclass(frozen=True)
class Sight:
    """Something that happened.

    `at_s` is in seconds since the epoch. `subject` is a stack and its resource, a server or a
    client; `text` a status, an operation, a state, what the client did or where it finds the
    server, a line of a log or of a plan, or a promise that held; `reason` why something failed.
    """

    at_s: float
    kind: Kind
    subject: str
    text: str
    reason: str = ""


@dataclass
class Watch:
    """Tells the audience of all servers and all stacks, and of one log where a group is named."""

    engine: Engine
    audience: Callable[[Sight], None]
    log_group: str = ""
    _stacks: dict[str, tuple[object, ...]] = field(default_factory=dict)
    _events: dict[str, int] = field(default_factory=dict)
    _states: dict[str, int] = field(default_factory=dict)
    _endpoints: dict[str, tuple[str, str]] = field(default_factory=dict)
    _calls: int = 0
    _logged: set[str] = field(default_factory=set)

    def look(self) -> None:
        """Tell what has happened since the last look, in its order."""
        for sight in self._new():
            self.audience(sight)

    def skip(self) -> None:
        """Take what has happened so far as known."""
        self._new()

    def _new(self) -> list[Sight]:
        # States before calls, so that none is told before the call that caused it.
        sights = [
            *self._new_events(),
            *self._new_states(),
            *self._new_endpoints(),
            *self._new_calls(),
            *self._new_lines(),
        ]
        return sorted(sights, key=lambda sight: (sight.at_s, sight.kind))

    def _new_calls(self) -> Iterator[Sight]:
        for call in self.engine.control("GET", f"calls?after={self._calls}"):
            self._calls = call["number"]
            at_s = call["at_s"] + _CLOCKS_DIFFER_S
            yield Sight(at_s, Kind.CALL, "", call["operation"], call["error"] or "")

    def _new_states(self) -> Iterator[Sight]:
        for server_id in self.engine.control("GET", "servers"):
            known = self._states.get(server_id, 0)
            history = self.engine.control("GET", f"servers/{server_id}")["history"]
            self._states[server_id] = len(history)
            for change in history[known:]:
                since_s = change["since_s"]
                if since_s is not None:
                    at_s = since_s + _CLOCKS_DIFFER_S
                    yield Sight(at_s, Kind.SERVER, server_id, change["state"])

    def _new_endpoints(self) -> Iterator[Sight]:
        for server_id, endpoint in self.engine.control("GET", "endpoints").items():
            told = (endpoint["url"], endpoint["problem"] or "")
            if told != self._endpoints.get(server_id):
                self._endpoints[server_id] = told
                yield Sight(time.time(), Kind.CLIENT, server_id, *told)

    def _new_events(self) -> Iterator[Sight]:
        cloudformation = self.engine.client("cloudformation")
        pages = cloudformation.get_paginator("list_stacks").paginate()
        for summary in (each for page in pages for each in page["StackSummaries"]):
            stack_id = summary["StackId"]
            seen = (summary["StackStatus"], summary.get("LastUpdatedTime"))
            if self._stacks.get(stack_id) == seen and not seen[0].endswith("_IN_PROGRESS"):
                continue
            self._stacks[stack_id] = seen
            events = Stack(cloudformation, summary["StackName"], stack_id).events()
            yield from map(_told, events[self._events.get(stack_id, 0) :])
            self._events[stack_id] = len(events)

    def _new_lines(self) -> Iterator[Sight]:
        if not self.log_group:
            return
        pages = self.engine.client("logs").get_paginator("filter_log_events")
        for page in pages.paginate(logGroupName=self.log_group):
            for event in page["events"]:
                key = f"{event['logStreamName']} {event['timestamp']} {event['message']}"
                if key not in self._logged:
                    self._logged.add(key)
                    for line in _own_lines(event["message"]):
                        yield Sight(event["timestamp"] / 1000, Kind.LOG, "", line)


def _own_lines(message: str) -> Iterator[str]:
    """Return what a function logged as objects, without what CloudWatch makes metrics of."""
    for line in message.splitlines():
        # Lambda's own lines about an invocation are none.
        with suppress(ValueError):
            told = json.loads(line)
            told.pop("_aws", None)
            yield json.dumps(told)


def _told(event: dict[str, Any]) -> Sight:
    name, resource = event["StackName"], event["LogicalResourceId"]
    return Sight(
        event["Timestamp"].timestamp(),
        Kind.STACK,
        name if resource == name else f"{name}/{resource}",
        event["ResourceStatus"],
        event.get("ResourceStatusReason", ""),
    )
