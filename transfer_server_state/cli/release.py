"""The command release: takes a declaration off the registry. It never touches a server."""

import argparse

from transfer_server_state.aws.stack import Stacks
from transfer_server_state.cli.shared import NOTHING, Means, UsageError


def run(asked: argparse.Namespace, means: Means) -> int:
    """Release a server whose owner is gone, after asking; return the exit status."""
    row = means.registry.read(asked.server)
    if row.is_free:
        raise UsageError(f"{asked.server} is declared by nobody; `drift` lists what is")
    owed = ", which owes it that after a deletion" if row.restoring else ""
    told = f"{row.server_id}, declared {row.target} by {row.owner.name}{owed}"
    if row.is_at_work(means.clock.now()):
        raise UsageError(f"{told}: a request is at work on it")
    if Stacks(means.aws).lists(row.owner, row.server_id):
        raise UsageError(f"{told}, which is there still: delete that resource instead")
    if not asked.yes:
        if means.ask is None:
            raise UsageError("there is no terminal to ask at: add --yes")
        if means.ask(f"Release {told}? The server stays as it is. [y/N] ").strip().lower() != "y":
            print("Nothing was changed.")
            return NOTHING
    means.registry.write(row.buried())
    print(f"Released {told}.")
    return NOTHING
