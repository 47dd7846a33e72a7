"""What nobody can know or mend, and so no invariant asks for: the README quotes these.

Each limit is a predicate; its docstring is what a user is told.
"""

import json
from collections.abc import Callable
from math import inf

from handler.pursuit import LATE_S
from handler.reconcile import READ_LAG_S
from tests.simulation.cloudformation import Request
from tests.simulation.function import Invocation
from tests.simulation.transfer import Command, Server
from tests.simulation.world import World


def lambda_came_late(request: Request) -> bool:
    """Lambda delivered, or tried again, when the time of the request was over.

    The answer comes then, too late for CloudFormation.
    """
    reserve_s = min(60, request.spec.timeout_s / 4)
    last_s = request.due_s - reserve_s
    return not any(
        i.ending != "killed" and i.began_s < last_s < i.ended_s for i in request.invocations
    )


def store_was_away(request: Request) -> bool:
    """The response store refused the answer until the time was over.

    Lambda tries the request again twice, and then the dead-letter queue has it.
    """
    tried = (i for i in request.invocations if i.ending != "returned")
    return any(at_s < request.due_s for i in tried for at_s in i.puts_failed)


def timeout_is_short(request: Request) -> bool:
    """A ServiceTimeout under four minutes leaves no room for calls that fail near its end.

    One that nothing answers takes up to ten seconds, and then it is tried again.
    """
    failed = (at_s for i in request.invocations for at_s in i.failures)
    return request.spec.timeout_s < 240 and any(at_s > request.due_s - 60 for at_s in failed)


def sending_is_unknown(request: Request) -> bool:
    """A ResponseURL without X-Amz-Date hides when a request was sent.

    Time counts then from the first invocation that was not killed.
    """
    on_time = any(i.began_s < request.sent_s + 5 and i.attempt == 0 for i in request.invocations)
    killed = any(i.ending != "returned" for i in request.invocations)
    return not request.dated and (killed or not on_time)


def is_dead_letter(world: World, request: Request) -> bool:
    """Lambda lost every delivery: the dead-letter queue has the request."""
    return any(delivery.request is request for delivery in world.function.dead_letters)


def stack_was_unread(request: Request) -> bool:
    """A stack that cannot be read tells of no rollback, and of no newer deployment.

    The role lacks the permission, or CloudFormation's API does not answer for a minute.
    """
    return any(i.stack_unread for i in request.invocations)


def told_gone(request: Request) -> bool:
    """AWS says that there is no such server, and is wrong: a Delete has nothing to restore then."""
    return any(i.told_gone for i in request.invocations)


def killed_and_gone_on(request: Request) -> bool:
    """Killed after its command, cancelled, and its stack deleted before Lambda's next try.

    Nobody can tell then whether the change was its own. So too in an update, if it is true that a
    rollback changes the stack's LastUpdatedTime.
    """
    killed = any(i.commands and i.ending != "returned" for i in request.invocations)
    stack, is_update = request.stack, request.operation.kind == "update"
    return killed and (
        stack.nested
        or stack.stack_id != request.event["StackId"]
        or (is_update and request.world.knobs.rollback_is_update)
    )


def outlived_by_stack(request: Request) -> bool:
    """A cancelled request that ends when its stack deploys anew already takes nothing back.

    The server may be what the newer deployment wants.
    """
    ended_s = max((i.ended_s for i in request.invocations), default=0)
    return request.over != "answered" and any(
        operation.stack is request.stack and request.over_s < operation.began_s < ended_s
        for operation in request.world.operations
    )


def cancelled_while_answering(request: Request) -> bool:
    """CloudFormation cancels a request whose SUCCESS is on its way, and ignores that then."""
    return any(
        i.reads and i.reads[-1][0] < request.over_s < at_s
        for i in request.invocations
        for at_s, _ in i.answers
    )


def young_when_cancelled(request: Request) -> bool:
    """A request younger than ten seconds does not ask its stack whether it is cancelled."""
    return any(
        request.over_s < c.at_s < request.sent_s + LATE_S
        for i in request.invocations
        for c in i.commands
    )


def came_when_over(request: Request) -> bool:
    """An Update that reads its stack's phase when its deployment rolls back already, or ended.

    Its event came late, or the stack was cancelled at once; it looks like the rollback's own.
    Without X-Amz-Date, so does any request.
    """
    late = (i for i in request.invocations if _asked_when_over(i))
    return any(i.commands for i in late) and (not request.dated or request.kind == "Update")


def _asked_when_over(invocation: Invocation) -> bool:
    first, over_s = invocation.line()[0], invocation.delivery.request.over_s
    return first.began_s > over_s or over_s < first.stack_read_s < inf


def found_twice(request: Request) -> bool:
    """Two deliveries of the first event, neither of which knows of the other.

    The second may take for the state found what the first has changed already.
    """
    first = [i for i in request.invocations if not i.delivery.parent]
    return sum(bool(i.reads) for i in first) > 1


def found_behind_lag(server: Server, began_s: float) -> bool:
    """A server that changed less than 15 s before is found in the state that it had until then."""
    return any(began_s - READ_LAG_S < at_s < began_s for at_s, _ in server.history)


def could_not_come_back(request: Request) -> bool:
    """A cancelled request that could not take its command back; its Reason says so, in the log.

    So too a replacement that failed after its command, where CloudFormation goes by the old id.
    """
    for invocation in request.invocations:
        for _, body in invocation.answers:
            answer = json.loads(body)
            if answer["Status"] == "FAILED" and ", wanted " in answer["Reason"]:
                ignored = not request.world.knobs.honours_failed_id and request.kind == "Update"
                if answer != request.accepted or ignored:
                    return any(i.given for i in request.invocations)
    return False


def several_declare(requests: list[Request]) -> bool:
    """Several resources declare one server in a deployment: each finds what the other did."""
    return len({request.logical_id for request in requests}) > 1


def another_stack(request: Request, other: Request) -> bool:
    """Another stack declares the same server, or the same template deployed anew does.

    The last word wins: stacks do not know of each other.
    """
    return bool(request.event["StackId"] != other.event["StackId"])


def age_is_unknown(invocation: Invocation) -> bool:
    """A late delivery is not noticed without X-Amz-Date, or where the stack cannot be read."""
    unread = any(i.stack_unread for i in invocation.line())
    return unread or not invocation.delivery.request.dated


def phase_is_the_same(invocation: Invocation, newer: Request) -> bool:
    """An Update that starts while that very update rolls back looks like the rollback's own."""
    request = invocation.delivery.request
    is_late = request.kind == "Update" and _asked_when_over(invocation)
    return is_late and newer.operation is request.operation


def deleted_meanwhile(invocation: Invocation, command: Command) -> bool:
    """A request that ends, or is delivered again, after its stack was deleted.

    It cannot tell that it was answered, or that the stack lived on after it was cancelled: it
    takes its command back.
    """
    stack = invocation.delivery.request.stack
    return any(
        operation.stack is stack
        and operation.deletes
        and invocation.delivery.request.over_s < operation.began_s < command.at_s
        for operation in stack.world.operations
    )


def rolls_back_again(invocation: Invocation, command: Command) -> bool:
    """A cancelled request takes the rollback of its stack's next deployment for its own."""
    request = invocation.delivery.request
    return request.over != "answered" and any(
        operation.stack is request.stack
        and operation.rolls_back
        and request.over_s < operation.began_s < command.at_s
        for operation in request.world.operations
    )


def undone_unseen(invocation: Invocation, one: Command, other: Command) -> bool:
    """A command that nothing acknowledged, undone by another before it was seen, is repeated."""
    return one.server.disturbed_s > one.at_s or any(
        by is not invocation and one.at_s < command.at_s < other.at_s
        for by, command in one.server.commands
    )


LIMITS: tuple[Callable[..., bool], ...] = (
    lambda_came_late,
    store_was_away,
    timeout_is_short,
    sending_is_unknown,
    is_dead_letter,
    stack_was_unread,
    told_gone,
    killed_and_gone_on,
    outlived_by_stack,
    cancelled_while_answering,
    young_when_cancelled,
    came_when_over,
    found_twice,
    found_behind_lag,
    could_not_come_back,
    several_declare,
    another_stack,
    age_is_unknown,
    phase_is_the_same,
    deleted_meanwhile,
    rolls_back_again,
    undone_unseen,
)
