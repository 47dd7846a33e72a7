"""The command line: what is declared in an account and region, and how it stands.

It reads what the provider remembers. Only `release` changes anything: a row of the registry, and
never a server.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

from transfer_server_state.aws.client import Aws, Patient, RefusedError, UnavailableError
from transfer_server_state.aws.registry import ConflictError, Registry
from transfer_server_state.aws.server import states
from transfer_server_state.aws.stack import Stacks
from transfer_server_state.clock import Clock
from transfer_server_state.drift import Finding
from transfer_server_state.machine import State
from transfer_server_state.row import Row
from transfer_server_state.standing import Standing, standing

AS_DECLARED, ERROR, DRIFT = 0, 1, 2
_COLUMNS = ("server", "declared", "actual", "standing", "since", "on drift", "owner")


class UsageError(Exception):
    """What was asked for is not possible; the text says why, and what is."""


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
            "since": _time(row.drift.since_s) if row.drift else None,
            "told": self.told or None,
            "onDrift": "REASSERT" if row.reasserts else "REPORT",
            "restorationOwed": row.restoring,
            "stack": row.owner.stack_id,
            "resource": row.owner.logical_id,
            "request": {"sent": _time(row.sent_at), "answered": row.answer is not None},
        }

    def cells(self) -> list[str]:
        """Return a line of the table."""
        row, owed = self.row, " (owed)" if self.row.restoring else ""
        return [
            row.server_id,
            f"{row.target}{owed}",
            self.actual or "-",
            f"{self.standing}, {self.told}" if self.told else self.standing,
            _time(row.drift.since_s) if row.drift else "-",
            "REASSERT" if row.reasserts else "REPORT",
            row.owner.name,
        ]


def main(
    arguments: Sequence[str] | None = None,
    *,
    aws: Aws | None = None,
    clock: Clock | None = None,
    ask: Callable[[str], str] | None = None,
) -> int:
    """Do what the command line asks for, and return the exit status."""
    asked = _parser().parse_args(arguments)
    clock = clock or Clock()
    patient = Patient(aws or Aws(), clock)
    try:
        registry = Registry(patient, asked.registry or _table(patient, asked.stack))
        if asked.command == "release":
            ask = ask or (input if sys.stdin.isatty() else None)
            return _release(asked, registry, Stacks(patient), clock.now(), ask)
        return _drift(asked, registry, patient, clock)
    except ConflictError:
        print("error: a request came meanwhile; look again", file=sys.stderr)
    except (RefusedError, UnavailableError, UsageError) as error:
        print(f"error: {error}", file=sys.stderr)
    return ERROR


class _Parser(argparse.ArgumentParser):
    """One whose errors end with the status of an error: 2 is drift."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and how it is used."""
        self.exit(ERROR, f"{self.format_usage()}error: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="transfer-server-state",
        description="What Custom::TransferServerState declares in this account and region. "
        "Credentials and region are those of the AWS CLI.",
    )
    parser.add_argument(
        "--stack",
        default="transfer-server-state",
        help="the provider's stack, which has the registry (default: %(default)s)",
    )
    parser.add_argument("--registry", metavar="TABLE", help="the registry's table, by its name")
    commands = parser.add_subparsers(dest="command", required=True)
    drift = commands.add_parser(
        "drift",
        help="show every declared server beside its real state",
        description="Exit status: 0 all as declared, 2 drift, 1 error. It needs "
        "cloudformation:DescribeStackResource, dynamodb:GetItem, dynamodb:Scan, "
        "transfer:ListServers, and kms:Decrypt where the table has a key of yours.",
    )
    drift.add_argument("--json", action="store_true", help="for programs")
    drift.add_argument("--server", help="this server only")
    drift.add_argument("--owner", help="this stack's only, by its name or STACK/RESOURCE")
    release = commands.add_parser(
        "release",
        help="take a declaration off the registry whose resource is gone",
        description="The server stays as it is.",
    )
    release.add_argument("server")
    release.add_argument("--yes", action="store_true", help="do not ask")
    return parser


def _table(aws: Aws, stack: str) -> str:
    arguments = {"StackName": stack, "LogicalResourceId": "Registry"}
    try:
        found = aws.call("cloudformation", "DescribeStackResource", **arguments)
    except RefusedError as error:
        if "does not exist" in str(error):
            raise UsageError(
                f"no stack {stack} with a registry in this account and region; name the "
                "provider's stack with --stack, or its table with --registry"
            ) from error
        raise
    return str(found["StackResourceDetail"]["PhysicalResourceId"])


def _drift(asked: argparse.Namespace, registry: Registry, aws: Aws, clock: Clock) -> int:
    unreadable: list[str] = []
    rows = [
        row for row in registry.rows(unreadable) if not row.is_free and _is_asked_for(row, asked)
    ]
    if not rows and (asked.server or asked.owner):
        raise UsageError(f"nothing is declared of {asked.server or asked.owner}")
    found = states(aws)
    shown = [
        _shown(row, found.get(row.server_id), registry, clock)
        for row in sorted(rows, key=lambda row: (row.owner.name, row.server_id))
    ]
    if asked.json:
        print(json.dumps([each.fields() for each in shown], indent=2))
    elif shown:
        print(_as_table([[name.upper() for name in _COLUMNS], *(each.cells() for each in shown)]))
    else:
        print("Nothing is declared.")
    if unreadable:
        raise UsageError(f"rows of the registry that are not understood: {', '.join(unreadable)}")
    return DRIFT if any(each.is_drift for each in shown) else AS_DECLARED


def _shown(row: Row, actual: State | None, registry: Registry, clock: Clock) -> Shown:
    shown = Shown(row, actual, standing(row, actual, clock.now()))
    if shown.is_drift and registry.read(row.server_id).version != row.version:
        # A request, or the guard, wrote meanwhile: row and state are of different times.
        return Shown(row, actual, Standing.AT_WORK)
    return shown


def _is_asked_for(row: Row, asked: argparse.Namespace) -> bool:
    stack = row.owner.name.partition("/")[0]
    server = asked.server and asked.server.rpartition("/")[2]
    return server in {None, row.server_id} and asked.owner in {None, row.owner.name, stack}


def _release(
    asked: argparse.Namespace,
    registry: Registry,
    stacks: Stacks,
    now_s: float,
    ask: Callable[[str], str] | None,
) -> int:
    row = registry.read(asked.server)
    if row.is_free:
        raise UsageError(f"{asked.server} is declared by nobody; `drift` lists what is")
    owed = ", which owes it that after a deletion" if row.restoring else ""
    told = f"{row.server_id}, declared {row.target} by {row.owner.name}{owed}"
    if row.is_at_work(now_s):
        raise UsageError(f"{told}: a request is at work on it")
    if stacks.lists(row.owner, row.server_id):
        raise UsageError(f"{told}, which is there still: delete that resource instead")
    if not asked.yes:
        if ask is None:
            raise UsageError("there is no terminal to ask at: add --yes")
        if ask(f"Release {told}? The server stays as it is. [y/N] ").strip().lower() != "y":
            print("Nothing was changed.")
            return AS_DECLARED
    registry.write(row.buried())
    print(f"Released {told}.")
    return AS_DECLARED


def _as_table(lines: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _time(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="seconds")
