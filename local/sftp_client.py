"""A user of an SFTP server: what it sends, what it gets back, and how it is turned away.

It must not know the API, nor in which state the server is.
"""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import asyncssh

GIVE_UP_S = 10.0
T = TypeVar("T")


@dataclass(frozen=True)
class SftpClient:
    """asyncssh's client, with a key of its own; it reads no configuration and asks no agent."""

    user_name: str
    _key: asyncssh.SSHKey = field(
        default_factory=lambda: asyncssh.generate_private_key("ssh-ed25519"), repr=False
    )

    @property
    def public_key(self) -> str:
        """What ImportSshPublicKey takes."""
        return self._key.export_public_key().decode().strip()

    def put(self, port: int, host_key: str, name: str, content: bytes) -> None:
        """Upload a file. Raises ConnectionError where the server turns it away."""

        async def put() -> None:
            async with self._session(port, host_key) as connection:
                session = await connection.start_sftp_client()
                async with session.open(name, "wb") as file:
                    await file.write(content)

        _run(put())

    def get(self, port: int, host_key: str, name: str) -> bytes:
        """Download a file. Raises ConnectionError where the server turns it away."""

        async def get() -> bytes:
            async with self._session(port, host_key) as connection:
                session = await connection.start_sftp_client()
                async with session.open(name, "rb") as file:
                    return bytes(await file.read())

        return _run(get())

    def _session(self, port: int, host_key: str) -> Any:
        known = asyncssh.import_known_hosts(f"[127.0.0.1]:{port} {host_key}")
        return asyncssh.connect(
            "127.0.0.1",
            port,
            username=self.user_name,
            client_keys=[self._key],
            known_hosts=known,
            agent_path=None,
            config=[],
        )


def _run(work: Coroutine[Any, Any, T]) -> T:
    # On a thread, since a signal that hits the event loop has it complain.
    with ThreadPoolExecutor(1) as pool:
        try:
            return pool.submit(asyncio.run, asyncio.wait_for(work, GIVE_UP_S)).result()
        except (OSError, asyncssh.DisconnectError) as error:
            raise ConnectionError(_sentence(error)) from error


def _sentence(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return str(error) or type(error).__name__
