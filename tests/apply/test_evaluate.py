"""Scores of a method on a split, and the tuning of filters."""

from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.apply import evaluate
from stemjax.data import micrographs
from stemjax.data.hrtem_movies import HrtemImaging
from stemjax.data.images import TEST_NOISE, VALIDATION_NOISE, Images, noisy_images
from stemjax.data.micrographs import Selection
from stemjax.denoisers.constant import Constant
from stemjax.denoisers.gaussian import Gaussian
from stemjax.metrics.image import score
from tests.toys.micrographs import UNITS, make_toy

IMAGING = micrographs.Imaging(sampling=0.4, counts=1.8, margin=1.0)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_toy(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module")
def test_set(data):
    return evaluate.image_set(data, Selection(), "test", 2, IMAGING)


def test_an_image_set(data, test_set):
    assert len(test_set) == len(test_set.name) == 2 * UNITS["test"]
    assert test_set.clean.shape == test_set.noisy.shape == (4, 48, 48, 1)
    assert test_set.name[0] == "toy-6-defocus50" and len(set(test_set.name)) == 4
    again = evaluate.image_set(data, Selection(), "test", 2, IMAGING)
    np.testing.assert_array_equal(again.noisy, test_set.noisy)


def test_validation_and_test_have_noise_of_their_own(test_set):
    expected = noisy_images(test_set.clean, IMAGING, TEST_NOISE)
    np.testing.assert_array_equal(test_set.noisy, expected)
    assert TEST_NOISE != VALIDATION_NOISE


def test_scores_are_those_of_the_contract(test_set):
    denoised = evaluate.denoise_all(Constant(), {}, test_set.noisy)
    rows = evaluate.scores(denoised, test_set)
    assert [row["image"] for row in rows] == test_set.name
    assert [row["unit"] for row in rows] == ["toy-6", "toy-6", "toy-7", "toy-7"]
    one = score(test_set.clean[1, ..., 0], denoised[1, ..., 0], "sbd", dose_scale=4.0)
    assert {name: rows[1][name] for name in one} == one
    raw = evaluate.scores(test_set.noisy, test_set, clamp=False)
    assert raw[0]["psnr_db"] < evaluate.scores(test_set.noisy, test_set)[0]["psnr_db"] < rows[0]["psnr_db"]


def test_every_structure_weighs_the_same():
    units = np.array(["a", "a", "a", "b"])
    assert evaluate.unit_mean(np.array([1.0, 2.0, 3.0, 10.0]), units) == 6.0


def test_the_mean_over_structures(test_set):
    denoised = evaluate.denoise_all(Constant(), {}, test_set.noisy)
    values = np.array([row["psnr_db"] for row in evaluate.scores(denoised, test_set)])
    assert evaluate.psnr_db(denoised, test_set) == pytest.approx(values.mean())


# ---------------------------------------------------------------------------------------------------- tuning
@dataclass(frozen=True)
class Blend:
    """Noisy image and its mean, `weight` of the mean: best somewhere in between. `step` is a whole number."""

    weight: float = 0.5
    step: int = 1

    tunable: ClassVar[dict] = {"weight": (0.25, 0.5, 1.0)}

    def denoise(self, variables, noisy, key=None):
        smooth = Gaussian(2.0).denoise({}, noisy)
        error = jnp.abs(jnp.log(self.weight / 0.6)) + 0.1 * abs(self.step - 4)
        return smooth + error


def test_tuning_finds_the_best_value(test_set):
    tuned, tuning = evaluate.tune(Blend(), test_set)
    found = tuning["weight"]
    assert set(Blend.tunable["weight"]) < set(found["values"]) and found["values"] == sorted(found["values"])
    best = found["values"][int(np.argmax(found["validation_psnr_db"]))]
    assert tuned.weight == found["chosen"] == best and not found["at_an_end"]
    # Two refinements by geometric means come within a factor of 2^(1/4) of 0.6.
    assert abs(np.log2(best / 0.6)) <= 0.25
    score_of = evaluate.psnr_db(evaluate.denoise_all(tuned, {}, test_set.noisy), test_set)
    assert max(found["validation_psnr_db"]) == pytest.approx(score_of, abs=1e-3)


def test_a_grid_too_narrow_is_seen(test_set, monkeypatch):
    monkeypatch.setattr(Blend, "tunable", {"weight": (0.1, 0.2, 0.3)})
    _, tuning = evaluate.tune(Blend(), test_set)
    assert tuning["weight"]["chosen"] == 0.3 and tuning["weight"]["at_an_end"]


def test_whole_numbers_are_not_refined(test_set, monkeypatch):
    monkeypatch.setattr(Blend, "tunable", {"step": (1, 4, 16)})
    tuned, tuning = evaluate.tune(Blend(), test_set)
    assert tuned.step == 4 and tuning["step"]["values"] == [1, 4, 16]


def test_nothing_to_tune(test_set):
    assert evaluate.tune(Constant(), test_set) == (Constant(), {})


def test_a_fit_takes_away_what_is_level_and_leaves_what_is_shape():
    """Three frames of two movies: the clean one at another gain and offset of each movie is as good as itself."""
    rng = np.random.default_rng(0)
    clean = rng.uniform(1, 3, (6, 32, 32, 1)).astype(np.float32)
    noisy = rng.poisson(40 * clean).astype(np.float32) / 40
    images = Images(np.repeat([0, 1], 3), np.repeat(["a", "b"], 3), frame=np.tile(np.arange(3), 2))
    shown = evaluate.ImageSet(clean, noisy, images, [f"f{i}" for i in range(6)], HrtemImaging())
    gain, offset = (np.repeat(values, 3)[:, None, None, None] for values in ([0.5, 3.0], [7.0, -2.0]))

    def fitted(denoised):
        return np.array([row["fitted_psnr_db"] for row in evaluate.fitted_scores(denoised, shown)])

    def plain(denoised):
        return np.array([row["psnr_db"] for row in evaluate.scores(denoised, shown)])

    assert plain(gain * clean + offset).max() < 5 and fitted(gain * clean + offset).min() > 35
    np.testing.assert_allclose(fitted(noisy), plain(noisy), atol=1e-3)  # nothing to fit
    blurred = np.repeat(clean[:, ::2], 2, axis=1)  # another shape
    assert fitted(gain * blurred + offset).max() < 13
    # One gain per movie, not per frame: a frame that is brighter than the others stays so.
    uneven = clean + np.float32([0, 0, 1, 0, 0, 1])[:, None, None, None]
    assert fitted(uneven)[2] < fitted(uneven)[0] < 30
    # A blank movie, and one with its contrast inverted, are the mean of the noisy frames.
    level = np.repeat([noisy[:3].mean(), noisy[3:].mean()], 3)[:, None, None, None] * np.ones_like(clean)
    for worthless in (np.zeros_like(clean), -clean):
        np.testing.assert_allclose(fitted(worthless), plain(level), atol=1e-4)
