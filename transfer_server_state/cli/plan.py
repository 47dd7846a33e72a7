"""The command plan: what a deployment would do to servers, before it does. It changes nothing."""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from transfer_server_state import plan, template
from transfer_server_state.aws.change_set import ChangeSets
from transfer_server_state.aws.client import RefusedError, UnavailableError
from transfer_server_state.aws.server import Server
from transfer_server_state.aws.stack import Stacks
from transfer_server_state.cli.shared import ERROR, NOTHING, SOMETHING, Means, UsageError, as_table
from transfer_server_state.declaration import Home
from transfer_server_state.intrinsics import Stack
from transfer_server_state.planned import Deployment, Planned, Present, summary
from transfer_server_state.row import Row
from transfer_server_state.template import TemplateError

_COLUMNS = ("resource", "server", "now", "declared", "what happens")


def run(asked: argparse.Namespace, means: Means) -> int:
    """Print what would happen; return the exit status."""
    deployment = _by_template(asked, means) if asked.template else _by_change_set(asked, means)
    planned = plan.plan(deployment, _present(means))
    print(_form(asked)(planned))
    if any(each.fails for each in planned):
        return ERROR
    return SOMETHING if any(each.happens for each in planned) else NOTHING


def _by_change_set(asked: argparse.Namespace, means: Means) -> Deployment:
    if not asked.stack and not asked.change_set.startswith("arn:"):
        raise UsageError("a change set by its name needs its --stack, too")
    return ChangeSets(means.aws).read(asked.change_set, asked.stack)


def _by_template(asked: argparse.Namespace, means: Means) -> Deployment:
    try:
        after = template.parse(Path(asked.template).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{asked.template}: {error}") from error
    except TemplateError as error:
        raise UsageError(f"{asked.template} is no template: {error}") from error
    before = ChangeSets(means.aws).stack(asked.stack) if asked.stack else None
    before = before or Stack(_new_stack(asked.stack or "new", means.home))
    given = dict(_parameter(text) for text in asked.parameter)
    if unknown := given.keys() - after.get("Parameters", {}).keys():
        raise UsageError(f"{asked.template} has no parameter {', '.join(sorted(unknown))}")
    for name in template.unfollowed(after):
        print(f"note: {name} is not followed; a change set of it is", file=sys.stderr)
    parameters = {**(before.parameters or {}), **given}
    return template.changes(before, replace(before, template=after, parameters=parameters))


def _new_stack(name: str, home: Home) -> str:
    return f"arn:{home.partition}:cloudformation:{home.region}:{home.account}:stack/{name}/new"


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--parameter {text}: expected NAME=VALUE")
    return name, value


def _present(means: Means) -> Present:
    def row(server_id: str) -> Row:
        # Only now, since to find the registry may fail.
        return means.registry.read(server_id)

    return Present(
        state=lambda server_id: Server(means.aws, server_id).find(),
        row=row,
        stacks=Stacks(means.aws),
        raises=(RefusedError, UnavailableError, UsageError),
        now_s=means.clock.now(),
    )


def _form(asked: argparse.Namespace) -> Callable[[list[Planned]], str]:
    if asked.json:
        return _as_json
    if asked.markdown:
        return _as_markdown
    return _as_table if sys.stdout.isatty() else _as_text


def _as_json(planned: list[Planned]) -> str:
    return json.dumps([asdict(each) | {"fails": each.fails} for each in planned], indent=2)


def _as_table(planned: list[Planned]) -> str:
    table = [as_table(_COLUMNS, [_cells(each) for each in planned]), ""] if planned else []
    told = [f"{each.resource}: {each.told}" for each in planned]
    return "\n".join([*table, *told, summary(planned)])


def _as_text(planned: list[Planned]) -> str:
    return "\n".join([*(f"{each.line}\n  {each.told}" for each in planned), summary(planned)])


def _as_markdown(planned: list[Planned]) -> str:
    """Return a comment for a pull request: what AWS and templates say is quoted as text."""
    rows = [[*_cells(each), each.told] for each in planned]
    head = [*_COLUMNS, "why, and what users notice"]
    lines = [head, ["---"] * len(head), *([_escaped(cell) for cell in row] for row in rows)]
    table = [f"| {' | '.join(line)} |" for line in lines] if planned else []
    return "\n".join([*table, "", f"**{summary(planned)}**"])


def _escaped(cell: str) -> str:
    return "".join(f"\\{c}" if c in "\\`*_[]<>|" else c for c in cell)


def _cells(planned: Planned) -> list[str]:
    seen = (planned.server_id, planned.actual, planned.desired)
    return [planned.resource, *(str(each or "?") for each in seen), planned.what]
