"""PURE-LET: an unbiased risk, the least of it, and a better image than a fixed threshold makes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.denoisers.pure_let import PureLet, best_weights, combine, expand, risk


def lattice(size, rate, period=25):
    """Columns of atoms on a flat ground: mean `rate` counts."""
    y, x = np.mgrid[:size, :size] * 2 * np.pi / period
    return rate * (1 + 0.6 * np.cos(x) * np.cos(y)).astype("f4")


def draws(clean, count, seed=0):
    return np.random.default_rng(seed).poisson(clean, (count, *clean.shape)).astype("f4")


def mean_and_error(values):
    return np.mean(values), np.std(values, ddof=1) / np.sqrt(len(values))


@pytest.mark.parametrize("interscale", [False, True])
def test_the_risk_estimate_is_unbiased(interscale):
    """Mean over noise of PURE minus the true squared error, for given weights: within four standard errors of zero."""
    given = np.random.default_rng(1).uniform(-0.3, 0.8, 3 * 4 * (4 if interscale else 2)).astype("f4")

    @jax.jit
    def errors(clean, noisy):
        def one(image):
            expansion = expand(image, 4, interscale)
            return risk(expansion, given), jnp.mean((combine(expansion, given) - clean) ** 2)

        return jax.lax.map(one, noisy, batch_size=50)

    for rate in (0.1, 0.45, 1.8, 10.0):
        clean = lattice(24, rate, period=10)
        estimated, true = map(np.array, errors(clean, draws(clean, 1000)))
        bias, error = mean_and_error(estimated - true)
        assert abs(bias) < 4 * error
        assert error < 0.05 * true.mean()  # narrow enough to show a bias: see the next test


def test_a_risk_that_forgets_the_missing_count_would_be_found():
    clean = lattice(24, 0.45, period=10)
    given = np.full(3 * 4 * 4, 0.3, "f4")

    @jax.jit
    def errors(noisy):
        expansion = expand(noisy, 4)
        plain = jnp.mean(combine(expansion, given) ** 2 - 2 * noisy * combine(expansion, given) + noisy**2)
        return plain - jnp.mean((combine(expansion, given) - clean) ** 2)

    bias, error = mean_and_error(np.array(jax.lax.map(errors, draws(clean, 500))))
    assert abs(bias) > 20 * error


def test_the_risk_of_the_chosen_weights_is_near_the_true_one():
    """Lower by what the weights fit to the noise: a few times weights x variance / pixels."""
    clean = lattice(95, 1.8)

    @jax.jit
    def errors(noisy):
        expansion = expand(noisy, 4)
        weights = best_weights(expansion)
        return risk(expansion, weights), jnp.mean((combine(expansion, weights) - clean) ** 2)

    estimated, true = map(np.array, jax.lax.map(errors, draws(clean, 20)))
    assert -4 * 48 * 1.8 / clean.size < np.mean(estimated - true) < 0


def test_the_chosen_weights_have_the_least_risk():
    expansion = jax.jit(expand, static_argnums=1)(draws(lattice(64, 1.8), 1)[0], 4)
    best = best_weights(expansion)
    for seed in range(5):
        step = 0.05 * np.random.default_rng(seed).standard_normal(best.shape).astype("f4")
        assert risk(expansion, best) < min(risk(expansion, best + step), risk(expansion, best - step))
    assert risk(expansion, best) < 0.3 * risk(expansion, jnp.zeros_like(best).at[::4].set(1))


@pytest.mark.parametrize("shape", [(2, 2), (23, 40), (64, 61)])
def test_the_wavelets_are_complete(shape):
    """Coarsest sums and details (every linear function with weight one) are the image again."""
    noisy = np.random.default_rng(0).poisson(3.0, shape).astype("f4")
    expansion = jax.jit(expand, static_argnums=1)(noisy, 5)
    ones = jnp.zeros(len(expansion.images)).at[::4].set(1)
    np.testing.assert_allclose(combine(expansion, ones), noisy, atol=2e-5)
    np.testing.assert_allclose(risk(expansion, ones), noisy.mean(), rtol=1e-4)  # the noise's variance, estimated


def threshold_haar(noisy, levels, factor):
    """Fixed-threshold filter: decimated orthonormal Haar, details below `factor` sqrt(mean counts) set to zero."""
    coarse, details = noisy, []
    for _ in range(levels):
        a, b, c, d = coarse[::2, ::2], coarse[::2, 1::2], coarse[1::2, ::2], coarse[1::2, 1::2]
        details.append([(a - b + c - d) / 2, (a + b - c - d) / 2, (a - b - c + d) / 2])
        coarse = (a + b + c + d) / 2
    for bands in details[::-1]:
        x, y, z = (np.where(np.abs(band) < factor * np.sqrt(noisy.mean()), 0, band) for band in bands)
        finer = np.empty((2 * len(coarse), 2 * coarse.shape[1]))
        finer[::2, ::2], finer[::2, 1::2] = (coarse + x + y + z) / 2, (coarse - x + y - z) / 2
        finer[1::2, ::2], finer[1::2, 1::2] = (coarse + x - y - z) / 2, (coarse - x - y + z) / 2
        coarse = finer
    return coarse


def spun(noisy, levels, factor, shifts):
    """The same, averaged over shifts: as many as `shifts` squared."""
    steps = range(0, 2**levels, 2**levels // shifts)
    return np.mean(
        [
            np.roll(threshold_haar(np.roll(noisy, (i, j), (0, 1)), levels, factor), (-i, -j), (0, 1))
            for i in steps
            for j in steps
        ],
        axis=0,
    )


@pytest.mark.parametrize("rate", [0.45, 1.8])
def test_it_beats_a_fixed_threshold(rate):
    """Any fixed threshold, the best one for this very image, decimated and averaged over 64 shifts."""
    clean = lattice(128, rate)
    noisy = draws(clean, 1)[0]
    denoised = np.asarray(PureLet(levels=5).denoise({}, noisy[None, ..., None]))[0, ..., 0]
    error = lambda image: np.mean((image - clean) ** 2)
    factors = (1.0, 2.0, 3.0, 4.0, 5.0)
    fixed = min(error(threshold_haar(noisy, 5, factor)) for factor in factors)
    fixed_spun = min(error(spun(noisy, 5, factor, 8)) for factor in factors)
    assert error(denoised) < 0.7 * min(fixed, fixed_spun)


def test_many_counts_are_left_alone():
    clean = lattice(64, 1e5)
    noisy = draws(clean, 1)[0]
    denoised = np.asarray(PureLet(levels=4).denoise({}, noisy[None, ..., None]))[0, ..., 0]
    assert np.mean((denoised - clean) ** 2) < np.mean((noisy - clean) ** 2)


def test_empty_and_small_images():
    empty = np.zeros((1, 40, 40, 1), "f4")
    np.testing.assert_array_equal(PureLet().denoise({}, empty), empty)
    assert np.isfinite(PureLet().denoise({}, np.ones((1, 3, 2, 2), "f4"))).all()
    with pytest.raises(ValueError, match="2 px a side"):
        PureLet().denoise({}, np.ones((1, 1, 9, 1), "f4"))
