"""Noise2Self: its grid, what replaces a masked pixel, that it is blind, and its loss."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.denoisers.noise2self import Noise2Self
from stemjax.networks import N2VUNet

DENOISER = Noise2Self(N2VUNet(depth=1, width=4, first_kernel=3, channels_out=1))


def images(*shape):
    return jnp.asarray(np.random.default_rng(0).normal(3, 2, shape), jnp.float32)


@pytest.fixture(scope="module")
def variables():
    noisy = images(1, 10, 9, 1)
    return DENOISER.prepare(jax.jit(DENOISER.init)(jax.random.key(0), noisy), noisy)


def test_every_pixel_is_in_one_phase_of_a_grid_of_4():
    masks = np.stack([np.asarray(DENOISER._masked(images(1, 10, 9, 1), phase)[1][..., 0]) for phase in range(16)])
    assert (masks.sum(0) == 1).all()
    assert masks[0].nonzero()[0].tolist() == [0] * 3 + [4] * 3 + [8] * 3


@pytest.mark.parametrize("neighbours", [4, 8])
def test_a_masked_pixel_becomes_the_mean_of_its_neighbours(neighbours):
    noisy = images(2, 10, 9, 2)
    masked, mask = Noise2Self(DENOISER.network, neighbours=neighbours)._masked(noisy, jnp.int32(0))
    for row, column in ((0, 0), (4, 4), (8, 8)):
        places = [(row + y, column + x) for y, x in np.ndindex(3, 3)]
        inside = [
            (y - 1, x - 1)
            for y, x in places
            if 0 <= y - 1 < 10 and 0 <= x - 1 < 9 and (y - 1, x - 1) != (row, column)
            if neighbours == 8 or row == y - 1 or column == x - 1
        ]
        expected = np.mean([noisy[:, y, x] for y, x in inside], axis=0)
        np.testing.assert_allclose(masked[:, row, column], expected, atol=1e-5)
    np.testing.assert_array_equal(np.where(mask, 0, masked), np.where(mask, 0, noisy))


def test_no_pixel_sees_itself(variables):
    """The derivative of every pixel by itself is exactly 0, that by its neighbours is not."""
    noisy = images(1, 10, 9, 1)
    flat = lambda x: DENOISER.denoise(variables, x.reshape(noisy.shape)).ravel()
    jacobian = np.asarray(jax.jit(jax.jacfwd(flat))(noisy.ravel()))
    assert (np.diag(jacobian) == 0).all()
    assert (np.diag(jacobian, 1) != 0).mean() > 0.9


def test_the_loss_is_of_the_masked_pixels_and_what_denoising_shows_of_them(variables):
    noisy = images(1, 10, 9, 1)
    norm = variables["normalisation"]
    batch = {"noisy": noisy} | norm
    denoised = jax.jit(DENOISER.denoise)(variables, noisy)
    squared = ((denoised - noisy) / norm["scale"]) ** 2
    loss = jax.jit(lambda batch, key: DENOISER.loss(variables, batch, key)[0])
    of_phases = [float(squared[DENOISER._masked(noisy, phase)[1][None]].mean()) for phase in range(16)]
    for seed in range(5):
        assert min(abs(float(loss(batch, jax.random.key(seed))) - phase) for phase in of_phases) < 1e-5
    kept = jnp.zeros((1, 10, 9, 1)).at[:, :5].set(1)
    held, whole = (float(loss(batch | more, jax.random.key(0))) for more in ({"targets": kept}, {}))
    phase = int(np.argmin([abs(whole - value) for value in of_phases]))
    counted = DENOISER._masked(noisy, phase)[1][None] & (kept > 0)
    np.testing.assert_allclose(held, squared[counted].mean(), rtol=1e-4)


def test_a_movie_is_normalised_as_a_whole():
    movie = images(3, 10, 9, 1)
    streamed = DENOISER.prepare_movie({}, iter(np.asarray(movie)))["normalisation"]
    for name, value in DENOISER.prepare({}, movie)["normalisation"].items():
        np.testing.assert_allclose(streamed[name], value, rtol=1e-5)


def test_settings_that_make_no_grid_are_refused():
    with pytest.raises(ValueError, match="neighbours 6, width 4"):
        Noise2Self(DENOISER.network, neighbours=6)
    noisy = jnp.zeros((1, 8, 8, 2))
    with pytest.raises(ValueError, match="a network of 1 channels was given images of 2"):
        jax.eval_shape(lambda key: DENOISER.denoise(DENOISER.init(key, noisy), noisy), jax.random.key(0))
