"""Single adatoms in a dark-field frame: how far they stand out of the background, and how many of them are found.

Adatoms are bright; of a bright-field frame give the negative. Positions are (y, x) in Å in the frame, y down, origin at
the centre of pixel (0, 0): the truth of a data set, with the adatoms beyond the edges that still reach into the frame.

References
----------
Thornley et al., "Noise2Void for Denoising Atomic Resolution STEM Images", Figures 1b, 4 and S1. The paper gives
signal-to-noise ratios but no formula for them; what is here is defined here.
Lindeberg, "Feature detection with automatic scale selection", Int. J. Comput. Vision 30, 1998 (LoG blobs).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_laplace
from scipy.spatial import KDTree
from skimage.feature import peak_local_max

from stemjax.metrics.atoms import RATIOS, match, ratios
from stemjax.metrics.profiles import values_at

FEWEST_PIXELS = 50  # of a background, for a standard deviation worth the name
THRESHOLDS = 60  # tried by `best_threshold`


@dataclass(frozen=True)
class Window:
    """Where the background of an adatom is measured: farther than `inner` from every adatom, within `outer` of it [Å].

    The defaults clear the tails of an adatom blurred by 0.8 Å, and hold some 800 pixels of 0.46 Å and three cells of
    the lattice across.
    """

    inner: float = 2.5
    outer: float = 8.0


def backgrounds(
    image: np.ndarray, positions: np.ndarray, sampling: float, window: Window = Window()
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the background around each adatom.

    Parameters
    ----------
    image : float [H, W]
    positions : float [n, 2]
        All adatoms (y, x) [Å].
    sampling : float
        Pixel size [Å].

    Returns
    -------
    mean, deviation : float [n]
        In the unit of the image; NaN where the window holds fewer than 50 pixels.
    """
    mean, deviation = np.full((2, len(positions)), np.nan)
    if not len(positions):
        return mean, deviation
    pixels = np.indices(np.shape(image)).reshape(2, -1).T * sampling
    nearest, _ = KDTree(positions).query(pixels, distance_upper_bound=window.inner)
    empty = np.isinf(nearest)
    places, values = KDTree(pixels[empty]), np.asarray(image, np.float64).ravel()[empty]
    for index, around in enumerate(places.query_ball_point(positions, window.outer)):
        if len(around) >= FEWEST_PIXELS:
            mean[index], deviation[index] = values[around].mean(), values[around].std()
    return mean, deviation


def inside(positions: np.ndarray, shape: tuple[int, int], sampling: float, margin: float) -> np.ndarray:
    """Which positions [n, 2] lie in the frame, at least `margin` [Å] from the centres of its outermost pixels: bool."""
    last = (np.array(shape) - 1) * sampling - margin
    return ((positions >= margin) & (positions <= last)).all(axis=-1)


def adatom_snr(
    image: np.ndarray, positions: np.ndarray, sampling: float, window: Window = Window(), margin: float = 2.0
) -> float:
    """Signal-to-noise ratio of adatoms at known positions.

        SNR = mean over adatoms a of (I(p_a) - mean B_a) / std B_a

    I(p_a) is the image at the true position, interpolated with cubic splines; B_a are the pixels of `window`.

    Parameters
    ----------
    image : float [H, W]
        Adatoms are bright.
    positions : float [n, 2]
        All adatoms (y, x) [Å]; those less than `margin` from the edge only keep the background clear.

    Returns
    -------
    float
        Dimensionless; 0 for an image of one value.

    Raises
    ------
    ValueError
        If no adatom has a background.

    Notes
    -----
    The value at the true position, not the largest value near it: that would grow with the noise. The deviation holds
    the lattice too, so a clean frame has a finite SNR. It is a ratio: a denoiser that wipes out the background, noise
    and lattice alike, scores high.
    """
    if np.ptp(image) == 0:
        return 0.0
    mean, deviation = backgrounds(image, positions, sampling, window)
    seen = inside(positions, np.shape(image), sampling, margin) & np.isfinite(mean)
    if not seen.any():
        raise ValueError("no adatom with a background around it in this frame: its SNR is not defined, leave it out")
    return float(np.mean((values_at(image, positions[seen], sampling) - mean[seen]) / deviation[seen]))


# ---------------------------------------------------------------------------------------------------- finding
@dataclass(frozen=True)
class AdatomFinder:
    """Adatoms as the local maxima of the Laplacian of Gaussian, R = -sigma² LoG(sigma) * I.

    Parameters
    ----------
    sigma : float
        Standard deviation of the Gaussian [Å]; the default is that of an adatom blurred by 0.7 Å. The response of a
        Gaussian of height A and the same deviation is A / 2.
    separation : float
        Of two maxima nearer than this, along y and along x, the weaker is dropped [Å]. The adatoms of the data sets
        keep 3.4 Å.
    """

    sigma: float = 0.5
    separation: float = 2.0

    def find(self, image: np.ndarray, sampling: float) -> tuple[np.ndarray, np.ndarray]:
        """Candidates in a frame [H, W], the strongest first: places (y, x) [n, 2] in Å, and their responses [n] > 0.

        The threshold comes afterwards, ``places[response >= threshold]``: maxima are suppressed by stronger ones only,
        so it makes no difference to the rest.
        """
        sigma = self.sigma / sampling
        response = -(sigma**2) * gaussian_laplace(np.asarray(image, np.float64), sigma)
        apart = max(int(np.ceil(self.separation / sampling)) - 1, 1)
        # An image of one value has a response of rounding errors.
        lowest = 1e-9 * np.abs(image).max()
        peaks = peak_local_max(response, min_distance=apart, threshold_abs=lowest, exclude_border=False)
        responses = response[tuple(peaks.T)]
        order = np.argsort(-responses, kind="stable")
        return peaks[order] * sampling, responses[order]


def best_threshold(
    candidates: Sequence[tuple[np.ndarray, np.ndarray]],
    truths: Sequence[np.ndarray],
    shape: tuple[int, int],
    sampling: float,
    tolerance: float = 1.0,
    margin: float = 2.0,
) -> float:
    """The threshold with the highest mean F1 over frames: for validation movies, and for each method anew.

    Parameters
    ----------
    candidates : sequence of (places, response)
        What `AdatomFinder.find` returned for each frame.
    truths : sequence of float [n, 2]
        True positions in each frame [Å].
    shape, sampling, tolerance, margin
        As in `compare_adatoms`.

    Returns
    -------
    float
        In the unit of the images. Of 60 tried, quantiles of the strongest responses, as many as three times the
        adatoms; of equally good ones the middle one.
    """
    response = np.sort(np.concatenate([heights for _, heights in candidates]))[::-1]
    if not len(response):
        return 0.0
    response = response[: 3 * max(sum(map(len, truths)), THRESHOLDS)]
    tried = np.unique(np.quantile(response, np.linspace(0, 1, THRESHOLDS)))
    scores = [
        np.mean(
            [
                compare_adatoms(truth, places[heights >= threshold], shape, sampling, tolerance, margin)["adatom_f1"]
                for (places, heights), truth in zip(candidates, truths, strict=True)
            ]
        )
        for threshold in tried
    ]
    best = tried[np.isclose(scores, np.max(scores))]
    return float(best[len(best) // 2])


def compare_adatoms(
    truth: np.ndarray,
    candidates: np.ndarray,
    shape: tuple[int, int],
    sampling: float,
    tolerance: float = 1.0,
    margin: float = 2.0,
) -> dict[str, float]:
    """Found adatoms against the true ones, one to one: `stemjax.metrics.atoms.match`.

        precision = shared / (shared + extra),   recall = shared / (shared + missing),   F1, Jaccard as in `atoms`

    All are matched first, those near and beyond the edge too. Then a pair counts where its true adatom lies inside the
    margin, a missing adatom where it does, and a found one without a partner where it does itself. So a pair that
    straddles the margin is never half a mistake, and no one gains or loses by what is outside.

    Parameters
    ----------
    truth, candidates : float [n, 2], [m, 2]
        Positions (y, x) [Å]. The truth includes adatoms up to `tolerance` beyond the edge.
    shape : (int, int)
        Of the frame [px].
    sampling : float
        Pixel size [Å].
    tolerance : float
        Largest distance of a pair [Å].
    margin : float
        Width of the edge that is left out [Å].

    Returns
    -------
    dict
        ``adatom_precision``, ``adatom_recall``, ``adatom_f1``, ``adatom_jaccard``, each in 0..1. All are 1 where there
        are none and none were found, and 0 where only one side has any.
    """
    truth, candidates = (np.asarray(points, float).reshape(-1, 2) for points in (truth, candidates))
    pairs = match(truth, candidates, tolerance)
    true_inside = inside(truth, shape, sampling, margin)
    lonely = np.delete(candidates, pairs[:, 1], axis=0)
    shared = int(true_inside[pairs[:, 0]].sum())
    extra = int(inside(lonely, shape, sampling, margin).sum())
    scores = ratios(shared, int(true_inside.sum()), shared + extra, extra)
    return {f"adatom_{name}": scores[name] for name in RATIOS}
