"""What must hold in every history. What nobody can know is exempt, and told in limits.py alone.

Each invariant is a function from a finished World to readable violations.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

from tests.simulation import limits
from tests.simulation.deployment import Operation
from tests.simulation.function import Invocation
from tests.simulation.guard import Pass
from tests.simulation.stack import NEVER_S, Request
from tests.simulation.transfer import Command, Server
from tests.simulation.world import World
from transfer_server_state.drift import MOST_COMMANDS
from transfer_server_state.identity import Identity
from transfer_server_state.machine import STABLE, State, Step
from transfer_server_state.outcome import STANDS, Outcome
from transfer_server_state.progress import LEAVES_WITHIN_S, READ_LAG_S

_UNDER_WAY = {State.ONLINE: State.STARTING, State.OFFLINE: State.STOPPING}
TARGET = {Step.START: State.ONLINE, Step.STOP: State.OFFLINE}
# How long a command that AWS puts off may go by what was seen before it.
_GOES_BY_A_LOOK_S = 60 + LEAVES_WITHIN_S + READ_LAG_S + 20
# Of these a Reason tells the server's state: as it is, and as it was last seen.
_FAILED = (Outcome.FAILED, Outcome.UNANSWERED)
_SAID_ONCE = ("Status", "PhysicalResourceId", "Data")
# What of a Reason is looked at.
_FIELDS = {
    "server": r"(?P<server>s-\w+)",
    "is_so": r"(is (?P<last>[A-Z_]+)|was not seen)",
    "was_so": r"(was last seen (?P<last>[A-Z_]+)|was not seen)",
    "wanted": r"(, wanted (?P<wanted>\w+))?",
    "after": r"(, after (?P<command>\w+))?",
    "waited": r"\d+ s",
    "owner": r"(?P<owner>\S+)",
    "mine": r"\S+",
    "problem": r".+",
}


def _said(outcome: Outcome) -> re.Pattern[str]:
    stands = re.escape(STANDS[outcome])
    stands = re.sub(r"\\\{(\w+)\\\}", lambda field: _FIELDS[field[1]], stands)
    return re.compile(rf"{stands}(: .+?)?\.( .+)?", re.DOTALL)


_SAID = {outcome: _said(outcome) for outcome in Outcome}


def says(answer: dict[str, Any], *outcomes: Outcome) -> re.Match[str] | None:
    """Return how an answer's Reason says that a request ended so, if it does."""
    matches = (_SAID[outcome].fullmatch(answer["Reason"]) for outcome in outcomes)
    return next((match for match in matches if match), None)


def answered_in_time(world: World) -> Iterator[str]:
    """1. Every request that CloudFormation waits for is answered before its timeout."""
    exempt = (
        limits.lambda_came_late,
        limits.no_time_was_left,
        limits.sending_is_unknown,
    )
    for request in world.requests:
        if request.over == "timed out" and not any(limit(request) for limit in exempt):
            yield f"{request} was not answered within {request.spec.timeout_s} s"


def true_answers(world: World) -> Iterator[str]:
    """2. SUCCESS only if the server was seen in the desired state after the request began.

    FAILED only with a Reason that is true, and names the server and its last observed state.
    """
    for request in world.requests:
        told: list[dict[str, Any]] = []
        for at_s, invocation, answer in answers(request):
            if answer not in told:
                told.append(answer)
                for problem in _untrue(world, request, invocation, answer, at_s):
                    yield f"{invocation} {problem}: {answer['Reason']}"


def _untrue(
    world: World, request: Request, invocation: Invocation, answer: dict[str, Any], at_s: float
) -> Iterator[str]:
    succeeded, releases = answer["Status"] == "SUCCESS", request.kind == "Delete"
    if "expected a whole number" in answer["Reason"] or (request.spec.flaw and not releases):
        if succeeded:
            yield "takes what is no declaration"
        return
    for outcome, is_true in _endings(world, request, at_s).items():
        if said := says(answer, outcome):
            if not is_true(said):
                yield f"is not {outcome}"
            if succeeded and not releases and not _is_left(answer):
                yield "succeeds"
            return
    yield from _untrue_sight(request, invocation, answer, at_s)


def _endings(
    world: World, request: Request, at_s: float
) -> dict[Outcome, Callable[[re.Match[str]], bool]]:
    """Return when it is true that a request ended so, without a word on the server's state."""
    server, releases = request.spec.server, request.kind == "Delete"
    touching = [r for r in world.requests if _touches(r, server)]
    return {
        # A cancelled Update that comes while its stack rolls back looks like the rollback's own.
        Outcome.RETAINED: lambda _: (
            releases or request.operation.rolls_back or at_s > request.over_s
        ),
        Outcome.UNKNOWN: lambda _: releases,
        Outcome.GONE: lambda _: server.gone_s <= at_s or _is_told_gone(request),
        Outcome.RIVAL: lambda said: any(_name(r) == said["owner"] for r in touching),
        Outcome.SUPERSEDED: lambda _: any(r.sent_s >= request.sent_s - 1 for r in touching),
        Outcome.EXPIRED: lambda _: at_s > request.due_s - 3,
    }


def _is_told_gone(request: Request) -> bool:
    kinds = (kind for i in request.invocations for _, _, kind in i.failures)
    return "ResourceNotFoundException" in kinds


def _untrue_sight(
    request: Request, invocation: Invocation, answer: dict[str, Any], at_s: float
) -> Iterator[str]:
    """Find out whether what was last seen is told as it was, and is what was wanted."""
    succeeded, releases = answer["Status"] == "SUCCESS", request.kind == "Delete"
    told = says(answer, *([Outcome.DONE] if succeeded else _FAILED))
    if told is None:
        yield "tells nothing"
        return
    server = next((s for s in _servers(request) if s.server_id == told["server"]), None)
    if server is None:
        yield "names another server"
        return
    # It tells what it saw last itself, or what the registry knows of another delivery.
    away = limits.registry_was_away(request)
    # Of another delivery, also that it saw nothing.
    looked = all(_last(i, server, at_s) is not None for i in request.invocations)
    last = {_last(invocation, server, at_s)} | {
        state
        for i in request.invocations
        for _, read, state in i.reads
        if read is server and (away or i is not invocation)
    }
    if told["last"] not in last and not (told["last"] is None and not looked):
        yield f"saw {last} last"
    if succeeded and not releases and told["last"] != request.wanted:
        yield "succeeds without what was wanted"
    if not succeeded and not told["wanted"]:
        yield "fails without what was wanted"
    given = {step for i in request.invocations for _, _, step in i.given}
    if told["command"] and told["command"] not in given and not _may_have_given(request):
        yield f"gave {given}"


def _may_have_given(request: Request) -> bool:
    """Tell whether a command was written down, and whoever wrote it did not live to give it."""
    return any(
        i.ending == "killed" or any(service == "dynamodb" for _, service, _ in i.failures)
        for i in request.invocations
    )


def _last(invocation: Invocation, server: Server, at_s: float) -> State | None:
    states = [state for read_s, read, state in invocation.reads if read is server and read_s < at_s]
    return states[-1] if states else None


def _name(request: Request) -> str:
    return f"{request.stack}/{request.logical_id}"


def one_answer(world: World) -> Iterator[str]:
    """3. No two answers to one request contradict each other, and ids are verbatim.

    When it is over, a repeated delivery may also be told that nothing is done for it.
    """
    for request in world.requests:
        given = [*answers(request)]
        for _, invocation, answer in given:
            for name in ("StackId", "RequestId", "LogicalResourceId"):
                if answer[name] != request.event[name]:
                    yield f"{invocation} answers with {name} {answer[name]}"
        for (_, _, first), (at_s, other, second) in pairwise(given):
            if at_s > request.over_s and (
                limits.sending_is_unknown(request) or limits.registry_was_away(request)
            ):
                continue
            contradicts = any(first[name] != second[name] for name in _SAID_ONCE)
            # Who was refused may find it free until its own undoing comes, or another there.
            refused = says(first, Outcome.RIVAL) or says(second, Outcome.RIVAL)
            passes = refused or _is_late(first) or _is_late(second) or _is_left(second)
            if contradicts and not (passes and at_s > request.over_s):
                yield f"{other} answers {second}, after {first}"
        for invocation in request.invocations:
            if invocation.handed_over and invocation.answers:
                yield f"{invocation} hands over, and answers"


def _is_late(answer: dict[str, Any]) -> bool:
    """Tell whether an answer says that the request comes too late; a newer one knows the rest."""
    return bool(says(answer, Outcome.SUPERSEDED, Outcome.EXPIRED))


def stable_identity(world: World) -> Iterator[str]:
    """4. The PhysicalResourceId changes only when the server does."""
    for request in world.requests:
        given, server_id = request.given, request.spec.server.server_id
        old = Identity.parse(given)
        for at_s, invocation, answer in answers(request):
            answered = answer["PhysicalResourceId"]
            new = Identity.parse(answered)
            if given and (request.kind == "Delete" or (old and old.server_id == server_id)):
                if answered != given:
                    yield f"{invocation} changes the id {given} to {answered}"
            elif answer["Status"] == "FAILED" and answered == (given or "not-created"):
                refused = at_s > request.over_s and says(answer, Outcome.RIVAL)
                excused = refused or _is_late(answer) or limits.registry_was_away(request)
                if _has_commanded(request, at_s) and not excused:
                    yield f"{invocation} gave a command, and answers the id {answered}"
            elif (new is None or new.server_id != server_id) and not _is_left(answer):
                yield f"{invocation} answers the id {answered} for {server_id}"


def _has_commanded(request: Request, before_s: float) -> bool:
    server = request.spec.server
    commands = (c for i in request.invocations for c in i.commands if c.at_s < before_s)
    return any(command.accepted and command.server is server for command in commands)


def _is_left(answer: dict[str, Any]) -> bool:
    return bool(says(answer, Outcome.RETAINED, Outcome.UNKNOWN))


def one_command(world: World) -> Iterator[str]:
    """5. At most one command a request, and none on a server that is there or under way.

    However the request is delivered, killed and continued.
    """
    for server in world.transfer.servers.values():
        given: dict[Request, list[Command]] = {}
        for invocation, command in server.commands:
            yield from _needless(invocation, command)
            if command.accepted:
                given.setdefault(invocation.request, []).append(command)
        for request, commands in given.items():
            alone = request.kind == "Delete" and limits.registry_was_away(request)
            if len(commands) > 1 and not alone and not limits.undone_unseen(commands):
                yield f"{request} gives {[str(command.step) for command in commands]} to {server}"


def _needless(invocation: Invocation, command: Command) -> Iterator[str]:
    target = TARGET[command.step]
    if command.observed in (None, target, State.STARTING, State.STOPPING):
        yield f"{invocation} gives {command.step} to a server seen {command.observed}"
    found_for_s = command.at_s - command.found_since_s
    if command.found in (target, _UNDER_WAY[target]) and found_for_s > _GOES_BY_A_LOOK_S:
        yield f"{invocation} gives {command.step} to a server {command.found} for {found_for_s} s"


def no_trace(world: World) -> Iterator[str]:
    """6. After a rolled-back deployment that nobody else disturbed, servers are as they were.

    Also where the rollback failed at first, and the stack was deleted then.
    """
    for operation in world.operations:
        if not _undoes(operation):
            continue
        for server in world.transfer.servers.values():
            found = operation.first().found[server.server_id]
            state = server.state_at(operation.ended_s)
            if state not in (found, STABLE[found]) and not _excused(world, operation, server):
                yield (
                    f"{operation.deployment}: {operation.ending} ({operation.kind}), and {server} "
                    f"is {state}, found {found}"
                )


def _undoes(operation: Operation) -> bool:
    deleted = operation.ending == "DELETE_COMPLETE"
    undoes = operation.rolls_back or operation.goes_on
    return operation.ending.endswith("ROLLBACK_COMPLETE") or bool(deleted and undoes)


def _excused(world: World, operation: Operation, server: Server) -> bool:
    first, line = operation.first(), operation.line()
    touching = [r for r in world.requests if r.sent_s < NEVER_S and _touches(r, server)]
    mine = [r for r in touching if r.operation in line]
    others = (
        command
        for invocation, command in server.commands
        if invocation.request.deployment is not operation.deployment
    )
    # A resource that had drifted is brought back to what it declared.
    found = STABLE[first.found[server.server_id]]
    declared = [spec for spec in first.before.values() if spec.server is server]
    # What an earlier deletion still owes, a later one restores.
    owing = (r for r in touching if r.sent_s <= operation.ended_s)
    rivals = [r for r in touching if r.deployment is not operation.deployment]
    # What nobody was ever told to have, whoever has it next restores.
    heir = any(r.kind == "Create" and not r.succeeded and _looked(r, server) for r in rivals)
    declared_by_others = any(
        hold.request in rivals and hold.from_s <= operation.ended_s < hold.until_s
        for hold in holds(world, server)
    )
    guarded = any(command.at_s > first.began_s for _, command in server.guarded)
    return (
        not mine
        or any(spec.desired is not found for spec in declared)
        or any(at_s > first.began_s for at_s in server.disturbed)
        or any(command.at_s > first.began_s for command in others)
        or guarded
        or heir
        or declared_by_others
        or limits.found_behind_lag(server, first.began_s, mine)
        or limits.several_declare(operation, server)
        or limits.left_by_failed_update(operation, server)
        or any(limits.could_not_undo(r) or limits.nobody_can_tell(r) for r in owing)
        or any(limits.sending_is_unknown(r) for r in mine)
    )


def _looked(request: Request, server: Server) -> bool:
    return any(read is server for i in request.invocations for _, read, _ in i.reads)


def _commanded(request: Request, server: Server) -> bool:
    return any(c.server is server for i in request.invocations for c in i.commands)


def _servers(request: Request) -> list[Server]:
    return [spec.server for spec in (request.spec, request.old) if spec]


def _touches(request: Request, server: Server) -> bool:
    return server in _servers(request)


def deletable(world: World) -> Iterator[str]:
    """7. Delete never blocks a stack that could be deleted."""
    for request in world.requests:
        for at_s, invocation, answer in answers(request):
            if request.kind != "Delete" or answer["Status"] == "SUCCESS" or at_s > request.over_s:
                continue
            told = says(answer, *_FAILED)
            if not _owes(world, request):
                yield f"{invocation} fails, and owes nothing: {answer['Reason']}"
            elif says(answer, Outcome.GONE):
                yield f"{invocation} fails for a server that is gone: {answer['Reason']}"
            elif told and told["last"] == told["wanted"] and not _had_to_doubt(request, answer):
                yield f"{invocation} fails for a server that is as it was: {answer['Reason']}"


def _had_to_doubt(request: Request, answer: dict[str, Any]) -> bool:
    """Tell whether a look could not be believed yet when AWS refused, or the time was over."""
    return ": transfer:" in answer["Reason"] or request.spec.timeout_s < limits.SHORT_S


def _owes(world: World, request: Request) -> bool:
    return bool(
        request.operation.rolls_back
        or request.operation.goes_on
        or request.spec.on_delete == "RESTORE"
        or Identity.parse(request.given) is None
        or any(
            r.kind == "Delete" and not r.succeeded
            for r in world.requests[: request.number]
            if (r.stack, r.key) == (request.stack, request.key)
        )
    )


def newer_wins(world: World) -> Iterator[str]:
    """8. A newer request is not undone by an older one, nor what one stack has by another's.

    When a newer request commanded or answered, nothing older is commanded any more.
    """
    for server in world.transfer.servers.values():
        acted = [(r, at_s) for r in world.requests if (at_s := _acted_s(r, server)) < NEVER_S]
        for invocation, command in server.commands:
            older = invocation.request
            for newer, acted_s in acted:
                # A deletion that goes by its id leaves no row to tell of it.
                unseen = newer.kind == "Delete" and limits.registry_was_away(newer)
                late = command.accepted and command.at_s > acted_s
                if late and not unseen and _is_newer(newer, older):
                    late_s = command.at_s - acted_s
                    yield f"{invocation} gives {command.step} {late_s:.1f} s after {newer} acted"
        for one, other in combinations(holds(world, server), 2):
            if one.overlaps(other) and not (
                _had_several(one.request, server, max(one.from_s, other.from_s))
                or limits.sending_is_unknown(one.request)
            ):
                yield f"{server} is declared by {one} and {other} at once"


def _had_several(declaring: Request, server: Server, until_s: float) -> bool:
    return any(
        operation.deployment is declaring.deployment and limits.several_declare(operation, server)
        for operation in declaring.world.operations
        if operation.began_s <= until_s
    )


def _is_newer(newer: Request, older: Request) -> bool:
    if limits.sending_is_unknown(newer, older) or newer.sent_s < older.sent_s:
        return False
    return int(newer.sent_s) > int(older.sent_s) or newer.kind == "Delete"


def _acted_s(request: Request, server: Server) -> float:
    """Return when a request first had an effect on a server: its command, or its word."""
    if not _touches(request, server):
        return NEVER_S
    times = [c.at_s for i in request.invocations for c in i.commands if c.server is server]
    looked = _looked(request, server)
    left = request.accepted is not None and _is_left(request.accepted)
    if request.spec.server is server and request.succeeded and looked and not left:
        times.append(request.over_s)
    return min(times, default=NEVER_S)


@dataclass(frozen=True)
class Hold:
    """A time in which a resource has a server, as CloudFormation knows."""

    request: Request
    from_s: float
    until_s: float

    def overlaps(self, other: "Hold") -> bool:
        """Tell whether two stacks that are not deployed as one have it at once."""
        apart = self.request.deployment is not other.request.deployment
        return apart and max(self.from_s, other.from_s) < min(self.until_s, other.until_s)

    def __str__(self) -> str:
        return f"{self.request}"


def holds(world: World, server: Server) -> list[Hold]:
    """Return when which resource had a server: since a SUCCESS, until another request for it."""
    found = []
    for request in world.requests:
        if not request.succeeded or request.spec.server is not server or request.kind == "Delete":
            continue
        if request.accepted and _is_left(request.accepted):
            # A rollback is refused nothing; another stack has the server.
            continue
        if world.knobs.returns_to_old_id and request.kind == "Update" and _is_replaced(request):
            # CloudFormation lists it with the server before again.
            continue
        later = (
            r.sent_s for r in world.requests[request.number + 1 :]
            if (r.stack, r.key) == (request.stack, request.key)
        )  # fmt: skip
        found.append(Hold(request, request.over_s, min(later, default=NEVER_S)))
    return found


def _is_replaced(update: Request) -> bool:
    brought_in = update.old is not None and update.old.server is not update.spec.server
    return brought_in and update.operation.rolls_back


def no_secret(world: World) -> Iterator[str]:
    """9. No secret in any log line, and no answer over 4,096 bytes.

    The log is read as it is written: World.oddities.
    """
    for invocation in world.function.invocations:
        for _, body, _ in invocation.answers:
            if len(body) > 4096:
                yield f"{invocation} answers with {len(body)} bytes"


def declared_is_so(world: World) -> Iterator[str]:
    """10. At rest, undisturbed, a server that one living resource declares is in its state.

    When a deployment is complete, and when all is over.
    """
    at_rest = [
        (operation, operation.ended_s)
        for operation in world.operations
        if operation.ending.endswith("_COMPLETE")
    ]
    last = {operation.deployment: operation for operation in world.operations if operation.ending}
    at_rest += [(operation, world.clock.now()) for operation in last.values()]
    for operation, at_s in at_rest:
        for request in operation.left.values():
            server = request.spec.server
            # One that was declared earlier may have drifted since.
            new = request.operation in operation.line() or at_s > operation.ended_s
            alone = sum(r.spec.server is server for r in operation.left.values()) == 1
            alone &= not any(o.skips for o in operation.line())
            if new and alone and request.succeeded and request.kind != "Delete":
                state = server.state_at(at_s)
                if state is not request.wanted and not _is_unguarded(world, request, at_s):
                    yield f"{server} is {state}, declared {request.wanted} by {request}"


def _is_unguarded(world: World, declaring: Request, at_s: float) -> bool:
    server, accepted = declaring.spec.server, declaring.accepted or {}
    others = [r for r in world.requests if r.sent_s <= at_s and _touches(r, server)]
    later = (r for r in others if r.sent_s > declaring.sent_s and r.kind == "Delete")
    return (
        _is_left(accepted)
        or any(limits.registry_was_away(r) for r in later)
        or _had_several(declaring, server, at_s)
        or any(declaring.sent_s < disturbed_s <= at_s for disturbed_s in server.disturbed)
        or limits.sending_is_unknown(declaring)
        or (
            not _may_be_stale(declaring)
            and limits.found_behind_lag(server, declaring.sent_s, [declaring])
        )
    )


def _may_be_stale(update: Request) -> bool:
    """Tell whether AWS may just have moved the server of an update, so that looks are doubted."""
    old, new, ours = update.old, update.spec, Identity.parse(update.given)
    knows = ours is not None and ours.server_id == new.server.server_id
    if old is None or not knows:
        return False
    return new.desired == "OFFLINE" or (old.desired, old.trigger) != (new.desired, new.trigger)


def kept(world: World) -> Iterator[str]:
    """11. What is declared with REASSERT is true again soon after whatever disturbed it.

    Looked at when all is over and the guard passed in peace, where the server can be moved.
    """
    if world.guard is None or _was_troubled(world.guard.passes[-_PASSES_THAT_MEND:]):
        return
    last = {operation.deployment: operation for operation in world.operations if operation.ending}
    living = [request for operation in last.values() for request in operation.left.values()]
    for server in world.transfer.servers.values():
        declaring = [r for r in living if r.spec.server is server]
        if len(declaring) != 1 or server.gone_s < world.clock.now():
            continue
        (request,) = declaring
        accepted = request.succeeded and request.kind != "Delete" and request.spec.reasserts
        moved = server.state in (request.wanted, *_UNDER_WAY.values())
        if accepted and not moved and not _cannot_be_kept(world, request):
            yield f"{server} is {server.state}, to be kept {request.wanted} by {request}"


# Two see a drift; a command may be put off, and the transition takes until the next.
_PASSES_THAT_MEND = 10


def _was_troubled(passes: list[Pass]) -> bool:
    return any(each.failures or each.ending != "returned" for each in passes)


def _cannot_be_kept(world: World, declaring: Request) -> bool:
    server, accepted = declaring.spec.server, declaring.accepted or {}
    resource = declaring.stack.resources.get(declaring.logical_id)
    others = [r for r in world.requests if r is not declaring and _touches(r, server)]
    vain = [c for _, c in server.guarded[-MOST_COMMANDS:] if TARGET[c.step] is declaring.wanted]
    return (
        _is_left(accepted)
        or len(vain) == MOST_COMMANDS
        or resource is None
        # What came later in vain, or what the provider answered when nobody waited, decides.
        or any(r.sent_s >= declaring.sent_s for r in others)
        or _had_several(declaring, server, declaring.world.clock.now())
        or any(limits.registry_was_away(r) for r in (declaring, *others))
        or limits.sending_is_unknown(declaring)
    )


def guard_yields(world: World) -> Iterator[str]:
    """12. The guard never acts against a newer request, nor on what nobody declares."""
    for server in world.transfer.servers.values():
        touching = [r for r in world.requests if _touches(r, server)]
        for this, command in server.guarded:
            sent = [r for r in touching if r.sent_s < command.at_s]
            # Each resource by what it was last asked about this server and had an effect; what a
            # replacement leaves is declared until its clean-up.
            newest = {
                (r.stack, r.key): r
                for r in sent
                if r.spec.server is server and _took_effect_s(r, server) < command.at_s
                if not _clears_up(r)
            }.values()
            releasing = (r for r in sent if r.kind == "Delete" or r.spec.server is not server)
            owed = any(
                not (r.succeeded and r.over_s <= command.at_s) or limits.registry_was_away(r)
                for r in releasing
            )
            # What somebody commanded who never had it, and is not known any more, is owed, too.
            owed |= any(not r.succeeded and _commanded(r, server) for r in sent)
            if not owed and not any(_asks_for(r, command) for r in newest):
                yield f"{this} gives {command.step} to {server}, for which nobody asks"
            for request in sent:
                if _is_at_work(request, command):
                    yield f"{this} gives {command.step} to {server}, with {request} at work"


def _clears_up(delete: Request) -> bool:
    """Tell whether it is of an attempt that failed, before another had its place."""
    made = (
        r
        for r in delete.world.requests[: delete.number]
        if (r.stack, r.key, r.kind) == (delete.stack, delete.key, "Create") and r.succeeded
    )
    return delete.kind == "Delete" and not Identity.parse(delete.given) and any(made)


def _took_effect_s(request: Request, server: Server) -> float:
    """Return when it acted, or answered SUCCESS, even if nobody waited for that, or heard it."""
    told = (at_s for at_s, _, answer in answers(request) if answer["Status"] == "SUCCESS")
    unheard = [at_s for i in request.invocations for at_s in i.puts_failed]
    return min(_acted_s(request, server), next(told, NEVER_S), *unheard)


def _asks_for(newest: Request, command: Command) -> bool:
    """Tell whether a resource declares what the guard commands."""
    declares = newest.kind != "Delete" and newest.spec.reasserts
    return (declares and newest.wanted is TARGET[command.step]) or limits.sending_is_unknown(newest)


def _is_at_work(request: Request, command: Command) -> bool:
    """Tell whether a request had looked long before a command that was not its, and acts on it."""
    # Another delivery of it may answer later, and say it again.
    told = [answer for at_s, _, answer in answers(request) if at_s < command.at_s]
    for invocation in request.invocations:
        looks = [at_s for at_s, read, _ in invocation.reads if read is command.server]
        ends = [answer for _, _, answer in invocation.answers if answer not in told]
        acts = any(says(answer, Outcome.DONE, *_FAILED) for answer in ends)
        late_s = command.at_s - _IN_FLIGHT_S
        if acts and looks and min(looks) < late_s and max(looks) > command.at_s:
            return True
    return False


# What was written down leaves so late at most, and arrives so late.
_IN_FLIGHT_S = 16


def answers(request: Request) -> Iterator[tuple[float, Invocation, dict[str, Any]]]:
    """Return the answers to a request, in their order."""
    if len(request.invocations) == 1:
        (invocation,) = request.invocations
        yield from ((at_s, invocation, answer) for at_s, _, answer in invocation.answers)
    else:
        given = [(t, i, a) for i in request.invocations for t, _, a in i.answers]
        yield from sorted(given, key=lambda each: each[0])


INVARIANTS: tuple[Callable[[World], Iterator[str]], ...] = (
    answered_in_time,
    true_answers,
    one_answer,
    stable_identity,
    one_command,
    no_trace,
    deletable,
    newer_wins,
    no_secret,
    declared_is_so,
    kept,
    guard_yields,
)


def violations(world: World) -> list[tuple[int, str]]:
    """Return what does not hold, by the number of its invariant."""
    found = [
        (number, text)
        for number, invariant in enumerate(INVARIANTS, 1)
        for text in invariant(world)
    ]
    return sorted({*world.oddities, *found})
