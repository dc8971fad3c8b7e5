"""Poisson noise is accepted as often as it should be, and what is not Poisson is found out and named."""

import numpy as np
import pytest
from scipy.stats import binom, binomtest, kstest

from stemjax.metrics.noise_check import ALPHA, check_noise
from stemjax.metrics.poisson_test import dispersion_test, histogram_test

Y, X = np.mgrid[:96, :96]
LATTICE = 0.45 + 0.15 * np.cos(2 * np.pi * X / 24) * np.cos(2 * np.pi * Y / 21)  # counts, as in the paper's movie


def poisson(rate: np.ndarray, frames: int = 20, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).poisson(rate, (frames, *rate.shape)).astype(np.float32)


def normal(shape: tuple, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


# ---------------------------------------------------------------------------------------------------- the tests
@pytest.mark.parametrize(
    ("test", "rate"),
    [
        (lambda movie: histogram_test(movie)[0], LATTICE[:48, :48]),
        (lambda movie: histogram_test(movie)[0], 8 * LATTICE[:48, :48]),
        (dispersion_test, LATTICE[:48, :48]),
        (dispersion_test, 400 * LATTICE[:48, :48]),
    ],
)
def test_p_values_of_poisson_noise_are_uniform(test, rate):
    found = np.array([test(poisson(rate, 12, seed)) for seed in range(150)])
    assert kstest(found, "uniform").pvalue > 0.001
    assert binomtest(int(np.sum(found < 0.05)), len(found), 0.05).pvalue > 0.001


@pytest.mark.parametrize("frames", [2, 5])
def test_the_expected_histogram_is_that_of_binomial_counts(frames):
    movie = poisson(LATTICE, frames)
    _, observed, expected = histogram_test(movie)
    sums = movie.sum(axis=0).ravel()
    by_hand = [frames * binom.pmf(k, sums, 1 / frames).sum() for k in range(len(expected))]
    np.testing.assert_allclose(expected, by_hand, rtol=1e-9)
    assert observed.sum() == movie.size and expected.sum() == pytest.approx(movie.size)
    assert np.arange(len(expected)) @ expected == pytest.approx(movie.sum())


def test_counts_with_the_variance_of_poisson_noise_but_another_histogram_are_refused():
    law = [0.625, 0.25, 0.125]  # mean 1/2, variance 1/2
    other = np.random.default_rng(0).choice(3, (40, 64, 64), p=law).astype(np.float32)
    assert dispersion_test(other) > 1e-3
    assert histogram_test(other)[0] < 1e-6


# ---------------------------------------------------------------------------------------------------- verdicts
def test_poisson_is_accepted_at_the_nominal_rate_with_gain_1_and_offset_0():
    found = [check_noise(poisson(LATTICE, seed=seed)) for seed in range(60)]
    denied = sum(check.verdict != "Poisson" for check in found)
    assert binomtest(denied, len(found), ALPHA).pvalue > 0.001
    for name, truth in (("dispersion", 1.0), ("gain", 1.0), ("intercept", 0.0), ("offset", 0.0)):
        covered = sum(not getattr(check, name).excludes(truth) for check in found)
        assert binomtest(covered, len(found), 0.95).pvalue > 0.001, name
    # A line fitted to means and variances of the same frames, or to the noisy means, would be biased.
    assert np.mean([check.gain.value for check in found]) == pytest.approx(1.0, abs=0.02)
    assert np.mean([check.offset.value for check in found]) == pytest.approx(0.0, abs=0.03)
    accepted = [check for check in found if check.verdict == "Poisson"]
    assert max(len(check.remarks()) for check in accepted) == 0


@pytest.mark.parametrize(("gain", "frames"), [(1.3, 20), (2.0, 20)])
def test_a_gain_is_refused_and_told(gain, frames):
    check = check_noise(gain * poisson(LATTICE, frames))
    assert check.verdict == "over-dispersed" and not check.dispersion.excludes(gain)
    assert not check.gain.excludes(gain) and check.gain.excludes(1.0)
    remarks = " ".join(check.remarks())
    assert "Gain" in remarks and ("whole numbers" in remarks) == (gain == 1.3)


def test_gain_offset_and_read_noise_are_told_apart():
    movie = 1.3 * poisson(LATTICE, 60) + 2 + 0.5 * normal((60, *LATTICE.shape))
    check = check_noise(movie)
    assert check.verdict == "under-dispersed" and check.p_value is None and not check.is_whole
    for name, truth in (("gain", 1.3), ("offset", 2.0), ("read_variance", 0.25), ("intercept", 0.25 - 1.3 * 2)):
        estimate = getattr(check, name)
        assert not estimate.excludes(truth) and estimate.high - estimate.low < 0.3, name
    assert ["Gain" in r or "Offset" in r or "Read noise" in r for r in check.remarks()] == [False, True, True, True]


def test_read_noise_alone_is_refused():
    movie = poisson(LATTICE, 60) + 0.5 * normal((60, *LATTICE.shape))
    check = check_noise(movie)
    assert check.verdict == "over-dispersed" and not check.gain.excludes(1.0)
    assert check.read_variance.low > 0 and not check.read_variance.excludes(0.25)
    rounded = check_noise(np.rint(movie + 5))  # whole numbers again
    assert rounded.p_value < 1e-6 and rounded.verdict == "under-dispersed" and not rounded.offset.excludes(5.0)


def test_lost_counts_are_under_dispersed():
    counts = np.random.default_rng(0).binomial(2, LATTICE / 2, (20, *LATTICE.shape)).astype(np.float32)
    check = check_noise(counts)
    assert check.verdict == "under-dispersed" and check.p_value < 1e-6
    assert "counts lost" in check.remarks()[0]


def test_bright_movies_are_judged_by_their_dispersion():
    assert check_noise(poisson(400 * LATTICE)).verdict == "Poisson"
    check = check_noise(np.rint(1.1 * poisson(400 * LATTICE)))
    assert check.verdict == "over-dispersed" and not len(check.expected) and check.p_value < 1e-6


def test_a_single_image_is_examined_by_its_neighbouring_pixels():
    rate = np.kron(LATTICE, np.ones((4, 4)))
    check = check_noise(poisson(rate, 1)[0])
    assert check.verdict == "Poisson" and check.frames == 1 and check.pixels == rate.size and check.correlation is None
    assert check_noise(2 * poisson(rate, 1)).verdict == "over-dispersed"


def test_a_flat_field_has_no_line():
    check = check_noise(poisson(np.full((96, 96), 0.5)))
    assert check.verdict == "Poisson" and not check.has_line
    assert "too little contrast" in check.remarks()[0]


def test_correlated_noise_and_changing_doses_are_named():
    movie = poisson(LATTICE)
    blurred = (movie[:, 1:, 1:] + movie[:, :-1, 1:] + movie[:, 1:, :-1] + movie[:, :-1, :-1]) / 4
    check = check_noise(blurred)
    assert check.verdict == "under-dispersed" and check.correlation == pytest.approx(0.5, abs=0.02)
    assert "neighbouring pixels is correlated (+0.50)" in check.remarks()[-1]
    fading = np.stack([poisson(LATTICE * dose, 1, seed)[0] for seed, dose in enumerate(np.linspace(1.1, 0.9, 20))])
    assert any("differ in mean" in remark for remark in check_noise(fading).remarks())


def test_groups_lie_on_the_line():
    check = check_noise(1.3 * poisson(LATTICE, 60) + 2 + 0.5 * normal((60, *LATTICE.shape)))
    line = check.intercept.value + check.gain.value * check.group_means
    np.testing.assert_allclose(check.group_variances, line, atol=0.02)
    assert np.all(np.diff(check.group_means) > 0)


@pytest.mark.parametrize(
    ("movie", "message"),
    [
        (np.ones((3, 64, 64)), "3 frames are too few"),
        (np.ones((8, 16, 64)), "fewer than 32 x 32 pixels"),
        (np.ones((8, 64, 64)), "no noise to look at"),
        (np.full((8, 64, 64), np.nan), "NaN"),
    ],
)
def test_what_cannot_be_examined_is_refused(movie, message):
    with pytest.raises(ValueError, match=message):
        check_noise(movie)
