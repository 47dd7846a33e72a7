"""The SFTP endpoint of one server: open when the server is ONLINE, and never else.

ONLINE is the one state of which AWS says that a server accepts jobs; in every other one nobody can
log in. Who is logged in may go on for a while in STOPPING, and in STOP_FAILED, which STOPPING may
end in: a stop that failed is no reason to cut what it let go on. OFFLINE, STARTING and START_FAILED
have nothing to go on with.

Runs on an event loop's thread. Must not know the API.
"""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import asyncssh

from local.emulator.lifecycle import State
from local.emulator.served import Served
from local.emulator.sftp.folder import Folder
from local.emulator.sftp.login import Login
from local.emulator.sftp.loop import Alarm
from local.emulator.sftp.port import Port
from local.emulator.sftp.session import SftpSession
from local.emulator.sftp.view import View

_MAY_GO_ON = {State.STOPPING, State.STOP_FAILED}
_NOTHING = {"HomeDirectoryType": "LOGICAL", "HomeDirectoryMappings": []}


class Endpoint:
    """A server's port, key, folder and sessions; `look` gives the server as it is, or None.

    `problem` says what keeps it from opening; the next change to the server has it tried again.
    """

    def __init__(self, look: Callable[[], Served | None], port: Port, folder: Path) -> None:
        self.port = port
        self.folder = folder
        self.key = asyncssh.generate_private_key("ssh-ed25519")
        self.problem: str | None = None
        self.accepts = False
        self._look = look
        self._files = Folder(folder)
        self._given_key: str | None = None
        self.connections: dict[asyncssh.SSHServerConnection, Login] = {}
        self._listener: asyncssh.SSHAcceptor | None = None
        self._next_change = Alarm()
        self._end_of_grace = Alarm()
        self._following = asyncio.Lock()
        self._follow_up: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether it listens."""
        return self._listener is not None

    @property
    def sessions(self) -> int:
        """How many are logged in."""
        return sum(login.done for login in self.connections.copy().values())

    def user(self, name: str) -> Mapping[str, Any] | None:
        """Give who has a name at this moment."""
        served = self._look()
        return served.users.get(name) if served else None

    def session(self, channel: Any) -> SftpSession:
        """Begin a session of who is logged in; a user that was deleted since sees nothing."""
        name = channel.get_extra_info("username")
        served = self._look()
        properties = served.properties if served else {}
        option = properties.get("ProtocolDetails", {}).get("SetStatOption")
        return SftpSession(
            channel,
            self._files,
            View(name, self.user(name) or _NOTHING),
            ignores_attributes=properties.get("Domain") == "EFS" or option == "ENABLE_NO_OP",
        )

    async def follow(self) -> None:
        """Be as the server is now, and again when its state changes."""
        async with self._following:
            self._next_change.clear()
            self.problem = None
            served = self._look()
            if served is None or not served.has_sftp:
                self._shut()
                self._cut()
                return
            if served.next_change_s is not None:
                self._next_change.set(served.next_change_s, self._follow_later)
            self._take_key(served.properties.get("HostKey"))
            if served.state is State.ONLINE:
                self._end_of_grace.clear()
                await self._open()
            else:
                self._shut()
                self._let_go_on(served.session_grace_s if served.state in _MAY_GO_ON else 0)

    async def close(self) -> None:
        """Cut every session and let go of the port."""
        async with self._following:
            self._next_change.clear()
            self._shut()
            ending = [connection.wait_closed() for connection in self.connections]
            self._cut()
            await asyncio.gather(*ending)
            self.port.close()

    def _follow_later(self) -> None:
        self._follow_up = asyncio.get_running_loop().create_task(self.follow())

    def _take_key(self, given: str | None) -> None:
        if given is None or given == self._given_key:
            return
        self._given_key = given
        self._shut()
        self.key = asyncssh.import_private_key(given)

    async def _open(self) -> None:
        if self.accepts:
            return
        self.accepts = True
        try:
            self._listener = await asyncssh.listen(
                sock=self.port.listening_socket(),
                server_factory=lambda: Login(self),
                server_host_keys=[self.key],
                agent_forwarding=False,
                gss_host=None,
            )
        except OSError as cause:
            self.accepts = False
            self.problem = f"It cannot listen: {cause.strerror}"

    def _shut(self) -> None:
        """Accept nobody; who is not logged in yet will not be."""
        self.accepts = False
        if self._listener:
            self._listener.close()
            self._listener = None
        for connection, login in self.connections.copy().items():
            if not login.done:
                connection.abort()

    def _let_go_on(self, grace_s: float) -> None:
        if grace_s == 0:
            self._cut()
        else:
            self._end_of_grace.set(grace_s, self._cut)

    def _cut(self) -> None:
        self._end_of_grace.clear()
        for connection in self.connections.copy():
            connection.abort()
