"""The API's operations: plain functions of a call, over the servers that there are.

Must not know HTTP, faults or the clock. Requests were checked against the model before, and
answers are cut to its shapes after; an operation raises only errors that the model lists for it.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from local.emulator import lifecycle
from local.emulator.lifecycle import State, Timeline, Transition
from local.emulator.model import ApiError, error, limit
from local.emulator.settings import ServerSettings, Settings


@dataclass
class User:
    """A user of a server: its members as described, and its tags."""

    properties: dict[str, Any]
    tags: dict[str, str]


@dataclass
class Server:
    """A server: its members as described, its states over time, its users and tags."""

    server_id: str
    region: str
    properties: dict[str, Any]
    timeline: Timeline
    tags: dict[str, str]
    users: dict[str, User] = field(default_factory=dict)


@dataclass
class World:
    """All servers by id, the settings for all, and those of one server that differ."""

    settings: Settings
    servers: dict[str, Server] = field(default_factory=dict)
    overrides: dict[str, dict[str, Any]] = field(default_factory=dict)

    def settings_of(self, server_id: str) -> ServerSettings:
        """Give the settings that hold for a server."""
        own = self.overrides.get(server_id)
        return replace(self.settings, **own) if own else self.settings

    def spend(self, server_id: str, failures: str) -> bool:
        """Tell whether the next transition is to fail, and count it down where it was set."""
        count = getattr(self.settings_of(server_id), failures)
        if count:
            if failures in self.overrides.get(server_id, {}):
                self.overrides[server_id][failures] = count - 1
            else:
                self.settings = replace(self.settings, **{failures: count - 1})
        return bool(count)


@dataclass(frozen=True)
class Call:
    """One call of an operation; `epoch_s` is what `now` is in seconds since 1970."""

    world: World
    region: str
    request: dict[str, Any]
    now: float
    epoch_s: float

    @property
    def server(self) -> Server:
        """The server that is asked for, in the region of the call."""
        return _find_server(self, self.request["ServerId"])

    @property
    def user(self) -> User:
        """The user that is asked for."""
        return _find_user(self.server, self.request["UserName"])

    def shown_state(self, server: Server) -> State:
        """Tell the state that a reader sees: reads lag."""
        return server.timeline.at(self.now - self.world.settings_of(server.server_id).read_lag_s)


Answer = dict[str, Any]


def _create_server(call: Call) -> Answer:
    request = {
        "Domain": "S3",
        "EndpointType": "PUBLIC",
        "IdentityProviderType": "SERVICE_MANAGED",
        "IpAddressType": "IPV4",
        "Protocols": ["SFTP"],
        "SecurityPolicyName": "TransferSecurityPolicy-2018-11",
    } | call.request
    if "AddressAllocationIds" in request.get("EndpointDetails", {}):
        raise error("InvalidRequestException", "AddressAllocationIds cannot be set in CreateServer")
    server_id = f"s-{secrets.token_hex(9)[:17]}"
    settings = call.world.settings
    digest = hashlib.sha256(request.get("HostKey", server_id).encode()).digest()
    request |= {
        "Arn": f"arn:aws:transfer:{call.region}:{settings.account_id}:server/{server_id}",
        "ServerId": server_id,
        "HostKeyFingerprint": f"SHA256:{base64.b64encode(digest).decode()}",
    }
    timeline = Timeline(State.STARTING)
    timeline.change(call.now + settings.create_s, State.ONLINE)
    tags = _tags(request.pop("Tags", []))
    call.world.servers[server_id] = Server(server_id, call.region, request, timeline, tags)
    return {"ServerId": server_id}


def _describe_server(call: Call) -> Answer:
    return {"Server": _seen(call, call.server)}


def _list_servers(call: Call) -> Answer:
    servers = {key: each for key, each in call.world.servers.items() if each.region == call.region}
    page, token = _page(call, servers)
    return {"Servers": [_seen(call, servers[key]) for key in page], "NextToken": token}


def _start_server(call: Call) -> Answer:
    return _command(call, lifecycle.START, "start_s", "start_failures")


def _stop_server(call: Call) -> Answer:
    return _command(call, lifecycle.STOP, "stop_s", "stop_failures")


def _command(call: Call, way: Transition, duration: str, failures: str) -> Answer:
    server = call.server
    settings = call.world.settings_of(server.server_id)
    state = server.timeline.at(call.now)
    undocumented = lifecycle.UNDOCUMENTED.get((way, state))
    if undocumented and getattr(settings, undocumented) == "strict":
        raise error("InvalidRequestException", f"Server {server.server_id} is {state}")
    if lifecycle.has_effect(way, state):
        fails = call.world.spend(server.server_id, failures)
        server.timeline.begin(way, call.now, getattr(settings, duration), fails=fails)
    return {}


def _delete_server(call: Call) -> Answer:
    del call.world.servers[call.server.server_id]
    call.world.overrides.pop(call.request["ServerId"], None)
    return {}


def _update_server(call: Call) -> Answer:
    server = call.server
    before = server.properties
    after = before | call.request
    if "EndpointDetails" in call.request:
        after["EndpointDetails"] = before.get("EndpointDetails", {}) | after["EndpointDetails"]
    if _address(after) != _address(before) and server.timeline.at(call.now) is not State.OFFLINE:
        raise error(
            "InvalidRequestException",
            "EndpointType and AddressAllocationIds can be changed only when the server is OFFLINE",
        )
    server.properties = after
    return {"ServerId": server.server_id}


def _address(properties: dict[str, Any]) -> tuple[str, list[str]]:
    details = properties.get("EndpointDetails", {})
    return properties["EndpointType"], details.get("AddressAllocationIds", [])


def _create_user(call: Call) -> Answer:
    server = call.server
    request = {"HomeDirectoryType": "PATH"} | call.request
    name = request["UserName"]
    if name in server.users:
        raise error("ResourceExistsException", "User exists", Resource=name, ResourceType="User")
    request["Arn"] = f"{server.properties['Arn'].replace(':server/', ':user/')}/{name}"
    if key := request.pop("SshPublicKeyBody", None):
        request["SshPublicKeys"] = [
            {
                "DateImported": call.epoch_s,
                "SshPublicKeyBody": key,
                "SshPublicKeyId": f"key-{secrets.token_hex(9)[:17]}",
            }
        ]
    server.users[name] = User(request, _tags(request.pop("Tags", [])))
    return {"ServerId": server.server_id, "UserName": name}


def _describe_user(call: Call) -> Answer:
    user = call.user
    return {
        "ServerId": call.request["ServerId"],
        "User": {"SshPublicKeys": []} | user.properties | {"Tags": _listed(user.tags)},
    }


def _list_users(call: Call) -> Answer:
    server = call.server
    page, token = _page(call, server.users)
    users = [server.users[name].properties for name in page]
    return {
        "ServerId": server.server_id,
        "Users": [
            user | {"SshPublicKeyCount": len(user.get("SshPublicKeys", []))} for user in users
        ],
        "NextToken": token,
    }


def _delete_user(call: Call) -> Answer:
    user = call.user
    del call.server.users[user.properties["UserName"]]
    return {}


def _tag_resource(call: Call) -> Answer:
    tags = _tagged(call).tags
    after = tags | _tags(call.request["Tags"])
    if len(after) > limit("Tags"):
        raise error("InvalidRequestException", f"A resource has at most {limit('Tags')} tags")
    tags |= after
    return {}


def _untag_resource(call: Call) -> Answer:
    tags = _tagged(call).tags
    for key in call.request["TagKeys"]:
        tags.pop(key, None)
    return {}


def _list_tags_for_resource(call: Call) -> Answer:
    try:
        tags = _tagged(call).tags
    except ApiError as cause:
        # The model gives this operation no ResourceNotFoundException.
        raise error("InvalidRequestException", cause.fields["Message"]) from None
    page, token = _page(call, tags)
    return {
        "Arn": call.request["Arn"],
        "Tags": _listed({key: tags[key] for key in page}),
        "NextToken": token,
    }


OPERATIONS: dict[str, Callable[[Call], Answer]] = {
    "CreateServer": _create_server,
    "DescribeServer": _describe_server,
    "ListServers": _list_servers,
    "StartServer": _start_server,
    "StopServer": _stop_server,
    "DeleteServer": _delete_server,
    "UpdateServer": _update_server,
    "CreateUser": _create_user,
    "DescribeUser": _describe_user,
    "ListUsers": _list_users,
    "DeleteUser": _delete_user,
    "TagResource": _tag_resource,
    "UntagResource": _untag_resource,
    "ListTagsForResource": _list_tags_for_resource,
}


def _seen(call: Call, server: Server) -> Answer:
    return server.properties | {
        "State": call.shown_state(server),
        "Tags": _listed(server.tags),
        "UserCount": len(server.users),
    }


def _find_server(call: Call, server_id: str) -> Server:
    server = call.world.servers.get(server_id)
    if server is None or server.region != call.region:
        raise _unknown("Server", server_id)
    return server


def _find_user(server: Server, name: str) -> User:
    if name not in server.users:
        raise _unknown("User", name)
    return server.users[name]


def _tagged(call: Call) -> Server | User:
    """Find what an ARN names: ...:server/ID, or ...:user/ID/NAME."""
    arn: str = call.request["Arn"]
    kind, server_id, name = (arn.rpartition(":")[2] + "//").split("/")[:3]
    server = _find_server(call, server_id)
    found = _find_user(server, name) if kind == "user" else server
    if found.properties["Arn"] != arn:
        raise _unknown("Resource", arn)
    return found


def _unknown(kind: str, name: str) -> ApiError:
    return error(
        "ResourceNotFoundException", f"Unknown {kind.lower()}", Resource=name, ResourceType=kind
    )


def _tags(listed: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in listed}


def _listed(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _page(call: Call, keys: Iterable[str]) -> tuple[list[str], str | None]:
    """Give the keys of a page, in order, and the token of the next one.

    A token names the last key given, so that what comes or goes between two pages moves nothing.
    """
    token = call.request.get("NextToken")
    after = _read_token(token) if token else ""
    size = call.request.get("MaxResults", limit("MaxResults"))
    page = sorted(key for key in keys if key > after or not token)
    return page[:size], _write_token(page[size - 1]) if len(page) > size else None


def _write_token(key: str) -> str:
    return base64.b64encode(json.dumps([key]).encode()).decode()


def _read_token(token: str) -> str:
    try:
        (key,) = json.loads(base64.b64decode(token, validate=True))
        return str(key)
    except (ValueError, TypeError):
        raise error("InvalidNextTokenException", "The NextToken is invalid") from None
