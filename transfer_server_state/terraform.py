"""What Terraform asks, read from the payload of an `aws_lambda_invocation`, and what it is shown.

The payload is the resource's `input`: a declaration's properties, and `Owner`, the name under which
Terraform declares. With `lifecycle_scope = "CRUD"` the AWS provider adds `tf`, or what
`terraform_key` calls it: `{"action": "create", "prev_input": null}`. Without it, it declares.

This module knows no client and no clock.
https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/lambda_invocation
"""

import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from transfer_server_state import declaration
from transfer_server_state.declaration import Declaration, Home, InvalidDeclarationError
from transfer_server_state.machine import State
from transfer_server_state.request import Owner, Request, request_digest
from transfer_server_state.row import Row
from transfer_server_state.schema import PROPERTIES
from transfer_server_state.standing import Standing, standing

_KINDS = {"create": "Create", "update": "Update", "delete": "Delete", "read": "Read"}
# What only Terraform gives: its pattern, and how that is told.
_NAMES = {
    "Owner": (r"[A-Za-z0-9._-]{1,64}", "a name of up to 64 letters, digits and . _ -"),
    "Instance": (r"[0-9]{0,20}", "up to 20 digits, later ones greater, or nothing"),
}
_IN_ORDER = {Standing.AS_DECLARED, Standing.AT_WORK, Standing.MOVING}


@dataclass(frozen=True)
class Invocation:
    """What is known of an invocation of the function, and so of the request that it brings.

    A payload has neither id nor date. So each invocation is a request of its own, sent when it
    begins: what the caller's SDK sends once more is the newer request, goes on from where the first
    is, and that one stops.
    """

    request_id: str
    home: Home
    began_s: float
    left_s: float


@dataclass(frozen=True)
class Asked:
    """What a payload asks for: `before` is to be released first, as an update leaves it."""

    reads: bool
    request: Request
    before: Request | None = None


def parse(payload: object, invocation: Invocation) -> Asked:
    """Read a payload. Raises InvalidDeclarationError with all violations at once.

    A deletion is never refused: what does not name a server asks for nothing.
    """
    given = dict(payload) if isinstance(payload, Mapping) else {}
    told = _pop_lifecycle(given)
    kind = _KINDS[told.get("action", "create")]
    if kind == "Delete":
        return Asked(reads=False, request=_release(given, invocation))
    request = _declare(kind, given, told.get("prev_input"), invocation)
    before = _release(told.get("prev_input"), invocation)
    stays = before.server_id == request.server_id and request.owner.continues(before.owner)
    return Asked(kind == "Read", request, before if kind == "Update" and not stays else None)


def shown(request: Request, row: Row, actual: State | None, now_s: float) -> dict[str, str]:
    """Return what a read shows.

    `Instance` is that of this configuration's declaration if it stands, else it is empty: then the
    next apply has to declare. `Problem` is empty if the server is as declared besides.
    """
    how, declares, stands = "declared by nobody", "nobody declares it", False
    if not row.is_free:
        how = standing(row, actual, now_s)
        declares = f"{row.owner.name} declares {row.target}: {how}"
        as_asked = (row.target, row.reasserts) == (request.desired, request.reasserts)
        stands = request.owner.continues(row.owner) and as_asked and how != Standing.FAILED
    problem = (
        f"{request.server_id} is {actual or 'not there'}, wanted {request.desired}; {declares}"
    )
    return {
        "ServerId": request.server_id,
        "State": actual or "",
        "Declared": "" if row.is_free else row.target,
        "Owner": "" if row.is_free else row.owner.name,
        "Instance": row.owner.instance if stands else "",
        "Standing": how,
        "Problem": "" if stands and how in _IN_ORDER else problem,
    }


def _pop_lifecycle(given: dict[str, Any]) -> Mapping[str, Any]:
    """Take out what the AWS provider added, under whatever key."""
    for name, value in given.items():
        known = name in PROPERTIES or name in _NAMES
        if not known and isinstance(value, Mapping) and value.get("action") in tuple(_KINDS):
            return cast("Mapping[str, Any]", given.pop(name))
    return {}


def _declare(
    kind: str, given: Mapping[str, Any], before: object, invocation: Invocation
) -> Request:
    violations = [
        f"{name}: {reprlib.repr(given.get(name, ''))}, expected {expected}"
        for name, (pattern, expected) in _NAMES.items()
        if not re.fullmatch(pattern, _text(given, name))
    ]
    properties = {name: value for name, value in given.items() if name not in _NAMES}
    try:
        asked = declaration.parse({"ServiceToken": "none", **properties}, invocation.home)
    except InvalidDeclarationError as error:
        violations.append(str(error))
    if violations:
        raise InvalidDeclarationError("; ".join(violations))
    request = _request(kind, given, asked, invocation)
    return replace(request, doubted=declaration.moves(before, given))


def _release(given: object, invocation: Invocation) -> Request:
    properties = given if isinstance(given, Mapping) else {}
    return _request("Delete", properties, declaration.parse_released(properties), invocation)


def _request(
    kind: str, given: Mapping[str, Any], asked: Declaration, invocation: Invocation
) -> Request:
    return Request(
        kind=kind,
        owner=Owner.in_terraform(_text(given, "Owner"), _text(given, "Instance")),
        digest=request_digest(kind, invocation.request_id),
        sent_s=invocation.began_s,
        # Whoever invoked it waits no longer than the function runs.
        timeout_s=min(asked.timeout_s, int(invocation.left_s)),
        server_id=asked.server_id,
        desired=asked.desired,
        restores=asked.restores,
        reasserts=asked.reasserts,
    )


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name, "")
    return value if isinstance(value, str) else "?"
