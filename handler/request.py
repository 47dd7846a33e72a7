"""A custom-resource request: declare on Create and Update, release on Delete.

It joins declaration, identity and stack into a desired state, and makes the answer of what came
of it. What to do about the server is decided in machine.py; how an answer is delivered is not
known here.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from handler import declaration, identity, report
from handler.aws import PAUSES_S
from handler.continuation import recall
from handler.declaration import Declaration, Home, InvalidDeclarationError
from handler.identity import Identity
from handler.machine import State
from handler.pursuit import Invocation, pursue
from handler.reconcile import Ending, Progress
from handler.report import Answer
from handler.server import TransferServer
from handler.stack import Stack

# Kept back of the ServiceTimeout, to answer; and of each invocation, to hand over.
_RESERVE_S = 60
_HAND_OVER_S = 75
# A deletion that has the time asks its stack more patiently: it has to know.
_PATIENT_PAUSES_S = (1, 4, 8, 16, 32)
_PATIENT_TIMEOUT_S = 600


def until_s(context: Any, now_s: float) -> float:
    """Return when an invocation has to hand over, in seconds since the epoch."""
    remaining_s: float = context.get_remaining_time_in_millis() / 1000
    return now_s + remaining_s - min(_HAND_OVER_S, remaining_s / 4)


def carry_out(invocation: Invocation) -> Answer | None:
    """Return what to answer, or None if another invocation carries on."""
    event = invocation.event
    releases = event["RequestType"] == "Delete"
    given = identity.parse(event.get("PhysicalResourceId"))
    try:
        declared = declaration.parse(
            _mapping(event.get("ResourceProperties")), Home.of(invocation.function_arn)
        )
    except InvalidDeclarationError as error:
        return Answer(succeeded=releases, reason=str(error), outcome="invalid")
    began_s = _sent_at_s(event["ResponseURL"], invocation.now())
    patient = releases and declared.timeout_s >= _PATIENT_TIMEOUT_S
    pauses_s = _PATIENT_PAUSES_S if patient else PAUSES_S
    stack = Stack(invocation.aws, event["StackId"], invocation.sleep, pauses_s)
    if not releases:
        return _declare(invocation, stack, declared, given, began_s)
    if given is None:
        return Answer(succeeded=True, reason="Nothing was created.", outcome="not ours")
    return _release(invocation, stack, declared, given, began_s)


def _declare(
    invocation: Invocation,
    stack: Stack,
    declared: Declaration,
    given: Identity | None,
    began_s: float,
) -> Answer | None:
    known = given is not None and given.server_id == declared.server_id
    before = _mapping(invocation.event.get("OldResourceProperties")).get("DesiredState")
    reverses = known and before != declared.desired
    progress = _progress(declared, declared.desired, began_s, reverses=reverses)
    return _pursue(invocation, stack, declared.server_id, progress, introduces=not known)


def _release(
    invocation: Invocation, stack: Stack, declared: Declaration, given: Identity, began_s: float
) -> Answer | None:
    owed = recall(invocation.event, invocation.now()) is not None or stack.is_rolling_back()
    if not owed and declared.restore_on_delete:
        elsewhere = stack.declares_elsewhere(given, invocation.event["LogicalResourceId"])
        owed = None if elsewhere is None else not elsewhere
    if not owed:
        unread = ": its stack could not be read" if owed is None else ""
        return Answer(
            succeeded=True,
            reason=f"{given.server_id} is left as it is{unread}.",
            outcome="retained",
            server_id=given.server_id,
        )
    reverses = given.found is not declared.desired
    progress = _progress(declared, given.found, began_s, reverses=reverses)
    return _pursue(invocation, stack, given.server_id, progress, introduces=False)


def _progress(declared: Declaration, desired: State, began_s: float, *, reverses: bool) -> Progress:
    reserve_s = min(_RESERVE_S, declared.timeout_s / 4)
    return Progress(desired, began_s, began_s + declared.timeout_s - reserve_s, reverses)


def _pursue(
    invocation: Invocation, stack: Stack, server_id: str, progress: Progress, *, introduces: bool
) -> Answer | None:
    server = TransferServer(invocation.aws, server_id)
    ended = pursue(invocation, server, stack, progress, introduces=introduces)
    if ended is None:
        return None
    ending, memory = ended
    done = ending is Ending.DONE
    releases = invocation.event["RequestType"] == "Delete"
    moot = releases and ending in {Ending.GONE, Ending.PAUSED}
    return Answer(
        succeeded=(done and not memory.takes_back) or moot,
        reason=report.reason(
            server_id,
            ending,
            memory.progress,
            now_s=invocation.now(),
            taken_back=memory.takes_back and done,
        ),
        outcome="taken back" if memory.takes_back else ending,
        server_id=server_id,
        data=report.attributes(server_id, server.arn, memory.progress),
        progress=memory.progress,
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
