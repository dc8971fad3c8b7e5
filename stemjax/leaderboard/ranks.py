"""Ranks that say how sure they are: paired bootstrap over units, and over the seeds of trained methods.

The rank of a method is 1 more than the number of methods that are better beyond doubt (`metrics.bootstrap`). Its range
holds the rank of its mean in 95 % of the resamples, where every method has the same units and seeds of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from stemjax.metrics import bootstrap


@dataclass(frozen=True)
class Rank:
    """A place in a ranking.

    Parameters
    ----------
    low, high : int
        The range of ranks, 95 %.
    letters : str
        Shared with the methods that cannot be told apart from this one.
    is_separate : bool
        Whether it can be told apart from every other method. Nothing else is ever shown in bold.
    """

    rank: int
    low: int
    high: int
    letters: str
    is_separate: bool


def rank_means(scores: Mapping[str, np.ndarray], units: list[str], higher_is_better: bool) -> dict[str, Rank] | None:
    """Ranks of mean scores, best first; None with too few units.

    Parameters
    ----------
    scores : method -> [n_seeds, n_images]
    units : [n_images]
    """
    letters = bootstrap.tie_letters(scores, units, higher_is_better=higher_is_better)
    if letters is None:
        return None
    drawn = [bootstrap.resampled(scores[method], units, stream) for stream, method in enumerate(letters)]
    return _ranks(letters, np.array(drawn) * (1 if higher_is_better else -1))


def rank_drawn(estimates: Mapping[str, float], drawn: Mapping[str, np.ndarray]) -> dict[str, Rank]:
    """Ranks of statistics of which less is better, best first, such as a dose; they may be infinite.

    Parameters
    ----------
    drawn : method -> [draws]
        The statistic of every resample: one is better than another where it is less in more than 97.5 % of them.
    """
    methods = sorted(estimates, key=estimates.get)
    pairs = {
        (one, other)
        for index, one in enumerate(methods)
        for other in methods[index + 1 :]
        if (drawn[one] < drawn[other]).mean() > 0.975
    }
    return _ranks(bootstrap.letters_of(methods, pairs), -np.array([drawn[method] for method in methods]))


def _ranks(letters: dict[str, str], drawn: np.ndarray) -> dict[str, Rank]:
    """Ranks from tie letters, best first, and resamples [n_methods, draws] of which more is better."""
    methods = list(letters)
    better = (drawn[None] > drawn[:, None]).sum(axis=1)  # [n_methods, draws]: how many methods are ahead
    ends = 1 + np.percentile(better, [2.5, 97.5], axis=1, method="closest_observation").astype(int)
    apart = {m: [other for other in methods if not set(letters[m]) & set(letters[other])] for m in methods}
    return {
        method: Rank(
            rank=1 + sum(methods.index(other) < index for other in apart[method]),
            low=int(ends[0, index]),
            high=int(ends[1, index]),
            letters=letters[method],
            is_separate=len(apart[method]) == len(methods) - 1,
        )
        for index, method in enumerate(methods)
    }
