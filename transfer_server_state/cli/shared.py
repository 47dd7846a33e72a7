"""What every command of the command line has: its means, its errors, and how it prints a table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from transfer_server_state.aws.client import Aws, RefusedError
from transfer_server_state.aws.registry import Registry
from transfer_server_state.clock import Clock
from transfer_server_state.declaration import Home

# Exit statuses, as terraform plan -detailed-exitcode has them.
NOTHING, ERROR, SOMETHING = 0, 1, 2


class UsageError(Exception):
    """What was asked for is not possible; the text says why, and what is."""


@dataclass(frozen=True)
class Means:
    """What a command works with.

    `provider` is the stack that has the registry, unless its `table` is named; `ask` is None where
    there is no terminal to ask at. What is read of the stack may raise UsageError.
    """

    aws: Aws
    clock: Clock
    provider: str
    table: str | None
    ask: Callable[[str], str] | None

    @cached_property
    def registry(self) -> Registry:
        """The registry."""
        return Registry(self.aws, self.table or self._resource["PhysicalResourceId"])

    @cached_property
    def home(self) -> Home:
        """Where the provider is."""
        return Home.of(self._resource["StackId"])

    @cached_property
    def _resource(self) -> dict[str, Any]:
        named = {"StackName": self.provider, "LogicalResourceId": "Registry"}
        try:
            found = self.aws.call("cloudformation", "DescribeStackResource", **named)
        except RefusedError as error:
            if "does not exist" in str(error):
                raise UsageError(
                    f"no stack {self.provider} with a registry in this account and region; name "
                    "the provider's stack with --provider, or its table with --registry"
                ) from error
            raise
        return dict(found["StackResourceDetail"])


def as_table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return lines of cells as people read them, below their headings."""
    cells = [[name.upper() for name in head], *lines]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )


def as_time(at_s: float) -> str:
    """Return a time as ISO 8601 has it, of seconds since the epoch."""
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="seconds")
