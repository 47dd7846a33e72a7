"""make bench: measure, show, write results.md and draw the charts."""

import argparse
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

# As handler/cloudformation.py sets it, before the first import of crhelper.
os.environ.setdefault("AWS_SAM_LOCAL", "true")
from benchmarks import (
    guard,
    guard_section,
    lint,
    lint_section,
    loop,
    sections,
    sftp,
    sftp_section,
    startup,
    waiting,
)
from benchmarks.contenders import OTHERS, OURS, quietly
from benchmarks.sections import Section

HERE = Path(__file__).parent
# At so many transitions of the first length, and of each other; so many rounds of processes.
TRANSITIONS, ABOUT, ROUNDS = 1000, 300, 61
# An SFTP endpoint opens so often; a file of this size goes through it.
OPENINGS, SIZE_MIB = 50, 1024
# cfn-lint takes seconds.
LINTINGS = 7

_console = Console()
if not _console.is_terminal:
    _console = Console(width=120)


@contextmanager
def _progress(name: str, steps: int) -> Iterator[Callable[[], None]]:
    with Progress(console=_console, transient=True) as progress:
        task = progress.add_task(name, total=steps)
        yield lambda: progress.advance(task)


def _lag() -> Section:
    found: sections.Waits = {}
    with _progress("lag and calls", len(waiting.LENGTHS) * (1 + len(OTHERS))) as advance:
        for i, lengths in enumerate(waiting.LENGTHS):
            for contender in (OURS, *OTHERS):
                for call_s in (0, waiting.CALL_S):
                    count = ABOUT if i else TRANSITIONS
                    wait = waiting.wait(contender, lengths, count, call_s)
                    found[lengths, contender.name, call_s] = wait
                advance()
    return sections.lag(found)


def _start() -> Section:
    with _progress("start-up", 1 + ROUNDS) as advance:
        # The first round finds files uncached, and modules not compiled.
        startup.measure(1, advance)
        measured = startup.measure(ROUNDS, advance)
    return sections.start(measured, startup.package())


def _crowd() -> Section:
    found: sections.Crowds = {}
    with _progress("many at once", len(sections.STOP_S) * (1 + len(OTHERS))) as advance:
        for stop_s in sections.STOP_S:
            for contender in (OURS, *OTHERS):
                for servers in sections.SERVERS:
                    crowd = waiting.crowd(contender, servers, stop_s)
                    found[stop_s, contender.name, servers] = crowd
                advance()
        for stop_s in sections.OTHER_STOP_S:
            for servers in sections.SERVERS:
                found[stop_s, OURS.name, servers] = waiting.crowd(OURS, servers, stop_s)
    return sections.crowd(found)


def _loop() -> Section:
    with _progress("the local loop", 3) as advance:
        rates = loop.calls_per_s(2)
        made = {}
        for target in ("run", "test"):
            advance()
            made[target] = loop.make(target)
    return sections.loop(made, rates)


def _sftp() -> Section:
    with _progress("SFTP", 1 + len(sftp.WAYS) * len(sftp.ORDER)) as advance:
        opening_ms = sftp.opening_ms(OPENINGS)
        advance()
        moved = sftp.move(SIZE_MIB, advance)
    return sftp_section.sftp(SIZE_MIB, moved, opening_ms)


def _guard() -> Section:
    with _progress("the guard", 1):
        return guard_section.guard(guard.measure())


def _lint() -> Section:
    with _progress("the rules for cfn-lint", 1 + LINTINGS) as advance:
        # The first round finds modules not compiled.
        lint.measure(1, advance)
        return lint_section.lint(lint.measure(LINTINGS, advance))


SECTIONS = {
    "lag": _lag,
    "start": _start,
    "crowd": _crowd,
    "loop": _loop,
    "sftp": _sftp,
    "guard": _guard,
    "lint": _lint,
}


def _machine() -> str:
    processor = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        models = (line.partition(": ")[2] for line in lines if line.startswith("model name"))
        processor = next(models, processor)
    packages = (
        f"{name} {version(name)}"
        for name in ("asyncssh", "boto3", "cfn-lint", "crhelper", "jsonschema")
    )
    machine = f"{processor}, {os.cpu_count()} processors, {platform.system()}"
    python = f"Python {platform.python_version()}"
    return f"{datetime.now(UTC):%Y-%m-%d}; {machine}; {', '.join([python, *packages])}."


def main() -> None:
    """Measure everything; or only what is named, which is shown and not written."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=main.__doc__)
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], metavar="section")
    chosen = parser.parse_args().sections or list(SECTIONS)
    quietly()
    measured = []
    for name in chosen:
        section = SECTIONS[name]()
        measured.append(section)
        _console.rule(section.title, align="left")
        for table in section.tables:
            _console.print(table.shown())
        _console.print(section.note, markup=False)
        for goal in section.goals:
            _console.print(goal.written(), markup=False)
    if chosen == list(SECTIONS):
        results = sections.written(measured, _machine())
        (HERE / "results.md").write_text(results, encoding="utf-8")
        for section in measured:
            for name, chart in section.charts.items():
                (HERE / f"{name}.svg").write_text(chart.drawn(), encoding="utf-8")


if __name__ == "__main__":
    main()
