"""Figures: images of several methods side by side, and learning curves, in colours safe for colour-blind readers."""

import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stemjax.files import write_whole

# Okabe and Ito, "Color Universal Design", 2008; black comes first, yellow is left out for want of contrast on white.
COLOURS = ("#000000", "#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_BOX = "#E69F00"
_PANEL, _GAP, _LINE, _NOTE, _DPI = 1.5, 0.05, 0.14, 0.2, 180  # in, in, in, in, dots per inch
_LABEL = 24  # letters of a label that fit over an image


@dataclass(frozen=True)
class Panel:
    """One image of a strip.

    Parameters
    ----------
    label : str
    image : float [H, W]
        In the unit of the clean image.
    psnr_db : float, optional
        Printed under the label.
    is_noisy : bool
        Counts spread so much wider than the clean image that they have grey limits of their own: mean +- 2.5 standard
        deviations of what is shown.
    """

    label: str
    image: np.ndarray
    psnr_db: float | None = None
    is_noisy: bool = False


def strip(
    panels: Sequence[Panel],
    path: str | Path,
    *,
    sampling: float,
    zoom_box: tuple[int, int, int, int],
    columns: int | None = None,
) -> None:
    """Write a PNG of a row of images, the clean one first, each with an enlarged part below it.

    Every panel but the noisy one has the grey limits of the clean image: its 0.1 and 99.9 percentiles.

    Parameters
    ----------
    panels : sequence of Panel
        Images of one size; the first is the clean one.
    sampling : float
        Pixel size [Å].
    zoom_box : tuple of int
        x0, y0, x1, y1 [px] of the enlarged part.
    columns : int, optional
        Images in a row, before the next row begins; by default all of them.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    x0, y0, x1, y1 = zoom_box
    height, width = panels[0].image.shape
    if any(panel.image.shape != (height, width) for panel in panels):
        raise ValueError(f"{path}: the panels differ in size: {sorted({panel.image.shape for panel in panels})}")
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
        raise ValueError(f"{path}: zoom box {zoom_box} is not inside an image of {width} x {height} pixels")
    limits = np.percentile(panels[0].image, [0.1, 99.9])
    heights = _PANEL * height / width, _PANEL * (y1 - y0) / (x1 - x0)
    columns = min(columns or len(panels), len(panels))
    labels = [textwrap.fill(panel.label, _LABEL) for panel in panels]
    lines = max(label.count("\n") for label in labels) + 1
    head = lines * _LINE + _NOTE
    band = head + sum(heights) + 2 * _GAP  # one row of images with what is above and below them
    bands = -(-len(panels) // columns)
    size = columns * (_PANEL + _GAP) - _GAP, bands * (band + _GAP) - _GAP
    figure = Figure(figsize=size, dpi=_DPI)
    for index, panel in enumerate(panels):
        left, top = index % columns * (_PANEL + _GAP), size[1] - index // columns * (band + _GAP)
        for row, part in enumerate((panel.image, panel.image[y0:y1, x0:x1])):
            bottom = top - head - heights[0] - row * (heights[1] + _GAP)
            place = (left / size[0], bottom / size[1], _PANEL / size[0], heights[row] / size[1])
            axes = figure.add_axes(place, xticks=[], yticks=[])
            pixels = binned(part, int(part.shape[1] // (_PANEL * _DPI)))
            spread = pixels.mean() + np.array([-2.5, 2.5]) * pixels.std()
            low, high = spread if panel.is_noisy else limits
            extent = (0, part.shape[1], part.shape[0], 0)
            axes.imshow(pixels, cmap="gray", vmin=low, vmax=high, extent=extent, aspect="auto", interpolation="nearest")
            axes.spines[:].set(visible=row == 1, color=_BOX, linewidth=1.2)
            if row == 0:
                axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=_BOX, linewidth=1.2))
            if index == 0:
                scale_bar(axes, part.shape, sampling)
        middle = (left + _PANEL / 2) / size[0]
        figure.text(middle, (top - 0.02) / size[1], labels[index], ha="center", va="top", fontsize=8)
        note = "" if panel.psnr_db is None else f"{panel.psnr_db:.1f} dB"
        note = (note + ", own grey scale" * panel.is_noisy).removeprefix(", ")
        below = (top - lines * _LINE - 0.03) / size[1]
        figure.text(middle, below, note, ha="center", va="top", fontsize=7, color="#444444")
    save(figure, path)


def learning_curves(
    curves: dict[str, list[list[dict]]], path: str | Path, *, levels: dict[str, float] | None = None
) -> None:
    """Write a PNG of validation PSNR over crops seen: every seed a thin line, their mean a thick one.

    Parameters
    ----------
    curves : dict
        Method -> one learning curve per seed, each as in a record: ``crops`` and ``validation_psnr_db`` of every point.
    levels : dict, optional
        Name -> PSNR [dB] of what needs no training, drawn as horizontal lines.
    """
    figure, axes = open_axes("Crops seen", "Validation PSNR [dB]", len(curves))
    for colour, (method, seeds) in zip(COLOURS, curves.items(), strict=False):
        points = [{point["crops"]: point["validation_psnr_db"] for point in seed} for seed in seeds]
        shared = sorted(set.intersection(*map(set, points)))
        mean = [np.mean([seed[crops] for seed in points]) for crops in shared]
        axes.plot(shared, mean, color=colour, linewidth=2, label=method)
        for seed in points if len(points) > 1 else []:
            axes.plot(list(seed), list(seed.values()), color=colour, linewidth=0.7, alpha=0.6)
    for name, level in (levels or {}).items():
        axes.axhline(level, color="#777777", linewidth=1, linestyle="--")
        axes.annotate(name, (0.995, level), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=7)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.margins(x=0.01)
    axes.legend(frameon=False, fontsize=8)
    save(figure, path)


# ---------------------------------------------------------------------------------------------------- from records
@dataclass(frozen=True)
class Line:
    """One line of a plot: values with their intervals.

    Parameters
    ----------
    x, y : sequence of float
    low, high : sequence of float, optional
        Ends of the interval of each value.
    labels : sequence of str, optional
        Printed beside the points.
    joined : bool
        Whether a line joins the points.
    """

    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    labels: Sequence[str] | None = None
    joined: bool = True


def lines(
    series: dict[str, Line],
    xlabel: str,
    ylabel: str,
    *,
    log_x: bool = False,
    inside: tuple[float, float] | None = None,
    level: tuple[str, float] | None = None,
) -> bytes:
    """Values over an axis, one colour per method, with error bars; as PNG.

    Parameters
    ----------
    inside : tuple of float, optional
        Range of the horizontal axis that the training covered; shaded.
    level : (str, float), optional
        Name and height of a dashed line.
    """
    figure, axes = open_axes(xlabel, ylabel, len(series))
    if inside is not None:
        axes.axvspan(*inside, color="#eeeeee", zorder=0, label="range of the training")
    for colour, (name, line) in zip(COLOURS, series.items(), strict=False):
        style = {"color": colour, "marker": "o", "markersize": 4, "linewidth": 1.6 if line.joined else 0}
        axes.plot(line.x, line.y, label=name, **style)
        if line.low is not None:
            ends = np.abs(np.array([line.low, line.high]) - np.asarray(line.y))
            axes.errorbar(line.x, line.y, ends, fmt="none", ecolor=colour, elinewidth=1, capsize=2)
        for x, y, label in zip(line.x, line.y, line.labels or (), strict=False):
            axes.annotate(label, (x, y), xytext=(4, -9), textcoords="offset points", fontsize=6.5, color=colour)
    if level is not None:
        axes.axhline(level[1], color="#777777", linewidth=1, linestyle="--")
        axes.annotate(
            level[0], (0.005, level[1]), xycoords=("axes fraction", "data"), ha="left", va="bottom", fontsize=7
        )
    if log_x:
        log_ticks(axes, {x for line in series.values() for x in line.x})
    axes.legend(frameon=False, fontsize=8)
    return encode(figure)


def matrix(values: np.ndarray, rows: Sequence[str], columns: Sequence[str], title: str, form: str = ".1f") -> bytes:
    """A matrix of figures [R, C] on a grey scale, every figure printed in its cell: rows trained on, columns tested on.

    A cell that is NaN stays empty.
    """
    return matrices({title: (values, rows, columns)}, form)


def matrices(parts: dict[str, tuple[np.ndarray, Sequence[str], Sequence[str]]], form: str = ".1f") -> bytes:
    """Several matrices, title -> (values [R, C], rows, columns), side by side on one grey scale, as PNG."""
    from matplotlib.figure import Figure

    every = np.concatenate([np.ravel(values) for values, _, _ in parts.values()])
    low, high = np.nanmin(every), np.nanmax(every)
    ratios = [len(columns) + 1.2 for _, _, columns in parts.values()]
    height = 0.42 * max(len(rows) for _, rows, _ in parts.values()) + 0.9
    figure = Figure(figsize=(0.62 * sum(ratios) + 0.4, height), dpi=_DPI, layout="constrained")
    grid = figure.subplots(1, len(parts), width_ratios=ratios, squeeze=False)[0]
    for axes, (title, (values, rows, columns)) in zip(grid, parts.items(), strict=True):
        axes.imshow(values, cmap="Greys", vmin=low, vmax=high + (high - low) * 0.8, aspect="auto")
        for (row, column), value in np.ndenumerate(values):
            if np.isfinite(value):
                axes.text(column, row, format(value, form), ha="center", va="center", fontsize=8)
        axes.set_title(title, fontsize=9)
        axes.set_xticks(range(len(columns)), columns, fontsize=8)
        axes.set_yticks(range(len(rows)), rows, fontsize=8)
        axes.set_xlabel("tested on", fontsize=8)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    grid[0].set_ylabel("trained on", fontsize=8)
    return encode(figure)


def differences(series: dict[str, Line], names: Sequence[str], xlabel: str) -> bytes:
    """What each of several variants changes, as PNG: a row for every name, a colour for every score, 0 marked.

    Parameters
    ----------
    series : dict
        Score -> differences, the `y` of a `Line` of which `x` is not read, with their intervals.
    names : sequence of str
        The variants, from the top down.
    """
    figure, axes = open_axes(xlabel, "", len(series))
    axes.axvline(0, color="#777777", linewidth=1)
    for index, (colour, (score, line)) in enumerate(zip(COLOURS, series.items(), strict=False)):
        rows = np.arange(len(names)) + 0.24 * (index - (len(series) - 1) / 2)
        axes.plot(line.y, rows, label=score, color=colour, marker="o", markersize=4, linewidth=0)
        if line.low is not None:
            axes.hlines(rows, line.low, line.high, color=colour, linewidth=1)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.legend(frameon=False, fontsize=8)
    return encode(figure)


# ---------------------------------------------------------------------------------------------------- parts
def open_axes(xlabel: str, ylabel: str, count: int):
    """Figure and axes of a plot of `count` colours, plain and open to the right and the top."""
    from matplotlib.figure import Figure

    if count > len(COLOURS):
        raise ValueError(f"{count} methods for {len(COLOURS)} colours that can be told apart; draw fewer")
    figure = Figure(figsize=(5.6, 3.6), dpi=_DPI, layout="constrained")
    axes = figure.add_subplot(xlabel=xlabel, ylabel=ylabel)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", linewidth=0.4, color="#cccccc")
    return figure, axes


def log_ticks(axes, values: set[float]) -> None:
    """A logarithmic horizontal axis with the values themselves as ticks."""
    from matplotlib.ticker import NullFormatter, ScalarFormatter

    axes.set_xscale("log")
    axes.set_xticks(_apart(sorted(values)))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())


def _apart(values: list[float], factor: float = 1.15) -> list[float]:
    """The values that have room for a label on a logarithmic axis: each `factor` times the one before, or more."""
    kept: list[float] = []
    for value in values:
        if not kept or value > factor * kept[-1]:
            kept.append(value)
    return kept


def bar_length(width_angstrom: float) -> float:
    """A round length [Å] of about a quarter of a width: 1, 2 or 5 times a power of ten.

    Examples
    --------
    >>> bar_length(46.0)
    10.0
    """
    most = width_angstrom / 3
    decade = 10.0 ** np.floor(np.log10(most))
    return float(max(step for step in (decade, 2 * decade, 5 * decade) if step <= most))


def scale_bar(axes, shape: tuple[int, ...], sampling: float) -> None:
    """A white bar of round length over an image of `shape` (height, width) [px] at `sampling` [Å/px]."""
    from matplotlib.patheffects import withStroke

    height, width = shape
    length = bar_length(width * sampling)
    start, end, y = 0.05 * width, 0.05 * width + length / sampling, 0.95 * height
    outline = [withStroke(linewidth=4, foreground="black")]
    axes.plot([start, end], [y, y], color="white", linewidth=2.2, solid_capstyle="butt", path_effects=outline)
    text = f"{length / 10:g} nm" if length >= 10 else f"{length:g} Å"
    outline = [withStroke(linewidth=1.8, foreground="black")]
    above = y - 0.03 * height
    axes.text((start + end) / 2, above, text, ha="center", va="bottom", color="white", fontsize=7, path_effects=outline)
    axes.set(xlim=(0, width), ylim=(height, 0))


def binned(image: np.ndarray, factor: int) -> np.ndarray:
    """Means over blocks of factor x factor pixels, so that the noise shown is not an artefact of resampling."""
    if factor < 2:
        return image
    rows, columns = (n // factor for n in image.shape)
    blocks = image[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    return blocks.mean(axis=(1, 3))


def encode(figure, full_colour: bool = False) -> bytes:
    """The figure as PNG without a date.

    It has a palette of 256 colours, which makes it a third as large: enough for grey images with some lines and text.
    A picture with a colour map needs `full_colour`, since its bar would show as bands.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    stream = io.BytesIO()
    if not full_colour:
        picture = picture.quantize(256, dither=Image.Dither.NONE)
    picture.save(stream, format="PNG", optimize=True, dpi=(_DPI, _DPI))
    return stream.getvalue()


def save(figure, path: str | Path, full_colour: bool = False) -> None:
    """Write the figure as PNG, whole or not at all; see `encode`."""
    write(encode(figure, full_colour), path)


def write(picture: bytes, path: str | Path) -> None:
    """Write a PNG that is drawn already, whole or not at all, into a folder that is made if it is not there."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda stream: stream.write(picture))
