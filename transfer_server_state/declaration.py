"""What is declared: resource properties, checked against the JSON schema.

The schema is the only definition of what may be declared. This module knows no AWS client and
nothing of how a declaration is carried out.
"""

import difflib
import json
import re
import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from jsonschema import Draft202012Validator, ValidationError

from transfer_server_state.machine import State

_HERE = Path(__file__).parent
# Within the package where it is installed, beside it in a checkout and in Lambda.
_FILES = (each / "schemas/transfer_server_state.schema.json" for each in (_HERE, _HERE.parent))
SCHEMA: dict[str, Any] = json.loads(next(filter(Path.exists, _FILES)).read_bytes())
_PROPERTIES = SCHEMA["properties"]
_VALIDATOR = Draft202012Validator(SCHEMA)
LONGEST_TIMEOUT_S: int = _PROPERTIES["ServiceTimeout"]["default"]
_SHORTEST_TIMEOUT_S: int = _PROPERTIES["ServiceTimeout"]["anyOf"][0]["minimum"]
# The others may hold secrets: a NoEcho parameter, a dynamic reference.
_QUOTED = {"ServerId", "DesiredState", "OnDelete", "OnDrift", "ServiceTimeout"}
# A change of these, and AWS may just have moved the server: see progress.py.
_MOVING = ("DesiredState", "Triggers")
_SERVER_ID = re.compile(r"(?:arn:[^/]+/)?(s-[0-9a-f]{17})")
_SHORT = reprlib.Repr()
_SHORT.maxstring = 50


TYPE = "Custom::TransferServerState"
CUSTOM_RESOURCE = "AWS::CloudFormation::CustomResource"
# By the name of the provider's function or export: all that a template tells of a token.
_TOKENS = ("transfer-server-state-provider", "TransferServerState-ServiceToken")


class InvalidDeclarationError(ValueError):
    """The properties are not what may be declared; the text names every violation."""


class Home(NamedTuple):
    """Where this provider runs, and so where its servers are."""

    partition: str
    region: str
    account: str

    @classmethod
    def of(cls, arn: str) -> "Home":
        """Take it from an ARN, arn:partition:service:region:account:..."""
        _, partition, _, *place = arn.split(":")[:5]
        return cls(partition, *place)


@dataclass(frozen=True)
class Declaration:
    """A server, "" if none is named, and the state it shall be in, None if it is released."""

    server_id: str
    timeout_s: int
    restores: bool
    desired: State | None = None
    reasserts: bool = False


def parse(properties: object, home: Home) -> Declaration:
    """Turn resource properties into a Declaration.

    Raises InvalidDeclarationError with all violations at once, each naming the property, the
    value unless it may be secret, and what was expected.
    """
    given = properties if isinstance(properties, Mapping) else {}
    violations = [
        f"{name}: missing, expected {_PROPERTIES[name]['description']}"
        for name in SCHEMA["required"]
        if name not in given
    ]
    try:
        violations += [
            _violation(error)
            for error in _VALIDATOR.iter_errors(given)
            if error.validator != "required"
        ]
    except RecursionError:  # in jsonschema, which quotes what it refuses
        violations.append("ResourceProperties: nested too deeply")
    if violations:
        raise InvalidDeclarationError("; ".join(violations))
    arn, _, server_id = given["ServerId"].rpartition("/")
    if arn and (there := Home.of(arn)) != home:
        raise InvalidDeclarationError(
            f"ServerId: {server_id} is in {':'.join(there)}, this stack and its provider are in "
            f"{':'.join(home)} (partition:region:account): declare it in a stack there"
        )
    return replace(
        parse_released(given),
        desired=State(given["DesiredState"]),
        reasserts=given.get("OnDrift") == "REASSERT",
    )


def parse_released(properties: object) -> Declaration:
    """Read what a release needs; whatever else the properties hold, and may not, is ignored."""
    given = properties if isinstance(properties, Mapping) else {}
    values = (given.get(name) for name in ("ServerId", "ServiceTimeout"))
    # Of what is too long to be either, or nested too deeply, no number or text is made.
    server_id, timeout_s = (str(v)[:100] if isinstance(v, str | int) else "" for v in values)
    named = _SERVER_ID.fullmatch(server_id)
    return Declaration(
        server_id=named[1] if named else "",
        timeout_s=max(_SHORTEST_TIMEOUT_S, min(int(timeout_s), LONGEST_TIMEOUT_S))
        if timeout_s.isdecimal()
        else LONGEST_TIMEOUT_S,
        restores=given.get("OnDelete") == "RESTORE",
    )


def declares(resource_type: object, service_token: object) -> bool:
    """Tell whether a resource of a template is such a declaration, under either of its types."""
    ours = any(name in str(service_token) for name in _TOKENS)
    return resource_type == TYPE or (
        resource_type == "AWS::CloudFormation::CustomResource" and ours
    )


def moves(before: object, after: object) -> bool:
    """Tell whether an update is of a kind in which the server may just have been moved."""
    old, new = (each if isinstance(each, Mapping) else {} for each in (before, after))
    return bool(old) and any(old.get(name) != new.get(name) for name in _MOVING)


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return what an update changes, by name, and with the values that cannot be secret."""
    names = [n for n in _PROPERTIES if before.get(n) != after.get(n)]
    return [
        f"{name} {before.get(name, '(none)')} -> {after.get(name, '(none)')}"
        if name in _QUOTED
        else name
        for name in names
    ]


def _violation(error: ValidationError) -> str:
    name, value = str(error.path[0]), error.instance
    if name not in _PROPERTIES:
        return f"{_SHORT.repr(name)[1:-1]}: there is no such property{_near(name, _PROPERTIES)}"
    quotable = name in _QUOTED and isinstance(value, str | int | float)
    told = f"{name}: {_SHORT.repr(value) if quotable else 'not valid'}"
    if isinstance(value, str) and value != value.strip():
        return f"{told} has spaces around it, expected {error.schema['description']}"
    known = error.schema.get("enum", ())
    return f"{told}, expected {error.schema['description']}{_near(value, known)}"


def _near(word: object, known: Iterable[str]) -> str:
    folded = {name.casefold(): name for name in known}
    matches = difflib.get_close_matches(str(word).casefold(), folded)
    return f"; did you mean {folded[matches[0]]}?" if matches else ""
