"""How fast files go through an emulated server's SFTP endpoint, and how soon that opens.

The emulator and asyncssh's own plain server run in processes of their own; asyncssh's client, in
this one, moves the same file to and from each in turn.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from os import urandom
from pathlib import Path
from subprocess import PIPE, Popen
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import Request, urlopen

import asyncssh
import boto3

ROOT = Path(__file__).parent.parent
OURS, PLAIN = "the emulator", "asyncssh's own server"
WAYS = ("put", "get")
# Whatever else this machine begins or ends to do meanwhile falls on both alike.
ORDER = (OURS, PLAIN, PLAIN, OURS)

# What asyncssh's documentation has one write: every setting its default, files in a folder.
_PLAIN_SERVER = """
import asyncio, asyncssh, functools, sys
async def main():
    sftp = functools.partial(asyncssh.SFTPServer, chroot=sys.argv[1].encode())
    listener = await asyncssh.listen("127.0.0.1", 0, server_host_keys=[sys.argv[1] + "/host"],
        authorized_client_keys=sys.argv[1] + "/keys", sftp_factory=sftp)
    print(listener.get_port(), flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@dataclass(frozen=True)
class Moved:
    """Rates of each way, and how much the server grew by moving."""

    mib_per_s: dict[str, float]
    grown_mib: float


@dataclass(frozen=True)
class Server:
    """A server to measure."""

    port: int
    process: int


def move(size_mib: int, progress: Callable[[], object] = lambda: None) -> dict[str, Moved]:
    """Move a file of a size to and from each server, twice each way."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    with TemporaryDirectory() as folder, _emulator() as (url, process):
        sent = Path(folder, "sent")
        block = urandom(2**20)
        with sent.open("wb") as file:
            for _ in range(size_mib):
                file.write(block)
        with _plain_server(Path(folder, "plain"), key) as plain:
            ours = Server(_endpoint(_new_server(url, key), url), process)
            servers = {OURS: ours, PLAIN: plain}
            return asyncio.run(_move(servers, key, sent, progress))


async def _move(
    servers: dict[str, Server],
    key: asyncssh.SSHKey,
    sent: Path,
    progress: Callable[[], object],
) -> dict[str, Moved]:
    took_s = {name: dict.fromkeys(WAYS, 0.0) for name in servers}
    grown_mib = dict.fromkeys(servers, 0.0)
    for way in WAYS:
        for name in ORDER:
            server = servers[name]
            before_mib = _peak_mib(server.process)
            async with _session(server.port, key) as session:
                took_s[name][way] += await _moving_s(session, way, sent)
            grown_mib[name] += _peak_mib(server.process) - before_mib
            progress()
    moved_mib = sent.stat().st_size / 2**20 * len(ORDER) / len(servers)
    return {
        name: Moved({way: moved_mib / took_s[name][way] for way in WAYS}, grown_mib[name])
        for name in servers
    }


async def _moving_s(session: asyncssh.SFTPClient, way: str, sent: Path) -> float:
    got = sent.with_name("got")
    began_s = time.perf_counter()
    if way == "put":
        await session.put(sent, "moved")
    else:
        await session.get("moved", got)
    took_s = time.perf_counter() - began_s
    if way == "get":
        if got.stat().st_size != sent.stat().st_size:
            raise RuntimeError("some of the file was lost")
        got.unlink()
    return took_s


def opening_ms(rounds: int) -> list[float]:
    """Measure how long after a server's being ONLINE its endpoint accepts, in milliseconds."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    found = []
    with _emulator() as (url, _):
        transfer = _client(url)
        _control(url, "PATCH", "settings", {"start_s": 0.1})
        server_id = _new_server(url, key)
        port = _endpoint(server_id, url)
        for _ in range(rounds):
            transfer.stop_server(ServerId=server_id)
            transfer.start_server(ServerId=server_id)
            accepted_s = asyncio.run(_accepted_s(port))
            online_s = _control(url, "GET", f"servers/{server_id}")["history"][-1]["since_s"]
            found.append((accepted_s - online_s) * 1000)
    return found


async def _accepted_s(port: int) -> float:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.0005)
        else:
            # The emulator's clock is the system's monotonic one, which all processes share.
            accepted_s = time.monotonic()
            writer.close()
            return accepted_s


@asynccontextmanager
async def _session(port: int, key: asyncssh.SSHKey) -> AsyncIterator[asyncssh.SFTPClient]:
    given: dict[str, Any] = {"known_hosts": None, "agent_path": None, "config": []}
    async with (
        asyncssh.connect("127.0.0.1", port, username="alice", client_keys=[key], **given) as over,
        over.start_sftp_client() as session,
    ):
        yield session


@contextmanager
def _emulator() -> Iterator[tuple[str, int]]:
    command = [sys.executable, "-m", "local.emulator", "--with-parent"]
    with Popen(command, cwd=ROOT, stdin=PIPE, stdout=PIPE, text=True) as process:
        try:
            yield _first_line(process), process.pid
        finally:
            process.terminate()


@contextmanager
def _plain_server(folder: Path, key: asyncssh.SSHKey) -> Iterator[Server]:
    folder.mkdir()
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(folder / "host")
    key.write_public_key(folder / "keys")
    command = [sys.executable, "-c", _PLAIN_SERVER, str(folder)]
    with Popen(command, stdout=PIPE, text=True) as process:
        try:
            yield Server(int(_first_line(process)), process.pid)
        finally:
            process.terminate()


def _first_line(process: "Popen[str]") -> str:
    if not process.stdout:
        raise RuntimeError("no standard output")
    return process.stdout.readline().strip()


def _new_server(url: str, key: asyncssh.SSHKey) -> str:
    transfer = _client(url)
    server_id: str = transfer.create_server()["ServerId"]
    transfer.create_user(
        ServerId=server_id,
        UserName="alice",
        Role="arn:aws:iam::000000000000:role/sftp",
        SshPublicKeyBody=key.export_public_key().decode().strip(),
    )
    return server_id


def _client(url: str) -> Any:
    session = boto3.Session("benchmark", "benchmark", region_name="us-east-1")
    return session.client("transfer", endpoint_url=url)


def _endpoint(server_id: str, url: str) -> int:
    listed = _control(url, "GET", "endpoints")[server_id]["url"]
    return int(listed.rpartition(":")[2])


def _control(url: str, method: str, path: str, value: Any = None) -> Any:
    body = json.dumps(value).encode() if value else None
    request = Request(f"{url}/_emulator/{path}", body, method=method)  # noqa: S310 - it is ours
    with urlopen(request, timeout=10) as response:  # noqa: S310
        return json.load(response)


def _peak_mib(process: int) -> float:
    status = Path(f"/proc/{process}/status")
    if not status.exists():
        return float("nan")
    return int(status.read_text().partition("VmHWM:")[2].split()[0]) / 2**10
