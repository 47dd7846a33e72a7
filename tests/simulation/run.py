"""Run many histories on all cores, or replay one: python -m tests.simulation.run --help."""

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import chain, starmap
from multiprocessing import get_context

from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.simulation.invariants import INVARIANTS, violations
from tests.simulation.variants import VARIANTS
from tests.simulation.world import simulate
from transfer_server_state.machine import TABLE, State

_BATCH = 100


@dataclass
class Summary:
    """What came of a number of histories."""

    histories: int = 0
    events: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    branches: Counter[tuple[State, State, str]] = field(default_factory=Counter)
    violations: list[tuple[int, int, str]] = field(default_factory=list)

    def add(self, other: "Summary") -> None:
        """Add another's figures to these."""
        self.histories += other.histories
        self.events += other.events
        self.faults += other.faults
        self.branches += other.branches
        self.violations += other.violations


def run(first: int, count: int, variant: str = "") -> Summary:
    """Run the histories of some seeds, of the provider or of a broken variant of it."""
    summary = Summary()
    for seed in range(first, first + count):
        with VARIANTS[variant].broken() as provider:
            world = simulate(seed, provider)
        summary.histories += 1
        summary.faults += world.faults
        summary.branches += world.branches
        summary.events.update(world.happened())
        summary.violations += [(seed, number, text) for number, text in violations(world)]
    return summary


def first_noticed(variant: str, within: int) -> int | None:
    """Return a seed in whose history a variant's invariant notices it."""
    for seed in chain([VARIANTS[variant].looked_at_first], range(within)):
        broken = {number for _, number, _ in run(seed, 1, variant).violations}
        if VARIANTS[variant].breaks in broken:
            return seed
    return None


def histories_of(seeds: Iterable[int]) -> list[list[str]]:
    """Return histories, line by line."""
    return [[*simulate(seed).history()] for seed in seeds]


def processes() -> ProcessPoolExecutor:
    """Return one for each core; fresh, so that none inherits a tracer, or a lock."""
    return ProcessPoolExecutor(mp_context=get_context("spawn"))


def run_all(
    pool: ProcessPoolExecutor,
    seeds: int,
    first: int = 0,
    progress: Callable[..., Iterable[Summary]] = iter,
) -> Summary:
    """Run them on all cores."""
    batches = [(n, min(_BATCH, first + seeds - n)) for n in range(first, first + seeds, _BATCH)]
    total = Summary()
    for summary in progress(pool.map(run, *zip(*batches, strict=True))):
        total.add(summary)
    return total


def _table(title: str, rows: Iterable[tuple[object, ...]], *headers: str) -> Table:
    table = Table(title=title, title_justify="left")
    for n, header in enumerate(headers):
        table.add_column(header, justify="left" if n < len(headers) - 1 else "right")
    for row in rows:
        table.add_row(*(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row))
    return table


def _branches(summary: Summary) -> Iterator[tuple[object, ...]]:
    for desired, rows in TABLE.items():
        for observed, steps in rows.items():
            for when, step in zip(("before", "after"), steps, strict=True):
                yield desired, observed, when, step, summary.branches[desired, observed, when]


def show(summary: Summary, seconds: float, console: Console) -> None:
    """Print the figures."""
    console.print(_table("What happened", sorted(summary.events.items()), "", "times"))
    console.print(_table("Faults", sorted(summary.faults.items()), "kind", "times"))
    console.print(
        _table("Reads, by the row of the table that they led to", _branches(summary),
               "desired", "observed", "command", "step", "reads")
    )  # fmt: skip
    broken = [(INVARIANTS[n - 1].__name__, seed, text) for seed, n, text in summary.violations]
    if broken:
        console.print(_table("Violations", broken[:50], "invariant", "seed", "what"))
    console.print(
        f"{summary.histories:,} histories, {summary.events['requests']:,} requests, in "
        f"{seconds:.0f} s on {os.cpu_count()} cores: {len(broken)} violations"
    )


def replay(seed: int, variant: str) -> bool:
    """Print a history; True if all invariants hold in it."""
    with VARIANTS[variant].broken() as provider:
        world = simulate(seed, provider)
    broken = violations(world)
    for line in world.history():
        print(line)  # noqa: T201 - it is what was asked for
    for line in starmap("VIOLATED {}: {}".format, broken):
        print(line)  # noqa: T201
    return not broken


def main() -> int:
    """Answer the command line."""
    parser = argparse.ArgumentParser(prog="tests.simulation.run", description=__doc__)
    parser.add_argument(
        "--seeds", type=int, default=10_000, metavar="N", help="run the histories of N seeds"
    )
    parser.add_argument("--first", type=int, default=0, metavar="N", help="the first of them")
    parser.add_argument("--seed", type=int, metavar="N", help="replay one as a readable trace")
    parser.add_argument("--variant", default="", choices=VARIANTS, help="break the provider first")
    options = parser.parse_args()
    if options.seed is not None:
        return 0 if replay(options.seed, options.variant) else 1
    console = Console()
    began_s = time.monotonic()
    with processes() as pool:
        summary = run_all(
            pool,
            options.seeds,
            options.first,
            lambda done: track(
                done, "Histories", total=-(-options.seeds // _BATCH), console=console
            ),
        )
    show(summary, time.monotonic() - began_s, console)
    return 1 if summary.violations else 0


if __name__ == "__main__":
    sys.exit(main())
