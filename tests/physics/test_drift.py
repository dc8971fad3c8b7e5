"""Drift of toy movies whose path is known."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from stemjax.data.recordings import open_recording
from stemjax.models.presets import find_preset
from stemjax.physics.drift import CUMULATIVE, MEAN, RUNNING, Drift, RegistrationError, bound, register
from stemjax.training import train
from stemjax.training.recipes import recorded_run
from tests.toys.drift import PATH, SIZE, scene


def smooth(frames: np.ndarray) -> np.ndarray:
    return gaussian_filter(frames, (0, 1, 1))


@pytest.mark.parametrize("reference", [RUNNING, CUMULATIVE, MEAN])
def test_a_known_path_is_found_without_noise(reference):
    found = register(scene(), reference=reference)
    assert np.abs(found.path - PATH).max() < 0.1
    assert found.disagreement < 0.1


def test_a_known_path_is_found_in_noise_after_a_filter():
    noisy = np.random.default_rng(1).poisson(scene(level=10.0)).astype(float)
    found = register(noisy, smooth, reach=3)
    error = found.path - PATH
    assert np.sqrt(np.mean((error - error.mean(0)) ** 2)) < 0.1
    # Against the mean of all frames before errors do not add up as from frame to frame.
    steps = register(noisy, smooth, CUMULATIVE, reach=3).path - PATH
    assert np.std(error) < np.std(steps)


def test_frames_that_say_nothing_of_each_other_are_registered_against_the_mean_of_all():
    path = np.cumsum(np.random.default_rng(4).normal(0, 0.4, (24, 2)), 0)
    noisy = np.random.default_rng(1).poisson(scene(path, level=2.5)).astype(float)
    with pytest.raises(RegistrationError, match="disagree by"):
        register(noisy, smooth, reach=4)
    found = register(noisy, smooth, MEAN, reach=4)
    error = found.path - path
    assert np.sqrt(np.mean((error - error.mean(0)) ** 2)) < 0.2 < np.sqrt(np.mean((path - path.mean(0)) ** 2))
    assert np.abs(found.path[0]).max() == 0


def test_a_known_path_is_found_at_an_eighth_of_an_electron_per_pixel_after_wcid(tmp_path):
    """0.12 electrons per pixel and frame, as in the counting movies, on 512 x 512 pixels of two strong lattices.

    Lattices as strong as these allow it. On the simulated movie of Pt, of less contrast and coarser, nothing could: see
    the bounds in `wcvd_figure_s12`.
    """
    path = np.cumsum(np.random.default_rng(4).normal(0, 0.4, (12, 2)), 0)
    noisy = np.random.default_rng(1).poisson(two_lattices(path, 0.12)).astype(np.float32)
    np.save(tmp_path / "movie.npy", noisy)
    movie = open_recording(tmp_path / "movie.npy", "THW")
    wcid = find_preset("wcid").at("cpu")
    run = replace(recorded_run(wcid, "cpu", movie, steps=10), validate_every=10)
    outcome = train.train(run, movie, tmp_path / "runs")
    _, variables, _ = train.load_run(outcome.folder)
    denoised = np.asarray(jax.jit(wcid.denoise)(variables, noisy[None, ..., None]))[0, ..., 0]
    errors = {}
    for name, frames in {"wcid": denoised, "gaussian": gaussian_filter(noisy, (0, 3, 3))}.items():
        error = register(frames, reference=MEAN, reach=5).path - path
        errors[name] = np.sqrt(np.mean((error - error.mean(0)) ** 2))
    assert errors["wcid"] < 0.1 and errors["wcid"] < errors["gaussian"]
    clean = two_lattices(path, 0.12)
    assert bound(clean, clean).max() < 0.06


def two_lattices(path: np.ndarray, level: float, side: int = 512) -> np.ndarray:
    """A lattice of columns 14 px apart over another, 17 px apart, drifting."""
    frames, (y, x) = [], np.indices((side, side))
    for dy, dx in path:
        v, u = y - dy, x - dx
        lower = 1 / (1 + np.exp(-60 * (v / side - 0.45)))
        one = np.cos(2 * np.pi * v / 14) * np.cos(2 * np.pi * (u + v / 3) / 13)
        other = np.cos(2 * np.pi * u / 17) * np.cos(2 * np.pi * v / 18)
        frames.append(level * (1 + 0.8 * ((1 - lower) * one + lower * other)))
    return np.stack(frames)


def test_the_bound_of_a_wave_in_closed_form():
    """F = amplitude² k² pixels / (2 variance) in each direction, for one wave along y plus one along x."""
    y, x = np.indices((120, 120))
    k, amplitude, variance = 2 * np.pi / 40, 3.0, 2.0
    clean = amplitude * (np.sin(k * y) + np.sin(k * x))[None]
    fisher = amplitude**2 * k**2 * clean.size / (2 * variance)
    assert bound(clean, np.full_like(clean, variance))[0] == pytest.approx(np.sqrt(2 / fisher), rel=0.02)
    assert bound(np.sin(k * y)[None], np.ones((1, 120, 120)))[0] == np.inf  # it may lie anywhere along x


def test_halves_of_frames_that_hold_noise_alone_disagree():
    noise = np.random.default_rng(2).poisson(0.02, (8, SIZE, SIZE)).astype(float)
    with pytest.raises(RegistrationError, match="their halves disagree"):
        register(noise, smooth, MEAN)


def test_steps_of_the_lattice_are_refused():
    noisy = np.random.default_rng(1).poisson(scene(level=1.0)).astype(float)
    with pytest.raises(RegistrationError, match="below half its spacing"):
        register(noisy, smooth)


def test_noise_alone_is_refused():
    noise = np.random.default_rng(2).poisson(0.02, (8, SIZE, SIZE)).astype(float)
    with pytest.raises(RegistrationError, match="cannot be registered.*disagree by"):
        register(noise, smooth)


def test_a_jump_is_named():
    texture = gaussian_filter(np.random.default_rng(3).normal(size=(SIZE, 2 * SIZE)), 2)
    places = [0, 1, 2, 3, 4, 34, 35, 36]
    movie = np.stack([texture[:, place : place + SIZE] for place in places])
    with pytest.raises(RegistrationError, match="frames [345] to [567] .* jump beyond the reach of 24 px"):
        register(movie)
    with pytest.raises(RegistrationError, match="frames [345] to [567] .* jump beyond the reach of 10 px"):
        register(movie, reference=MEAN, reach=10)
    assert np.abs(register(movie, reach=40).path[:, 1] + places).max() < 0.2


def test_neighbours_tell_where_a_lattice_may_have_been_mistaken():
    """Against the mean of all frames, halves that agree say nothing of steps from column to column."""
    path = np.outer(np.arange(8), (0.7, -0.4))
    y, x = (place[None] - step[:, None, None] for place, step in zip(np.indices((SIZE, SIZE)), path.T, strict=True))
    envelope = np.exp(-((y - 48) ** 2 + (x - 48) ** 2) / 2 / 19**2)
    clean = 1 + 0.9 * envelope * np.cos(2 * np.pi * y / 8) * np.cos(2 * np.pi * x / 9)
    noisy = np.random.default_rng(0).poisson(20 * clean).astype(float)
    sure, unsure = (register(noisy, smooth, MEAN, reach=reach) for reach in (2.9, None))
    assert np.abs(sure.path - path).max() < 0.3 and sure.neighbours < 1
    assert np.abs(unsure.path - path).max() > 3 and unsure.disagreement < 1 < unsure.neighbours


def test_a_constant_frame_is_named():
    frames = scene()
    frames[3] = 1
    with pytest.raises(RegistrationError, match="frame 3 is constant"):
        register(frames)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_short_movies_and_frames_that_are_not_square(frames):
    found = register(scene(PATH[:frames], shape=(96, 80)))
    assert np.abs(found.path - PATH[:frames]).max() < 0.15
    assert np.isnan(found.disagreement) == (frames < 3)


def test_frames_are_put_in_place():
    movie, drift = scene(), Drift(PATH, 0.0)
    rows, columns = drift.margin()
    inner = (slice(None), rows, columns)
    exact, whole = drift.undo(movie, whole=False)[inner], drift.undo(movie, whole=True)[inner]
    middle = (slice(None), slice(8, -30), slice(8, -8))  # off the edge of the support, which the transform rings at
    assert np.abs(exact - exact[0])[middle].max() < 0.05
    assert 0.05 < np.abs(whole - whole[0])[middle].max() < np.abs(movie - movie[0])[inner][middle].max()
    counts = np.random.default_rng(0).poisson(movie)
    assert np.issubdtype(drift.undo(counts, whole=True).dtype, np.integer)
    with pytest.raises(ValueError, match="register this movie"):
        drift.undo(movie[:3], whole=True)
