"""The stack behind a request: is it rolling back, did it move on, who else declares the server.

The only file that knows CloudFormation's API. No request fails for want of an answer here: what
cannot be read is "" or None.
"""

from collections.abc import Callable, Mapping
from typing import Any

from handler.aws import PAUSES_S, Aws
from handler.identity import Identity, parse
from handler.reconcile import RefusedError, UnavailableError

_CLOCKS_DIFFER_S = 2


class Stack:
    """One stack, read anew at each question; `pauses_s` lie between tries."""

    def __init__(
        self,
        aws: Aws,
        stack_id: str,
        sleep: Callable[[float], None],
        pauses_s: tuple[float, ...] = PAUSES_S,
    ) -> None:
        self._aws = aws
        self._stack_id = stack_id
        self._sleep = sleep
        self._pauses_s = pauses_s

    def phase(self) -> str:
        """Return what changes when the stack goes on to another operation."""
        stack = self._describe(self._stack_id)
        return f"{stack.get('StackStatus', '')} {stack.get('LastUpdatedTime', '')}".strip()

    def is_still_in(self, phase: str) -> bool:
        """Tell whether the stack may still be in a phase, as far as both can be read."""
        return not phase or self.phase() in {"", phase}

    def awaits(self, since_s: float, *, creates: bool) -> bool:
        """Tell whether the operation that sent a request then may still be under way."""
        stack = self._describe(self._stack_id)
        status, updated = stack.get("StackStatus", ""), stack.get("LastUpdatedTime")
        if not stack or (updated and updated.timestamp() > since_s + _CLOCKS_DIFFER_S):
            return not stack
        return sends_creates(status) if creates else status.endswith("_IN_PROGRESS")

    def has_given_up(self, phase: str, *, commanded: bool) -> bool:
        """Tell whether the operation that was in a phase is rolled back, or its stack deleted.

        A deleted stack may have been complete before, so that counts for our own command only.
        """
        now = self.phase()
        if now.startswith("DELETE_"):
            return commanded
        rollback = "ROLLBACK_" if phase.startswith("CREATE_") else "UPDATE_ROLLBACK_"
        return now.startswith(rollback) and now != phase

    def holds(self, server_id: str, logical_id: str) -> bool | None:
        """Tell whether the resource has the server, because a request for it was answered."""
        return self._declares(server_id, lambda _, it: it["LogicalResourceId"] == logical_id)

    def is_rolling_back(self) -> bool | None:
        """Tell whether what this deployment created is being undone.

        A nested stack made by a deployment is deleted, not rolled back, when that one fails.
        """
        stack = self._describe(self._stack_id)
        while stack.get("StackStatus", "").startswith("DELETE_") and "ParentId" in stack:
            stack = self._describe(stack["ParentId"])
        if not stack:
            return None
        # With OnFailure: DELETE there is no rollback, only a deletion that says why.
        why = stack.get("StackStatusReason") or ""
        status = stack["StackStatus"]
        return status.endswith("_IN_PROGRESS") and (
            "ROLLBACK" in status or "failed to create" in why
        )

    def declares_elsewhere(self, identity: Identity, logical_id: str) -> bool | None:
        """Tell whether the living stack declares the server by another resource than this one.

        Clean-up deletes a renamed or replaced resource after its successor was made. When it is
        over, whoever comes late finds everything declared elsewhere.
        """
        phase = self.phase()
        if not phase:
            return None
        if phase.startswith("DELETE_"):
            return False
        if "_IN_PROGRESS" not in phase:
            return True
        return self._declares(
            identity.server_id,
            lambda declared, other: (
                (declared, other["LogicalResourceId"]) != (identity, logical_id)
                and other["ResourceStatus"] not in {"DELETE_IN_PROGRESS", "DELETE_COMPLETE"}
            ),
        )

    def _declares(
        self, server_id: str, is_it: Callable[[Identity, Mapping[str, Any]], bool]
    ) -> bool | None:
        """Tell whether such a resource has the server; None if the stack's cannot be read."""
        arguments = {"StackName": self._stack_id}
        while "StackResourceSummaries" in (page := self._read("ListStackResources", arguments)):
            for resource in page["StackResourceSummaries"]:
                declared = parse(resource.get("PhysicalResourceId"))
                if declared and declared.server_id == server_id and is_it(declared, resource):
                    return True
            if not page.get("NextToken"):
                return False
            arguments["NextToken"] = page["NextToken"]
        return None

    def _describe(self, stack_id: str) -> dict[str, Any]:
        stacks = self._read("DescribeStacks", {"StackName": stack_id}).get("Stacks") or [{}]
        return dict(stacks[0])

    def _read(self, operation: str, arguments: Mapping[str, str]) -> dict[str, Any]:
        try:
            answer = self._aws.insist(
                self._sleep, "cloudformation", operation, self._pauses_s, **arguments
            )
            return dict(answer)
        except (UnavailableError, RefusedError):
            return {}


def sends_creates(phase: str) -> bool:
    """Tell whether a stack in this phase may have sent a Create."""
    return phase.startswith(("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"))
