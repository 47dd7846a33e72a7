"""The registry's table: rows read, and written on condition that nobody wrote since.

The only file that knows DynamoDB. What a row means, row.py knows.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ConditionExpressions.html
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from transfer_server_state.aws.client import Aws, RefusedError, UnavailableError
from transfer_server_state.drift import Drift
from transfer_server_state.machine import State, Step
from transfer_server_state.progress import Progress
from transfer_server_state.request import Owner
from transfer_server_state.row import Row


class ConflictError(Exception):
    """Somebody else wrote the row since it was read."""


class UnreachableError(UnavailableError):
    """The table does not answer, or refuses, for now: what stands behind it is told."""

    def __init__(self, error: RefusedError | UnavailableError) -> None:
        super().__init__(str(error))
        self.outcome = error.outcome


class Registry:
    """Rows by server. Its calls raise UnreachableError."""

    # Why what a row owes is not known, where it never could be read.
    unread = ""

    def __init__(self, aws: Aws, table: str) -> None:
        self._aws = aws
        self._table = table

    def read(self, server_id: str) -> Row:
        """Return the row as it is now; a new one if there is none."""
        key = {"ServerId": {"S": server_id}}
        item = self._call("GetItem", Key=key, ConsistentRead=True).get("Item")
        return _row(_texts(item)) if item else Row(server_id)

    def rows(self, unreadable: list[str]) -> Iterator[Row]:
        """Return all rows, page by page; of what is no row of ours, note the server."""
        start: dict[str, Any] | None = {}
        while start is not None:
            page = self._call("Scan", ConsistentRead=True, **start)
            for item in page["Items"]:
                try:
                    yield _row(_texts(item))
                except (KeyError, TypeError, ValueError):
                    unreadable.append(item["ServerId"]["S"])
            last = page.get("LastEvaluatedKey")
            start = {"ExclusiveStartKey": last} if last else None

    def write(self, row: Row) -> Row:
        """Write it and return it, its version counted up. Raises ConflictError."""
        written = replace(row, version=row.version + 1)
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(Version)"}
        if row.version:
            condition = {
                "ConditionExpression": "Version = :version",
                "ExpressionAttributeValues": {":version": {"N": str(row.version)}},
            }
        self._call("PutItem", Item=_item(written), **condition)
        return written

    def _call(self, operation: str, **arguments: Any) -> Any:
        try:
            return self._aws.call("dynamodb", operation, TableName=self._table, **arguments)
        except (RefusedError, UnavailableError) as error:
            if getattr(error, "code", "") == "ConditionalCheckFailedException":
                raise ConflictError from error
            raise UnreachableError(error) from error


class Unremembered(Registry):
    """The registry of a deletion that cannot reach the table: it keeps its own row, no more."""

    def __init__(self, row: Row, why: str) -> None:
        self._row = row
        self.unread = "" if row.version else why

    def read(self, server_id: str) -> Row:  # noqa: ARG002 - there is but one
        """Return the row."""
        return self._row

    def write(self, row: Row) -> Row:
        """Keep it."""
        self._row = row
        return row


def _item(row: Row) -> dict[str, dict[str, str]]:
    """Return the row's attributes: sent_at becomes SentAt, and what is empty is left out."""
    values = {f.name: getattr(row, f.name) for f in fields(row)}
    values["progress"] = asdict(row.progress)
    values["drift"] = asdict(row.drift) if row.drift else None
    values["before"] = _texts(_item(row.before)) if row.before else None
    return {
        name.title().replace("_", ""): _attribute(value) for name, value in values.items() if value
    }


def _attribute(value: object) -> dict[str, str]:
    if isinstance(value, int | float):
        return {"N": str(float(value)) if isinstance(value, float) else str(int(value))}
    return {"S": json.dumps(value) if isinstance(value, dict | tuple) else str(value)}


def _texts(item: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    return {name: text for name, value in item.items() for text in value.values()}


def _row(texts: Mapping[str, str]) -> Row:
    kept = {f.name: texts.get(f.name.title().replace("_", "")) for f in fields(Row)}
    return Row(**{name: _READ[name](text) for name, text in kept.items() if text is not None})


def _progress(text: str) -> Progress:
    """Read it back; what another version of the provider wrote besides is left out."""
    kept = json.loads(text)
    states = dict.fromkeys(("first", "last", "commanded_in", "earlier_in"), State)
    kinds = {**states, "command": Step}
    known = {f.name: kept[f.name] for f in fields(Progress) if f.name in kept}
    return Progress(**known | {name: kinds[name](known[name]) for name in kinds if known.get(name)})


def _drift(text: str) -> Drift:
    kept = json.loads(text)
    known = {f.name: kept[f.name] for f in fields(Drift) if f.name in kept}
    return Drift(**known | {"actual": State(known["actual"]) if known["actual"] else None})


_READ: dict[str, Callable[[str], Any]] = {
    "server_id": str,
    "owner": Owner.parse,
    "desired": State,
    "found": State,
    "request": str,
    "sent_at": float,
    "declared_at": float,
    "past": lambda text: tuple(json.loads(text)),
    "given_up": json.loads,
    "progress": _progress,
    "answer": json.loads,
    "held": lambda text: text == "1",
    "restoring": State,
    "released": lambda text: text == "1",
    "reasserts": lambda text: text == "1",
    "drift": _drift,
    "before": lambda text: _row(json.loads(text)),
    "expires_at": int,
    "version": int,
}
