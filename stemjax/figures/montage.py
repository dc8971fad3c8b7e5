"""Montages: images on a grid, one row per condition and one column per method."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stemjax.figures import Panel, binned, save, scale_bar

_PANEL, _GAP, _NOTE, _HEAD, _SIDE, _DPI = 1.3, 0.05, 0.16, 0.34, 0.3, 180  # in, ..., dots per inch
_LABEL = 20  # letters of a label that fit over an image


def montage(rows: dict[str, Sequence[Panel]], path: str | Path, *, sampling: float | None) -> None:
    """Write a PNG of rows of images, each row named at its left, each column by the labels of the first row.

    Every panel of a row but the noisy one has the grey limits of its first one that is not noisy, the clean image where
    that is known: its 0.1 and 99.9 percentiles.

    Parameters
    ----------
    rows : dict
        Name of a row -> its panels, the same methods in every row.
    sampling : float
        Pixel size [Å], for the scale bar of the first image; None for images without one.
    """
    from matplotlib.figure import Figure

    first = next(iter(rows.values()))
    labels = [panel.label for panel in first]
    if any([panel.label for panel in panels] != labels for panels in rows.values()):
        raise ValueError(f"{path}: the rows show different methods; give every row the same")
    size = _SIDE + len(labels) * (_PANEL + _GAP), _HEAD + len(rows) * (_PANEL + _NOTE + _GAP)
    figure = Figure(figsize=size, dpi=_DPI)
    for row, (name, panels) in enumerate(rows.items()):
        leading = next((panel for panel in panels if not panel.is_noisy), panels[0])
        limits = np.percentile(leading.image, [0.1, 99.9])
        bottom = size[1] - _HEAD - row * (_PANEL + _NOTE + _GAP) - _PANEL
        middle = (bottom + _PANEL / 2) / size[1]
        figure.text(0.08 / size[0], middle, name, rotation=90, ha="left", va="center", fontsize=8)
        for column, panel in enumerate(panels):
            left = _SIDE + column * (_PANEL + _GAP)
            place = left / size[0], bottom / size[1], _PANEL / size[0], _PANEL / size[1]
            axes = figure.add_axes(place, xticks=[], yticks=[])
            pixels = binned(panel.image, int(panel.image.shape[1] // (_PANEL * _DPI)))
            low, high = pixels.mean() + np.array([-2.5, 2.5]) * pixels.std() if panel.is_noisy else limits
            extent = (0, panel.image.shape[1], panel.image.shape[0], 0)
            axes.imshow(pixels, cmap="gray", vmin=low, vmax=high, extent=extent, interpolation="nearest")
            axes.spines[:].set(color="#999999", linewidth=0.5)
            centre = (left + _PANEL / 2) / size[0]
            if row == column == 0 and sampling is not None:
                scale_bar(axes, panel.image.shape, sampling)
            if row == 0:
                label, top = textwrap.fill(panel.label, _LABEL), (size[1] - _HEAD + 0.03) / size[1]
                figure.text(centre, top, label, ha="center", va="bottom", fontsize=7.5)
            if panel.psnr_db is not None:
                note = f"{panel.psnr_db:.1f} dB" + ", own grey scale" * panel.is_noisy
                below = (bottom - 0.02) / size[1]
                figure.text(centre, below, note, ha="center", va="top", fontsize=6.5, color="#444444")
    save(figure, path)
