"""Paired bootstrap: estimates, coverage, pairing, ties."""

import numpy as np
import pytest

from stemjax.metrics.bootstrap import difference, interval, interval_of, tie_letters, unit_means

UNITS = [f"structure {index}" for index in range(16)]


def test_the_mean_is_the_mean_of_unit_means():
    """Ten images of one unit weigh no more than one image of another."""
    scores, units = [0.0] * 10 + list(range(1, 13)), ["many"] * 10 + [f"unit {index}" for index in range(12)]
    assert unit_means(scores, units)["many"] == 0
    mean, low, high = interval(scores, units)
    assert mean == pytest.approx(np.mean(range(13)))
    assert low < mean < high


def test_the_interval_matches_the_standard_error_and_covers():
    rng = np.random.default_rng(0)
    units = [str(index) for index in range(40)]
    covered = 0
    for trial in range(200):
        values = rng.normal(30, 2, 40)
        mean, low, high = interval(values, units, seed=trial, draws=1000)
        covered += low <= 30 <= high
    assert (high - low) / 2 == pytest.approx(1.96 * values.std() / np.sqrt(40), rel=0.1)
    assert 180 <= covered <= 198


def test_more_images_of_the_same_units_do_not_narrow_it():
    values = np.random.default_rng(0).normal(size=16)
    once = interval(values, UNITS)
    assert interval(np.repeat(values, 50), np.repeat(UNITS, 50)) == pytest.approx(once)


def test_it_is_deterministic_in_the_seed():
    values = np.random.default_rng(0).normal(size=16)
    assert interval(values, UNITS, seed=1) == interval(values, UNITS, seed=1) != interval(values, UNITS, seed=2)


def test_a_paired_difference_sees_what_separate_intervals_hide():
    rng = np.random.default_rng(0)
    hardness = rng.normal(30, 3, 16)
    better, worse = hardness + 0.3 + rng.normal(0, 0.1, 16), hardness
    assert interval(better, UNITS)[1] < interval(worse, UNITS)[2]
    mean, low, high = difference(better, worse, UNITS)
    assert mean == pytest.approx(np.mean(better - worse))
    assert 0.2 < low < high < 0.4


def test_methods_whose_seeds_scatter_more_than_their_gap_share_a_letter():
    """Averaged over the seeds they differ beyond doubt; as trainings they do not."""
    hardness = np.random.default_rng(0).normal(30, 3, 16)
    scattered = np.stack([hardness + 0.3 + spread for spread in (-0.9, 0.1, 0.8)])
    steady = np.stack([hardness + spread for spread in (-0.02, 0.0, 0.02)])
    averaged = {"scattered": scattered.mean(axis=0), "steady": steady.mean(axis=0), "filter": hardness - 5}
    assert tie_letters(averaged, UNITS) == {"scattered": "a", "steady": "b", "filter": "c"}
    of_seeds = averaged | {"scattered": scattered, "steady": steady}
    assert tie_letters(of_seeds, UNITS) == {"scattered": "a", "steady": "a", "filter": "b"}


def test_seeds_that_agree_change_nothing_and_seeds_alone_give_their_range():
    values = np.random.default_rng(0).normal(30, 2, 16)
    assert interval(np.stack([values] * 3), UNITS) == pytest.approx(interval(values, UNITS))
    assert interval([[29.0] * 16, [30.0] * 16, [32.0] * 16], UNITS) == pytest.approx((91 / 3, 29.0, 32.0))


def test_the_interval_over_units_and_seeds_matches_both_variances():
    """Of effects that add up, the variances of the two means do."""
    rng = np.random.default_rng(0)
    of_units, of_seeds = rng.normal(0, 2, 40), rng.normal(0, 0.7, 30)
    mean, low, high = interval(of_seeds[:, None] + of_units, [str(index) for index in range(40)])
    assert mean == pytest.approx(of_seeds.mean() + of_units.mean())
    error = np.hypot(of_units.std() / np.sqrt(40), of_seeds.std() / np.sqrt(30))
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.05)


def test_a_statistic_of_means_has_the_interval_of_the_means_through_it():
    values = np.random.default_rng(0).normal(size=(16, 2))
    mean, low, high = interval(values[:, 1], UNITS)
    found = interval_of(lambda means: np.where(means[..., 1] > 9, np.inf, 2 * means[..., 1]), values)
    assert found == pytest.approx((2 * mean, 2 * low, 2 * high), abs=1e-3)


def test_few_units_give_no_interval_and_no_ranks():
    scores, units = [1.0, 2.0, 3.0] * 10, ["a", "b", "c"] * 10
    assert interval(scores, units) is None
    assert difference(scores, scores, units) is None
    assert tie_letters({"one": scores, "two": scores}, units) is None
    assert unit_means(scores, units) == {"a": 1, "b": 2, "c": 3}


def test_letters_join_what_cannot_be_told_apart():
    rng = np.random.default_rng(1)
    hardness = rng.normal(30, 3, 16)
    # The noise of `middle` is so large that it ties with either neighbour, which differ from each other.
    scores = {
        "low": hardness,
        "high": hardness + 1.0,
        "middle": hardness + 0.5 + rng.normal(0, 3, 16),
        "top": hardness + 20,
    }
    letters = tie_letters(scores, UNITS)
    assert list(letters)[0] == "top" and letters["top"] == "a"
    assert set(letters["middle"]) == set(letters["high"]) | set(letters["low"])
    assert not set(letters["high"]) & set(letters["low"])


@pytest.mark.parametrize("seed", range(5))
def test_two_methods_share_a_letter_exactly_if_their_difference_may_be_zero(seed):
    rng = np.random.default_rng(seed)
    scores = {f"method {index}": rng.normal(0.3 * index, 1, 16) for index in range(7)}
    letters = tie_letters(scores, UNITS, draws=500)
    for one in scores:
        for other in scores:
            _, low, high = difference(scores[one], scores[other], UNITS, draws=500)
            assert bool(set(letters[one]) & set(letters[other])) == (low <= 0 <= high)


def test_lower_is_better_reverses_the_order():
    scores = {"small": np.arange(16) * 0.01, "large": 5 + np.arange(16) * 0.01}
    assert tie_letters(scores, UNITS, higher_is_better=False) == {"small": "a", "large": "b"}
    assert tie_letters(scores, UNITS) == {"large": "a", "small": "b"}


def test_bad_scores_are_refused():
    with pytest.raises(ValueError, match="NaN"):
        interval([np.nan] * 16, UNITS)
    with pytest.raises(ValueError, match="one unit for every score"):
        interval([1.0], UNITS)
    with pytest.raises(ValueError, match="paired"):
        difference([1.0], [1.0, 2.0], ["a"])
