"""The handler, broken on purpose: one variant for each invariant, which has to notice it.

A variant is a subclass of the entry point, or the real parts with one of them replaced for as
long as it runs. Each stands for a mistake that such a provider can really have.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from handler import cloudformation, pursuit, reconcile, request, stack
from handler.cloudformation import Provider
from handler.machine import Step


class _FailsInSilence(Provider):
    def _send(self, *arguments: Any, **named: Any) -> None:
        if self._answer is not None and self._answer.succeeded:
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


def _finds_anew(*arguments: Any, **named: Any) -> Any:
    return PURSUE(*arguments, **named | {"introduces": True})


def _forgets_its_command(event: Any, now_s: float) -> Any:
    memory = RECALL(event, now_s)
    return memory and replace(
        memory, progress=replace(memory.progress, command=None, commanded_in=None)
    )


def _clings(invocation: Any) -> Any:
    answer = CARRY_OUT(invocation)
    deletes = invocation.event["RequestType"] == "Delete"
    return replace(answer, succeeded=answer.outcome == "done") if answer and deletes else answer


NEXT_STEP, PURSUE, RECALL = reconcile.next_step, request.pursue, pursuit.recall
CARRY_OUT = cloudformation.carry_out


@dataclass(frozen=True)
class Variant:
    """A handler: what is replaced in which module or class, and the invariant that it breaks."""

    breaks: int
    provider: Callable[..., Provider] = Provider
    replaced: tuple[tuple[Any, str, Any], ...] = ()

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
    "believes its command": Variant(2, replaced=((reconcile, "next_step", _believes_its_command),)),
    "answers twice": Variant(3, _AnswersTwice),
    "finds anew at each update": Variant(4, replaced=((request, "pursue", _finds_anew),)),
    "forgets its command": Variant(5, replaced=((pursuit, "recall", _forgets_its_command),)),
    "sees no rollback": Variant(6, replaced=((stack.Stack, "is_rolling_back", lambda _: False),)),
    "clings to what is gone": Variant(7, replaced=((cloudformation, "carry_out", _clings),)),
    "asks no stack": Variant(8, replaced=((stack.Stack, "_describe", lambda *_: {}),)),
    "logs its event": Variant(9, _LogsItsEvent),
    "clears up after nobody": Variant(
        10, replaced=((stack.Stack, "declares_elsewhere", lambda *_: False),)
    ),
}
