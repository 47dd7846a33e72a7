"""What is declared: resource properties, checked against the JSON schema.

The schema is the only definition of what may be declared. This module knows no AWS client and
nothing of how a declaration is carried out.
"""

import difflib
import json
import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, ValidationError

from handler.machine import State

SCHEMA: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "schemas/transfer_server_state.schema.json").read_bytes()
)
_PROPERTIES = SCHEMA["properties"]
_VALIDATOR = Draft202012Validator(SCHEMA)
_SHORT = reprlib.Repr()
_SHORT.maxstring = 50


class InvalidDeclarationError(ValueError):
    """The properties are not what may be declared; the text names every violation."""


@dataclass(frozen=True)
class Home:
    """Where this provider runs, and so where its servers are."""

    region: str
    account: str

    @classmethod
    def of(cls, function_arn: str) -> "Home":
        """Take it from the function's ARN, arn:partition:lambda:region:account:function:name."""
        region, account = function_arn.split(":")[3:5]
        return cls(region, account)


@dataclass(frozen=True)
class Declaration:
    """A server and the state it shall be in."""

    server_id: str
    desired: State
    restore_on_delete: bool
    timeout_s: int


def parse(properties: Mapping[str, Any], home: Home) -> Declaration:
    """Turn resource properties into a Declaration.

    Raises InvalidDeclarationError with all violations at once, each naming the property, the
    value and what was expected.
    """
    violations = [
        f"{name}: missing, expected {_PROPERTIES[name]['description']}"
        for name in SCHEMA["required"]
        if name not in properties
    ]
    try:
        violations += [
            _violation(error)
            for error in _VALIDATOR.iter_errors(properties)
            if error.validator != "required"
        ]
    except RecursionError:  # in jsonschema, which quotes what it refuses
        violations.append("ResourceProperties: nested too deeply")
    if violations:
        raise InvalidDeclarationError("; ".join(violations))
    arn, _, server_id = properties["ServerId"].rpartition("/")
    if arn:
        region, account = arn.split(":")[3:5]
        if (region, account) != (home.region, home.account):
            raise InvalidDeclarationError(
                f"ServerId: {server_id} is in region {region} of account {account}; expected one "
                f"in {home.region} of {home.account}, where this provider is: deploy it there too"
            )
    return Declaration(
        server_id=server_id,
        desired=State(properties["DesiredState"]),
        restore_on_delete=properties.get("OnDelete") == "RESTORE",
        timeout_s=int(properties.get("ServiceTimeout", _PROPERTIES["ServiceTimeout"]["default"])),
    )


def _violation(error: ValidationError) -> str:
    name, value = str(error.path[0]), _SHORT.repr(error.instance)
    if name not in _PROPERTIES:
        name = _SHORT.repr(name)[1:-1]
        return f"{name}: {value}, but there is no such property{_near(name, _PROPERTIES)}"
    known = error.schema.get("enum", ())
    return f"{name}: {value}, expected {error.schema['description']}{_near(error.instance, known)}"


def _near(word: object, known: Iterable[str]) -> str:
    folded = {name.casefold(): name for name in known}
    matches = difflib.get_close_matches(str(word).casefold(), folded)
    return f"; did you mean {folded[matches[0]]}?" if matches else ""
