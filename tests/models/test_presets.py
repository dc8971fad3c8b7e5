"""Named models: what is found by name, what is refused, and weights that come back as they were stored."""

import json
from dataclasses import replace

import jax
import numpy as np
import pytest

from experiments import very_noisy
from experiments.autoencoder import figure_4 as autoencoder_figure_4
from stemjax.config import from_config, to_config
from stemjax.denoisers.supervised import Supervised
from stemjax.models import presets
from stemjax.networks import UNet
from tests.toys.damage import KINDS, damage


def test_every_preset_is_described():
    for name, preset in presets.PRESETS.items():
        assert name == name.lower() and preset.about and preset.paper
        assert from_config(json.loads(json.dumps(to_config(preset.denoiser)))) == preset.denoiser
        assert preset.at("gpu") == preset.denoiser
        assert preset.at("cpu") == preset.at("smoke") == (preset.cpu or preset.denoiser)
    assert presets.SHIPPED in presets.PRESETS


def test_the_networks_of_the_paper_are_plain():
    """Centring and a damped last layer are ours, for short trainings: at the paper's size they are off."""
    for name in ("sbd-dncnn", "sbd-small-unet", "sbd-unet-4x64", "sbd-unet-6x128"):
        paper, ours = (presets.find_preset(name).at(size) for size in ("gpu", "cpu"))
        assert not paper.centre and paper.network.last_layer_scale == 1.0
        assert ours.centre and ours.network.last_layer_scale == 0.1
        assert type(paper.network) is type(ours.network) and ours.network.width < paper.network.width


@pytest.mark.parametrize("size", ["smoke", "cpu", "gpu"])
def test_every_network_of_a_size_sees_the_same_data(size):
    for recipe, count in ((presets.sbd_run, 6), (presets.n2v_run, 3)):
        trained = [p for p in presets.PRESETS.values() if hasattr(p.denoiser, "init") and p.recipe is recipe]
        runs = [preset.run(size, "0" * 16) for preset in trained]
        assert len(runs) == count
        assert len({(run.crops, run.selection, run.imaging.noise, run.steps, run.seed) for run in runs}) == 1
        assert trained[0].run(size, "0" * 16, steps=3).steps == 3
        assert len({trained[0].run(size, "0" * 16, seed).hash for seed in range(3)}) == 3


def test_noise2void_takes_as_many_channels_as_its_network():
    dual, single = (presets.find_preset(name).run("cpu", "0" * 16) for name in ("noise2void", "noise2void-single"))
    assert dual.imaging.channels == ("adf", "bf") and single.imaging.channels == ("adf",)


@pytest.mark.parametrize("size", ["smoke", "cpu", "gpu"])
def test_the_autoencoder_has_the_papers_channels_and_an_objective_that_few_counts_survive(size):
    preset = presets.find_preset("autoencoder").at(size)
    assert preset.network.bottleneck == 64 and preset.objective == "mse"
    assert very_noisy.with_absolute_error(size) == replace(preset, objective="mae")
    assert autoencoder_figure_4.NETWORKS[size].bottleneck == 4  # of characters


def test_configurations_of_the_autoencoder_mean_what_they_meant():
    """Records leave out fields at their defaults: these may not move with the preset."""
    network = {"class": "bottleneck.BottleneckAutoencoder", "trunk": 32}
    config = {"class": "autoencoder.MultiResolutionAutoencoder", "network": network}
    former = from_config(config)
    assert former.network.bottleneck == 16 and former.objective == "mae"
    assert to_config(former) == config


def test_filters_need_no_weights():
    denoiser, variables, info = presets.load_model("gaussian")
    assert denoiser == presets.PRESETS["gaussian"].denoiser and variables == {} and info == {}


def test_models_that_are_not_there(tmp_path):
    with pytest.raises(ValueError, match="no model named 'resnet'; there are constant, .* or give a run's folder"):
        presets.load_model("resnet")
    with pytest.raises(ValueError, match="sbd-unet-6x128 has no weights of its own; train it"):
        presets.load_model("sbd-unet-6x128")
    with pytest.raises(OSError, match="not a run"):
        presets.load_model(str(tmp_path))


# ---------------------------------------------------------------------------------------------------- weights
@pytest.fixture
def stored(tmp_path):
    """A small network in `tmp_path`: (path, denoiser, variables)."""
    denoiser = Supervised(UNet(scales=2, width=4), centre=True)
    variables = jax.jit(denoiser.init)(jax.random.key(0), np.zeros((1, 16, 16, 1), np.float32))
    presets.write_weights(tmp_path / "small", to_config(denoiser), variables, {"run": "0" * 16, "seed": 0})
    return tmp_path / "small", denoiser, variables


def test_weights_come_back_in_half_precision(stored):
    path, denoiser, variables = stored
    found, again, info = presets.read_weights(path)
    assert found == denoiser and info["run"] == "0" * 16 and info["seed"] == 0
    assert jax.tree.structure(again) == jax.tree.structure(dict(variables))
    for a, b in zip(jax.tree.leaves(again), jax.tree.leaves(variables), strict=True):
        assert a.dtype == np.float32
        np.testing.assert_allclose(a, b, rtol=2**-10, atol=1e-7)
    # Stored once more they are the same to the last bit.
    presets.write_weights(path.with_name("again"), to_config(found), again, {})
    _, third, _ = presets.read_weights(path.with_name("again"))
    jax.tree.map(np.testing.assert_array_equal, again, third)


def test_damaged_weights_are_not_used(stored):
    path, denoiser, _ = stored
    arrays, rng = path.with_suffix(".npz"), np.random.default_rng(0)
    _, sound, _ = presets.read_weights(path)
    whole, refused = arrays.read_bytes(), 0
    for trial in range(30):
        damage(arrays, KINDS[trial % 3], rng)
        try:
            _, found, _ = presets.read_weights(path)
        except OSError as error:
            assert "small.npz" in str(error) and "install stemjax again" in str(error) and "\n" not in str(error)
            refused += 1
        else:  # a zip file has bytes that say nothing about its contents
            jax.tree.map(np.testing.assert_array_equal, found, sound)
        arrays.write_bytes(whole)
    assert refused >= 20


@pytest.mark.parametrize("name", sorted(path.stem for path in presets.WEIGHTS.glob("*.json")))
def test_a_shipped_network_is_what_its_description_says(name):
    denoiser, variables, info = presets.load_model(name)
    assert denoiser in (presets.PRESETS[name].denoiser, presets.PRESETS[name].cpu)
    assert (presets.WEIGHTS / f"{name}.npz").stat().st_size < 4.5e6
    assert {"run", "seed", "digest"} <= set(info)
    expected = jax.eval_shape(denoiser.init, jax.random.key(0), np.zeros((1, 64, 64, 1), np.float32))
    assert jax.tree.map(np.shape, variables) == jax.tree.map(lambda leaf: leaf.shape, dict(expected))
