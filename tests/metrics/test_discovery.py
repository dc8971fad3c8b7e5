"""False discoveries: thinning gives independent parts, p-values are valid, and selection on the same counts is not."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, maximum_filter

from stemjax.metrics.discovery import (
    benjamini_hochberg,
    false_discovery_proportion,
    p_values,
    p_values_against_window,
    region_counts,
    thin,
)

RATE = 1.8


def test_thinned_parts_are_poisson_independent_and_complete():
    rng = np.random.default_rng(0)
    counts = rng.poisson(RATE, 200_000)
    part, rest = thin(counts, 0.3, rng)
    assert (part + rest == counts).all()
    for values, rate in ((part, 0.3 * RATE), (rest, 0.7 * RATE)):
        assert (values.mean(), values.var()) == pytest.approx((rate, rate), rel=0.02)
    assert abs(np.corrcoef(part, rest)[0, 1]) < 4 / np.sqrt(len(counts))


@pytest.mark.parametrize(
    ("counts", "fraction", "reason"), [([0.5], 0.5, "whole"), ([-1.0], 0.5, "whole"), ([1], 1.0, "fraction")]
)
def test_what_cannot_be_thinned_is_refused(counts, fraction, reason):
    with pytest.raises(ValueError, match=reason):
        thin(np.array(counts), fraction, np.random.default_rng(0))


def test_p_values_by_hand_and_never_too_small():
    assert p_values([0, 1, 2], 1.0) == pytest.approx([1, 1 - np.exp(-1), 1 - 2 * np.exp(-1)])
    found = p_values(np.random.default_rng(0).poisson(120.0, 50_000), 120.0)
    for level in (0.01, 0.05, 0.2):
        assert (found <= level).mean() <= level + 3 * np.sqrt(level / len(found))
        assert (found <= level).mean() > level / 2


def test_the_window_allows_for_its_own_noise():
    """With a small window the exact test keeps its level; taking the estimate for the truth does not."""
    rng = np.random.default_rng(1)
    regions, windows = rng.poisson(100 * RATE, 20_000), rng.poisson(150 * RATE, 20_000)
    exact = p_values_against_window(regions, np.full(20_000, 100), windows, 150)
    plugged_in = p_values(regions, 100 * windows / 150)
    assert (exact <= 0.05).mean() <= 0.05 + 3 * np.sqrt(0.05 / 20_000)
    assert (plugged_in <= 0.05).mean() > 0.08


def test_benjamini_hochberg_by_hand():
    assert benjamini_hochberg([0.001, 0.2, 0.03, 0.9], 0.1).tolist() == [True, False, True, False]
    assert benjamini_hochberg([0.04, 0.05, 0.06], 0.06).all()  # a large step carries the smaller ones along
    assert not benjamini_hochberg([0.5, 0.6], 0.1).any()
    assert benjamini_hochberg([], 0.1).shape == (0,)


def test_the_rate_is_the_nominal_one_times_the_share_of_nulls():
    """Benjamini and Hochberg 1995: FDR = level x share of nulls, for independent continuous p-values."""
    rng, null = np.random.default_rng(2), np.arange(40) < 30
    found = []
    for _ in range(2000):
        p = np.where(null, rng.random(40), rng.random(40) * 1e-4)
        found.append(false_discovery_proportion(benjamini_hochberg(p, 0.2), null))
    assert np.mean(found) == pytest.approx(0.2 * 0.75, abs=4 * np.std(found) / np.sqrt(2000))


def test_no_discovery_is_no_false_one():
    assert false_discovery_proportion(np.zeros(3, bool), np.ones(3, bool)) == 0
    assert false_discovery_proportion(np.array([True, True, False]), np.array([True, False, True])) == 0.5


def brightest(image: np.ndarray) -> np.ndarray:
    """The 12 highest maxima of a smoothed image as discs: a search that is as bad as one can be."""
    smooth = gaussian_filter(image, 4.0)
    y, x = np.nonzero(smooth == maximum_filter(smooth, 9))
    order = np.argsort(-smooth[y, x])[:12]
    return np.column_stack([y[order], x[order], np.full(len(order), 6.0)])


@pytest.mark.parametrize("has_columns", [False, True])
def test_thinning_keeps_the_false_discovery_rate_and_the_same_counts_do_not(has_columns):
    rng, level, proportions = np.random.default_rng(3), 0.1, {True: [], False: []}
    clean = np.full((96, 96), RATE)
    if has_columns:
        clean[20:32, 20:32] += 1.0
        clean[60:72, 20:32] += 1.0
    for _ in range(150):
        noisy = rng.poisson(clean)
        part, rest = thin(noisy, 0.5, rng)
        for is_thinned, seen, tested, share in ((True, part, rest, 0.5), (False, noisy, noisy, 1.0)):
            places = brightest(np.asarray(seen, float))
            totals, pixels = region_counts(tested, places)
            null = region_counts(clean, places)[0] <= RATE * pixels * (1 + 1e-9)
            found = benjamini_hochberg(p_values(totals, share * RATE * pixels), level)
            proportions[is_thinned].append(false_discovery_proportion(found, null))
    error = np.std(proportions[True]) / np.sqrt(150)
    assert np.mean(proportions[True]) <= level + 2 * error
    assert np.mean(proportions[False]) > 4 * level


def test_region_counts_are_sums_over_discs():
    totals, pixels = region_counts(np.full((20, 20), 2.0), np.array([[10, 10, 3.0], [0, 0, 3.0]]))
    assert (totals == 2 * pixels).all() and pixels[1] < pixels[0]
    assert region_counts(np.ones((5, 5)), np.zeros((0, 3)))[0].shape == (0,)
