"""A custom-resource request, carried out: declare on Create and Update, release on Delete.

It joins declaration, identity, stack and loop. What to do about the server is decided in
machine.py; how an answer is delivered is not known here.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from handler import declaration, identity, report
from handler.aws import Aws
from handler.continuation import Memory, hand_over, recall
from handler.declaration import Declaration, Home, InvalidDeclarationError
from handler.identity import Identity
from handler.machine import STABLE, State
from handler.reconcile import (
    FIRST_PAUSE_S,
    Ending,
    Progress,
    RefusedError,
    UnavailableError,
    reconcile,
)
from handler.report import Answer
from handler.server import TransferServer
from handler.stack import Stack

# Kept back of the ServiceTimeout and of each invocation: to hand over, to answer, to try again.
_RESERVE_S = 60


class Request:
    """One request, in one invocation of the function.

    `fix_id` is told the PhysicalResourceId before the server is touched.
    """

    def __init__(
        self,
        event: Mapping[str, Any],
        context: Any,
        *,
        aws: Aws,
        now: Callable[[], float],
        sleep: Callable[[float], None],
        fix_id: Callable[[str], None],
    ) -> None:
        self._event, self._function_arn = event, context.invoked_function_arn
        self._aws, self._now, self._sleep, self._fix_id = aws, now, sleep, fix_id
        remaining_s = context.get_remaining_time_in_millis() / 1000
        self._until_s = now() + remaining_s - min(_RESERVE_S, remaining_s / 4)
        self._stack = Stack(aws, event["StackId"], sleep)
        self._releases = event["RequestType"] == "Delete"
        self._given = identity.parse(event.get("PhysicalResourceId"))

    def carry_out(self) -> Answer | None:
        """Return what to answer, or None if another invocation carries on."""
        properties = _mapping(self._event.get("ResourceProperties"))
        try:
            declared = declaration.parse(properties, Home.of(self._function_arn))
        except InvalidDeclarationError as error:
            return Answer(succeeded=self._releases, reason=str(error), outcome="invalid")
        return self._release(declared) if self._releases else self._declare(declared)

    def _declare(self, declared: Declaration) -> Answer | None:
        known = self._given is not None and self._given.server_id == declared.server_id
        before = _mapping(self._event.get("OldResourceProperties")).get("DesiredState")
        reverses = known and before != declared.desired
        progress = self._progress(declared, declared.desired, reverses=reverses)
        return self._pursue(declared.server_id, progress, introduces=not known)

    def _release(self, declared: Declaration) -> Answer | None:
        if self._given is None:
            return Answer(succeeded=True, reason="Nothing was created.", outcome="not ours")
        server_id = self._given.server_id
        rolls_back = recall(self._event) is not None or self._stack.is_rolling_back()
        if not rolls_back and not self._restores(self._given, declared):
            reason = f"{server_id} is left as it is"
            reason += "." if rolls_back is False else ": its stack could not be read."
            return Answer(succeeded=True, reason=reason, outcome="retained", server_id=server_id)
        progress = self._progress(declared, self._given.found)
        return self._pursue(server_id, progress, introduces=False)

    def _restores(self, given: Identity, declared: Declaration) -> bool:
        return declared.restore_on_delete and not self._stack.declares_elsewhere(
            given.server_id, self._event["LogicalResourceId"], str(given)
        )

    def _progress(
        self, declared: Declaration, desired: State, *, reverses: bool = False
    ) -> Progress:
        began_s = _sent_at_s(self._event["ResponseURL"], self._now())
        reserve_s = min(_RESERVE_S, declared.timeout_s / 4)
        return Progress(desired, began_s, began_s + declared.timeout_s - reserve_s, reverses)

    def _pursue(self, server_id: str, progress: Progress, *, introduces: bool) -> Answer | None:
        """Bring the server there, in this invocation or in the next.

        A request that introduces a server is the only one to know the state it was found in. It
        hands over before its command: Lambda keeps the event, and so what was found, through
        whatever happens to the invocation that gives it.
        """
        recalled = recall(self._event)
        memory = recalled or Memory(progress)
        kept = not introduces or memory.progress.first is not None
        # A fresh request has one look, which settles most, before it makes itself at home.
        looks_only = recalled is None
        server = TransferServer(self._aws, server_id)

        def fix_id(progress: Progress) -> None:
            if introduces and progress.first:
                self._fix_id(str(Identity(server_id, STABLE[progress.first])))

        def may_command(progress: Progress) -> bool:
            if not kept or not self._is_in_turn(memory):
                return False
            fix_id(progress)
            return True

        if memory.progress.command or memory.takes_back:
            fix_id(memory.progress)
        while True:
            ending, progress = reconcile(
                server,
                memory.progress,
                now=self._now,
                sleep=self._sleep,
                until_s=self._now() if looks_only else self._until_s,
                may_command=may_command,
            )
            memory = replace(memory, progress=progress)
            if ending is Ending.OUT_OF_TIME and looks_only:
                looks_only = False
                if not progress.command:
                    memory = replace(memory, phase=self._stack.phase())
                self._sleep(FIRST_PAUSE_S)
            elif ending is Ending.OUT_OF_TIME or (ending is Ending.PAUSED and not kept):
                try:
                    hand_over(self._aws, self._function_arn, self._event, memory, self._sleep)
                except (UnavailableError, RefusedError) as error:
                    kept = True
                    if ending is Ending.OUT_OF_TIME:
                        progress = replace(progress, problem=str(error))
                        return self._answer(server, ending, progress, memory)
                else:
                    return None
            elif introduces and not memory.takes_back and self._is_withdrawn(progress):
                memory = Memory(self._taken_back(progress), takes_back=True)
            else:
                if ending is Ending.DONE:
                    fix_id(progress)
                return self._answer(server, ending, progress, memory)

    def _is_in_turn(self, memory: Memory) -> bool:
        return not memory.phase or self._stack.phase() in {"", memory.phase}

    def _is_withdrawn(self, progress: Progress) -> bool:
        return progress.command is not None and self._stack.is_rolling_back() is True

    def _taken_back(self, progress: Progress) -> Progress:
        now_s = self._now()
        return Progress(
            desired=STABLE[progress.first or progress.desired],
            began_s=now_s,
            deadline_s=now_s + progress.deadline_s - progress.began_s,
            first=progress.first,
        )

    def _answer(
        self, server: TransferServer, ending: Ending, progress: Progress, memory: Memory
    ) -> Answer:
        gone = self._releases and ending is Ending.GONE
        return Answer(
            succeeded=(ending is Ending.DONE and not memory.takes_back) or gone,
            reason=report.reason(
                server.server_id,
                ending,
                progress,
                now_s=self._now(),
                taken_back=memory.takes_back and ending is Ending.DONE,
            ),
            outcome="taken back" if memory.takes_back else ending,
            server_id=server.server_id,
            data=report.attributes(server.server_id, server.arn, progress),
            progress=progress,
        )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _sent_at_s(response_url: str, now_s: float) -> float:
    """Return when a request was sent: its URL was signed then. It has no other time stamp."""
    try:
        signed = parse_qs(urlsplit(response_url).query)["X-Amz-Date"][0]
        sent_s = datetime.strptime(signed, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except (KeyError, ValueError):
        return now_s
    return sent_s if now_s - 3600 <= sent_s <= now_s else now_s
