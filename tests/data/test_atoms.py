"""Stills: what is chosen, doses, noise, batches that the key and the step decide; the preset and its validation."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import atoms_validation
from stemjax.cli import main
from stemjax.data.atoms import StillCrops, StillImaging, Stills, read_stills
from stemjax.models.presets import find_preset
from stemjax.training import train
from tests.toys.atoms import COUNTS, SIDE, make_toy_stills

CROPS = StillCrops(size=32, count=2)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_toy_stills(tmp_path_factory.mktemp("stills") / "atoms")


@pytest.fixture(scope="module")
def batch(data):
    """The jitted function (key, step) -> batch."""
    arrays = StillImaging().device_arrays(data, Stills().images(data, "train"))
    return jax.jit(lambda key, step: CROPS.batch(arrays, key, step, None, StillImaging()))


def test_stills_of_every_kind(data):
    every = Stills(per_unit=2).images(data, "validation")
    assert len(every) == 4 and set(every.unit) == {"pt-ceo2-validation", "crystal-validation"}
    assert {name[:7] for name in Stills(("crystal",)).images(data, "test").names(data)} == {"crystal"}
    with pytest.raises(ValueError, match="no still of split 'train' in .* widen the selection"):
        Stills(("haadf-pt",)).images(data, "train")


def test_doses_are_those_of_the_data_set_or_one(data):
    images, imaging = Stills(("crystal",)).images(data, "test"), StillImaging()
    clean, noisy = imaging.clean_images(data, images), imaging.noisy_images(data, images)
    assert clean.shape == noisy.shape == (3, SIDE, SIDE, 1) and clean.dtype == np.float32
    np.testing.assert_allclose(clean.mean((1, 2, 3)), [COUNTS[0], COUNTS[1], COUNTS[0]], rtol=1e-3)
    assert noisy.mean((1, 2, 3)) == pytest.approx([1, 100, 1], rel=0.15) and (noisy == np.round(noisy)).all()
    np.testing.assert_allclose(StillImaging(7.0).clean_images(data, images).mean((1, 2, 3)), 7, rtol=1e-3)
    np.testing.assert_array_equal(noisy[2], imaging.noisy_images(data, Stills().images(data, "test"))[5])


def test_a_batch_depends_on_key_and_step_alone(batch):
    key = jax.random.key(0)
    first, again, next_step, other = (batch(*args) for args in ((key, 0), (key, 0), (key, 1), (jax.random.key(1), 0)))
    for name in ("noisy", "clean"):
        assert first[name].shape == (2, 32, 32, 1) and first[name].dtype == jnp.float32
        np.testing.assert_array_equal(first[name], again[name])
        assert not np.array_equal(first[name], next_step[name]) and not np.array_equal(first[name], other[name])
        assert not np.array_equal(first[name][0], first[name][1])


def test_crops_are_numbered_through_the_run(data, batch):
    arrays = StillImaging().device_arrays(data, Stills().images(data, "train"))
    single, key = replace(CROPS, count=1), jax.random.key(3)
    alone = jax.jit(lambda step: single.batch(arrays, key, step, None, StillImaging()))
    together = batch(key, 2)
    for index in (0, 1):
        np.testing.assert_allclose(alone(4 + index)["noisy"][0], together["noisy"][index], rtol=1e-5)


def test_crops_without_drawings_are_those_of_stills(data):
    images = Stills().images(data, "train")
    arrays, stills = StillImaging().device_arrays(data, images), read_stills(data, images)[..., 0].astype(np.float32)
    crops = replace(CROPS, size=SIDE, drawn=0.0)
    clean = crops.batch(arrays, jax.random.key(0), 0, None, StillImaging())["clean"][..., 0]
    for crop in clean:
        same = [np.corrcoef(still.ravel(), turned.ravel())[0, 1] for still in stills for turned in turns(crop)]
        assert max(same) > 0.9999
    with pytest.raises(ValueError, match=f"crops of 64 px are larger than the stills of {SIDE} px"):
        replace(CROPS, size=64).batch(arrays, jax.random.key(0), 0, None, StillImaging())


def turns(image: np.ndarray) -> list[np.ndarray]:
    return [np.rot90(way, turn) for way in (image, image.T) for turn in range(4)]


def test_the_preset_trains_resumes_and_is_validated(data, tmp_path, capsys):
    preset = find_preset("atoms")
    narrow = replace(preset.denoiser, network=preset.denoiser.network.clone(depth=2, width=4))
    run = preset.recipe(narrow, "smoke", data.recipe_hash, steps=2, validate_every=2, crops=CROPS)
    outcome = train.train(run, data, tmp_path)
    assert outcome.stopped is None and outcome.step == 2 and np.isfinite(outcome.progress.best_db)
    assert train.load_run(outcome.folder)[0] == run
    assert find_preset("atoms").run("gpu", data.recipe_hash).crops.count * 75_000 == 150_000
    capsys.readouterr()
    json_file = tmp_path / "scores.json"
    told = ["--run", str(outcome.folder), "--data", str(data.folder), "--images", "2", "--json", str(json_file)]
    assert atoms_validation.main(told) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 3 * len(atoms_validation.DOSES) and lines[1].startswith("pt-ceo2            0.05")
    assert json_file.read_text().count('"kind"') == 2 * len(atoms_validation.DOSES)
    assert atoms_validation.main(["--run", str(tmp_path / "none")]) == 2


def test_other_models_and_other_data_are_refused_in_a_sentence(data, tmp_path, capsys):
    runs = ["--runs", str(tmp_path)]
    assert main(["train", "sbd-unet-fine", "--data", str(data.folder), *runs]) != 0
    assert "sbd-unet-fine does not learn from atoms; `stemjax simulate pt-ceo2` makes data" in capsys.readouterr().err
