"""Stacks as CloudFormation describes them to a boto3 client."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.fakes.errors import Failing, client_error


@dataclass
class Stack:
    """A stack: its status, its resources' ids by their names, and its own past, oldest first."""

    stack_id: str
    status: str = "CREATE_IN_PROGRESS"
    reason: str = ""
    parent_id: str = ""
    root_id: str = ""
    resources: dict[str, str] = field(default_factory=dict)
    past: list[tuple[float, str]] = field(default_factory=list)

    def become(self, status: str, at_s: float = 0) -> None:
        """Go on to a status."""
        self.status = status
        self.past.append((at_s, status))

    def described(self) -> dict[str, Any]:
        """Return it as DescribeStacks does."""
        ids = {"ParentId": self.parent_id, "RootId": self.root_id}
        return {
            "StackId": self.stack_id,
            "StackStatus": self.status,
            **({"StackStatusReason": self.reason} if self.reason else {}),
            **{name: value for name, value in ids.items() if value},
        }


class CloudFormation(Failing):
    """CloudFormation's API; a page of events holds two of them."""

    def __init__(self, *stacks: Stack) -> None:
        super().__init__()
        self.stacks = {stack.stack_id: stack for stack in stacks}
        self.calls: list[str] = []
        self.denied: set[str] = set()

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        return {"Stacks": [self._stack("DescribeStacks", StackName).described()]}

    def describe_stack_resource(self, StackName: str, LogicalResourceId: str) -> dict[str, Any]:
        stack = self._stack("DescribeStackResource", StackName)
        if LogicalResourceId not in stack.resources:
            message = f"Resource {LogicalResourceId} does not exist for stack {StackName}"
            raise client_error("ValidationError", 400, "DescribeStackResource", message)
        deleted = stack.status == "DELETE_COMPLETE"
        return {
            "StackResourceDetail": {
                "LogicalResourceId": LogicalResourceId,
                "PhysicalResourceId": stack.resources[LogicalResourceId],
                "ResourceStatus": "DELETE_COMPLETE" if deleted else "CREATE_COMPLETE",
            }
        }

    def describe_stack_events(self, StackName: str, NextToken: str = "0") -> dict[str, Any]:
        stack = self._stack("DescribeStackEvents", StackName)
        events = [
            {
                "StackId": stack.stack_id,
                "PhysicalResourceId": stack.stack_id,
                "ResourceType": "AWS::CloudFormation::Stack",
                "ResourceStatus": status,
                "Timestamp": datetime.fromtimestamp(at_s, UTC),
            }
            for at_s, status in reversed(stack.past)
        ]
        first = int(NextToken)
        more = {"NextToken": str(first + 2)} if first + 2 < len(events) else {}
        return {"StackEvents": events[first : first + 2], **more}

    def _stack(self, operation: str, stack_id: str) -> Stack:
        self.calls.append(operation)
        self._fail()
        if operation in self.denied:
            raise client_error("AccessDenied", 403, operation)
        if stack_id not in self.stacks:
            message = f"Stack with id {stack_id} does not exist"
            raise client_error("ValidationError", 400, operation, message)
        return self.stacks[stack_id]
