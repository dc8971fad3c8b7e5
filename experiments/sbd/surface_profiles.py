"""Movies of a particle: the profile along its surface columns, and its true columns for a likelihood map."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.sbd.regions import Scene
from stemjax import figures
from stemjax.apply.evaluate import ImageSet
from stemjax.data import datasets
from stemjax.figures import groups as figures_groups
from stemjax.metrics import atoms
from stemjax.metrics.profiles import line_profile

ROW = 0.5  # Å: columns no further apart than this in height make a row
WIDTH, BEYOND = 1.0, 1.2  # Å: across a profile; before its first column and after its last


@dataclass(frozen=True)
class SurfaceRow:
    """The topmost row of Pt columns of a particle.

    Parameters
    ----------
    columns : float [n, 2]
        True positions (y, x) in the frame, from the left to the right [Å].
    sampling : float
        Pixel size [Å].
    side : int
        Of the frame [px].
    """

    columns: np.ndarray
    sampling: float
    side: int

    def along(self, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Position x in the frame [Å] and value of a profile along the row through a frame [H, W]."""
        last = (self.side - 1) * self.sampling
        start, end = max(self.columns[0, 1] - BEYOND, 0.0), min(self.columns[-1, 1] + BEYOND, last)
        width = max(round(WIDTH / self.sampling), 1)
        line = {"angle_deg": 0.0, "length": end - start, "step": self.sampling, "width": width}
        distance, values = line_profile(frame, self.sampling, (self.columns[:, 0].mean(), start), **line)
        return start + distance, values

    def correlation(self, clean: np.ndarray, frame: np.ndarray) -> float:
        """Of the profile through a frame with that through the clean one; 0 for a flat profile."""
        (_, true), (_, values) = self.along(clean), self.along(frame)
        if values.std() < 1e-6 * true.std():
            return 0.0
        return float(np.mean((true - true.mean()) * (values - values.mean())) / (true.std() * values.std()))

    def box(self, below: float = 6.0, above: float = 2.0) -> tuple[int, int, int, int]:
        """x0, y0, x1, y1 [px] around the row and what is below it [Å], inside the frame."""
        (y, x), last = self.columns.min(axis=0), self.columns[-1, 1]
        ends = np.array([x - 2 * BEYOND, y - above, last + 2 * BEYOND, y + below]) / self.sampling
        x0, y0, x1, y1 = np.clip(np.rint(ends), 0, self.side).astype(int).tolist()
        return x0, y0, x1, y1


def surface_row(data: datasets.DataSet, images: ImageSet, index: int) -> SurfaceRow:
    """The topmost row with two columns or more that a frame shows whole.

    Raises
    ------
    ValueError
        If there is none.
    """
    sampling, side = data.manifest["frame"]["sampling_angstrom"], images.clean.shape[1]
    places, last = _columns(data, images, index), (side - 1) * sampling
    places = places[((places > WIDTH) & (places < last - WIDTH)).all(axis=1)]
    while len(places):
        in_row = places[:, 0] < places[:, 0].min() + ROW
        if in_row.sum() > 1:
            row = places[in_row]
            return SurfaceRow(row[np.argsort(row[:, 1])], sampling, side)
        places = places[~in_row]
    raise ValueError(f"{images.name[index]} shows no row of two Pt columns: choose another window of the particle")


def scene(data: datasets.DataSet, images: ImageSet, index: int) -> Scene:
    """A frame with its true columns, for `regions.sort_regions`."""
    sampling, places = data.manifest["frame"]["sampling_angstrom"], _columns(data, images, index)
    (top, left), (bottom, right) = places.min(axis=0), places.max(axis=0)
    view = atoms.View(sampling, 0.0, (left, top, right, bottom))
    clean, noisy = images.clean[index, ..., 0], images.noisy[index, ..., 0]
    lowest = float(view.pixels(bottom + atoms.Finder.below))
    unit = str(images.images.unit[index])
    return Scene(images.name[index], unit, clean, noisy, places / sampling, lowest, images.imaging.counts, view)


def _columns(data: datasets.DataSet, images: ImageSet, index: int) -> np.ndarray:
    """True Pt columns (y, x) [n, 2] of a frame [Å]."""
    truth, chosen = np.asarray(data.truth), images.images
    truth = truth[(truth["item"] == chosen.item[index]) & (truth["frame"] == chosen.frame[index])]
    truth = truth[truth["species"] == b"Pt"]
    return np.stack([truth["y_angstrom"], truth["x_angstrom"]], axis=-1).astype(float)


def draw(row: SurfaceRow, clean: np.ndarray, frame_of: dict[str, np.ndarray], path: Path, columns: int = 4) -> None:
    """Write a PNG of the profile through frames [H, W], each over that of the clean one, with the true positions."""
    place, true = row.along(clean)
    titled = {
        f"{label}\nr = {row.correlation(clean, frame):.2f}": row.along(frame)[1] for label, frame in frame_of.items()
    }
    labels = "x [Å]; grey lines: true columns", "Electrons per pixel"
    picture = figures_groups.profiles(place, true, titled, *labels, marks=row.columns[:, 1], columns=columns)
    figures.write(picture, path)
