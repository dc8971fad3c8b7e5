"""Which differences between methods are more than the luck of the test set: paired bootstrap over units.

A unit is what was drawn independently, a structure or a video: never a pixel or a draw of the noise. The estimate is
the mean over units of each unit's mean score; units are resampled with replacement, the same ones for every method.

References
----------
Efron and Tibshirani, "An Introduction to the Bootstrap", Chapman and Hall, 1993, section 13.3 (percentile interval).
Piepho, "An algorithm for a letter-based representation of all-pairwise comparisons", J. Comput. Graph. Stat. 13, 2004.
"""

from collections.abc import Mapping, Sequence

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
    scores : [n_images]
    units : [n_images]
    seed : int
        Seed of the resampling: the same for every method, so that their draws of units agree.
    draws : int
        Number of resamples.

    Returns
    -------
    (mean, low, high) in the unit of the scores, or None where there are fewer than 10 units: print `unit_means` then.
    """
    values = np.array(list(unit_means(scores, units).values()))
    if len(values) < FEWEST_UNITS:
        return None
    low, high = np.percentile(_resampled_means(values, seed, draws), [2.5, 97.5])
    return float(values.mean()), float(low), float(high)


def difference(
    scores_a: Sequence[float], scores_b: Sequence[float], units: Sequence[str], seed: int = 0, draws: int = 10_000
) -> tuple[float, float, float] | None:
    """Mean of a - b over units, of two methods on the same images, with its 95 % interval; None as in `interval`."""
    if len(scores_a) != len(scores_b):
        raise ValueError(f"{len(scores_a)} and {len(scores_b)} scores cannot be paired: score the same images")
    return interval(np.asarray(scores_a, float) - np.asarray(scores_b, float), units, seed, draws)


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
    scores : method -> [n_images] on the same images, in the same order
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
    estimates = {method: interval(values, units, seed, draws) for method, values in scores.items()}
    if not estimates or None in estimates.values():
        return None
    sign = -1 if higher_is_better else 1
    methods = sorted(scores, key=lambda method: sign * estimates[method][0])

    groups = [set(methods)]
    for index, better in enumerate(methods):
        for worse in methods[index + 1 :]:
            _, low, high = difference(scores[better], scores[worse], units, seed, draws)
            if low <= 0 <= high:
                continue
            # No group may hold both: split those that do, and drop what became part of another group.
            groups = [part for group in groups for part in _split(group, better, worse)]
            groups = [
                g for i, g in enumerate(groups) if not any(g < o or (g == o and j < i) for j, o in enumerate(groups))
            ]

    groups.sort(key=lambda group: sorted(map(methods.index, group)))
    return {
        method: "".join(_letter(index) for index, group in enumerate(groups) if method in group) for method in methods
    }


def _resampled_means(values: np.ndarray, seed: int, draws: int) -> np.ndarray:
    chosen = np.random.default_rng(seed).integers(len(values), size=(draws, len(values)))
    return values[chosen].mean(axis=1)


def _split(group: set[str], one: str, other: str) -> list[set[str]]:
    return [group - {other}, group - {one}] if {one, other} <= group else [group]


def _letter(index: int) -> str:
    """a .. z, then a' .. z'."""
    return chr(ord("a") + index % 26) + "'" * (index // 26)
