"""A server's users have keys, which come and go, and a home that can be changed."""

from base64 import b64encode
from typing import Any

import pytest

from tests.fakes.keys import public_key

ROLE = "arn:aws:iam::000000000000:role/sftp"
KEY, OTHER_KEY = public_key("A"), public_key("B")
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
        transfer.import_ssh_public_key(**alice, SshPublicKeyBody=public_key(letter))
    with pytest.raises(transfer.exceptions.InvalidRequestException, match="at most 5 keys"):
        transfer.import_ssh_public_key(**alice, SshPublicKeyBody=public_key("F"))


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


def blob(*fields: bytes) -> bytes:
    return b"".join(len(field).to_bytes(4) + field for field in fields)


def line(label: str, blob: bytes) -> str:
    return f"{label} {b64encode(blob).decode()}"


ED25519 = blob(b"ssh-ed25519", b"\x01" * 32)
RSA = blob(b"ssh-rsa", b"\x01\x00\x01", b"\x00" + b"\xff" * 256)
P256 = blob(b"ecdsa-sha2-nistp256", b"nistp256", b"\x04" + bytes(64))
P384 = blob(b"ecdsa-sha2-nistp256", b"nistp384", b"\x04" + bytes(96))
WHOLE = {"ssh-ed25519": ED25519, "ssh-rsa": RSA, "ecdsa-sha2-nistp256": P256}
NO_KEYS = [
    # Of kinds that AWS does not take.
    *(line(kind, blob(kind.encode(), bytes(32))) for kind in ("ssh-dss", "ssh-rsa-cert-v01")),
    line("ecdsa-sha2-nistp999", blob(b"ecdsa-sha2-nistp999", b"nistp999", b"\x04" + bytes(64))),
    # Of other kinds than they say.
    *(line(label, whole) for label in WHOLE for kind, whole in WHOLE.items() if kind != label),
    line("ecdsa-sha2-nistp256", P384),
    line("ecdsa-sha2-nistp384", P384),
    # Cut off, or with more to them.
    *(line(kind, whole[:end]) for kind, whole in WHOLE.items() for end in (0, 2, 15, -1)),
    *(line(kind, whole + more) for kind, whole in WHOLE.items() for more in (b"\0", blob(b""))),
    # Of numbers that are none.
    line("ssh-rsa", blob(b"ssh-rsa", b"", b"\x01")),
    line("ssh-rsa", blob(b"ssh-rsa", b"\x03", b"\xff" * 256)),
    line("ssh-rsa", blob(b"ssh-rsa", b"\x00\x03", b"\x01")),
    line("ssh-ed25519", blob(b"ssh-ed25519", bytes(31))),
    line("ecdsa-sha2-nistp256", blob(b"ecdsa-sha2-nistp256", b"nistp256", bytes(65))),
    # Of another base64 than there is.
    line("ecdsa-sha2-nistp256", P256).rstrip("="),
    line("ssh-rsa", RSA) + "=",
    KEY + "=",
    KEY + "A",
    line("ecdsa-sha2-nistp256", P256).replace("A=", "B="),
    "ssh-ed25519 ",
    "ssh-ed25519  somebody's",
]


@pytest.mark.parametrize(("kind", "whole"), WHOLE.items())
def test_a_whole_key_is_taken_with_any_comment(
    transfer: Any, alice: dict[str, str], kind: str, whole: bytes
) -> None:
    body = f" {line(kind, whole)}\tm\u00fcller's own "
    transfer.import_ssh_public_key(**alice, SshPublicKeyBody=body)
    assert body in keys(transfer, alice).values()


@pytest.mark.parametrize("body", NO_KEYS, ids=range(len(NO_KEYS)))
def test_a_key_that_is_not_whole_or_not_of_the_kind_that_it_says_is_refused(
    transfer: Any, alice: dict[str, str], body: str
) -> None:
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
