"""Noise models against their closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from skimage.metrics import peak_signal_noise_ratio

from stemjax.physics.noise import Dose, FixedGaussian, Gaussian, Poisson, PoissonGaussian, _invert

DRAW = jax.jit(Poisson().sample)


@pytest.mark.parametrize("rate", [0.05, 0.45, 0.99, 1.0, 1.8, 3.3, 5.0, 9.0])
def test_poisson_passes_chi_squared(rate):
    counts = np.asarray(DRAW(jax.random.key(int(rate * 100)), jnp.full((512, 512, 1), rate))).ravel()
    last = int(stats.poisson.isf(20 / counts.size, rate))  # lump the tail so that every class expects 20 or more
    observed = np.bincount(np.minimum(counts, last).astype(int), minlength=last + 1)
    expected = counts.size * np.append(stats.poisson.pmf(np.arange(last), rate), stats.poisson.sf(last - 1, rate))
    assert stats.chisquare(observed, expected, sum_check=False).pvalue > 1e-3


@pytest.mark.parametrize("rate", [0.45, 5.0])
def test_poisson_keeps_its_tail(rate):
    """A 23-bit uniform draw could not reach counts rarer than 1e-7: ask 2^-32 of the very smallest draws."""
    draws = jnp.asarray([0, 1, 100, 10_000, 2**32 - 1], jnp.uint32)
    counts = _invert(draws, jnp.full(5, rate), highest=5.0, terms=24)
    exact = np.maximum(stats.poisson.isf((np.asarray(draws, float) + 1) / 2**32, rate), 0)
    np.testing.assert_allclose(counts[1:], exact[1:], atol=0)
    assert abs(int(counts[0]) - exact[0]) <= 1


def test_poisson_mixes_dark_middling_and_bright_pixels():
    rates = jnp.asarray([0.0, -0.01, 0.3, 2.5, 40.0])
    clean = jnp.broadcast_to(rates, (200, 200, 5))
    counts = np.asarray(DRAW(jax.random.key(3), clean))
    np.testing.assert_allclose(counts.mean((0, 1)), np.maximum(rates, 0), rtol=0.02)
    np.testing.assert_allclose(counts.var((0, 1)), np.maximum(rates, 0), rtol=0.05)
    assert counts.dtype == np.float32 and (counts == np.round(counts)).all()


def test_a_dark_pixel_does_not_depend_on_a_bright_one_elsewhere():
    dark = jnp.full((8, 8, 1), 0.45)
    bright = dark.at[0, 0, 0].set(100.0)
    key = jax.random.key(0)
    np.testing.assert_array_equal(DRAW(key, dark).ravel()[1:], DRAW(key, bright).ravel()[1:])


def test_batch_by_vmap_equals_singles_and_nan_stays():
    clean = jnp.stack([jnp.full((16, 16, 1), rate) for rate in (0.4, 3.0, 30.0)]).at[0, 0, 0].set(jnp.nan)
    keys = jax.random.split(jax.random.key(1), 3)
    together = jax.jit(jax.vmap(Poisson().sample))(keys, clean)
    for index in range(3):
        np.testing.assert_array_equal(together[index], DRAW(keys[index], clean[index]))
    assert int(jnp.isnan(together).sum()) == 1


def test_log_probabilities_equal_scipy():
    rng = np.random.default_rng(0)
    clean = rng.uniform(0.05, 5, (6, 7, 2)).astype("f4")
    counts = rng.poisson(clean).astype("f4")
    np.testing.assert_allclose(Poisson().log_prob(counts, clean), stats.poisson.logpmf(counts, clean), atol=2e-5)
    assert abs(Poisson().log_prob(0.0, 0.0)) < 1e-6 and Poisson().log_prob(1.0, 0.0) == -np.inf
    noisy = clean + 0.3
    np.testing.assert_allclose(
        FixedGaussian(0.2).log_prob(noisy, clean), stats.norm.logpdf(noisy, clean, 0.2), rtol=1e-4
    )
    sigma = np.ptp(clean, axis=(0, 1)) / 10
    np.testing.assert_allclose(Gaussian(20.0).log_prob(noisy, clean), stats.norm.logpdf(noisy, clean, sigma), rtol=1e-4)


@pytest.mark.parametrize("gain, offset, read_noise, rate", [(1, 0, 0.3, 2), (5, 100, 8, 0.4), (2, 3, 40, 60)])
def test_poisson_gaussian_has_its_moments_and_its_density(gain, offset, read_noise, rate):
    model = PoissonGaussian(gain, offset, read_noise)
    clean = jnp.full((300, 300, 1), rate)
    noisy = np.asarray(jax.jit(model.sample)(jax.random.key(0), clean))
    variance = gain**2 * rate + read_noise**2
    assert noisy.mean() == pytest.approx(gain * rate + offset, abs=5 * np.sqrt(variance) / 300)
    assert noisy.var() == pytest.approx(variance, rel=0.03)

    width = 12 * np.sqrt(variance)
    grid = np.linspace(gain * rate + offset - width, gain * rate + offset + width, 4001).reshape(-1, 1, 1)
    log_density = jax.jit(model.log_prob)(jnp.asarray(grid), jnp.full(grid.shape, rate))
    assert np.trapezoid(np.exp(log_density.ravel()), grid.ravel()) == pytest.approx(1, abs=1e-3)
    count = np.arange(300)
    each = stats.poisson.logpmf(count, rate) + stats.norm.logpdf(grid, gain * count + offset, read_noise)
    np.testing.assert_allclose(log_density, np.logaddexp.reduce(each, axis=-1, keepdims=True), atol=2e-3)


def test_poisson_gaussian_without_read_noise_has_no_density():
    with pytest.raises(ValueError, match="read_noise"):
        PoissonGaussian(read_noise=0.0).log_prob(1.0, 1.0)


@pytest.mark.parametrize("psnr_db", [7.0, 16.0])
def test_gaussian_reaches_its_psnr_in_every_frame_and_channel(psnr_db):
    y, x = np.mgrid[:256, :256] / 256
    clean = np.stack([np.stack([x, 100 * y], -1), np.stack([5 * x * y, 0.1 + 0.01 * x], -1)]).astype("f4")
    noisy = np.asarray(jax.jit(Gaussian(psnr_db).sample)(jax.random.key(0), clean))
    for frame in range(2):
        for channel in range(2):
            true, test = clean[frame, ..., channel], noisy[frame, ..., channel]
            assert peak_signal_noise_ratio(true, test, data_range=np.ptp(true)) == pytest.approx(psnr_db, abs=0.1)
    assert noisy.min() < 0  # never clipped


def test_a_dose_counts_electrons_and_keeps_the_unit():
    """Mean the clean fraction, variance clean / N, whole electrons."""
    clean = jnp.broadcast_to(jnp.asarray([0.35, 0.004]), (400, 400, 2))
    noisy = np.asarray(Dose(10.0).sample(jax.random.key(0), clean))
    np.testing.assert_allclose(noisy.mean((0, 1)), [0.35, 0.004], rtol=0.05)
    np.testing.assert_allclose(noisy.var((0, 1)), [0.35 / 10, 0.004 / 10], rtol=0.05)
    np.testing.assert_allclose(noisy * 10, np.round(noisy * 10), atol=1e-5)
    expected = stats.poisson.logpmf(np.round(10 * noisy), 10 * np.asarray(clean))
    np.testing.assert_allclose(Dose(10.0).log_prob(noisy, clean), expected, atol=1e-4)
