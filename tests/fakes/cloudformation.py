"""Stacks as CloudFormation describes them to a boto3 client."""

import json
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
    template: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
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
            **as_parameters(self.parameters),
        }


@dataclass
class ChangeSet:
    """A change set: its changes as DescribeChangeSet lists them, and what it was made of."""

    stack_id: str
    name: str = "proposed"
    status: str = "CREATE_COMPLETE"
    reason: str = ""
    changes: list[dict[str, Any]] = field(default_factory=list)
    template: str = ""
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        return f"{self.stack_id.replace(':stack/', ':changeSet/')}/{self.name}"


def as_parameters(values: dict[str, str]) -> dict[str, Any]:
    """Return parameters as CloudFormation lists them: where there are none, no list either."""
    listed = [{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()]
    return {"Parameters": listed} if listed else {}


class CloudFormation(Failing):
    """CloudFormation's API; a page holds two of what it lists."""

    def __init__(self, *stacks: Stack) -> None:
        super().__init__()
        self.stacks = {stack.stack_id: stack for stack in stacks}
        self.change_sets: list[ChangeSet] = []
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
                "StackId": stack.stack_id,
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
        return _page("StackEvents", events, NextToken)

    def list_stack_resources(self, StackName: str, NextToken: str = "0") -> dict[str, Any]:
        stack = self._stack("ListStackResources", StackName)
        listed = [
            # Of what was never made there is no id.
            {"LogicalResourceId": name, **({"PhysicalResourceId": made} if made else {})}
            for name, made in stack.resources.items()
        ]
        return _page("StackResourceSummaries", listed, NextToken)

    def get_template(
        self, TemplateStage: str, StackName: str = "", ChangeSetName: str = ""
    ) -> dict[str, Any]:
        assert TemplateStage == "Processed"
        if ChangeSetName:
            text = self._change_set("GetTemplate", ChangeSetName, StackName).template
        else:
            text = self._stack("GetTemplate", StackName).template
        # As botocore hands it out.
        return {"TemplateBody": json.loads(text) if text.startswith("{") else text}

    def describe_change_set(
        self,
        ChangeSetName: str,
        StackName: str = "",
        NextToken: str = "0",
        *,
        IncludePropertyValues: bool = False,
    ) -> dict[str, Any]:
        found = self._change_set("DescribeChangeSet", ChangeSetName, StackName)
        values = () if IncludePropertyValues else ("BeforeContext", "AfterContext")
        listed = [
            {
                "Type": "Resource",
                "ResourceChange": {n: v for n, v in change.items() if n not in values},
            }
            for change in found.changes
        ]
        return {
            "ChangeSetId": found.arn,
            "StackId": found.stack_id,
            "Status": found.status,
            **({"StatusReason": found.reason} if found.reason else {}),
            **as_parameters(found.parameters),
            **_page("Changes", listed, NextToken),
        }

    def _change_set(self, operation: str, name: str, stack: str) -> ChangeSet:
        self.calls.append(operation)
        self._fail()
        if operation in self.denied:
            raise client_error("AccessDenied", 403, operation)
        for each in self.change_sets:
            if name in {each.arn, each.name} and stack in {"", each.stack_id, _name(each.stack_id)}:
                return each
        raise client_error(
            "ChangeSetNotFound", 404, operation, f"ChangeSet [{name}] does not exist"
        )

    def _stack(self, operation: str, stack_id: str) -> Stack:
        self.calls.append(operation)
        self._fail()
        if operation in self.denied:
            raise client_error("AccessDenied", 403, operation)
        for stack in self.stacks.values():
            if stack_id in {stack.stack_id, _name(stack.stack_id)}:
                return stack
        message = f"Stack with id {stack_id} does not exist"
        raise client_error("ValidationError", 400, operation, message)


def _name(stack_id: str) -> str:
    return stack_id.split("/")[1] if "/" in stack_id else stack_id


def _page(name: str, listed: list[dict[str, Any]], token: str) -> dict[str, Any]:
    first = int(token)
    more = {"NextToken": str(first + 2)} if first + 2 < len(listed) else {}
    return {name: listed[first : first + 2], **more}
