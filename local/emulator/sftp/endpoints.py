"""The SFTP endpoints of a service: the edge at which they meet the API.

Each change to a server is followed before whoever made it is answered. Until there is a server
with the protocol there is no thread, no folder, and nothing is imported.
"""

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

from local.emulator.service import Service

if TYPE_CHECKING:
    from local.emulator.sftp.running import Running


class SftpEndpoints:
    """Endpoints for a service's servers, from entering the context until leaving it.

    Files are kept in `files`, in a folder for each server; without it they go in the end. Ports are
    counted up from `first_port`, or any. `tell` hears of each new endpoint.
    """

    def __init__(
        self,
        service: Service,
        *,
        files: Path | None = None,
        first_port: int = 0,
        tell: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._service = service
        self._files = files
        self._first_port = first_port
        self._tell = tell
        self._lock = Lock()
        self._running: Running | None = None
        self._problems: dict[str, str] = {}

    def __enter__(self) -> Self:
        """Follow the servers that come."""
        self._service.endpoints = self
        return self

    def __exit__(self, *_: object) -> None:
        """Cut every session, close every port, and remove files that are not to be kept."""
        self._service.endpoints = None
        with self._lock:
            if self._running:
                self._running.close()
                self._running = None

    def changed(self, server_id: str) -> None:
        """Have a server's endpoint follow it."""
        with self._lock:
            # A call that was under way may come when this has ended.
            if self._service.endpoints is not self:
                return
            try:
                self._follow(server_id)
                self._problems.pop(server_id, None)
            except OSError as cause:
                # No port, folder or file descriptor is to be had; the API goes on without.
                self._problems[server_id] = str(cause)
                self._tell(f"{server_id} has no SFTP endpoint: {cause}")

    def listed(self) -> dict[str, Any]:
        """Describe each server's endpoint; of one that could not be made, say why."""
        running = self._running
        missing = {
            server_id: {"open": False, "sessions": 0, "problem": problem}
            for server_id, problem in self._problems.copy().items()
        }
        return missing | (running.listed() if running else {})

    def _follow(self, server_id: str) -> None:
        if self._running is None and self._has_sftp(server_id):
            # Not sooner: it takes a tenth of a second.
            from local.emulator.sftp.running import Running  # noqa: PLC0415

            self._running = Running(self._service, self._files, self._first_port, self._tell)
        if self._running:
            self._running.follow(server_id)

    def _has_sftp(self, server_id: str) -> bool:
        served = self._service.served(server_id)
        return served is not None and served.has_sftp
