"""Tables and charts, as values that are shown, written and drawn. Must not know what they say."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import log

import rich.box
import rich.table


@dataclass(frozen=True)
class Table:
    """Rows of text under a title."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def shown(self) -> rich.table.Table:
        """Return it for a terminal."""
        box, style = rich.box.SIMPLE, "bold"
        table = rich.table.Table(title=self.title, title_justify="left", title_style=style, box=box)
        for i, column in enumerate(self.columns):
            table.add_column(column, justify="right" if i else "left")
        for row in self.rows:
            table.add_row(*row)
        return table

    def written(self) -> str:
        """Return it as Markdown."""
        rule = ["---"] + ["---:"] * (len(self.columns) - 1)
        lines = [f"### {self.title}", "", *map(_line, (self.columns, rule, *self.rows))]
        return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


@dataclass(frozen=True)
class Bar:
    """A bar, and what is written at its end."""

    name: str
    value: float
    text: str
    ours: bool


@dataclass(frozen=True)
class Chart:
    """Groups of horizontal bars; what is best is shortest. A logarithmic scale begins below 1."""

    title: str
    groups: Mapping[str, Sequence[Bar]]
    logarithmic: bool = False

    def drawn(self) -> str:
        """Return it as SVG."""
        longest = max(self._length(bar) for bars in self.groups.values() for bar in bars)
        y, parts = 44, [_text(16, 24, self.title, "title")]
        for name, bars in self.groups.items():
            if name:
                parts.append(_text(16, y + 13, name, "group"))
                y += 24
            for bar in bars:
                kind = "ours" if bar.ours else "other"
                length = 330 * self._length(bar) / longest
                size = f'width="{length:.1f}" height="17" rx="2"'
                parts.append(_text(210, y + 13, bar.name, f"name {kind}"))
                parts.append(f'<rect x="218" y="{y}" {size} class="{kind}"/>')
                parts.append(_text(226 + length, y + 13, bar.text, ""))
                y += 23
            y += 8
        return _SVG.format(height=y + 6, title=escape(self.title), parts="\n".join(parts))

    def _length(self, bar: Bar) -> float:
        return log(bar.value / 0.8) if self.logarithmic else bar.value


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text x="{x:.1f}" y="{y}" class="{kind}">{escape(text)}</text>'


_SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" width="760" height="{height}" role="img" \
aria-label="{title}" font-family="system-ui, sans-serif" font-size="12.5">
<style>
text {{ fill: #1f2328 }} .title, .group, text.ours {{ font-weight: 600 }} .title {{ font-size: 15px }}
.name {{ text-anchor: end }} rect.ours {{ fill: #1a7f37 }} rect.other {{ fill: #8c959f }}
</style>
<rect width="100%" height="100%" rx="6" fill="#ffffff"/>
{parts}
</svg>
"""  # noqa: E501
