"""The operations on servers."""

import base64
import hashlib
import secrets
from typing import Any

from local.emulator import lifecycle
from local.emulator.lifecycle import State, Timeline, Transition
from local.emulator.model import error
from local.emulator.pages import page
from local.emulator.tags import read_tags, tag_list
from local.emulator.world import Answer, Call, Server


def create_server(call: Call) -> Answer:
    """Make a server, which goes to ONLINE."""
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
    tags = read_tags(request.pop("Tags", []))
    call.world.servers[server_id] = Server(server_id, call.region, request, timeline, tags)
    return {"ServerId": server_id}


def describe_server(call: Call) -> Answer:
    """Describe a server."""
    return {"Server": _seen(call, call.server)}


def list_servers(call: Call) -> Answer:
    """List the servers of the region."""
    servers = {key: each for key, each in call.world.servers.items() if each.region == call.region}
    keys, token = page(call, servers)
    return {"Servers": [_seen(call, servers[key]) for key in keys], "NextToken": token}


def start_server(call: Call) -> Answer:
    """Bring a server to ONLINE."""
    return _command(call, lifecycle.START, "start_s", "start_failures")


def stop_server(call: Call) -> Answer:
    """Bring a server to OFFLINE."""
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


def delete_server(call: Call) -> Answer:
    """Delete a server and its users, in any state."""
    del call.world.servers[call.server.server_id]
    call.world.overrides.pop(call.request["ServerId"], None)
    return {}


def update_server(call: Call) -> Answer:
    """Change what a server is, as far as its state allows."""
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


def _seen(call: Call, server: Server) -> Answer:
    return server.properties | {
        "State": call.shown_state(server),
        "Tags": tag_list(server.tags),
        "UserCount": len(server.users),
    }
