"""A request that outlives its invocation: what it takes along, and how it is handed over.

The function invokes itself asynchronously with the same event and a Memory. Lambda keeps and
retries that event, so what is in it survives a killed invocation. This module decides nothing.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from handler.aws import Aws
from handler.machine import State, Step
from handler.reconcile import Progress, UnavailableError

_KEY = "Continuation"
_ACCEPTED = 202
# As CloudFormation limits a ServiceTimeout.
LONGEST_TIMEOUT_S = 3600


@dataclass(frozen=True)
class Memory:
    """What a request knows of itself.

    `phase`: the stack's, when the request began to wait for its turn. `takes_back`: the stack
    rolled back meanwhile, so the request takes back its own command.
    """

    progress: Progress
    phase: str = ""
    takes_back: bool = False


def recall(event: Mapping[str, Any], now_s: float) -> Memory | None:
    """Read the Memory of a continued request; None for a fresh one."""
    try:
        kept = dict(event[_KEY])
        progress = dict(kept.pop("progress"))
        progress["desired"] = State(progress["desired"])
        for name in ("first", "last", "commanded_in"):
            progress[name] = progress[name] and State(progress[name])
        progress["command"] = progress["command"] and Step(progress["command"])
        memory = Memory(progress=Progress(**progress), **kept)
        # Whoever forges a deadline may not keep the function busy for longer than that.
        return memory if memory.progress.deadline_s - now_s <= LONGEST_TIMEOUT_S else None
    except (KeyError, TypeError, ValueError):
        return None


def hand_over(
    aws: Aws,
    function_arn: str,
    event: Mapping[str, Any],
    memory: Memory,
    sleep: Callable[[float], None],
) -> None:
    """Invoke the function anew with the event and the memory.

    Raises UnavailableError or a RefusedError.
    https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
    """
    accepted = aws.insist(
        sleep,
        "lambda",
        "Invoke",
        FunctionName=function_arn,
        InvocationType="Event",
        Payload=json.dumps({**event, _KEY: asdict(memory)}),
    )
    if accepted["StatusCode"] != _ACCEPTED:
        raise UnavailableError("lambda:InvokeFunction: not accepted", maybe_done=True)
