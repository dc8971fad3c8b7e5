"""Noise2Atom: its objective in closed form, its order, its failures found, and its three optimisers kept."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.noise2atom import left_alone
from stemjax.config import from_config, to_config, with_settings
from stemjax.denoisers.noise2atom import PENALTY, Noise2Atom, judgement, nearest
from stemjax.metrics.low_frequency import background_plane, contrast, low_pass, relative_slope, remove_background
from stemjax.models import presets
from stemjax.networks.noise2atom import Critic, Generator
from stemjax.training import checkpoint, train
from stemjax.training.journal import read_journal
from tests.toys.au_graphene import make_movies
from tests.toys.noise2atom import DENOISER, SIDE, small_run

ROOT = Path(__file__).parents[2]


def images(key: int = 0, count: int = 3) -> jax.Array:
    return jax.random.uniform(jax.random.key(key), (count, SIDE, SIDE, 1), minval=-1)


@pytest.fixture(scope="module")
def variables() -> dict:
    return jax.jit(DENOISER.init)(jax.random.key(0), images()[:1])


def test_its_switches_can_be_set_by_name():
    assert with_settings(DENOISER, ["flatten=true", "cycle=2"]) == replace(DENOISER, flatten=True, cycle=2.0)
    few = with_settings(Noise2Atom(), ["critic.width=8", "low_frequency=2", "network.residuals=0", "atoms.atoms=2"])
    assert (few.critic, few.network, few.low_frequency) == (Critic(width=8), Generator(residuals=0), 2.0)
    assert few.atoms == replace(Noise2Atom().atoms, atoms=2)
    with pytest.raises(ValueError, match=r"no setting 'critic.name=x'; it has .*flatten=false.*critic.width="):
        with_settings(Noise2Atom(), ["critic.name=x"])
    with pytest.raises(ValueError, match="restart=yes: restart is true or false"):
        with_settings(DENOISER, ["restart=yes"])
    with pytest.raises(ValueError, match="critic_steps=many: critic_steps is a whole number"):
        with_settings(DENOISER, ["critic_steps=many"])


def test_the_weights_of_the_losses_are_in_every_configuration():
    """So no run or record from before they were mended, 5 : 1 for the cycles, takes on their meaning."""
    config = to_config(Noise2Atom())
    assert (config["adversarial"], config["cycle"], config["low_frequency"]) == (5.0, 1.0, 1.0)
    assert from_config(config) == Noise2Atom()
    with pytest.raises(ValueError, match="noise2atom.Noise2Atom without 'adversarial' is from before it was mended"):
        from_config({"class": "noise2atom.Noise2Atom", "restart": True})


def test_the_adversarial_weight_scales_the_gradient_against_the_critic(variables):
    """By plain descent the generator moves 5 times as far; RMSprop would not notice."""

    def moved(denoiser) -> np.ndarray:
        rate = {"adversary": 1.0}  # of the generator's step against the critic alone

        def descend(gradients, optimiser, params, updates_per_step=1):
            name = "critic" if updates_per_step > 1 else optimiser
            return jax.tree.map(lambda p, g: p - rate.get(name, 0.0) * g, params, gradients), optimiser

        states = {"critic": jnp.int32(0), "adversary": "adversary", "cycle": "cycle"}
        after, _, _ = denoiser.update(variables, states, {"noisy": images(5)}, jax.random.key(1), descend)
        before = variables["params"]["generator"]["kernel"]
        return np.asarray(after["params"]["generator"]["kernel"] - before)

    np.testing.assert_allclose(moved(DENOISER), 5 * moved(replace(DENOISER, adversarial=1.0)), rtol=1e-3, atol=1e-6)


# ---------------------------------------------------------------------------------------------------- objective
def test_the_critic_loss_in_closed_form(variables):
    critic, clean, fake = variables["params"]["critic"], images(1), images(2)
    loss, measured = jax.jit(DENOISER._critic_loss)(critic, clean, fake, jax.random.key(0))
    kernel = np.asarray(critic["kernel"], np.float64)
    distance = (np.asarray(clean - fake) * kernel).sum((1, 2, 3)).mean()
    penalty = (1 - np.sqrt((kernel**2).sum())) ** 2  # the same wherever it is taken
    assert float(measured["distance"]) == pytest.approx(distance, rel=1e-4)
    assert float(measured["penalty"]) == pytest.approx(penalty, rel=1e-4)
    assert float(loss) == pytest.approx(PENALTY * penalty - distance, rel=1e-4)


def test_the_cycles_in_closed_form(variables):
    """The generator halves, the degrader negates: c - G(F(c)) = 1.5 c and F(G(s)) - s = -1.5 s, but for tanh."""
    middle = jnp.zeros((3, 3, 1, 1)).at[1, 1].set(1.0)
    params = {"generator": {"kernel": 0.5 * middle, "bias": 0.0}, "degrader": {"kernel": -middle, "bias": 0.0}}
    clean, noisy = 1e-3 * images(1), 1e-3 * images(2)
    loss, measured = jax.jit(DENOISER._cycles)(params, noisy, clean)
    assert float(measured["cycle"]) == pytest.approx(1.5 * float(jnp.abs(clean).mean()), rel=1e-3)
    assert float(measured["low_frequency"]) == pytest.approx(1.5 * float(jnp.abs(low_pass(noisy)).mean()), rel=1e-3)
    assert float(loss) == pytest.approx(float(measured["cycle"]) + float(measured["low_frequency"]), rel=1e-5)
    uneven = replace(DENOISER, cycle=2.0, low_frequency=3.0)
    loss, _ = jax.jit(uneven._cycles)(params, noisy, clean)
    assert float(loss) == pytest.approx(2 * float(measured["cycle"]) + 3 * float(measured["low_frequency"]), rel=1e-5)
    assert float(measured["contrast"]) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("moving", ["critic", "adversary", "cycle"])
def test_each_optimiser_moves_its_own_networks(variables, moving):
    """Five updates of the critic, one against it, one of both cycles, each counted by a state of its own."""
    rates = {name: float(name == moving) * 0.1 for name in ("critic", "adversary", "cycle")}
    states = {name: {"updates": jnp.int32(0)} for name in rates}

    def descend(gradients, optimiser, params, updates_per_step=1):
        name = descend.order[0] if len(descend.order) == 1 else descend.order.pop(0)
        assert updates_per_step == (5 if name == "critic" else 1)
        moved = jax.tree.map(lambda p, g: p - rates[name] * g, params, gradients)
        return moved, {"updates": optimiser["updates"] + 1}

    descend.order = list(rates)  # the critic's five are traced once
    batch = {"noisy": images(3)}
    new, after, measured = DENOISER.update(variables, states, batch, jax.random.key(0), descend)
    assert {name: int(state["updates"]) for name, state in after.items()} == {"critic": 5, "adversary": 1, "cycle": 1}
    changed = {name for name in new["params"] if not same(new["params"][name], variables["params"][name])}
    assert changed == {"critic": {"critic"}, "adversary": {"generator"}, "cycle": {"generator", "degrader"}}[moving]
    assert {"loss", "cycle", "low_frequency", "distance", "penalty", "contrast", "restarts"} == set(measured)


def test_what_is_drawn_is_brought_to_the_unit_of_the_noisy_image():
    atoms, noise = images(1), 0.5 * images(2)
    noisy = 40 + 7 * (atoms + noise)
    np.testing.assert_allclose(nearest(0.3 * atoms + 5, 40 + 7 * atoms), 40 + 7 * atoms, rtol=1e-4)
    # one gain and one offset for each image, those of a line through its pixels
    for found, drawn, image in zip(nearest(atoms, noisy), atoms, noisy, strict=True):
        slope, offset = np.polyfit(np.ravel(drawn), np.ravel(image), 1)
        np.testing.assert_allclose(found, slope * drawn + offset, rtol=1e-3)
    # inverted contrast is not mended, and a constant has the mean
    assert np.all(np.asarray(contrast(noisy, nearest(-atoms, noisy))) < -0.5)
    np.testing.assert_allclose(
        nearest(jnp.ones_like(noisy), noisy), jnp.broadcast_to(noisy.mean((1, 2), keepdims=True), noisy.shape)
    )


def same(one, other) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(*map(jax.tree.leaves, (one, other)), strict=True))


def test_the_scale_is_that_of_the_movie(variables):
    movie = np.asarray(3 + 2 * images(4, count=4))
    whole = DENOISER.prepare(variables, jnp.asarray(movie))
    one_by_one = DENOISER.prepare_movie(variables, iter(movie))
    np.testing.assert_array_equal(whole["normalisation"]["low"], one_by_one["normalisation"]["low"])
    np.testing.assert_array_equal(whole["normalisation"]["span"], one_by_one["normalisation"]["span"])
    scaled = DENOISER._scaled({"noisy": jnp.asarray(movie)} | whole["normalisation"])
    assert (float(scaled.min()), float(scaled.max())) == pytest.approx((-1, 1), abs=1e-6)


def test_several_channels_are_refused():
    with pytest.raises(ValueError, match="one channel, not 2"):
        DENOISER.init(jax.random.key(0), jnp.zeros((1, SIDE, SIDE, 2)))


# ---------------------------------------------------------------------------------------------------- failures
def test_inverted_contrast_is_found_and_judged():
    clean = jnp.exp(-((jnp.arange(64.0)[:, None] - 30) ** 2 + (jnp.arange(64.0) - 34) ** 2) / 40)[None, ..., None]
    noisy = 2 * clean + 0.5 + 0.7 * jax.random.normal(jax.random.key(0), clean.shape)
    assert float(contrast(noisy, clean)[0]) > 0.8 and float(contrast(noisy, 1 - clean)[0]) < -0.8
    assert DENOISER.warnings({}, noisy, clean) == []
    (text,) = DENOISER.warnings({}, noisy, 1 - clean)
    assert "inverted" in text and "another seed" in text
    # an inverted network is worse than the worst upright one
    assert judgement(0.1, 0.1, -0.9) > judgement(2.0, 2.0, 0.1) > judgement(0.1, 0.1, 0.1)


def test_clusters_are_no_background():
    y, x = np.meshgrid(np.linspace(-0.5, 0.5, 64), np.linspace(-0.5, 0.5, 64), indexing="ij")
    cluster = 3.0 * ((y > 0.1) & (x > 0.1))
    for gradient in (0.0, 1.0):
        counts = np.random.default_rng(0).poisson(2 * (1 + gradient * x) + 2 * cluster).astype(np.float32)
        slope = float(relative_slope(jnp.asarray(counts)[None, ..., None])[0, 0])
        assert slope == pytest.approx(gradient, abs=0.2)
        left = np.asarray(remove_background(jnp.asarray(counts)[None, ..., None]))[0, ..., 0] - counts
        np.testing.assert_allclose(left, -2 * gradient * x, atol=0.35)  # noise alone tilts it by as much


def test_a_gradient_of_the_background_is_measured_and_removed(variables):
    y, x = jnp.meshgrid(jnp.arange(SIDE) - 7.5, jnp.arange(SIDE) - 7.5, indexing="ij")
    ramp = (0.04 * y - 0.02 * x)[None, ..., None]
    flat = remove_background(3 + images(5))
    slope = relative_slope(flat + ramp)
    tilt, level = np.asarray(background_plane(flat + ramp)), 3 + np.asarray(images(5)).mean()
    np.testing.assert_allclose(tilt, np.broadcast_to(ramp, tilt.shape), atol=1e-5)
    np.testing.assert_allclose(slope[:, 0], 15 * (0.04 + 0.02) / level, rtol=0.5)  # of the background, not of all
    np.testing.assert_allclose(remove_background(flat + ramp), flat, atol=1e-5)
    assert "background rises" in DENOISER.warnings({}, 10 * ramp + 4 + images(5), images(5))[-1]
    prepared, flattening = DENOISER.prepare(variables, flat), replace(DENOISER, flatten=True)
    with_ramp = [np.asarray(d.denoise(prepared, flat + ramp)) for d in (DENOISER, flattening)]
    without = np.asarray(DENOISER.denoise(prepared, flat))
    np.testing.assert_allclose(with_ramp[1], without, atol=1e-4)
    assert np.abs(with_ramp[0] - without).max() > 0.01


def test_the_low_pass_is_a_centred_gaussian_of_variance_15():
    point = jnp.zeros((1, 65, 65, 1)).at[0, 32, 30, 0].set(1.0)
    found = np.asarray(low_pass(point))[0, ..., 0]
    y, x = np.mgrid[:65, :65]
    assert found.sum() == pytest.approx(1, abs=1e-5)
    assert ((found * y).sum(), (found * x).sum()) == pytest.approx((32, 30), abs=1e-4)
    assert (found * (y - 32) ** 2).sum() == pytest.approx(15, rel=0.01)  # less what lies beyond 16 px
    assert not found[:, :14].any() and found[32, 14] > 0


def test_an_inverted_generator_is_drawn_anew_where_that_is_asked_for(variables):
    key = jax.random.key(3)
    assert DENOISER.revive(variables, {}, {"contrast": -0.9}, key) is variables
    restarting = replace(DENOISER, restart=True)
    assert restarting.revive(variables, {}, {"contrast": 0.9}, key) is variables
    fresh = restarting.revive(variables, {}, {"contrast": -0.9}, key)
    moved = {name for name in fresh["params"] if not same(fresh["params"][name], variables["params"][name])}
    assert moved == {"generator", "degrader"} and float(fresh["seeding"]["restarts"]) == 1
    assert jax.tree.map(jnp.shape, fresh) == jax.tree.map(jnp.shape, variables)


# ---------------------------------------------------------------------------------------------------- training
@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_movies(tmp_path_factory.mktemp("movies"))


def test_going_on_is_bitwise_for_all_three_optimisers(data, tmp_path):
    run = small_run(data)
    whole = train.train(run, data, tmp_path / "whole")
    assert train.train(run, data, tmp_path / "stopped", time_limit=0.0).step < run.steps
    again = train.train(run, data, tmp_path / "stopped")
    ends = [checkpoint.Checkpointer(o.folder / "checkpoints").restore() for o in (whole, again)]
    assert ends[0][0] == ends[1][0] == 6 and checkpoint.digest(ends[0][1]) == checkpoint.digest(ends[1][1])
    kept = {path.split("'")[3] for path in ends[0][1] if path.startswith("['optimiser']")}
    assert kept == {"critic", "adversary", "cycle"}
    last = read_journal(whole.folder / "log.jsonl")[-1]
    assert {"cycle", "low_frequency", "contrast", "validation_loss"} <= set(last)


def test_a_run_is_read_with_the_critic_of_its_crops(data, tmp_path):
    """Whose last layer is for images of one size."""
    run = small_run(data, denoiser=Noise2Atom(Generator(width=4, residuals=1), Critic(width=4)))
    (tmp_path / "config.json").write_text(json.dumps(to_config(run)))
    variables = jax.jit(run.denoiser.init)(jax.random.key(1), images()[:1])
    checkpoint.Checkpointer(tmp_path / "best").save(2, variables, {})
    found = train.load_run(tmp_path)
    assert found[0] == run and same(found[1], variables)


def test_the_paper_s_stopping_rule_ends_a_training(data, tmp_path):
    run = small_run(data, denoiser=replace(DENOISER, stop_at=(5.0, 5.0)))
    outcome = train.train(run, data, tmp_path)
    assert (outcome.step, outcome.stopped) == (2, None)
    assert train.train(run, data, tmp_path).step == 2  # and it stays ended
    assert not DENOISER.finished({"cycle": 0.0, "low_frequency": 0.0})


@pytest.mark.parametrize(("begins_again", "last"), [(False, 2), (True, 6)])
def test_a_training_that_begins_again_has_patience_anew(data, tmp_path, monkeypatch, begins_again, last):
    """Nothing gets better here: after the last restart, in the middle, one validation is the best and one is not."""
    monkeypatch.setattr(train, "judged", lambda found: 0.0)
    monkeypatch.setattr(Noise2Atom, "revive", lambda self, variables, *_: variables | {} if begins_again else variables)
    run = small_run(data, steps=8, validate_every=1, early_stopping=1)
    assert train.train(run, data, tmp_path).step == last


def test_a_stopped_training_begins_again_by_the_same_mean(data, tmp_path, monkeypatch):
    """Of all batches since the last validation, also of those before the stop."""
    seen = []

    def revive(self, variables, measurements, means, key):
        seen.append(means["contrast"])
        return original(self, variables, measurements, means | {"contrast": -0.5}, key)

    original = Noise2Atom.revive
    monkeypatch.setattr(Noise2Atom, "revive", revive)
    run = small_run(data, denoiser=replace(DENOISER, restart=True), steps=4)
    whole = train.train(run, data, tmp_path / "whole")
    assert train.train(run, data, tmp_path / "stopped", time_limit=0.0).step == 1
    train.train(run, data, tmp_path / "stopped")
    assert len(seen) == 2 and seen[0] == seen[1]
    assert [event["restarts"] for event in read_journal(whole.folder / "log.jsonl")] == [0, 1]


def test_presets_begin_again_and_studies_of_failure_do_not():
    preset = presets.find_preset("noise2atom")
    assert preset.at("cpu").restart and preset.at("gpu").restart
    assert left_alone("cpu") == replace(preset.at("cpu"), restart=False)


DEVICES = """
import sys
sys.path.insert(0, sys.argv[1])
import jax, numpy as np
from stemjax.data import datasets
from stemjax.training import parallel, train
from tests.toys.noise2atom import small_run
data = datasets.open_data_set(sys.argv[2])
run = small_run(data)
arrays = run.imaging.device_arrays(data, run.selection.images(data, "train"))
results = {}
for count in (1, 4):
    mesh = parallel.batch_mesh(count)
    place = parallel.replicated(mesh)
    state, there = jax.device_put(train.initial_state(run), place), jax.device_put(arrays, place)
    key = jax.device_put(jax.random.key(run.seed), place)
    step = train.make_step(run, data.band, mesh)
    for _ in range(3):
        state, measurements = step(state, there, key)
    results[count] = jax.device_get(state["variables"])
worst = jax.tree.reduce(max, jax.tree.map(lambda a, b: float(np.abs(a - b).max()), results[1], results[4]))
assert worst < 1e-5, worst
"""


def test_devices_do_not_change_the_result(data):
    flags = "--xla_force_host_platform_device_count=4 --xla_cpu_multi_thread_eigen=false"
    environment = os.environ | {"XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {flags}", "JAX_PLATFORMS": "cpu"}
    arguments = [sys.executable, "-c", DEVICES, str(ROOT), str(data.folder)]
    result = subprocess.run(arguments, capture_output=True, text=True, env=environment, timeout=300)
    assert result.returncode == 0, result.stderr[-2000:]
