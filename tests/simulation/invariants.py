"""What must hold in every history. What nobody can know is exempt, and told in limits.py alone.

Each invariant is a function from a finished World to readable violations.
"""

import json
import re
from collections.abc import Callable, Iterator
from itertools import pairwise

from handler import identity
from handler.machine import STABLE, UNDER_WAY, State, Step
from handler.pursuit import LATE_S
from handler.reconcile import PUT_OFF_S, READ_LAG_S
from tests.simulation import limits
from tests.simulation.cloudformation import Operation, Request
from tests.simulation.function import Invocation
from tests.simulation.transfer import Command, Server
from tests.simulation.world import World

TARGET = {Step.START: State.ONLINE, Step.STOP: State.OFFLINE}
# How long ago the handler may have asked the stack before its command.
_CHECKED_WITHIN_S = LATE_S + 2 * READ_LAG_S
_REASON = re.compile(
    r"(?P<server>s-\w+) is (?P<last>[A-Z_]+|in an unknown state)(, wanted (?P<wanted>\w+))?"
    r"(, after (?P<command>\w+))?, \d+ s(: .+?)?\.( .+)?",
    re.DOTALL,
)


def answered_in_time(world: World) -> Iterator[str]:
    """1. Every request that CloudFormation waits for is answered before its timeout."""
    exempt = (
        limits.lambda_came_late,
        limits.store_was_away,
        limits.timeout_is_short,
        limits.sending_is_unknown,
    )
    for request in world.requests:
        lost = limits.is_dead_letter(world, request) or any(limit(request) for limit in exempt)
        if request.over == "timed out" and not lost:
            yield f"{request} was not answered within {request.spec.timeout_s} s"


def true_answers(world: World) -> Iterator[str]:
    """2. SUCCESS only if the server was seen in the desired state after the request began.

    FAILED only with a Reason that is true, and names the server and its last observed state.
    """
    for request, invocation, answer in _answers(world):
        succeeded, releases = answer["Status"] == "SUCCESS", request.kind == "Delete"
        reason, server = answer["Reason"], request.spec.server
        if request.spec.flaw:
            if succeeded != releases:
                yield f"{invocation} answers {answer} to what is no declaration"
            continue
        states = [state for _, read, state in invocation.all_reads() if read is server]
        last = states[-1] if states else None
        if succeeded and not releases and last is not request.wanted:
            yield f"{invocation} answers SUCCESS, and saw {server} last as {last}"
        told = _REASON.fullmatch(reason)
        if told is None:
            if not (succeeded and releases):
                yield f"{invocation} gives a Reason that tells nothing: {reason}"
            continue
        if told["server"] != server.server_id:
            yield f"{invocation} names another server: {reason}"
        if told["last"] != (last or "in an unknown state"):
            yield f"{invocation} saw {last} last, and tells: {reason}"
        if told["command"] and Step(told["command"]) not in invocation.all_given():
            yield f"{invocation} gave {invocation.all_given()}, and tells: {reason}"
        if not succeeded and not told["wanted"] and "took its own" not in reason:
            yield f"{invocation} fails without what was wanted: {reason}"


def one_answer(world: World) -> Iterator[str]:
    """3. No two answers to one request contradict each other, and ids are verbatim.

    Of deliveries that do not know of each other, CloudFormation reads the first answer only.
    """
    for request in world.requests:
        answers = [*_answers(world, request)]
        for _, invocation, answer in answers:
            for name in ("StackId", "RequestId", "LogicalResourceId"):
                if answer[name] != request.event[name]:
                    yield f"{invocation} answers with {name} {answer[name]}"
        for (_, one, first), (_, other, second) in pairwise(answers):
            ids = {identity.parse(answer["PhysicalResourceId"]) for answer in (first, second)}
            ids -= {None, identity.parse(request.given)}
            if one is other and first != second:
                yield f"{one} answers {first}, then {second}"
            elif len(ids) > 1 and one.memory() and one.memory() is other.memory():
                yield f"{one} and {other} answer two ids: {ids}"
        for invocation in request.invocations:
            if invocation.handed_over and invocation.answers:
                yield f"{invocation} hands over, and answers"


def stable_identity(world: World) -> Iterator[str]:
    """4. The PhysicalResourceId changes only when the server does."""
    for request, invocation, answer in _answers(world):
        answered, given = answer["PhysicalResourceId"], request.given
        old, new = identity.parse(given), identity.parse(answered)
        server_id = request.spec.server.server_id
        if given and (request.kind == "Delete" or (old and old.server_id == server_id)):
            if answered != given:
                yield f"{invocation} changes the id {given} to {answered}"
        elif answer["Status"] == "FAILED" and answered == (given or "not-created"):
            if _has_commanded(invocation):
                yield f"{invocation} gave a command, and answers the id {answered}"
        elif new is None or new.server_id != server_id:
            yield f"{invocation} answers the id {answered} for {server_id}"


def _has_commanded(invocation: Invocation) -> bool:
    """Tell whether it did, or one that it continues, or an earlier attempt with its memory."""
    delivery = invocation.delivery
    earlier = (
        i
        for i in delivery.request.invocations
        if delivery.parent and i.delivery is delivery and i.attempt < invocation.attempt
    )
    commands = [*invocation.all_commands(), *(c for i in earlier for c in i.commands)]
    return any(command.accepted for command in commands)


def one_command(world: World) -> Iterator[str]:
    """5. At most one command a request, and none on a server that is there or under way.

    A request that takes back its own command gives a second one, the opposite.
    """
    for invocation in world.function.invocations:
        given = [command for command in invocation.all_commands() if command.accepted]
        pairs = pairwise(given)
        more = [two for two in pairs if not limits.undone_unseen(invocation, *two)]
        takes_back = invocation.delivery.request.kind != "Delete" and len(more) == 1
        if more and not (takes_back and more[0][0].step is not more[0][1].step):
            yield f"{invocation} gives {[str(command.step) for command in given]}"
        for command in invocation.commands:
            yield from _needless(invocation, command)


def _needless(invocation: Invocation, command: Command) -> Iterator[str]:
    target = TARGET[command.step]
    if command.observed in (None, target, State.STARTING, State.STOPPING):
        yield f"{invocation} gives {command.step} to a server seen {command.observed}"
    found_for_s = command.at_s - command.found_since_s
    if command.found in (target, UNDER_WAY[target]) and found_for_s > PUT_OFF_S + 2 * READ_LAG_S:
        yield f"{invocation} gives {command.step} to a server {command.found} for {found_for_s} s"


def no_trace(world: World) -> Iterator[str]:
    """6. After a rolled-back deployment that nobody else disturbed, servers are as they were."""
    for operation in world.operations:
        if operation.ending.endswith("ROLLBACK_COMPLETE"):
            for server in world.transfer.servers.values():
                found = operation.found[server.server_id]
                if not _is_as_found(server, found) and not _excused(world, operation, server):
                    yield (
                        f"{operation.stack} rolled back ({operation.kind}), and {server} is "
                        f"{server.state}, found {found}"
                    )


def _is_as_found(server: Server, found: State) -> bool:
    return server.state in (found, STABLE[found])


def _excused(world: World, operation: Operation, server: Server) -> bool:
    mine = [r for r in operation.requests if _touches(r, server)]
    others = (r for r in world.requests if r.operation is not operation and _touches(r, server))
    since_s, found = operation.began_s, STABLE[operation.found[server.server_id]]
    # A resource that had drifted is brought back to what it declared.
    drifted = any(r.old and r.old.server is server and r.old.desired is not found for r in mine[:1])
    unsent_back = any(r.kind == "Delete" and not r.succeeded for r in mine)
    return (
        not mine
        or drifted
        or unsent_back
        or server.disturbed_s > since_s
        or any(i.ended_s > since_s for r in others for i in r.invocations)
        or limits.several_declare(mine)
        or limits.found_behind_lag(server, since_s)
        or any(_is_exempt(world, r) for r in mine)
    )


def _is_exempt(world: World, request: Request) -> bool:
    return limits.is_dead_letter(world, request) or any(
        limit(request)
        for limit in (
            limits.stack_was_unread,
            limits.told_gone,
            limits.killed_and_gone_on,
            limits.outlived_by_stack,
            limits.cancelled_while_answering,
            limits.young_when_cancelled,
            limits.came_when_over,
            limits.found_twice,
            limits.could_not_come_back,
        )
    )


def _touches(request: Request, server: Server) -> bool:
    return any(spec and spec.server is server for spec in (request.spec, request.old))


def deletable(world: World) -> Iterator[str]:
    """7. Delete never blocks a stack that could be deleted."""
    for request, invocation, answer in _answers(world):
        if request.kind != "Delete" or answer["Status"] == "SUCCESS" or answer != request.accepted:
            continue
        server, reads = request.spec.server, invocation.all_reads()
        read_s, _, last = reads[-1] if reads else (0, server, None)
        if request.wanted is None or not (
            request.operation.rolls_back or request.spec.on_delete == "RESTORE"
        ):
            yield f"{invocation} fails, and owes nothing: {answer['Reason']}"
        elif read_s > server.gone_s + READ_LAG_S:
            yield f"{invocation} fails for a server that is gone: {answer['Reason']}"
        elif last is request.wanted and read_s > reads[0][0] + READ_LAG_S:
            yield f"{invocation} fails for a server that is as it was: {answer['Reason']}"


def newer_wins(world: World) -> Iterator[str]:
    """8. A newer request is not undone by an older one's late continuation."""
    for server in world.transfer.servers.values():
        for invocation, command in server.commands:
            request = invocation.delivery.request
            if not command.accepted or limits.age_is_unknown(invocation):
                continue
            for newer in world.requests[request.number + 1 :]:
                if _is_undone(newer, command, request) and not (
                    limits.another_stack(request, newer)
                    or limits.found_twice(request)
                    or limits.phase_is_the_same(invocation, newer)
                    or limits.deleted_meanwhile(invocation, command)
                    or limits.rolls_back_again(invocation, command)
                ):
                    late_s = command.at_s - newer.sent_s
                    yield f"{invocation} gives {command.step} {late_s:.0f} s after {newer}"


def _is_undone(newer: Request, command: Command, older: Request) -> bool:
    acts = newer.kind != "Delete" or any(i.reads for i in newer.invocations)
    alike = newer.operation is older.operation or newer.kind == older.kind == "Delete"
    sibling = alike and newer.logical_id != older.logical_id
    return (
        newer.spec.server is command.server
        and newer.succeeded
        and acts
        and not (sibling and limits.several_declare([newer, older]))
        and older.over_s <= newer.sent_s < command.at_s - _CHECKED_WITHIN_S
        and newer.wanted is not TARGET[command.step]
    )


def no_secret(world: World) -> Iterator[str]:
    """9. No secret in any log line, and no answer over 4,096 bytes.

    The log is read as it is written: World.oddities.
    """
    for invocation in world.function.invocations:
        for _, body in invocation.answers:
            if len(body) > 4096:
                yield f"{invocation} answers with {len(body)} bytes"


def declared_is_so(world: World) -> Iterator[str]:
    """10. At rest, undisturbed, a server that one living resource declares is in its state."""
    for server in world.transfer.servers.values():
        declaring = [
            resource.request
            for stack in dict.fromkeys(world.stacks.values())
            for resource in stack.resources.values()
            if resource.spec.server is server
        ]
        if len(declaring) != 1 or not declaring[0].succeeded or declaring[0].kind == "Delete":
            continue
        request = declaring[0]
        moved = server.state is not request.wanted and server.disturbed_s <= request.sent_s
        if moved and not _is_anothers(world, server, request):
            yield f"{server} is {server.state}, declared {request.wanted} by {request}"


def _is_anothers(world: World, server: Server, declaring: Request) -> bool:
    """Tell whether another request may have moved the server since, or have left it so."""
    for request in world.requests:
        if request is declaring or not _touches(request, server):
            continue
        elsewhere = limits.another_stack(declaring, request)
        if elsewhere and any(i.ended_s > declaring.sent_s for i in request.invocations):
            return True
        if not elsewhere and _is_exempt(world, request):
            return True
    if limits.found_behind_lag(server, declaring.sent_s) and not declaring.reverses:
        return True
    if not server.commands or (last := server.commands[-1])[1].at_s < declaring.sent_s:
        return False
    older = last[0].delivery.request
    # What an older request does after a newer one was sent is newer_wins' matter.
    return older.over_s <= declaring.sent_s or (
        (older.kind != "Delete" or older.operation.rolls_back)
        and limits.several_declare([older, declaring])
    )


def _answers(
    world: World, only: Request | None = None
) -> Iterator[tuple[Request, Invocation, dict[str, str]]]:
    for invocation in only.invocations if only else world.function.invocations:
        for _, body in invocation.answers:
            yield invocation.delivery.request, invocation, json.loads(body)


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
)


def violations(world: World) -> list[tuple[int, str]]:
    """Return what does not hold, by the number of its invariant."""
    found = [
        (number, text)
        for number, invariant in enumerate(INVARIANTS, 1)
        for text in invariant(world)
    ]
    return sorted({*world.oddities, *found})
