"""An endpoint is open when its server is ONLINE, and never else; what it has outlasts that."""

import asyncio
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from local.emulator import Emulator, SftpEndpoints, State
from tests.emulator.raw import Wire
from tests.emulator.sftp_lab import CUT, Account, run, until


@pytest.mark.parametrize("state", State)
def test_only_a_server_that_is_online_accepts(account: Account, state: State) -> None:
    account.put("file", b"content")
    account.emulator.put(account.server_id, state)
    if state is State.ONLINE:
        assert account.get("file") == b"content"
    else:
        assert account.refuses()
    assert account.endpoint["open"] == (state is State.ONLINE)


def test_an_offline_server_refuses_files_and_after_it_all_is_as_before(account: Account) -> None:
    account.put("file", b"content")
    # The client is gone before the server knows.
    run(until(lambda: not account.endpoint["sessions"]))
    before = account.endpoint
    account.stop()
    assert account.refuses()
    with pytest.raises(ConnectionRefusedError):
        account.put("file", b"changed")
    assert account.endpoint == before | {"open": False}
    account.start()
    assert account.endpoint == before
    # The client checks the host key; alice has the same key and home.
    assert account.get("file") == b"content"


@pytest.mark.parametrize(
    ("setting", "command", "before", "through"),
    [("start_s", "start_server", "OFFLINE", "STARTING"), ("create_s", "", "", "STARTING")],
)
def test_an_endpoint_opens_when_its_server_comes_online_and_not_before(
    account: Account, setting: str, command: str, before: str, through: str
) -> None:
    if before:
        account.emulator.put(account.server_id, State(before))
    account.set(**{setting: 0.1})
    if command:
        getattr(account.transfer, command)(ServerId=account.server_id)
    else:
        account.create()
    assert account.refuses()
    assert account.emulator.states()[account.server_id] == through
    account.clock.sleep(0.1)
    run(until(lambda: account.endpoint["open"]))
    assert account.emulator.states()[account.server_id] is State.ONLINE
    account.put("file", b"content")


@pytest.mark.parametrize("state", [State.START_FAILED, State.STOP_FAILED])
def test_a_failed_transition_leaves_it_closed_until_a_command_succeeds(
    account: Account, state: State
) -> None:
    if state is State.START_FAILED:
        account.stop()
        account.set(start_failures=1)
        account.start()
    else:
        account.set(stop_failures=1)
        account.stop()
    assert account.emulator.states()[account.server_id] is state
    assert account.refuses()
    account.start()
    account.put("file", b"content")


def test_each_server_has_its_own_port_key_and_files(account: Account) -> None:
    one, first = account.endpoint, account.server_id
    account.put("file", b"content")
    two, second = account.endpoint, account.create()
    two = account.endpoint
    assert {one[name] != two[name] for name in ("url", "host_key", "folder")} == {True}
    with pytest.raises(asyncssh.SFTPNoSuchFile):
        account.get("file")
    account.stop()
    assert account.endpoints.listed()[first]["open"]
    assert not account.endpoints.listed()[second]["open"]


def test_a_server_without_the_protocol_has_no_endpoint_and_one_that_drops_it_closes(
    account: Account,
) -> None:
    other = account.transfer.create_server(Protocols=["AS2"], EndpointType="VPC")["ServerId"]
    assert other not in account.endpoints.listed()
    account.create(EndpointType="VPC")
    before = account.endpoint
    account.transfer.update_server(ServerId=account.server_id, Protocols=["AS2"])
    assert account.refuses()
    account.transfer.update_server(ServerId=account.server_id, Protocols=["SFTP", "AS2"])
    assert account.endpoint == before
    account.put("file", b"content")


def test_a_deleted_server_s_sessions_end_and_its_port_is_free(account: Account) -> None:
    port = account.port

    async def delete_under_way() -> None:
        async with account.session() as session:
            await asyncio.to_thread(account.transfer.delete_server, ServerId=account.server_id)
            with pytest.raises(CUT):
                await session.stat(".")

    run(delete_under_way())
    assert account.endpoints.listed() == {}

    async def listen() -> None:
        (await asyncio.start_server(lambda *_: None, "127.0.0.1", port)).close()

    run(listen())


def test_a_port_is_held_while_nobody_listens(account: Account) -> None:
    account.stop()

    async def listen() -> Any:
        return await asyncio.start_server(lambda *_: None, "127.0.0.1", account.port)

    with pytest.raises(OSError, match="in use"):
        run(listen())


def test_endpoints_are_listed_over_http(account: Account) -> None:
    listed = account.endpoints.listed()
    assert listed.keys() == {account.server_id}
    endpoint = listed[account.server_id]
    assert endpoint["url"] == f"sftp://127.0.0.1:{account.port}"
    assert (endpoint["sessions"], endpoint["problem"]) == (0, None)


@contextmanager
def no_more_files() -> Iterator[None]:
    """Let this process open nothing."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.open(os.devnull, os.O_RDONLY)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("comes", ["at once", "later"])
def test_an_endpoint_that_cannot_open_says_why_where_it_is_listed_and_is_tried_again(
    account: Account, comes: str
) -> None:
    account.stop()
    account.set(start_s=0.1 if comes == "later" else 0)

    async def start_in_vain() -> None:
        with no_more_files():
            account.start()
            account.clock.sleep(0.1)
            await until(lambda: account.endpoint["problem"] is not None)

    run(start_in_vain())
    assert account.emulator.states()[account.server_id] is State.ONLINE
    assert account.endpoint["problem"] == "It cannot listen: Too many open files"
    assert not account.endpoint["open"]
    account.emulator.put(account.server_id, State.ONLINE)
    assert account.endpoint["problem"] is None
    account.put("file", b"content")


def test_an_endpoint_that_cannot_be_made_says_why_where_it_is_listed_and_is_tried_again(
    emulator: Emulator, transfer: Any, wire: Wire, tmp_path: Path
) -> None:
    in_the_way = tmp_path / "files"
    in_the_way.touch()
    told: list[str] = []
    with SftpEndpoints(emulator, files=in_the_way / "here", tell=told.append):
        server_id = transfer.create_server()["ServerId"]
        (problem,) = [each["problem"] for each in wire.control("GET", "endpoints").json.values()]
        assert "Not a directory" in problem
        assert told == [f"{server_id} has no SFTP endpoint: {problem}"]
        assert wire.control("GET", f"endpoints/{server_id}/port").status == 404
        in_the_way.unlink()
        emulator.put(server_id, State.ONLINE)
        endpoint = wire.control("GET", "endpoints").json[server_id]
        assert (endpoint["open"], endpoint["problem"]) == (True, None)
        transfer.delete_server(ServerId=server_id)
        assert wire.control("GET", "endpoints").json == {}
