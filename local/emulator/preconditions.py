"""What a server may be, and what an update may change of it and when, as AWS documents it.

Pure. Each rule gives what is wrong with a server as it would be, or with the step to it.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from local.emulator.lifecycle import State

Properties = dict[str, Any]

_TRANSFERS_WITH_DIRECTORY = {"FTP", "FTPS"}
# What an identity provider is found by.
_PROVIDER_DETAIL = {
    "API_GATEWAY": "Url",
    "AWS_DIRECTORY_SERVICE": "DirectoryId",
    "AWS_LAMBDA": "Function",
}
_OF_A_VPC = ("AddressAllocationIds", "SecurityGroupIds", "SubnetIds", "VpcId")


def broken_by_creation(server: Properties) -> Iterable[str]:
    """Say what keeps a server from being made."""
    if _detail(server, "AddressAllocationIds"):
        yield "AddressAllocationIds cannot be set in CreateServer"
    yield from _broken(server)


def broken_by_update(before: Properties, after: Properties, state: State) -> Iterable[str]:
    """Say what keeps a server in a state from becoming another one."""
    if state is not State.OFFLINE:
        changed = [
            name for name in ("EndpointType", "IpAddressType") if before[name] != after[name]
        ]
        if _changes(before, after, "AddressAllocationIds"):
            changed.append("AddressAllocationIds")
        if changed:
            yield f"{' and '.join(changed)} can be changed only when the server is OFFLINE"
    if before["EndpointType"] == after["EndpointType"]:
        yield from _moved(before, after)
    yield from _broken(after)


def _moved(before: Properties, after: Properties) -> Iterator[str]:
    if _detail(before, "VpcId") and _changes(before, after, "VpcId"):
        yield "VpcId cannot be changed"
    if _changes(before, after, "SecurityGroupIds"):
        yield "SecurityGroupIds can be changed only with the EndpointType, to VPC"
    if _changes(before, after, "SubnetIds"):
        if _detail(before, "AddressAllocationIds"):
            yield "SubnetIds cannot be changed while there are AddressAllocationIds"
        elif _detail(after, "AddressAllocationIds"):
            yield "SubnetIds and AddressAllocationIds cannot be changed at once"


def _broken(server: Properties) -> Iterator[str]:
    yield from _broken_protocols(server)
    yield from _broken_identity_provider(server)
    yield from _broken_addresses(server)
    kind = server["EndpointType"]
    details = server.get("EndpointDetails", {})
    if kind != "VPC":
        yield from (f"{name} needs the EndpointType VPC" for name in _OF_A_VPC if details.get(name))
    if kind != "VPC_ENDPOINT" and details.get("VpcEndpointId"):
        yield "VpcEndpointId needs the EndpointType VPC_ENDPOINT"


def _broken_protocols(server: Properties) -> Iterator[str]:
    protocols = set(server["Protocols"])
    if "FTPS" in protocols and not server.get("Certificate"):
        yield "FTPS needs a Certificate"
    if _TRANSFERS_WITH_DIRECTORY & protocols:
        if server["IdentityProviderType"] == "SERVICE_MANAGED":
            yield "FTP and FTPS need another IdentityProviderType than SERVICE_MANAGED"
        if server["EndpointType"] != "VPC":
            yield "FTP and FTPS need the EndpointType VPC"
    if "AS2" in protocols and (server["EndpointType"], server["Domain"]) != ("VPC", "S3"):
        yield "AS2 needs the EndpointType VPC and the Domain S3"


def _broken_identity_provider(server: Properties) -> Iterator[str]:
    kind = server["IdentityProviderType"]
    details = server.get("IdentityProviderDetails", {})
    needed = _PROVIDER_DETAIL.get(kind)
    if needed and not details.get(needed):
        yield f"{kind} needs IdentityProviderDetails with a {needed}"
    if details and not needed:
        yield f"IdentityProviderDetails cannot be had with {kind}"


def _broken_addresses(server: Properties) -> Iterator[str]:
    addresses = _detail(server, "AddressAllocationIds")
    if not addresses:
        return
    if "FTP" in server["Protocols"]:
        yield "AddressAllocationIds cannot be had with FTP"
    if server["IpAddressType"] == "DUALSTACK":
        yield "AddressAllocationIds cannot be had with DUALSTACK"
    if len(set(addresses)) != len(addresses):
        yield "AddressAllocationIds must differ"
    if len(addresses) != len(_detail(server, "SubnetIds")):
        yield "There must be as many AddressAllocationIds as SubnetIds"


def _changes(before: Properties, after: Properties, name: str) -> bool:
    return sorted(_detail(before, name)) != sorted(_detail(after, name))


def _detail(server: Properties, name: str) -> Any:
    return server.get("EndpointDetails", {}).get(name) or []
