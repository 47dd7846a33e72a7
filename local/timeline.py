"""The walk as a picture: stack events beside the server's state and the calls, as they happen.

It must not know what is asserted, only how it is shown.
"""

import io
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.text import Text

from local.watch import Kind, Sight

_WIDTHS = (8, 22, 27, 20)
_HEADINGS = ("TIME", "WHO", "WHAT", "SERVER AND CALLS")
_GAP = " "
_INDENT = _WIDTHS[0] + len(_GAP)
WIDTH = sum(_WIDTHS) + len(_GAP) * (len(_WIDTHS) - 1)
_COLOURS = {
    "ONLINE": "green",
    "OFFLINE": "blue",
    "STARTING": "yellow",
    "STOPPING": "yellow",
    "START_FAILED": "red",
    "STOP_FAILED": "red",
}
Cell = tuple[str, str]


def console() -> Console:
    """Return what prints to the standard output, as wide as a timeline if it is no terminal."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Of a character that it cannot write, the rest is worth having.
        sys.stdout.reconfigure(errors="replace")
    return Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)


class Timeline:
    """Prints a line for each thing seen; on a terminal, with what goes on below them.

    `clock` tells how a time is written: it is given seconds since the epoch.
    """

    def __init__(self, console: Console, clock: Callable[[float], str] | None = None) -> None:
        self._console = console
        self._clock = clock or self._elapsed
        self._began_s: float | None = None
        self._colour = "white"
        self._looks = False

    @contextmanager
    def chapter(self, title: str, promise: str = "") -> Iterator[None]:
        """Head the lines that follow with what they are to show."""
        self._console.print(Text(f"\n{title}", style="bold"))
        if promise:
            self._below(f"Promised: {promise}", "")
            self.head()
        with self._busy(title):
            yield

    def head(self) -> None:
        """Print the columns' headings."""
        self._line(*((heading, "dim") for heading in _HEADINGS))

    def show(self, sight: Sight) -> None:
        """Print what was seen."""
        if self._began_s is None:
            self._began_s = sight.at_s
        looks = sight.kind is Kind.CALL and sight.text.startswith("Describe")
        if looks and self._looks:
            # Of looks that follow each other, the first is told.
            return
        self._looks = looks
        match sight.kind:
            case Kind.CHECK:
                self._below(f"✓ {sight.text}", "green")
            case Kind.LOG:
                self._below(sight.text, "dim")
            case Kind.PLAN:
                self._below(sight.text, "magenta")
            case _:
                self._row(sight)

    def _row(self, sight: Sight) -> None:
        subject, status, line = (sight.subject, "cyan"), ("", ""), ("│", self._colour)
        match sight.kind:
            case Kind.SERVER:
                self._colour = _COLOURS.get(sight.text, "white")
                subject, line = (sight.subject, "dim"), (f"● {sight.text}", self._colour)
            case Kind.CALL:
                style = "dim" if sight.text.startswith("Describe") else "bold"
                line = (f"│ {sight.text}", style)
            case Kind.CLIENT:
                status = (sight.text, "red" if sight.reason else "green")
            case _:
                status = (sight.text, _status_colour(sight.text))
        self._line((self._clock(sight.at_s), ""), subject, status, line)
        # The engine's own phrases repeat the status; a failure's reason is news.
        if sight.reason and not (sight.kind is Kind.STACK and not _failed(sight.text)):
            self._below(sight.reason, "red")

    def _below(self, text: str, style: str) -> None:
        width = self._console.width - _INDENT
        for line in Text(text, style=style).wrap(self._console, width):
            line.rstrip()
            self._console.print(Text(" " * _INDENT) + line)

    def _line(self, *cells: Cell) -> None:
        line = Text(no_wrap=True, overflow="ellipsis")
        for index, (width, (word, style)) in enumerate(zip(_WIDTHS, cells, strict=True)):
            cell = Text(word, style=style)
            cell.truncate(width, overflow="ellipsis")
            cell.align("right" if index == 0 else "left", width)
            line.append_text(cell).append(_GAP)
        line.rstrip()
        self._console.print(line)

    def _elapsed(self, at_s: float) -> str:
        return f"{at_s - (self._began_s or at_s):6.1f} s"

    @contextmanager
    def _busy(self, title: str) -> Iterator[None]:
        # What moves on a terminal would be noise in a file.
        if not self._console.is_terminal or self._console.record:
            yield
            return
        with self._console.status(Text(title)):
            yield


def _failed(status: str) -> bool:
    return status.endswith("_FAILED")


def _status_colour(status: str) -> str:
    if _failed(status):
        return "red"
    if "ROLLBACK" in status:
        return "magenta"
    return "green" if status.endswith("_COMPLETE") else "yellow"


def save(console: Console, path: Path) -> None:
    """Write what a recording console printed as an SVG that needs no network to be shown."""
    svg = console.export_svg(title="make run")
    path.parent.mkdir(exist_ok=True)
    path.write_text(re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL))
