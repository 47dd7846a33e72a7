"""The stack behind a request: is it rolling back, did it move on, who else declares the server.

The only file that knows CloudFormation's API. No request fails for want of an answer here: what
cannot be read reads as "", None or False.
"""

from collections.abc import Callable, Iterator
from typing import Any

from handler.aws import Aws
from handler.identity import parse
from handler.reconcile import RefusedError, UnavailableError


class Stack:
    """One stack, read anew at each question."""

    def __init__(self, aws: Aws, stack_id: str, sleep: Callable[[float], None]) -> None:
        self._aws = aws
        self._stack_id = stack_id
        self._sleep = sleep

    def phase(self) -> str:
        """Return what changes when the stack goes on to another operation."""
        stack = self._describe(self._stack_id)
        return f"{stack.get('StackStatus', '')} {stack.get('LastUpdatedTime', '')}".strip()

    def is_rolling_back(self) -> bool | None:
        """Tell whether what this deployment created is being undone; None if nobody can say.

        A nested stack made by a deployment is deleted, not rolled back, when that one fails.
        """
        stack = self._describe(self._stack_id)
        while stack.get("StackStatus", "").startswith("DELETE_") and "ParentId" in stack:
            stack = self._describe(stack["ParentId"])
        return "ROLLBACK" in stack["StackStatus"] if stack else None

    def declares_elsewhere(self, server_id: str, logical_id: str, physical_id: str) -> bool:
        """Tell whether the living stack still declares the server, as a resource but this one.

        Clean-up deletes a renamed or replaced resource after its successor was made.
        """
        if not self.phase().startswith("UPDATE_COMPLETE_CLEANUP"):
            return False
        return any(
            other["ResourceStatus"] not in {"DELETE_IN_PROGRESS", "DELETE_COMPLETE"}
            and (other["LogicalResourceId"], other["PhysicalResourceId"])
            != (logical_id, physical_id)
            for other in self._resources()
            if (declared := parse(other.get("PhysicalResourceId")))
            and declared.server_id == server_id
        )

    def _describe(self, stack_id: str) -> dict[str, Any]:
        stacks = self._read("DescribeStacks", StackName=stack_id).get("Stacks") or [{}]
        return dict(stacks[0])

    def _resources(self) -> Iterator[dict[str, Any]]:
        token: dict[str, str] = {}
        while True:
            page = self._read("ListStackResources", StackName=self._stack_id, **token)
            yield from page.get("StackResourceSummaries", ())
            if not page.get("NextToken"):
                return
            token = {"NextToken": page["NextToken"]}

    def _read(self, operation: str, **arguments: str) -> dict[str, Any]:
        try:
            return dict(self._aws.insist(self._sleep, "cloudformation", operation, **arguments))
        except (UnavailableError, RefusedError):
            return {}
