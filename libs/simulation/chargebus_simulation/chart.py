"""A line chart as SVG: a panel for each group, a line for each name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

Points: TypeAlias = Sequence[tuple[float, float]]

_COLOURS: Final = ("#8c8c8c", "#c58b00", "#3b8ea5", "#7a5195", "#d1495b", "#2e7d32", "#0b3c8c")
_WIDTH, _HEIGHT = 330, 230
_LEFT, _TOP, _RIGHT, _BOTTOM = 48, 34, 14, 42


@dataclass(frozen=True, slots=True)
class Panel:
    """A part of a chart: what it shows, and a line for each name."""

    title: str
    lines: Mapping[str, Points]


@dataclass(frozen=True, slots=True)
class Axes:
    """What the axes of all panels say; `y_from` and `y_to` bound the upright one."""

    x: str
    y: str
    y_from: float
    y_to: float


def chart(panels: Sequence[Panel], axes: Axes, columns: int = 2) -> str:
    """Return the chart, with one legend below."""
    names = list(dict.fromkeys(name for panel in panels for name in panel.lines))
    rows = -(-len(panels) // columns)
    legend_rows = -(-len(names) // 3)
    width, height = columns * _WIDTH, rows * _HEIGHT + 22 * legend_rows + 14
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        ' font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for number, panel in enumerate(panels):
        left, top = number % columns * _WIDTH, number // columns * _HEIGHT
        parts.append(f'<g transform="translate({left} {top})">')
        parts.extend(_panel(panel, axes, names))
        parts.append("</g>")
    for number, name in enumerate(names):
        left, top = 20 + number % 3 * (width - 20) // 3, rows * _HEIGHT + 18 + number // 3 * 22
        colour, weight = _style(number, names)
        parts.append(f'<path d="M{left} {top - 4}h22" stroke="{colour}" stroke-width="{weight}"/>')
        parts.append(f'<text x="{left + 28}" y="{top}">{name}</text>')
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _style(number: int, names: Sequence[str]) -> tuple[str, float]:
    ours = number >= len(names) - 2
    return _COLOURS[number % len(_COLOURS)], 2.5 if ours else 1.5


def _panel(panel: Panel, axes: Axes, names: Sequence[str]) -> list[str]:
    xs = [x for points in panel.lines.values() for x, _ in points]
    x_from, x_to = min(xs), max(xs)
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM

    def at(x: float, y: float) -> tuple[float, float]:
        across = (x - x_from) / ((x_to - x_from) or 1.0)
        up = (min(max(y, axes.y_from), axes.y_to) - axes.y_from) / (axes.y_to - axes.y_from)
        return round(_LEFT + across * (right - _LEFT), 1), round(bottom - up * (bottom - _TOP), 1)

    parts = [f'<text x="{_LEFT}" y="20" font-size="13" font-weight="bold">{panel.title}</text>']
    for step in range(5):
        value = axes.y_from + step / 4 * (axes.y_to - axes.y_from)
        _, y = at(x_from, value)
        parts.append(f'<path d="M{_LEFT} {y}H{right}" stroke="#e0e0e0"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{value:g}</text>')
    for x in sorted(set(xs)):
        across, _ = at(x, axes.y_from)
        parts.append(f'<text x="{across}" y="{bottom + 15}" text-anchor="middle">{x:g}</text>')
    parts.append(f'<text x="{(_LEFT + right) / 2}" y="{bottom + 31}" text-anchor="middle" fill="#555">{axes.x}</text>')
    parts.append(
        f'<text transform="translate(12 {(_TOP + bottom) / 2}) rotate(-90)" text-anchor="middle" fill="#555">'
        f"{axes.y}</text>"
    )
    for name, points in panel.lines.items():
        colour, weight = _style(names.index(name), names)
        path = "L".join(f"{x} {y}" for x, y in (at(*point) for point in sorted(points)))
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="{weight}"/>')
    return parts
