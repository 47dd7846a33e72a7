"""The stacks behind the requests: what rolls back, who still lives, who belongs together.

The only file that knows CloudFormation's API. Each question is read anew, and raises what the
call raises. Of Terraform's owners there is nobody to ask: they live until they are released.
"""

from collections.abc import Iterator
from typing import Any

from transfer_server_state.aws.client import Aws, RefusedError
from transfer_server_state.identity import Identity
from transfer_server_state.request import Owner

# After a failed update there is still to clear up: what is listed then is not all that it has.
_AT_REST = {
    f"{operation}_COMPLETE"
    for operation in (
        *("CREATE", "UPDATE", "UPDATE_ROLLBACK", "ROLLBACK", "DELETE"),
        *("IMPORT", "IMPORT_ROLLBACK"),
    )
} | {"CREATE_FAILED", "ROLLBACK_FAILED", "DELETE_FAILED"}
# How far back a deletion looks for what it follows.
_MOST_PAGES = 10


class Stacks:
    """CloudFormation's stacks, in the account and region of the provider."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def rolls_back(self, owner: Owner, declared_at: float = 0) -> bool:
        """Tell whether its stack undoes what the owner declared, at that time if that is known.

        It does while it rolls back; where that failed, or there was none, when it is deleted.
        """
        if owner.is_terraform:
            return False
        stack = self._describe(owner.stack_id)
        # A nested stack made by a deployment is deleted, not rolled back, when that one fails.
        while stack["StackStatus"].startswith("DELETE_") and "ParentId" in stack:
            stack = self._describe(stack["ParentId"])
        status = stack["StackStatus"]
        if status.startswith("DELETE_"):
            return not self.was_complete(stack["StackId"], declared_at)
        return "ROLLBACK" in status and status.endswith("_IN_PROGRESS")

    def was_complete(self, stack_id: str, since_s: float) -> bool:
        """Tell whether a stack was complete since the operation that was under way then."""
        for event in self._events(stack_id):
            status = event["ResourceStatus"]
            # Of that time, only the second is known.
            before = event["Timestamp"].timestamp() <= since_s + 1
            if status == "CREATE_IN_PROGRESS" or (status == "UPDATE_IN_PROGRESS" and before):
                return False
            if "COMPLETE" in status:
                return True
        return True

    def has(self, owner: Owner, server_id: str) -> bool:
        """Tell whether an owner has a server, or its stack is at work, so that it may."""
        if owner.is_terraform:
            return True
        # First the stack: what it is at work on may be over before the resource is looked up.
        stacks = self._find("DescribeStacks", StackName=owner.stack_id).get("Stacks", [])
        if any(stack["StackStatus"] not in _AT_REST for stack in stacks):
            return True
        return self.lists(owner, server_id)

    def lists(self, owner: Owner, server_id: str) -> bool:
        """Tell whether CloudFormation knows an owner to have a server."""
        listed = Identity.parse(self._resource(owner).get("PhysicalResourceId"))
        return listed is not None and listed.server_id == server_id

    def knows(self, owner: Owner) -> bool:
        """Tell whether CloudFormation has the owner's resource, whatever became of it."""
        return bool(self._resource(owner))

    def belong_together(self, one: Owner, other: Owner) -> bool:
        """Tell whether two owners are of one stack, or of stacks nested in one root."""
        if one.is_terraform or other.is_terraform:
            return False
        same = one.stack_id == other.stack_id
        return same or self._root(one.stack_id) == self._root(other.stack_id)

    def _events(self, stack_id: str) -> Iterator[dict[str, Any]]:
        """Return the events of the stack itself, the newest first, as far as it is worth it."""
        arguments = {"StackName": stack_id}
        for _ in range(_MOST_PAGES):
            page = self._aws.call("cloudformation", "DescribeStackEvents", **arguments)
            yield from (e for e in page["StackEvents"] if e.get("PhysicalResourceId") == stack_id)
            if not page.get("NextToken"):
                return
            arguments["NextToken"] = page["NextToken"]

    def _resource(self, owner: Owner) -> dict[str, Any]:
        """Return the owner's resource, nothing of one that was deleted."""
        if owner.is_terraform:
            return {}
        arguments = {"StackName": owner.stack_id, "LogicalResourceId": owner.logical_id}
        found = self._find("DescribeStackResource", **arguments)
        detail: dict[str, Any] = found.get("StackResourceDetail", {})
        gone = detail.get("ResourceStatus") in {"DELETE_COMPLETE", "DELETE_SKIPPED"}
        return {} if gone else detail

    def _root(self, stack_id: str) -> str:
        # One that is only planned has none.
        found = self._find("DescribeStacks", StackName=stack_id).get("Stacks", [{}])
        return str(found[0].get("RootId", stack_id))

    def _describe(self, stack_id: str) -> dict[str, Any]:
        found = self._aws.call("cloudformation", "DescribeStacks", StackName=stack_id)
        return dict(found["Stacks"][0])

    def _find(self, operation: str, **arguments: str) -> dict[str, Any]:
        """Return what there is; nothing of a stack or resource that does not exist."""
        try:
            return dict(self._aws.call("cloudformation", operation, **arguments))
        except RefusedError as error:
            if error.code == "ValidationError" and "does not exist" in str(error):
                return {}
            raise
