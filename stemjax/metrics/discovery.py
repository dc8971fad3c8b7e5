"""Which regions of a denoised image are more than vacuum, with a bound on the share of false discoveries.

A region that was chosen because its counts are high, and is then tested on the same counts, looks significant even in
pure vacuum. So the counts are thinned first: every electron goes to the one part with probability p, to the other with
1 - p. If counts are Poisson, the two parts are independent Poisson counts of rates p x and (1 - p) x.

    counts -> thin -> part    -> denoise (part / p) -> find regions
                   -> the rest -> p-value of each region's total -> Benjamini and Hochberg -> discoveries

The null hypothesis of a region is that its mean rate is not above that of vacuum. It is about electrons, not atoms: a
Fresnel fringe is brighter than vacuum and rightly found.

Notes
-----
The denoiser sees p times the dose. A bias-free network is homogeneous, f(a y) = a f(y), so that ``f(part / p)`` has the
right brightness; its noise is still that of the lower dose, so that it denoises less well than it does the whole.

References
----------
Neufeld, Dharamshi, Gao, Witten, "Data thinning for convolution-closed distributions", J. Mach. Learn. Res. 25, 2024.
Przyborowski and Wilenski, "Homogeneity of results in testing samples from Poisson series", Biometrika 31, 1940.
Benjamini and Hochberg, "Controlling the false discovery rate", J. R. Stat. Soc. B 57, 1995.
Benjamini and Yekutieli, "The control of the false discovery rate in multiple testing under dependency", Ann. Stat. 29,
2001 (regions that overlap are positively dependent, for which the bound holds).
"""

import numpy as np
from scipy.stats import binom, poisson

from stemjax.metrics.likelihood import discs


def thin(counts: np.ndarray, fraction: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Divide Poisson counts into two independent parts, ``Binomial(counts, fraction)`` and the rest.

    Parameters
    ----------
    counts : whole numbers, any shape
    fraction : float
        Part of the dose that goes to the first one, between 0 and 1.

    Raises
    ------
    ValueError
        If there is a negative or broken number: such counts were averaged, scaled or interpolated, and are not Poisson.
    """
    whole = np.asarray(counts).astype(np.int64)
    if (whole != counts).any() or whole.min(initial=0) < 0:
        raise ValueError("only whole counts of 0 and more can be thinned; give the electrons that the camera counted")
    if not 0 < fraction < 1:
        raise ValueError(f"a fraction of {fraction:g} leaves nothing for one of the parts; choose one between 0 and 1")
    part = rng.binomial(whole, fraction)
    return part.astype(np.float32), (whole - part).astype(np.float32)


def region_counts(counts: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Total counts and number of pixels of every disc (y, x, radius) [px], each [n]."""
    pixels = list(discs(counts.shape, places))
    return np.array([counts[p].sum() for p in pixels], float), np.array([len(p[0]) for p in pixels], int)


def p_values(totals: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """One-sided exact test against a known rate: P(Poisson(expected) >= totals), each [n] in counts."""
    return poisson.sf(np.asarray(totals) - 1, expected)


def p_values_against_window(
    totals: np.ndarray, pixels: np.ndarray, window_total: float, window_pixels: int
) -> np.ndarray:
    """One-sided exact test against a vacuum whose rate is known only from a window of it, apart from the regions.

    Given the sum of both, a region's total is Binomial(sum, share of its pixels) if the rates are equal.

    Parameters
    ----------
    totals, pixels : [n]
        Counts and number of pixels of the regions.
    window_total, window_pixels : float, int
        The same of the window, chosen without a look at these counts.
    """
    share = np.asarray(pixels) / (np.asarray(pixels) + window_pixels)
    return binom.sf(np.asarray(totals) - 1, np.asarray(totals) + window_total, share)


def benjamini_hochberg(p_values: np.ndarray, level: float) -> np.ndarray:
    """Hypotheses to reject so that the false discovery rate is at most `level`, bool [n].

    All up to the largest k with p_(k) <= level k / n, for independent or positively dependent p-values.
    """
    p_values = np.asarray(p_values, float)
    order = np.argsort(p_values)
    below = np.flatnonzero(p_values[order] <= level * np.arange(1, len(p_values) + 1) / len(p_values))
    rejected = np.zeros(len(p_values), bool)
    rejected[order[: below[-1] + 1 if len(below) else 0]] = True
    return rejected


def false_discovery_proportion(rejected: np.ndarray, null: np.ndarray) -> float:
    """Share of true null hypotheses among the rejected ones; 0 where none is rejected. Its mean is the rate."""
    return float((rejected & null).sum() / max(rejected.sum(), 1))
