"""What a person or another process may see and change, as JSON: the paths under /_emulator.

Must not know the wire.
"""

import json
import math
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qs, urlsplit

from local.emulator.lifecycle import State
from local.emulator.service import Service
from local.emulator.settings import SettingsError

PREFIX = "/_emulator/"

PATHS = """\
GET   /_emulator/settings              the settings for all servers
PATCH /_emulator/settings              change some; null is back to the default
GET   /_emulator/servers               each server's true state
GET   /_emulator/servers/ID            its true state, the states before, its settings
PATCH /_emulator/servers/ID/settings   settings for it alone; null is as for all
POST  /_emulator/servers/ID/state      {"state": "STOP_FAILED"}: be in it at once
GET   /_emulator/endpoints             each server's SFTP endpoint: URL, folder, sessions, problem
GET   /_emulator/endpoints/ID/port     its port alone, for a shell's $(curl ...)
GET   /_emulator/calls?after=N         the API calls made, from number N + 1 (N: 0)
"""


def control(service: Service, method: str, target: str, body: bytes) -> tuple[int, Any]:
    """Carry out one request: its HTTP status, and its answer as a JSON value."""
    try:
        return 200, _result(service, method, target, body)
    except LookupError as cause:
        return 404, {"error": str(cause.args[0])}
    except ValueError as cause:
        return 400, {"error": str(cause)}


def _result(service: Service, method: str, target: str, body: bytes) -> Any:
    address = urlsplit(target)
    result: Any
    match method, address.path.removeprefix(PREFIX).split("/"):
        case "GET", ["settings"]:
            result = asdict(service.settings)
        case "PATCH", ["settings"]:
            service.set(**_object(body))
            result = asdict(service.settings)
        case "GET", ["servers"]:
            result = service.states()
        case "GET", ["servers", server_id]:
            result = _server(service, server_id)
        case "PATCH", ["servers", server_id, "settings"]:
            service.set(server_id, **_object(body))
            result = _server(service, server_id)
        case "POST", ["servers", server_id, "state"]:
            service.put(server_id, _state(_object(body)))
            result = _server(service, server_id)
        case "GET", ["endpoints"]:
            result = _endpoints(service)
        case "GET", ["endpoints", server_id, "port"]:
            result = _port(service, server_id)
        case "GET", ["calls"]:
            result = [asdict(call) for call in service.calls(_after(address.query))]
        case _:
            raise LookupError(f"no {method} {address.path}; there is:\n{PATHS}")
    return result


def _server(service: Service, server_id: str) -> dict[str, Any]:
    history = service.history(server_id)
    return {
        "state": history[-1][1],
        "history": [
            {"since_s": None if since == -math.inf else since, "state": state}
            for since, state in history
        ],
        "settings": asdict(service.settings_of(server_id)),
    }


def _endpoints(service: Service) -> dict[str, Any]:
    return service.endpoints.listed() if service.endpoints else {}


def _port(service: Service, server_id: str) -> int:
    listed = _endpoints(service)
    if "url" not in listed.get(server_id, {}):
        raise LookupError(f"no SFTP endpoint of a server {server_id!r}")
    return int(listed[server_id]["url"].rpartition(":")[2])


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as cause:
        raise SettingsError(f"the body is not JSON: {cause}") from None
    if not isinstance(value, dict):
        raise SettingsError(f"the body is {json.dumps(value)}, not an object")
    return value


def _state(given: dict[str, Any]) -> State:
    if given.keys() != {"state"} or given["state"] not in list(State):
        raise SettingsError(f'{json.dumps(given)} is not {{"state": one of {", ".join(State)}}}')
    return State(given["state"])


def _after(query: str) -> int:
    given = parse_qs(query).get("after", ["0"])[-1]
    if not given.isdecimal():
        raise SettingsError(f"after: {given!r} is not a whole number, 0 or more")
    return int(given)
