"""The endpoints that there are, on a thread of their own, with the folder that holds their files.

Must not know the API beyond what a server says of itself.
"""

import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from local.emulator.service import Service
from local.emulator.sftp.endpoint import Endpoint
from local.emulator.sftp.loop import LoopThread
from local.emulator.sftp.port import Port


class Running:
    """Endpoints by server, from making it until it is closed; for one caller at a time."""

    def __init__(
        self, service: Service, files: Path | None, first_port: int, tell: Callable[[str], object]
    ) -> None:
        self._service = service
        self._first_port = first_port
        self._tell = tell
        self._keeps = files is not None
        self._files = files or Path(tempfile.mkdtemp(prefix="transfer-server-files-"))
        self._files.mkdir(parents=True, exist_ok=True)
        self._endpoints: dict[str, Endpoint] = {}
        self._thread = LoopThread()

    def follow(self, server_id: str) -> None:
        """Have a server's endpoint be as the server is."""
        served = self._service.served(server_id)
        if served is None:
            if endpoint := self._endpoints.pop(server_id, None):
                self._thread.run(endpoint.close())
        elif served.has_sftp or server_id in self._endpoints:
            endpoint = self._endpoints.get(server_id) or self._new(server_id)
            self._thread.run(endpoint.follow())
            self._service.identify(server_id, endpoint.key.get_fingerprint())
            if endpoint.problem:
                self._tell(f"{server_id} is closed to SFTP: {endpoint.problem}")

    def listed(self) -> dict[str, Any]:
        """Describe each endpoint; any thread may ask."""
        return {
            server_id: {
                "url": endpoint.port.url,
                "open": endpoint.is_open,
                "sessions": endpoint.sessions,
                "folder": str(endpoint.folder),
                "host_key": endpoint.key.export_public_key().decode().strip(),
                "problem": endpoint.problem,
            }
            for server_id, endpoint in self._endpoints.copy().items()
        }

    def close(self) -> None:
        """Cut every session, close every port, and remove what is not to be kept."""
        for endpoint in self._endpoints.values():
            self._thread.run(endpoint.close())
        self._thread.close()
        if not self._keeps:
            shutil.rmtree(self._files)

    def _new(self, server_id: str) -> Endpoint:
        folder = self._files / server_id
        folder.mkdir(exist_ok=True)  # there may have been no port for it before
        port = Port(self._first_port)
        endpoint = Endpoint(partial(self._service.served, server_id), port, folder)
        self._endpoints[server_id] = endpoint
        self._tell(f"{server_id} {port.url}")
        return endpoint
