"""What a deployment would do to servers: its requests, decided on and not carried out.

Each change becomes the very request that CloudFormation would send; claim.py says whose the server
is, machine.py what to do about it. What is so now is passed in; this module knows no client.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from transfer_server_state import claim, declaration
from transfer_server_state.declaration import Home, InvalidDeclarationError
from transfer_server_state.identity import Identity
from transfer_server_state.machine import COMMANDS, STABLE, State, Step, next_step
from transfer_server_state.outcome import ADVICE, STANDS, Outcome
from transfer_server_state.planned import (
    Action,
    Change,
    Deployment,
    Planned,
    Present,
    ServerUpdate,
    is_unknown,
)
from transfer_server_state.request import Request
from transfer_server_state.row import Row
from transfer_server_state.schema import PROPERTIES

# In place of what is not known yet, so that the rest can be checked.
_STAND_INS = {
    "ServerId": "s-00000000000000000",
    "DesiredState": str(State.ONLINE),
    "ServiceToken": "the provider's",
}


_ACTIONS = {
    (Step.DONE,): Action.NOTHING,
    (Step.STOP,): Action.STOP,
    (Step.START,): Action.START,
    (Step.WAIT, Step.DONE): Action.WAIT,
    (Step.WAIT, Step.STOP): Action.WAIT_THEN_STOP,
    (Step.WAIT, Step.START): Action.WAIT_THEN_START,
}
_NOTICES = {
    State.OFFLINE: "Nobody can connect until it is ONLINE again; users, keys and files stay. What "
    "becomes of open sessions is AWS's to say. OFFLINE costs as much as ONLINE.",
    State.ONLINE: "Users can connect again.",
}


def plan(asked: Deployment, present: Present) -> list[Planned]:
    """Return what a deployment would do, in CloudFormation's order: what is left comes last."""
    forecast = _Forecast(present, asked.changes)
    return [
        *_each(asked.updates, forecast.update, present.raises),
        *_each(asked.changes, forecast.declare, present.raises),
        *_each(asked.changes, forecast.release, present.raises),
    ]


_Asked = TypeVar("_Asked", Change, ServerUpdate)


def _each(
    asked: Iterable[_Asked],
    answer: Callable[[_Asked], Planned | None],
    raises: tuple[type[Exception], ...],
) -> Iterator[Planned]:
    for each in asked:
        try:
            planned = answer(each)
        except raises as error:
            planned = Planned(each.owner.name, Action.UNKNOWN, str(error), is_problem=True)
        if planned:
            yield planned


class _Forecast:
    """A deployment as it goes on: what is planned already is taken as done."""

    def __init__(self, present: Present, changes: Iterable[Change]) -> None:
        self._present = present
        self._seen: dict[str, tuple[Row, State | None]] = {}
        self._declared = {
            declaration.parse_released(change.after).server_id: change.after.get("DesiredState")
            for change in changes
            if change.after
        }

    def update(self, update: ServerUpdate) -> Planned | None:
        """Tell what AWS's own update of a server does to one that is OFFLINE."""
        row, state = self._look(update.server_id)
        if state is None or STABLE[state] is not State.OFFLINE:
            return None
        self._seen[update.server_id] = row, State.ONLINE
        reason = "AWS starts an OFFLINE server at every update of its AWS::Transfer::Server"
        return Planned(
            update.owner.name,
            Action.STARTED_BY_AWS,
            f"{reason}; {self._then(row)}",
            update.server_id,
            state,
            State.ONLINE,
            notice="Users can connect until it is stopped again.",
        )

    def declare(self, change: Change) -> Planned | None:
        """Tell what a new or a changed declaration does."""
        if change.after is None:
            return None
        unknown = [name for name, value in change.after.items() if is_unknown(value)]
        stand_ins = {name: _STAND_INS[name] for name in unknown if name in _STAND_INS}
        # Of what is no property of ours, the name is wrong whatever its value.
        known = {
            name: value
            for name, value in change.after.items()
            if name not in unknown or name not in PROPERTIES
        }
        try:
            request = self._request(change, known | stand_ins)
        except InvalidDeclarationError as error:
            return Planned(change.owner.name, Action.REFUSED, str(error))
        open_ = [name for name in ("ServerId", "DesiredState") if name in unknown]
        planned = Planned(
            change.owner.name,
            Action.UNKNOWN,
            f"{' and '.join(open_)}: known once it is applied",
            server_id="" if "ServerId" in open_ else request.server_id,
            desired=None if "DesiredState" in open_ else request.desired,
        )
        return planned if open_ else self._declare(request, change, planned)

    def _declare(self, request: Request, change: Change, planned: Planned) -> Planned:
        row, state = self._look(request.server_id)
        claimed = claim.decide(request, row, self._present.stacks)
        if state is None or isinstance(claimed, Outcome):
            outcome = claimed if isinstance(claimed, Outcome) else Outcome.GONE
            return replace(
                planned,
                action=Action.NOTHING if outcome is Outcome.RETAINED else Action.REFUSED,
                reason=_ending(outcome, request, row),
                actual=state,
            )
        written = replace(claimed, version=claimed.version + 1)
        self._seen[request.server_id] = written, claimed.target
        left = request.identity.server_id if request.identity and not request.knows else ""
        reason = _cause(change, row, request)
        if row.is_at_work(self._present.now_s) and not row.is_free:
            reason += f", once the request of {row.owner.name} is over that is at work on it"
        return _towards(claimed.target, state, row, replace(planned, reason=reason, replaces=left))

    def release(self, change: Change) -> Planned | None:
        """Tell what becomes of a server that a resource leaves."""
        if change.before is None or self._stays(change):
            return None
        request = self._request(replace(change, after=None), change.before)
        planned = Planned(
            change.owner.name, Action.NOTHING, "it is left as it is", request.server_id
        )
        if change.retained:
            return replace(planned, reason="its DeletionPolicy leaves the declaration standing")
        row, state = self._look(request.server_id)
        claimed = claim.decide(request, row, self._present.stacks)
        target = claimed.restoring if isinstance(claimed, Row) else None
        if target is None or state is None:
            return planned
        restored = _towards(target, state, row, planned)
        action = Action.RESTORE if restored.happens else Action.NOTHING
        return replace(restored, action=action, reason=f"it was found {target}")

    def _look(self, server_id: str) -> tuple[Row, State | None]:
        """Return a server's row and state as they will be by then."""
        if server_id not in self._seen:
            self._seen[server_id] = self._present.row(server_id), self._present.state(server_id)
        return self._seen[server_id]

    def _request(self, change: Change, properties: Mapping[str, Any]) -> Request:
        """Return what CloudFormation would send. Raises InvalidDeclarationError."""
        kind = "Update" if change.before is not None else "Create"
        event = {
            "RequestType": "Delete" if change.after is None else kind,
            "StackId": change.owner.stack_id,
            "LogicalResourceId": change.owner.logical_id,
            "PhysicalResourceId": change.physical_id,
            "ResourceProperties": properties,
            "ResponseURL": "",
            "RequestId": str(change.owner),
        }
        return Request.parse(event, Home.of(change.owner.stack_id), self._present.now_s)

    def _stays(self, change: Change) -> bool:
        """Tell whether the resource keeps its server, as far as that is known."""
        if change.after is None:
            return False
        identity = Identity.parse(change.physical_id)
        named = declaration.parse_released(change.after).server_id
        return identity is None or not named or named == identity.server_id

    def _then(self, row: Row) -> str:
        """Tell what happens to a server after AWS started it."""
        if declared := self._declared.get(row.server_id):
            return f"this deployment then declares it {declared}"
        if row.is_free or row.target is not State.OFFLINE:
            return "nobody declares it OFFLINE"
        mended = (
            "the guard stops it right after"
            if row.reasserts
            else "nobody stops it again without OnDrift: REASSERT or a change of Triggers"
        )
        return f"{row.owner.name} declares it OFFLINE, and {mended}"


def foreseen(desired: State, actual: State) -> tuple[Step, ...]:
    """Return the steps towards a state: the next one, and the one after a wait."""
    step = next_step(desired, actual, None)
    return (step, next_step(desired, STABLE[actual], None)) if step is Step.WAIT else (step,)


def _towards(desired: State, actual: State, row: Row, planned: Planned) -> Planned:
    steps = foreseen(desired, actual)
    command = next((step for step in steps if step in COMMANDS), None)
    last = (row.answer or {}).get("told", {})
    return replace(
        planned,
        action=_ACTIONS[steps],
        actual=actual,
        desired=desired,
        command=command,
        notice=_NOTICES[desired] if command else "",
        last_s=last.get("waited_s") if command and last.get("command") == command else None,
    )


def _ending(outcome: Outcome, request: Request, row: Row) -> str:
    """Tell why a request would end at once."""
    names = {"owner": row.owner.name, "mine": request.owner.name}
    stands = STANDS[outcome].format(server=request.server_id, **names)
    return f"{stands}. {ADVICE[outcome]}".rstrip()


def _cause(change: Change, row: Row, request: Request) -> str:
    """Tell why a request would be sent."""
    if not row.is_free and row.owner != request.owner:
        return f"taken over from {row.owner.name}"
    if change.before is None:
        return "declared for the first time" if row.is_free else "declared anew"
    return f"changed: {', '.join(declaration.changes(change.before, change.after or {}))}"
