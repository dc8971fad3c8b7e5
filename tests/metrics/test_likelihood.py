"""Likelihood ratios: closed forms, expectations, discs at the edge, regions at any pixel size."""

import numpy as np
import pytest
from scipy.stats import poisson

from stemjax.metrics.likelihood import RATIOS, RegionFinder, discs, log_likelihood, log_ratios, outside, with_radius
from stemjax.physics.noise import Poisson

VACUUM = 0.45


def column(shape=(41, 41), centre=(20, 20), sigma=6.0, height=0.2) -> np.ndarray:
    y, x = np.indices(shape)
    return VACUUM + height * np.exp(-((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / (2 * sigma**2))


def test_the_log_likelihood_is_that_of_scipy_and_of_the_noise_model():
    counts, rate = np.arange(30.0), np.linspace(0.1, 9.0, 30)
    assert np.allclose(log_likelihood(counts, rate), poisson.logpmf(counts, rate), rtol=1e-12)
    assert np.allclose(log_likelihood(counts, rate), Poisson().log_prob(counts, rate), rtol=1e-4)


def test_ratios_equal_those_computed_by_hand():
    noisy, denoised = np.zeros((9, 9)), np.full((9, 9), VACUUM)
    rows, columns = next(discs(noisy.shape, np.array([[4, 4, 1.2]])))
    assert len(rows) == 5
    noisy[4, 4], denoised[4, 4], denoised[3, 4] = 3, 0.95, 0.0
    found = log_ratios(noisy, denoised, np.array([[4, 4, 1.2]]), VACUUM)
    assert found["region_sum"] == pytest.approx(3 * np.log(0.46 / VACUUM) - 5 * 0.01)  # mean rate 2.3 / 5
    by_pixel = 3 * np.log(0.95 / VACUUM) - (0.95 - VACUUM) - (0.0045 - VACUUM)  # the zero counts as 1 % of vacuum
    assert found["pixel_sum"] == pytest.approx(by_pixel)
    assert found["pixel_mean"] == pytest.approx(by_pixel / 5)
    assert found["region_mean"] == pytest.approx(found["region_sum"] / 5)


@pytest.mark.parametrize("is_column", [True, False])
def test_its_mean_over_noise_is_the_divergence_of_the_two_hypotheses(is_column):
    """E log p/q is KL(column, vacuum) under the column and -KL(vacuum, column) in vacuum."""
    clean, place = column(), np.array([[20, 20, 12.0]])
    pixels = next(discs(clean.shape, place))
    truth = clean if is_column else np.full_like(clean, VACUUM)
    expected = (truth * np.log(clean / VACUUM) - (clean - VACUUM))[pixels].sum()
    rng = np.random.default_rng(0)
    values = [log_ratios(rng.poisson(truth), clean, place, VACUUM)["pixel_sum"][0] for _ in range(400)]
    assert np.sign(expected) == (1 if is_column else -1)
    assert np.mean(values) == pytest.approx(expected, abs=4 * np.std(values) / 20)


def test_the_profile_says_more_than_one_rate():
    """The true rates pixel by pixel are the most powerful ratio (Neyman and Pearson)."""
    clean, place, rng = column(), np.array([[20, 20, 14.0]]), np.random.default_rng(1)
    empty = np.full_like(clean, VACUUM)
    power = {}
    for name in ("region_sum", "pixel_sum"):
        there, not_there = (
            [log_ratios(rng.poisson(x), clean, place, VACUUM)[name][0] for _ in range(300)] for x in (clean, empty)
        )
        power[name] = np.mean(np.array(there) > np.quantile(not_there, 0.95))
    assert power["pixel_sum"] > power["region_sum"]


def test_discs_are_clipped_to_the_image_and_none_is_no_error():
    noisy = np.ones((10, 10))
    rows, columns = next(discs(noisy.shape, np.array([[0, 0, 3.0]])))
    assert rows.min() == columns.min() == 0 and len(rows) < np.pi * 9 / 2
    assert all(len(values) == 0 for values in log_ratios(noisy, noisy, np.zeros((0, 3)), 1.0).values())
    assert set(log_ratios(noisy, noisy, np.zeros((0, 3)), 1.0)) == set(RATIOS)


def test_outside_keeps_its_distance():
    empty = outside((50, 50), np.array([[25, 25, 5.0]]), border=10.0)
    y, x = np.indices((50, 50))
    assert (empty == (np.hypot(y - 25, x - 25) >= 15)).all()
    assert outside((5, 5), np.zeros((0, 3)), 2.0).all()


@pytest.mark.parametrize("sampling", [0.0624, 0.0979])
def test_regions_are_found_where_the_columns_are_at_any_pixel_size(sampling):
    places = np.array([[5.0, 5.0], [5.0, 8.0], [8.5, 6.0]])  # Å
    sigma, shape = 0.5 / sampling, (round(14 / sampling),) * 2
    image = VACUUM + sum(column(shape, place, sigma) - VACUUM for place in places / sampling)
    found = RegionFinder().find(image, sampling)
    assert len(found) == 3
    nearest = np.linalg.norm(found[:, None, :2] * sampling - places[None], axis=2).min(axis=0)
    assert (nearest < sampling).all()
    assert found[:, 2] * sampling == pytest.approx(0.5 * np.sqrt(2), abs=0.1)
    assert RegionFinder().find(np.full(shape, VACUUM), sampling).shape == (0, 3)


def test_a_radius_replaces_that_of_the_blob():
    assert with_radius(np.array([[1.0, 2.0, 3.0]]), 7.0).tolist() == [[1, 2, 7]]
    assert with_radius(np.zeros((0, 2)), 7.0).shape == (0, 3)
