"""The walk as a picture: stack events beside the server's state and the calls, as they happen.

It must not know what is asserted, only how it is shown.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from local.scenarios import Kind, Sight

_WIDTHS = (7, 24, 34, 14, 14)
WIDTH = sum(_WIDTHS) + 2 * (len(_WIDTHS) - 1)
_COLOURS = {
    "ONLINE": "green",
    "OFFLINE": "blue",
    "STARTING": "yellow",
    "STOPPING": "yellow",
    "START_FAILED": "red",
    "STOP_FAILED": "red",
}


class Timeline:
    """Prints a line for each thing seen; on a terminal, with what goes on below them."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began_s: float | None = None
        self._state = ""
        self._looks = False

    @contextmanager
    def chapter(self, title: str) -> Iterator[None]:
        """Head the lines that follow, and mark the end if it is reached."""
        self._console.print(f"\n[bold]{escape(title)}[/]")
        with self._busy(title):
            yield
        self._console.print("         [green]✓ as promised[/]")

    def show(self, sight: Sight) -> None:
        """Print what was seen."""
        if self._began_s is None:
            self._began_s = sight.at_s
        looks = sight.text.startswith("Describe")
        if looks and self._looks:
            # Of looks that follow each other, the first is told.
            return
        self._looks = looks
        if sight.kind is Kind.SERVER:
            self._state = sight.text
        status = sight.text if sight.kind is Kind.STACK else ""
        self._line(
            f"{sight.at_s - self._began_s:5.1f} s",
            f"[cyan]{escape(sight.subject)}[/]" if status else "",
            f"[{_status_colour(status)}]{status}[/]" if status else "",
            self._server(new=sight.kind is Kind.SERVER),
            _call(sight.text) if sight.kind is Kind.CALL else "",
        )
        # The engine's own phrases repeat the status; a failure's reason is news.
        if status.endswith("_FAILED"):
            self._console.print(Padding(f"[red]{escape(sight.reason)}[/]", (0, 0, 0, 9)))

    def _line(self, *cells: str) -> None:
        grid = Table.grid(padding=(0, 2))
        for width in _WIDTHS:
            grid.add_column(width=width, no_wrap=True)
        grid.columns[0].justify = "right"
        grid.add_row(*cells)
        self._console.print(grid)

    def _server(self, *, new: bool) -> str:
        colour = _COLOURS.get(self._state, "white")
        return f"[{colour}]● {self._state}[/]" if new else f"[{colour}]│[/]"

    @contextmanager
    def _busy(self, title: str) -> Iterator[None]:
        # What moves on a terminal would be noise in a file.
        if not self._console.is_terminal or self._console.record:
            yield
            return
        with self._console.status(escape(title)):
            yield


def _status_colour(status: str) -> str:
    if status.endswith("_FAILED"):
        return "red"
    if "ROLLBACK" in status:
        return "magenta"
    return "green" if status.endswith("_COMPLETE") else "yellow"


def _call(operation: str) -> str:
    return f"[dim]{operation}[/]" if operation.startswith("Describe") else f"[bold]{operation}[/]"


def save(console: Console, path: Path) -> None:
    """Write what a recording console printed as an SVG that needs no network to be shown."""
    svg = console.export_svg(title="make run")
    path.parent.mkdir(exist_ok=True)
    path.write_text(re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL))
