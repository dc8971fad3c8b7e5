"""Regions of denoised images, sorted by the truth, and tested against vacuum; with a map of their likelihood ratios."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.distance import cdist

from experiments.sbd.surface_atoms import Reference
from stemjax import figures
from stemjax.apply.evaluate import ImageSet, denoise_all
from stemjax.data import datasets, micrographs
from stemjax.data.images import TEST_NOISE
from stemjax.metrics import atoms, discovery, likelihood

TRUE, SPURIOUS, MISSED, PLANTED = "True positives", "False positives", "False negatives", "Planted"
COLUMN_RADIUS = 1.22  # Å: half the distance of neighbouring Pt columns, so what each has to itself
PLANTS, FAR = 5, 4.0  # spurious columns planted in an image; their least distance from true ones [Å]
FRACTION = 0.5  # of the electrons goes to the part that is denoised
LEVELS = (0.05, 0.1, 0.2)  # nominal false discovery rates
VACUUM_SIDE = 208  # px


@dataclass(frozen=True)
class Scene:
    """An image with what is true in it.

    Parameters
    ----------
    name, unit : str
    clean, noisy : float [H, W]
        Counts.
    columns : float [n, 2]
        True Pt columns (y, x) [px].
    lowest : float
        Regions are looked for above this row [px], that is above the support.
    vacuum : float
        Rate [counts per pixel].
    view : atoms.View
    """

    name: str
    unit: str
    clean: np.ndarray
    noisy: np.ndarray
    columns: np.ndarray
    lowest: float
    vacuum: float
    view: atoms.View

    @classmethod
    def vacuum_only(cls, imaging: micrographs.Imaging, seed: int) -> "Scene":
        """An image of nothing."""
        clean = np.full((VACUUM_SIDE, VACUUM_SIDE), imaging.counts, np.float32)
        noisy = np.random.default_rng([TEST_NOISE, seed]).poisson(clean).astype(np.float32)
        name, view = f"vacuum {seed}", atoms.View(imaging.sampling, 0.0, (0, 0, 0, 0))
        return cls(name, name, clean, noisy, np.zeros((0, 2)), np.inf, imaging.counts, view)

    def random(self) -> np.random.Generator:
        """Random numbers that depend on the image's name alone."""
        return np.random.default_rng([TEST_NOISE, *self.name.encode()])

    def regions(self, denoised: np.ndarray) -> np.ndarray:
        """Regions (y, x, radius) [px] above the support, found with the paper's parameters."""
        scaled = denoised * (micrographs.VACUUM_COUNTS / self.vacuum)
        places = likelihood.RegionFinder().find(scaled, self.view.sampling)
        return places[places[:, 0] < self.lowest]

    def near(self, places: np.ndarray) -> np.ndarray:
        """Which place lies at which true column, within the paper's 10 px, bool [n, columns]."""
        return cdist(places[:, :2], self.columns) <= atoms.Finder.tolerance / self.view.sampling


def scenes_of(data: datasets.DataSet, images: ImageSet) -> list[Scene]:
    """Every image of a set with its truth."""
    reference = Reference.of(data, images)
    return [
        Scene(
            images.name[index],
            str(images.images.unit[index]),
            images.clean[index, ..., 0],
            images.noisy[index, ..., 0],
            view.pixels(reference.model[index].places[:, :2]),
            float(view.pixels(view.particle_box[3] + atoms.Finder.below)),
            images.imaging.counts,
            view,
        )
        for index, view in enumerate(reference.views)
    ]


# ---------------------------------------------------------------------------------------------------- likelihood
@dataclass(frozen=True)
class Sorted:
    """Regions of one class: places (y, x, radius) [px], float [n, 3], and the scores of each."""

    places: np.ndarray
    rows: list[dict]


def sort_regions(scene: Scene, denoised: np.ndarray) -> dict[str, Sorted]:
    """Regions at a true column, at none, and planted ones; and true columns without a region, as discs of usual size.

    Returns
    -------
    dict
        Class -> regions, each with all the ratios of its own disc (``llr_blob_...``) and of the disc that a column has
        to itself (``llr_column_...``).
    """
    places = scene.regions(denoised)
    near = scene.near(places)
    usual = np.median(places[:, 2]) if len(places) else COLUMN_RADIUS / 2 / scene.view.sampling
    with_plants, plants = plant(scene, denoised, places[near.any(axis=1)])
    missed = likelihood.with_radius(scene.columns[~near.any(axis=0)], usual)
    return {
        TRUE: _score(TRUE, scene, denoised, places[near.any(axis=1)]),
        SPURIOUS: _score(SPURIOUS, scene, denoised, places[~near.any(axis=1)]),
        MISSED: _score(MISSED, scene, denoised, missed),
        PLANTED: _score(PLANTED, scene, with_plants, plants),
    }


def _score(label: str, scene: Scene, denoised: np.ndarray, places: np.ndarray) -> Sorted:
    whole = likelihood.with_radius(places, COLUMN_RADIUS / scene.view.sampling)
    of_regions = {
        f"llr_{disc}_{name}": values
        for disc, discs in (("blob", places), ("column", whole))
        for name, values in likelihood.log_ratios(scene.noisy, denoised, discs, scene.vacuum).items()
    }
    rows = [
        {"image": f"{scene.name} {label} {index}", "unit": scene.unit}
        | {name: of_regions[name][index] for name in of_regions}
        for index in range(len(places))
    ]
    return Sorted(places, rows)


def plant(scene: Scene, denoised: np.ndarray, templates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The denoised image with spurious columns, and their places (y, x, radius) [n, 3].

    Each is a true column's disc of the same denoised image, pasted into vacuum above the support: at least `FAR` from
    every true column, a diameter from each other. The counts are those of vacuum and had no part in the choice.
    """
    radius = COLUMN_RADIUS / scene.view.sampling
    reach = int(np.ceil(radius))
    shape, image, places, rng = denoised.shape, denoised.copy(), [], scene.random()
    free = likelihood.outside(shape, likelihood.with_radius(scene.columns, FAR / scene.view.sampling))
    free[:reach], free[:, :reach], free[:, -reach:] = False, False, False
    free[max(int(scene.lowest - FAR / scene.view.sampling), 0) :] = False
    dy, dx = (offsets - reach for offsets in next(likelihood.discs(shape, np.array([[reach, reach, radius]]))))
    inside = (np.minimum(templates[:, :2], np.array(shape) - templates[:, :2]) > reach + 1).all(axis=1)
    while len(places) < PLANTS and inside.any() and free.any():
        y, x = divmod(rng.choice(np.flatnonzero(free)), shape[1])
        template = templates[rng.choice(np.flatnonzero(inside))]
        from_y, from_x = np.rint(template[:2]).astype(int)
        image[y + dy, x + dx] = denoised[from_y + dy, from_x + dx]
        free &= likelihood.outside(shape, np.array([[y, x, 2 * radius]]))
        places.append((y, x, template[2]))
    return image, np.array(places, float).reshape(-1, 3)


# ---------------------------------------------------------------------------------------------------- discoveries
def discoveries(scene: Scene, denoiser, variables: dict, *, is_thinned: bool) -> dict:
    """Regions of one image, tested against vacuum at every level: false discoveries, and the share of columns found.

    Parameters
    ----------
    is_thinned : bool
        Find regions on one part of the counts and test them on the other; else both on all the counts.

    Returns
    -------
    dict
        Of `LEVELS` each: ``fdp``, the share of discoveries whose true mean is not above vacuum; where there are
        columns also ``column_fdp``, the share of those at no column, and ``power``, the share of columns discovered.
    """
    seen = tested = scene.noisy
    rate = scene.vacuum
    if is_thinned:
        part, tested = discovery.thin(scene.noisy, FRACTION, scene.random())
        seen, rate = part / FRACTION, scene.vacuum * (1 - FRACTION)
    places = scene.regions(denoise_all(denoiser, variables, seen[None, ..., None])[0, ..., 0])
    totals, pixels = discovery.region_counts(tested, places)
    p_values = discovery.p_values(totals, rate * pixels)
    null = discovery.region_counts(scene.clean, places)[0] <= scene.vacuum * pixels * (1 + 1e-6)
    near = scene.near(places)
    row = {"image": scene.name, "unit": scene.unit, "regions": len(places), "null_regions": int(null.sum())}
    for level in LEVELS:
        discovered = discovery.benjamini_hochberg(p_values, level)
        row[f"fdp_{level:g}"] = discovery.false_discovery_proportion(discovered, null)
        if len(scene.columns):
            row[f"column_fdp_{level:g}"] = discovery.false_discovery_proportion(discovered, ~near.any(axis=1))
            row[f"power_{level:g}"] = near[discovered].any(axis=0).mean()
    return row


# ---------------------------------------------------------------------------------------------------- picture
MAPS = {
    "llr_blob_region_mean": ("as the paper: one rate, mean", "nat/px"),
    "llr_column_pixel_sum": ("profile of a column, sum", "nat"),
}
_RING, _RINGED = figures.COLOURS[3], {SPURIOUS: "-", MISSED: ":"}


def draw_maps(scenes: dict[str, tuple[Scene, np.ndarray, dict[str, Sorted]]], path: Path) -> None:
    """Write a PNG of likelihood maps: noisy counts, denoised image, and its regions in the colours of two ratios.

    False positives are ringed; false negatives have a dotted ring. Colours end at 0.9 of the largest value.

    Parameters
    ----------
    shown : dict
        Label -> scene, denoised image [H, W], classes of its regions.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    boxes = [_shown(scene) for scene, *_ in scenes.values()]
    heights = [(bottom - top) / (right - left) for left, right, bottom, top in boxes]
    figure = Figure(figsize=(10.6, 2.2 * sum(heights) + 0.5 * len(scenes) + 0.2), dpi=150, layout="constrained")
    grid = figure.subplots(len(scenes), 4, squeeze=False, height_ratios=heights)
    for row, box, (label, (scene, denoised, classes)) in zip(grid, boxes, scenes.items(), strict=True):
        limits = np.percentile(scene.clean, [0.1, 99.9])
        wide = scene.noisy.mean() + np.array([-2.5, 2.5]) * scene.noisy.std()
        for axes, image, (low, high) in zip(row, (scene.noisy, *[denoised] * 3), (wide, *[limits] * 3), strict=True):
            axes.imshow(image, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
            axes.set(xlim=box[:2], ylim=box[2:], xticks=[], yticks=[])
        for axes, (score, (title, unit)) in zip(row[2:], MAPS.items(), strict=True):
            drawn = _draw_discs(axes, classes, score)
            bar = figure.colorbar(drawn, ax=axes, shrink=0.75, aspect=12)
            bar.set_label(f"log-likelihood ratio [{unit}]", fontsize=7)
            bar.ax.tick_params(labelsize=7)
            axes.set_title(f"Likelihood map\n{title}", fontsize=7)
        counted = ", ".join(f"{len(classes[name].rows)} {name.lower()}" for name in (SPURIOUS, MISSED))
        row[0].set_title(f"{label}\nnoisy, own grey scale", fontsize=7)
        row[1].set_title(f"Denoised\n{counted}", fontsize=7)
        _draw_bar(row[1], box, scene.view.sampling)
    rings = [Line2D([], [], color=_RING, linestyle=style, label=name) for name, style in _RINGED.items()]
    figure.legend(handles=rings, loc="outside lower right", ncols=2, frameon=False, fontsize=7)
    figures.save(figure, path, full_colour=True)


def _draw_discs(axes, classes: dict[str, Sorted], score: str):
    from matplotlib import colormaps
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Circle

    parts = [classes[name] for name in (TRUE, SPURIOUS)]
    values = np.array([row[score] for part in parts for row in part.rows])
    most = 0.9 * np.abs(values).max(initial=1e-9)
    discs = [Circle((x, y), radius) for part in parts for y, x, radius in part.places]
    shades = colormaps["RdBu_r"].resampled(15)  # few enough for the palette of the file
    drawn = PatchCollection(discs, cmap=shades, linewidths=0, array=values, clim=(-most, most))
    axes.add_collection(drawn)
    for name, style in _RINGED.items():
        for y, x, radius in classes[name].places:
            axes.add_patch(Circle((x, y), 1.5 * radius, fill=False, color=_RING, linewidth=1.1, linestyle=style))
    return drawn


def _draw_bar(axes, box: tuple[float, float, float, float], sampling: float) -> None:
    left, right, bottom, top = box
    length = figures.bar_length((right - left) * sampling)
    x, y = left + 0.04 * (right - left), top + 0.08 * (bottom - top)
    axes.plot([x, x + length / sampling], [y, y], color="white", linewidth=2, solid_capstyle="butt")
    text = f"{length / 10:g} nm" if length >= 10 else f"{length:g} Å"
    axes.text(x + length / sampling / 2, y + 3, text, color="white", fontsize=7, ha="center", va="top")


def _shown(scene: Scene) -> tuple[float, float, float, float]:
    """Part of an image that is shown [px]: left, right, bottom, top; from its top to the first row of the support."""
    x0, _, x1, _ = scene.view.particle_box
    left, right = scene.view.pixels([x0 - 5.0, x1 + 5.0])
    return max(left, 0.0), min(right, scene.clean.shape[1] - 1.0), scene.lowest + 2.0 / scene.view.sampling, 0.0
