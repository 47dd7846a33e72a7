"""OpenSSH's client sees an endpoint as asyncssh's does: an independent pair of eyes."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from local.emulator import State
from tests.emulator.sftp_lab import HOME, Account, new_key

SFTP = shutil.which("sftp")
pytestmark = pytest.mark.skipif(SFTP is None, reason="OpenSSH's sftp is not installed")
Done = subprocess.CompletedProcess[str]
Sftp = Callable[..., Done]


@pytest.fixture
def sftp(account: Account, tmp_path: Path) -> Sftp:
    """Run commands as alice; the client trusts the listed host key and no other."""
    key, known = tmp_path / "key", tmp_path / "known_hosts"
    key.write_bytes(account.key.export_private_key())
    key.chmod(0o600)
    known.write_text(f"[127.0.0.1]:{account.port} {account.endpoint['host_key']}\n")
    options = {
        "IdentityFile": key,
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "UserKnownHostsFile": known,
        "StrictHostKeyChecking": "yes",
        "BatchMode": "yes",
    }

    def sftp(
        *commands: str, name: str = "alice", **more: str
    ) -> "subprocess.CompletedProcess[str]":
        given = [f"-o{option}={value}" for option, value in (options | more).items()]
        command = [str(SFTP), "-F", "none", "-b", "-", "-P", str(account.port), *given]
        return subprocess.run(
            [*command, f"{name}@127.0.0.1"],
            input="\n".join(commands),
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=20,
            check=False,
        )

    return sftp


def test_it_puts_lists_moves_and_gets(account: Account, sftp: Sftp, tmp_path: Path) -> None:
    (tmp_path / "sent").write_text("content")
    done = sftp(
        "pwd", "put sent", "mkdir sub", "rename sent sub/moved", "ls -l sub", "get sub/moved"
    )
    assert done.returncode == 0, done.stderr
    assert f"Remote working directory: {HOME}" in done.stdout
    assert "moved" in done.stdout
    assert (tmp_path / "moved").read_text() == "content"
    assert account.get("sub/moved") == b"content"


def test_it_gets_nowhere_else(account: Account, sftp: Sftp, tmp_path: Path) -> None:
    secret = account.folder / "bucket/home/bob/secret"
    secret.parent.mkdir(parents=True)
    secret.write_text("not hers")
    (tmp_path / "sent").write_text("content")
    for command in (
        "get ../bob/secret",
        "get /etc/passwd",
        "put sent ../bob/sent",
        "ln -s ../bob/secret link",
        "ln ../bob/secret link",
        "chmod 777 ../bob/secret",
    ):
        assert sftp(command).returncode != 0
    assert list(secret.parent.iterdir()) == [secret]
    assert not (tmp_path / "secret").exists()
    assert list((account.folder / HOME[1:]).iterdir()) == []


@pytest.mark.parametrize("state", State)
def test_it_is_let_in_by_a_server_that_is_online_and_by_no_other(
    account: Account, sftp: Sftp, state: State
) -> None:
    account.emulator.put(account.server_id, state)
    done = sftp("pwd")
    if state is State.ONLINE:
        assert done.returncode == 0, done.stderr
    else:
        assert done.returncode != 0
        assert "Connection refused" in done.stderr


def test_it_is_not_let_in_with_another_key_or_name(
    account: Account, sftp: Sftp, tmp_path: Path
) -> None:
    another = tmp_path / "another"
    another.write_bytes(new_key().export_private_key())
    another.chmod(0o600)
    for done in (sftp("pwd", name="mallory"), sftp("pwd", IdentityFile=str(another))):
        assert done.returncode != 0
        assert "Permission denied (publickey)" in done.stderr
    assert account.endpoint["sessions"] == 0


def test_it_sees_the_same_host_key_after_a_stop_and_a_start(account: Account, sftp: Sftp) -> None:
    account.stop()
    account.start()
    assert sftp("pwd").returncode == 0
