"""Atomic columns in images of the surface set: its images, and the scores of what was denoised."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from stemjax.apply.evaluate import ImageSet, unit_mean
from stemjax.data import datasets, micrographs
from stemjax.data.images import TEST_NOISE, Images, noisy_images
from stemjax.data.micrographs import Selection
from stemjax.metrics import atoms

DEFOCI = tuple(np.linspace(60, 100, 7).tolist())  # Å, of the paper
VALIDATION_IMAGES = {"smoke": 1, "cpu": 6, "gpu": 20}  # of each structure
# Images of the validation structures like those of the surface set, which thresholds are chosen on.
ALIKE = Selection(contrast=("white",), defocus=(DEFOCI[0], DEFOCI[-1]))
THRESHOLDS = tuple(np.geomspace(0.0145, 0.145, 16).round(4).tolist())


def surface_images(
    data: datasets.DataSet,
    imaging: micrographs.Imaging,
    defoci: Sequence[float] = DEFOCI,
    noise_seed: int = TEST_NOISE,
) -> ImageSet:
    """Every structure at every defocus [Å], with one draw of the noise."""
    items = np.repeat(np.arange(len(data.items), dtype=np.int32), len(defoci))
    defocus = np.tile(np.asarray(defoci, np.float32), len(data.items))
    images = Images(items, np.array([data.items[item]["unit"] for item in items]), defocus)
    clean = imaging.clean_images(data, images)
    return ImageSet(clean, noisy_images(clean, imaging, noise_seed), images, images.names(data), imaging)


@dataclass(frozen=True)
class Reference:
    """What the columns of denoised images are compared with.

    Parameters
    ----------
    views : list of atoms.View
        Of each image.
    clean, model : list of atoms.Columns
        Columns found in the clean image; columns of the atomic model.
    dose_scale : float
        Counts over the unit in which vacuum is 0.45.
    finder : atoms.Finder
    """

    views: list[atoms.View]
    clean: list[atoms.Columns]
    model: list[atoms.Columns]
    dose_scale: float
    finder: atoms.Finder = atoms.Finder()

    @classmethod
    def of(cls, data: datasets.DataSet, images: ImageSet) -> "Reference":
        """The reference of an image set."""
        pixels = round(data.band.cell / images.imaging.sampling)
        sampling = data.band.cell / pixels  # a whole number of pixels fits the cell
        origin = (pixels - images.clean.shape[1]) // 2 * sampling
        boxes = [tuple(data.items[item]["particle_box_angstrom"]) for item in images.images.item]
        views = [atoms.View(sampling, origin, box) for box in boxes]
        platinum = data.truth[data.truth["species"] == b"Pt"]
        model = [_columns(platinum[platinum["item"] == item]) for item in images.images.item]
        bare = cls(views, [], model, images.imaging.dose_scale)
        return replace(bare, clean=bare.find(images.clean, bare.finder.threshold_clean))

    def find(self, images: np.ndarray, threshold: float | None = None) -> list[atoms.Columns]:
        """Columns in denoised images [M, P, P, 1], in counts, above a threshold (default: that of denoised images)."""
        threshold = self.finder.threshold_denoised if threshold is None else threshold
        scaled = images[..., 0] / self.dose_scale
        return [atoms.find_columns(*pair, threshold, self.finder) for pair in zip(scaled, self.views, strict=True)]

    def scores(self, columns_of: list[atoms.Columns]) -> list[dict]:
        """The paper's and the stricter scores of the columns found in each denoised image."""
        return [
            atoms.compare(clean, columns, self.finder.tolerance)
            | atoms.compare_with_model(model, columns, self.finder.tolerance)
            for clean, model, columns in zip(self.clean, self.model, columns_of, strict=True)
        ]


def _columns(truth: np.ndarray) -> atoms.Columns:
    """Columns of the model, without a radius."""
    places = np.stack([truth["y_angstrom"], truth["x_angstrom"], np.zeros(len(truth))], axis=1)
    return atoms.Columns(places, truth["surface"])


def tune_threshold(reference: Reference, denoised: np.ndarray, units: np.ndarray) -> dict:
    """The threshold with the best strict surface F1 on denoised validation images [M, P, P, 1], as a record keeps it.

    The paper's threshold fits its own network, so little noise is left; a fair comparison gives every method its own.
    """
    scores_of = []
    for threshold in THRESHOLDS:
        scores = reference.scores(reference.find(denoised, threshold))
        scores_of.append(unit_mean(np.array([row["strict_surface_f1"] for row in scores]), units))
    best = int(np.argmax(scores_of))
    return {
        "values": list(THRESHOLDS),
        "validation_strict_surface_f1": [round(value, 4) for value in scores_of],
        "chosen": THRESHOLDS[best],
        "at_an_end": best in (0, len(THRESHOLDS) - 1),
    }
