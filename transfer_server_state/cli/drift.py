"""The command drift: every declared server beside its real state. It changes nothing."""

import argparse
import json
from dataclasses import dataclass
from typing import Any

from transfer_server_state.aws.server import states
from transfer_server_state.cli.shared import (
    NOTHING,
    SOMETHING,
    Means,
    UsageError,
    as_table,
    as_time,
)
from transfer_server_state.drift import Finding
from transfer_server_state.machine import State
from transfer_server_state.row import Row
from transfer_server_state.standing import Standing, standing

_COLUMNS = ("server", "declared", "actual", "standing", "since", "on drift", "owner")


@dataclass(frozen=True)
class Shown:
    """A declared server beside its real state, as people and programs are shown it."""

    row: Row
    actual: State | None
    standing: Standing

    @property
    def is_drift(self) -> bool:
        """Tell whether it is otherwise than declared, and nobody is at work on that."""
        failed = self.standing is Standing.FAILED and self.actual is not self.row.desired
        return failed or self.standing in {Standing.DRIFTED, Standing.GONE}

    @property
    def told(self) -> str:
        """Return why the guard leaves it so, if it does."""
        told = self.row.drift.told if self.row.drift else ""
        return told if told in {Finding.OWNERLESS, Finding.HOPELESS} else ""

    def fields(self) -> dict[str, Any]:
        """Return what --json prints of it."""
        row = self.row
        return {
            "server": row.server_id,
            "declared": row.target,
            "actual": self.actual,
            "standing": self.standing,
            "since": as_time(row.drift.since_s) if row.drift else None,
            "told": self.told or None,
            "onDrift": "REASSERT" if row.reasserts else "REPORT",
            "restorationOwed": row.restoring,
            "stack": row.owner.stack_id,
            "resource": row.owner.logical_id,
            "request": {"sent": as_time(row.sent_at), "answered": row.answer is not None},
        }

    def cells(self) -> list[str]:
        """Return a line of the table."""
        row, owed = self.row, " (owed)" if self.row.restoring else ""
        return [
            row.server_id,
            f"{row.target}{owed}",
            self.actual or "-",
            f"{self.standing}, {self.told}" if self.told else self.standing,
            as_time(row.drift.since_s) if row.drift else "-",
            "REASSERT" if row.reasserts else "REPORT",
            row.owner.name,
        ]


def run(asked: argparse.Namespace, means: Means) -> int:
    """Print what is declared and how it stands; return the exit status."""
    unreadable: list[str] = []
    rows = [
        row
        for row in means.registry.rows(unreadable)
        if not row.is_free and _is_asked_for(row, asked)
    ]
    if not rows and (asked.server or asked.owner):
        raise UsageError(f"nothing is declared of {asked.server or asked.owner}")
    found = states(means.aws)
    shown = [
        _shown(row, found.get(row.server_id), means)
        for row in sorted(rows, key=lambda row: (row.owner.name, row.server_id))
    ]
    if asked.json:
        print(json.dumps([each.fields() for each in shown], indent=2))
    elif shown:
        print(as_table(_COLUMNS, [each.cells() for each in shown]))
    else:
        print("Nothing is declared.")
    if unreadable:
        raise UsageError(f"rows of the registry that are not understood: {', '.join(unreadable)}")
    return SOMETHING if any(each.is_drift for each in shown) else NOTHING


def _shown(row: Row, actual: State | None, means: Means) -> Shown:
    shown = Shown(row, actual, standing(row, actual, means.clock.now()))
    if shown.is_drift and means.registry.read(row.server_id).version != row.version:
        # A request, or the guard, wrote meanwhile: row and state are of different times.
        return Shown(row, actual, Standing.AT_WORK)
    return shown


def _is_asked_for(row: Row, asked: argparse.Namespace) -> bool:
    stack = row.owner.name.partition("/")[0]
    server = asked.server and asked.server.rpartition("/")[2]
    return server in {None, row.server_id} and asked.owner in {None, row.owner.name, stack}
