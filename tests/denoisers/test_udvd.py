"""UDVD, the movie autoencoder and the Gaussian in space and time: ends of movies, losses, and what they denoise."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import ndimage

from stemjax.apply import inference
from stemjax.denoisers.movie_autoencoder import MovieAutoencoder
from stemjax.denoisers.space_time_gaussian import SpaceTimeGaussian
from stemjax.denoisers.udvd import UDVD
from stemjax.networks.autoencoder import Autoencoder
from stemjax.networks.udvd import UDVDNetwork

SMALL = UDVD(UDVDNetwork(width=6, square=False), strong_start=True)
THREE = UDVD(UDVDNetwork(frames=3, width=6, square=False), strong_start=True)  # compiles in half the time


def movie(*shape):
    return np.random.default_rng(0).poisson(1.5, shape).astype(np.float32)


@pytest.fixture(scope="module")
def variables():
    return jax.jit(SMALL.init)(jax.random.key(0), jnp.zeros((1, 5, 16, 16, 1)))


def test_missing_frames_are_reflected_and_never_repeated(variables):
    noisy, seen = movie(1, 3, 12, 16, 1), []

    def noted(variables, frames):
        seen.append(frames)
        return SMALL.network.apply(variables, frames)

    denoise = jax.jit(lambda noisy: (SMALL.denoise(variables, noisy), seen.pop()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(UDVD, "denoise_valid", lambda self, *given: noted(*given))
        denoised, around = denoise(noisy)
    assert denoised.shape == noisy.shape
    np.testing.assert_array_equal(around, noisy[:, [2, 1, 0, 1, 2, 1, 0]])  # frames -2 to 4
    assert 0.01 < np.std(denoised) < 10  # a strong start keeps the signal
    changed = noisy.copy()
    changed[:, 0, 4, 5] += 3  # at the end of the movie too, no frame but its own has the pixel at its place
    again = np.asarray(denoise(changed)[0])
    assert (again[:, :, 4, 5] == np.asarray(denoised)[:, :, 4, 5]).all() and not np.array_equal(again, denoised)


def test_too_few_frames_say_so(variables):
    with pytest.raises(ValueError, match="needs 3, but there are only 2 frames: use wcid"):
        jax.eval_shape(SMALL.denoise, variables, movie(1, 2, 8, 8, 1))
    with pytest.raises(ValueError, match="needs at least 5 frames to learn from, not 4"):
        jax.eval_shape(SMALL.loss, variables, {"noisy": movie(1, 4, 8, 8, 1)}, jax.random.key(0))
    with pytest.raises(ValueError, match="a network of 1 channels was given movies of 2"):
        jax.eval_shape(lambda x: SMALL.denoise(SMALL.init(jax.random.key(0), x), x), movie(1, 3, 8, 8, 2))


def test_the_loss_is_the_squared_error_of_frames_with_all_neighbours():
    noisy, variables = movie(2, 4, 8, 8, 1), jax.jit(THREE.init)(jax.random.key(0), jnp.zeros((1, 3, 16, 16, 1)))
    loss, (state, measurements) = jax.jit(THREE.loss)(variables, {"noisy": noisy}, jax.random.key(0))
    predicted = jax.jit(THREE.network.apply)(variables, noisy)
    assert predicted.shape[1] == 2
    assert float(loss) == pytest.approx(float(np.mean((predicted - noisy[:, 1:3]) ** 2)), rel=1e-5)
    assert state == {} and measurements == {"loss": loss}


def trained(denoiser, noisy, steps, rate):
    adam, key = optax.adam(rate), jax.random.key(0)
    variables = dict(jax.jit(denoiser.init)(key, noisy))

    @jax.jit
    def update(variables, state, key):
        rest = {name: value for name, value in variables.items() if name != "params"}
        loss = lambda params: denoiser.loss(rest | {"params": params}, {"noisy": noisy}, key)
        (value, (new, _)), gradient = jax.value_and_grad(loss, has_aux=True)(variables["params"])
        updates, state = adam.update(gradient, state)
        return rest | new | {"params": optax.apply_updates(variables["params"], updates)}, state, value

    state, losses = adam.init(variables["params"]), []
    for step in range(steps):
        variables, state, value = update(variables, state, jax.random.fold_in(key, step))
        losses.append(float(value))
    return variables, losses


def test_udvd_denoises_a_movie_that_it_learns_from():
    y, x = np.mgrid[:16, :16] * 2 * np.pi / 8
    clean = np.stack([8 + 6 * np.cos(x + 0.1 * t) * np.cos(y) for t in range(6)])[None, ..., None].astype("f4")
    noisy = np.random.default_rng(0).poisson(clean).astype("f4")
    variables, losses = trained(THREE, noisy, 60, 5e-3)
    denoised = inference.denoise_image(THREE, variables, noisy[0])
    assert losses[-1] < 0.5 * losses[0]
    assert np.mean((denoised - clean[0]) ** 2) < 0.5 * min(clean.var(), np.mean((noisy - clean) ** 2))


def test_the_autoencoder_learns_to_give_back_what_it_is_shown():
    denoiser, noisy = MovieAutoencoder(Autoencoder(1, width=4)), movie(1, 4, 16, 18, 1)
    variables, losses = trained(denoiser, noisy, 60, 1e-2)
    assert losses[-1] < 0.7 * losses[0]
    denoised = jax.jit(denoiser.denoise)(variables, noisy[0])
    assert np.mean((denoised - noisy[0]) ** 2) < 0.8 * noisy.var()  # it copies noise: nothing keeps it from that
    np.testing.assert_allclose(inference.denoise_image(denoiser, variables, noisy[0]), denoised, atol=1e-4)


# ---------------------------------------------------------------------------------------------------- Gaussian
@pytest.mark.parametrize(("sigma", "sigma_time"), [(1.3, 0.8), (2.0, 4.0), (0.0, 1.0), (1.0, 0.0)])
def test_the_gaussian_is_that_of_scipy(sigma, sigma_time):
    noisy = movie(2, 9, 14, 17, 2)
    filtered = jax.jit(SpaceTimeGaussian(sigma, sigma_time).denoise)({}, noisy)
    modes = ("constant", "mirror", "reflect", "reflect", "constant")
    expected = ndimage.gaussian_filter(noisy.astype("f8"), (0, sigma_time, sigma, sigma, 0), mode=modes)
    np.testing.assert_allclose(filtered, expected, atol=1e-5)


@pytest.mark.parametrize(("sigma", "sigma_time"), [(0.8, 0.8), (0.8, 0.0)])
def test_a_window_has_as_many_taps(sigma, sigma_time):
    """Of three taps, the middle one exp(1 / (2 sigma^2)) times as heavy as either side, along every axis filtered."""
    denoiser, impulse = SpaceTimeGaussian(sigma, sigma_time, window=3), np.zeros((1, 9, 9, 9, 1), "f4")
    impulse[0, 4, 4, 4] = 1
    side = 1 / (2 + np.exp(0.5 / sigma**2))
    line = np.array([0, side, 1 - 2 * side, side, 0])
    along = line if sigma_time else np.array([0, 0, 1, 0, 0])
    expected = np.einsum("t,y,x->tyx", along, line, line)
    response = np.asarray(denoiser.denoise({}, impulse))[0, ..., 0]
    np.testing.assert_allclose(response[2:7, 2:7, 2:7], expected, atol=1e-6)
    assert response.sum() == pytest.approx(1, abs=1e-5)
    assert denoiser.frames == ((1, 1) if sigma_time else (0, 0))
    with pytest.raises(ValueError, match="no middle"):
        SpaceTimeGaussian(window=4)


def test_the_gaussian_looks_as_far_as_its_kernel():
    denoiser, noisy = SpaceTimeGaussian(1.0, 0.7), movie(12, 8, 8, 1)
    assert denoiser.frames == (3, 3) and SpaceTimeGaussian(1.0, 0.0).frames == (0, 0)
    impulse = np.zeros((1, 11, 1, 1, 1), "f4")
    impulse[:, 5] = 1
    response = np.flatnonzero(np.asarray(denoiser.denoise({}, impulse)))
    np.testing.assert_array_equal(response, np.arange(2, 9))
    whole = denoiser.denoise({}, noisy[None])[0]
    np.testing.assert_allclose(inference.denoise_image(denoiser, {}, noisy), whole, atol=1e-6)
    assert np.array_equal(np.asarray(denoiser.denoise({}, noisy[None, :1]))[0].shape, noisy[:1].shape)
