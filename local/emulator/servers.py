"""The operations on servers."""

import base64
import hashlib
import secrets
from collections.abc import Iterable

from local.emulator import lifecycle
from local.emulator.keys import fingerprint
from local.emulator.lifecycle import State, Timeline, Transition
from local.emulator.model import error, partition
from local.emulator.pages import page
from local.emulator.preconditions import broken_by_creation, broken_by_update
from local.emulator.tags import read_tags, tag_list
from local.emulator.world import Answer, Call, Server

_PROTOCOL_DETAILS = {
    "PassiveIp": "AUTO",
    "SetStatOption": "DEFAULT",
    "TlsSessionResumptionMode": "ENFORCED",
}
# Of a network that is set apart for examples.
_EGRESS_ADDRESSES = ["192.0.2.1", "192.0.2.2", "192.0.2.3"]


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
    if request["Domain"] == "S3":
        request = {"S3StorageOptions": {"DirectoryListingOptimization": "DISABLED"}} | request
    _refuse(broken_by_creation(request))
    server_id = f"s-{secrets.token_hex(9)[:17]}"
    settings = call.world.settings
    arn = f"arn:{partition(call.region)}:transfer:{call.region}:{settings.account_id}"
    request |= {
        "Arn": f"{arn}:server/{server_id}",
        "ServerId": server_id,
        "HostKeyFingerprint": _fingerprint(request, server_id),
        "ProtocolDetails": _PROTOCOL_DETAILS | request.get("ProtocolDetails", {}),
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
    _refuse_until_ready(call, server)
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
    _refuse_until_ready(call, server)
    before, given = server.properties, call.request
    after = before | given
    for name in ("EndpointDetails", "ProtocolDetails"):
        if name in given:
            after[name] = before.get(name, {}) | given[name]
    for kind in ("Endpoint", "IdentityProvider"):
        if after[f"{kind}Type"] != before[f"{kind}Type"]:
            # It is another one, and has nothing of the one before.
            after[f"{kind}Details"] = given.get(f"{kind}Details", {})
    _refuse(broken_by_update(before, after, server.timeline.at(call.now)))
    if "HostKey" in given:
        after["HostKeyFingerprint"] = _fingerprint(given, server.server_id)
    server.properties = after
    return {"ServerId": server.server_id}


def _refuse(broken: Iterable[str]) -> None:
    if problems := "; ".join(broken):
        raise error("InvalidRequestException", problems)


def _refuse_until_ready(call: Call, server: Server) -> None:
    """Refuse for now: an endpoint in a VPC may be ready later than its server is ONLINE."""
    state, since = server.timeline.until(call.now)[-1][::-1]
    ready_s = since + call.world.settings_of(server.server_id).endpoint_ready_s
    if server.properties["EndpointType"] == "VPC" and state is State.ONLINE and call.now < ready_s:
        raise error("ConflictException", "VPC Endpoint state is not yet available")


def _fingerprint(request: Answer, server_id: str) -> str:
    found = fingerprint(request["HostKey"]) if "HostKey" in request else None
    if found is None:
        # No key is at hand, so let it be another one for each server and HostKey.
        digest = hashlib.sha256(request.get("HostKey", server_id).encode()).digest()
        found = f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"
    return found


def _seen(call: Call, server: Server) -> Answer:
    return server.properties | {
        "As2ServiceManagedEgressIpAddresses": _seen_egress(server),
        "EndpointDetails": _seen_details(server),
        "IdentityProviderDetails": server.properties.get("IdentityProviderDetails") or None,
        "State": call.shown_state(server),
        "Tags": tag_list(server.tags),
        "UserCount": len(server.users),
    }


def _seen_egress(server: Server) -> list[str] | None:
    return _EGRESS_ADDRESSES if "AS2" in server.properties["Protocols"] else None


def _seen_details(server: Server) -> Answer | None:
    details = server.properties.get("EndpointDetails", {})
    if server.properties["EndpointType"] == "VPC":
        # Security groups are the VPC endpoint's, and asked for there.
        digest = hashlib.sha256(server.server_id.encode()).hexdigest()
        details = details | {"VpcEndpointId": f"vpce-{digest[:17]}", "SecurityGroupIds": None}
    return details or None
