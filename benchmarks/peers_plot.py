"""Bars as SVG, readable in light and dark: one file, whose colours follow the reader's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from figures import number

WIDTH, LEFT, RIGHT, TOP, BAR, GAP = 860, 210, 70, 62, 13, 11
STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #1f2328 } .title { font-size: 14px; font-weight: 600 }
  .value { font-size: 11px; fill: #59636e } .axis { stroke: #d1d9e0 }
  .bar0 { fill: #0969da } .bar1 { fill: #9ec5f5 } .own .bar0 { fill: #1a7f37 } .own .bar1 { fill: #8fd19e }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .value { fill: #9198a1 } .axis { stroke: #3d444d }
    .bar0 { fill: #4493f8 } .bar1 { fill: #1f4f8f } .own .bar0 { fill: #3fb950 } .own .bar1 { fill: #1c5c2b }
  }
"""


@dataclass(frozen=True)
class Row:
    """The bars of one side.

    Attributes:
        name: The label.
        values: A value for each series; None where there is none.
        own: True for Crucible's, which have colours of their own.
    """

    name: str
    values: Sequence[float | None]
    own: bool = False


def bars(title: str, series: Sequence[str], rows: Sequence[Row]) -> str:
    """Return the plot, a group of bars for each row."""
    group = BAR * len(series) + GAP
    height = TOP + group * len(rows) + GAP
    most = max((value for row in rows for value in row.values if value is not None), default=1) or 1
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<text class="title" x="8" y="22">{escape(title)}</text>',
        *_legend(series),
        f'<line class="axis" x1="{LEFT}" y1="{TOP - 4}" x2="{LEFT}" y2="{height - GAP}"/>',
    ]
    for place, row in enumerate(rows):
        lines += _group(row, TOP + place * group, most)
    return "\n".join([*lines, "</svg>", ""])


def _legend(series: Sequence[str]) -> list[str]:
    lines = []
    for place, name in enumerate(series):
        across = LEFT + 150 * place
        lines.append(f'<rect class="bar{place}" x="{across}" y="34" width="11" height="11"/>')
        lines.append(f'<text x="{across + 17}" y="44">{escape(name)}</text>')
    return lines


def _group(row: Row, top: int, most: float) -> list[str]:
    middle = top + BAR * len(row.values) / 2 + 4
    lines = [f'<g class="{"own" if row.own else "peer"}">']
    lines.append(f'<text x="{LEFT - 8}" y="{middle:.0f}" text-anchor="end">{escape(row.name)}</text>')
    for place, value in enumerate(row.values):
        down = top + BAR * place
        long = (value or 0) / most * (WIDTH - LEFT - RIGHT)
        words = "–" if value is None else number(value)
        lines.append(f'<rect class="bar{place}" x="{LEFT}" y="{down}" width="{long:.1f}" height="{BAR - 2}"/>')
        lines.append(f'<text class="value" x="{LEFT + long + 5:.1f}" y="{down + BAR - 3}">{words}</text>')
    return [*lines, "</g>"]
