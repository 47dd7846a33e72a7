"""Rules for cfn-lint: what is wrong with a declaration, told before anything is deployed.

`cfn-lint -a transfer_server_state.lint`. Needs cfn-lint and nothing beside it: where cfn-lint runs,
there may be neither jsonschema nor boto3.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache, reduce
from itertools import combinations
from operator import getitem
from typing import Any, NamedTuple

# Not their classes by name: cfn-lint takes every rule that it finds here for one of ours.
from cfnlint import rules
from cfnlint.helpers import FUNCTIONS, ToPy
from cfnlint.jsonschema import CfnTemplateValidator, ValidationError

from transfer_server_state.schema import (
    ATTRIBUTES,
    PROPERTIES,
    SCHEMA,
    declares,
    missing,
    near,
    violation,
)

_SUB = re.compile(r"\$\{\s*([^}\s]+)\s*\}")
_SERVER_ID = re.compile(r"(?:arn:[^/]+/)?(s-[0-9a-f]{17})")
# Of the two ways to write a number, cfn-lint takes either for the other.
_SECONDS = PROPERTIES["ServiceTimeout"]
_WHOLE = {"description": _SECONDS["description"], **_SECONDS["anyOf"][0]}
# The schema as cfn-lint has to have it, so that each error is one of a property. It misses a
# ServiceToken itself, in every custom resource.
_SCHEMA = {
    "properties": PROPERTIES | {"ServiceTimeout": _WHOLE},
    "additionalProperties": False,
    "required": [name for name in SCHEMA["required"] if name != "ServiceToken"],
}
_CHECKED = {"additionalProperties", "anyOf", "enum", "maximum", "minimum", "minLength", "type"}
# What cfn-lint reports of a value that Ref or Fn::FindInMap gives.
_RESOLVED = {"W1030", "W1034"}


def _enum(validator: Any, known: list[str], value: Any, _: Any) -> Iterator[ValidationError]:
    """Compare as the handler does: to cfn-lint, any text is as good as false."""
    if value not in known:
        yield ValidationError("", path_override=validator.context.path.value_path)


def _required(_: Any, names: list[str], given: Any, __: Any) -> Iterator[ValidationError]:
    """Miss each name for itself, unless a transform may yet bring it."""
    for name in names:
        if name not in given and "Fn::Transform" not in given:
            yield ValidationError(missing(name))


# What others give cannot be known; so to look into them would only take time.
_UNKNOWN = set(FUNCTIONS) - {"Ref", "Fn::FindInMap", "Fn::If"}
_KEYWORDS = {"enum": _enum, "required": _required} | {ToPy(name).py: None for name in _UNKNOWN}


class DeclarationProperties(rules.CfnLintKeyword):
    """The handler's schema, on every value that can be known."""

    id = "E9801"
    shortdesc = "Properties of Custom::TransferServerState"
    description = "The provider refuses properties that are unknown, missing or not valid"
    tags = ["resources", "transfer"]

    def __init__(self) -> None:
        super().__init__()
        self._validator: Any = None

    def initialize(self, cfn: Any) -> None:
        """Listen to the types of the template's declarations."""
        types = {cfn.template["Resources"][name]["Type"] for name in _declarations(cfn)}
        self.keywords = [f"Resources/{kind}/Properties" for kind in sorted(types)]

    def validate(
        self, validator: Any, keywords: Any, instance: Any, schema: Any
    ) -> Iterator[ValidationError]:
        """Check a resource's properties."""
        del schema
        if not declares(keywords.split("/")[1], instance.get("ServiceToken")):
            return
        # It is a new class, and takes longer to be made than to be used.
        self._validator = self._validator or validator.extend(validators=_KEYWORDS)
        checking = self._validator(schema=_SCHEMA, cfn=validator.cfn, context=validator.context)
        for error in checking.iter_errors(instance):
            if told := self._told(error, instance):
                error.message, error.context = told, []
                error.rule = error.rule or self
                yield error

    @staticmethod
    def _told(error: Any, instance: Any) -> str:
        """Say what is wrong with a property; with a function, cfn-lint says it itself."""
        if error.rule is None and error.validator == "required":
            return str(error.message)
        resolved = error.rule is not None and error.rule.id in _RESOLVED
        if not (resolved or (error.rule is None and error.validator in _CHECKED)):
            return ""
        if resolved and str(reduce(getitem, error.path, instance)).startswith("AWS::"):
            return ""  # of the stack's name and the like, cfn-lint has an example
        _, when, function = error.message.rpartition(" when ") if resolved else ("", "", "")
        return violation(str(error.path[0]), error.instance, error.schema) + when + function


class DeclarationAttributes(rules.CloudFormationLintRule):
    """The attributes that the handler answers."""

    id = "E9802"
    shortdesc = "Attributes of Custom::TransferServerState"
    description = "Fn::GetAtt and Fn::Sub can only get what the provider answers"
    tags = ["resources", "transfer"]

    def match(self, cfn: Any) -> Iterator[rules.RuleMatch]:
        """Check every reference to a declaration."""
        declared = _declarations(cfn)
        for part in ("Resources", "Outputs") if declared else ():
            for path, name, attribute in _references(cfn.template.get(part), (part,)):
                if name in declared and attribute not in (None, *ATTRIBUTES):
                    *others, last = ATTRIBUTES
                    yield rules.RuleMatch(
                        list(path),
                        f"{name}.{attribute}: there is no such attribute, expected "
                        f"{', '.join(others)} or {last}{near(attribute, ATTRIBUTES)}",
                    )


class OneDeclaration(rules.CloudFormationLintRule):
    """A server is declared once."""

    id = "E9803"
    shortdesc = "A server has one declaration"
    description = "Two declarations of one server take it from each other"
    tags = ["resources", "transfer"]

    def match(self, cfn: Any) -> Iterator[rules.RuleMatch]:
        """Compare every two declarations that can exist together."""
        found = [each for each in _scenarios(cfn) if each.server]
        told = set()
        for first, second in combinations(found, 2):
            if first.server != second.server or second.name in told:
                continue
            if _possible(cfn, first.conditions, second.conditions):
                told.add(second.name)
                yield rules.RuleMatch(
                    ["Resources", second.name, "Properties", "ServerId"],
                    f"ServerId: {first.name} declares this server too, and a server has one "
                    "declaration: remove one of the two",
                )


class StaysOffline(rules.CloudFormationLintRule):
    """A server that is declared OFFLINE where it is made, and that an update would start."""

    id = "W9804"
    shortdesc = "An update of a server undoes its declared OFFLINE"
    description = "AWS starts an OFFLINE server at every update of its AWS::Transfer::Server"
    tags = ["resources", "transfer"]

    def match(self, cfn: Any) -> Iterator[rules.RuleMatch]:
        """Look for what would bring it back."""
        servers = cfn.get_resources("AWS::Transfer::Server")
        for each in _scenarios(cfn) if servers else ():
            given = each.properties
            kept = given.get("Triggers") or given.get("OnDrift", "REPORT") != "REPORT"
            if each.server not in servers or kept:
                continue
            desired = _values(cfn, given.get("DesiredState"))
            if "OFFLINE" in desired and _possible(cfn, each.conditions):
                yield rules.RuleMatch(
                    ["Resources", each.name, "Properties", "DesiredState"],
                    f"DesiredState: AWS starts {each.server} at its next update, be it by a tag, "
                    "and OFFLINE stays undone: add OnDrift: REASSERT, or Triggers with what may "
                    "change there",
                )


class _Scenario(NamedTuple):
    """What a declaration says where these conditions hold, and of which server."""

    name: str
    properties: Mapping[str, Any]
    conditions: Mapping[str, bool]
    server: str


def _declarations(cfn: Any) -> dict[str, Mapping[str, Any]]:
    """Return the properties of all resources of ours."""
    return {
        name: given
        for name, resource in cfn.get_resources().items()
        if isinstance(given := resource.get("Properties") or {}, Mapping)
        and declares(resource["Type"], given.get("ServiceToken"))
    }


@lru_cache(maxsize=1)  # two rules ask
def _scenarios(cfn: Any) -> list[_Scenario]:
    """Tell what each declaration says under each combination of its conditions."""
    found = []
    servers = cfn.get_resources("AWS::Transfer::Server")
    names = ["ServerId", "DesiredState", "OnDrift", "Triggers"]
    for name, properties in _declarations(cfn).items():
        condition = cfn.template["Resources"][name].get("Condition")
        exists = {condition: True} if isinstance(condition, str) else {}
        for each in cfn.get_object_without_conditions(properties, names):
            given, conditions = each["Object"], each["Scenario"] or {}
            if all(conditions.get(name, True) for name in exists):
                server = _server(given.get("ServerId"), servers)
                found.append(_Scenario(name, given, conditions | exists, server))
    return found


def _server(value: Any, servers: Mapping[str, Any]) -> str:
    """Name a server: by its logical id if it is of this template, else by what was written."""
    if isinstance(value, str):
        literal = _SERVER_ID.fullmatch(value)
        return literal[1] if literal else value
    referred = {name for _, name, _ in _references(value) if not name.startswith("AWS::")}
    # Whatever is made of one server's attributes alone can only name that server.
    return referred.pop() if len(referred) == 1 and referred <= set(servers) else str(value or "")


def _possible(cfn: Any, *scenarios: Mapping[str, bool]) -> bool:
    """Tell whether conditions can hold together."""
    wanted: dict[str, set[bool]] = {}
    for name, value in (item for each in scenarios for item in each.items()):
        wanted.setdefault(name, set()).add(value)
    if any(len(values) > 1 for values in wanted.values()):
        return False
    return not wanted or next(cfn.conditions.build_scenarios(wanted), None) is not None


def _values(cfn: Any, value: Any) -> set[str]:
    """Return the values that something can have, as far as they can be known."""
    validator = CfnTemplateValidator({}).evolve(cfn=cfn, context=cfn.context.evolve())
    return {str(known) for known, _, _ in validator.resolve_value(value)}


def _references(
    value: Any, path: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], str, str | None]]:
    """Find what is referred to: where, the logical id, and the attribute unless it is a Ref."""
    if isinstance(value, list):
        for i, each in enumerate(value):
            yield from _references(each, (*path, i))
    if not isinstance(value, Mapping):
        return
    for key, below in value.items():
        here = (*path, key)
        for name in _named(key, below):
            resource, dot, attribute = name.partition(".")
            # Where cfn-lint has it: of a list, the attribute.
            where = (*here, 1) if key == "Fn::GetAtt" and isinstance(below, list) else here
            yield where, resource, attribute if dot else None
        yield from _references(below, here)


def _named(key: str, value: Any) -> list[str]:
    """Return what a function names: resources, or their attributes with a dot."""
    if key == "Fn::Sub":
        text, given = value if isinstance(value, list) and len(value) == 2 else (value, {})
        names = _SUB.findall(text) if isinstance(text, str) and isinstance(given, Mapping) else []
        return [name for name in names if name not in given]
    if key == "Fn::GetAtt" and isinstance(value, list) and all(isinstance(v, str) for v in value):
        return [".".join(value)]
    return [value] if key in ("Ref", "Fn::GetAtt") and isinstance(value, str) else []
