"""Is the noise of a movie Poisson? Its histogram, and how its variance grows with its mean.

A camera that reads y = gain N + offset + read_noise n, with counts N ~ Poisson and n ~ Normal(0, 1), has the moments

    mean      M = gain N̄ + offset
    variance  V = gain (M - offset) + read_noise²         the mean-variance line, or photon transfer curve
    skewness  E (y - M)³ = gain² (M - offset)

and electron counting is gain 1, offset 0, read noise 0. The pixels of a stationary movie have these moments over its
frames, whatever the image. For the line, pixels are told apart by their mean in one half of the frames and the moments
are taken in the other: the luck of a pixel's draws would tilt it otherwise. In a single image the four pixels of every
2 x 2 block stand in for frames, so it has to be flat on that scale.

Whole numbers are tested against the Poisson law as well, see `poisson_test`.

References
----------
Mohan et al., arXiv:2010.12970, Figure 4.1.
Janesick, "Photon Transfer", SPIE Press, 2007.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter
from scipy.stats import chi2

from stemjax.metrics.poisson_test import dispersion_test, histogram_test

ALPHA = 0.01  # chance that Poisson noise is refused
FEWEST_FRAMES = 4
LARGEST_COUNT = 63  # of a histogram: beyond, Poisson noise shows in its variance
NEIGHBOURHOOD = 5  # px over which the means that tell pixels apart are averaged
GROUPS, BINS = 12, 60  # points of the mean-variance line; bins of the histogram of what are not small counts
BLOCKS, DRAWS = 8, 1000  # blocks to a side, and draws of them, for the intervals
ESTIMATED = ("dispersion", "gain", "intercept", "offset", "read_variance")
CORRELATED = 0.02  # between neighbouring pixels, from which the noise is not white


@dataclass(frozen=True)
class Estimate:
    """A value with the ends of its 95 % interval: bootstrap over blocks of the image."""

    value: float
    low: float
    high: float

    def excludes(self, value: float) -> bool:
        """Whether the interval does not contain a value."""
        return not self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class NoiseCheck:
    """What the noise of a movie looks like. Lengths in the unit of the file, variances in its square.

    Parameters
    ----------
    frames, pixels : int
        Frames, and pixels of each.
    mean : float
    dispersion : Estimate
        Variance over mean; 1 for Poisson noise.
    gain, intercept : Estimate
        Slope and intercept of the mean-variance line; 1 and 0 for Poisson noise.
    offset, read_variance : Estimate
        From the three moments; 0 and 0 for Poisson noise.
    is_whole : bool
        Whether all values are whole numbers, none of them negative.
    p_value : float or None
        Under Poisson noise, of the histogram, or with counts above 63 of the dispersion; None without whole numbers.
    levels, observed, expected : float [K]
        Histogram of all values, by count or in 60 bins, and what Poisson noise makes of it; `expected` is empty where
        it was not tested.
    correlation : float or None
        Of the noise of neighbouring pixels; None for a single image.
    is_steady : bool
        Whether the frames agree in mean to within the noise.
    group_means, group_variances : float [12]
        Points of the mean-variance line.
    """

    frames: int
    pixels: int
    mean: float
    dispersion: Estimate
    gain: Estimate
    intercept: Estimate
    offset: Estimate
    read_variance: Estimate
    is_whole: bool
    p_value: float | None
    levels: np.ndarray
    observed: np.ndarray
    expected: np.ndarray
    correlation: float | None
    is_steady: bool
    group_means: np.ndarray
    group_variances: np.ndarray

    @property
    def verdict(self) -> str:
        """ "Poisson", which Poisson noise is denied in 1 of 100 cases, or in which way it is not."""
        if self.p_value is not None and self.p_value >= ALPHA:
            return "Poisson"
        if not self.dispersion.excludes(1.0):
            return "not Poisson"
        return "over-dispersed" if self.dispersion.value > 1 else "under-dispersed"

    @property
    def has_line(self) -> bool:
        """Whether the image has the contrast that a mean-variance line needs."""
        return self.gain.high - self.gain.low < 0.5 * abs(self.gain.value)

    def remarks(self) -> list[str]:
        """What else to know, one sentence each."""
        texts = []
        if not self.is_whole:
            texts.append("The values are not whole numbers from 0: as they stand they are no counts of electrons.")
        if not self.has_line:
            texts.append("The image has too little contrast for a mean-variance line: gain and offset are not known.")
        elif self.verdict == "under-dispersed" and self.gain.high < 1 and self.offset.low <= 0:
            texts.append("It varies less than counting does: counts lost (dead time, saturation), or frames averaged.")
        elif self.verdict != "Poisson":
            texts += [f"{name}." for name in self._faults()]
        if not self.is_steady:
            texts.append("The frames differ in mean by more than noise: a dose that changes, or drift.")
        if self.correlation is not None and abs(self.correlation) > CORRELATED:
            texts.append(
                f"The noise of neighbouring pixels is correlated ({self.correlation:+.2f}): a detector that blurs, or "
                "frames that were interpolated or filtered. Variances and p-value are not to be trusted then."
            )
        return texts

    def _faults(self) -> list[str]:
        """What a camera does to the counts, as far as the intervals tell."""
        faults = []
        if self.gain.excludes(1.0):
            faults.append(f"Gain {self.gain}: counts are (value - offset) / gain")
        if self.offset.excludes(0.0):
            faults.append(f"Offset {self.offset}")
        if self.read_variance.low > 0:
            faults.append(f"Read noise {np.sqrt(self.read_variance.value):.3f} (standard deviation)")
        return faults


def check_noise(movie: np.ndarray) -> NoiseCheck:
    """Examine the noise of a stationary movie, or of a single image that is flat from pixel to pixel.

    Parameters
    ----------
    movie : float [T, H, W] or [H, W]
        As it comes from the file. Drift, or a dose that changes, looks like over-dispersion.

    Raises
    ------
    ValueError
        If there are 2 or 3 frames, fewer than 32 x 32 pixels, NaN, or no noise at all.
    """
    movie = np.asarray(movie, np.float32)
    is_image = movie.ndim == 2 or len(movie) == 1
    if is_image:
        image = movie.reshape(movie.shape[-2:])
        rows, columns = (n // 2 * 2 for n in image.shape)
        movie = np.stack([image[i:rows:2, j:columns:2] for i in (0, 1) for j in (0, 1)])
    if len(movie) < FEWEST_FRAMES:
        raise ValueError(f"{len(movie)} frames are too few: give a single image, or {FEWEST_FRAMES} frames or more")
    if min(movie.shape[1:]) < 4 * BLOCKS // (2 if is_image else 1):
        raise ValueError("fewer than 32 x 32 pixels: too few to tell the noise")
    if not np.isfinite(movie).all():
        raise ValueError("NaN or infinite pixels: cut them out first")
    if not (movie != movie[0]).any():
        raise ValueError("all frames are the same: there is no noise to look at")
    estimates, group_means, group_variances = _moments(movie)
    is_whole = bool((movie >= 0).all() and (movie == np.rint(movie)).all())
    if is_whole and movie.max() <= LARGEST_COUNT:
        p_value, observed, expected = histogram_test(movie)
        levels = np.arange(len(observed), dtype=float)
    else:
        p_value, expected = dispersion_test(movie) if is_whole else None, np.empty(0)
        observed, edges = np.histogram(movie, BINS)
        levels = (edges[1:] + edges[:-1]) / 2
    return NoiseCheck(
        frames=1 if is_image else len(movie),
        pixels=movie[0].size * (4 if is_image else 1),
        mean=float(movie.mean(dtype=np.float64)),
        **estimates,
        is_whole=is_whole,
        p_value=p_value,
        levels=levels,
        observed=observed,
        expected=expected,
        correlation=None if is_image else _neighbour_correlation(movie),
        is_steady=is_image or _is_steady(movie),
        group_means=group_means,
        group_variances=group_variances,
    )


# ---------------------------------------------------------------------------------------------------- moments
def _moments(movie: np.ndarray) -> tuple[dict[str, Estimate], np.ndarray, np.ndarray]:
    """Estimates by name, and the points of the mean-variance line."""
    halves = movie[::2], movie[1::2]
    tell = [uniform_filter(half.mean(axis=0, dtype=np.float64), NEIGHBOURHOOD) for half in halves]
    mean = [half.mean(axis=0, dtype=np.float64) for half in halves]
    variance = [half.var(axis=0, ddof=1, dtype=np.float64) for half in halves]
    whole_mean, whole_variance, third = _k_statistics(movie)
    z, m, v = (np.stack(parts) for parts in (tell, mean[::-1], variance[::-1]))
    blocks = [_block_sums(part) for part in (np.ones_like(z), z, m, v, z * m, z * v)]
    whole = [2 * _block_sums(part[None]) for part in (whole_mean, whole_variance, third)]
    sums = np.stack(blocks + whole, axis=1)  # [blocks, 9]
    sums = sums[sums[:, 0] > 0]
    weights = np.random.default_rng(0).multinomial(len(sums), np.full(len(sums), 1 / len(sums)), DRAWS)
    drawn = _line(weights @ sums)
    low, high = np.percentile(drawn, [2.5, 97.5], axis=1)
    ends = np.stack([_line(sums.sum(axis=0)), low, high], axis=1).tolist()
    estimates = {name: Estimate(*values) for name, values in zip(ESTIMATED, ends, strict=True)}
    edges = np.quantile(z, np.linspace(0, 1, GROUPS + 1)[1:-1])
    group = np.searchsorted(edges, z.ravel())
    counts = np.maximum(np.bincount(group, minlength=GROUPS), 1)
    means, variances = (np.bincount(group, part.ravel(), GROUPS) / counts for part in (m, v))
    return estimates, means, variances


def _line(sums: np.ndarray) -> np.ndarray:
    """What `ESTIMATED` names, [5, ...], from sums [..., 9] over pixels.

    The slope is cov(z, v) / cov(z, m): z, from the other half of the frames, is an instrument that no draw of m or v
    had a part in.
    """
    z, m, v, zm, zv, mean, variance, third = np.moveaxis(sums[..., 1:] / sums[..., :1], -1, 0)
    gain = (zv - z * v) / (zm - z * m)
    intercept = v - gain * m
    offset = mean - third / gain**2
    return np.stack([variance / mean, gain, intercept, offset, variance - gain * (mean - offset)])


def _k_statistics(movie: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unbiased estimates of mean, variance and third central moment over the frames, each float64 [H, W]."""
    count, mean = len(movie), movie.mean(axis=0, dtype=np.float64)
    squares, cubes = np.zeros_like(mean), np.zeros_like(mean)
    for frame in movie:
        difference = frame - mean
        squares += difference**2
        cubes += difference**3
    return mean, squares / (count - 1), cubes * count / ((count - 1) * (count - 2))


def _block_sums(images: np.ndarray) -> np.ndarray:
    """Sums of images [N, H, W] over 8 x 8 blocks, float [64]."""
    rows, columns = (np.linspace(0, size, BLOCKS + 1).astype(int)[:-1] for size in images.shape[1:])
    return np.add.reduceat(np.add.reduceat(images.sum(axis=0), rows, axis=0), columns, axis=1).ravel()


def _neighbour_correlation(movie: np.ndarray) -> float:
    """Correlation of the noise of a pixel with that of its neighbours to the right and below."""
    mean, total, pairs = movie.mean(axis=0), 0.0, 0.0
    for frame in movie:
        noise = (frame - mean).astype(np.float64)
        total += np.mean(noise**2)
        pairs += (np.mean(noise[:, 1:] * noise[:, :-1]) + np.mean(noise[1:] * noise[:-1])) / 2
    return float(pairs / total)


def _is_steady(movie: np.ndarray) -> bool:
    """Whether the means of the frames scatter no more than the noise makes them: chi-squared of T - 1 degrees."""
    means = movie.mean(axis=(1, 2), dtype=np.float64)
    expected = movie.var(axis=0, ddof=1, dtype=np.float64).mean() / movie[0].size
    return bool(chi2.sf(np.sum((means - means.mean()) ** 2) / expected, len(means) - 1) >= ALPHA / 10)
