"""What can be changed while the emulator runs: each setting's name, default, rule and meaning.

Must not know what uses a setting.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from jsonschema import Draft202012Validator

from local.emulator.model import ERRORS, OPERATIONS


class SettingsError(ValueError):
    """What is wrong with given settings: each field, its value, and what was expected."""


def _setting(default: Any, rule: dict[str, Any], meaning: str) -> Any:
    return field(default=default, metadata={"rule": rule, "meaning": meaning})


def _rule(description: str, **rule: Any) -> dict[str, Any]:
    return {"description": description, **rule}


def _object(kind: type[Any]) -> dict[str, Any]:
    rules = {each.name: each.metadata["rule"] for each in fields(kind)}
    names = _rule(f"one of: {', '.join(rules)}", enum=list(rules))
    return _rule("an object", type="object", properties=rules, propertyNames=names)


_TEXT = _rule("a string", type="string")
_FLAG = _rule("true or false", type="boolean")
_SECONDS = _rule("a number of seconds, 0 or more", type="number", minimum=0)
_RATE = _rule("a number above 0", type="number", exclusiveMinimum=0)
_COUNT = _rule("a whole number, 0 or more", type="integer", minimum=0)
_SOME = _rule("a whole number, 1 or more", type="integer", minimum=1)
_TIMES = _rule("a whole number, 1 or more, or null", type=["integer", "null"], minimum=1)
_LENIENCY = _rule("lenient or strict", enum=["lenient", "strict"])
_ACCOUNT = _rule("a string of 12 digits", type="string", pattern="^[0-9]{12}$")
_OPERATION = _rule("an operation of the API, or *", enum=["*", *sorted(OPERATIONS)])
_ERROR = _rule("an error code, or null", type=["string", "null"])
_MODELLED = _rule(
    f"one of {', '.join(sorted(ERRORS))}, nor has a status", enum=[*sorted(ERRORS), None]
)
_STATUS = _rule(
    "an HTTP status from 400 to 599, or null", type=["integer", "null"], minimum=400, maximum=599
)
_WIRE = _rule("close, reset, garbage or null", enum=["close", "reset", "garbage", None])


@dataclass(frozen=True)
class Throttle:
    """A token bucket that all operations draw from."""

    rate_per_s: float = _setting(10.0, _RATE, "tokens that come back in a second")
    burst: int = _setting(20, _SOME, "the most tokens it holds")


@dataclass(frozen=True)
class Fault:
    """What happens to some calls instead of their proper answer."""

    operation: str = _setting("*", _OPERATION, "the operation that it happens to; * is each")
    error: str | None = _setting(None, _ERROR, "answer this error code")
    status: int | None = _setting(None, _STATUS, "with this HTTP status, if not the model's")
    message: str = _setting("Injected fault", _TEXT, "its Message, where its shape has one")
    retry_after_s: str = _setting("1", _TEXT, "its RetryAfterSeconds, where its shape has one")
    wire: str | None = _setting(None, _WIRE, "close or reset unanswered, or answer garbage")
    delay_s: float = _setting(0.0, _SECONDS, "do so, or answer properly, after this long")
    skip: int = _setting(0, _COUNT, "let this many calls pass first")
    times: int | None = _setting(1, _TIMES, "happen to this many calls; null is every one")
    carried_out: bool = _setting(False, _FLAG, "the operation is done, only its answer is lost")  # noqa: FBT003


@dataclass(frozen=True)
class ServerSettings:
    """What can be set for one server as well as for all."""

    start_s: float = _setting(0.0, _SECONDS, "from StartServer to ONLINE, for later commands")
    stop_s: float = _setting(0.0, _SECONDS, "from StopServer to OFFLINE, for later commands")
    start_failures: int = _setting(0, _COUNT, "the next so many starts end in START_FAILED")
    stop_failures: int = _setting(0, _COUNT, "the next so many stops end in STOP_FAILED")
    read_lag_s: float = _setting(0.0, _SECONDS, "reads show the state of this long ago")
    endpoint_ready_s: float = _setting(
        0.0, _SECONDS, "in a VPC, commands and updates get ConflictException so long after ONLINE"
    )
    session_grace_s: float = _setting(
        30.0, _SECONDS, "when STOPPING, sessions may go on so long, not beyond OFFLINE; 0 cuts them"
    )
    stop_when_offline: str = _setting(
        "lenient", _LENIENCY, "StopServer when OFFLINE: no effect, or refused"
    )
    command_in_transition: str = _setting(
        "lenient", _LENIENCY, "a command when STARTING or STOPPING: no effect, or refused"
    )
    command_after_failure: str = _setting(
        "lenient", _LENIENCY, "a command when *_FAILED: accepted, or refused"
    )


_FAULT = _object(Fault) | _rule(
    "a fault: it needs error, wire or delay_s",
    anyOf=[
        {"required": [name], "properties": {name: rule}}
        for name, rule in {
            "error": {"type": "string"},
            "wire": {"type": "string"},
            "delay_s": {"exclusiveMinimum": 0},
        }.items()
    ],
    # Only the model's errors have a status of their own.
    **{
        "if": {"properties": {"status": {"type": "null"}}},
        "then": {"properties": {"error": _MODELLED}},
    },
)
_FAULTS = _rule("a list of faults", type="array", items=_FAULT)


@dataclass(frozen=True)
class Settings(ServerSettings):
    """All that can be set."""

    create_s: float = _setting(0.0, _SECONDS, "from CreateServer to ONLINE")
    account_id: str = _setting("000000000000", _ACCOUNT, "the account in ARNs of later servers")
    throttle: Throttle | None = _setting(None, _object(Throttle), "refuse calls beyond a rate")  # noqa: RUF009 -- it is dataclasses.field
    faults: tuple[Fault, ...] = _setting((), _FAULTS, "the first that fits a call happens to it")


_SCHEMAS = {kind: _object(kind) for kind in (ServerSettings, Settings)}


def checked(kind: type[Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Check changes to settings of a kind, and give them as values of its fields.

    None stands for "no longer set" and is kept. Raises SettingsError with all that is wrong.
    """
    try:
        changes: dict[str, Any] = json.loads(json.dumps(given, allow_nan=False, default=_plain))
    except (TypeError, ValueError, RecursionError) as cause:
        raise SettingsError(f"settings: not JSON: {cause}") from None
    # An unknown name is wrong whatever its value; any other may be null.
    stated = {
        name: value
        for name, value in changes.items()
        if value is not None or name not in _SCHEMAS[kind]["properties"]
    }
    problems = [
        f"{error.json_path[2:] or 'settings'}: {json.dumps(error.instance)}"
        f" is not {error.schema['description']}"
        for error in Draft202012Validator(_SCHEMAS[kind]).iter_errors(stated)
    ]
    if problems:
        raise SettingsError("; ".join(problems))
    if "throttle" in stated:
        changes["throttle"] = Throttle(**stated["throttle"])
    if "faults" in stated:
        changes["faults"] = tuple(Fault(**fault) for fault in stated["faults"])
    return changes


def explained(kind: type[Any]) -> Iterator[str]:
    """Describe each setting of a kind in a line."""
    for each in fields(kind):
        yield f"{each.name:<22} {json.dumps(each.default):<16} {each.metadata['meaning']}"


def _plain(value: object) -> Any:
    if isinstance(value, Throttle | Fault):
        return asdict(value)
    raise TypeError(f"{value!r} is no JSON value")
