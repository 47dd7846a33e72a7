"""What the tests of SFTP endpoints drive: servers, their users, and a client.

States change by the test's clock. An endpoint asks again for a state that is due to change after as
many real seconds; how long a session may go on is in real seconds too.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import asyncssh

from local.emulator import Emulator, SftpEndpoints
from tests.fakes.clock import Clock

ROLE = "arn:aws:iam::000000000000:role/sftp"
HOME = "/bucket/home/alice"
GIVE_UP_S = 20
# What a client's call ends with when its connection has been cut.
CUT = (
    asyncssh.SFTPConnectionLost,
    asyncssh.SFTPNoConnection,
    asyncssh.ConnectionLost,
    ConnectionError,
)
T = TypeVar("T")


def new_key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519")


def public(key: asyncssh.SSHKey) -> str:
    return key.export_public_key().decode().strip()


def run(coroutine: Awaitable[T]) -> T:
    """Run a client's side of a test, which no test may wait for longer than that."""
    return asyncio.run(asyncio.wait_for(coroutine, GIVE_UP_S))


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what the server's side does in its own time."""
    while not holds():
        await asyncio.sleep(0.005)


@dataclass
class Account:
    """An emulator with SFTP endpoints, and one server with the user alice."""

    emulator: Emulator
    endpoints: SftpEndpoints
    transfer: Any
    clock: Clock
    server_id: str = ""
    key: asyncssh.SSHKey = field(default_factory=new_key)

    def create(self, **server: Any) -> str:
        """Make a server with alice."""
        self.server_id = self.transfer.create_server(**server)["ServerId"]
        self.add_user("alice", HomeDirectory=HOME)
        return self.server_id

    def add_user(self, name: str, **home: Any) -> None:
        """Make a user that logs in with the same key."""
        self.transfer.create_user(
            ServerId=self.server_id,
            UserName=name,
            Role=ROLE,
            SshPublicKeyBody=public(self.key),
            **home,
        )

    def set(self, **settings: Any) -> None:
        self.emulator.set(**settings)

    def stop(self) -> None:
        self.transfer.stop_server(ServerId=self.server_id)

    def start(self) -> None:
        self.transfer.start_server(ServerId=self.server_id)

    @property
    def endpoint(self) -> dict[str, Any]:
        listed: dict[str, Any] = self.endpoints.listed()[self.server_id]
        return listed

    @property
    def port(self) -> int:
        return int(self.endpoint["url"].rpartition(":")[2])

    @property
    def folder(self) -> Path:
        return Path(self.endpoint["folder"])

    @asynccontextmanager
    async def connection(
        self, name: str = "alice", **options: Any
    ) -> AsyncIterator[asyncssh.SSHClientConnection]:
        """Log in, and check the host key against the one that is listed."""
        known = f"[127.0.0.1]:{self.port} {self.endpoint['host_key']}"
        given: dict[str, Any] = {
            "known_hosts": asyncssh.import_known_hosts(known),
            "client_keys": [self.key],
            "agent_path": None,
            "config": [],
        }
        async with asyncssh.connect(
            "127.0.0.1", self.port, username=name, **given | options
        ) as connection:
            yield connection

    @asynccontextmanager
    async def session(
        self, name: str = "alice", **options: Any
    ) -> AsyncIterator[asyncssh.SFTPClient]:
        """Log in and begin an SFTP session."""
        async with (
            self.connection(name, **options) as connection,
            connection.start_sftp_client() as session,
        ):
            yield session

    def put(self, name: str, content: bytes) -> None:
        async def put() -> None:
            async with self.session() as session, session.open(name, "wb") as file:
                await file.write(content)

        run(put())

    def get(self, name: str) -> bytes:
        async def get() -> bytes:
            async with self.session() as session, session.open(name, "rb") as file:
                content = await file.read()
                assert isinstance(content, bytes)
                return content

        return run(get())

    def refuses(self) -> bool:
        """Tell whether nothing listens."""

        async def knock() -> bool:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except ConnectionRefusedError:
                return True
            writer.close()
            return False

        return run(knock())
