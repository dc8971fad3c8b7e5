"""Atomic columns in images of the surface set: the images, the scores of what was denoised, and a picture."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from stemjax import batches, datasets, figures
from stemjax.evaluate import ImageSet, denoise_all, unit_mean
from stemjax.metrics import atoms

DEFOCI = tuple(np.linspace(60, 100, 7).tolist())  # Å, of the paper
# Images of the validation structures like those of the surface set, which thresholds are chosen on.
ALIKE = datasets.Selection(contrast=("white",), defocus=(DEFOCI[0], DEFOCI[-1]))
THRESHOLDS = tuple(np.geomspace(0.0145, 0.145, 16).round(4).tolist())
SURFACE, BULK, CHANGED = figures.COLOURS[1], figures.COLOURS[6], figures.COLOURS[5]


def surface_images(
    data: datasets.DataSet,
    imaging: batches.Imaging,
    defoci: Sequence[float] = DEFOCI,
    noise_seed: int = batches.TEST_NOISE,
) -> ImageSet:
    """Every structure at every defocus [Å], with one draw of the noise."""
    items = np.repeat(np.arange(len(data.items), dtype=np.int32), len(defoci))
    defocus = np.tile(np.asarray(defoci, np.float32), len(data.items))
    images = datasets.Images(items, defocus, np.array([data.items[item]["unit"] for item in items]))
    clean = imaging.clean_images(data, images)
    return ImageSet(clean, batches.noisy_images(clean, imaging, noise_seed), images, images.names(data), imaging)


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

    def scores(self, found: list[atoms.Columns]) -> list[dict]:
        """The paper's and the stricter scores of the columns found in each denoised image."""
        return [
            atoms.compare(clean, columns, self.finder.tolerance)
            | atoms.compare_with_model(model, columns, self.finder.tolerance)
            for clean, model, columns in zip(self.clean, self.model, found, strict=True)
        ]


def _columns(truth: np.ndarray) -> atoms.Columns:
    """Columns of the model, without a radius."""
    places = np.stack([truth["y_angstrom"], truth["x_angstrom"], np.zeros(len(truth))], axis=1)
    return atoms.Columns(places, truth["surface"])


def tune_threshold(data: datasets.DataSet, validation: ImageSet, denoiser, variables: dict) -> dict:
    """The threshold with the best strict surface F1 on validation images, as a record keeps it.

    The paper's threshold fits its own network, so little noise is left; a fair comparison gives every method its own.
    """
    reference = Reference.of(data, validation)
    denoised = denoise_all(denoiser, variables, validation.noisy)
    found = []
    for threshold in THRESHOLDS:
        scores = reference.scores(reference.find(denoised, threshold))
        found.append(unit_mean(np.array([row["strict_surface_f1"] for row in scores]), validation.images.unit))
    best = int(np.argmax(found))
    return {
        "values": list(THRESHOLDS),
        "validation_strict_surface_f1": [round(value, 4) for value in found],
        "chosen": THRESHOLDS[best],
        "at_an_end": best in (0, len(THRESHOLDS) - 1),
    }


def add_both(
    add: Callable, denoised: np.ndarray, reference: Reference, threshold: dict, tuning: dict | None, **conditions
) -> list[atoms.Columns]:
    """Record a method twice: columns found with the paper's threshold, and with its own from `tune_threshold`.

    `add` is `Recorder.add` or `add_trained` with the method filled in. Returns the columns found with its own.
    """
    rules = {"paper": (None, {}), "tuned": (threshold["chosen"], {"threshold": threshold})}
    for rule, (value, more) in rules.items():
        found = reference.find(denoised, value)
        add(
            denoised=denoised,
            extra=reference.scores(found),
            tuning=((tuning or {}) | more) or None,
            conditions=conditions | {"threshold": rule},
        )
    return found


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
