"""The registry's table, as a boto3 client shows it, with all that can happen to a call."""

from typing import TYPE_CHECKING, Any

from greenlet import getcurrent

from tests.fakes.dynamodb import DynamoDB

if TYPE_CHECKING:
    from tests.simulation.world import World

TABLE = "registry"


class Registry:
    """The calls that provider and guard make, each consistent and atomic."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._table = DynamoDB(TABLE)

    def get_item(self, **arguments: Any) -> Any:
        """Read a row."""
        return self._world.network.call(
            "dynamodb", "GetItem", lambda: self._table.get_item(**arguments)
        )

    def scan(self, **arguments: Any) -> Any:
        """Read all rows."""
        return self._world.network.call("dynamodb", "Scan", lambda: self._table.scan(**arguments))

    def put_item(self, **arguments: Any) -> Any:
        """Write a row, if it is as the condition has it."""

        def write() -> Any:
            answer = self._table.put_item(**arguments)
            self._world.note(getcurrent().owner, "writes %s", arguments["Item"])
            return answer

        return self._world.network.call("dynamodb", "PutItem", write)
