"""How strongly the counts themselves speak for an atomic column that a denoiser shows: likelihood maps.

Regions are blobs in the Laplacian of Gaussian of the denoised image, each a disc of radius sqrt(2) sigma. With the
counts y of a disc, the rates x that the denoiser claims there, and the rate v of vacuum, the log-likelihood ratio of
"column" against "vacuum" is

    sum over the disc of  log Poisson(y; x) - log Poisson(y; v) = y log(x / v) - (x - v),

where x is one rate for the whole disc, its mean ("region"), or the denoised image pixel by pixel ("pixel"), and the sum
may be divided by the number of pixels ("mean"). Natural logarithms throughout: the unit is the nat.

The counts that speak are those that made the denoiser show a column, so even a spurious one has a ratio above zero on
average. A ratio is therefore calibrated on simulated images (`stemjax.metrics.calibration`), or the counts are split
beforehand (`stemjax.metrics.discovery`).

References
----------
Mohan et al., "Deep Denoising for Scientific Discovery", arXiv:2010.12970, section 3.4 and equation 3.2: a product over
the disc, here "sum"; the figures of the paper show "mean".
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, xlogy
from skimage.draw import disk
from skimage.feature import blob_log

from stemjax.metrics.atoms import PAPER_SAMPLING

RATES, KINDS = ("region", "pixel"), ("mean", "sum")
RATIOS = tuple(f"{rate}_{kind}" for rate in RATES for kind in KINDS)
LOWEST_RATE = 0.01  # of vacuum: a denoised pixel below it counts as this much, since no rate is negative


@dataclass(frozen=True)
class RegionFinder:
    """How regions are found. The defaults are the paper's, at its 0.0624 Å/px.

    Parameters
    ----------
    smallest, largest : float
        Standard deviation of the LoG [Å]: 1 and 20 px of the paper.
    steps : int
        Standard deviations tried, evenly spaced.
    threshold : float
        Lowest response -sigma^2 LoG, in the unit in which vacuum is 0.45.
    overlap : float
        Of two blobs that share more than this part of their area one is dropped.
    """

    smallest: float = 1 * PAPER_SAMPLING
    largest: float = 20 * PAPER_SAMPLING
    steps: int = 10
    threshold: float = 0.03
    overlap: float = 0.5

    def find(self, denoised: np.ndarray, sampling: float) -> np.ndarray:
        """Regions of a denoised image [H, W] in counts over the dose scale: rows (y, x, radius) [px], float [n, 3]."""
        sigmas = self.smallest / sampling, self.largest / sampling
        blobs = blob_log(denoised, *sigmas, self.steps, threshold=self.threshold, overlap=self.overlap)
        return blobs.reshape(-1, 3).astype(float) * (1, 1, np.sqrt(2))


def with_radius(places: np.ndarray, radius: float) -> np.ndarray:
    """The same places (y, x, ...) [n, 2 or 3], each with this radius [px], float [n, 3]."""
    return np.column_stack([places[:, :2], np.full(len(places), radius)])


def discs(shape: tuple[int, int], places: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows and columns of the pixels of each disc (y, x, radius) [px], clipped to the image."""
    return (disk((y, x), radius, shape=shape) for y, x, radius in places)


def outside(shape: tuple[int, int], places: np.ndarray, border: float = 0.0) -> np.ndarray:
    """Pixels farther than `border` [px] from every disc: the vacuum of the paper, where `border` is 25 px; bool [H, W].

    Where the image shows a support, that must be cut off first.
    """
    empty = np.ones(shape, bool)
    for pixels in discs(shape, places + (0, 0, border)):
        empty[pixels] = False
    return empty


def log_likelihood(counts: np.ndarray, rate: np.ndarray | float) -> np.ndarray:
    """log Poisson(counts; rate) per pixel [nat], ``y log x - x - log y!``."""
    return xlogy(counts, rate) - rate - gammaln(np.asarray(counts, float) + 1)


def log_ratios(noisy: np.ndarray, denoised: np.ndarray, places: np.ndarray, vacuum: float) -> dict[str, np.ndarray]:
    """Log-likelihood ratio of "column" against "vacuum" of every region, by each of `RATIOS`.

    Parameters
    ----------
    noisy, denoised : [H, W]
        Counts, and the rates that the denoiser claims [counts].
    places : float [n, 3]
        Discs (y, x, radius) [px].
    vacuum : float
        Rate of vacuum [counts per pixel]. The paper's text takes the mean of noisy vacuum pixels, its code the mean of
        denoised ones or the known 0.45; with a window of vacuum, the first two are ``image[window].mean()``.

    Returns
    -------
    dict
        Name -> float [n]; "mean" in nats per pixel, "sum" in nats.

    Notes
    -----
    A ratio has no direction: a disc that is darker than vacuum speaks against vacuum too. The test of
    `stemjax.metrics.discovery` is one-sided.
    """
    ratios = {name: np.zeros(len(places)) for name in RATIOS}
    for index, pixels in enumerate(discs(noisy.shape, places)):
        counts, rates = np.asarray(noisy[pixels], float), np.asarray(denoised[pixels], float)
        empty = log_likelihood(counts, vacuum)
        for name, rate in zip(RATES, (rates.mean(), rates), strict=True):
            ratio = log_likelihood(counts, np.maximum(rate, LOWEST_RATE * vacuum)) - empty
            ratios[f"{name}_mean"][index], ratios[f"{name}_sum"][index] = ratio.mean(), ratio.sum()
    return ratios
