"""A table in memory: GetItem, and PutItem on one of two conditions. It must not know HTTP.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html
"""

from threading import Lock
from typing import Any

Item = dict[str, dict[str, Any]]


class Table:
    """Items by their key, ServerId."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}
        self._lock = Lock()

    def answer(self, operation: str, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Carry out an operation: its HTTP status, and its answer."""
        with self._lock:
            if operation == "GetItem":
                item = self.items.get(asked["Key"]["ServerId"]["S"])
                return 200, {"Item": item} if item else {}
            if operation == "PutItem":
                return self._put(asked)
            return _error("UnknownOperationException", f"There is no {operation} here.")

    def _put(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        server_id = asked["Item"]["ServerId"]["S"]
        found = self.items.get(server_id)
        match asked.get("ConditionExpression"):
            case "attribute_not_exists(ServerId)":
                holds = found is None
            case "Version = :version":
                version = asked["ExpressionAttributeValues"][":version"]
                holds = found is not None and found.get("Version") == version
            case other:
                return _error("ValidationException", f"Not understood here: {other!r}")
        if not holds:
            return _error("ConditionalCheckFailedException", "The conditional request failed")
        self.items[server_id] = asked["Item"]
        return 200, {}


def _error(code: str, message: str) -> tuple[int, dict[str, Any]]:
    return 400, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}
