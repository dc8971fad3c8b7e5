"""From a score to a probability, and how good that probability is.

    logistic fit       P(true | score) = 1 / (1 + exp(-(slope score + intercept)))
    ROC area           P(score of a true one > score of a spurious one), ties counted half
    Brier score        mean (probability - outcome)^2;  skill = 1 - score / score of the base rate
    reliability        share of true ones among those given about the same probability

References
----------
Platt, "Probabilistic outputs for support vector machines", in Advances in Large Margin Classifiers, 1999 (the fit, its
targets kept off 0 and 1).
Hanley and McNeil, "The meaning and use of the area under a ROC curve", Radiology 143, 1982.
Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather Review 78, 1950.
Murphy and Winkler, "Reliability of subjective probability forecasts", Applied Statistics 26, 1977.
Wilson, "Probable inference, the law of succession, and statistical inference", J. Am. Stat. Assoc. 22, 1927.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import rankdata

from stemjax.metrics.bootstrap import FEWEST_UNITS


@dataclass(frozen=True)
class Logistic:
    """Probability of being true as a logistic function of a score."""

    slope: float
    intercept: float

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """Probabilities [n] of scores [n]."""
        return expit(self.slope * np.asarray(scores, float) + self.intercept)


def fit_logistic(scores: np.ndarray, outcomes: np.ndarray) -> Logistic:
    """The logistic function of largest likelihood.

    Parameters
    ----------
    scores : [n]
    outcomes : bool [n]
        At least one of each kind.

    Notes
    -----
    Targets are (n_true + 1) / (n_true + 2) and 1 / (n_spurious + 2), not 1 and 0, so that the slope stays finite where
    the two kinds do not overlap.
    """
    scores, outcomes = _checked(scores, outcomes)
    targets = np.where(outcomes, (outcomes.sum() + 1) / (outcomes.sum() + 2), 1 / ((~outcomes).sum() + 2))
    centre, spread = scores.mean(), scores.std() or 1.0
    scaled = (scores - centre) / spread

    def loss(parameters):
        logit = parameters[0] * scaled + parameters[1]
        residual = expit(logit) - targets
        value = np.mean(np.logaddexp(0, logit) - targets * logit)
        return value, np.array([np.mean(residual * scaled), np.mean(residual)])

    slope, intercept = minimize(loss, np.zeros(2), jac=True, method="BFGS", options={"gtol": 1e-9}).x
    return Logistic(float(slope / spread), float(intercept - slope * centre / spread))


def roc_area(scores: np.ndarray, outcomes: np.ndarray) -> float:
    """Area under the ROC curve, from the sum of ranks (Mann and Whitney)."""
    scores, outcomes = _checked(scores, outcomes)
    true, spurious = outcomes.sum(), (~outcomes).sum()
    return float((rankdata(scores)[outcomes].sum() - true * (true + 1) / 2) / (true * spurious))


def brier_score(probabilities: np.ndarray, outcomes: np.ndarray) -> float:
    """Mean squared difference of probability and outcome."""
    return float(np.mean((np.asarray(probabilities, float) - np.asarray(outcomes, float)) ** 2))


def brier_skill(probabilities: np.ndarray, outcomes: np.ndarray) -> float:
    """1 - Brier score / that of the share of true ones among these very outcomes: above 0 is better than knowing it."""
    _, outcomes = _checked(probabilities, outcomes)
    return 1 - brier_score(probabilities, outcomes) / brier_score(outcomes.mean(), outcomes)


@dataclass(frozen=True)
class Bin:
    """One point of a reliability diagram: mean probability, share of true ones with its 95 % interval, and how many."""

    predicted: float
    observed: float
    low: float
    high: float
    count: int


def reliability(probabilities: np.ndarray, outcomes: np.ndarray, bins: int = 10) -> list[Bin]:
    """Points of a reliability diagram over equal parts of [0, 1]; empty ones are left out. Intervals are Wilson's."""
    probabilities, outcomes = np.asarray(probabilities, float), np.asarray(outcomes, bool)
    place = np.minimum((probabilities * bins).astype(int), bins - 1)
    points = []
    for part in np.unique(place):
        chosen = place == part
        count, observed, z = int(chosen.sum()), outcomes[chosen].mean(), 1.959964
        middle = (observed + z**2 / (2 * count)) / (1 + z**2 / count)
        reach = z / (1 + z**2 / count) * np.sqrt(observed * (1 - observed) / count + z**2 / (4 * count**2))
        ends = max(middle - reach, 0.0), min(middle + reach, 1.0)
        points.append(Bin(float(probabilities[chosen].mean()), float(observed), *map(float, ends), count))
    return points


def resampled_interval(
    statistic: Callable[[np.ndarray], float], units: Sequence[str], draws: int = 1000, seed: int = 0
) -> tuple[float, float] | None:
    """95 % percentile interval of a statistic that is no mean: units are drawn with all that belongs to them.

    Parameters
    ----------
    statistic : function of the rows that were drawn, int [m]
        NaN where they do not define it; such draws are left out.
    units : [n], structure of each row

    Returns
    -------
    (low, high), or None with fewer than 10 units.
    """
    names, place = np.unique(np.asarray(units), return_inverse=True)
    if len(names) < FEWEST_UNITS:
        return None
    members = [np.flatnonzero(place == index) for index in range(len(names))]
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(names), size=(draws, len(names)))
    values = [statistic(np.concatenate([members[index] for index in row])) for row in drawn]
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)


def _checked(scores: np.ndarray, outcomes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scores, outcomes = np.asarray(scores, float), np.asarray(outcomes, bool)
    if scores.shape != outcomes.shape or not np.isfinite(scores).all():
        raise ValueError(f"{scores.size} scores for {outcomes.size} outcomes: give one finite score for every outcome")
    if outcomes.all() or not outcomes.any():
        raise ValueError(f"all {outcomes.size} outcomes are of one kind: true and spurious ones are both needed")
    return scores, outcomes
