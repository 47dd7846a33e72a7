"""A server that AWS would refuse is refused, and so is a change that it would not make now."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.emulator import Emulator, State
from tests.emulator.sftp_lab import new_key
from tests.fakes.clock import Clock

LAMBDA: dict[str, Any] = {
    "IdentityProviderType": "AWS_LAMBDA",
    "IdentityProviderDetails": {
        "Function": "arn:aws:lambda:eu-west-1:000000000000:function:users",
    },
}
CERTIFICATE = {"Certificate": "arn:aws:acm:eu-west-1:000000000000:certificate/1"}
VPC: dict[str, Any] = {
    "EndpointType": "VPC",
    "EndpointDetails": {
        "VpcId": "vpc-1",
        "SubnetIds": ["subnet-1", "subnet-2"],
        "SecurityGroupIds": ["sg-12345678"],
    },
}
VPC_ENDPOINT: dict[str, Any] = {
    "EndpointType": "VPC_ENDPOINT",
    "EndpointDetails": {"VpcEndpointId": "vpce-0123456789abcdef0"},
}
ADDRESSES = ["eipalloc-1", "eipalloc-2"]
# What a server is made with, and what is told of it.
IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
    ({"EndpointDetails": {"AddressAllocationIds": ADDRESSES}}, "cannot be set in CreateServer"),
    (VPC | LAMBDA | {"Protocols": ["FTPS"]}, "FTPS needs a Certificate"),
    (VPC | {"Protocols": ["FTP"]}, "another IdentityProviderType than SERVICE_MANAGED"),
    (VPC | CERTIFICATE | {"Protocols": ["FTPS"]}, "another IdentityProviderType"),
    (LAMBDA | {"Protocols": ["FTP"]}, "FTP and FTPS need the EndpointType VPC"),
    (LAMBDA | VPC_ENDPOINT | {"Protocols": ["FTP"]}, "FTP and FTPS need the EndpointType VPC"),
    ({"Protocols": ["AS2"]}, "AS2 needs the EndpointType VPC"),
    (VPC | {"Protocols": ["AS2"], "Domain": "EFS"}, "AS2 needs the EndpointType VPC and the Dom"),
    ({"EndpointDetails": {"VpcId": "vpc-1"}}, "VpcId needs the EndpointType VPC"),
    ({"EndpointDetails": {"SubnetIds": ["subnet-1"]}}, "SubnetIds needs the EndpointType VPC"),
    ({"EndpointDetails": {"SecurityGroupIds": ["sg-12345678"]}}, "SecurityGroupIds needs the"),
    (
        {"EndpointDetails": {"VpcEndpointId": "vpce-0123456789abcdef0"}},
        "VpcEndpointId needs the EndpointType VPC_ENDPOINT",
    ),
    *(
        (
            {"IdentityProviderType": kind, "IdentityProviderDetails": {other: "d-0123456789"}},
            f"{kind} needs IdentityProviderDetails with {needed}",
        )
        for kind, needed, other in (
            ("API_GATEWAY", "a Url", "DirectoryId"),
            ("AWS_DIRECTORY_SERVICE", "a DirectoryId", "Url"),
        )
    ),
    ({"IdentityProviderType": "AWS_LAMBDA"}, "needs IdentityProviderDetails with a Function"),
    (LAMBDA | {"IdentityProviderType": "SERVICE_MANAGED"}, "cannot be had with SERVICE_MANAGED"),
]


@pytest.mark.parametrize(("request_", "told"), IMPOSSIBLE)
def test_a_server_that_cannot_be_is_not_made(
    transfer: Any, request_: dict[str, Any], told: str
) -> None:
    with pytest.raises(transfer.exceptions.InvalidRequestException, match=told):
        transfer.create_server(**request_)
    assert transfer.list_servers()["Servers"] == []


@pytest.mark.parametrize(
    "request_",
    [
        VPC | LAMBDA | CERTIFICATE | {"Protocols": ["SFTP", "FTP", "FTPS"]},
        VPC | {"Protocols": ["SFTP", "AS2"]},
        VPC_ENDPOINT,
        {"IpAddressType": "DUALSTACK"},
    ],
)
def test_a_server_that_can_be_is_made(transfer: Any, request_: dict[str, Any]) -> None:
    server_id = transfer.create_server(**request_)["ServerId"]
    server = transfer.describe_server(ServerId=server_id)["Server"]
    for name in request_.keys() - {"EndpointDetails"}:
        assert server[name] == request_[name]


def update(transfer: Any, server_id: str, **changes: Any) -> None:
    transfer.update_server(ServerId=server_id, **changes)


def details(transfer: Any, server_id: str) -> dict[str, Any]:
    described = transfer.describe_server(ServerId=server_id)["Server"]
    found: dict[str, Any] = described.get("EndpointDetails", {})
    return found


def assert_refused(transfer: Any, server_id: str, told: str, **changes: Any) -> None:
    before = transfer.describe_server(ServerId=server_id)
    with pytest.raises(transfer.exceptions.InvalidRequestException, match=told):
        update(transfer, server_id, **changes)
    after = transfer.describe_server(ServerId=server_id)
    assert after["Server"] == before["Server"]


@pytest.fixture
def in_vpc(transfer: Any) -> str:
    """Make a server in a VPC, and stop it."""
    server_id: str = transfer.create_server(**VPC)["ServerId"]
    transfer.stop_server(ServerId=server_id)
    return server_id


@pytest.mark.parametrize("state", [each for each in State if each is not State.OFFLINE])
@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"EndpointType": "PUBLIC", "EndpointDetails": {}}, "EndpointType"),
        ({"EndpointDetails": {"AddressAllocationIds": ADDRESSES}}, "AddressAllocationIds"),
        ({"IpAddressType": "DUALSTACK"}, "IpAddressType"),
    ],
)
def test_an_endpoint_changes_its_address_only_when_offline(
    *,
    emulator: Emulator,
    transfer: Any,
    in_vpc: str,
    state: State,
    changes: dict[str, Any],
    name: str,
) -> None:
    emulator.put(in_vpc, state)
    told = f"^.*: {name} can be changed only when the server is OFFLINE$"
    assert_refused(transfer, in_vpc, told, **changes)
    emulator.put(in_vpc, State.OFFLINE)
    update(transfer, in_vpc, **changes)
    # What it is already can be said again in any state.
    emulator.put(in_vpc, state)
    update(transfer, in_vpc, **changes)


def test_elastic_addresses_are_as_many_as_subnets_and_differ(transfer: Any, in_vpc: str) -> None:
    for addresses, told in ((ADDRESSES[:1], "as many"), (ADDRESSES[:1] * 2, "must differ")):
        given = {"AddressAllocationIds": addresses}
        assert_refused(transfer, in_vpc, told, EndpointDetails=given)
    update(transfer, in_vpc, EndpointDetails={"AddressAllocationIds": ADDRESSES})
    assert details(transfer, in_vpc)["AddressAllocationIds"] == ADDRESSES


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"IpAddressType": "DUALSTACK"}, "cannot be had with DUALSTACK"),
        ({"Protocols": ["FTP"], **LAMBDA}, "cannot be had with FTP"),
    ],
)
def test_elastic_addresses_do_not_go_with_dualstack_or_ftp(
    transfer: Any, in_vpc: str, changes: dict[str, Any], told: str
) -> None:
    given = {"EndpointDetails": {"AddressAllocationIds": ADDRESSES}}
    assert_refused(transfer, in_vpc, told, **changes, **given)
    update(transfer, in_vpc, **given)
    assert_refused(transfer, in_vpc, told, **changes)
    update(transfer, in_vpc, **changes, EndpointDetails={"AddressAllocationIds": []})


def test_subnets_and_elastic_addresses_change_one_after_the_other(
    transfer: Any, in_vpc: str
) -> None:
    subnets = {"SubnetIds": ["subnet-3", "subnet-4"]}
    addresses = {"AddressAllocationIds": ADDRESSES}
    assert_refused(transfer, in_vpc, "changed at once", EndpointDetails=subnets | addresses)
    update(transfer, in_vpc, EndpointDetails=addresses)
    told = "while there are AddressAllocationIds"
    assert_refused(transfer, in_vpc, told, EndpointDetails=subnets)
    none: dict[str, list[str]] = {"AddressAllocationIds": []}
    assert_refused(transfer, in_vpc, told, EndpointDetails=subnets | none)
    update(transfer, in_vpc, EndpointDetails=none)
    update(transfer, in_vpc, EndpointDetails=subnets)
    update(transfer, in_vpc, EndpointDetails=addresses)
    assert (subnets | addresses).items() <= details(transfer, in_vpc).items()


def test_a_vpc_and_its_security_groups_stay(transfer: Any, in_vpc: str) -> None:
    for changes, told in (
        ({"VpcId": "vpc-2"}, "VpcId cannot be changed"),
        ({"SecurityGroupIds": ["sg-87654321"]}, "SecurityGroupIds can be changed only with"),
    ):
        assert_refused(transfer, in_vpc, told, EndpointDetails=changes)
    # With another type of endpoint, it is another endpoint.
    update(transfer, in_vpc, EndpointType="PUBLIC")
    assert details(transfer, in_vpc) == {}
    given = {"VpcId": "vpc-2", "SubnetIds": ["subnet-5"], "SecurityGroupIds": ["sg-87654321"]}
    update(transfer, in_vpc, EndpointType="VPC", EndpointDetails=given)
    assert details(transfer, in_vpc)["VpcId"] == "vpc-2"


def test_another_identity_provider_has_nothing_of_the_one_before(transfer: Any) -> None:
    server_id = transfer.create_server(**LAMBDA)["ServerId"]
    directory = {"IdentityProviderType": "AWS_DIRECTORY_SERVICE"}
    assert_refused(transfer, server_id, "with a DirectoryId", **directory)
    update(transfer, server_id, IdentityProviderType="SERVICE_MANAGED")
    described = transfer.describe_server(ServerId=server_id)["Server"]
    assert "IdentityProviderDetails" not in described


def test_an_update_goes_by_what_the_server_would_be(transfer: Any, server_id: str) -> None:
    for changes, told in (
        ({"Protocols": ["FTPS"]}, "FTPS needs a Certificate; FTP and FTPS need another"),
        ({"EndpointDetails": {"SubnetIds": ["subnet-1"]}}, "needs the EndpointType VPC"),
    ):
        assert_refused(transfer, server_id, told, **changes)


def test_an_update_of_anything_else_is_taken_online_and_changes_no_more(
    transfer: Any, server_id: str
) -> None:
    before = transfer.describe_server(ServerId=server_id)["Server"]
    changes = {
        "PreAuthenticationLoginBanner": "Welcome",
        "ProtocolDetails": {"PassiveIp": "1.2.3.4"},
    }
    update(transfer, server_id, **changes)
    after = transfer.describe_server(ServerId=server_id)["Server"]
    changes["ProtocolDetails"] = before["ProtocolDetails"] | {"PassiveIp": "1.2.3.4"}
    assert after == before | changes


def test_a_server_is_described_with_what_it_has_by_default(transfer: Any, server_id: str) -> None:
    server = transfer.describe_server(ServerId=server_id)["Server"]
    for its_own in ("Arn", "HostKeyFingerprint", "ServerId"):
        assert server.pop(its_own)
    assert server == {
        "Domain": "S3",
        "EndpointType": "PUBLIC",
        "IdentityProviderType": "SERVICE_MANAGED",
        "IpAddressType": "IPV4",
        "ProtocolDetails": {
            "PassiveIp": "AUTO",
            "SetStatOption": "DEFAULT",
            "TlsSessionResumptionMode": "ENFORCED",
        },
        "Protocols": ["SFTP"],
        "S3StorageOptions": {"DirectoryListingOptimization": "DISABLED"},
        "SecurityPolicyName": "TransferSecurityPolicy-2018-11",
        "State": "ONLINE",
        "Tags": [],
        "UserCount": 0,
    }
    efs = transfer.create_server(Domain="EFS")["ServerId"]
    assert "S3StorageOptions" not in transfer.describe_server(ServerId=efs)["Server"]


def test_a_server_in_a_vpc_is_described_with_its_endpoint_s_id_and_no_security_groups(
    transfer: Any, in_vpc: str
) -> None:
    shown = details(transfer, in_vpc)
    assert shown.keys() == {"VpcId", "SubnetIds", "VpcEndpointId"}
    assert shown["VpcEndpointId"].startswith("vpce-")
    transfer.start_server(ServerId=in_vpc)
    assert details(transfer, in_vpc) == shown


def test_a_server_with_as2_and_no_other_is_described_with_addresses_that_it_sends_from(
    transfer: Any, server_id: str
) -> None:
    def addresses(server_id: str) -> list[str] | None:
        described = transfer.describe_server(ServerId=server_id)["Server"]
        found: list[str] | None = described.get("As2ServiceManagedEgressIpAddresses")
        return found

    as2 = transfer.create_server(**VPC, Protocols=["AS2"])["ServerId"]
    assert addresses(as2)
    assert addresses(server_id) is None
    later = transfer.create_server(**VPC)["ServerId"]
    update(transfer, later, Protocols=["SFTP", "AS2"])
    assert addresses(later)


def test_another_host_key_has_another_fingerprint(transfer: Any, server_id: str) -> None:
    def fingerprint() -> str:
        described = transfer.describe_server(ServerId=server_id)["Server"]
        return str(described["HostKeyFingerprint"])

    before = fingerprint()
    another = new_key()
    update(transfer, server_id, HostKey=another.export_private_key().decode())
    assert fingerprint() == another.get_fingerprint() != before


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("stop_server", {}),
        ("update_server", {"SecurityPolicyName": "TransferSecurityPolicy-2024-01"}),
    ],
)
def test_an_endpoint_in_a_vpc_may_be_ready_later_than_its_server_is_online(
    *,
    emulator: Emulator,
    clock: Clock,
    transfer: Any,
    command: str,
    arguments: dict[str, str],
) -> None:
    emulator.set(endpoint_ready_s=10, create_s=5)
    elsewhere = transfer.create_server()["ServerId"]
    server_id = transfer.create_server(**VPC)["ServerId"]
    clock.sleep(5 + 9)
    for each in (server_id, elsewhere):
        assert emulator.states()[each] is State.ONLINE
    getattr(transfer, command)(ServerId=elsewhere, **arguments)
    with pytest.raises(ClientError) as raised:
        getattr(transfer, command)(ServerId=server_id, **arguments)
    assert raised.value.response["Error"]["Code"] == "ConflictException"
    clock.sleep(1)
    getattr(transfer, command)(ServerId=server_id, **arguments)
