"""Line scans through movies: along a row of metal columns, averaged across it; their contrast and their picture."""

from pathlib import Path

import numpy as np

from stemjax import figures
from stemjax.apply.evaluate import ImageSet
from stemjax.data import datasets
from stemjax.figures import groups as figures_groups
from stemjax.metrics.profiles import line_profile, michelson_contrast

WIDTH = 25  # px across a scan, as in the paper
BORDER = 2  # px that a scan keeps from the edges of the frame


def find_line(
    data: datasets.DataSet, test: ImageSet, species: bytes, row: int, width: int | None = None
) -> dict | None:
    """The line along a row of metal columns through the middle of a frame, as `metrics.profiles.line_profile` takes it.

    From the column nearest to the middle towards its nearest neighbour, two of their distances either way.

    Parameters
    ----------
    species : bytes
        Of the metal, as in the truth of the data set.
    row : int
        Of the frame in `test`.
    width : int, optional
        Pixels across the line. By default `WIDTH`, or half the distance of columns where that is less, so that no
        second row of columns is in it.

    Returns
    -------
    dict or None
        None where there are fewer than five columns, or none of them leaves room for the line.
    """
    sampling, pixels = data.manifest["frame"]["sampling_angstrom"], test.clean.shape[1]
    truth = np.asarray(data.truth)
    truth = truth[(truth["item"] == test.images.item[row]) & (truth["frame"] == test.images.frame[row])]
    metal = truth[truth["species"] == species]
    places = np.stack([metal["y_angstrom"], metal["x_angstrom"]], axis=-1).astype(float)
    span, border = sampling * (pixels - 1), BORDER * sampling
    places = places[((places > border) & (places < span - border)).all(axis=1)]
    if len(places) < 5:
        return None
    distance = np.linalg.norm(places[:, None] - places, axis=-1)
    np.fill_diagonal(distance, np.inf)
    for index in np.argsort(np.linalg.norm(places - span / 2, axis=1)):
        step = places[distance[index].argmin()] - places[index]
        length = float(np.linalg.norm(step))
        start, end = places[index] - 2 * step, places[index] + 2 * step
        across = width or int(min(WIDTH, max(length / sampling / 2, 1)))
        beside = across / 2 * sampling + border
        if min(*start, *end) > beside and max(*start, *end) < span - beside:
            angle = float(np.rad2deg(np.arctan2(*step)))
            facts = {"sampling": sampling, "start": tuple(start), "angle_deg": angle}
            return facts | {"length": 4 * length, "step": sampling, "width": across}
    return None


def contrast_along(frame: np.ndarray, line: dict | None) -> float:
    """Michelson contrast of the scan through a frame [H, W]; 0 where it has no line or is not one of intensities."""
    values = np.zeros(1) if line is None else line_profile(frame, **line)[1]
    return michelson_contrast(values) if values.min() + values.max() > 0 else 0.0


def draw_scans(
    data: datasets.DataSet, test: ImageSet, species: bytes, frames_of: dict[str, np.ndarray], path: Path
) -> dict | None:
    """Write a PNG of the scan through one frame as every method has it, each over that of the clean frame.

    The frame is the first one with room for a line of `WIDTH` pixels across, or, where none has it, for one of half the
    distance of columns.

    Parameters
    ----------
    shown : dict
        Label -> frames [M, H, W, 1] of `test`.

    Returns
    -------
    dict or None
        The line that is drawn; None, and no picture, where no frame has room for one.
    """
    tried = ((row, find_line(data, test, species, row, width)) for width in (WIDTH, None) for row in range(len(test)))
    row, line = next(((row, line) for row, line in tried if line is not None), (0, None))
    if line is None:
        return None
    scanned = {}
    for label, frames in frames_of.items():
        contrast = contrast_along(frames[row, ..., 0], line)
        scanned[f"{label}\ncontrast {contrast:.2f}"] = line_profile(frames[row, ..., 0], **line)[1]
    clean, contrast = test.clean[row, ..., 0], contrast_along(test.clean[row, ..., 0], line)
    place, true = line_profile(clean, **line)
    across = f"mean over {line['width']} px ({line['width'] * line['sampling']:.1f} Å) across"
    picture = figures_groups.profiles(
        place,
        true,
        scanned,
        f"Distance along a row of columns [Å]; {across}; contrast of the clean frame {contrast:.2f}",
        "Reading",
    )
    figures.write(picture, path)
    return line
