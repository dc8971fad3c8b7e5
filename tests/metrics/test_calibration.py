"""Calibration: areas, skills and fits with a known answer."""

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import norm

from stemjax.metrics.calibration import (
    brier_score,
    brier_skill,
    fit_logistic,
    reliability,
    resampled_interval,
    roc_area,
)


def draw(count: int = 20_000, slope: float = 1.5, intercept: float = -0.7) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and outcomes of a probability that is logistic in them."""
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 2, count)
    return scores, rng.random(count) < expit(slope * scores + intercept)


def test_the_roc_area_counts_pairs():
    assert roc_area([1, 2, 3, 4], [False, False, True, True]) == 1
    assert roc_area([4, 3, 2, 1], [False, False, True, True]) == 0
    assert roc_area([1, 1, 1, 1], [False, False, True, True]) == 0.5
    assert roc_area([1, 3, 2, 3], [False, False, True, True]) == pytest.approx((1 + 0 + 1 + 0.5) / 4)


def test_the_roc_area_of_two_normal_distributions():
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.normal(1.3, 1, 20_000), rng.normal(0, 1, 20_000)])
    assert roc_area(scores, np.arange(40_000) < 20_000) == pytest.approx(norm.cdf(1.3 / np.sqrt(2)), abs=0.005)


def test_the_fit_recovers_the_truth():
    found = fit_logistic(*draw())
    assert (found.slope, found.intercept) == pytest.approx((1.5, -0.7), abs=0.06)


def test_the_fit_does_not_depend_on_the_unit_of_the_score():
    scores, outcomes = draw(2000)
    one, other = fit_logistic(scores, outcomes), fit_logistic(1e4 * scores + 3e5, outcomes)
    assert one(scores) == pytest.approx(other(1e4 * scores + 3e5), abs=1e-5)


def test_the_fit_stays_finite_where_the_kinds_do_not_overlap():
    found = fit_logistic([-2.0, -1.0, 1.0, 2.0], [False, False, True, True])
    assert np.isfinite([found.slope, found.intercept]).all() and found.slope > 0
    assert 0.5 < found(2.0) < 1


def test_brier_by_hand():
    assert brier_score([0.8, 0.3], [True, False]) == pytest.approx((0.04 + 0.09) / 2)
    assert brier_skill([1, 0, 1, 0], [True, False, True, False]) == 1
    assert brier_skill([0.5] * 4, [True, False, True, False]) == 0
    assert brier_skill([0, 1, 0, 1], [True, False, True, False]) < 0


def test_true_probabilities_are_reliable_and_exaggerated_ones_are_not():
    scores, outcomes = draw()
    honest, bold = expit(1.5 * scores - 0.7), expit(4.5 * scores - 2.1)
    inside = [point.low <= point.predicted <= point.high for point in reliability(honest, outcomes)]
    assert len(inside) == 10 and sum(inside) >= 8
    assert sum(point.low <= point.predicted <= point.high for point in reliability(bold, outcomes)) <= 4
    assert brier_skill(honest, outcomes) > brier_skill(bold, outcomes) > 0


def test_bins_hold_every_region_once():
    points = reliability([0.0, 0.05, 0.95, 1.0], [False, True, True, True])
    assert [point.count for point in points] == [2, 2]
    assert [point.observed for point in points] == [0.5, 1.0]
    assert all(0 <= point.low <= point.observed <= point.high <= 1 for point in points)


def test_the_interval_resamples_structures_not_regions():
    values = np.random.default_rng(0).normal(size=20)
    units = [f"structure {index}" for index in range(20)]
    low, high = resampled_interval(lambda rows: float(values[rows].mean()), units)
    assert (high - low) / 2 == pytest.approx(1.96 * values.std() / np.sqrt(20), rel=0.15)
    many, repeated = np.repeat(values, 30), np.repeat(units, 30)
    assert resampled_interval(lambda rows: float(many[rows].mean()), repeated) == pytest.approx((low, high), rel=0.2)
    assert resampled_interval(lambda rows: 0.0, units[:9]) is None
    undefined = resampled_interval(lambda rows: float("nan" if rows[0] % 2 else 1), units)
    assert undefined == (1, 1)


@pytest.mark.parametrize(
    ("scores", "outcomes"), [([1, 2], [True, True]), ([1, np.nan], [True, False]), ([1], [True, False])]
)
def test_bad_input_is_refused(scores, outcomes):
    for function in (roc_area, fit_logistic, brier_skill):
        with pytest.raises(ValueError, match="both needed|one finite score"):
            function(scores, outcomes)
