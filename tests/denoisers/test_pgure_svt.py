"""PGURE-SVT: a risk that tracks the true error, the noise it needs, motion that is followed, and a better movie."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from stemjax.apply import inference
from stemjax.denoisers.noise_line import _blocks, estimate_noise
from stemjax.denoisers.pgure_svt import THRESHOLDS, PgureSvt, decompose
from stemjax.denoisers.trajectories import displacements, follow
from stemjax.models.presets import find_preset

CAMERA = {"gain": 16.0, "offset": 100.0, "sigma": 10.0}


def lattice(counts, frames=7, size=48, drift=0.4):
    """Columns 7 px apart that drift and breathe, mean `counts`: float32 [T, H, W]."""
    t, y, x = np.mgrid[:frames, :size, :size].astype("f4")
    wave = np.cos(2 * np.pi * (x - drift * t) / 7) * np.cos(2 * np.pi * (y + drift * t) / 7)
    return counts * (1 + (0.6 + 0.2 * np.cos(t + y / 9)) * wave)


def recorded(clean, seed=0, gain=1.0, offset=0.0, sigma=0.0):
    """(noisy movie, its mean)."""
    rng = np.random.default_rng(seed)
    noisy = gain * rng.poisson(clean) + offset + sigma * rng.normal(size=clean.shape)
    return noisy.astype("f4"), gain * clean + offset


_displacements = jax.jit(displacements, static_argnums=(2, 3))
_denoise = jax.jit(PgureSvt.denoise, static_argnums=0)


def denoised(noisy, **fields):
    return np.asarray(_denoise(PgureSvt(**fields), {}, jnp.asarray(noisy)[None, ..., None]))[0, ..., 0]


def error(image, truth):
    return np.mean((image - truth) ** 2)


# ---------------------------------------------------------------------------------------------------- the risk
@pytest.mark.parametrize("counts, camera, tolerance", [(20.0, CAMERA, 0.08), (4.0, {}, 0.08), (1.5, {}, 0.2)])
def test_the_risk_tracks_the_true_error(counts, camera, tolerance):
    """Over all thresholds, mean over frames and two draws. It is worse where the second order in gain does not do."""
    denoiser = PgureSvt(window=7, search=0, **camera)
    scan = jax.jit(lambda movie: denoiser._each(movie, lambda *found: found))
    true, risk = [], []
    for seed in range(2):
        noisy, truth = recorded(lattice(counts), seed, **camera)
        images, risks = map(np.asarray, scan(noisy))
        true.append(np.mean((images - truth[:, None]) ** 2, axis=(0, 2, 3)))
        risk.append(np.mean(risks, axis=0))
    true, risk = np.mean(true, axis=0), np.mean(risk, axis=0)
    assert 0 < true.argmin() < len(THRESHOLDS) - 1 and true.max() > 2 * true.min()  # one could miss it
    assert abs(int(risk.argmin()) - int(true.argmin())) <= 1
    np.testing.assert_allclose(risk, true, rtol=tolerance)
    # The distance from the noisy movie, without what corrects it, has its minimum elsewhere: it only rises.
    assert np.argmin([error(image, noisy) for image in np.moveaxis(images, 1, 0)]) == 0


def test_the_threshold_is_a_soft_one_on_the_singular_values():
    matrices = np.random.default_rng(0).normal(size=(5, 16, 7)).astype("f4")
    u, s, vt = np.linalg.svd(matrices, full_matrices=False)
    for threshold in (0.0, 2.5, 4.0, 100.0):
        expected = u * np.maximum(s - threshold, 0)[:, None] @ vt
        found = decompose(jnp.asarray(matrices)).thresholded(jnp.float32(threshold), jnp.int32(3))
        np.testing.assert_allclose(found, expected[..., 3], atol=2e-5)


def test_there_is_one_eigh_for_no_other_to_wait_for():
    """Two at once may fill XLA's pool of threads and wait in it for each other for ever."""
    program = jax.make_jaxpr(lambda movie: PgureSvt().denoise({}, movie))(jnp.ones((2, 20, 16, 16, 2)))
    assert str(program).count(" eigh[") == 1


def test_it_ends_with_two_threads():
    """In a process of its own: the tests themselves may run with one thread, where nothing ever waits."""
    code = (
        "import jax, numpy as np; from stemjax.denoisers.pgure_svt import PgureSvt\n"
        "movie = np.random.default_rng(0).poisson(4.0, (1, 150, 96, 96, 1)).astype('f4')\n"
        "print(bool(np.isfinite(jax.jit(PgureSvt(window=7, search=0).denoise)({}, movie)).all()))"
    )
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"} | {"NPROC": "2", "JAX_PLATFORMS": "cpu"}
    call = {"capture_output": True, "text": True, "cwd": Path(__file__).parents[2]}
    result = subprocess.run([sys.executable, "-c", code], env=environment, timeout=240, **call)
    assert result.stdout == "True\n", result.stderr


@pytest.mark.parametrize("camera", [CAMERA, {"gain": 1.0, "offset": 0.0, "sigma": 0.0}, {"gain": 2.0, "sigma": 6.0}])
def test_the_noise_is_found(camera):
    """Its variance at the values that the movie has; some blocks flicker, which a plain fit would take for noise."""
    clean = lattice(10.0, frames=12, size=96, drift=0.1)
    noisy, truth = recorded(clean, **camera)
    noisy[::2, 40:52, 40:52] += 10 * camera["gain"]
    found = estimate_noise(jnp.asarray(noisy))
    levels = np.percentile(truth, [5, 50, 95])
    expected = camera["gain"] * (levels - camera.get("offset", 0)) + camera["sigma"] ** 2
    np.testing.assert_allclose(found.variance(levels), expected, rtol=0.1)
    assert np.polyfit(*_blocks(jnp.asarray(noisy)), 1)[0] > 3 * camera["gain"]  # the plain fit


def test_noise_of_one_variance_has_no_gain():
    noise = 3 * np.random.default_rng(0).normal(size=(9, 64, 64)).astype("f4")
    found = estimate_noise(jnp.asarray(noise))
    np.testing.assert_allclose(found.variance(np.zeros(1)), 9, rtol=0.05)


# ---------------------------------------------------------------------------------------------------- motion
def test_a_frame_and_a_block_in_it_are_followed():
    """The scene drifts by (0.4, -1) px a frame, a part of it by (0.4, 1)."""
    texture = gaussian_filter(np.random.default_rng(0).normal(size=(120, 120)), 2) * 60 + 20
    shift = lambda t, x: (
        np.fft.ifft2(
            np.fft.fft2(texture)
            * np.exp(-2j * np.pi * (np.fft.fftfreq(120)[:, None] * 0.4 * t + np.fft.fftfreq(120) * x))
        ).real
    )
    clean = np.stack([shift(t, -t) for t in range(5)])
    clean[:, 50:82, 50:82] = np.stack([shift(t, t)[50:82, 50:82] for t in range(5)])
    noisy, _ = recorded(np.maximum(clean, 0))
    onward, back = map(np.asarray, _displacements(jnp.asarray(noisy), noisy.mean(), 3, 16))
    np.testing.assert_allclose(np.median(onward, (0, 1, 2)), (0.4, -1), atol=0.1)
    np.testing.assert_allclose(np.median(back, (0, 1, 2)), (-0.4, 1), atol=0.1)
    np.testing.assert_allclose(np.median(onward[:, 60:72, 60:72], (0, 1, 2)), (0, 1), atol=0.1)  # by whole pixels
    corners = np.array([[20, 20], [64, 64]])
    places = follow(corners, onward, back, jnp.int32(2), jnp.array([116, 116]), 2)
    expected = np.rint(np.arange(-2, 3)[:, None] * (0.4, -1)) + 20
    np.testing.assert_allclose(places[:, 0], expected, atol=1)
    np.testing.assert_array_equal(places[2], corners)


def test_noise_alone_does_not_move():
    noise = np.random.default_rng(0).poisson(2.0, (5, 120, 120)).astype("f4")
    for steps in _displacements(jnp.asarray(noise), jnp.float32(2.0), 3, 16):
        assert np.mean(np.any(np.asarray(steps) != 0, axis=-1)) < 0.02


# ---------------------------------------------------------------------------------------------------- the movies
@pytest.mark.parametrize("counts", [4.0, 20.0])
def test_a_drifting_lattice_comes_out_better_than_from_a_tuned_gaussian(counts):
    """Tuned for this very movie, in space and in time; and the motion is what makes the difference."""
    noisy, truth = recorded(lattice(counts, frames=10, drift=1.0))
    sigmas = [(t, s, s) for t in (0, 0.3, 0.5, 0.7, 1, 1.4) for s in (0.5, 0.6, 0.7, 0.85, 1, 1.2, 1.4)]
    gaussian = min(error(gaussian_filter(noisy, sigma), truth) for sigma in sigmas)
    found = error(denoised(noisy, patch=8), truth)
    assert found < 0.9 * gaussian
    assert found < 0.8 * error(denoised(noisy, patch=8, search=0), truth)


def test_the_unit_does_not_matter():
    noisy, _ = recorded(lattice(4.0, frames=10, drift=1.0))
    once = denoised(noisy, patch=8)
    np.testing.assert_allclose(denoised(16 * noisy + 100, patch=8), 16 * once + 100, rtol=1e-3)


def test_a_long_movie_is_that_of_its_pieces(monkeypatch):
    """It looks no further than its `frames` say, at the ends of the movie either."""
    noisy, _ = recorded(lattice(4.0, frames=11, size=16))
    denoiser = PgureSvt(window=3, search=0, gain=1.0, offset=0.0, sigma=0.0)
    run = partial(inference.denoise_image, denoiser, {})
    whole = run(noisy[..., None])
    monkeypatch.setattr(inference, "MEMORY", 6 * 32 * denoiser.memory_channels * 16 * 16)
    np.testing.assert_allclose(run(noisy[..., None]), whole, atol=1e-4)
    noisy[5:] += 7.0  # the first frames cannot know: their window begins with the movie
    np.testing.assert_allclose(run(noisy[..., None])[:3], whole[:3], atol=1e-4)
    assert find_preset("pgure-svt").denoiser.frames == (14, 14)


def test_odd_movies():
    """Two frames; fewer pixels than a patch; no contrast at all."""
    tiny = np.random.default_rng(0).poisson(3.0, (2, 3, 9)).astype("f4")
    found = denoised(tiny)
    assert np.isfinite(found).all() and error(found, tiny) > 0.1
    np.testing.assert_allclose(denoised(np.full((2, 3, 9), 7.0, "f4")), 7, atol=1e-5)
    with pytest.raises(ValueError, match="needs a movie of 2 frames or more, but there is only 1 frame: use pure-let"):
        denoised(tiny[:1])
