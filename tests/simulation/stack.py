"""A stack as CloudFormation describes it, and what it sends for its resources.

When it sends what, and what follows, is in deployment.py.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
"""

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.simulation.function import Delivery, Invocation
from tests.simulation.network import error
from tests.simulation.response_store import HOST, SECRET
from tests.simulation.template import FUNCTION_ARN, Key, Spec
from tests.simulation.transfer import ACCOUNT, REGION, Server
from transfer_server_state.identity import Identity
from transfer_server_state.machine import State

if TYPE_CHECKING:
    from tests.simulation.deployment import Deployment, Operation
    from tests.simulation.world import World

NEVER_S = float("inf")
_STACK_TYPE = "AWS::CloudFormation::Stack"
_RESOURCE_TYPE = "Custom::TransferServerState"
_IN_PROGRESS = {"Create": "CREATE", "Update": "UPDATE", "Delete": "DELETE"}


@dataclass(eq=False)
class Resource:
    """What a stack knows of one: how it is declared, its id, and what was last done."""

    spec: Spec
    request: "Request"
    physical_id: str
    status: str = ""

    @property
    def was_not_created(self) -> bool:
        """Tell whether its creation failed, or never answered."""
        return self.request.kind == "Create" and not self.request.succeeded


class Stack:
    """One stack from its creation to its deletion, and after; `parent` is the root it is in."""

    def __init__(self, world: "World", name: str, parent: "Stack | None" = None) -> None:
        self._world, self.name, self.parent = world, name, parent
        prefix = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack"
        self.stack_id = f"{prefix}/{name}/{len(world.stacks):08d}"
        self.status = self._reason = ""
        self.resources: dict[str, Resource] = {}
        self._events: list[tuple[float, str, str, str, str]] = []
        world.stacks[self.stack_id] = self

    def __str__(self) -> str:
        return self.name

    def become(self, status: str, reason: str = "") -> None:
        """Take a status."""
        if (self.status, self._reason) != (status, reason):
            self.status, self._reason = status, reason
            self._world.note(self, "%s %s", status, reason)
            self._event(_STACK_TYPE, self.name, self.stack_id, status)

    def mark(self, logical_id: str, status: str) -> None:
        """Give one of its resources a status."""
        resource = self.resources[logical_id]
        resource.status = status
        self._event(_RESOURCE_TYPE, logical_id, resource.physical_id, status)

    def _event(self, kind: str, name: str, physical_id: str, status: str) -> None:
        self._events.append((self._world.clock.now(), kind, name, physical_id, status))

    def describe(self) -> dict[str, Any]:
        """Return it as DescribeStacks does."""
        stack: dict[str, Any] = {"StackId": self.stack_id, "StackStatus": self.status}
        if self._reason:
            stack["StackStatusReason"] = self._reason
        if self.parent:
            stack["ParentId"] = stack["RootId"] = self.parent.stack_id
        return stack

    def describe_resource(self, logical_id: str) -> dict[str, Any]:
        """Return a resource as DescribeStackResource does."""
        resource = self.resources.get(logical_id)
        if resource is None:
            text = f"Resource {logical_id} does not exist for stack {self.name}"
            raise error("cloudformation", "DescribeStackResource", "ValidationError", text)
        return {
            "StackId": self.stack_id,
            "LogicalResourceId": logical_id,
            "PhysicalResourceId": resource.physical_id,
            "ResourceType": _RESOURCE_TYPE,
            "ResourceStatus": resource.status,
        }

    def describe_events(self, first: int, count: int) -> list[dict[str, Any]]:
        """Return some of its events, the newest first, as DescribeStackEvents does."""
        newest_first = self._events[::-1]
        return [
            {
                "StackId": self.stack_id,
                "Timestamp": self._world.sent_at(at_s),
                "ResourceType": kind,
                "LogicalResourceId": logical_id,
                "PhysicalResourceId": physical_id,
                "ResourceStatus": status,
            }
            for at_s, kind, logical_id, physical_id, status in newest_first[first : first + count]
        ]


@dataclass(eq=False)
class Work:
    """What a deployment does about one resource, until it is over."""

    world: "World"
    deployment: "Deployment"
    operation: "Operation"
    sent_s: float = field(default=NEVER_S, init=False)
    over_s: float = field(default=NEVER_S, init=False)
    over: str = field(default="", init=False)
    due_s: float = field(default=NEVER_S, init=False)
    succeeded: bool = field(default=False, init=False)
    # Whether it was sent in a rollback, a clean-up or a deletion.
    undoes: bool = field(default=False, init=False)

    @property
    def goes_forward(self) -> bool:
        """Tell whether it is cancelled when something else fails."""
        return not self.operation.rolls_back

    def send(self) -> None:
        """Begin."""
        self.sent_s, self.undoes = self.world.clock.now(), not self.goes_forward

    def end(self, why: str) -> None:
        """Wait for it no longer."""
        self.over, self.over_s = why, self.world.clock.now()
        self.world.note(self.deployment, "%s is over: %s", self, why)
        self.deployment.signal.give()


@dataclass(eq=False)
class ServerUpdate(Work):
    """An update of the AWS::Transfer::Server itself: AWS's handler starts one that is OFFLINE."""

    server: Server

    def send(self) -> None:
        """Begin."""
        super().send()
        self.world.note(self.deployment, "updates %s", self.server)
        self._look(2)

    def _look(self, pause_s: float) -> None:
        clock, state = self.world.clock, self.server.state
        if self.over:
            return
        if self.server.gone_s <= clock.now() or state in (State.START_FAILED, State.STOP_FAILED):
            self.end("failed")
        elif state is State.ONLINE:
            self.succeeded = True
            self.end("done")
            if self.world.guard:
                self.world.guard.server_updated(self.server)
        else:
            if state is State.OFFLINE:
                self.world.transfer.start_by_handler(self.server)
            clock.at(clock.now() + pause_s, lambda: self._look(min(2 * pause_s, 120)))

    def __str__(self) -> str:
        return f"update of {self.server}"


@dataclass(eq=False)
class Request(Work):
    """A custom-resource request, and what came of it."""

    number: int
    kind: str
    stack: Stack
    key: Key
    spec: Spec
    old: Spec | None
    given: str
    event: dict[str, Any] = field(default_factory=dict, init=False)
    accepted: dict[str, Any] | None = field(default=None, init=False)
    invocations: list[Invocation] = field(default_factory=list, init=False)

    @property
    def logical_id(self) -> str:
        """Return its resource's name in the template."""
        return self.key[1]

    @property
    def goes_forward(self) -> bool:
        """Tell whether it is cancelled when something else fails."""
        return self.kind != "Delete" and super().goes_forward

    @property
    def dated(self) -> bool:
        """Tell whether its ResponseURL says when it was sent."""
        return self.world.knobs.dated

    @property
    def wanted(self) -> State | None:
        """Return the state that it may bring about: the one declared, or the one to restore."""
        if self.kind != "Delete":
            return None if self.spec.flaw else self.spec.desired
        given = Identity.parse(self.given)
        return given.found if given else None

    def send(self) -> None:
        """Send it to the function."""
        super().send()
        world, now_s = self.world, self.world.clock.now()
        self.due_s = now_s + self.spec.timeout_s
        self._list(f"{_IN_PROGRESS[self.kind]}_IN_PROGRESS")
        dated = f"X-Amz-Date={world.sent_at(now_s):%Y%m%dT%H%M%SZ}&" if self.dated else ""
        url = f"https://{HOST}/{self.number}?{dated}{SECRET}{self.number:064x}"
        self.event |= {
            "RequestType": self.kind,
            "RequestId": self._request_id(),
            "ResponseURL": url,
            "StackId": self.stack.stack_id,
            "ServiceToken": FUNCTION_ARN,
            "ResourceType": _RESOURCE_TYPE,
            "LogicalResourceId": self.logical_id,
            "ResourceProperties": self.spec.properties(),
        }
        if self.given:
            self.event["PhysicalResourceId"] = self.given
        if self.old is not None:
            self.event["OldResourceProperties"] = self.old.properties()
        world.urls[url] = self
        world.note(self.deployment, "sends %s: %s on %s", self, self.wanted, self.spec.server)
        world.function.deliver(Delivery(self, json.dumps(self.event)))

    def _request_id(self) -> str:
        reused = self.world.knobs.reuses_request_ids
        text = f"{self.stack}-{self.logical_id}-{self.kind}"
        return text if reused else f"request-{self.number}"

    def take(self, answer: dict[str, Any]) -> None:
        """Take an answer, if it is still waited for."""
        if not self.over:
            self.accepted = answer
            self.succeeded = answer["Status"] == "SUCCESS"
            self.end("answered")

    def end(self, why: str) -> None:
        """Have its stack know what became of its resource."""
        if self.kind == "Delete":
            status = "DELETE_COMPLETE" if self.succeeded else "DELETE_FAILED"
        else:
            kind = _IN_PROGRESS[self.kind]
            status = f"{kind}_COMPLETE" if self.succeeded else f"{kind}_FAILED"
        self._list(status)
        super().end(why)

    def _list(self, status: str) -> None:
        resources, answer = self.stack.resources, self.accepted
        if self.kind == "Create" and not self.over and self.logical_id not in resources:
            resources[self.logical_id] = Resource(self.spec, self, "")
        resource = resources.get(self.logical_id)
        if resource is None or (self.kind == "Delete" and resource.physical_id != self.given):
            # It clears up after a resource that was replaced.
            return
        resource.request = self
        if self.kind != "Delete":
            resource.spec = self.spec
            honoured = self.succeeded or self.kind == "Create" or self.world.knobs.honours_failed_id
            if answer and honoured:
                resource.physical_id = answer["PhysicalResourceId"]
            elif status == "CREATE_FAILED":
                resource.physical_id = self._made_up()
        self.stack.mark(self.logical_id, status)

    def drop(self) -> None:
        """Have its stack forget the resource that it deleted, unless it has another id by now."""
        resource = self.stack.resources.get(self.logical_id)
        if resource and resource.physical_id == self.given:
            del self.stack.resources[self.logical_id]

    def _made_up(self) -> str:
        return f"{self.stack}-{self.logical_id}-{self.world.rng.randrange(10**9):09d}"

    def __str__(self) -> str:
        return f"r{self.number} {self.kind} {self.stack}.{self.logical_id}"
