"""A server's users have keys, which come and go, and a home that can be changed."""

from typing import Any

import pytest

ROLE = "arn:aws:iam::000000000000:role/sftp"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA=="
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB=="
CHROOT = [{"Entry": "/", "Target": "/bucket/alice"}]


@pytest.fixture
def alice(transfer: Any, server_id: str) -> dict[str, str]:
    alice = {"ServerId": server_id, "UserName": "alice"}
    transfer.create_user(**alice, Role=ROLE, SshPublicKeyBody=KEY)
    return alice


def keys(transfer: Any, user: dict[str, str]) -> dict[str, str]:
    described = transfer.describe_user(**user)["User"]["SshPublicKeys"]
    return {key["SshPublicKeyId"]: key["SshPublicKeyBody"] for key in described}


def test_a_key_is_imported_listed_and_deleted_by_its_id(
    transfer: Any, alice: dict[str, str]
) -> None:
    (first,) = keys(transfer, alice)
    imported = transfer.import_ssh_public_key(**alice, SshPublicKeyBody=OTHER_KEY)
    assert alice.items() <= imported.items()
    second = imported["SshPublicKeyId"]
    assert keys(transfer, alice) == {first: KEY, second: OTHER_KEY}
    transfer.delete_ssh_public_key(**alice, SshPublicKeyId=first)
    assert keys(transfer, alice) == {second: OTHER_KEY}
    with pytest.raises(transfer.exceptions.ResourceNotFoundException) as raised:
        transfer.delete_ssh_public_key(**alice, SshPublicKeyId=first)
    assert raised.value.response["Resource"] == first


def test_a_key_is_imported_once_whatever_its_comment(transfer: Any, alice: dict[str, str]) -> None:
    with pytest.raises(transfer.exceptions.ResourceExistsException):
        transfer.import_ssh_public_key(**alice, SshPublicKeyBody=f"{KEY} alice@home")
    assert list(keys(transfer, alice).values()) == [KEY]


def test_a_user_has_no_more_keys_than_the_model_allows(
    transfer: Any, alice: dict[str, str]
) -> None:
    for letter in "BCDE":
        body = OTHER_KEY.replace("IB==", f"I{letter}==")
        transfer.import_ssh_public_key(**alice, SshPublicKeyBody=body)
    with pytest.raises(transfer.exceptions.InvalidRequestException, match="at most 5 keys"):
        transfer.import_ssh_public_key(**alice, SshPublicKeyBody="ssh-rsa AAAA")


def test_an_update_changes_what_it_names_and_nothing_else(
    transfer: Any, alice: dict[str, str]
) -> None:
    before = transfer.describe_user(**alice)["User"]
    mappings = {"HomeDirectoryType": "LOGICAL", "HomeDirectoryMappings": CHROOT}
    answer = transfer.update_user(**alice, **mappings)
    assert alice.items() <= answer.items()
    assert transfer.describe_user(**alice)["User"] == before | mappings


@pytest.mark.parametrize(
    ("home", "told"),
    [
        ({}, "LOGICAL needs HomeDirectoryMappings"),
        (
            {"HomeDirectoryMappings": [*CHROOT, {"Entry": "/more", "Target": "/bucket/more"}]},
            "A mapping of / is the only one",
        ),
    ],
)
def test_a_logical_home_that_cannot_be_is_refused(
    transfer: Any, alice: dict[str, str], home: dict[str, Any], told: str
) -> None:
    before = transfer.describe_user(**alice)["User"]
    with pytest.raises(transfer.exceptions.InvalidRequestException, match=told):
        transfer.update_user(**alice, HomeDirectoryType="LOGICAL", **home)
    bob = alice | {"UserName": "bob"}
    with pytest.raises(transfer.exceptions.InvalidRequestException, match=told):
        transfer.create_user(**bob, Role=ROLE, HomeDirectoryType="LOGICAL", **home)
    assert transfer.describe_user(**alice)["User"] == before
    with pytest.raises(transfer.exceptions.ResourceNotFoundException):
        transfer.describe_user(**bob)


def test_a_home_is_logical_or_has_no_mappings(transfer: Any, alice: dict[str, str]) -> None:
    before = transfer.describe_user(**alice)["User"]
    for home in ({}, {"HomeDirectoryType": "PATH"}):
        with pytest.raises(transfer.exceptions.InvalidRequestException, match="the type LOGICAL"):
            transfer.update_user(**alice, HomeDirectoryMappings=CHROOT, **home)
    transfer.update_user(**alice, HomeDirectoryType="LOGICAL", HomeDirectoryMappings=CHROOT)
    transfer.update_user(**alice, HomeDirectoryType="PATH")
    assert transfer.describe_user(**alice)["User"] == before


def test_a_server_that_asks_others_who_its_users_are_has_none(transfer: Any) -> None:
    server_id = transfer.create_server(
        IdentityProviderType="AWS_DIRECTORY_SERVICE",
        IdentityProviderDetails={"DirectoryId": "d-0123456789"},
    )["ServerId"]
    with pytest.raises(transfer.exceptions.InvalidRequestException, match="SERVICE_MANAGED"):
        transfer.create_user(ServerId=server_id, UserName="alice", Role=ROLE)
    assert transfer.list_users(ServerId=server_id)["Users"] == []


@pytest.mark.parametrize("kind", ["ssh-dss", "ssh-rsa-cert-v01", "ecdsa-sha2-nistp999"])
def test_a_key_of_a_kind_that_aws_does_not_take_is_refused(
    transfer: Any, alice: dict[str, str], kind: str
) -> None:
    body = f"{kind} AAAA"
    with pytest.raises(transfer.exceptions.InvalidRequestException, match="SSH public key"):
        transfer.import_ssh_public_key(**alice, SshPublicKeyBody=body)
    bob = alice | {"UserName": "bob"}
    with pytest.raises(transfer.exceptions.InvalidRequestException, match="SSH public key"):
        transfer.create_user(**bob, Role=ROLE, SshPublicKeyBody=body)
    assert list(keys(transfer, alice).values()) == [KEY]


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("update_user", {}),
        ("import_ssh_public_key", {"SshPublicKeyBody": KEY}),
        ("delete_ssh_public_key", {"SshPublicKeyId": "key-0123456789abcdef0"}),
    ],
)
def test_an_unknown_user_is_not_found(
    transfer: Any, server_id: str, operation: str, more: dict[str, str]
) -> None:
    with pytest.raises(transfer.exceptions.ResourceNotFoundException) as raised:
        getattr(transfer, operation)(ServerId=server_id, UserName="nobody", **more)
    assert raised.value.response["ResourceType"] == "User"
