"""botocore's model of the Transfer API: what a request may be, and what an answer holds.

The only place that reads it, and the partitions beside it. Must not know what any operation does.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel

_DEFINITION = Loader().load_service_model("transfer", "service-2")
SERVICE = ServiceModel(_DEFINITION, "transfer")
TARGET_PREFIX: str = SERVICE.metadata["targetPrefix"]
OPERATIONS = frozenset(SERVICE.operation_names)
ERRORS = frozenset(shape.name for shape in SERVICE.error_shapes)

_PARTITIONS = Loader().load_data("partitions")["partitions"]

_TYPES: dict[str, Any] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "boolean": (bool,),
    "timestamp": (int, float),
    "structure": (dict,),
    "list": (list,),
}


# UTF-8, in which each string comes to AWS, has none of these by itself.
_SURROGATE = re.compile("[\ud800-\udfff]")


class ApiError(Exception):
    """An error answer: AWS's code, the HTTP status, and the fields of its shape."""

    def __init__(self, code: str, status: int, fields: dict[str, str]) -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self.fields = fields


def error(
    code: str, message: str = "", *, status: int | None = None, **fields: str | None
) -> ApiError:
    """Make an error with the status and the fields that the model gives its code.

    A code that the model does not have takes the given status, and a Message.
    """
    if code not in ERRORS:
        return ApiError(code, status or 400, {"Message": message})
    definition = _DEFINITION["shapes"][code]
    modelled = definition.get("error", {}).get("httpStatusCode")
    given = {"Message": message} | fields
    return ApiError(
        code,
        status or modelled or (500 if definition.get("fault") else 400),
        {name: given.get(name) or "" for name in definition["members"]},
    )


def request(operation: str, body: bytes) -> dict[str, Any]:
    """Read a request of an operation; members that the model does not have are dropped.

    Raises InvalidRequestException with all that is wrong.
    """
    try:
        value = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise error("InvalidRequestException", "The request is not JSON.") from None
    shape = SERVICE.operation_model(operation).input_shape
    problems = list(_problems(shape, value, ""))
    if problems:
        count = f"{len(problems)} validation error{'s' * (len(problems) > 1)} detected"
        raise error("InvalidRequestException", f"{count}: {'; '.join(problems)}")
    known: dict[str, Any] = shaped(shape, value)
    return known


def response(operation: str, value: dict[str, Any]) -> bytes:
    """Write the answer of an operation: nothing where its model has no output."""
    shape = SERVICE.operation_model(operation).output_shape
    return json.dumps(shaped(shape, value)).encode() if shape else b""


def loggable(operation: str, given: dict[str, Any]) -> dict[str, Any]:
    """Give a request as it may be shown to anybody: without secrets and keys."""
    if not _conceals(operation):
        return given
    shown: dict[str, Any] = _loggable(SERVICE.operation_model(operation).input_shape, given)
    return shown


@cache
def partition(region: str) -> str:
    """Tell the partition of a region, the first word of whose ARNs but one it is."""
    fitting = (each["id"] for each in _PARTITIONS if re.match(each["regionRegex"], region))
    return next(fitting, "aws")


def limit(shape_name: str) -> int:
    """Tell the most that a shape of the model allows."""
    most: int = _DEFINITION["shapes"][shape_name]["max"]
    return most


def shaped(shape: Any, value: Any) -> Any:
    """Keep of a value what its shape has; None counts as absent."""
    if shape.type_name == "structure":
        return {
            name: shaped(member, value[name])
            for name, member in shape.members.items()
            if value.get(name) is not None
        }
    if shape.type_name == "list":
        return [shaped(shape.member, item) for item in value]
    return value


@cache
def _conceals(operation: str) -> bool:
    shapes = [SERVICE.operation_model(operation).input_shape]
    for shape in shapes:
        if _is_concealed(shape):
            return True
        shapes += getattr(shape, "members", {}).values()
        shapes += [shape.member] if shape.type_name == "list" else []
    return False


def _is_concealed(shape: Any) -> bool:
    return shape.name == "SshPublicKeyBody" or bool(shape.metadata.get("sensitive"))


def _loggable(shape: Any, value: Any) -> Any:
    if _is_concealed(shape):
        return "(not logged)"
    if shape.type_name == "structure":
        return {name: _loggable(shape.members[name], each) for name, each in value.items()}
    if shape.type_name == "list":
        return [_loggable(shape.member, each) for each in value]
    return value


def _problems(shape: Any, value: Any, path: str) -> Iterator[str]:
    expected = _TYPES[shape.type_name]
    if not isinstance(value, expected) or (isinstance(value, bool) and bool not in expected):
        yield f"'{path or 'request'}' must be of type {shape.type_name}"
        return
    rules = shape.metadata
    shown = "a sensitive value" if rules.get("sensitive") else f"{value!r:.80}"
    for rule in _broken(rules, value):
        yield f"{shown} at '{path}' must {rule}"
    if shape.type_name == "list":
        for index, item in enumerate(value):
            yield from _problems(shape.member, item, f"{path}[{index}]")
    elif shape.type_name == "structure":
        for name, member in shape.members.items():
            inner = f"{path}.{name}" if path else name
            if value.get(name) is not None:
                yield from _problems(member, value[name], inner)
            elif name in shape.required_members:
                yield f"'{inner}' is required"


def _broken(rules: dict[str, Any], value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        return
    if isinstance(value, str) and _SURROGATE.search(value):
        yield "be Unicode text"
    size, what = (value, "be") if isinstance(value, int | float) else (len(value), "have length")
    if "min" in rules and size < rules["min"]:
        yield f"{what} at least {rules['min']}"
    if "max" in rules and size > rules["max"]:
        yield f"{what} at most {rules['max']}"
    if "pattern" in rules and not _pattern(rules["pattern"]).fullmatch(value):
        yield f"match {rules['pattern']}"
    if "enum" in rules and value not in rules["enum"]:
        yield f"be one of {', '.join(rules['enum'])}"


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    # The model's patterns are Java's, where \w and \d are ASCII.
    return re.compile(pattern, re.ASCII)
