"""What is declared: resource properties, checked against the JSON schema.

This module knows no AWS client and nothing of how a declaration is carried out.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from jsonschema import Draft202012Validator

from transfer_server_state.machine import State
from transfer_server_state.schema import PROPERTIES, QUOTED, SCHEMA, missing, violation

_VALIDATOR = Draft202012Validator(SCHEMA)
LONGEST_TIMEOUT_S: int = PROPERTIES["ServiceTimeout"]["default"]
_SHORTEST_TIMEOUT_S: int = PROPERTIES["ServiceTimeout"]["anyOf"][0]["minimum"]
# A change of these, and AWS may just have moved the server: see progress.py.
_MOVING = ("DesiredState", "Triggers")
_SERVER_ID = re.compile(r"(?:arn:[^/]+/)?(s-[0-9a-f]{17})")


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
    violations = [missing(name) for name in SCHEMA["required"] if name not in given]
    try:
        violations += [
            violation(str(error.path[0]), error.instance, error.schema)
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


def moves(before: object, after: object) -> bool:
    """Tell whether an update is of a kind in which the server may just have been moved."""
    old, new = (each if isinstance(each, Mapping) else {} for each in (before, after))
    return bool(old) and any(old.get(name) != new.get(name) for name in _MOVING)


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return what an update changes, by name, and with the values that cannot be secret."""
    names = [n for n in PROPERTIES if before.get(n) != after.get(n)]
    return [
        f"{name} {before.get(name, '(none)')} -> {after.get(name, '(none)')}"
        if name in QUOTED
        else name
        for name in names
    ]
