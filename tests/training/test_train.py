"""Training: resuming is bitwise, devices do not matter, and what goes wrong is said in one line."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from stemjax.config import from_config, to_config
from stemjax.data import micrographs
from stemjax.data.micrographs import Selection
from stemjax.denoisers.supervised import Supervised
from stemjax.networks import DnCNN
from stemjax.training import checkpoint, parallel, train
from tests.toys.micrographs import make_toy
from tests.toys.runs import CROPS, IMAGING, small_run

ROOT = Path(__file__).parents[2]
TINY = Supervised(DnCNN(depth=2, width=2))


class Diverging(Supervised):
    """A method whose loss overflows."""

    def loss(self, variables, batch, key):
        loss, (state, _) = super().loss(variables, batch, key)
        return loss * np.inf, (state, {"loss": loss * np.inf})


class Alternating(Supervised):
    """A method with an update of its own: two steps along the gradient, each by an optimiser of its own."""

    def start(self, params, init):
        return {"first": init(params), "second": init(params)}

    def update(self, variables, optimisers, batch, key, descend):
        for name in ("first", "second"):
            loss = lambda params: self.loss(variables | {"params": params}, batch, key)  # noqa: B023
            gradients, (rest, measured) = jax.grad(loss, has_aux=True)(variables["params"])
            params, state = descend(gradients, optimisers[name], variables["params"])
            variables, optimisers = variables | rest | {"params": params}, optimisers | {name: state}
        return variables, optimisers, measured

    def finished(self, measurements):
        return measurements["loss"] < 0


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_toy(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory) -> Path:
    """Folder of the small run, trained without a stop: to be read only."""
    return train.train(small_run(data), data, tmp_path_factory.mktemp("runs")).folder


def final_digest(folder: Path) -> str:
    step, state, _ = checkpoint.Checkpointer(folder / "checkpoints").restore()
    return f"{step} {checkpoint.digest(state)}"


def test_a_batch_is_a_function_of_key_and_step(data):
    arrays = micrographs.Imaging().device_arrays(data, Selection().images(data, "train"))
    make = jax.jit(lambda arrays, step: CROPS.batch(arrays, jax.random.key(3), step, data.band, IMAGING))
    first, again, other = (make(arrays, step) for step in (5, 5, 6))
    np.testing.assert_array_equal(first["noisy"], again["noisy"])
    assert not np.array_equal(first["clean"], other["clean"])
    assert first["clean"].shape == first["noisy"].shape == (8, 32, 32, 1)
    # Each crop is of its own: no two of the batch are alike.
    assert len({np.asarray(crop).tobytes() for crop in first["clean"]}) == 8


def test_crops_show_the_rendered_image(data):
    """Without augmentation at the pixel size of the rendering, a crop is a piece of the clean image."""
    plain = micrographs.Crops(size=32, count=1, scale=(1.0, 1.0), rotation=0.0, flip=False, render=125)
    imaging = micrographs.Imaging(sampling=0.2, counts=1.8, margin=0.0)
    images = Selection(defocus=(60.0, 60.0)).images(data, "train")
    images = images.part(slice(1))
    arrays = imaging.device_arrays(data, images)
    make = jax.jit(lambda arrays, key: plain.batch(arrays, key, 0, data.band, imaging)["clean"])
    crop = np.asarray(make(arrays, jax.random.key(0)))[0, ..., 0]
    whole = imaging.clean_images(data, images)
    whole = whole[0, ..., 0]
    # Bilinear sampling at a fractional offset: compare with the best integer placement through the correlation.
    windows = np.lib.stride_tricks.sliding_window_view(whole, (32, 32))
    correlation = [np.corrcoef(w.ravel(), crop.ravel())[0, 1] for row in windows[::1] for w in row[::1]]
    assert max(correlation) > 0.97


def test_training_improves_on_the_start(data, tmp_path):
    outcome = train.train(small_run(data, steps=40, validate_every=10), data, tmp_path)
    log = [json.loads(line) for line in (outcome.folder / "log.jsonl").read_text().splitlines()]
    assert outcome.stopped is None
    assert [event["step"] for event in log] == [10, 20, 30, 40]
    assert log[-1]["loss"] < log[0]["loss"]
    assert log[-1]["crops"] == 40 * 8
    _, variables, info = train.load_run(outcome.folder)
    assert info["step"] == outcome.progress.best_step
    assert info["validation_psnr_db"] == pytest.approx(max(event["validation_psnr_db"] for event in log), abs=0.01)


def test_going_on_after_a_time_limit_is_bitwise(data, finished, tmp_path):
    run = small_run(data)
    first = train.train(run, data, tmp_path, time_limit=0.0)
    assert first.stopped == "time limit" and 0 < first.step < run.steps
    second = train.train(run, data, tmp_path)
    assert second.stopped is None
    assert final_digest(second.folder) == final_digest(finished)


def test_a_method_with_its_own_update_goes_on_bitwise(data, tmp_path):
    """The states of all its optimisers are in the checkpoint, and it is told apart from one step of its loss."""
    run = small_run(data, denoiser=Alternating(DnCNN(depth=2, width=1)), steps=4, validate_every=2)
    whole = train.train(run, data, tmp_path / "whole")
    assert train.train(run, data, tmp_path / "stopped", time_limit=0.0).step < run.steps
    again = train.train(run, data, tmp_path / "stopped")
    assert final_digest(again.folder) == final_digest(whole.folder)
    state = checkpoint.Checkpointer(whole.folder / "checkpoints").restore()[1]
    counts = {
        path: int(leaf) for path, leaf in state.items() if path.startswith("['optimiser']") and leaf.dtype.kind == "i"
    }
    assert {path.split("'")[3] for path in counts} == {"first", "second"} and set(counts.values()) == {4}


def test_averaged_weights_are_the_mean_over_steps(data):
    """Against the weights of the same training without averaging, mean by mean."""
    plain, averaged = (small_run(data, denoiser=TINY, averaging=decay) for decay in (0.0, 0.3))
    assert averaged.hash != plain.hash
    arrays = IMAGING.device_arrays(data, plain.selection.images(data, "train"))
    mesh, key = parallel.batch_mesh(1), jax.random.key(0)
    states = [train.initial_state(run) for run in (plain, averaged)]
    steps = [train.make_step(run, data.band, mesh) for run in (plain, averaged)]
    mean = jax.device_get(states[0]["variables"])
    for number in range(1, 9):
        states = [step(state, arrays, key)[0] for step, state in zip(steps, states, strict=True)]
        keep = min(0.3, number / (number + 10))  # the second from the fifth step on
        mean = jax.tree.map(lambda a, v: keep * a + (1 - keep) * v, mean, jax.device_get(states[0]["variables"]))  # noqa: B023
    for a, b in zip(jax.tree.leaves(mean), jax.tree.leaves(states[1]["average"]), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_a_run_with_averaged_weights_goes_on_bitwise_and_gives_the_mean(data, tmp_path):
    run = small_run(data, denoiser=TINY, averaging=0.9, steps=4, validate_every=2)
    whole = train.train(run, data, tmp_path / "whole").folder
    while train.train(run, data, tmp_path / "parts", time_limit=0.0).stopped:
        pass
    assert final_digest(whole) == final_digest(tmp_path / "parts" / run.hash)
    state = checkpoint.Checkpointer(whole / "checkpoints", read_only=True).restore(train.initial_state(run))[1]
    _, variables, info = train.load_run(whole)
    assert info["step"] == run.steps
    assert checkpoint.digest(variables) == checkpoint.digest(state["average"]) != checkpoint.digest(state["variables"])


@pytest.mark.parametrize("rule", ["adam", "rmsprop"])
def test_the_rules_of_the_optimiser_in_closed_form(rule):
    """The first step: Adam's is the rate; RMSprop's, whose mean square begins at zero, is rate / sqrt(0.1)."""
    transformation = train.Optimiser(learning_rate=0.01, rule=rule).transformation(10)
    params = {"a": np.float32([1.0, 2.0]), "b": np.float32(3.0)}
    gradients = {"a": np.float32([0.5, -0.25]), "b": np.float32(4.0)}
    changes, _ = transformation.update(gradients, transformation.init(params), params)
    size = {"adam": 0.01, "rmsprop": 0.01 / np.sqrt(0.1)}[rule]
    expected = jax.tree.map(lambda gradient: -size * np.sign(gradient), gradients)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4), changes, expected)
    with pytest.raises(ValueError, match="'adam' or 'rmsprop'"):
        train.Optimiser(rule="sgd").transformation(10)


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from stemjax.data import datasets
from stemjax.training import train
from tests.toys.runs import small_run
data = datasets.open_data_set({data!r})
print("ready", flush=True)
train.train(small_run(data, steps=16, validate_every=2), data, {out!r}, log=lambda e: print(e["step"], flush=True))
"""


def test_a_run_goes_on_with_the_weights_of_another(data, finished, tmp_path):
    """Which is part of what it is: another hash, another result, the same bits after a stop."""
    _, variables, info = train.load_run(finished)
    run = small_run(data, initial=info["digest"], steps=8)
    assert run.hash != small_run(data, steps=8).hash and from_config(to_config(run)) == run
    whole = train.train(run, data, tmp_path / "whole", initial=variables)
    assert train.train(run, data, tmp_path / "stopped", initial=variables, time_limit=0).step < 8
    train.train(run, data, tmp_path / "stopped", initial=variables)
    assert final_digest(tmp_path / "stopped" / run.hash) == final_digest(whole.folder)
    assert checkpoint.digest(variables) == run.initial  # the weights that were given stay as they are
    first, after = (
        json.loads((folder / "log.jsonl").read_text().splitlines()[0]) for folder in (finished, whole.folder)
    )
    assert after["loss"] < 0.9 * first["loss"]
    for wrong in (None, jax.tree.map(lambda leaf: leaf + 1, variables)):
        with pytest.raises(ValueError, match=f"starts from {run.initial[:16]}, but was given"):
            train.train(run, data, tmp_path, initial=wrong)
    with pytest.raises(ValueError, match="starts from fresh weights"):
        train.train(small_run(data), data, tmp_path, initial=variables)


def start(data, out) -> subprocess.Popen:
    code = KILLED.format(root=str(ROOT), data=str(data.folder), out=str(out))
    environment = os.environ | {"NPROC": "1", "JAX_PLATFORMS": "cpu"}
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)


def test_resuming_after_kill_is_bitwise(data, tmp_path):
    killed = start(data, tmp_path / "killed")
    rng, kills = np.random.default_rng(0), 0
    for _ in range(2):
        for line in killed.stdout:
            if line.strip() not in ("ready",):
                break
        time.sleep(rng.uniform(0.0, 0.3))
        killed.send_signal(signal.SIGKILL)
        kills += killed.wait() == -signal.SIGKILL
        killed = start(data, tmp_path / "killed")
    whole = start(data, tmp_path / "whole")  # last: it finds the program that the others compiled
    assert killed.wait(120) == 0 and whole.wait(120) == 0
    assert kills > 0, "no kill landed before the run was over"
    (whole_run,), (killed_run,) = (tmp_path / "whole").iterdir(), (tmp_path / "killed").iterdir()
    assert final_digest(killed_run) == final_digest(whole_run)
    steps = [json.loads(line)["step"] for line in (killed_run / "log.jsonl").read_text().splitlines()]
    assert steps == list(range(2, 17, 2))


def test_a_kill_between_the_two_saves_does_not_block_the_run(data, finished, tmp_path):
    """The best checkpoint is there, the newest of the same step is not: the step is done and saved again."""
    run, folder = small_run(data), Path(shutil.copytree(finished, tmp_path / finished.name))
    whole, best = final_digest(folder), train.load_run(folder)[2]
    assert best["step"] == run.steps
    shutil.rmtree(folder / "checkpoints" / str(run.steps))
    assert train.train(run, data, tmp_path).stopped is None
    assert final_digest(folder) == whole and train.load_run(folder)[2]["digest"] == best["digest"]


def test_a_signal_saves_and_stops(data, tmp_path):
    code = (
        "import os, signal, sys; sys.path.insert(0, sys.argv[1])\n"
        "from stemjax.data import datasets\n"
        "from stemjax.training import train\n"
        "from tests.toys.runs import small_run\n"
        "data = datasets.open_data_set(sys.argv[2])\n"
        "for number in (signal.SIGINT, signal.SIGTERM):\n"
        "    stop = lambda event: os.kill(os.getpid(), number) if event['step'] == 4 else None\n"
        "    outcome = train.train(small_run(data), data, os.path.join(sys.argv[3], number.name), log=stop)\n"
        "    print(outcome.stopped, outcome.step)\n"
    )
    arguments = [str(ROOT), str(data.folder), str(tmp_path)]
    result = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=120)
    assert result.stdout == "SIGINT 4\nSIGTERM 4\n" and "Traceback" not in result.stderr


DEVICES = """
import sys
sys.path.insert(0, sys.argv[1])
import jax, numpy as np
from stemjax.data import datasets, micrographs
from stemjax.physics import noise
from stemjax.training import parallel, train
from tests.toys.runs import small_run
data = datasets.open_data_set(sys.argv[2])
# Gaussian noise compiles sooner, and no count can move across a threshold; Poisson noise on devices: test_parallel.
run = small_run(data, imaging=micrographs.Imaging(sampling=0.2, counts=1.8, margin=1.0, noise=noise.FixedGaussian(1.3)))
arrays = run.imaging.device_arrays(data, run.selection.images(data, "train"))
results = {}
for count in (1, 8):
    mesh = parallel.batch_mesh(count)
    place = parallel.replicated(mesh)
    state, there = jax.device_put(train.initial_state(run), place), jax.device_put(arrays, place)
    key = jax.device_put(jax.random.key(run.seed), place)
    step = train.make_step(run, data.band, mesh)
    for _ in range(5):
        state, measurements = step(state, there, key)
    results[count] = jax.device_get(state["variables"])
worst = jax.tree.reduce(max, jax.tree.map(lambda a, b: float(np.abs(a - b).max()), results[1], results[8]))
assert worst < 1e-5, worst
assert set(results[1]) == {"params", "batch_stats"}
"""


def test_devices_do_not_change_the_result(data):
    """1 and 8 devices: the same parameters and normalisation statistics after 5 steps.

    On a bias-free network: the bias of a convolution before a normalisation has a gradient of zero but for rounding,
    and Adam makes steps of full size of it.
    """
    # One thread per device: with fewer cores than devices, jax 0.11 would otherwise wait for itself for ever.
    flags = "--xla_force_host_platform_device_count=8 --xla_cpu_multi_thread_eigen=false"
    environment = os.environ | {"XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {flags}", "JAX_PLATFORMS": "cpu"}
    arguments = [sys.executable, "-c", DEVICES, str(ROOT), str(data.folder)]
    result = subprocess.run(arguments, capture_output=True, text=True, env=environment, timeout=300)
    assert result.returncode == 0, result.stderr[-2000:]


def test_steps_per_call_do_not_change_the_result(data):
    """Fused steps compute what single steps do."""
    run = small_run(data)
    arrays = run.imaging.device_arrays(data, run.selection.images(data, "train"))
    mesh = train.parallel.batch_mesh(1)
    ends = []
    for fused in (1, 2):
        state, step = train.initial_state(run), train.make_step(run, data.band, mesh, fused)
        for _ in range(2 // fused):
            state, _ = step(state, arrays, jax.random.key(run.seed))
        ends.append(jax.device_get(state["variables"]))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), *ends)


def test_seeds_share_one_program(data):
    """Compiling takes minutes for some networks; the seed must not make it a program of its own."""
    programs = set()
    for seed in (0, 1):
        run = small_run(data, seed=seed)
        arrays = run.imaging.device_arrays(data, run.selection.images(data, "train"))
        parts = train.initial_state(run), arrays, jax.random.key(seed)
        programs.add(train.make_step(run, data.band, train.parallel.batch_mesh(1)).lower(*parts).as_text())
    assert len(programs) == 1


def test_a_run_in_use_is_refused(data, tmp_path):
    run = small_run(data)
    with checkpoint.lock(tmp_path / run.hash), pytest.raises(OSError, match="in use by another process"):
        train.train(run, data, tmp_path)


def test_another_recipe_is_refused(data, tmp_path):
    with pytest.raises(ValueError, match="recipe"):
        train.train(small_run(data).__class__(denoiser=None, recipe_hash="0" * 16), data, tmp_path)


def test_a_loss_that_is_not_finite_is_reported(data, tmp_path):
    run = small_run(data, denoiser=Diverging(DnCNN(depth=2, width=1)))
    with pytest.raises(FloatingPointError, match="not finite"):
        train.train(run, data, tmp_path)


def test_the_configuration_names_the_run(data):
    run = small_run(data)
    again = from_config(json.loads(json.dumps(to_config(run))))
    assert again == run and again.hash == run.hash
    assert small_run(data, seed=1).hash != run.hash
    # A field at its default is not part of the hash.
    assert "residual" not in to_config(run)["denoiser"]["network"]


def test_the_plateau_halves_the_rate_and_early_stopping_ends():
    optimiser, progress = train.Optimiser(patience=3), train.Progress()
    assert progress.update(30.0, 1, optimiser)
    for step in range(2, 6):
        assert not progress.update(30.0, step, optimiser)
    assert progress.learning_rate_scale == 0.5 and progress.since_best == 4
    assert progress.update(30.1, 6, optimiser) and progress.since_best == 0
