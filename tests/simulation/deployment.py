"""CloudFormation's side of the contract: how stacks are created, updated, rolled back and deleted.

What a request is, and how a stack describes itself, is in stack.py.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tests.simulation.clock import Signal
from tests.simulation.stack import NEVER_S, Request, Resource, ServerUpdate, Stack, Work
from tests.simulation.template import Author, Key, Spec, Template
from transfer_server_state.identity import Identity
from transfer_server_state.machine import State

if TYPE_CHECKING:
    from tests.simulation.transfer import Server
    from tests.simulation.world import World

_FAILED_TO_CREATE = "The following resource(s) failed to create: [Other]. Delete requested by user."
# Phase of an update -> the status of a stack that it creates, of one that it updates, and of one
# that it empties.
_PHASES = {
    "forward": ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", ""),
    "clean-up": ("CREATE_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "DELETE_IN_PROGRESS"),
    "complete": ("CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE"),
    "rollback": ("CREATE_FAILED", "UPDATE_ROLLBACK_IN_PROGRESS", ""),
    "failed": ("", "UPDATE_ROLLBACK_FAILED", ""),
    "rolled back": ("DELETE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", ""),
    "undone": ("DELETE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", ""),
}


@dataclass(eq=False)
class Operation:
    """One deployment: what it found, what it sent, and how it ended.

    `goes_on`: the operation that failed to roll back, and that this one continues or deletes.
    `by_user`: its user deleted the stack while it was created. `skips`: what was not undone.
    """

    deployment: "Deployment"
    kind: str
    began_s: float
    found: dict[str, State]
    goes_on: "Operation | None" = None
    before: Template = field(default_factory=dict)
    template: Template = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    rolls_back: bool = False
    by_user: bool = False
    skips: bool = False
    # What its stacks had after it, by the last request for each.
    left: dict[Key, Request] = field(default_factory=dict)
    ending: str = ""
    ended_s: float = NEVER_S

    def line(self) -> "list[Operation]":
        """Return it and those that it goes on with, the first one first."""
        return [*(self.goes_on.line() if self.goes_on else ()), self]

    def first(self) -> "Operation":
        """Return the operation whose traces are to be gone after this one."""
        return self.line()[0]


@dataclass
class _Rollback:
    """What an update that failed has still to undo, and the ids that its resources had."""

    operation: Operation
    updates: list[Request]
    creates: list[Request]
    ids: dict[Request, set[str]] = field(default_factory=dict)


class Deployment:
    """Stacks that are deployed as one, and their life: one alone, or some nested in a root."""

    def __init__(self, world: "World", name: str) -> None:
        rng, knobs = world.rng, world.knobs
        self.world, self.name = world, name
        self.signal = Signal(world.clock)
        self._nested = rng.choice((1, 2, 2)) if rng.random() < knobs.nested else 0
        self._serial = rng.random() < 0.5
        self._author = Author(world, max(self._nested, 1))
        # The AWS::Transfer::Server of the template, and when DependsOn has it updated.
        self.server: Server | None = None
        if rng.random() < knobs.server_in_stack:
            self.server = rng.choice([*world.transfer.servers.values()])
        self.order = rng.choice(("before", "before", "parallel", "after"))
        self._root = Stack(world, name)
        self.stacks: dict[int, Stack] = {}
        self._server_update: ServerUpdate | None = None
        self._rollback: _Rollback | None = None
        self._failed: Operation | None = None
        # What was not created, was then created anew, and has still to be deleted.
        self._replaced: list[Resource] = []

    def __str__(self) -> str:
        return self.name

    def live(self) -> None:
        """Create it, then update and delete it as chance has it."""
        world, rng = self.world, self.world.rng
        world.clock.sleep(rng.uniform(0, 5) if rng.random() < 0.5 else world.log_uniform(1, 2000))
        for n in range(world.knobs.operations + 3):
            if n < world.knobs.operations or self._root.status.endswith("_FAILED"):
                self._next()
                world.clock.sleep(self._gap_s())

    def _gap_s(self) -> float:
        chance = self.world.rng.random()
        if chance < 0.05:
            return self.world.log_uniform(1, 40) * 86400
        return self.world.log_uniform(0.1, 300 if chance < 0.85 else 4000)

    def _next(self) -> None:
        rng, status = self.world.rng, self._root.status
        if status in ("", "DELETE_COMPLETE", "ROLLBACK_COMPLETE"):
            self._create()
        elif status == "CREATE_FAILED" and rng.random() < 0.7:
            self._update()
        elif status == "UPDATE_ROLLBACK_FAILED" and rng.random() < 0.5:
            self._continue_rollback()
        elif status.endswith("_FAILED") or rng.random() < 0.2:
            self._delete()
        else:
            self._update()

    def resources(self) -> dict[Key, Resource]:
        """Return what its stacks have."""
        return {
            (n, name): resource
            for n, stack in self.stacks.items()
            for name, resource in stack.resources.items()
        }

    def _stack(self, n: int) -> Stack:
        """Return a stack that is there, or a new one nested in the root."""
        if n not in self.stacks:
            self.stacks[n] = Stack(self.world, f"{self.name}-{n}", self._root)
        return self.stacks[n]

    def _become(self, status: str, root: str = "", reason: str = "") -> None:
        """Give all stacks a status, the root perhaps another."""
        for stack in self.stacks.values():
            stack.become(status, "" if self._nested else reason)
        self._root.become(root or status, reason)

    def _begin(self, kind: str) -> Operation:
        servers = self.world.transfer.servers.values()
        found = {server.server_id: server.state for server in servers}
        before = {key: resource.spec for key, resource in self.resources().items()}
        operation = Operation(self, kind, self.world.clock.now(), found, self._failed, before)
        self.world.operations.append(operation)
        return operation

    def _end(self, operation: Operation, status: str) -> None:
        operation.ending, operation.ended_s = status, self.world.clock.now()
        operation.left = {key: resource.request for key, resource in self.resources().items()}
        undoes = operation.rolls_back or operation.goes_on
        self._failed = operation if undoes and status.endswith("_FAILED") else None

    # Creation and deletion

    def _create(self) -> None:
        self._root, self._rollback = Stack(self.world, self.name), None
        self._replaced = []
        self.stacks = {} if self._nested else {0: self._root}
        rng, knobs, operation = self.world.rng, self.world.knobs, self._begin("create")
        operation.template = template = self._author.template()
        creates = [self._request("Create", key, spec, operation) for key, spec in template.items()]
        self._become("CREATE_IN_PROGRESS")
        # Half of them, lest few stacks live to be updated.
        doomed = rng.random() < 0.5
        ok = self._exchange([creates], self._fails_s() if doomed else NEVER_S)
        if ok and not (doomed and rng.random() < knobs.sibling_fails_late):
            self._end(operation, "CREATE_COMPLETE")
            self._become("CREATE_COMPLETE")
            return
        if not self._nested and rng.random() < knobs.kept:
            self._keep(operation, "CREATE_FAILED")
            return
        operation.rolls_back, what = True, "ROLLBACK"
        operation.by_user = not ok and rng.random() < knobs.deleted_by_user
        if operation.by_user:
            what = "DELETE"
            self._become("DELETE_IN_PROGRESS")
        elif rng.random() < knobs.on_failure_delete:
            what = "DELETE"
            self._become("DELETE_IN_PROGRESS", reason=_FAILED_TO_CREATE)
        elif self._nested and (ok or rng.random() < 0.5):
            self._become("DELETE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS")
        else:
            self._become("ROLLBACK_IN_PROGRESS")
        if not operation.by_user:
            self.world.clock.sleep(rng.uniform(0.5, 10))
        self._tear_down(operation, what)

    def _keep(self, operation: Operation, status: str) -> None:
        """Leave it as it is, for rollback is disabled; its deletion is to leave no trace."""
        self._end(operation, status)
        self._failed = operation
        self._become(status)

    def _delete(self) -> None:
        operation = self._begin("delete")
        self._become("DELETE_IN_PROGRESS")
        self._tear_down(operation, "DELETE")

    def _tear_down(self, operation: Operation, what: str) -> None:
        deletes = [self._release(r, operation) for r in self.resources().values()]
        replaced = {self._release(resource, operation): resource for resource in self._replaced}
        deletes += [*self._left_behind(operation), *replaced]
        ok = self._exchange([self._reached(deletes)])
        self._replaced = [resource for r, resource in replaced.items() if not r.succeeded]
        ok &= all(request.succeeded for request in deletes)
        for request in deletes:
            if request.succeeded:
                request.drop()
                for ids in self._rollback.ids.values() if self._rollback else ():
                    ids.discard(request.given)
        self._end(operation, f"{what}_{'COMPLETE' if ok else 'FAILED'}")
        self._become(operation.ending)

    # Updates

    def _update(self) -> None:
        operation, known = self._begin("update"), self.resources()
        operation.template = template = self._author.changed(operation.before)
        before = operation.before
        there = {*self.stacks}
        # They are created anew, and their ids deleted in the end.
        failed = {key: resource for key, resource in known.items() if resource.was_not_created}
        failed = {key: replace(resource) for key, resource in failed.items()}
        changes = [
            self._change(key, spec, None if key in failed else known.get(key), operation)
            for key, spec in template.items()
            if key in failed or before.get(key) != spec
        ]
        left = {key[0] for key in template}
        touched = {key[0] for key in before.keys() ^ template.keys()}
        touched |= {request.key[0] for request in changes}
        roles = {
            n: 0 if n not in there else 2 if self._nested and n not in left else 1 for n in touched
        }
        self._enter("forward", roles)
        leaving = [key for key in before if key not in template]
        self._server_update = None
        server = self.server if self.world.rng.random() < 0.8 else None
        ok = self._exchange(self._stages(operation, changes, server), self._fails_s())
        if ok and self.world.rng.random() >= self.world.knobs.sibling_fails_late:
            self._clean_up(operation, roles, leaving, changes, failed)
            return
        if operation.goes_on:
            self._replaced = self._created_anew(failed)
            self._keep(operation, "UPDATE_FAILED")
            return
        operation.rolls_back = True
        sent = [request for request in changes if request.sent_s < NEVER_S]
        self._rollback = _Rollback(
            operation,
            [request for request in sent if request.kind == "Update"],
            [request for request in sent if request.kind == "Create"],
        )
        self._roles = roles
        self._enter("rollback", roles)
        self.world.clock.sleep(self.world.rng.uniform(0.5, 10))
        self._roll_back(operation)

    def _enter(self, phase: str, roles: dict[int, int]) -> None:
        for n, role in roles.items():
            if self._nested and _PHASES[phase][role]:
                self.stacks[n].become(_PHASES[phase][role])
        self._root.become(_PHASES[phase][1])
        if phase in ("complete", "undone"):
            for n in [n for n, stack in self.stacks.items() if stack.status == "DELETE_COMPLETE"]:
                del self.stacks[n]

    def _change(
        self, key: Key, spec: Spec, known: Resource | None, operation: Operation
    ) -> Request:
        if known is None:
            return self._request("Create", key, spec, operation)
        given = known.physical_id
        return self._request("Update", key, spec, operation, old=known.spec, given=given)

    def _stages(
        self, operation: Operation, requests: Sequence[Request], server: "Server | None"
    ) -> list[list[Work]]:
        """Return what is sent at once, and what after it: DependsOn."""
        if server is None:
            return [[*requests]]
        self._server_update = update = ServerUpdate(self.world, self, operation, server)
        if self.order == "parallel":
            return [[update, *requests]]
        return [[update], [*requests]] if self.order == "before" else [[*requests], [update]]

    def _clean_up(
        self,
        operation: Operation,
        roles: dict[int, int],
        leaving: list[Key],
        changes: list[Request],
        failed: dict[Key, Resource],
    ) -> None:
        self._enter("clean-up", roles)
        resources = self.resources()
        deletes = [self._release(resources[key], operation) for key in leaving]
        deletes += [
            self._release(Resource(update.old or update.spec, update, update.given), operation)
            for update in changes
            if update.kind == "Update" and update.given != resources[update.key].physical_id
        ]
        deletes += [self._release(resource, operation) for resource in self._created_anew(failed)]
        self._exchange([deletes])
        for request in deletes:
            request.drop()
        self._end(operation, "UPDATE_COMPLETE")
        self._enter("complete", roles)

    def _created_anew(self, failed: dict[Key, Resource]) -> list[Resource]:
        resources = self.resources()
        return [
            resource
            for key, resource in failed.items()
            if resource.physical_id != resources[key].physical_id
        ]

    # The rollback of an update

    def _continue_rollback(self) -> None:
        """ContinueUpdateRollback, perhaps with ResourcesToSkip."""
        operation, rollback = self._begin("continue"), self._rollback
        operation.rolls_back = True
        assert rollback
        if self.world.rng.random() < 0.3:
            operation.skips = True
            for update in rollback.updates:
                resource = self.resources()[update.key]
                resource.spec, resource.status = update.old or update.spec, "UPDATE_COMPLETE"
            rollback.updates = []
        self._enter("rollback", self._roles)
        self._roll_back(operation)

    def _roll_back(self, operation: Operation) -> None:
        rollback = self._rollback
        assert rollback
        reverts = {self._revert(update, operation): update for update in rollback.updates}
        touched = self._server_update and self._server_update.sent_s < NEVER_S
        server = self.server if touched else None
        done = self._exchange(self._stages(operation, self._reached([*reverts]), server))
        rollback.updates = [update for revert, update in reverts.items() if not revert.succeeded]
        if rollback.updates or not done:
            self._end(operation, "UPDATE_ROLLBACK_FAILED")
            self._enter("failed", self._roles)
            return
        self._enter("rolled back", self._roles)
        resources = self.resources()
        deletes = [self._release(resources[r.key], operation) for r in rollback.creates]
        deletes += self._left_behind(operation)
        self._exchange([deletes])
        for request in deletes:
            request.drop()
        self._rollback = None
        self._end(operation, "UPDATE_ROLLBACK_COMPLETE")
        self._enter("undone", self._roles)

    def _left_behind(self, operation: Operation) -> list[Request]:
        """Return the Deletes of what resources were in an update that is rolled back."""
        resources, ids = self.resources(), self._rollback.ids if self._rollback else {}
        return [
            self._release(Resource(update.spec, update, physical_id), operation)
            for update, known in ids.items()
            for physical_id in sorted(known)
            if update.key not in resources or physical_id != resources[update.key].physical_id
        ]

    def _revert(self, update: Request, operation: Operation) -> Request:
        """Return the Update that undoes one, whose answer may never have come."""
        resource = self.resources()[update.key]
        assert self._rollback
        known = self._rollback.ids.setdefault(update, set())
        known.add(resource.physical_id)
        if self.world.knobs.returns_to_old_id:
            resource.physical_id = update.given
        known.add(resource.physical_id)
        return self._request(
            "Update",
            update.key,
            update.old or update.spec,
            operation,
            old=update.spec,
            given=resource.physical_id,
        )

    # What all have in common

    def _request(
        self,
        kind: str,
        key: Key,
        spec: Spec,
        operation: Operation,
        *,
        old: Spec | None = None,
        given: str = "",
    ) -> Request:
        number = len(self.world.requests)
        request = Request(
            self.world, self, operation, number, kind, self._stack(key[0]), key, spec, old, given
        )
        self.world.requests.append(request)
        operation.requests.append(request)
        return request

    def _release(self, resource: Resource, operation: Operation) -> Request:
        """Return the Delete of a resource, by the id that its stack knows."""
        spec, ours = resource.spec, Identity.parse(resource.physical_id)
        if ours:
            spec = replace(spec, server=self.world.transfer.servers[ours.server_id])
        key, given = resource.request.key, resource.physical_id
        return self._request("Delete", key, spec, operation, given=given)

    def _fails_s(self) -> float:
        """Return when a sibling fails, or somebody cancels."""
        world = self.world
        if world.rng.random() < world.knobs.sibling_fails:
            return world.clock.now() + world.log_uniform(0.2, 2000)
        return NEVER_S

    def _reached(self, requests: list[Request]) -> list[Request]:
        """Return what is sent before a sibling's own deletion or undoing fails, if it does."""
        if self.world.rng.random() >= self.world.knobs.sibling_stays:
            return requests
        self.world.note(self, "a sibling fails in the rollback or deletion")
        return requests[: self.world.rng.randrange(len(requests) + 1)]

    def _exchange(self, stages: Iterable[Sequence[Work]], cancelled_s: float = NEVER_S) -> bool:
        """Do the work of each stage, and wait until it is over; True if all succeeded.

        Creates and Updates that are under way when one fails, or at `cancelled_s`, are cancelled,
        unless they are themselves part of a rollback.
        """
        return all(self._exchange_stage(stage, cancelled_s) for stage in stages)

    def _exchange_stage(self, stage: Sequence[Work], cancelled_s: float) -> bool:
        clock, unsent = self.world.clock, list(stage)
        under_way: list[Work] = []
        goes_forward = any(work.goes_forward for work in stage)
        while unsent or under_way:
            while unsent and not (self._serial and under_way):
                under_way.append(unsent.pop(0))
                under_way[-1].send()
            if not any(work.over for work in under_way):
                self.signal.wait(min(cancelled_s, *(work.due_s for work in under_way)))
            for work in under_way:
                if not work.over and clock.now() >= work.due_s:
                    self.world.fault("cloudformation timed out")
                    work.end("timed out")
            failed = any(work.over and not work.succeeded for work in under_way)
            under_way = [work for work in under_way if not work.over]
            if goes_forward and (failed or clock.now() >= cancelled_s):
                for work in under_way:
                    self.world.fault("cloudformation cancelled")
                    work.end("cancelled")
                return False
        return all(work.succeeded for work in stage)
