"""A server lets in its users with their keys, and nobody else with anything."""

import asyncio
import base64
import logging
from typing import Any

import asyncssh
import pytest

from tests.emulator.sftp_lab import Account, new_key, public, run


async def log_in(account: Account, name: str = "alice", **options: Any) -> None:
    async with account.session(name, **options):
        pass


def assert_refused(account: Account, name: str = "alice", **options: Any) -> None:
    with pytest.raises(asyncssh.PermissionDenied):
        run(log_in(account, name, **options))
    assert account.endpoint["sessions"] == 0


def test_a_key_of_somebody_else_is_refused(account: Account) -> None:
    assert_refused(account, client_keys=[new_key()])


def test_an_unknown_user_is_refused_as_a_known_one_with_a_wrong_key_is(account: Account) -> None:
    assert_refused(account, "mallory")


def test_nothing_but_a_key_is_taken(account: Account) -> None:
    asked = []

    class Client(asyncssh.SSHClient):
        def password_auth_requested(self) -> str:
            asked.append("password")
            return "secret"

        def kbdint_auth_requested(self) -> str:
            asked.append("keyboard-interactive")
            return ""

    assert_refused(account, client_keys=[], client_factory=Client)
    assert_refused(account, client_keys=[], password="secret")  # noqa: S106
    assert asked == []


def test_keys_and_users_count_from_the_next_login_on(account: Account) -> None:
    alice: Any = {"ServerId": account.server_id, "UserName": "alice"}
    transfer, another = account.transfer, new_key()
    assert_refused(account, client_keys=[another])
    body = f"{public(another)} m\u00fcller@home"
    imported = transfer.import_ssh_public_key(**alice, SshPublicKeyBody=body)
    run(log_in(account, client_keys=[another]))
    run(log_in(account))
    transfer.delete_ssh_public_key(**alice, SshPublicKeyId=imported["SshPublicKeyId"])
    assert_refused(account, client_keys=[another])
    run(log_in(account))
    transfer.delete_user(**alice)
    assert_refused(account)


def test_a_user_deleted_while_logged_in_goes_on_and_sees_nothing_in_another_session(
    account: Account,
) -> None:
    alice: Any = {"ServerId": account.server_id, "UserName": "alice"}
    account.put("file", b"content")

    async def look_on() -> None:
        async with account.connection() as connection:
            session = await connection.start_sftp_client()
            await asyncio.to_thread(account.transfer.delete_user, **alice)
            assert await session.exists("file")
            another = await connection.start_sftp_client()
            for path in ("/", "file", "/bucket/home/alice/file"):
                with pytest.raises(asyncssh.SFTPPermissionDenied):
                    await another.stat(path)
            session.exit()
            another.exit()

    run(look_on())


@pytest.mark.parametrize(
    "kind",
    [
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "ssh-ed25519",
        "ssh-rsa",
    ],
)
def test_keys_of_the_kinds_that_aws_takes_are_taken(account: Account, kind: str) -> None:
    account.key = asyncssh.generate_private_key(kind)
    account.add_user("bob")
    run(log_in(account, "bob"))


def test_a_key_that_nobody_can_have_lets_nobody_in_and_keeps_nobody_out(account: Account) -> None:
    """The API takes it for its form: it is a point, and not one of the curve."""
    alice: Any = {"ServerId": account.server_id, "UserName": "alice"}
    kind, key = "ecdsa-sha2-nistp256", asyncssh.generate_private_key("ecdsa-sha2-nistp256")
    beside = base64.b64encode(key.public_data[:-64] + bytes(64)).decode()
    account.transfer.import_ssh_public_key(**alice, SshPublicKeyBody=f"{kind} {beside}")
    run(log_in(account))
    assert_refused(account, client_keys=[new_key()])


def test_a_user_of_another_server_is_unknown(account: Account) -> None:
    account.add_user("bob")
    run(log_in(account, "bob"))
    account.create()
    assert_refused(account, "bob")


def test_there_is_no_shell_no_command_no_forwarding_and_no_scp(account: Account) -> None:
    async def attempt() -> None:
        async with account.connection() as connection:
            for command in (None, "id", "scp -t /tmp"):
                with pytest.raises(asyncssh.ChannelOpenError):
                    await connection.create_process(command)
            with pytest.raises(asyncssh.ChannelOpenError):
                await connection.create_session(asyncssh.SSHClientSession, subsystem="netconf")
            with pytest.raises(asyncssh.ChannelOpenError):
                await connection.open_connection("127.0.0.1", account.port)
            with pytest.raises(asyncssh.ChannelListenError):
                await connection.forward_remote_port("", 0, "127.0.0.1", account.port)

    run(attempt())


def described_fingerprint(account: Account) -> str:
    described = account.transfer.describe_server(ServerId=account.server_id)["Server"]
    return str(described["HostKeyFingerprint"])


def listed_fingerprint(account: Account) -> str:
    return asyncssh.import_public_key(account.endpoint["host_key"]).get_fingerprint()


def test_a_server_is_described_with_the_fingerprint_of_the_key_that_it_shows(
    account: Account,
) -> None:
    assert described_fingerprint(account) == listed_fingerprint(account)
    run(log_in(account))


@pytest.mark.parametrize("kind", ["ssh-rsa", "ecdsa-sha2-nistp256", "ssh-ed25519"])
def test_a_given_host_key_is_the_one_that_is_shown(account: Account, kind: str) -> None:
    key = asyncssh.generate_private_key(kind)
    given = {"HostKey": key.export_private_key().decode()}
    account.create(**given)
    assert described_fingerprint(account) == listed_fingerprint(account) == key.get_fingerprint()
    run(log_in(account))
    another = new_key()
    account.transfer.update_server(
        ServerId=account.server_id, HostKey=another.export_private_key().decode()
    )
    assert described_fingerprint(account) == another.get_fingerprint()
    run(log_in(account))


def private(kind: str, style: str = "openssh", passphrase: str | None = None) -> str:
    key = asyncssh.generate_private_key(kind)
    return key.export_private_key(style, passphrase).decode()


def damaged() -> str:
    """Give a key of the right form, whose numbers are no key."""
    lines = private("ssh-rsa", "pkcs1-pem").splitlines()
    lines[5] = lines[5][::-1]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "host_key",
    [
        "",
        "secret",
        "\u00fc",
        public(new_key()),
        private("ssh-ed25519")[:-100],
        damaged(),
        private("ssh-ed25519", "pkcs8-pem", "passphrase"),
        private("ssh-dss"),
        private("ssh-ed448"),
    ],
    ids=["none", "text", "accent", "public", "cut off", "damaged", "encrypted", "dsa", "ed448"],
)
def test_a_host_key_that_no_server_can_have_is_refused_and_changes_nothing(
    account: Account, host_key: str
) -> None:
    def everything() -> Any:
        described = account.transfer.describe_server(ServerId=account.server_id)["Server"]
        return account.transfer.list_servers()["Servers"], described, account.endpoints.listed()

    before = everything()
    refused = pytest.raises(account.transfer.exceptions.InvalidRequestException)
    with refused as created:
        account.transfer.create_server(HostKey=host_key)
    with refused as updated:
        account.transfer.update_server(
            ServerId=account.server_id, HostKey=host_key, PreAuthenticationLoginBanner="Welcome"
        )
    for raised in (created, updated):
        told = "The HostKey is no private key of RSA, ECDSA or ED25519, or has a passphrase"
        assert raised.value.response["Message"] == told
    assert everything() == before
    run(log_in(account))


def test_no_log_has_a_key_or_what_is_in_a_file(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    content = "what nobody else shall read"
    account.key = new_key()
    host_key = new_key().export_private_key().decode()
    account.create(HostKey=host_key)
    alice: Any = {"ServerId": account.server_id, "UserName": "alice"}
    account.transfer.import_ssh_public_key(**alice, SshPublicKeyBody=public(new_key()))
    account.put("file", content.encode())
    assert account.get("file") == content.encode()
    # What this test's own client and boto3 log is not the emulator's.
    logged = [each.getMessage() for each in caplog.records if "asyncssh" in each.name]
    calls = [str(call) for call in account.emulator.calls()]
    assert {"CreateServer", "CreateUser"} <= {each.operation for each in account.emulator.calls()}
    secrets = [content, "ssh-ed25519 AAAA", public(account.key).split()[1], host_key[40:80]]
    for secret in secrets:
        assert secret not in "\n".join(logged + calls)
    assert "(not logged)" in "\n".join(calls)
