"""A template of CloudFormation's, read as far as it tells what is declared of servers.

What cannot be known from it and its parameters becomes KNOWN_AFTER_APPLY. This module knows no
client, and does not trust what it reads.
"""

from collections.abc import Mapping, Set
from typing import Any

import yaml

from transfer_server_state.intrinsics import (
    SERVER,
    UNRESOLVED,
    Resolver,
    Stack,
    as_mapping,
    id_of_server,
)
from transfer_server_state.planned import (
    KNOWN_AFTER_APPLY,
    Change,
    Deployment,
    ServerUpdate,
    is_unknown,
)
from transfer_server_state.request import Owner
from transfer_server_state.schema import declares

_STACKS = {"AWS::CloudFormation::Stack", "AWS::Serverless::Application"}
# AWS replaces a server of which these change; every other change updates it.
_REPLACING = ("Domain", "IdentityProviderType")
_DECIDING = ("ServerId", "DesiredState", "ServiceToken")
_TOO_DEEP = "it is nested too deeply"


class TemplateError(ValueError):
    """A text that is no template; the message says why."""


class _Loader(yaml.CSafeLoader):
    """YAML with CloudFormation's short forms."""


def _long_form(loader: Any, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _long_form)
# A date is a text to CloudFormation; the others it does not support.
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.construct_scalar)
for _kind in ("binary", "omap", "pairs", "set"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _Loader.construct_undefined)


def parse(text: str) -> dict[str, Any]:
    """Read a template, JSON or YAML. Raises TemplateError."""
    try:
        # By aliases a short text becomes a huge value.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, _Loader)):
            raise TemplateError("it has YAML aliases, which CloudFormation does not support")
        template = yaml.load(text, _Loader)  # noqa: S506 - a safe loader, with short forms
    except RecursionError as error:
        raise TemplateError(_TOO_DEEP) from error
    except (yaml.YAMLError, TypeError, ValueError) as error:
        raise TemplateError(" ".join(str(error).split())[:200]) from error
    if not isinstance(template, dict) or not isinstance(template.get("Resources"), dict):
        raise TemplateError("it has no Resources")
    return template


def changes(before: Stack, after: Stack) -> Deployment:
    """Return what becomes of what is declared, and which servers are updated.

    Both stacks have the physical ids that are there now. Raises TemplateError.
    """
    try:
        old = _resources(before)
        new = _resources(after, replaced=_replaced(old, _resources(after)))
    except RecursionError as error:
        raise TemplateError(_TOO_DEEP) from error
    read = Deployment()
    for name in [*new, *(name for name in old if name not in new)]:
        was, becomes = old.get(name), new.get(name)
        owner, physical_id = Owner(after.stack_id, name), after.physical_ids.get(name, "")
        if was == becomes and not (after.parameters is None and _is_open(was)):
            continue
        if (was or becomes or {})["Type"] != SERVER:
            retained = becomes is None and (was or {})["DeletionPolicy"] == "Retain"
            properties = [each and each["Properties"] for each in (was, becomes)]
            change = Change(owner, properties[0], properties[1], physical_id, retained=retained)
            read.changes.append(change)
        elif was and becomes and physical_id:
            read.updates.append(ServerUpdate(owner, id_of_server(physical_id)))
    return read


def unfollowed(template: Mapping[str, Any]) -> list[str]:
    """Return the resources of a template that may hold more than it tells."""
    return [
        str(name)
        for name, resource in template["Resources"].items()
        if str(name).startswith("Fn::ForEach::") or str(as_mapping(resource).get("Type")) in _STACKS
    ]


def declares_any(template: Mapping[str, Any]) -> bool:
    """Tell whether a template has a declaration of ours."""
    return any(_declares(as_mapping(each)) for each in template["Resources"].values())


def replaces(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Tell whether AWS replaces a server by another when its properties become these."""
    return any(before.get(name) != after.get(name) for name in _REPLACING)


_Resources = dict[str, dict[str, Any]]


def _is_open(resource: Mapping[str, Any] | None) -> bool:
    """Tell whether a declaration may change by parameters whose values nobody knows."""
    properties = (resource or {})["Properties"]
    return any(is_unknown(properties.get(name)) for name in _DECIDING[:2])


def _replaced(old: _Resources, new: _Resources) -> set[str]:
    """Return the servers that an update replaces."""
    both = [name for name in old if name in new and old[name]["Type"] == SERVER]
    return {n for n in both if replaces(old[n]["Properties"], new[n]["Properties"])}


def _resources(stack: Stack, replaced: Set[str] = frozenset()) -> _Resources:
    """Return the servers, and what is declared; the ids of what is `replaced` are not known."""
    resolver = Resolver(stack, replaced)
    return {
        name: {
            "Type": resource["Type"],
            "Properties": _properties(as_mapping(resource.get("Properties")), resolver),
            "DeletionPolicy": resource.get("DeletionPolicy"),
        }
        for name, resource in stack.template.get("Resources", {}).items()
        if _is_relevant(as_mapping(resource), resolver)
    }


def _properties(node: dict[str, Any], resolver: Resolver) -> dict[str, Any]:
    """Return a resource's properties; of what nobody knows as a whole, none is known."""
    known = KNOWN_AFTER_APPLY if "Fn::Transform" in node else resolver.value(node)
    return known if isinstance(known, dict) else dict.fromkeys(_DECIDING, KNOWN_AFTER_APPLY)


def _declares(resource: Mapping[str, Any]) -> bool:
    token = as_mapping(resource.get("Properties")).get("ServiceToken")
    return declares(resource.get("Type"), token)


def _is_relevant(resource: Mapping[str, Any], resolver: Resolver) -> bool:
    if resource.get("Type") != SERVER and not _declares(resource):
        return False
    try:
        return "Condition" not in resource or resolver.condition(resource["Condition"])
    except UNRESOLVED:
        return True
