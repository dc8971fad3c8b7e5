"""Plots as inline SVG: text and lines take their colours from the page's style, for dark mode and print.

Coordinates are rounded to a tenth of a pixel: the same bytes on every machine.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 460, 300
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 12, 42
LABEL_GAP = 14  # px between two labels


@dataclass(frozen=True)
class Point:
    """A mark with its interval; `x` None stands apart at the left, as a method without parameters does."""

    label: str
    x: float | None
    y: float
    low: float | None = None
    high: float | None = None
    family: str = ""


def interval_bar(value: float, low: float | None, high: float | None, domain: tuple[float, float]) -> str:
    """A row's estimate with its interval on the common scale of its table; an arrow where it lies off that scale."""
    width, height, edge = 120, 16, 4

    def place(number: float) -> str:
        part = (min(max(number, domain[0]), domain[1]) - domain[0]) / ((domain[1] - domain[0]) or 1)
        return _text(edge + part * (width - 2 * edge))

    whisker = "" if low is None else f'<line class="ci" x1="{place(low)}" x2="{place(high)}" y1="8" y2="8"/>'
    dot = f'<circle cx="{place(value)}" cy="8" r="3.2"/>'
    if value < domain[0]:
        whisker, dot = "", '<path d="M7 4L2 8l5 4"/>'
    return f'<svg class="bar" viewBox="0 0 {width} {height}" aria-hidden="true">{whisker}{dot}</svg>'


def scatter(points: Sequence[Point], x_label: str, y_label: str, title: str, none_label: str = "none") -> str:
    """Score against parameters or time, on a logarithmic axis; points without an `x` stand in a strip of their own."""
    known = [point.x for point in points if point.x is not None]
    apart = len(known) < len(points)
    x0 = 178 if apart and known else LEFT + 14
    low, high = (min(known), max(known)) if known else (1, 10)
    span = math.log10(high / low) or 1.0
    y_of, parts = _y_axis([v for p in points for v in (p.y, p.low, p.high) if v is not None], y_label)

    def x_of(value: float | None) -> float:
        if value is None:
            return LEFT + 22
        return x0 + 20 + (WIDTH - RIGHT - x0 - 125) * math.log10(value / low) / span if high > low else x0 + 60

    if apart:
        parts.append(f'<text class="tick" x="{LEFT + 22}" y="{HEIGHT - BOTTOM + 17}">{escape(none_label)}</text>')
        if known:
            parts.append(f'<line class="grid" x1="{x0}" x2="{x0}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
    if known:
        for tick in _log_ticks(low, high):
            x = _text(x_of(tick))
            parts.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
            parts.append(f'<text class="tick" x="{x}" y="{HEIGHT - BOTTOM + 17}">{short(tick)}</text>')
    parts.append(_x_label(x_label))
    for columns in ([p for p in points if p.x is None], [p for p in points if p.x is not None]):
        ordered = sorted(columns, key=lambda p: (y_of(p.y), p.label))
        heights = _spread([y_of(point.y) for point in ordered])
        for point, height in zip(ordered, heights, strict=True):
            parts.append(_mark(point, x_of(point.x), y_of, height))
    return _svg(parts, title)


def lines(series: dict[str, Sequence[Point]], x_label: str, y_label: str, title: str, log_x: bool, level=None) -> str:
    """A score over dose or input PSNR: one line per method with its 95 % band, labelled at its right end.

    `level` (text, value) draws a horizontal line.
    """
    xs = sorted({point.x for points in series.values() for point in points})
    scale = (lambda x: math.log10(x)) if log_x else (lambda x: x)
    start, span, right = scale(xs[0]), (scale(xs[-1]) - scale(xs[0])) or 1, WIDTH - 150
    values = [v for points in series.values() for p in points for v in (p.y, p.low, p.high) if v is not None]
    y_of, parts = _y_axis(values, y_label, right)
    x_of = lambda x: LEFT + 10 + (right - LEFT - 10) * (scale(x) - start) / span
    for x in xs:
        place = _text(x_of(x))
        parts.append(f'<line class="grid" x1="{place}" x2="{place}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
        parts.append(f'<text class="tick" x="{place}" y="{HEIGHT - BOTTOM + 17}">{short(x)}</text>')
    parts.append(_x_label(x_label, right))
    if level:
        y = _text(y_of(level[1]))
        parts.append(f'<line class="level" x1="{LEFT}" x2="{right}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text class="mark" x="{LEFT + 4}" y="{_text(y_of(level[1]) - 4)}">{escape(level[0])}</text>')
    ordered = sorted(series, key=lambda name: y_of(series[name][-1].y))
    heights = _spread([y_of(series[name][-1].y) for name in ordered])
    for name, height in zip(ordered, heights, strict=True):
        points, colour = series[name], list(series).index(name) % 8 + 1
        if all(point.low is not None for point in points):
            band = [(point.x, point.high) for point in points] + [(point.x, point.low) for point in reversed(points)]
            parts.append(f'<polygon class="band s{colour}" points="{_path(band, x_of, y_of)}"/>')
        path = _path([(point.x, point.y) for point in points], x_of, y_of)
        parts.append(f'<polyline class="line s{colour}" points="{path}"/>')
        parts += [f'<circle class="s{colour}" cx="{_text(x_of(p.x))}" cy="{_text(y_of(p.y))}" r="3"/>' for p in points]
        end = _text(y_of(points[-1].y))
        parts.append(f'<polyline class="leader" points="{right + 4},{end} {right + 14},{_text(height)}"/>')
        parts.append(f'<text class="name t{colour}" x="{right + 18}" y="{_text(height + 4)}">{escape(name)}</text>')
    return _svg(parts, title)


def short(value: float) -> str:
    """A number as a tick says it: 491778 is 492k."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= unit:
            return f"{value / unit:.3g}{name}"
    return f"{value:.3g}"


# ---------------------------------------------------------------------------------------------------- parts
def _mark(point: Point, x: float, y_of, label_y: float) -> str:
    y, family = y_of(point.y), escape(point.family)
    whisker = ""
    if point.low is not None:
        ends = f'y1="{_text(y_of(point.low))}" y2="{_text(y_of(point.high))}"'
        whisker = f'<line class="ci {family}" x1="{_text(x)}" x2="{_text(x)}" {ends}/>'
    leader = f'<polyline class="leader" points="{_text(x + 5)},{_text(y)} {_text(x + 12)},{_text(label_y)}"/>'
    name = f'<text class="name" x="{_text(x + 15)}" y="{_text(label_y + 4)}">{escape(point.label)}</text>'
    return f'{whisker}{leader}<circle class="{family}" cx="{_text(x)}" cy="{_text(y)}" r="4"/>{name}'


def _y_axis(values: Sequence[float], label: str, right: float = WIDTH - RIGHT):
    """The function from value to height, and grid, ticks and label."""
    low, high = min(values), max(values)
    step = _step((high - low) or abs(high) or 1.0)
    low, high = math.floor(low / step) * step, math.ceil(high / step) * step
    high = high if high > low else low + step
    y_of = lambda value: HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * (value - low) / (high - low)
    parts = []
    for index in range(round((high - low) / step) + 1):
        value, y = low + index * step, _text(y_of(low + index * step))
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{_text(right)}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text class="ytick" x="{LEFT - 6}" y="{_text(float(y) + 4)}">{value:.4g}</text>')
    middle = _text((TOP + HEIGHT - BOTTOM) / 2)
    parts.append(f'<text class="axis" transform="translate(12 {middle}) rotate(-90)">{escape(label)}</text>')
    return y_of, parts


def _x_label(label: str, right: float = WIDTH - RIGHT) -> str:
    return f'<text class="axis" x="{_text((LEFT + right) / 2)}" y="{HEIGHT - 6}">{escape(label)}</text>'


def _step(span: float) -> float:
    """A round step that cuts the span in about five."""
    power = 10 ** math.floor(math.log10(span / 5))
    return next(power * factor for factor in (1, 2, 5, 10) if span / (power * factor) <= 6)


def _log_ticks(low: float, high: float) -> list[float]:
    powers = [10.0**power for power in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)]
    return powers if len(powers) > 1 else sorted({low, high})


def _spread(heights: Sequence[float]) -> list[float]:
    """Heights of labels, rising, moved apart so that none covers another, and inside the plot."""
    placed: list[float] = []
    for height in heights:
        placed.append(max(height, placed[-1] + LABEL_GAP) if placed else height)
    limit = HEIGHT - BOTTOM - 2
    for index in range(len(placed) - 1, -1, -1):
        placed[index] = min(placed[index], limit)
        limit = placed[index] - LABEL_GAP
    return placed


def _path(points, x_of, y_of) -> str:
    return " ".join(f"{_text(x_of(x))},{_text(y_of(y))}" for x, y in points)


def _text(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _svg(parts: Sequence[str], title: str) -> str:
    head = f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
    return head + "".join(parts) + "</svg>"
