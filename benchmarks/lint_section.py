"""What the figures of the rules for cfn-lint say. Must not measure anything."""

from collections.abc import Mapping
from statistics import median

from benchmarks.lint import Times
from benchmarks.report import Table
from benchmarks.sections import Goal, Section

ADDS_AT_MOST = 0.1


def lint(measured: Mapping[str, Times]) -> Section:
    """Say what the rules add."""
    rows, most = [], 0.0
    for name, times in measured.items():
        pairs = zip(times.with_rules, times.alone, strict=True)
        adds = median(both / alone - 1 for both, alone in pairs)
        most = max(most, adds)
        shown = [f"{median(each):.2f} s" for each in (times.alone, times.with_rules)]
        rows.append([name, *shown, f"{adds:.1%}"])
    rounds = len(next(iter(measured.values())).alone)
    return Section(
        title="7. The rules for cfn-lint",
        note=f"User and system time of whole processes, {rounds} rounds; what the rules add is the "
        "median of the rounds' ratios.",
        tables=[Table("A run of cfn-lint", ["", "alone", "with the rules", "adds"], rows)],
        goals=[
            Goal(
                "at most a tenth of cfn-lint's own time on the same template",
                most <= ADDS_AT_MOST,
                f"{most:.1%}",
            )
        ],
    )
