"""The command line: what is declared in an account and region, how it stands, what would happen.

It reads what the provider remembers. Only `release` changes anything: a row of the registry, and
never a server.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from transfer_server_state.aws.change_set import ChangeSetError
from transfer_server_state.aws.client import Aws, Patient, RefusedError, UnavailableError
from transfer_server_state.aws.registry import ConflictError
from transfer_server_state.cli import drift, plan, release
from transfer_server_state.cli.shared import ERROR, Means, UsageError
from transfer_server_state.clock import Clock
from transfer_server_state.template import TemplateError


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
    means = Means(
        Patient(aws or Aws(), clock),
        clock,
        asked.provider,
        asked.registry,
        ask or (input if sys.stdin.isatty() else None),
    )
    try:
        return int(asked.run(asked, means))
    except ConflictError:
        print("error: a request came meanwhile; look again", file=sys.stderr)
    except _ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
    return ERROR


# What ends in a line, and not in a traceback.
_ERRORS = (ChangeSetError, RefusedError, TemplateError, UnavailableError, UsageError)


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
        "--provider",
        metavar="STACK",
        default="transfer-server-state",
        help="the provider's stack, which has the registry (default: %(default)s)",
    )
    parser.add_argument("--registry", metavar="TABLE", help="the registry's table, by its name")
    commands = parser.add_subparsers(dest="command", required=True)
    _add_drift(commands)
    _add_plan(commands)
    _add_release(commands)
    return parser


def _add_drift(commands: Any) -> None:
    parser = commands.add_parser(
        "drift",
        help="show every declared server beside its real state",
        description="Exit status: 0 all as declared, 2 drift, 1 error. It needs "
        "cloudformation:DescribeStackResource, dynamodb:GetItem, dynamodb:Scan, "
        "transfer:ListServers, and kms:Decrypt where the table has a key of yours.",
    )
    parser.set_defaults(run=drift.run)
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--server", help="this server only")
    parser.add_argument("--owner", help="this stack's only, by its name or STACK/RESOURCE")


def _add_plan(commands: Any) -> None:
    parser = commands.add_parser(
        "plan",
        help="show what a change set or a template would do to servers",
        description="Exit status: 0 nothing would happen, 2 something would, 1 it would fail, or "
        "could not be told. It needs cloudformation:DescribeStackResource, dynamodb:GetItem, "
        "transfer:DescribeServer, cloudformation:DescribeStacks; for a change set "
        "cloudformation:DescribeChangeSet; and where it tells no values, or for a template, "
        "cloudformation:GetTemplate and cloudformation:ListStackResources.",
    )
    parser.set_defaults(run=plan.run)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--change-set", metavar="NAME|ARN", help="what executing it would do")
    what.add_argument("--template", metavar="FILE", help="what deploying it would do")
    parser.add_argument("--stack", help="the stack of the change set, or that the template is for")
    parser.add_argument(
        "--parameter", metavar="NAME=VALUE", action="append", default=[], help="of the template"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="for programs")
    form.add_argument("--markdown", action="store_true", help="for a pull request's comment")


def _add_release(commands: Any) -> None:
    parser = commands.add_parser(
        "release",
        help="take a declaration off the registry whose resource is gone",
        description="The server stays as it is.",
    )
    parser.set_defaults(run=release.run)
    parser.add_argument("server")
    parser.add_argument("--yes", action="store_true", help="do not ask")
