"""Movies on the command line: put in place before, judged by uPSNR after."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from stemjax.cli.denoise import denoise
from tests.toys.drift import scene

PATH = np.cumsum(np.random.default_rng(4).normal(0, 0.8, (12, 2)), 0)


@pytest.fixture
def movie(tmp_path):
    path = tmp_path / "movie.npy"
    np.save(path, np.random.default_rng(1).poisson(scene(PATH, level=10.0)).astype(np.uint16))
    return path


def test_a_movie_is_registered_denoised_and_judged(movie, capsys):
    assert denoise((movie,), model="gaussian", register=True, reach=4.0) == 0
    said = capsys.readouterr().out
    assert "registered: drift of" in said and "uPSNR" in said and "dB [" in said
    found = np.loadtxt(movie.with_name("movie_registered.csv"), delimiter=",", skiprows=1)[:, 1:]
    error = found - PATH
    assert np.sqrt(np.mean((error - error.mean(0)) ** 2)) < 0.2
    from stemjax import files

    placed = files.read_image(movie.with_name("movie_registered.tif")).data
    assert (placed == np.rint(placed)).all()  # counts stay counts
    assert files.read_image(movie.with_name("movie_denoised.tif")).data.shape == placed.shape


def test_noise_is_not_registered(tmp_path, capsys):
    path = tmp_path / "noise.npy"
    np.save(path, np.random.default_rng(1).poisson(0.05, (6, 64, 64)).astype(np.uint16))
    assert denoise((path,), model="gaussian", register=True) == 2
    assert "cannot be registered" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.tif"))


def test_too_few_frames_for_upsnr_are_said(tmp_path, capsys):
    path = tmp_path / "three.npy"
    np.save(path, np.random.default_rng(1).poisson(3, (3, 32, 32)).astype(np.uint16))
    assert denoise((path,), model="gaussian") == 0
    assert "uPSNR: insufficient frames" in capsys.readouterr().out


def test_a_jump_of_more_than_a_quarter_of_the_frame_is_named(tmp_path, capsys):
    texture = gaussian_filter(np.random.default_rng(3).normal(size=(64, 128)), 2)
    scene = 30 * np.stack([texture[:, place : place + 64] - texture.min() for place in (0, 1, 2, 3, 34, 35, 36)])
    path = tmp_path / "jump.npy"
    np.save(path, np.random.default_rng(1).poisson(scene).astype(np.uint16))
    assert denoise((path,), model="gaussian", register=True) == 2
    error = capsys.readouterr().err
    assert "jump beyond the reach of 16 px" in error and error.count("\n") == 1
    assert not list(tmp_path.glob("*.tif"))
