"""Tests of a movie's counts against Poisson noise, exact in what they condition on.

Given the sum S of a pixel over T frames, its Poisson counts are multinomial whatever its rate: the count of one frame
is Binomial(S, 1/T). So what is expected of a histogram or of a variance, and how far it strays, is known pixel by
pixel, and no rate has to be known or fitted.

References
----------
Fisher, Thornton, Mackenzie, "The accuracy of the plating method of estimating the density of bacterial populations",
Annals of Applied Biology 9, 1922 (the index of dispersion).
Mohan et al., arXiv:2010.12970, Figure 4.1.
"""

import numpy as np
from scipy.special import gammaln, xlogy
from scipy.stats import chi2, norm

FEWEST_EXPECTED = 5.0
TAIL = 10  # counts beyond the highest one found, so that next to nothing is expected beyond them


def dispersion_test(movie: np.ndarray) -> float:
    """p-value of the index of dispersion under Poisson noise, two-sided.

        D = sum over pixels and frames of (y - m)² / m,   mean T - 1 and variance 2 (T - 1) (1 - 1 / S) of each pixel

    Parameters
    ----------
    movie : whole numbers from 0, [T, H, W]
        A pixel without any count says nothing and is left out.
    """
    frames, sums = len(movie), movie.sum(axis=0, dtype=np.float64)
    seen = sums > 0
    sums, mean = sums[seen], sums[seen] / frames
    squares = np.sum([np.square(frame[seen] - mean) for frame in movie], axis=0)
    excess = np.sum(squares / mean - (frames - 1))
    return float(2 * norm.sf(abs(excess) / np.sqrt(np.sum(2 * (frames - 1) * (1 - 1 / sums)))))


def histogram_test(movie: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Histogram of counts against the Poisson law of every pixel's own mean.

        X² = (O - E)' C⁺ (O - E),   E and C conditional on the sum of each pixel over the frames

    Parameters
    ----------
    movie : whole numbers from 0, [T, H, W]

    Returns
    -------
    p_value : float
        Of chi-squared with as many degrees of freedom as C has rank; counts expected fewer than 5 times stand together.
    observed, expected : float [K]
    """
    frames, highest = len(movie), int(movie.max()) + TAIL
    observed = np.bincount(movie.astype(np.int64).ravel(), minlength=highest + 1).astype(float)
    sums, pixels = np.unique(movie.sum(axis=0, dtype=np.float64).astype(np.int64), return_counts=True)
    k = np.arange(highest + 1)
    expected, covariance = np.zeros(len(k)), np.zeros((len(k), len(k)))
    for total, number in zip(sums, pixels, strict=True):
        one, two = _multinomial(k, total, frames)
        expected += number * frames * one
        covariance += number * frames * (np.diag(one) - one[:, None] * one)
        covariance += number * frames * (frames - 1) * (two - one[:, None] * one)
    classes = _classes(expected)
    difference = np.bincount(classes, observed - expected)
    join = np.eye(classes[-1] + 1)[classes]
    values, vectors = np.linalg.eigh(join.T @ covariance @ join)
    kept = values > 1e-9 * values[-1]
    statistic = np.sum((vectors.T @ difference)[kept] ** 2 / values[kept])
    return float(chi2.sf(statistic, kept.sum())), observed, expected


def _multinomial(k: np.ndarray, total: int, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """P(count of a frame = k) [K], and P(k in one frame, l in another) [K, K], given their sum over all frames."""
    rest = total - k
    one = gammaln(total + 1) - gammaln(k + 1) - gammaln(np.maximum(rest, 0) + 1)
    one = one - k * np.log(frames) + rest * np.log1p(-1 / frames)
    left = total - k[:, None] - k
    two = gammaln(total + 1) - gammaln(k + 1)[:, None] - gammaln(k + 1) - gammaln(np.maximum(left, 0) + 1)
    two = two - (k[:, None] + k) * np.log(frames) + xlogy(left, 1 - 2 / frames)
    return np.where(rest >= 0, np.exp(np.where(rest >= 0, one, 0)), 0), np.where(
        left >= 0, np.exp(np.where(left >= 0, two, 0)), 0
    )


def _classes(expected: np.ndarray) -> np.ndarray:
    """Class of each count, int [K]: neighbours stand together until 5 are expected, the rest joins the last class."""
    classes, number, held = [], 0, 0.0
    for index, value in enumerate(expected):
        classes.append(number)
        held += value
        if held >= FEWEST_EXPECTED and expected[index + 1 :].sum() >= FEWEST_EXPECTED:
            number, held = number + 1, 0.0
    return np.array(classes)
