"""What can be changed while the emulator runs: each setting's name, default, rule and meaning.

Must not know what uses a setting.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from typing import Any

from jsonschema import Draft202012Validator

from local.emulator.model import ERRORS, OPERATIONS


class SettingsError(ValueError):
    """What is wrong with given settings: each field, its value, and what was expected."""


def _setting(default: Any, rule: dict[str, Any], meaning: str) -> Any:
    return field(default=default, metadata={"rule": rule, "meaning": meaning})


def _rule(description: str, **rule: Any) -> dict[str, Any]:
    return {"description": description, **rule}


_SECONDS = _rule("a number of seconds, 0 or more", type="number", minimum=0)
_COUNT = _rule("a whole number, 0 or more", type="integer", minimum=0)
_LENIENCY = _rule("lenient or strict", enum=["lenient", "strict"])
_TEXT = _rule("a string", type="string")
_MODELLED = _rule(
    f"an error of the API ({', '.join(sorted(ERRORS))}), or any code with a status",
    enum=sorted(ERRORS),
)


def _object(kind: type[Any], **more: Any) -> dict[str, Any]:
    rules = {each.name: each.metadata["rule"] for each in fields(kind)}
    return _rule(
        f"an object with any of: {', '.join(rules)}",
        type="object",
        properties=rules,
        propertyNames=_rule(f"one of: {', '.join(rules)}", enum=list(rules)),
        **more,
    )


@dataclass(frozen=True)
class Throttle:
    """A token bucket that all operations draw from."""

    rate_per_s: float = _setting(
        10.0, _rule("a number above 0", type="number", exclusiveMinimum=0), "tokens that come back"
    )
    burst: int = _setting(
        20, _rule("a whole number, 1 or more", type="integer", minimum=1), "most tokens held"
    )


@dataclass(frozen=True)
class Fault:
    """What happens to some calls instead of their proper answer."""

    operation: str = _setting(
        "*",
        _rule("an operation of the API, or *", enum=["*", *sorted(OPERATIONS)]),
        "the operation that it happens to; * is each",
    )
    error: str | None = _setting(None, _TEXT, "answer this error code")
    status: int | None = _setting(
        None,
        _rule("an HTTP status from 400 to 599", type="integer", minimum=400, maximum=599),
        "its HTTP status, if not the model's",
    )
    message: str = _setting("Injected by the emulator.", _TEXT, "its Message, if its shape has one")
    retry_after_s: str = _setting("1", _TEXT, "its RetryAfterSeconds, if its shape has one")
    wire: str | None = _setting(
        None,
        _rule("close, reset or garbage", enum=["close", "reset", "garbage"]),
        "close or reset the connection unanswered, or answer what is not JSON",
    )
    delay_s: float = _setting(0.0, _SECONDS, "answer, or do not, after this long")
    skip: int = _setting(0, _COUNT, "let this many calls pass first")
    times: int | None = _setting(
        1,
        _rule("a whole number, 1 or more, or null", type=["integer", "null"], minimum=1),
        "happen to this many calls; null is every one",
    )
    carried_out: bool = _setting(
        default=False,
        rule=_rule("true or false", type="boolean"),
        meaning="carry the operation out all the same: only its answer is lost",
    )


_THROTTLE = _object(Throttle)
_FAULT = _object(Fault) | _rule(
    "a fault: any of {}, and at least one of error, wire, delay_s".format(
        ", ".join(each.name for each in fields(Fault))
    ),
    anyOf=[{"required": [need]} for need in ("error", "wire", "delay_s")],
    # Only for the model's errors is a status known.
    **{"if": {"not": {"required": ["status"]}}, "then": {"properties": {"error": _MODELLED}}},
)


@dataclass(frozen=True)
class ServerSettings:
    """What can be set for one server as well as for all."""

    start_s: float = _setting(0.0, _SECONDS, "from StartServer to ONLINE, for later commands")
    stop_s: float = _setting(0.0, _SECONDS, "from StopServer to OFFLINE, for later commands")
    start_failures: int = _setting(0, _COUNT, "this many next starts end in START_FAILED")
    stop_failures: int = _setting(0, _COUNT, "this many next stops end in STOP_FAILED")
    read_lag_s: float = _setting(0.0, _SECONDS, "reads show the state of this long ago")
    stop_when_offline: str = _setting(
        "lenient", _LENIENCY, "StopServer when OFFLINE: 200 and no effect, or refused"
    )
    command_in_transition: str = _setting(
        "lenient", _LENIENCY, "a command when STARTING or STOPPING: 200 and no effect, or refused"
    )
    command_after_failure: str = _setting(
        "lenient", _LENIENCY, "a command when START_FAILED or STOP_FAILED: accepted, or refused"
    )


@dataclass(frozen=True)
class Settings(ServerSettings):
    """All that can be set."""

    create_s: float = _setting(0.0, _SECONDS, "from CreateServer to ONLINE")
    account_id: str = _setting(
        "000000000000",
        _rule("a string of 12 digits", type="string", pattern="^[0-9]{12}$"),
        "the account in the ARNs of later servers",
    )
    throttle: Throttle | None = _setting(None, _THROTTLE, "refuse calls beyond a rate; null: none")
    faults: tuple[Fault, ...] = _setting(
        (),
        _rule("a list of faults", type="array", items=_FAULT),
        "what happens to calls; the first that fits does",
    )


def checked(kind: type[Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Check changes to settings of a kind, and give them as values of its fields.

    None stands for "no longer set" and is kept. Raises SettingsError with all that is wrong.
    """
    try:
        changes = json.loads(json.dumps(given, allow_nan=False, default=_plain))
    except (TypeError, ValueError) as cause:
        raise SettingsError(f"settings: not JSON: {cause}") from None
    stated = {name: value for name, value in changes.items() if value is not None}
    problems = [
        f"{error.json_path.removeprefix('$').removeprefix('.') or 'settings'}: "
        f"{json.dumps(error.instance)} is not {error.schema['description']}"
        for error in Draft202012Validator(_SCHEMAS[kind]).iter_errors(stated)
    ] + [
        f"settings: {json.dumps(name)} is not a setting"
        for name in changes.keys() - stated.keys() - {each.name for each in fields(kind)}
    ]
    if problems:
        raise SettingsError("; ".join(problems))
    if "throttle" in stated:
        changes["throttle"] = Throttle(**stated["throttle"])
    if "faults" in stated:
        changes["faults"] = tuple(Fault(**fault) for fault in stated["faults"])
    return dict(changes)


def explained(kind: type[Any]) -> Iterator[str]:
    """Describe each setting of a kind in a line."""
    for each in fields(kind):
        default = "[]" if each.default == () else json.dumps(each.default)
        yield f"{each.name:<22} {each.metadata['meaning']} (default {default})"


def _plain(value: object) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"{value!r} is no JSON value")


_SCHEMAS = {kind: _object(kind) for kind in (ServerSettings, Settings)}
