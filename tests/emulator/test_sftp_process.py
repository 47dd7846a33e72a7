"""The emulator as a process: says where its SFTP endpoints are, and leaves what it is told to."""

import asyncio
import signal
import socket
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from tests.emulator.process import Start, line_of, url_of
from tests.emulator.raw import Wire
from tests.emulator.sftp_lab import ROLE, new_key, public, run

SECRET = b"what nobody else shall read"


async def put(url: str, key: asyncssh.SSHKey) -> None:
    port = int(url.rpartition(":")[2])
    options: dict[str, Any] = {"known_hosts": None, "agent_path": None, "config": []}
    async with (
        asyncssh.connect("127.0.0.1", port, username="alice", client_keys=[key], **options) as over,
        over.start_sftp_client() as session,
        session.open("file", "wb") as file,
    ):
        await file.write(SECRET)


def add_alice(wire: Wire, server_id: str, key: asyncssh.SSHKey) -> None:
    alice = {"ServerId": server_id, "UserName": "alice", "Role": ROLE, "HomeDirectory": "/b/alice"}
    assert wire.call("CreateUser", alice | {"SshPublicKeyBody": public(key)}).status == 200


@pytest.mark.parametrize("keeps", [True, False])
def test_each_server_is_told_and_its_files_stay_only_where_they_are_to_be_kept(
    start: Start, tmp_path: Path, *, keeps: bool
) -> None:
    process = start(*(["--files", "kept/here"] if keeps else []))
    wire, key = Wire(url_of(process)), new_key()
    server_id = wire.call("CreateServer", {}).json["ServerId"]
    told, url = line_of(process).split()
    assert told == server_id
    add_alice(wire, server_id, key)
    assert wire.control("GET", "endpoints").json[server_id]["url"] == url
    # A shell can use it as it is.
    assert wire.control("GET", f"endpoints/{server_id}/port").json == int(url.rpartition(":")[2])
    assert wire.control("GET", "endpoints/s-1/port").status == 404
    run(put(url, key))
    calls = wire.control("GET", "calls").body.decode()
    wire.close()
    process.send_signal(signal.SIGTERM)
    output = process.communicate(timeout=10)
    assert output == ("", "")
    assert process.returncode == 0
    assert SECRET.decode() not in calls
    assert public(key).split()[1] not in calls
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files == ([tmp_path / "kept/here" / server_id / "b/alice/file"] if keeps else [])
    assert keeps or list(tmp_path.iterdir()) == []


def test_without_a_server_of_sftp_nothing_is_imported_for_it(start: Start, tmp_path: Path) -> None:
    process = start(python=("-X", "importtime", "-m", "local.emulator"))
    wire = Wire(url_of(process))
    assert wire.call("CreateServer", {"Protocols": ["AS2"], "EndpointType": "VPC"}).status == 200
    assert wire.control("GET", "endpoints").json == {}
    wire.close()
    process.send_signal(signal.SIGTERM)
    _, imported = process.communicate(timeout=10)
    assert "local.emulator.sftp.endpoints" in imported
    for name in ("asyncssh", "asyncio", "cryptography"):
        assert f" {name}\n" not in imported
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("listens", [True, False])
def test_ports_are_counted_up_from_the_one_that_is_asked_for(
    start: Start, *, listens: bool
) -> None:
    with socket.socket() as taken:
        # Without listening it is as a client's, which lets in who wants no more than an address.
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", 0))
        if listens:
            taken.listen()
        port = taken.getsockname()[1]
        process = start("--sftp-port", str(port))
        wire = Wire(url_of(process))
        ports = []
        for _ in range(2):
            wire.call("CreateServer", {})
            ports.append(int(line_of(process).rpartition(":")[2]))
        wire.close()
    assert port < ports[0] < ports[1] < port + 100


def test_two_emulators_do_not_share_a_port_even_while_its_server_is_offline(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    urls = set()
    for _ in range(2):
        process = start("--sftp-port", port)
        wire = Wire(url_of(process))
        server_id = wire.call("CreateServer", {}).json["ServerId"]
        wire.call("StopServer", {"ServerId": server_id})
        wire.close()
        urls.add(line_of(process).split()[1])
    assert len(urls) == 2


def test_it_ends_cleanly_with_a_session_under_way(start: Start) -> None:
    process = start()
    wire, key = Wire(url_of(process)), new_key()
    server_id = wire.call("CreateServer", {}).json["ServerId"]
    url = line_of(process).split()[1]
    add_alice(wire, server_id, key)

    async def outlive() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        await put(url, key)
        process.send_signal(signal.SIGINT)
        await asyncio.to_thread(process.wait)
        writer.close()

    run(outlive())
    wire.close()
    assert process.communicate() == ("", "")
    assert process.returncode == 0


def test_without_asyncssh_it_says_so_and_goes_on(start: Start) -> None:
    hide = "import runpy, sys; sys.modules['asyncssh'] = None; "
    run_it = "runpy.run_module('local.emulator', run_name='__main__')"
    process = start(python=("-c", hide + run_it))
    wire = Wire(url_of(process))
    # Nothing can look into a key, and nobody will meet it.
    for request in ({}, {"HostKey": "text"}):
        assert wire.call("CreateServer", request).status == 200
    wire.close()
    process.send_signal(signal.SIGTERM)
    output, error = process.communicate(timeout=10)
    assert output == ""
    assert error == "No SFTP endpoints: they need asyncssh, which is not installed.\n"


def test_a_folder_that_cannot_be_is_told_without_a_stack_trace(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    _, error = start("--files", "file/below").communicate(timeout=10)
    assert "'file/below' is no folder: Not a directory" in error
    assert "Traceback" not in error
