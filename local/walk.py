"""`make run`: the provider at work on this machine, from its deployment to a clean end.

Exits 1 with a sentence if anything differs from what is promised.
"""

import argparse
import io
import time
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

from local import provider_stack, timeline
from local.clean_exit import ending_well
from local.engine import running
from local.scenarios import SCENARIOS, Scenario, World
from local.watch import Kind, Sight

TRANSITION_S = 1.5
_PROMISE = "One stack, template.yaml, is all that an account needs in a region, once."


def main() -> None:
    """Walk, and with --picture write it down."""
    parser = argparse.ArgumentParser(prog=".venv/bin/python -m local.walk", description=__doc__)
    parser.add_argument("--picture", type=Path, help="write some of it as an SVG to this file")
    picture = parser.parse_args().picture
    with ending_well():
        if picture:
            console = Console(
                record=True,
                file=io.StringIO(),
                force_terminal=True,
                highlight=False,
                width=timeline.WIDTH,
            )
            walk(console, [scenario for scenario in SCENARIOS if scenario.pictured])
            timeline.save(console, picture)
        else:
            walk(timeline.console(), SCENARIOS)


def walk(console: Console, scenarios: Iterable[Scenario]) -> None:
    """Start the servers, deploy, go through the scenarios, and end what was started."""
    shown = timeline.Timeline(console)
    with running() as engine:
        with shown.chapter("The provider is deployed", _PROMISE):
            provider_stack.deploy(engine)
            told = f"The stack {provider_stack.STACK} is CREATE_COMPLETE."
            shown.show(Sight(time.time(), Kind.CHECK, "", told))
        world = World(engine, shown.show)
        world.open(transition_s=TRANSITION_S)
        for scenario in scenarios:
            with shown.chapter(scenario.title, scenario.promise):
                scenario.play(world)
    console.print("\nNothing of it is left, neither a process nor a file.")


if __name__ == "__main__":
    main()
