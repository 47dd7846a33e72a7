"""What the figures say: each section's tables, charts and goals. Must not measure anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.contenders import OTHERS, OURS
from benchmarks.loop import Command
from benchmarks.report import Bar, Chart, Table
from benchmarks.startup import PROGRAMS, STAGES, Measured, Package, ratio
from benchmarks.waiting import CALL_S, LENGTHS, THROTTLE, Crowd, Wait, bound_s

# (lengths, contender, seconds a call takes), and (seconds to stop, contender, servers).
Waits = dict[tuple[str, str, float], Wait]
Crowds = dict[tuple[float, str, int], Crowd]

# How many at once, and how near to the bound they are to come; AWS's quota is the second.
WITHIN = {1: 1.1, 50: 1.1, 500: 1.3}
SERVERS = tuple(WITHIN)
# The second is what AWS's documentation calls a couple of minutes.
STOP_S = (60, 120)
# What is tuned to some lengths may not do for others.
OTHER_STOP_S = (45, 75, 90, 105)
NAMES = tuple(contender.name for contender in (OURS, *OTHERS))


@dataclass(frozen=True)
class Goal:
    """What was to be reached, what was, and why not if not."""

    text: str
    met: bool
    found: str
    reason: str = ""

    def written(self) -> str:
        """Return it as an item of a list."""
        verdict, reason = ("met", "") if self.met else ("MISSED", self.reason)
        return f"- {verdict}: {self.text}. Measured: {self.found}. {reason}".rstrip()


@dataclass(frozen=True)
class Section:
    """A part of the results."""

    title: str
    note: str
    tables: list[Table]
    goals: list[Goal] = field(default_factory=list)
    charts: dict[str, Chart] = field(default_factory=dict)


def lag(found: Waits) -> Section:
    """Say who notices when, and what it takes."""
    columns = ["", "lag", "÷ ours", "late", "looks", "lag*", "late*"]
    columns += ["invocations*", "GB-s*", "table*", "$/1,000*", "FAILED"]
    tables = []
    for lengths in LENGTHS:
        ours_s = found[lengths, OURS.name, 0].lag_s
        rows = []
        for name in NAMES:
            alone, real = found[lengths, name, 0], found[lengths, name, CALL_S]
            row = [name, f"{alone.lag_s:.2f} s", f"{alone.lag_s / ours_s:.1f}"]
            row += [f"{alone.late:.1%}", f"{alone.looks:.0f}"]
            row += [f"{real.lag_s:.2f} s", f"{real.late:.1%}", f"{real.invocations:.1f}"]
            row += [
                f"{real.gb_s:.2f}",
                f"{real.table_calls:.0f}",
                f"{1000 * real.usd:.4f}",
                str(real.failed),
            ]
            rows.append(row)
        count = found[lengths, OURS.name, 0].count
        tables.append(Table(f"{count} transitions of {lengths}", columns, rows))
    first = found[next(iter(LENGTHS)), OURS.name, 0].lag_s
    bars = []
    for name in NAMES:
        wait = found[next(iter(LENGTHS)), name, 0]
        text = f"{wait.lag_s / first:.1f}, with {wait.looks:.0f} looks"
        bars.append(Bar(name, wait.lag_s / first, text, name == OURS.name))
    title = "How late OFFLINE is noticed: median ÷ ours, 5 s to 20 min, logarithmically"
    return Section(
        title="1. Lag and calls",
        note="Lag: from the moment the server is OFFLINE to the moment the answer leaves, median. "
        "Late: lag ÷ transition at the 99th percentile. Looks: DescribeServer calls. In these, "
        f"calls take no time; in the columns with * every call to an AWS API takes {CALL_S} s, "
        "which nobody can notice sooner than. Functions are billed as 256 MB on arm64, the CDK "
        "framework's own as 128 MB on x86_64, at list price and without start-up, dollars for "
        f"1,000 SUCCESSes. {_price(found)} Table: calls of DynamoDB. "
        "FAILED: Lambda ended the function at 15 minutes.",
        tables=tables,
        goals=_lag_goals(found),
        charts={"lag": Chart(title, {"": bars}, logarithmic=True)},
    )


def _price(found: Waits) -> str:
    """Say what a transition costs: the function and its table."""
    cents = {lengths: 100 * found[lengths, OURS.name, CALL_S].usd for lengths in LENGTHS}
    each = ", ".join(f"{cent:.2f} at {lengths}" for lengths, cent in cents.items())
    return f"With the table, a transition costs this many cents: {each}."


def _lag_goals(found: Waits) -> list[Goal]:
    ours = {lengths: found[lengths, OURS.name, 0] for lengths in LENGTHS}
    others = [(lengths, name, found[lengths, name, 0]) for lengths in LENGTHS for name in NAMES[1:]]
    real = [found[lengths, OURS.name, CALL_S] for lengths in LENGTHS]
    slowest_s = max(wait.lag_s for wait in ours.values())
    latest = max(wait.late for wait in ours.values())
    nearest = min(wait.lag_s / ours[lengths].lag_s for lengths, _, wait in others)
    better = [
        f"{name} at {lengths}"
        for lengths, name, wait in others
        if wait.lag_s <= ours[lengths].lag_s and wait.looks <= ours[lengths].looks
    ]
    minutes = [n for n in LENGTHS if n.startswith(("30 s", "120 s", "300 s"))]
    most = max(found[lengths, OURS.name, CALL_S].invocations for lengths in minutes)
    return [
        Goal(
            "waiting alone, a median lag of at most 1 s at every length",
            slowest_s <= 1,
            f"{slowest_s:.2f} s, and {max(w.lag_s for w in real):.2f} s with calls of {CALL_S} s",
        ),
        Goal(
            "waiting alone, at most 2% of the transition at the 99th percentile",
            latest <= 0.02,
            f"{latest:.1%}, and {max(w.late for w in real):.1%} with calls of {CALL_S} s",
        ),
        Goal(
            "a lower median lag than every contender's",
            nearest > 1,
            f"the nearest has {nearest:.1f} times ours",
        ),
        Goal(
            "no contender both faster to notice and fewer in calls",
            not better,
            ", ".join(better) or "none is",
        ),
        Goal(
            "one invocation for a transition of up to a few minutes",
            most <= 1,
            f"{most:.1f}",
        ),
    ]


def start(measured: Measured, package: Package) -> Section:
    """Say how long a start takes."""
    floor, ours, _ = PROGRAMS
    ratios = {(stage, n): ratio(measured[stage], n, floor) for stage in STAGES for n in PROGRAMS}
    peaks_mib = {
        name: max(each.peak_mib for stage in STAGES for each in measured[stage][name])
        for name in PROGRAMS
    }
    rows = []
    for name in PROGRAMS:
        row = [name]
        for stage in STAGES:
            row.append(f"{median(each.cpu_ms for each in measured[stage][name]):.0f} ms")
            row.append(f"{ratios[stage, name]:.2f}")
        rows.append([*row, f"{peaks_mib[name]:.0f} MiB"])
    columns = ("", "ready", "÷ floor", "first answer", "÷ floor", "peak memory")
    groups = {
        f"until {stage}": [
            Bar(name, ratios[stage, name], f"{ratios[stage, name]:.2f}", name == ours)
            for name in PROGRAMS
        ]
        for stage in STAGES
    }
    chart = Chart("Processor time of a fresh process ÷ boto3 and two clients", groups)
    rounds = len(measured[STAGES[0]][floor])
    most = max(ratios[stage, ours] for stage in STAGES)
    return Section(
        title="2. Start-up",
        note=f"User and system time of whole processes without their exit, {rounds} rounds; a "
        "ratio is the median of the rounds' ratios. The floor makes the same calls and sends the "
        "same answer; the plain handler remembers nothing, so it has one client and one call. "
        f"The function's package, without boto3, which Lambda has: {package.files} "
        f"files, {package.mib:.1f} MiB, zipped {package.zipped_mib:.1f} MiB.",
        tables=[Table("Processor time", columns, rows)],
        goals=[
            Goal(
                "at most 1.10 of the floor",
                most <= 1.1,
                " and ".join(f"{ratios[stage, ours]:.2f} until {stage}" for stage in STAGES),
                "jsonschema with what it imports is most of the rest, and no way into it imports "
                "less.",
            ),
            Goal("under 100 MiB at peak", peaks_mib[ours] < 100, f"{peaks_mib[ours]:.0f} MiB"),
        ],
        charts={"startup": chart},
    )


def crowd(found: Crowds) -> Section:
    """Say how many servers at once fare under a throttle."""
    columns = ("", "last SUCCESS", "÷ bound", "calls", "of them refused", "FAILED")
    tables = []
    for stop_s in STOP_S:
        for servers in SERVERS:
            rows = []
            for name in NAMES:
                each = found[stop_s, name, servers]
                row = [name, f"{each.last_s:.0f} s", _of_bound(each, servers, stop_s)]
                rows.append([*row, f"{each.calls:,}", f"{each.refused:,}", str(each.failed)])
            title = f"{servers} at once, transitions of {stop_s} s, "
            title += f"bound {bound_s(servers, stop_s):.0f} s"
            tables.append(Table(title, columns, rows))
    rows = [
        [
            f"{servers} at once",
            *(
                _of_bound(found[stop_s, OURS.name, servers], servers, stop_s)
                for stop_s in OTHER_STOP_S
            ),
        ]
        for servers in SERVERS
    ]
    lengths = ("", *(f"{stop_s} s" for stop_s in OTHER_STOP_S))
    tables.append(Table("This provider at other lengths, ÷ bound", lengths, rows))
    goals = []
    for servers in SERVERS:
        ours = [found[stop_s, OURS.name, servers].last_s for stop_s in STOP_S]
        ratios = [s / bound_s(servers, stop_s) for s, stop_s in zip(ours, STOP_S, strict=True)]
        shown = (f"{r:.2f} at {stop_s} s" for r, stop_s in zip(ratios, STOP_S, strict=True))
        reason = (
            "Nobody knows how long a transition takes, nor how many others wait: a look before "
        )
        reason += (
            "its end takes a call from somebody's command, and who was refused much, to spare "
        )
        reason += "the others, comes late in the end."
        most = WITHIN[servers]
        text = f"{servers} at once within {most} of the bound"
        goals.append(Goal(text, max(ratios) <= most, ", ".join(shown), reason))
    passed = [found[stop_s, OURS.name, SERVERS[-1]] for stop_s in STOP_S]
    refused = max(each.refused / (each.calls - each.refused) for each in passed)
    text = f"{SERVERS[-1]} at once, at most 2 refused calls for each that passed"
    reason = (
        "The first calls of all come at once, and each has to be refused some times to learn it."
    )
    goals.append(Goal(text, refused <= 2, f"{refused:.1f}", reason))
    failed = sum(each.failed for (_, name, _), each in found.items() if name == OURS.name)
    goals.append(Goal("none FAILED", failed == 0, f"{failed} FAILED"))
    stop_s, servers = STOP_S[-1], SERVERS[-1]
    bars = []
    for name in NAMES:
        each = found[stop_s, name, servers]
        text = f"{each.failed} of {servers} FAILED" if each.failed else ""
        value = 0 if each.failed else each.last_s / bound_s(servers, stop_s)
        bars.append(Bar(name, value, text or f"{value:.2f}", name == OURS.name))
    title = f"{servers} servers at once under a throttle: time taken ÷ the least possible"
    return Section(
        title="3. Many at once",
        note=f"One deployment against an API of {THROTTLE.rate_per_s:.0f} calls a second and a "
        f"bucket of {THROTTLE.burst}. The bound: each server takes a look, a command and a look "
        "that finds it OFFLINE, so the last transition begins when the throttle has let two calls "
        "for each server pass, and nobody is done before three have. Where some FAILED, those "
        "that did not had the throttle to themselves. Terraform works on 10 at once by default.",
        tables=tables,
        goals=goals,
        charts={"many": Chart(title, {"": bars})},
    )


def _of_bound(each: Crowd, servers: int, stop_s: float) -> str:
    return "" if each.failed else f"{each.last_s / bound_s(servers, stop_s):.2f}"


def loop(made: Mapping[str, Command], rates: Mapping[str, float]) -> Section:
    """Say how long one waits here."""
    commands = [
        [f"make {target}", f"{command.seconds:.0f} s", "yes" if command.succeeded else "NO"]
        for target, command in made.items()
    ]
    calls = [[name, f"{r:,.0f}", f"{r / rates['boto3']:.1f}"] for name, r in rates.items()]
    return Section(
        title="4. The local loop",
        note="Calls: DescribeServer, one after another by one caller, to the emulator in this "
        "process without HTTP, and to one in a process of its own.",
        tables=[
            Table("After make setup", ("", "took", "succeeded"), commands),
            Table("The emulator's calls", ("", "a second", "÷ boto3"), calls),
        ],
    )


def written(sections: Sequence[Section], machine: str) -> str:
    """Return the results as Markdown."""
    parts = [
        "# Measurements",
        f"Written by `make bench`, which measures all of it side by side in one run. {machine}",
        "Waiting is measured in virtual time: this provider, crhelper and boto3's waiter are the "
        "real code on a clock that moves when everybody sleeps; the others are rebuilt from their "
        "sources, which [contenders.py](contenders.py) cites. What is drawn is seeded: sections 1 "
        "and 3 come out the same everywhere.",
    ]
    for section in sections:
        parts += [f"## {section.title}", section.note]
        parts += ["\n".join(goal.written() for goal in section.goals)] if section.goals else []
        parts += [f"![{chart.title}]({name}.svg)" for name, chart in section.charts.items()]
        parts += [table.written() for table in section.tables]
    return "\n\n".join(parts) + "\n"
