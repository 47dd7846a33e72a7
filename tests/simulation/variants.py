"""The provider, broken on purpose: at least one variant for each invariant, which has to notice it.

A variant is a subclass of the entry point, or the real parts with one of them replaced for as
long as it runs. Each stands for a mistake that such a provider can really have.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from handler import keep, report
from handler.cloudformation import Provider
from handler.reconcile import Reconciliation
from transfer_server_state import claim, progress
from transfer_server_state.aws import registry
from transfer_server_state.aws.registry import Registry
from transfer_server_state.aws.stack import Stacks
from transfer_server_state.drift import Drift
from transfer_server_state.machine import Step
from transfer_server_state.outcome import Outcome
from transfer_server_state.request import Request
from transfer_server_state.row import Row


class _FailsInSilence(Provider):
    def _send(self, *arguments: Any, **named: Any) -> None:
        self._undelivered = None
        if self._answer is not None and self._answer.status == "SUCCESS":
            super()._send(*arguments, **named)


class _AnswersTwice(Provider):
    def _send(self, *arguments: Any, **named: Any) -> None:
        super()._send(*arguments, **named)
        if self._answer is not None:
            self._turn.release()
            super()._send("FAILED", "Execution timed out")


class _LogsItsEvent(Provider):
    def handle(self, event: Any, context: Any) -> None:
        logging.getLogger(__name__).info("received %s", event)
        super().handle(event, context)


def _believes_its_command(desired: Any, observed: Any, commanded_in: Any) -> Step:
    return Step.DONE if commanded_in else NEXT_STEP(desired, observed, commanded_in)


def _finds_anew(row: Row, request: Request, **changes: Any) -> Row:
    return CLAIMED(row, request, **{"found": None, **changes})


def _forgets_its_command(item: Any) -> Row:
    row = READ(item)
    return replace(
        row, progress=replace(row.progress, command=None, commanded_in=None, uncertain=False)
    )


def _restores_anothers(request: Request, row: Row, *_: object) -> Row:
    found = request.identity.found if request.identity and request.restores else None
    return row.claimed(request, owner=request.owner, restoring=found) if found else row


def _writes_blindly(table: Registry, row: Row) -> Row:
    written = replace(row, version=row.version + 1)
    table._call("PutItem", Item=registry._item(written))
    return written


class _KnowsEverybody(Stacks):
    def lists(self, *_: object) -> bool:
        return True


NEXT_STEP, READ, CLAIMED = progress.next_step, registry._row, Row.claimed


@dataclass(frozen=True)
class Variant:
    """A provider: what is replaced in which module or class, and the invariant that it breaks.

    A rare history that showed it once is `looked_at_first`.
    """

    breaks: int
    provider: Callable[..., Provider] = Provider
    replaced: tuple[tuple[Any, str, Any], ...] = ()
    looked_at_first: int = 0

    @contextmanager
    def broken(self) -> Iterator[Callable[..., Provider]]:
        """Return the entry point's class, for as long as the parts are replaced."""
        patches = [patch.object(*replaced) for replaced in self.replaced]
        for each in patches:
            each.start()
        try:
            yield self.provider
        finally:
            for each in patches:
                each.stop()


VARIANTS = {
    "": Variant(0),
    "fails in silence": Variant(1, _FailsInSilence),
    "believes its command": Variant(2, replaced=((progress, "next_step", _believes_its_command),)),
    "answers twice": Variant(3, _AnswersTwice),
    "finds anew at each update": Variant(
        4,
        replaced=(
            (Row, "claimed", _finds_anew),
            (Request, "knows", property(lambda _: False)),
        ),
    ),
    "forgets its command": Variant(5, replaced=((registry, "_row", _forgets_its_command),)),
    "writes blindly": Variant(5, replaced=((Registry, "write", _writes_blindly),)),
    "sees no rollback": Variant(6, replaced=((Stacks, "rolls_back", lambda *_: False),)),
    "clings to what is gone": Variant(
        7,
        replaced=((report, "_DELETES", report._DELETES - {Outcome.GONE}),),
        looked_at_first=113,
    ),
    "knows no newer request": Variant(8, replaced=((Row, "supersedes", lambda *_: False),)),
    "knows no rival": Variant(8, replaced=((Stacks, "has", lambda *_: False),)),
    "logs its event": Variant(9, _LogsItsEvent),
    "doubts no look": Variant(
        10, replaced=((Reconciliation, "_doubts", lambda *_: False),), looked_at_first=177
    ),
    "the guard sleeps": Variant(11, replaced=((Drift, "is_due", lambda *_, **__: False),)),
    "the guard obeys who is gone": Variant(
        12, replaced=((keep, "Stacks", _KnowsEverybody), (Row, "buried", lambda row: row))
    ),
    "clears up after its successor": Variant(
        10, replaced=((claim, "_give_up", _restores_anothers),), looked_at_first=457
    ),
}
