"""Change sets and templates: what a deployment would change of servers and their declarations.

With property values where CloudFormation gives them, else by the templates and their parameters.
https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeChangeSet.html
"""

import json
from collections.abc import Iterator, Mapping, Set
from dataclasses import replace
from typing import Any

from transfer_server_state import template
from transfer_server_state.aws.client import Aws, RefusedError
from transfer_server_state.intrinsics import SERVER, Stack, id_of_server
from transfer_server_state.planned import Change, Deployment, ServerUpdate
from transfer_server_state.request import Owner
from transfer_server_state.schema import CUSTOM_RESOURCE, TYPE, declares

_NESTED = "AWS::CloudFormation::Stack"
# A change of anything else is no matter of the resource's handler.
_SENT = {"Properties", "Tags"}
_CONTEXTS = ("BeforeContext", "AfterContext")
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")


class ChangeSetError(Exception):
    """A change set that cannot be executed; the text says why."""


class ChangeSets:
    """CloudFormation's change sets and templates. Its calls raise what the client's do."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def read(self, name: str, stack: str | None = None) -> Deployment:
        """Return what executing a change set would change, nested ones included.

        `name` is an ARN where there is no stack. Raises ChangeSetError and TemplateError.
        """
        described = self._described(name, stack)
        status, reason = described["Status"], described.get("StatusReason", "")
        if status == "FAILED" and any(text in reason for text in _NO_CHANGES):
            return Deployment()
        if status != "CREATE_COMPLETE":
            raise ChangeSetError(f"change set {name} is {status}{reason and f': {reason}'}")
        changes = [change["ResourceChange"] for change in described["Changes"]]
        told = all(each.keys() & set(_CONTEXTS) for each in changes if _is_of_interest(each))
        read = by_values(described["StackId"], changes) if told else self._by_templates(described)
        nested = [each.get("ChangeSetId") for each in changes if each["ResourceType"] == _NESTED]
        for each in map(self.read, filter(None, nested)):
            read = Deployment(read.changes + each.changes, read.updates + each.updates)
        return read

    def stack(self, name: str) -> Stack | None:
        """Return a stack as it was deployed last, None if there is none yet."""
        try:
            described = self._call("DescribeStacks", StackName=name)["Stacks"][0]
        except RefusedError as error:
            if "does not exist" in str(error):
                return None
            raise
        stack_id = described["StackId"]
        if described["StackStatus"] == "REVIEW_IN_PROGRESS":
            return Stack(stack_id)
        ids = self.physical_ids(stack_id)
        return Stack(stack_id, self._template(StackName=stack_id), _parameters(described), ids)

    def physical_ids(self, stack_id: str) -> dict[str, str]:
        """Return those of a stack's resources, by their logical ones; none if there is no stack."""
        try:
            pages = list(self._pages("ListStackResources", StackName=stack_id))
        except RefusedError as error:
            if "does not exist" in str(error):
                return {}
            raise
        listed = [each for page in pages for each in page["StackResourceSummaries"]]
        # What could not be made has none.
        made = [each for each in listed if each.get("PhysicalResourceId")]
        return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in made}

    def _by_templates(self, described: Mapping[str, Any]) -> Deployment:
        stack_id = described["StackId"]
        before = self.stack(stack_id) or Stack(stack_id)
        after = self._template(ChangeSetName=described["ChangeSetId"])
        return template.changes(
            before, replace(before, template=after, parameters=_parameters(described))
        )

    def _described(self, name: str, stack: str | None) -> dict[str, Any]:
        """Return a change set with the changes of all its pages."""
        asked = {"ChangeSetName": name} | ({"StackName": stack} if stack else {})
        pages = list(self._pages("DescribeChangeSet", IncludePropertyValues=True, **asked))
        return pages[0] | {"Changes": [each for page in pages for each in page["Changes"]]}

    def _template(self, **named: str) -> dict[str, Any]:
        body = self._call("GetTemplate", TemplateStage="Processed", **named)["TemplateBody"]
        # Of JSON, botocore has made values already.
        return template.parse(body if isinstance(body, str) else json.dumps(body))

    def _pages(self, operation: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        token: dict[str, str] | None = {}
        while token is not None:
            page = self._call(operation, **arguments, **token)
            yield page
            token = {"NextToken": page["NextToken"]} if page.get("NextToken") else None

    def _call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        return dict(self._aws.call("cloudformation", operation, **arguments))


def _is_of_interest(change: Mapping[str, Any]) -> bool:
    resource_type = change["ResourceType"]
    # Of a CustomResource, only the values tell whose it is.
    return resource_type in {SERVER, TYPE, CUSTOM_RESOURCE}


def _parameters(described: Mapping[str, Any]) -> dict[str, str]:
    return {p["ParameterKey"]: p["ParameterValue"] for p in described.get("Parameters", [])}


def by_values(stack_id: str, changes: list[dict[str, Any]]) -> Deployment:
    """Return what changes, each as DescribeChangeSet has it, do by their values."""
    read = Deployment()
    kept = {
        each["LogicalResourceId"]
        for each in changes
        if each["ResourceType"] == SERVER and each.get("Replacement") == "False"
    }
    for each in changes:
        owner = Owner(stack_id, each["LogicalResourceId"])
        # Of another scope, no handler is told.
        is_sent = each["Action"] != "Modify" or _SENT & set(each.get("Scope", _SENT))
        if each["ResourceType"] == SERVER:
            arn = each.get("PhysicalResourceId")
            if is_sent and arn and each["LogicalResourceId"] in kept:
                read.updates.append(ServerUpdate(owner, id_of_server(arn)))
        elif is_sent and (change := _change(owner, each, kept)):
            read.changes.append(change)
    return read


def _change(owner: Owner, described: Mapping[str, Any], kept: Set[str]) -> Change | None:
    """Return a change of a resource of ours, with what is known of its values; else None."""
    before, after = (properties(described.get(name)) for name in _CONTEXTS)
    token = (after or before or {}).get("ServiceToken")
    if not declares(described["ResourceType"], token):
        return None
    if before and after and _names_one_of(kept, described):
        # CloudFormation does not know that an update of a server keeps its id.
        after = after | {"ServerId": before["ServerId"]}
    if before == after:
        return None
    retained = described.get("PolicyAction") == "Retain"
    return Change(owner, before, after, described.get("PhysicalResourceId", ""), retained=retained)


def properties(context: str | None) -> dict[str, Any] | None:
    """Return the properties of which a context tells, None where there is none."""
    return dict(json.loads(context).get("Properties", {})) if context else None


def _names_one_of(kept: Set[str], described: Mapping[str, Any]) -> bool:
    """Tell whether its ServerId is that of a server that the change set keeps."""
    return any(
        detail.get("Target", {}).get("Name") == "ServerId"
        and detail.get("CausingEntity", "").split(".")[0] in kept
        for detail in described.get("Details", [])
    )
