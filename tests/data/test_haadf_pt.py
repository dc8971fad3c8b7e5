"""HAADF movies: closed forms of rendering, drift, film, scan errors, and the batches that are cut from them."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from stemjax.data import haadf_pt
from stemjax.data.crops import MovieCrops
from stemjax.data.haadf_pt import HaadfImaging
from stemjax.data.images import Frames
from stemjax.physics.noise import Dose
from tests.toys.haadf_pt import BLUR, COLUMNS, HEIGHT, MEAN, PIXELS, SAMPLING, SIGMA, make_toy_haadf


@pytest.fixture(scope="module")
def atoms(tmp_path_factory):
    return make_toy_haadf(tmp_path_factory.mktemp("atoms"))


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return make_toy_haadf(tmp_path_factory.mktemp("film"), columns=[], power=1e-7)


TRAIN = Frames(session=("film-20nm",))


def test_columns_are_gaussians_of_the_right_brightness_and_place(atoms):
    clean = HaadfImaging().clean_images(atoms, TRAIN.images(atoms, "train"))
    variance = SIGMA**2 + (BLUR / np.sqrt(8 * np.log(2))) ** 2
    pixel = SAMPLING * np.arange(PIXELS)
    for frame in range(3):
        expected = np.full((PIXELS, PIXELS), MEAN)
        for (y, x), count in COLUMNS[: 4 - frame]:
            gain = {1: 1.0, 2: 2.5, 5: 2.5}[count]  # beyond the longest column of the library, its gain
            squared = (pixel[:, None] - y) ** 2 + (pixel - x) ** 2
            expected += gain * HEIGHT * SIGMA**2 / variance * np.exp(-squared / (2 * variance))
        np.testing.assert_allclose(clean[frame, ..., 0], expected, atol=1e-3 * HEIGHT)


def test_the_film_drifts_and_has_the_variance_of_its_spectrum(film):
    clean = HaadfImaging().clean_images(film, TRAIN.images(film, "train"))[..., 0]
    np.testing.assert_allclose(clean[1, 2:, :-3], clean[0, :-2, 3:], atol=1e-7)  # 0.6 and -0.9 Å
    _, _, grain, mean = haadf_pt.library(film, 0)
    sides = np.where(np.arange(grain.shape[1]) == 0, 1, 2)
    g = np.linspace(0, 1.05, 1000)
    blur = np.exp(-4 * (np.pi * BLUR / np.sqrt(8 * np.log(2)) * g) ** 2)
    variance = np.trapezoid(2 * np.pi * g * 1e-7 * blur, g)
    assert (grain**2 * sides).sum() / len(grain) ** 2 == pytest.approx(variance, rel=0.05)
    assert clean.var() == pytest.approx(variance, rel=0.5) and clean.mean() == pytest.approx(MEAN, rel=0.02)
    other = HaadfImaging().clean_images(film, TRAIN.images(film, "test"))[..., 0]
    assert abs(np.corrcoef(clean[0].ravel(), other[0].ravel())[0, 1]) < 0.4


def test_the_noise_is_that_of_the_frame_whoever_asks(atoms):
    imaging, images = HaadfImaging(noise=Dose(500.0)), TRAIN.images(atoms, "train")
    noisy = imaging.noisy_images(atoms, images)
    some = images.part(slice(1, 2))
    np.testing.assert_array_equal(imaging.noisy_images(atoms, some)[0], noisy[1])
    np.testing.assert_array_equal(imaging.device_arrays(atoms, images)["noisy"], noisy)
    counts = 500 * noisy
    np.testing.assert_allclose(counts, np.rint(counts), atol=1e-3)
    assert noisy.mean() == pytest.approx(imaging.clean_images(atoms, images).mean(), rel=0.05)
    assert (noisy[0] != noisy[1]).any()


def test_a_gradient_is_in_the_clean_frames_and_scan_noise_is_not(film):
    images = TRAIN.images(film, "train")
    plain, sloped = (HaadfImaging(gradient=g).clean_images(film, images)[0, ..., 0] for g in (0.0, 0.6))
    dy, dx = (np.unique((np.diff(sloped - plain, axis=axis) / MEAN).round(6)) for axis in (0, 1))
    assert np.hypot(dy.mean(), dx.mean()) * PIXELS == pytest.approx(0.6, rel=0.02)
    quiet, jittery = HaadfImaging(noise=Dose(1e9)), HaadfImaging(noise=Dose(1e9), scan_noise=1.5)
    np.testing.assert_array_equal(quiet.clean_images(film, images), jittery.clean_images(film, images))
    steady, moved = (imaging.noisy_images(film, images)[0, ..., 0] for imaging in (quiet, jittery))
    along, across = (np.diff(moved, axis=axis).std() / np.diff(steady, axis=axis).std() for axis in (1, 0))
    assert across > 1.3 and along < 1.05  # the lines no longer fit together, but each is what it was


def test_crops_hold_clean_and_noisy_of_the_same_place(atoms):
    imaging = HaadfImaging(noise=Dose(1e9))
    arrays = imaging.device_arrays(atoms, TRAIN.images(atoms, "train"))
    batch = MovieCrops(16, 5, flip=True).batch(arrays, jax.random.key(0), 3, None, imaging)
    assert batch["clean"].shape == batch["noisy"].shape == (5, 16, 16, 1)
    np.testing.assert_allclose(batch["clean"], batch["noisy"], atol=1e-4)
    assert np.ptp(batch["clean"], axis=(1, 2)).max() > 0.01


def test_what_is_not_there_is_named(atoms):
    images = TRAIN.images(atoms, "train")
    with pytest.raises(ValueError, match="no channel 'bf'"):
        HaadfImaging(channels=("bf",)).clean_images(atoms, images)
    with pytest.raises(OSError, match=r"frames.npy: has no m0-frame007; simulate the data set again"):
        HaadfImaging().clean_images(atoms, replace(images, frame=images.frame + 7))
