"""Laine et al. and Self2Self: likelihood, posterior, noise of unknown level; masks and draws."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from stemjax.denoisers.laine import GAUSSIAN, POISSON, Laine, noise_level
from stemjax.denoisers.self2self import Self2Self
from stemjax.networks.laine import LaineNetwork

SMALL = Laine(LaineNetwork(width=4))


class Around:
    """In place of Self2Self's network: the mean of what is known beside and above a pixel, with a dropout of its own.

    The network itself has its tests, and one with the denoiser among the contracts.
    """

    def init(self, key, x):
        return {"params": {"factor": jnp.float32(0.9)}}

    def apply(self, variables, x, mask, rngs):
        sides = ((1, 2), (-1, 2), (1, 1), (-1, 1))
        total, known = (sum(jnp.roll(a, *side) for side in sides) for a in (x * mask, mask))
        kept = jax.random.bernoulli(rngs["dropout"], 0.7, x.shape)
        return variables["params"]["factor"] * kept * total / jnp.maximum(known, 1)


FILLING = Self2Self(Around(), passes=4)
NORM = {"offset": jnp.float32(1.0), "scale": jnp.float32(2.0)}


def scene(level, *shape):
    """A constant scene of 3 counts with normal noise."""
    return np.random.default_rng(0).normal(3, level, shape).astype(np.float32)


class Flat:
    """A network whose output is the same everywhere: what it is given as parameters."""

    def apply(self, variables, x):
        outputs = jnp.asarray(variables["params"])
        return jnp.broadcast_to(outputs, (*x.shape[:-1], len(outputs)))


def prior(mean, deviation, estimate=0.0):
    """Variables with which networks that are `Flat` give these, in their unit."""
    return {"params": {"prior": [mean, deviation], "noise": [estimate]}, "normalisation": NORM}


@pytest.mark.parametrize("noise", [GAUSSIAN, POISSON])
def test_the_posterior_of_a_constant_scene_is_the_closed_form(noise):
    """Prior N(2.6, 0.8²): mean 0.8 of scale 2 after offset 1, A = 0.4 of scale 2. Precisions add up."""
    denoiser, noisy = Laine(Flat(), noise=noise, level=0.5), scene(0.5, 2, 10, 12, 1)
    denoised = denoiser.denoise(prior(0.8, -0.4), noisy)
    variance = 0.25 if noise == GAUSSIAN else 0.5 * 2.6
    precision = 1 / 0.64 + 1 / variance
    np.testing.assert_allclose(denoised, (2.6 / 0.64 + noisy / variance) / precision, rtol=1e-5)


@pytest.mark.parametrize("noise", [GAUSSIAN, POISSON])
def test_the_loss_is_the_likelihood_of_the_pixel_given_all_others(noise):
    denoiser, noisy = Laine(Flat(), noise=noise, level=0.5), scene(0.5, 2, 3, 8, 8, 1)
    batch = {"noisy": noisy} | NORM
    loss, (state, measurements) = denoiser.loss(prior(0.8, 0.4), batch, jax.random.key(0))
    variance = 0.64 + (0.25 if noise == GAUSSIAN else 0.5 * 2.6)
    expected = -2 * stats.norm.logpdf(noisy, 2.6, np.sqrt(variance)).mean() - np.log(2 * np.pi)
    assert float(loss) == pytest.approx(expected, rel=1e-5) and measurements == {"loss": loss} and state == {}


@pytest.mark.parametrize(("noise", "variance"), [(GAUSSIAN, 4.0), (POISSON, 2.0 * 2.6)])
def test_an_unknown_level_is_estimated_in_the_units_of_the_network(noise, variance, monkeypatch):
    """A level of 1 is one scale, of 2 counts; for Poisson noise so much at a mean of one scale."""
    monkeypatch.setattr(Laine, "_noise_network", Flat())
    denoiser, one = Laine(Flat(), noise=noise, level=None), float(4 + np.log(np.expm1(1 - 1e-3)))
    assert float(noise_level(jnp.float32(one))) == pytest.approx(1, rel=1e-5)
    noisy = scene(0.5, 1, 8, 8, 1)
    variables = prior(0.8, 0.4, one)
    _, _, found, level = denoiser._estimate(variables, noisy, NORM)
    np.testing.assert_allclose(found, variance, rtol=1e-5)
    np.testing.assert_allclose(level, 1, rtol=1e-5)
    known = replace(denoiser, level=2.0)  # the same noise, given in the unit of the image
    without = known.loss(prior(0.8, 0.4), {"noisy": noisy} | NORM, jax.random.key(0))[0]
    with_bonus = denoiser.loss(variables, {"noisy": noisy} | NORM, jax.random.key(0))[0]
    assert float(with_bonus) == pytest.approx(float(without) - 0.1, rel=1e-4)


def test_an_unknown_level_has_a_network_of_its_own():
    shapes = jax.eval_shape(replace(Laine(), level=None).init, jax.random.key(0), jnp.zeros((1, 64, 64, 1)))["params"]
    counts = {name: sum(leaf.size for leaf in jax.tree.leaves(part)) for name, part in shapes.items()}
    assert counts == {"prior": 1_265_858, "noise": 1_099_585}


def test_what_does_not_fit_says_so():
    with pytest.raises(ValueError, match="'poisson', 'gaussian'"):
        Laine(noise="normal")
    with pytest.raises(ValueError, match="give one above 0, or None"):
        Laine(level=0.0)
    with pytest.raises(ValueError, match="takes one channel, not 2"):
        jax.eval_shape(lambda x: SMALL.denoise(SMALL.init(jax.random.key(0), x), x), jnp.zeros((1, 32, 32, 2)))
    with pytest.raises(ValueError, match="some pixels must be kept and some not"):
        Self2Self(keep=1.0)


# ---------------------------------------------------------------------------------------------------- Self2Self
@pytest.fixture(scope="module")
def variables():
    return jax.jit(FILLING.init)(jax.random.key(0), jnp.zeros((1, 32, 32, 1)))


def test_only_missing_pixels_count_in_the_loss(variables):
    noisy, key = scene(1.0, 2, 1, 32, 32, 1), jax.random.key(3)
    loss, (state, _) = jax.jit(FILLING.loss)(variables, {"noisy": noisy}, key)
    draw_key, *flip_keys = jax.random.split(key, 3)
    low, high = noisy.min((2, 3), keepdims=True), noisy.max((2, 3), keepdims=True)
    images = ((noisy - low) / (high - low))[:, 0]
    for axis, flip_key in zip((1, 2), flip_keys, strict=True):
        flipped = np.asarray(jax.random.bernoulli(flip_key, 0.5, (2, 1, 1, 1)))
        images = np.where(flipped, np.flip(images, axis), images)
    filled, mask = map(np.asarray, jax.jit(FILLING._fill_in)(variables, images, draw_key))
    assert abs(mask.mean() - 0.7) < 0.05 and set(np.unique(mask)) == {0, 1}
    assert float(loss) == pytest.approx(np.mean((filled - images)[mask == 0] ** 2), rel=1e-4) and state == {}


def test_the_result_is_the_mean_of_draws(variables):
    noisy, fill = scene(1.0, 1, 32, 32, 1), jax.jit(FILLING._fill_in)
    denoise = jax.jit(FILLING.denoise)
    np.testing.assert_array_equal(denoise(variables, noisy), denoise(variables, noisy))
    key, low, high = jax.random.key(1), noisy.min(), noisy.max()
    images = (noisy - low) / (high - low)
    draws = np.stack([fill(variables, images, jax.random.fold_in(key, i))[0] for i in range(FILLING.passes)])
    assert draws.std(0).mean() > 1e-3
    np.testing.assert_allclose(denoise(variables, noisy, key), draws.mean(0) * (high - low) + low, rtol=1e-4)
