"""The servers that there are, their users and tags; and one call of an operation upon them.

Must not know what any operation does, HTTP, faults or the clock.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from local.emulator.lifecycle import State, Timeline
from local.emulator.model import ApiError, error
from local.emulator.settings import ServerSettings, Settings

Answer = dict[str, Any]


@dataclass
class User:
    """A user of a server: its members as described, and its tags."""

    properties: dict[str, Any]
    tags: dict[str, str]


@dataclass
class Server:
    """A server: its members as described, its states over time, its users and tags."""

    server_id: str
    region: str
    properties: dict[str, Any]
    timeline: Timeline
    tags: dict[str, str]
    users: dict[str, User] = field(default_factory=dict)


@dataclass
class World:
    """All servers by id, the settings for all, and those of one server that differ."""

    settings: Settings
    servers: dict[str, Server] = field(default_factory=dict)
    overrides: dict[str, dict[str, Any]] = field(default_factory=dict)

    def settings_of(self, server_id: str) -> ServerSettings:
        """Give the settings that hold for a server."""
        own = self.overrides.get(server_id)
        return replace(self.settings, **own) if own else self.settings

    def spend(self, server_id: str, failures: str) -> bool:
        """Tell whether the next transition is to fail, and count it down where it was set."""
        count = getattr(self.settings_of(server_id), failures)
        if count:
            if failures in self.overrides.get(server_id, {}):
                self.overrides[server_id][failures] = count - 1
            else:
                self.settings = replace(self.settings, **{failures: count - 1})
        return bool(count)


@dataclass(frozen=True)
class Call:
    """One call of an operation; `epoch_s` is what `now` is in seconds since 1970."""

    world: World
    region: str
    request: dict[str, Any]
    now: float
    epoch_s: float

    @property
    def server(self) -> Server:
        """The server that is asked for, in the region of the call."""
        return find_server(self, self.request["ServerId"])

    @property
    def user(self) -> User:
        """The user that is asked for."""
        return find_user(self.server, self.request["UserName"])

    def shown_state(self, server: Server) -> State:
        """Tell the state that a reader sees: reads lag."""
        return server.timeline.at(self.now - self.world.settings_of(server.server_id).read_lag_s)


def find_server(call: Call, server_id: str) -> Server:
    """Find a server in the region of the call."""
    server = call.world.servers.get(server_id)
    if server is None or server.region != call.region:
        raise unknown("Server", server_id)
    return server


def find_user(server: Server, name: str) -> User:
    """Find a user of a server."""
    if name not in server.users:
        raise unknown("User", name)
    return server.users[name]


def unknown(kind: str, name: str) -> ApiError:
    """Make the error for what is not there."""
    return error(
        "ResourceNotFoundException", f"Unknown {kind.lower()}", Resource=name, ResourceType=kind
    )
