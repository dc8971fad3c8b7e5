"""Atomic columns in images of the surface set: rows of a table, and a picture. They share `stemjax.apply.columns`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stemjax import figures
from stemjax.apply import columns
from stemjax.apply.columns import ALIKE, DEFOCI, Reference, surface_images
from stemjax.apply.evaluate import ImageSet, denoise_all
from stemjax.data import datasets
from stemjax.metrics import atoms

__all__ = ["ALIKE", "DEFOCI", "Panel", "Reference", "add_both", "draw_columns", "surface_images", "tune_threshold"]

SURFACE, BULK, CHANGED = figures.COLOURS[1], figures.COLOURS[6], figures.COLOURS[5]


def tune_threshold(data: datasets.DataSet, validation: ImageSet, denoiser, variables: dict) -> dict:
    """The threshold of a method, chosen on validation images: see `columns.tune_threshold`."""
    denoised = denoise_all(denoiser, variables, validation.noisy)
    return columns.tune_threshold(Reference.of(data, validation), denoised, validation.images.unit)


def add_both(
    add: Callable, denoised: np.ndarray, reference: Reference, threshold: dict, tuning: dict | None, **conditions
) -> list[atoms.Columns]:
    """Record a method twice: columns found with the paper's threshold, and with its own from `tune_threshold`.

    `add` is `Recorder.add` or `add_trained` with the method filled in. Returns the columns found with its own.
    """
    rules = {"paper": (None, {}), "tuned": (threshold["chosen"], {"threshold": threshold})}
    for rule, (value, more) in rules.items():
        columns = reference.find(denoised, value)
        add(
            denoised=denoised,
            extra=reference.scores(columns),
            tuning=((tuning or {}) | more) or None,
            conditions=conditions | {"threshold": rule},
        )
    return columns


# ---------------------------------------------------------------------------------------------------- picture
@dataclass(frozen=True)
class Panel:
    """An image [H, W] with the columns found in it, and those it is compared with; label and note stand above."""

    label: str
    note: str
    image: np.ndarray
    view: atoms.View
    found: atoms.Columns | None = None
    reference: atoms.Columns | None = None


def draw_columns(
    panels: Sequence[Panel], path: Path, limits: tuple[float, float], tolerance: float = atoms.Finder.tolerance
) -> None:
    """Write a PNG of particles side by side: surface and bulk columns in two colours, those that differ ringed."""
    from matplotlib.figure import Figure

    border, width, gap, line = 3.0, 2.6, 0.06, 0.16  # Å around the particle; in; in; in of a line of text
    x0, y0, x1, y1 = panels[0].view.particle_box
    height = width * (y1 - y0 + 2 * border) / (x1 - x0 + 2 * border)
    head = line * (2 + max(panel.note.count("\n") for panel in panels)) + gap
    size = len(panels) * (width + gap) - gap, head + height + 0.3
    figure = Figure(figsize=size, dpi=180)
    for index, panel in enumerate(panels):
        place = (index * (width + gap) / size[0], 0.3 / size[1], width / size[0], height / size[1])
        axes = figure.add_axes(place)
        pixels = panel.view.pixels
        low, high = (panel.image.mean() + np.array([-2.5, 2.5]) * panel.image.std()) if panel.found is None else limits
        axes.imshow(panel.image, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
        if panel.found is not None:
            for columns, colour in ((panel.found.part("surface"), SURFACE), (panel.found.part("bulk"), BULK)):
                axes.plot(*pixels(columns.places[:, 1::-1]).T, "+", color=colour, markersize=5, markeredgewidth=1.2)
        if panel.reference is not None:
            for one, other, style in ((panel.found, panel.reference, "-"), (panel.reference, panel.found, ":")):
                near = atoms.cdist(one.places[:, :2], other.places[:, :2]) <= tolerance
                x, y = pixels(one.places[~near.any(axis=1), 1::-1]).T
                axes.scatter(x, y, 110, facecolors="none", edgecolors=CHANGED, linewidths=1.2, linestyles=style)
        axes.set(xticks=[], yticks=[], xlim=pixels([x0 - border, x1 + border]), ylim=pixels([y1 + border, y0 - border]))
        middle = place[0] + place[2] / 2
        figure.text(middle, 1, f"{panel.label}\n{panel.note}", ha="center", va="top", fontsize=8, linespacing=1.4)
    cross, ring = {"marker": "+", "s": 30}, {"marker": "o", "s": 60, "facecolors": "none", "edgecolors": CHANGED}
    marks = {
        "surface column": cross | {"color": SURFACE},
        "bulk column": cross | {"color": BULK},
        "column too many": ring,
        "column missing": ring | {"linestyles": ":"},
    }
    handles = [axes.scatter([], [], label=label, **style) for label, style in marks.items()]
    figure.legend(handles=handles, loc="lower center", ncols=4, frameon=False, fontsize=8, borderaxespad=0.1)
    figures.save(figure, path)
