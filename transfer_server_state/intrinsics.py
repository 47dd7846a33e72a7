"""The intrinsic functions of CloudFormation's templates, as far as they can be resolved.

What cannot be becomes KNOWN_AFTER_APPLY. This module knows no client, and does not trust what it
reads.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html
"""

import re
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from transfer_server_state.declaration import Home
from transfer_server_state.planned import KNOWN_AFTER_APPLY, is_unknown

SERVER = "AWS::Transfer::Server"
_NO_VALUE = object()
# What a function raises whose arguments are not as they should be, or not known.
UNRESOLVED = (AttributeError, LookupError, TypeError, ValueError)
_HOLE = re.compile(r"\$\{(!?)([^}]*)\}")


@dataclass(frozen=True)
class Stack:
    """A stack as its template has it, and its resources' physical ids by their logical ones.

    `parameters` is None where nobody knows their values; one that is not given has its default.
    """

    stack_id: str
    template: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, str] | None = field(default_factory=dict)
    physical_ids: Mapping[str, str] = field(default_factory=dict)


class Resolver:
    """The values of a stack's template; the ids of what is `replaced` are not known."""

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

    def value(self, node: Any) -> Any:
        """Return what a part of the template is."""
        if isinstance(node, list):
            return [v for v in map(self.value, node) if v is not _NO_VALUE]
        if not isinstance(node, dict):
            return node
        name, argument = next(iter(node.items()), ("", None))
        if len(node) == 1 and (name in _FUNCTIONS or str(name).startswith("Fn::")):
            try:
                return _FUNCTIONS[name](self, argument)
            except UNRESOLVED:
                return KNOWN_AFTER_APPLY
        values = {str(key): self.value(value) for key, value in node.items()}
        return {key: value for key, value in values.items() if value is not _NO_VALUE}

    def _known(self, node: Any) -> Any:
        value = self.value(node)
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
        name, attribute = argument.split(".") if isinstance(argument, str) else argument
        if self._template["Resources"][name]["Type"] != SERVER:
            raise LookupError
        arn = self._ids[name]
        return {"Arn": arn, "ServerId": id_of_server(arn)}[attribute]

    def _if(self, argument: Any) -> Any:
        condition, then, otherwise = argument
        return self.value(then if self.condition(condition) else otherwise)

    def condition(self, name: str) -> bool:
        """Tell whether a condition holds. Raises one of UNRESOLVED."""
        if name not in self._truths:
            self._truths[name] = self._truth(self._template["Conditions"][name])
        return self._truths[name]

    def _truth(self, node: Any) -> bool:
        ((name, argument),) = node.items()
        if name == "Condition":
            return self.condition(argument)
        if name == "Fn::Equals":
            one, other = map(self._known, argument)
            return str(one) == str(other)
        truths = [self._truth(each) for each in argument]
        return {"Fn::And": all(truths), "Fn::Or": any(truths), "Fn::Not": not truths[0]}[name]

    def _find(self, argument: Any) -> Any:
        names = map(self._known, argument)
        return self._template["Mappings"][next(names)][next(names)][next(names)]

    def _join(self, argument: Any) -> str:
        between, parts = argument[0], self.value(argument[1])
        return str(between).join(map(str, parts))

    def _select(self, argument: Any) -> Any:
        return self.value(argument[1])[int(self._known(argument[0]))]

    def _split(self, argument: Any) -> list[str]:
        return str(self._known(argument[1])).split(argument[0])

    def _sub(self, argument: Any) -> str:
        text, names = (argument, {}) if isinstance(argument, str) else argument
        given = as_mapping(self.value(names))

        def filled(hole: re.Match[str]) -> str:
            literal, name = hole[1], hole[2].strip()
            if literal or name in given:
                return f"${{{name}}}" if literal else str(given[name])
            return str(self.value({"Fn::GetAtt": name} if "." in name else {"Ref": name}))

        return _HOLE.sub(filled, text)


_FUNCTIONS: dict[str, Callable[[Resolver, Any], Any]] = {
    "Ref": Resolver._ref,
    "Fn::FindInMap": Resolver._find,
    "Fn::GetAtt": Resolver._attribute,
    "Fn::If": Resolver._if,
    "Fn::Join": Resolver._join,
    "Fn::Select": Resolver._select,
    "Fn::Split": Resolver._split,
    "Fn::Sub": Resolver._sub,
}


def id_of_server(arn: str) -> str:
    """Return the id of a server from its physical one, which is its ARN."""
    return arn.rpartition("/")[2]


def as_mapping(value: Any) -> dict[str, Any]:
    """Return a mapping, an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}
