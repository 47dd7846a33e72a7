"""Entry point: the guard, which sees to it that what was declared stays so.

It is called on a schedule, and by the events of what may just have moved a server. keep.py says
what it does about each.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacks-event-driven.html
"""

import logging
import os
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from handler import log
from handler.keep import Keeper
from handler.metrics import embedded
from transfer_server_state.aws.client import Aws, Patient
from transfer_server_state.aws.registry import Registry
from transfer_server_state.aws.server import Server, states
from transfer_server_state.clock import Clock
from transfer_server_state.machine import MOVING, State
from transfer_server_state.progress import READ_LAG_S
from transfer_server_state.row import Row

# To say what could not be done, and for what is tried again about one server.
_LEFT_MS = 60_000
_SERVER_ID = re.compile(r"s-[0-9a-f]{17}")


class GuardError(Exception):
    """Some servers could not be looked after; the next pass tries again."""


class Guard:
    """Looks after all declared servers, or after the one of an event."""

    def __init__(self, *, aws: Aws | None = None, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self._aws = Patient(aws or Aws(), self._clock)

    def handle(self, event: Any, context: Any) -> None:
        """Handle an event of EventBridge's. Raises GuardError, so that Lambda tries again."""
        logging.getLogger("handler").setLevel(logging.INFO)
        registry = Registry(self._aws, os.environ["REGISTRY_TABLE"])
        # Of what Lambda or EventBridge repeats, both ids are the same.
        this_pass = str(event.get("id") or context.aws_request_id)
        keeper = Keeper(self._aws, registry, self._clock, this_pass, partial(log.tell, context))
        named = _server_of(event)
        if named:
            # AWS has ended its own update when it sends this.
            at_once = event.get("source") == "aws.cloudformation"
            self._look_at_one(keeper, registry.read(named), at_once=at_once)
            counts = {"Reasserted": keeper.reasserted}
        else:
            # First the rows: one that is still so when its server was listed was so meanwhile.
            unreadable: list[str] = []
            rows = list(registry.rows(unreadable))
            for server_id in unreadable:
                keeper.note(server_id, "its row in the registry is not understood")
            self._look_at(keeper, rows, states(self._aws), context)
            counts = {
                "Drifted": keeper.drifted,
                "RestorationsOwed": keeper.owed,
                "Reasserted": keeper.reasserted,
            }
        log.tell(context, embedded(self._clock.now(), counts))
        if keeper.failures:
            raise GuardError(
                f"{len(keeper.failures)} of the calls for declared servers failed, the first: "
                f"{keeper.failures[0]}"
            )

    def _look_at(
        self, keeper: Keeper, rows: list[Row], found: Mapping[str, State], context: Any
    ) -> None:
        for number, row in enumerate(rows):
            if context.get_remaining_time_in_millis() < _LEFT_MS:
                keeper.note(
                    row.server_id, f"no time was left, nor for {len(rows) - number - 1} more"
                )
                return
            keeper.look_after(row, found.get(row.server_id), at_once=False)

    def _look_at_one(self, keeper: Keeper, row: Row, *, at_once: bool) -> None:
        if row.is_free:
            return
        server = Server(self._aws, row.server_id)
        actual = server.find()
        if actual in MOVING or actual is row.target:
            # What a read shows may be older than what the event tells of.
            self._clock.sleep(READ_LAG_S)
            actual = server.find()
        keeper.look_after(row, actual, at_once=at_once)


def _server_of(event: Mapping[str, Any]) -> str:
    """Return the server that an event is about, "" if that is all of them."""
    detail = event.get("detail") or {}
    parameters = detail.get("requestParameters") or {}
    named = detail.get("physical-resource-id") or parameters.get("serverId")
    found = _SERVER_ID.search(str(named))
    return found[0] if found else ""


handler = Guard().handle
