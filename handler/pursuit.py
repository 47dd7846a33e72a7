"""A desired state pursued across invocations, and given up when the stack has moved on.

It runs the loop, hands over to another invocation, and takes back what nobody waits for. Which
state is desired, and what is answered in the end, it does not know.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from handler.aws import Aws
from handler.continuation import LONGEST_TIMEOUT_S, Memory, hand_over, recall
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
from handler.server import TransferServer
from handler.stack import Stack, sends_creates

# A request that is older than this before its command may not be awaited any more.
LATE_S = 10


@dataclass(frozen=True)
class Invocation:
    """An invocation of the function with a request, and the means that it has.

    `fix_id` takes the PhysicalResourceId that will be answered whatever happens from then on.
    """

    event: Mapping[str, Any]
    function_arn: str
    until_s: float
    aws: Aws
    now: Callable[[], float]
    sleep: Callable[[float], None]
    fix_id: Callable[[str], None]


def pursue(
    invocation: Invocation,
    server: TransferServer,
    stack: Stack,
    progress: Progress,
    *,
    introduces: bool,
) -> tuple[Ending, Memory] | None:
    """Bring the server to the desired state; None if another invocation carries on.

    A request that introduces a server is the only one to know the state it was found in. It hands
    over before its command: Lambda keeps the event, and so what was found, through whatever
    happens to the invocation that gives it.
    """
    recalled = recall(invocation.event, invocation.now())
    memory = recalled or Memory(progress)
    kept = not introduces or memory.progress.first is not None
    # A fresh request has one look, which settles most, before it makes itself at home.
    looks_only = recalled is None
    creates = invocation.event["RequestType"] == "Create"
    out_of_turn = False

    def is_late(progress: Progress) -> bool:
        return invocation.now() - progress.began_s > LATE_S

    # Lambda may deliver an event again after it was answered and its stack went on.
    is_stale = (
        looks_only and is_late(progress) and not stack.awaits(progress.began_s, creates=creates)
    )

    def fix_id(progress: Progress) -> None:
        if introduces and progress.first:
            invocation.fix_id(str(Identity(server.server_id, STABLE[progress.first])))

    def may_command(progress: Progress) -> bool:
        nonlocal out_of_turn
        if memory.takes_back:
            out_of_turn = not stack.has_given_up(memory.phase, commanded=True)
        else:
            out_of_turn = is_stale or (is_late(progress) and not stack.is_still_in(memory.phase))
        if out_of_turn or not kept:
            return False
        fix_id(progress)
        return True

    fix_id(memory.progress)
    while True:
        ending, progress = reconcile(
            server,
            memory.progress,
            now=invocation.now,
            sleep=invocation.sleep,
            until_s=invocation.now() if looks_only else invocation.until_s,
            may_command=may_command,
        )
        memory = replace(memory, progress=progress)
        goes_on = ending is Ending.OUT_OF_TIME or (ending is Ending.PAUSED and not out_of_turn)
        if goes_on and looks_only and (progress.uncertain or not progress.command):
            memory = replace(memory, phase=stack.phase())
            if creates and memory.phase and not sends_creates(memory.phase):
                return Ending.PAUSED, memory
        if ending is Ending.OUT_OF_TIME and looks_only:
            looks_only = False
            invocation.sleep(FIRST_PAUSE_S)
        elif goes_on:
            try:
                hand_over(
                    invocation.aws,
                    invocation.function_arn,
                    invocation.event,
                    memory,
                    invocation.sleep,
                )
            except (UnavailableError, RefusedError) as error:
                kept = True
                if ending is Ending.OUT_OF_TIME:
                    return ending, replace(memory, progress=replace(progress, problem=str(error)))
            else:
                return None
        elif (
            introduces
            and _has_changed(memory)
            and stack.has_given_up(memory.phase, commanded=progress.command is not None)
            and stack.holds(server.server_id, invocation.event["LogicalResourceId"]) is False
        ):
            memory = replace(memory, progress=_reverse(progress, invocation.now()), takes_back=True)
        else:
            if ending is Ending.DONE:
                fix_id(progress)
            return ending, memory


def _has_changed(memory: Memory) -> bool:
    """Tell whether the server is not as it was found, by our command for all that is known."""
    progress = memory.progress
    changed = progress.command is not None or progress.last is not progress.first
    return changed and not memory.takes_back and _found(progress) is not progress.desired


def _found(progress: Progress) -> State:
    return STABLE[progress.first or progress.desired]


def _reverse(progress: Progress, now_s: float) -> Progress:
    return Progress(
        desired=_found(progress),
        began_s=now_s,
        # Nobody waits any more.
        deadline_s=now_s + LONGEST_TIMEOUT_S,
        reverses=True,
        first=progress.first,
        last=progress.last,
    )
