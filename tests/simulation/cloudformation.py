"""CloudFormation's side of the contract: stacks, their operations, and the requests they send.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from greenlet import getcurrent

from handler import identity
from handler.machine import State
from tests.simulation.clock import Signal
from tests.simulation.function import ARN, Delivery, Invocation
from tests.simulation.network import FINAL
from tests.simulation.response_store import HOST, SECRET
from tests.simulation.transfer import ACCOUNT, REGION, Server

if TYPE_CHECKING:
    from tests.simulation.world import World

NEVER_S = float("inf")


@dataclass(frozen=True)
class Spec:
    """A resource as its template declares it; `flaw` is a mistake in it."""

    server: Server
    desired: State
    on_delete: str = ""
    trigger: int = 0
    timeout_s: int = 3600
    by_arn: bool = False
    flaw: str = ""

    def properties(self) -> dict[str, Any]:
        properties: dict[str, Any] = {
            "ServiceToken": ARN,
            "ServerId": self.server.arn if self.by_arn else self.server.server_id,
            "DesiredState": self.flaw or str(self.desired),
        }
        if self.on_delete:
            properties["OnDelete"] = self.on_delete
        if self.trigger:
            properties["Triggers"] = [str(self.trigger)]
        if self.timeout_s != 3600:
            properties["ServiceTimeout"] = str(self.timeout_s)
        return properties


@dataclass
class Resource:
    """What the stack knows of one: how it was declared, its id, and what was last done."""

    spec: Spec
    physical_id: str
    request: "Request"
    status: str = "UPDATE_COMPLETE"

    @property
    def known_id(self) -> str:
        """Return the id that CloudFormation shows: of a request that just succeeded, its own."""
        answer = self.request.accepted
        if answer is None or not self.request.succeeded:
            return self.physical_id
        return str(answer["PhysicalResourceId"])


@dataclass(eq=False)
class Request:
    """A custom-resource request, and what came of it."""

    world: "World"
    number: int
    kind: str
    stack: "Stack"
    logical_id: str
    spec: Spec
    old: Spec | None
    given: str | None
    operation: "Operation"
    event: dict[str, Any]
    dated: bool
    sent_s: float
    over_s: float = NEVER_S
    over: str = ""
    accepted: dict[str, Any] | None = None
    invocations: list[Invocation] = field(default_factory=list)

    @property
    def due_s(self) -> float:
        return self.sent_s + self.spec.timeout_s

    @property
    def succeeded(self) -> bool:
        return self.accepted is not None and self.accepted["Status"] == "SUCCESS"

    @property
    def wanted(self) -> State | None:
        """Return the state that it may bring about: the one declared, or the one to restore."""
        if self.kind != "Delete":
            return None if self.spec.flaw else self.spec.desired
        given = identity.parse(self.given)
        return given.found if given and not self.spec.flaw else None

    @property
    def reverses(self) -> bool:
        """Tell whether it declares the opposite of what was declared for its server before."""
        before = self.old if self.old and self.old.server is self.spec.server else None
        return before is not None and before.desired is not self.spec.desired

    def take(self, answer: dict[str, Any]) -> None:
        """Take an answer, if it is still waited for."""
        if not self.over:
            self.accepted = answer
            self.end("answered")

    def end(self, why: str) -> None:
        """Wait for it no longer."""
        self.over, self.over_s = why, self.world.clock.now()
        self.world.note(self.stack, "%s is over: %s", self, why)
        self.stack.signal.give()

    def __str__(self) -> str:
        return f"r{self.number} {self.kind} {self.stack.name}.{self.logical_id}"


@dataclass(eq=False)
class Operation:
    """One deployment: what it found, and how it ended."""

    stack: "Stack"
    kind: str
    began_s: float
    found: dict[str, State]
    requests: list[Request] = field(default_factory=list)
    rolls_back: bool = False
    deletes: bool = False
    ending: str = ""


class Stack:
    """One stack and its life."""

    def __init__(self, world: "World", name: str, *, nested: bool) -> None:
        self.world, self.name = world, name
        self.signal = Signal(world.clock)
        self.serial = world.rng.random() < 0.5
        self.nested = nested
        self.resources: dict[str, Resource] = {}
        self._serial_number = 0
        self._status = self._parent_status = ""
        self._updated_s: float | None = None
        self._renew()

    def _renew(self) -> None:
        self._serial_number += 1
        prefix = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack"
        self.stack_id = f"{prefix}/{self.name}/{self._serial_number:08d}"
        self.parent_id = f"{prefix}/parent-{self.name}/{self._serial_number:08d}"
        self._updated_s = None
        self.world.stacks[self.stack_id] = self
        self.world.stacks[self.parent_id] = self

    def __str__(self) -> str:
        return self.name

    def _become(self, status: str, parent: str = "") -> None:
        self._status, self._parent_status = status, parent or status
        self.world.note(self, status)

    def live(self) -> None:
        """Create it, then update and delete it as chance has it."""
        world, rng = self.world, self.world.rng
        world.clock.sleep(rng.uniform(0, 5) if rng.random() < 0.5 else world.log_uniform(1, 2000))
        for _ in range(world.knobs.operations):
            if not self.resources:
                if self._status:
                    self._renew()
                self._create(self._template())
            elif self._status.endswith("_FAILED") or rng.random() < 0.2:
                self._delete()
            else:
                self._update(self._changed())
            world.clock.sleep(world.log_uniform(0.1, 300 if rng.random() < 0.8 else 4000))

    def _spec(self) -> Spec:
        rng = self.world.rng
        return Spec(
            server=rng.choice([*self.world.transfer.servers.values()]),
            desired=rng.choice((State.ONLINE, State.OFFLINE, State.OFFLINE)),
            on_delete=rng.choice(("", "", "RETAIN", "RESTORE", "RESTORE")),
            timeout_s=self.world.timeout_s(),
            by_arn=rng.random() < 0.5,
            flaw="OFLINE" if rng.random() < 0.03 else "",
        )

    def _template(self) -> dict[str, Spec]:
        names = ["A"] if self.world.rng.random() < 0.6 else ["A", "B"]
        return {name: self._spec() for name in names}

    def _changed(self) -> dict[str, Spec]:
        rng = self.world.rng
        specs = {name: resource.spec for name, resource in self.resources.items()}
        for name, spec in [*specs.items()]:
            change = rng.choice(("flip",) * 4 + ("server",) * 3 + ("trigger", "rename", "more"))
            if change == "flip":
                other = State.OFFLINE if spec.desired is State.ONLINE else State.ONLINE
                specs[name] = replace(spec, desired=other, flaw="")
            elif change == "server":
                specs[name] = replace(self._spec(), desired=spec.desired)
            elif change == "trigger":
                specs[name] = replace(spec, trigger=spec.trigger + 1, flaw="")
            elif change == "rename":
                specs[f"{name}{len(self.world.requests)}"] = specs.pop(name)
            else:
                specs[name] = replace(spec, on_delete=rng.choice(("", "RESTORE")))
        chance = rng.random()
        if chance < 0.15:
            specs[f"N{len(self.world.requests)}"] = self._spec()
        elif chance < 0.3:
            specs.pop(rng.choice([*specs]))
        return specs

    def _begin(self, kind: str) -> Operation:
        servers = self.world.transfer.servers.values()
        found = {server.server_id: server.state for server in servers}
        operation = Operation(self, kind, self.world.clock.now(), found)
        self.world.operations.append(operation)
        return operation

    def _end(self, operation: Operation, status: str) -> None:
        operation.ending = status
        self._become(status)

    def _create(self, specs: dict[str, Spec]) -> None:
        operation = self._begin("create")
        self._become("CREATE_IN_PROGRESS")
        creates = [self._request("Create", name, spec, operation) for name, spec in specs.items()]
        self.resources = {r.logical_id: _resource(r, "CREATE_IN_PROGRESS") for r in creates}
        ok = self._exchange(creates, self._fails_s())
        if ok and self.world.rng.random() >= self.world.knobs.sibling_fails_late:
            self.resources = {r.logical_id: _resource(r) for r in creates}
            self._end(operation, "CREATE_COMPLETE")
            return
        operation.rolls_back = True
        if self.nested and (ok or self.world.rng.random() < 0.5):
            self._become("DELETE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS")
        else:
            self._become("ROLLBACK_IN_PROGRESS")
        self.world.clock.sleep(self.world.rng.uniform(0.5, 10))
        deletes = [self._undo(request) for request in creates if request.sent_s < NEVER_S]
        self._exchange(deletes)
        self.resources = _left(deletes)
        self._end(operation, "ROLLBACK_FAILED" if self.resources else "ROLLBACK_COMPLETE")

    def _update(self, specs: dict[str, Spec]) -> None:
        operation = self._begin("update")
        self._updated_s = self.world.clock.now()
        self._become("UPDATE_IN_PROGRESS")
        old = self.resources
        changes = [
            self._change(name, spec, operation)
            for name, spec in specs.items()
            if name not in old or old[name].spec != spec
        ]
        self.resources = {
            **old,
            **{r.logical_id: _resource(r, "UPDATE_IN_PROGRESS") for r in changes},
        }
        ok = self._exchange(changes, self._fails_s())
        if ok and self.world.rng.random() >= self.world.knobs.sibling_fails_late:
            self._clean_up(operation, old, specs, changes)
        else:
            operation.rolls_back = True
            self._roll_back(operation, old, [r for r in changes if r.sent_s < NEVER_S])

    def _clean_up(
        self,
        operation: Operation,
        old: dict[str, Resource],
        specs: dict[str, Spec],
        changes: list[Request],
    ) -> None:
        self.resources |= {r.logical_id: _resource(r) for r in changes}
        leaving = [name for name in old if name not in specs]
        replaced = [
            name for name in specs if name in old and self._id(name) != old[name].physical_id
        ]
        for name in leaving:
            self.resources[name] = replace(old[name], status="DELETE_IN_PROGRESS")
        if self.nested and not specs:
            operation.deletes = True
            self._become("DELETE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        else:
            self._become("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        self._exchange([self._release(name, old[name], operation) for name in leaving + replaced])
        for name in leaving:
            del self.resources[name]
        self._end(operation, "UPDATE_COMPLETE")

    def _roll_back(
        self, operation: Operation, old: dict[str, Resource], changes: list[Request]
    ) -> None:
        if self.world.knobs.rollback_is_update:
            self._updated_s = self.world.clock.now()
        self._become("UPDATE_ROLLBACK_IN_PROGRESS")
        self.world.clock.sleep(self.world.rng.uniform(0.5, 10))
        updates = [r for r in changes if r.kind == "Update"]
        undone = {r.logical_id: self._revert(r) for r in updates}
        done = self._exchange([*undone.values()])
        self.resources = {**old, **{name: _resource(r) for name, r in undone.items()}}
        if not done:
            created = (r for r in changes if r.kind == "Create" and r.accepted)
            self.resources |= {r.logical_id: _resource(r) for r in created}
            self._end(operation, "UPDATE_ROLLBACK_FAILED")
            return
        self._become("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
        deletes = [self._undo(r) for r in changes if r.kind == "Create"]
        deletes += [
            self._release(name, Resource(r.old or r.spec, r.given or "", r), operation)
            for name, r in undone.items()
            if self._id(name) != r.given
        ]
        self._exchange(deletes)
        self._end(operation, "UPDATE_ROLLBACK_COMPLETE")

    def _delete(self) -> None:
        operation = self._begin("delete")
        operation.deletes = True
        self._become("DELETE_IN_PROGRESS")
        deletes = [self._release(n, r, operation) for n, r in self.resources.items()]
        for resource in self.resources.values():
            resource.status = "DELETE_IN_PROGRESS"
        self._exchange(deletes)
        self.resources = _left(deletes)
        self._end(operation, "DELETE_FAILED" if self.resources else "DELETE_COMPLETE")

    def _id(self, name: str) -> str:
        return self.resources[name].physical_id

    def _fails_s(self) -> float:
        """Return when a sibling fails, or somebody cancels."""
        world = self.world
        if world.rng.random() < world.knobs.sibling_fails:
            return world.clock.now() + world.log_uniform(0.2, 2000)
        return NEVER_S

    def _made_up(self, request: Request) -> str:
        return f"{self.name}-{request.logical_id}-{self.world.rng.randrange(10**9):09d}"

    def _undo(self, create: Request) -> Request:
        """Return the Delete after a Create, whose answer may never have come."""
        answer = create.accepted or {}
        physical_id = answer.get("PhysicalResourceId") or self._made_up(create)
        resource = Resource(create.spec, physical_id, create)
        return self._release(create.logical_id, resource, create.operation)

    def _release(self, name: str, resource: Resource, operation: Operation) -> Request:
        spec, given = resource.spec, identity.parse(resource.physical_id)
        if given:
            spec = replace(spec, server=self.world.transfer.servers[given.server_id])
        return self._request("Delete", name, spec, operation, given=resource.physical_id)

    def _revert(self, update: Request) -> Request:
        """Return the Update that undoes one, whose answer may never have come."""
        answer = update.accepted
        honoured = answer and (update.succeeded or self.world.knobs.honours_failed_id)
        given = answer["PhysicalResourceId"] if answer and honoured else update.given
        spec = update.old or update.spec
        return self._request(
            "Update", update.logical_id, spec, update.operation, old=update.spec, given=given
        )

    def _change(self, name: str, spec: Spec, operation: Operation) -> Request:
        if name not in self.resources:
            return self._request("Create", name, spec, operation)
        known = self.resources[name]
        return self._request(
            "Update", name, spec, operation, old=known.spec, given=known.physical_id
        )

    def _request(
        self,
        kind: str,
        name: str,
        spec: Spec,
        operation: Operation,
        *,
        old: Spec | None = None,
        given: str | None = None,
    ) -> Request:
        world = self.world
        number = len(world.requests)
        reused = world.knobs.reuses_request_ids
        event = {
            "RequestType": kind,
            "RequestId": f"{self.name}-{name}-{kind}" if reused else f"request-{number}",
            "StackId": self.stack_id,
            "ServiceToken": ARN,
            "ResourceType": "Custom::TransferServerState",
            "LogicalResourceId": name,
            "ResourceProperties": spec.properties(),
        }
        if given is not None:
            event["PhysicalResourceId"] = given
        if old is not None:
            event["OldResourceProperties"] = old.properties()
        request = Request(
            world, number, kind, self, name, spec, old, given, operation, event,
            world.knobs.dated, NEVER_S,
        )  # fmt: skip
        world.requests.append(request)
        operation.requests.append(request)
        return request

    def _send(self, request: Request) -> None:
        world = self.world
        request.sent_s = world.clock.now()
        date = datetime.fromtimestamp(request.sent_s, UTC)
        dated = f"X-Amz-Date={date:%Y%m%dT%H%M%SZ}&" if request.dated else ""
        url = f"https://{HOST}/{request.number}?{dated}{SECRET}{request.number:064x}"
        request.event["ResponseURL"] = url
        world.urls[url] = request
        world.note(self, "sends %s: %s on %s", request, request.wanted, request.spec.server)
        world.function.deliver(Delivery(request, json.dumps(request.event)))

    def _exchange(self, requests: list[Request], cancelled_s: float = NEVER_S) -> bool:
        """Send requests, and wait until each is over; True if all succeeded.

        Creates and Updates that are under way when one fails, or at `cancelled_s`, are cancelled.
        """
        clock = self.world.clock
        unsent = list(requests)
        under_way: list[Request] = []
        cancels = bool(requests) and not requests[0].operation.rolls_back
        cancels &= any(r.kind != "Delete" for r in requests)
        while unsent or under_way:
            while unsent and not (self.serial and under_way):
                under_way.append(unsent.pop(0))
                self._send(under_way[-1])
            self.signal.wait(min(cancelled_s, *(r.due_s for r in under_way)))
            for request in under_way:
                if not request.over and clock.now() >= request.due_s:
                    self.world.fault("cloudformation timed out")
                    request.end("timed out")
            failed = any(r.over and not r.succeeded for r in under_way)
            under_way = [r for r in under_way if not r.over]
            if clock.now() >= cancelled_s or (failed and cancels):
                for request in under_way:
                    self.world.fault("cloudformation cancelled")
                    request.end("cancelled")
                return False
        return all(r.succeeded for r in requests)

    def describe(self, stack_id: str) -> dict[str, Any]:
        is_parent = stack_id == self.parent_id
        stack: dict[str, Any] = {"StackId": stack_id}
        stack["StackStatus"] = self._parent_status if is_parent else self._status
        if self._updated_s is not None:
            stack["LastUpdatedTime"] = datetime.fromtimestamp(self._updated_s, UTC)
        if self.nested and not is_parent:
            stack["ParentId"] = self.parent_id
        return stack


def _resource(request: Request, status: str = "UPDATE_COMPLETE") -> Resource:
    answer = request.accepted or {}
    physical_id = answer.get("PhysicalResourceId") or request.given or ""
    return Resource(request.spec, physical_id, request, status)


def _left(deletes: list[Request]) -> dict[str, Resource]:
    return {r.logical_id: _resource(r) for r in deletes if not r.succeeded}


class CloudFormation:
    """The CloudFormation API, as a boto3 client shows it."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def _call(
        self, operation: str, stack_id: str, read: Callable[[Stack], dict[str, Any]]
    ) -> dict[str, Any]:
        invocation = getcurrent().owner

        def perform() -> Any:
            stack = self._world.stacks[stack_id]
            if stack_id not in (stack.stack_id, stack.parent_id):
                return {"Stacks": [{"StackId": stack_id, "StackStatus": "DELETE_COMPLETE"}]}
            return read(stack)

        try:
            answer: dict[str, Any] = self._world.network.call("cloudformation", operation, perform)
        except ClientError as error:
            invocation.stack_failures += 3 if error.response["Error"]["Code"] in FINAL else 1
            raise
        except Exception:
            invocation.stack_failures += 1
            raise
        finally:
            invocation.stack_unread |= invocation.stack_failures >= 3
        invocation.stack_failures = 0
        invocation.stack_read_s = min(invocation.stack_read_s, self._world.clock.now())
        self._world.note(invocation, "%s: %s", operation, answer)
        return answer

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        return self._call(
            "DescribeStacks", StackName, lambda stack: {"Stacks": [stack.describe(StackName)]}
        )

    def list_stack_resources(self, StackName: str, NextToken: str = "0") -> dict[str, Any]:
        def read(stack: Stack) -> dict[str, Any]:
            rows = [
                {
                    "LogicalResourceId": name,
                    "ResourceStatus": resource.status,
                    "PhysicalResourceId": resource.known_id,
                }
                for name, resource in stack.resources.items()
            ]
            rows.insert(0, {"LogicalResourceId": "Bucket", "ResourceStatus": "CREATE_COMPLETE"})
            first = int(NextToken)
            more = {"NextToken": str(first + 1)} if first + 1 < len(rows) else {}
            return {"StackResourceSummaries": rows[first : first + 1], **more}

        return self._call("ListStackResources", StackName, read)
