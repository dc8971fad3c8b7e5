"""Figures: images of several methods side by side, and learning curves, in colours safe for colour-blind readers."""

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
            shown = _binned(part, int(part.shape[1] // (_PANEL * _DPI)))
            spread = shown.mean() + np.array([-2.5, 2.5]) * shown.std()
            low, high = spread if panel.is_noisy else limits
            extent = (0, part.shape[1], part.shape[0], 0)
            axes.imshow(shown, cmap="gray", vmin=low, vmax=high, extent=extent, aspect="auto", interpolation="nearest")
            axes.spines[:].set(visible=row == 1, color=_BOX, linewidth=1.2)
            if row == 0:
                axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=_BOX, linewidth=1.2))
            if index == 0:
                _scale_bar(axes, part.shape, sampling)
        middle = (left + _PANEL / 2) / size[0]
        figure.text(middle, (top - 0.02) / size[1], labels[index], ha="center", va="top", fontsize=8)
        note = "" if panel.psnr_db is None else f"{panel.psnr_db:.1f} dB"
        note = (note + ", own grey scale" * panel.is_noisy).removeprefix(", ")
        below = (top - lines * _LINE - 0.03) / size[1]
        figure.text(middle, below, note, ha="center", va="top", fontsize=7, color="#444444")
    _save(figure, path)


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
    from matplotlib.figure import Figure

    if len(curves) > len(COLOURS):
        raise ValueError(f"{path}: {len(curves)} methods for {len(COLOURS)} colours that can be told apart; draw fewer")
    figure = Figure(figsize=(5.6, 3.6), dpi=_DPI, layout="constrained")
    axes = figure.add_subplot(xlabel="Crops seen", ylabel="Validation PSNR [dB]")
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
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", linewidth=0.4, color="#cccccc")
    axes.margins(x=0.01)
    axes.legend(frameon=False, fontsize=8)
    _save(figure, path)


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


def _scale_bar(axes, shape: tuple[int, ...], sampling: float) -> None:
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


def _binned(image: np.ndarray, factor: int) -> np.ndarray:
    """Means over blocks of factor x factor pixels, so that the noise shown is not an artefact of resampling."""
    if factor < 2:
        return image
    rows, columns = (n // factor for n in image.shape)
    blocks = image[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    return blocks.mean(axis=(1, 3))


def _save(figure, path: str | Path) -> None:
    """The figure as PNG with a palette of 256 colours, a third of the size; whole or absent, and without a date."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    palette = picture.quantize(256, dither=Image.Dither.NONE)
    write_whole(path, lambda stream: palette.save(stream, format="PNG", optimize=True, dpi=(_DPI, _DPI)))
