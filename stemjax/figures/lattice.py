"""Figures of gold on graphene: line profiles, spectra and adatoms, one column per method."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stemjax.figures import save, scale_bar

_PANEL, _DPI, _LABEL = 1.45, 160, 20  # in, dots per inch, letters over a panel
_CLEAN, _METHOD, _MARK = "#999999", "#0072B2", "#E69F00"
_RIGHT, _WRONG, _MISSED = "#009E73", "#D55E00", "#56B4E9"


@dataclass(frozen=True)
class ProfilePanel:
    """An image with a line across it, and the profile along that line.

    Parameters
    ----------
    image : float [H, W]
        As it is to be shown.
    line : ((y, x), (y, x))
        Ends [px].
    distance, values : float [n]
        Profile along it [Å], in the unit of the image.
    note : str
        Printed over the profile.
    """

    label: str
    image: np.ndarray
    line: tuple
    distance: np.ndarray
    values: np.ndarray
    note: str = ""


def profiles(rows: dict[str, Sequence[ProfilePanel]], path: str | Path, *, sampling: float) -> None:
    """Write a PNG of images and, below each, the profile along its line with the clean one's in grey.

    The first panel of a row is the clean one, whose range every image of that row has. So have the profiles, widened
    until at least half of the range of each fits.
    """
    figure, axes = _grid(2 * len(rows), [panel.label for panel in next(iter(rows.values()))], (1, 0.8) * len(rows))
    for number, (name, panels) in enumerate(rows.items()):
        clean = panels[0]
        limits = np.percentile(clean.image, [0.1, 99.9])
        widest = [np.percentile(panel.values, [3, 97]) for panel in panels]
        low, high = np.min(widest), np.max(widest)
        for column, panel in enumerate(panels):
            above, below = axes[2 * number, column], axes[2 * number + 1, column]
            _show(above, panel.image, limits)
            (y0, x0), (y1, x1) = panel.line
            above.plot([x0 + 0.5, x1 + 0.5], [y0 + 0.5, y1 + 0.5], color=_MARK, linewidth=0.9)
            below.plot(clean.distance, clean.values, color=_CLEAN, linewidth=1.6)
            if column:
                below.plot(panel.distance, panel.values, color=_METHOD, linewidth=1.1)
            margin = 0.15 * (high - low)
            below.set(ylim=(low - margin, high + margin), xlim=(0, clean.distance[-1]))
            below.tick_params(labelsize=6, labelleft=column == 0)
            below.set_title(panel.note, fontsize=6.5, pad=2)
            if column == 0:
                above.set_ylabel(name, fontsize=8)
                below.set_xlabel("Distance [Å]", fontsize=6.5, labelpad=1)
        if number == 0:
            scale_bar(axes[0, 0], clean.image.shape, sampling)
    save(figure, path)


@dataclass(frozen=True)
class SpectrumPanel:
    """The spectrum of a method's frames.

    Parameters
    ----------
    magnitude : float [H, W]
        Frequency 0 in the middle.
    polar : float [Q, T]
        Its six sectors averaged: frequency along y, angle along x.
    note : str
        Printed over `polar`.
    """

    label: str
    magnitude: np.ndarray
    polar: np.ndarray
    note: str = ""


def spectra(
    rows: dict[str, Sequence[SpectrumPanel]],
    path: str | Path,
    *,
    highest: float,
    radii: np.ndarray,
    marks: dict[str, tuple[float, float]],
    decibels: float = 40.0,
) -> None:
    """Write a PNG of spectra and, below each, their six-fold polar reductions.

    All on one logarithmic grey scale per row, from the largest lattice value of the clean panel, the first, downwards.

    Parameters
    ----------
    highest : float
        Frequency at the edge of the spectra [1/Å].
    radii : float [Q]
        Of `polar` [1/Å]; its angles are 0..60 degrees.
    marks : dict
        Name -> (frequency [1/Å], angle [degrees]) of a spot in the polar reduction.
    """
    figure, axes = _grid(2 * len(rows), [panel.label for panel in next(iter(rows.values()))], (1, 0.8) * len(rows))
    for number, (name, panels) in enumerate(rows.items()):
        peak = max(_near(panels[0].polar, radii, *mark) for mark in marks.values())
        limits = (-decibels, 0)
        for column, panel in enumerate(panels):
            above, below = axes[2 * number, column], axes[2 * number + 1, column]
            floor = peak * 10 ** (-decibels / 20 - 1)
            level = [20 * np.log10(np.maximum(part, floor) / peak) for part in (panel.magnitude, panel.polar)]
            _show(above, level[0], limits, extent=(-highest, highest, highest, -highest))
            _show(below, level[1], limits, extent=(0, 60, radii[-1], radii[0]), aspect="auto")
            below.set_title(panel.note, fontsize=6.5, pad=2)
            if column == 0:
                above.set_ylabel(f"{name}\n±{highest:.2f} 1/Å", fontsize=8)
                below.set_ylabel("1/Å", fontsize=7)
                below.set_yticks(np.arange(0.25, radii[-1], 0.25))
                for mark, (frequency, angle) in marks.items():
                    place = {"xytext": (3, 4), "textcoords": "offset points", "va": "bottom"}
                    below.annotate(mark, (angle, frequency), color=_MARK, fontsize=6, **place)
            below.set_xticks([0, 30, 60], ["0°", "30°", "60°"])
            below.tick_params(labelsize=6)
    save(figure, path)


def _near(polar: np.ndarray, radii: np.ndarray, frequency: float, angle: float) -> float:
    """Largest value of a polar reduction near a place."""
    row, column = np.abs(radii - frequency).argmin(), round(angle / 60 * (polar.shape[1] - 1))
    return float(polar[max(row - 3, 0) : row + 4, max(column - 3, 0) : column + 4].max())


@dataclass(frozen=True)
class FoundPanel:
    """Adatoms in an image: positions (y, x) [n, 2] in px that were found rightly or wrongly, and that were missed."""

    label: str
    image: np.ndarray
    right: np.ndarray
    wrong: np.ndarray
    missed: np.ndarray
    note: str = ""


def found(rows: dict[str, Sequence[FoundPanel]], path: str | Path, *, sampling: float, radius: float = 4.5) -> None:
    """Write a PNG of images with circles of a radius [px]: green found, red not an adatom, blue and dashed missed.

    The first panel of a row is the clean one, whose grey limits all have.
    """
    from matplotlib.patches import Circle

    figure, axes = _grid(len(rows), [panel.label for panel in next(iter(rows.values()))], (1,) * len(rows))
    for number, (name, panels) in enumerate(rows.items()):
        limits = np.percentile(panels[0].image, [0.1, 99.9])
        for column, panel in enumerate(panels):
            here = axes[number, column]
            _show(here, panel.image, limits)
            for places, colour, style in (
                (panel.right, _RIGHT, "-"),
                (panel.wrong, _WRONG, "-"),
                (panel.missed, _MISSED, "--"),
            ):
                for y, x in places:
                    here.add_patch(Circle((x + 0.5, y + 0.5), radius, fill=False, color=colour, lw=1.1, ls=style))
            here.set_xlabel(panel.note, fontsize=6.5, labelpad=2)
            if column == 0:
                here.set_ylabel(name, fontsize=8)
                scale_bar(here, panel.image.shape, sampling)
    save(figure, path)


# ---------------------------------------------------------------------------------------------------- parts
def _grid(rows: int, labels: Sequence[str], heights: Sequence[float]):
    """A figure with one named column per label."""
    from matplotlib.figure import Figure

    size = _PANEL * len(labels) + 0.4, (_PANEL + 0.12) * sum(heights) + 0.4
    figure = Figure(figsize=size, dpi=_DPI, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.02, wspace=0.01, hspace=0.02)
    axes = figure.subplots(rows, len(labels), squeeze=False, height_ratios=heights)
    for column, label in enumerate(labels):
        axes[0, column].set_title(textwrap.fill(label, _LABEL), fontsize=8)
    return figure, axes


def _show(axes, image: np.ndarray, limits: tuple[float, float], **options) -> None:
    """The image, its first pixel from 0 to 1."""
    height, width = image.shape
    options = {"extent": (0, width, height, 0)} | options
    axes.imshow(image, cmap="gray", vmin=limits[0], vmax=limits[1], interpolation="nearest", **options)
    axes.set(xticks=[], yticks=[])
