"""Atomic columns in an image of a particle, its surface by an alpha shape, and how many of them survive denoising.

Columns are blobs in the Laplacian of Gaussian (LoG). Those at the rim of the alpha shape, except along the interface to
the support, are the surface; the others are bulk. With the columns C of the clean image and D of the denoised one,

    shared = {c in C : some d in D lies within the tolerance},  missing = |C| - shared,  extra = {d : no c within it},
    precision = shared / |D|,   recall = shared / |C|,
    F1 = 2 shared / (2 shared + missing + extra),   Jaccard = shared / (shared + missing + extra),

once for all columns, once for surface and once for bulk columns (`compare`). This is not one-to-one: two columns that
merge into one between them are both shared. `compare_with_model` is stricter: the columns of the atomic model take the
place of C, and each found column belongs to at most one of them.

Positions are in Å in the frame of the simulated cell, (y, x) with y down; images have a vacuum of 0.45.

References
----------
Mohan et al., "Deep Denoising for Scientific Discovery", arXiv:2010.12970, section 5.3 (its equations 5.1 and 5.2 print
the two denominators swapped; this follows its words).
Lindeberg, "Feature detection with automatic scale selection", Int. J. Comput. Vision 30, 1998 (LoG blobs).
Edelsbrunner, Kirkpatrick, Seidel, "On the shape of a set of points in the plane", IEEE Trans. Inf. Theory 29, 1983.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial import Delaunay, QhullError
from scipy.spatial.distance import cdist
from skimage.feature import blob_log

PAPER_SAMPLING = 0.0624  # Å/px of the paper's images of 803 px, in which it gives its lengths
VACUUM = 0.45  # counts per pixel of the paper's vacuum, in whose unit the thresholds are
PARTS = ("all", "surface", "bulk")
RATIOS = ("precision", "recall", "f1", "jaccard")


@dataclass(frozen=True)
class Finder:
    """How columns are found and which of them are surface. The defaults are the paper's.

    Parameters
    ----------
    sigma : float
        Standard deviation of the LoG [Å]: 8 px of the paper. The radius of a blob is sqrt(2) sigma.
    smallest_radius : float
        Smaller blobs are dropped [Å]: 9 px.
    overlap : float
        Of two blobs that share more than this part of their area one is dropped.
    threshold_clean, threshold_denoised : float
        Lowest response -sigma^2 LoG, in the unit of the image.
    alpha : float
        Largest circumradius of a triangle that belongs to the alpha shape [Å]: 40 px.
    tolerance : float
        Largest distance of two columns that match [Å]: 10 px.
    above, beside, below : float
        The region that is looked at reaches so far beyond the outermost columns of the particle [Å].
    interface : float
        Columns less than this above the particle's last row, or below it, make no surface among themselves [Å].

    Notes
    -----
    The paper looks at rows 100 to 359 and columns 90 to 579, and its surface is above y = 330 px. The particle of its
    surface set measures 24.4 x 9.2 Å, which leaves `above` + `below` and 2 `beside`; `interface` + `below` are rows 330
    to 359. Where between these its last row lies is not said. `below` is the widest at which clean images of the set
    show no column but those of the model, at either threshold: farther down the cut through the Ce columns shows too.
    """

    sigma: float = 8 * PAPER_SAMPLING
    smallest_radius: float = 9 * PAPER_SAMPLING
    overlap: float = 0.5
    threshold_clean: float = 0.02
    threshold_denoised: float = 0.0145
    alpha: float = 40 * PAPER_SAMPLING
    tolerance: float = 10 * PAPER_SAMPLING
    above: float = 6.4
    beside: float = 3.1
    below: float = 0.6
    interface: float = 1.2


@dataclass(frozen=True)
class View:
    """What of the cell an image shows, and where the particle is.

    Parameters
    ----------
    sampling : float
        Pixel size [Å].
    origin : float
        Position of the first pixel, along x as along y [Å].
    particle_box : (x0, y0, x1, y1)
        Outermost columns of the particle [Å], as in a data set's manifest.
    """

    sampling: float
    origin: float
    particle_box: tuple[float, float, float, float]

    def pixels(self, position):
        """Pixel coordinate of a position [Å]."""
        return (np.asarray(position) - self.origin) / self.sampling


@dataclass(frozen=True)
class Columns:
    """Atomic columns: places (y, x, radius) [n, 3] in Å, and whether each lies at the surface, bool [n]."""

    places: np.ndarray
    surface: np.ndarray

    def __len__(self) -> int:
        return len(self.places)

    def part(self, name: str) -> "Columns":
        """All, surface or bulk columns."""
        chosen = {"all": np.ones_like(self.surface), "surface": self.surface, "bulk": ~self.surface}[name]
        return Columns(self.places[chosen], self.surface[chosen])


# ---------------------------------------------------------------------------------------------------- finding
def find_columns(image: np.ndarray, view: View, threshold: float, finder: Finder = Finder()) -> Columns:
    """Columns of the particle in an image.

    Parameters
    ----------
    image : float [H, W]
        In counts over the dose scale, so that vacuum is 0.45; bright columns.
    threshold : float
        `finder.threshold_clean` or `finder.threshold_denoised`.
    """
    x0, y0, x1, y1 = view.particle_box
    columns, rows = (
        slice(*np.clip(np.rint(view.pixels(ends)), 0, size).astype(int))
        for ends, size in (
            ((x0 - finder.beside, x1 + finder.beside), image.shape[1]),
            ((y0 - finder.above, y1 + finder.below), image.shape[0]),
        )
    )
    looked_at = np.full(image.shape, VACUUM, float)
    looked_at[rows, columns] = image[rows, columns]
    sigma = finder.sigma / view.sampling
    blobs = blob_log(looked_at, sigma, sigma, num_sigma=1, threshold=threshold, overlap=finder.overlap)
    places = blobs.reshape(-1, 3) * (1, 1, np.sqrt(2)) * view.sampling + (view.origin, view.origin, 0)
    places = places[places[:, 2] > finder.smallest_radius]
    return Columns(places, surface_of(places[:, :2], finder.alpha, y1 - finder.interface))


def surface_of(points: np.ndarray, alpha: float, lowest: float) -> np.ndarray:
    """Which points (y, x) [n, 2] are ends of an edge of the alpha shape, of which one end at least is above `lowest`.

    An edge of the alpha shape belongs to exactly one Delaunay triangle with a circumradius below `alpha`. Fewer than
    three points, or points on one line, have no triangle: none of them is a surface.

    Returns
    -------
    bool [n]
    """
    surface = np.zeros(len(points), bool)
    triangles = _triangles(points)
    kept = triangles[circumradii(points[triangles]) < alpha]
    edges = np.sort(np.concatenate([kept[:, [0, 1]], kept[:, [1, 2]], kept[:, [2, 0]]]), axis=1)
    edges, uses = np.unique(edges, axis=0, return_counts=True)
    rim = edges[uses == 1]
    surface[rim[(points[rim, 0] < lowest).any(axis=1)]] = True
    return surface


def _triangles(points: np.ndarray) -> np.ndarray:
    """Delaunay triangles, int [m, 3]."""
    try:
        return Delaunay(points).simplices
    except (QhullError, ValueError):  # on one line; fewer than three
        return np.zeros((0, 3), int)


def circumradii(triangles: np.ndarray) -> np.ndarray:
    """Circumradius a b c / (4 area) of triangles [m, 3, 2], float [m]; infinite where the area is zero."""
    sides = np.linalg.norm(triangles - np.roll(triangles, 1, axis=1), axis=2)
    (uy, ux), (vy, vx) = (np.moveaxis(triangles[:, k] - triangles[:, 0], 1, 0) for k in (1, 2))
    twice_area = np.abs(uy * vx - ux * vy)
    radii = np.full(len(triangles), np.inf)
    return np.divide(sides.prod(axis=1), 2 * twice_area, out=radii, where=twice_area > 0)


# ---------------------------------------------------------------------------------------------------- comparing
def compare(clean: Columns, denoised: Columns, tolerance: float = Finder.tolerance) -> dict[str, float]:
    """The paper's scores: ``all_precision``, ``surface_f1`` and so on, each in 0..1.

    Notes
    -----
    Where both sets are empty all four ratios are 1; where one is, they are 0. Precision stops at 1, above which two
    clean columns that share a denoised one would lift it. The paper measures distances over (y, x, radius); so does
    this, though with one sigma all radii are equal.
    """
    scores = {}
    for part in PARTS:
        ours, theirs = clean.part(part), denoised.part(part)
        near = cdist(ours.places, theirs.places) <= tolerance
        shared, extra = int(near.any(axis=1).sum()), int((~near.any(axis=0)).sum())
        scores |= {f"{part}_{name}": value for name, value in ratios(shared, len(ours), len(theirs), extra).items()}
    return scores


def compare_with_model(model: Columns, columns: Columns, tolerance: float = Finder.tolerance) -> dict[str, float]:
    """The stricter scores: ``strict_all_precision``, ``strict_surface_f1`` and so on, each in 0..1.

    Found columns are assigned one-to-one to columns of the model: as many pairs within the tolerance as there can be,
    and among those the smallest sum of squared distances. A pair is surface or bulk as the model says; a found column
    without a partner is what the nearest column of the model is (surface, if there is none). So every column counts
    once, and scores judge what was found, not how the alpha shape labels it: columns found all over the vacuum would
    make their own rim and turn the particle's into bulk.
    """
    pairs = match(model.places[:, :2], columns.places[:, :2], tolerance)
    lonely = np.delete(columns.places[:, :2], pairs[:, 1], axis=0)
    at_surface = np.ones(len(lonely), bool)
    if len(model):
        at_surface = model.surface[cdist(lonely, model.places[:, :2]).argmin(axis=1)]
    shared, extra = Columns(model.places[pairs[:, 0]], model.surface[pairs[:, 0]]), Columns(lonely, at_surface)
    scores = {}
    for part in PARTS:
        right, wrong = len(shared.part(part)), len(extra.part(part))
        part_scores = ratios(right, len(model.part(part)), right + wrong, wrong)
        scores |= {f"strict_{part}_{name}": value for name, value in part_scores.items()}
    return scores


def match(ours: np.ndarray, theirs: np.ndarray, tolerance: float) -> np.ndarray:
    """One-to-one pairs (index of ours, index of theirs) of points [n, 2] and [m, 2] within the tolerance, int [k, 2].

    The Hungarian method; a pair farther apart costs more than all that are near together, so it is taken only where
    there is no other, and then dropped.
    """
    squared = cdist(ours, theirs, "sqeuclidean")
    near = squared <= tolerance**2
    far = tolerance**2 * (min(squared.shape) + 1)
    pairs = np.stack(linear_sum_assignment(np.where(near, squared, far)), axis=1)
    return pairs[near[pairs[:, 0], pairs[:, 1]]]


def ratios(shared: int, clean: int, denoised: int, extra: int) -> dict[str, float]:
    """Precision, recall, F1 and Jaccard from counts; see `compare` for empty sets."""
    if not clean or not denoised:
        return dict.fromkeys(RATIOS, float(clean == denoised))
    wrong = clean - shared + extra
    values = (min(shared / denoised, 1.0), shared / clean, 2 * shared / (2 * shared + wrong), shared / (shared + wrong))
    return dict(zip(RATIOS, values, strict=True))
