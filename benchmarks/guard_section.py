"""What the figures of a pass of the guard say. Must not measure anything."""

from benchmarks.guard import DRIFTED, SERVERS, Pass
from benchmarks.report import Table
from benchmarks.sections import Goal, Section

WITHIN_S, GROWS_AT_MOST_MIB = 15, 64


def guard(measured: Pass) -> Section:
    """Say what a pass takes, and which calls two of them make."""
    calls = ", ".join(f"{count} {name}" for name, count in sorted(measured.calls.items()))
    rows = [[f"{measured.took_s:.1f}", f"{measured.grown_mib:.0f}", calls]]
    columns = ["seconds", "MiB more than at start-up", "calls of Transfer in two passes"]
    return Section(
        title="6. The guard",
        note=f"The second of two passes over {SERVERS:,} declared servers, {DRIFTED} of which "
        "somebody started: it stops them again. A process of its own, real clients, HTTP to the "
        "emulator and to a stand-in for DynamoDB, all on this machine.",
        tables=[Table(f"A pass over {SERVERS:,} servers", columns, rows)],
        goals=[
            Goal(
                f"a pass ends within {WITHIN_S} s",
                measured.took_s <= WITHIN_S,
                f"{measured.took_s:.1f} s",
            ),
            Goal(
                f"in at most {GROWS_AT_MOST_MIB} MiB more than at start-up",
                measured.grown_mib <= GROWS_AT_MOST_MIB,
                f"{measured.grown_mib:.0f} MiB",
            ),
        ],
    )
