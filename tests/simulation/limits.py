"""What nobody can know or mend, and so no invariant asks for: the README quotes these.

Each limit is a predicate; its docstring is what a user is told.
"""

from collections.abc import Callable

from tests.simulation.deployment import Operation
from tests.simulation.stack import NEVER_S, Request
from tests.simulation.transfer import Command, Server
from transfer_server_state.progress import READ_LAG_S

SHORT_S = 240


def lambda_came_late(request: Request) -> bool:
    """Lambda delivered, or tried again, when the time of the request was over, or never.

    The answer comes then, too late for CloudFormation; what was lost is in the dead-letter queue.
    So is what the response store refused for as long as Lambda tries.
    """
    reserve_s = min(60, request.spec.timeout_s / 4)
    last_s = request.due_s - reserve_s
    lost = any(letter.request is request for letter in request.world.function.dead_letters)
    return lost or not any(
        i.ending != "killed" and i.began_s < last_s < i.ended_s for i in request.invocations
    )


def no_time_was_left(request: Request) -> bool:
    """What fails near the end of a ServiceTimeout is not tried again in time.

    An answer that the response store refuses is tried for a quarter of a minute, and by Lambda a
    minute later. Under four minutes, a call that nothing answers may take what is left.
    """
    failed = (at_s for i in request.invocations for at_s, _, _ in i.failures)
    refused = (at_s for i in request.invocations for at_s in i.puts_failed)
    return any(at_s > request.due_s - 150 for at_s in refused) or (
        request.spec.timeout_s < SHORT_S and any(at_s > request.due_s - 60 for at_s in failed)
    )


def sending_is_unknown(request: Request, other: Request | None = None) -> bool:
    """When a request was sent is known to the second, from the X-Amz-Date of its ResponseURL.

    Of what a resource is sent in one second, a deletion counts as the last. Without a date, time
    counts from the first delivery, and what comes late is not known for it.
    """
    if other is None or not request.dated:
        return not request.dated
    one, two = (request.world.sent_at(each.sent_s) for each in (request, other))
    told_apart = (request.stack, request.key) == (other.stack, other.key) and (
        (request.kind == "Delete") != (other.kind == "Delete")
    )
    return one.replace(microsecond=0) == two.replace(microsecond=0) and not told_apart


def could_not_undo(request: Request) -> bool:
    """A server that could not be restored in a rollback or a clean-up: the request FAILED.

    It is owed still, and the next deletion of the resource restores it; but CloudFormation sends
    none after a clean-up, nor to a server that an Update brought in and never answered for.
    """
    return request.undoes and request.sent_s < NEVER_S and not request.succeeded


def found_behind_lag(server: Server, began_s: float, requests: list[Request]) -> bool:
    """A server that changed less than 15 s before is found in the state that it had until then."""
    first_s = min(
        (
            at_s
            for r in requests
            for i in r.invocations
            for at_s, read, _ in i.reads
            if read is server
        ),
        default=began_s,
    )
    return any(began_s - READ_LAG_S < at_s < first_s for at_s, _ in server.history)


def several_declare(operation: Operation, server: Server) -> bool:
    """Several resources of a stack that declare one server at once look like a rename.

    When the last of them is removed, the others go unguarded until their next update. A linter
    tells of them.
    """
    first = operation.first()
    return any(
        sum(spec.server is server for spec in template.values()) > 1
        for template in (first.before, first.template)
    )


def registry_was_away(request: Request) -> bool:
    """A request that cannot write to the registry is answered all the same when its time is over.

    A repeated delivery may then be answered otherwise. A deletion goes by its id after two
    minutes, and does not know then who else has the server, nor what another delivery of it did.
    What it could not write down it still owes, as far as the guard knows.
    """
    return any(service == "dynamodb" for i in request.invocations for _, service, _ in i.failures)


def nobody_can_tell(request: Request) -> bool:
    """A deletion that cannot read what it owes, in the registry or of its stack, says so.

    It tries for as long as it has time, or for half a minute where that is denied, and leaves the
    server as it is. So it does where AWS says for half a minute that there is no such server.
    """
    return any(
        "nobody could tell" in answer["Reason"] or "does not exist" in answer["Reason"]
        for i in request.invocations
        for _, _, answer in i.answers
    )


def left_by_failed_update(operation: Operation, server: Server) -> bool:
    """After UPDATE_ROLLBACK_FAILED, DeleteStack leaves what was declared before as it is.

    So it does with a server that an Update was bringing in without an answer, or had replaced when
    the update failed with rollback disabled: no request names it. And so does
    ContinueUpdateRollback with what it is told to skip.
    """
    first, line = operation.first(), operation.line()
    declared = any(spec.server is server for spec in first.before.values())
    updates = [r for o in line for r in o.requests if r.kind == "Update"]
    unnamed = any(r.spec.server is server and not r.succeeded for r in updates)
    replaced = any(
        r.old is not None and r.old.server is server and r.spec.server is not server
        for r in updates
    )
    deleted = first is not operation and operation.kind == "delete"
    return any(o.skips for o in line) or (deleted and (declared or unnamed or replaced))


def undone_unseen(commands: list[Command]) -> bool:
    """A command that nothing acknowledged, undone by another before it was seen, is repeated."""
    server = commands[0].server
    first_s, last_s = commands[0].at_s, commands[-1].at_s
    return any(first_s < at_s for at_s in server.disturbed) or any(
        first_s < command.at_s < last_s for _, command in server.commands if command not in commands
    )


LIMITS: tuple[Callable[..., bool], ...] = (
    lambda_came_late,
    no_time_was_left,
    sending_is_unknown,
    could_not_undo,
    found_behind_lag,
    several_declare,
    registry_was_away,
    nobody_can_tell,
    left_by_failed_update,
    undone_unseen,
)
