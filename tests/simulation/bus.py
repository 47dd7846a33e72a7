"""The default event bus, as a boto3 client shows it."""

from typing import TYPE_CHECKING, Any

from greenlet import getcurrent

if TYPE_CHECKING:
    from tests.simulation.world import World


class Bus:
    """Notes what is put on it."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def put_events(self, Entries: list[dict[str, str]]) -> dict[str, Any]:
        """Take an event."""
        world = self._world
        world.network.call("events", "PutEvents", lambda: None)
        world.note(getcurrent().owner, "tells %s", Entries)
        return {"FailedEntryCount": 0}
