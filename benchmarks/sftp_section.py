"""What the figures of SFTP endpoints say. Must not measure anything."""

from collections.abc import Mapping, Sequence

from benchmarks.report import Table
from benchmarks.sections import Goal, Section
from benchmarks.sftp import OURS, PLAIN, WAYS, Moved

LEAST_RATIO, OPENS_WITHIN_MS, GROWS_AT_MOST_MIB = 0.8, 50, 128


def sftp(size_mib: int, moved: Mapping[str, Moved], opening_ms: Sequence[float]) -> Section:
    """Say how fast files go through an endpoint, and how soon it opens."""
    ratios = {way: moved[OURS].mib_per_s[way] / moved[PLAIN].mib_per_s[way] for way in WAYS}
    columns = ["", *(f"{way}, MiB/s" for way in WAYS), "grown by"]
    rows = [
        [name, *(f"{each.mib_per_s[way]:.0f}" for way in WAYS), f"{each.grown_mib:.0f} MiB"]
        for name, each in moved.items()
    ]
    rows.append(["÷", *(f"{ratios[way]:.2f}" for way in WAYS), ""])
    grown_mib = moved[OURS].grown_mib
    return Section(
        title="5. SFTP",
        note=f"asyncssh's client moves {size_mib:,} MiB to and from an emulated server, and to and "
        "from asyncssh's own plain server, each in a process of its own, twice each way. Grown: "
        "what the server's peak memory rose by meanwhile.",
        tables=[Table(f"A file of {size_mib:,} MiB", columns, rows)],
        goals=[
            Goal(
                f"no slower than {LEAST_RATIO} of the client against asyncssh's own server",
                min(ratios.values()) >= LEAST_RATIO,
                ", ".join(f"{way} {ratio:.2f}" for way, ratio in ratios.items()),
            ),
            Goal(
                f"in bounded memory, whatever the size: at most {GROWS_AT_MOST_MIB} MiB more",
                grown_mib <= GROWS_AT_MOST_MIB,
                f"{grown_mib:.0f} MiB",
            ),
            Goal(
                f"an endpoint accepts within {OPENS_WITHIN_MS} ms of its server's being ONLINE",
                max(opening_ms) <= OPENS_WITHIN_MS,
                f"{max(opening_ms):.1f} ms at the most of {len(opening_ms)} times",
            ),
        ],
    )
