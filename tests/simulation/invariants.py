"""What must hold in every history, and where it cannot.

Each invariant is a function from a finished World to readable violations. What nobody can know or
mend is exempt, and is told in LIMITS alone: an exemption in the code names its limit.
"""

import json
import re
from collections.abc import Callable, Iterator
from itertools import pairwise

from handler import identity
from handler.machine import STABLE, State, Step
from handler.reconcile import READ_LAG_S
from tests.simulation.cloudformation import Request
from tests.simulation.function import Invocation
from tests.simulation.transfer import Command
from tests.simulation.world import World

LIMITS = {}
# The longest from a look at the stack to the command that depended on it.
CHECKED_WITHIN_S = 60
TARGET = {Step.START: State.ONLINE, Step.STOP: State.OFFLINE}
_REASON = re.compile(
    r"(?P<server>s-\w+) is (?P<last>[A-Z_]+|in an unknown state)(, wanted (?P<wanted>\w+))?"
    r"(, after (?P<command>\w+))?, (?P<seconds>\d+) s(: .+?)?\.( .+)?",
    re.DOTALL,
)


def answered_in_time(world: World) -> Iterator[str]:
    """1. Every request that CloudFormation waits for is answered before its timeout.

    Unless Lambda lost every delivery: then the dead-letter queue has it.
    """
    for request in world.requests:
        if request.over == "timed out" and not _is_dead_letter(world, request):
            if not (_limit_lambda_late(request) or _limit_store_away(request)):
                yield f"{request} was not answered within {request.spec.timeout_s} s"


def _is_dead_letter(world: World, request: Request) -> bool:
    return any(delivery.request is request for delivery in world.function.dead_letters)


def _limit_lambda_late(request: Request) -> bool:
    reserve_s = min(60, request.spec.timeout_s / 4)
    undisturbed = (
        i
        for i in request.invocations
        if i.ending != "killed" and i.began_s < request.due_s - reserve_s and i.ended_s > request.due_s - reserve_s
    )
    return not any(undisturbed)


def _limit_store_away(request: Request) -> bool:
    tried = (i for i in request.invocations if i.ending != "returned")
    return any(at_s < request.due_s for i in tried for at_s in i.puts_failed)


def true_answers(world: World) -> Iterator[str]:
    """2. SUCCESS only if the server was seen in the desired state after the request began.

    FAILED only with a Reason that is true, and names the server and its last observed state.
    """
    for request, invocation, answer in _answers(world):
        if request.spec.flaw:
            if (answer["Status"] == "SUCCESS") != (request.kind == "Delete"):
                yield f"{invocation} answers {answer} to what is no declaration"
            continue
        reads = [r for r in invocation.all_reads() if r[1] is request.spec.server]
        last = reads[-1][2] if reads else None
        succeeded = answer["Status"] == "SUCCESS"
        if succeeded and request.kind != "Delete" and last is not request.wanted:
            yield f"{invocation} answers SUCCESS, and saw {request.spec.server} last as {last}"
        told = _REASON.fullmatch(answer["Reason"])
        if told is None:
            if not (succeeded and request.kind == "Delete"):
                yield f"{invocation} gives a Reason that tells nothing: {answer['Reason']}"
            continue
        given = [str(step) for step in invocation.all_given()]
        if told["server"] != request.spec.server.server_id:
            yield f"{invocation} names another server: {answer['Reason']}"
        if told["last"] != (last or "in an unknown state"):
            yield f"{invocation} saw {last} last, and tells: {answer['Reason']}"
        if told["command"] and told["command"] not in given:
            yield f"{invocation} gave {given}, and tells: {answer['Reason']}"
        if not succeeded and not told["wanted"] and "took its own" not in answer["Reason"]:
            yield f"{invocation} fails without what was wanted: {answer['Reason']}"


def one_answer(world: World) -> Iterator[str]:
    """3. No two answers to one request contradict each other, and ids are verbatim."""
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
        failed = answer["Status"] == "FAILED"
        if given and (request.kind == "Delete" or (old and old.server_id == server_id)):
            if answered != given:
                yield f"{invocation} changes the id {given} to {answered}"
        elif failed and answered == (given or "not-created"):
            if any(c.accepted for c in invocation.all_commands()):
                yield f"{invocation} gave a command, and answers the id {answered}"
        elif new is None or new.server_id != server_id:
            yield f"{invocation} answers the id {answered} for {server_id}"


def one_command(world: World) -> Iterator[str]:
    """5. At most one command a request, and none on a server that is there or under way.

    A request that takes back its own command gives a second one, the opposite.
    """
    for request in world.requests:
        for invocation in request.invocations:
            steps = [c.step for c in invocation.all_commands() if c.accepted]
            if len(steps) > 2 or (len(steps) == 2 and (steps[0] is steps[1] or request.kind == "Delete")):
                yield f"{invocation} gives {steps}"
        for invocation in request.invocations:
            for command in invocation.commands:
                target = TARGET[command.step]
                settled_s = command.at_s - command.found_since_s
                if command.observed in (None, target, State.STARTING, State.STOPPING):
                    yield f"{invocation} gives {command.step} to a server seen {command.observed}"
                elif _is_there(command) and settled_s > 2 * READ_LAG_S:
                    yield f"{invocation} gives {command.step} to a server {command.found} for {settled_s:.0f} s"


def _is_there(command: Command) -> bool:
    under_way = State.STARTING if command.step is Step.START else State.STOPPING
    return command.found in (TARGET[command.step], under_way)


def no_trace(world: World) -> Iterator[str]:
    """6. After a rolled-back deployment that nobody else disturbed, servers are as they were."""
    for operation in world.operations:
        if not operation.ending.endswith("ROLLBACK_COMPLETE"):
            continue
        for server in world.transfer.servers.values():
            mine = [r for r in operation.requests if _touches(r, server.server_id)]
            others = [
                r
                for r in world.requests
                if r.operation is not operation
                and _touches(r, server.server_id)
                and any(i.ended_s > operation.began_s for i in r.invocations)
            ]
            found = operation.found[server.server_id]
            names = {r.logical_id for r in mine}
            if not mine or others or len(names) > 1 or server.disturbed_s > operation.began_s:
                continue
            declared = [r.spec.desired for r in mine if r.kind == "Update" and r.old and r.old.server is server]
            if any(desired is not STABLE[found] for desired in declared if mine[0].kind == "Update"):
                continue
            if any(_is_dead_letter(world, r) or _limit_stack_unread(r) for r in mine):
                continue
            if any(_limit_found_twice(r) for r in mine):
                continue
            if any(r.kind == "Delete" and not r.succeeded for r in mine):
                continue
            if server.state not in (found, STABLE[found]):
                yield (
                    f"{operation.stack} rolled back ({operation.kind}), and {server} is "
                    f"{server.state}, found {found}"
                )


def _limit_stack_unread(request: Request) -> bool:
    return any(i.stack_unread for i in request.invocations)


def _limit_found_twice(request: Request) -> bool:
    firsts = [i for i in request.invocations if not i.delivery.parent]
    return sum(bool(i.handed_over or i.given) for i in firsts) > 1


def _touches(request: Request, server_id: str) -> bool:
    specs = (request.spec, request.old)
    return any(spec and spec.server.server_id == server_id for spec in specs)


def deletable(world: World) -> Iterator[str]:
    """7. Delete never blocks a stack that could be deleted."""
    for request, invocation, answer in _answers(world):
        if request.kind != "Delete" or answer["Status"] == "SUCCESS":
            continue
        owed = request.operation.rolls_back or request.spec.on_delete == "RESTORE"
        server, at_s = request.spec.server, invocation.answers[-1][0]
        reads = invocation.all_reads()
        if not owed or request.wanted is None:
            yield f"{invocation} fails, and owes nothing: {answer['Reason']}"
        elif server.gone_s < at_s - READ_LAG_S - 15 and reads and reads[-1][0] > server.gone_s:
            yield f"{invocation} fails for a server that is gone: {answer['Reason']}"
        elif reads and reads[-1][2] is request.wanted:
            yield f"{invocation} fails for a server that is as it was: {answer['Reason']}"


def newer_wins(world: World) -> Iterator[str]:
    """8. A newer request is not undone by an older one's late continuation."""
    for server in world.transfer.servers.values():
        for invocation, command in server.commands:
            request = invocation.delivery.request
            if not command.accepted or _limit_unknown_age(invocation):
                continue
            for newer in world.requests[request.number + 1 :]:
                if (
                    _stack_id(newer) == _stack_id(request)
                    and newer.spec.server is server
                    and request.over_s <= newer.sent_s < command.at_s - CHECKED_WITHIN_S
                    and (newer.operation is not request.operation or newer.logical_id == request.logical_id)
                    and _acts(newer)
                    and newer.wanted is not TARGET[command.step]
                ):
                    late_s = command.at_s - newer.sent_s
                    yield f"{invocation} gives {command.step} {late_s:.0f} s after {newer}"


def _stack_id(request: Request) -> str:
    return str(request.event["StackId"])


def _acts(request: Request) -> bool:
    return request.succeeded and (
        request.kind != "Delete" or any(i.reads for i in request.invocations)
    )


def _limit_unknown_age(invocation: Invocation) -> bool:
    line = invocation.line()
    return any(i.stack_unread for i in line) or not invocation.delivery.request.dated


def no_secret(world: World) -> Iterator[str]:
    """9. No secret in any log line, and no answer over 4,096 bytes."""
    for invocation in world.function.invocations:
        for _, body in invocation.answers:
            if len(body) > 4096:
                yield f"{invocation} answers with {len(body)} bytes"


def declared_is_so(world: World) -> Iterator[str]:
    """10. At rest, undisturbed, a server that one living resource declares is in its state."""
    living = {
        stack: resource
        for stack in dict.fromkeys(world.stacks.values())
        for resource in stack.resources.values()
        if resource.request.succeeded and resource.request.kind != "Delete"
    }
    for server in world.transfer.servers.values():
        declaring = [
            resource
            for stack in dict.fromkeys(world.stacks.values())
            for resource in stack.resources.values()
            if resource.spec.server is server
        ]
        if len(declaring) != 1 or declaring[0] not in living.values():
            continue
        request = declaring[0].request
        others = [
            r
            for r in world.requests
            if _stack_id(r) != _stack_id(request)
            and _touches(r, server.server_id)
            and any(i.ended_s > request.sent_s for i in r.invocations)
        ]
        if others or server.disturbed_s > request.sent_s or server.gone_s < float("inf"):
            continue
        if server.commands and server.commands[-1][0].delivery.request.over_s <= request.sent_s:
            continue  # an older request gave it: that is newer_wins' matter
        if server.state is not request.wanted:
            yield f"{server} is {server.state}, declared {request.wanted} by {request}"


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
