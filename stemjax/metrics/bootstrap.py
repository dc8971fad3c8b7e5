"""Which differences between methods are more than the luck of the test set: paired bootstrap over units.

A unit is what was drawn independently, a structure or a video: never a pixel or a draw of the noise. The estimate is
the mean over units of each unit's mean score; units are resampled with replacement, the same ones for every method.

A training is drawn independently too. Scores [n_seeds, n_images] of a method trained from several seeds are resampled
over both, units and seeds: the units are the same for every method, the seeds are each method's own.

Notes
-----
Few seeds say little of all that could be: resampled means of three never leave their range, which holds the mean of all
trainings in three cases of four only. So with few seeds even this interval is too narrow, and two methods that share no
letter may still change places.

References
----------
Efron and Tibshirani, "An Introduction to the Bootstrap", Chapman and Hall, 1993, section 13.3 (percentile interval).
Davison and Hinkley, "Bootstrap Methods and their Application", Cambridge, 1997, section 3.8 (hierarchical data).
Piepho, "An algorithm for a letter-based representation of all-pairwise comparisons", J. Comput. Graph. Stat. 13, 2004.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache

import numpy as np

FEWEST_UNITS = 10  # fewer give no interval worth the name: print the units' values


def unit_means(scores: Sequence[float], units: Sequence[str]) -> dict[str, float]:
    """Mean score of the images of each unit, in order of first appearance.

    Parameters
    ----------
    scores : [n_images], any unit (dB, say)
    units : [n_images], the structure or video of each image
    """
    scores = np.asarray(scores, float)
    if scores.ndim != 1 or len(scores) != len(units) or not len(scores):
        raise ValueError(f"{len(units)} units for scores of shape {scores.shape}: give one unit for every score")
    if np.isnan(scores).any():
        raise ValueError("a score is NaN: leave the image out or correct it before averaging")
    units = np.asarray(units)
    return {str(unit): float(scores[units == unit].mean()) for unit in dict.fromkeys(units.tolist())}


def interval(
    scores: Sequence[float], units: Sequence[str], seed: int = 0, draws: int = 10_000
) -> tuple[float, float, float] | None:
    """Mean of the units' means with its 95 % percentile interval.

    Parameters
    ----------
    scores : [n_images], or [n_seeds, n_images] of a method trained from several seeds
    units : [n_images]
    seed : int
        Seed of the resampling: the same for every method, so that their draws of units agree.
    draws : int
        Number of resamples.

    Returns
    -------
    (mean, low, high) in the unit of the scores, or None where there are fewer than 10 units: print `unit_means` then.
    """
    return _estimate([scores], units, seed, draws)


def difference(
    scores_a: Sequence[float], scores_b: Sequence[float], units: Sequence[str], seed: int = 0, draws: int = 10_000
) -> tuple[float, float, float] | None:
    """Mean of a - b over units, of two methods on the same images, with its 95 % interval; None as in `interval`."""
    lengths = np.shape(scores_a)[-1], np.shape(scores_b)[-1]
    if lengths[0] != lengths[1]:
        raise ValueError(f"{lengths[0]} and {lengths[1]} scores cannot be paired: score the same images")
    return _estimate([scores_a, scores_b], units, seed, draws)


def interval_of(
    statistic: Callable[[np.ndarray], np.ndarray], values: np.ndarray, seed: int = 0, draws: int = 10_000
) -> tuple[float, float, float]:
    """A statistic of means over units with its 95 % interval.

    Parameters
    ----------
    statistic : callable
        [..., k] -> [...], may be infinite.
    values : [n_units, k]
        k scores of each unit, resampled together.
    """
    means = values[_chosen(len(values), seed, draws)].mean(axis=1)
    low, high = np.percentile(statistic(means), [2.5, 97.5], method="closest_observation")
    return float(statistic(values.mean(axis=0))), float(low), float(high)


def tie_letters(
    scores: Mapping[str, Sequence[float]],
    units: Sequence[str],
    *,
    higher_is_better: bool = True,
    seed: int = 0,
    draws: int = 10_000,
) -> dict[str, str] | None:
    """Letters that methods share if and only if their paired difference could be zero (compact letter display).

    Parameters
    ----------
    scores : method -> [n_images] or [n_seeds, n_images] on the same images, in the same order
    units : [n_images]
    higher_is_better : bool
        Whether the best method, which bears the letter a, is the one of the highest mean.

    Returns
    -------
    dict
        Method -> letters ("a", "ab", ...), best method first; None with fewer than 10 units, which rank nothing.

    Examples
    --------
    >>> units = [f"structure {index}" for index in range(12)]
    >>> tie_letters({"raw": [1.0] * 12, "UNet": [3.0] * 12, "DnCNN": [3.0] * 12}, units)
    {'UNet': 'a', 'DnCNN': 'a', 'raw': 'b'}
    """
    tables = {method: _of_units(values, units) for method, values in scores.items()}
    if not tables or min(table.shape[1] for table in tables.values()) < FEWEST_UNITS:
        return None
    sign = -1 if higher_is_better else 1
    methods = sorted(tables, key=lambda method: sign * tables[method].mean())
    # What `difference` would resample for every pair, once: the better method in one stream, the worse in the other.
    drawn = {method: [resampled(scores[method], units, stream, seed, draws) for stream in (0, 1)] for method in methods}
    pairs = set()
    for index, better in enumerate(methods):
        for worse in methods[index + 1 :]:
            low, high = np.percentile(drawn[better][0] - drawn[worse][1], [2.5, 97.5])
            if not low <= 0 <= high:
                pairs.add((better, worse))
    return letters_of(methods, pairs)


def letters_of(methods: Sequence[str], separated: Collection[tuple[str, str]]) -> dict[str, str]:
    """Letters that methods share if and only if they are no pair of `separated` (better, worse).

    Parameters
    ----------
    methods : best first, the first one bears the letter a
    """
    groups = [set(methods)]
    for better, worse in sorted(separated, key=lambda pair: tuple(map(methods.index, pair))):
        # No group may hold both: split those that do, and drop what became part of another group.
        groups = [part for group in groups for part in _split(group, better, worse)]
        groups = [g for i, g in enumerate(groups) if not any(g < o or (g == o and j < i) for j, o in enumerate(groups))]
    groups.sort(key=lambda group: sorted(map(methods.index, group)))
    return {
        method: "".join(_letter(index) for index, group in enumerate(groups) if method in group) for method in methods
    }


def resampled(
    scores: Sequence[float], units: Sequence[str], stream: int = 0, seed: int = 0, draws: int = 10_000
) -> np.ndarray:
    """Mean over units of every resample, float [draws]: the units that `interval` draws, seeds of their own.

    Parameters
    ----------
    scores : [n_images] or [n_seeds, n_images]
    units : [n_images]
    stream : int
        Number of the method: two methods draw the same units, and each its own seeds of training.
    """
    table = _of_units(scores, units)
    of_seeds = table[:, _chosen(table.shape[1], seed, draws)].mean(axis=2)  # [n_seeds, draws]
    seeds = np.random.default_rng([seed, stream]).integers(len(table), size=of_seeds.shape)
    return np.take_along_axis(of_seeds, seeds, axis=0).mean(axis=0)


def _of_units(scores: Sequence[float], units: Sequence[str]) -> np.ndarray:
    """Mean of every seed and unit, [n_seeds, n_units]."""
    return np.array([list(unit_means(row, units).values()) for row in np.atleast_2d(scores)])


def _estimate(methods: list, units: Sequence[str], seed: int, draws: int) -> tuple[float, float, float] | None:
    """Mean and interval of one method, or of the first of two minus the second."""
    tables = [_of_units(row, units) for row in methods]
    if tables[0].shape[1] < FEWEST_UNITS:
        return None
    signs = (1, -1)[: len(methods)]
    mean = sum(sign * table.mean() for sign, table in zip(signs, tables, strict=True))
    drawn = sum(
        sign * resampled(row, units, stream, seed, draws)
        for stream, (sign, row) in enumerate(zip(signs, methods, strict=True))
    )
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(mean), float(low), float(high)


@lru_cache(maxsize=8)
def _chosen(count: int, seed: int, draws: int) -> np.ndarray:
    """Indices of units drawn with replacement, [draws, count], to be read only: one draw for all rows of a table."""
    chosen = np.random.default_rng(seed).integers(count, size=(draws, count))
    chosen.flags.writeable = False
    return chosen


def _split(group: set[str], one: str, other: str) -> list[set[str]]:
    return [group - {other}, group - {one}] if {one, other} <= group else [group]


def _letter(index: int) -> str:
    """a .. z, then a' .. z'."""
    return chr(ord("a") + index % 26) + "'" * (index // 26)
