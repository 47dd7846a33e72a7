"""What may be declared and what is answered, and how a mistake in it is told.

The JSON schema is the only definition of the former. This module knows no validator, so that
whoever checks brings their own.
"""

import json
import reprlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
# Within the package where it is installed, beside it in a checkout and in Lambda.
_FILES = (each / "schemas/transfer_server_state.schema.json" for each in (_HERE, _HERE.parent))
SCHEMA: dict[str, Any] = json.loads(next(filter(Path.exists, _FILES)).read_bytes())
TYPE: str = SCHEMA["title"]
CUSTOM_RESOURCE = "AWS::CloudFormation::CustomResource"
# By the name of the provider's function or export: all that a template tells of a token.
_TOKENS = ("transfer-server-state-provider", "TransferServerState-ServiceToken")
PROPERTIES: dict[str, Any] = SCHEMA["properties"]
# What Fn::GetAtt gives.
ATTRIBUTES = ("ServerId", "Arn", "State", "PreviousState")
# The others may hold secrets: a NoEcho parameter, a dynamic reference.
QUOTED = {"ServerId", "DesiredState", "OnDelete", "OnDrift", "ServiceTimeout"}
_SHORT = reprlib.Repr()
_SHORT.maxstring = 50


def declares(resource_type: object, service_token: object) -> bool:
    """Tell whether a resource of a template is such a declaration, under either of its types."""
    ours = any(name in str(service_token) for name in _TOKENS)
    return resource_type == TYPE or (resource_type == CUSTOM_RESOURCE and ours)


def missing(name: str) -> str:
    """Say that a required property is missing."""
    return f"{name}: missing, expected {PROPERTIES[name]['description']}"


def violation(name: str, value: object, rule: Mapping[str, Any]) -> str:
    """Say that a property does not exist, or which part of its schema its value violates."""
    if name not in PROPERTIES:
        return f"{_SHORT.repr(name)[1:-1]}: there is no such property{near(name, PROPERTIES)}"
    quotable = name in QUOTED and isinstance(value, str | int | float)
    told = f"{name}: {_SHORT.repr(value) if quotable else 'not valid'}"
    if isinstance(value, str) and value != value.strip():
        return f"{told} has spaces around it, expected {rule['description']}"
    return f"{told}, expected {rule['description']}{near(value, rule.get('enum', ()))}"


def near(word: object, known: Iterable[str]) -> str:
    """Ask whether the nearest of what is known was meant, if there is one."""
    # A mistake alone needs it, and no start-up has time to lose.
    import difflib  # noqa: PLC0415

    folded = {name.casefold(): name for name in known}
    matches = difflib.get_close_matches(str(word).casefold(), folded)
    return f"; did you mean {folded[matches[0]]}?" if matches else ""
