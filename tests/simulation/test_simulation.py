"""The simulation in `make test`: a fixed set of histories, each the same each time.

It runs in processes of its own, so that nothing here slows it down.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from inspect import isfunction

import pytest

from tests.simulation import limits
from tests.simulation.invariants import INVARIANTS
from tests.simulation.limits import LIMITS
from tests.simulation.run import Summary, first_noticed, histories_of, processes, run_all
from tests.simulation.variants import VARIANTS
from transfer_server_state.machine import TABLE

# Enough for each row of the table, and each ending; make simulate runs many more.
SEEDS = 400


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    with processes() as pool:
        yield pool


@pytest.fixture(scope="module")
def noticed(pool: ProcessPoolExecutor) -> dict[str, Future[int | None]]:
    return {name: pool.submit(first_noticed, name, 10 * SEEDS) for name in VARIANTS if name}


@pytest.fixture(scope="module")
def summary(pool: ProcessPoolExecutor) -> Summary:
    return run_all(pool, SEEDS)


def test_every_invariant_holds(summary: Summary) -> None:
    assert summary.histories == SEEDS
    assert summary.violations == []


def test_every_row_of_the_table_is_taken(summary: Summary) -> None:
    rows = {(desired, observed) for desired, row in TABLE.items() for observed in row}
    taken = {key for key, times in summary.branches.items() if times > 10}
    assert taken == {(*row, when) for row in rows for when in ("before", "after")}


def test_every_kind_of_request_ends_in_every_way(summary: Summary) -> None:
    for kind in ("Create", "Update", "Delete"):
        assert summary.events[f"requests: {kind}, answered"] > 100
        assert summary.events[f"requests: {kind}, timed out"]
    assert summary.events["requests: Create, cancelled"]
    assert summary.events["requests: Update, cancelled"]


def test_a_history_is_the_same_each_time(pool: ProcessPoolExecutor) -> None:
    once, again = pool.map(histories_of, [range(40)] * 2)
    assert once == again


@pytest.mark.parametrize("name", [name for name in VARIANTS if name])
def test_each_invariant_bites(noticed: dict[str, Future[int | None]], name: str) -> None:
    assert noticed[name].result() is not None


def test_no_invariant_is_without_a_variant() -> None:
    assert {variant.breaks for variant in VARIANTS.values()} == {*range(len(INVARIANTS) + 1)}


def test_each_limit_is_told() -> None:
    known = (f for name, f in vars(limits).items() if isfunction(f) and not name.startswith("_"))
    assert {f for f in known if f.__module__ == limits.__name__} == {*LIMITS}
    assert all(limit.__doc__ for limit in LIMITS)
