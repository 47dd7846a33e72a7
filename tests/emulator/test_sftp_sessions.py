"""What becomes of sessions under way when their server stops: a while, or the end at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from threading import enumerate as threads
from typing import Any

import asyncssh
import pytest

from local.emulator import State
from tests.emulator.sftp_lab import CUT, Account, run, until

BLOCK = b"x" * 65536


async def stop(account: Account) -> None:
    await asyncio.to_thread(account.stop)


@asynccontextmanager
async def upload(account: Account) -> AsyncIterator[Any]:
    """Have an upload under way: a block is written, more may follow."""
    async with account.connection() as connection:
        session = await connection.start_sftp_client()
        file = await session.open("upload", "wb")
        await file.write(BLOCK)
        yield file
        with suppress(*CUT):
            await file.close()


async def write_on(file: Any) -> None:
    while True:
        await file.write(BLOCK)


def test_a_transfer_under_way_may_finish_while_its_server_stops(account: Account) -> None:
    account.set(stop_s=60, session_grace_s=60)

    async def transfer() -> None:
        async with upload(account) as file:
            await stop(account)
            assert account.endpoint["sessions"] == 1
            await file.write(BLOCK)

    run(transfer())
    assert account.emulator.states()[account.server_id] is State.STOPPING
    assert account.refuses()
    assert (account.folder / "bucket/home/alice/upload").read_bytes() == 2 * BLOCK


def test_with_no_grace_a_transfer_under_way_is_cut_at_once(account: Account) -> None:
    account.set(stop_s=60, session_grace_s=0)

    async def transfer() -> None:
        async with upload(account) as file:
            await stop(account)
            with pytest.raises(CUT):
                await file.write(BLOCK)

    run(transfer())
    assert account.emulator.states()[account.server_id] is State.STOPPING
    assert account.endpoint["sessions"] == 0


@pytest.mark.parametrize(
    ("settings", "passes_s", "state"),
    [
        # The end of the grace comes first; the server's being OFFLINE does.
        ({"stop_s": 60, "session_grace_s": 0.2}, 0, State.STOPPING),
        ({"stop_s": 0.2, "session_grace_s": 60}, 0.2, State.OFFLINE),
        # A stop that fails prolongs nothing.
        ({"stop_s": 0.1, "session_grace_s": 0.3, "stop_failures": 1}, 0.1, State.STOP_FAILED),
    ],
)
def test_the_grace_is_bounded(
    account: Account, settings: dict[str, float], passes_s: float, state: State
) -> None:
    account.set(**settings)

    async def transfer() -> None:
        async with upload(account) as file:
            await stop(account)
            account.clock.sleep(passes_s)
            with pytest.raises(CUT):
                await write_on(file)

    run(transfer())
    assert account.emulator.states()[account.server_id] is state


def test_a_session_outlasts_a_stop_that_failed(account: Account) -> None:
    account.set(stop_s=0, session_grace_s=60, stop_failures=1)

    async def transfer() -> None:
        async with upload(account) as file:
            await stop(account)
            assert account.emulator.states()[account.server_id] is State.STOP_FAILED
            await file.write(BLOCK)

    run(transfer())
    assert (account.folder / "bucket/home/alice/upload").read_bytes() == 2 * BLOCK


def test_no_session_is_cut_when_its_server_came_back_within_the_grace(account: Account) -> None:
    grace_s = 0.5
    account.set(stop_s=60, session_grace_s=grace_s)

    def stop_and_come_back() -> None:
        account.stop()
        account.emulator.put(account.server_id, State.ONLINE)

    async def transfer() -> None:
        async with upload(account) as file:
            await asyncio.to_thread(stop_and_come_back)
            await asyncio.sleep(grace_s + 0.1)
            await file.write(BLOCK)

    run(transfer())
    assert (account.folder / "bucket/home/alice/upload").read_bytes() == 2 * BLOCK


def test_a_stopping_server_begins_no_session_on_a_connection_that_may_go_on(
    account: Account,
) -> None:
    account.set(stop_s=60, session_grace_s=60)

    async def transfer() -> None:
        async with account.connection() as connection:
            session = await connection.start_sftp_client()
            await stop(account)
            with pytest.raises(asyncssh.ChannelOpenError):
                await connection.start_sftp_client()
            assert await session.listdir() == [".", ".."]
            session.exit()

    run(transfer())


@pytest.mark.parametrize("state", [each for each in State if each is not State.ONLINE])
def test_who_has_not_logged_in_by_then_will_not(account: Account, state: State) -> None:
    async def knock() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", account.port)
        await reader.readline()
        await asyncio.to_thread(account.emulator.put, account.server_id, state)
        with suppress(ConnectionResetError):
            await reader.read()
        writer.close()

    run(knock())
    assert account.endpoint["sessions"] == 0


def test_fifty_sessions_at_once_each_keep_their_own(account: Account) -> None:
    sessions = 50

    async def one(number: int, all_there: asyncio.Barrier) -> None:
        content: Any = str(number).encode() * 10_000
        async with account.session() as session:
            await all_there.wait()
            async with session.open(f"{number}", "wb") as file:
                await file.write(content)
            async with session.open(f"{number}", "rb") as file:
                assert await file.read() == content

    async def all_at_once() -> None:
        all_there = asyncio.Barrier(sessions + 1)
        async with asyncio.TaskGroup() as group:
            for number in range(sessions):
                group.create_task(one(number, all_there))
            await all_there.wait()

    run(all_at_once())
    assert len(list((account.folder / "bucket/home/alice").iterdir())) == sessions
    run(until(lambda: account.endpoint["sessions"] == 0))


def test_leaving_cuts_what_is_under_way_and_leaves_no_thread(account: Account) -> None:
    async def transfer() -> None:
        async with upload(account) as file:
            await asyncio.to_thread(account.endpoints.__exit__)
            with pytest.raises(CUT):
                await file.write(BLOCK)

    run(transfer())
    assert "sftp-endpoints" not in {thread.name for thread in threads()}
    assert account.endpoints.listed() == {}
