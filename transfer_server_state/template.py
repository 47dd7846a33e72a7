"""A template of CloudFormation's, read as far as it tells what is declared of servers.

What cannot be known from it and its parameters becomes KNOWN_AFTER_APPLY. This module knows no
client, and does not trust what it reads.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html
"""

import re
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

import yaml

from transfer_server_state.declaration import Home
from transfer_server_state.plan import (
    KNOWN_AFTER_APPLY,
    Change,
    Deployment,
    ServerUpdate,
    is_unknown,
)
from transfer_server_state.request import Owner
from transfer_server_state.schema import declares

SERVER = "AWS::Transfer::Server"
_STACKS = {"AWS::CloudFormation::Stack", "AWS::Serverless::Application"}
# AWS replaces a server of which these change; every other change updates it.
_REPLACING = ("Domain", "IdentityProviderType")
_DECIDING = ("ServerId", "DesiredState", "ServiceToken")
_TOO_DEEP = "it is nested too deeply"
_NO_VALUE = object()
# What a function raises whose arguments are not as they should be, or not known.
_UNRESOLVED = (AttributeError, LookupError, TypeError, ValueError)
_HOLE = re.compile(r"\$\{(!?)([^}]*)\}")


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


@dataclass(frozen=True)
class Stack:
    """A stack as its template has it, and its resources' physical ids by their logical ones.

    `parameters` is None where nobody knows their values; one that is not given has its default.
    """

    stack_id: str
    template: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, str] | None = field(default_factory=dict)
    physical_ids: Mapping[str, str] = field(default_factory=dict)


def changes(before: Stack, after: Stack) -> Deployment:
    """Return what becomes of what is declared, and which servers are updated.

    Both stacks have the physical ids that are there now. Raises TemplateError.
    """
    try:
        old = _Resolver(before).resources()
        new = _Resolver(after, replaced=_replaced(old, _Resolver(after).resources())).resources()
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
            read.updates.append(ServerUpdate(owner, physical_id.rpartition("/")[2]))
    return read


def unfollowed(template: Mapping[str, Any]) -> list[str]:
    """Return the resources of a template that may hold more than it tells."""
    return [
        str(name)
        for name, resource in template["Resources"].items()
        if str(name).startswith("Fn::ForEach::") or str(_mapping(resource).get("Type")) in _STACKS
    ]


def declares_any(template: Mapping[str, Any]) -> bool:
    """Tell whether a template has a declaration of ours."""
    resources = [_mapping(each) for each in template["Resources"].values()]
    return any(
        declares(each.get("Type"), _mapping(each.get("Properties")).get("ServiceToken"))
        for each in resources
    )


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


class _Resolver:
    """The values of a template; whatever it cannot resolve it leaves as KNOWN_AFTER_APPLY."""

    def __init__(self, stack: Stack, replaced: Set[str] = frozenset()) -> None:
        self._template, self._parameters = stack.template, stack.parameters
        self._ids = {n: value for n, value in stack.physical_ids.items() if n not in replaced}
        self._truths: dict[str, bool] = {}
        home = Home.of(stack.stack_id)
        self._pseudo = {
            "AWS::AccountId": home.account,
            "AWS::NoValue": _NO_VALUE,
            "AWS::Partition": home.partition,
            "AWS::Region": home.region,
            "AWS::StackId": stack.stack_id,
            "AWS::StackName": stack.stack_id.split("/")[1],
        }

    def resources(self) -> _Resources:
        """Return the servers, and what is declared of servers."""
        return {
            name: {
                "Type": resource["Type"],
                "Properties": self._properties(_mapping(resource.get("Properties"))),
                "DeletionPolicy": resource.get("DeletionPolicy"),
            }
            for name, resource in self._template.get("Resources", {}).items()
            if self._is_relevant(_mapping(resource))
        }

    def _properties(self, node: dict[str, Any]) -> dict[str, Any]:
        """Return a resource's properties; what nobody knows as a whole, none of it is known."""
        known = KNOWN_AFTER_APPLY if "Fn::Transform" in node else self._value(node)
        return known if isinstance(known, dict) else dict.fromkeys(_DECIDING, KNOWN_AFTER_APPLY)

    def _is_relevant(self, resource: Mapping[str, Any]) -> bool:
        token = _mapping(resource.get("Properties")).get("ServiceToken")
        if resource.get("Type") != SERVER and not declares(resource.get("Type"), token):
            return False
        try:
            return "Condition" not in resource or self._condition(resource["Condition"])
        except _UNRESOLVED:
            return True

    def _value(self, node: Any) -> Any:
        if isinstance(node, list):
            return [v for v in map(self._value, node) if v is not _NO_VALUE]
        if not isinstance(node, dict):
            return node
        name, argument = next(iter(node.items()), ("", None))
        if len(node) == 1 and (name in _FUNCTIONS or str(name).startswith("Fn::")):
            try:
                return _FUNCTIONS[name](self, argument)
            except _UNRESOLVED:
                return KNOWN_AFTER_APPLY
        values = {str(key): self._value(value) for key, value in node.items()}
        return {key: value for key, value in values.items() if value is not _NO_VALUE}

    def _known(self, node: Any) -> Any:
        value = self._value(node)
        if is_unknown(value):
            raise LookupError
        return value

    def _ref(self, name: str) -> Any:
        if name in self._pseudo:
            return self._pseudo[name]
        parameter = self._template.get("Parameters", {}).get(name)
        if parameter is None:
            return self._ids[name]
        if self._parameters is None or parameter["Type"].startswith("AWS::SSM::"):
            raise LookupError
        value = str(self._parameters.get(name, parameter.get("Default", KNOWN_AFTER_APPLY)))
        lists = parameter["Type"].startswith("List<") or parameter["Type"] == "CommaDelimitedList"
        return [each.strip() for each in value.split(",")] if lists else value

    def _attribute(self, argument: Any) -> str:
        name, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
        if self._template["Resources"][name]["Type"] != SERVER:
            raise LookupError
        arn = self._ids[name]
        return {"Arn": arn, "ServerId": arn.rpartition("/")[2]}[attribute]

    def _if(self, argument: Any) -> Any:
        condition, then, otherwise = argument
        return self._value(then if self._condition(condition) else otherwise)

    def _condition(self, name: str) -> bool:
        if name not in self._truths:
            self._truths[name] = self._truth(self._template["Conditions"][name])
        return self._truths[name]

    def _truth(self, node: Any) -> bool:
        ((name, argument),) = node.items()
        if name == "Condition":
            return self._condition(argument)
        if name == "Fn::Equals":
            one, other = map(self._known, argument)
            return str(one) == str(other)
        truths = [self._truth(each) for each in argument]
        return {"Fn::And": all(truths), "Fn::Or": any(truths), "Fn::Not": not truths[0]}[name]

    def _find(self, argument: Any) -> Any:
        names = map(self._known, argument)
        return self._template["Mappings"][next(names)][next(names)][next(names)]

    def _join(self, argument: Any) -> str:
        between, parts = argument[0], self._value(argument[1])
        return str(between).join(map(str, parts))

    def _select(self, argument: Any) -> Any:
        return self._value(argument[1])[int(self._known(argument[0]))]

    def _split(self, argument: Any) -> list[str]:
        return str(self._known(argument[1])).split(argument[0])

    def _sub(self, argument: Any) -> str:
        text, names = (argument, {}) if isinstance(argument, str) else argument
        given = _mapping(self._value(names))

        def filled(hole: re.Match[str]) -> str:
            literal, name = hole[1], hole[2].strip()
            if literal or name in given:
                return f"${{{name}}}" if literal else str(given[name])
            return str(self._value({"Fn::GetAtt": name} if "." in name else {"Ref": name}))

        return _HOLE.sub(filled, text)


_FUNCTIONS: dict[str, Callable[[_Resolver, Any], Any]] = {
    "Ref": _Resolver._ref,
    "Fn::FindInMap": _Resolver._find,
    "Fn::GetAtt": _Resolver._attribute,
    "Fn::If": _Resolver._if,
    "Fn::Join": _Resolver._join,
    "Fn::Select": _Resolver._select,
    "Fn::Split": _Resolver._split,
    "Fn::Sub": _Resolver._sub,
}


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
