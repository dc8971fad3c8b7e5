"""Checkpoints: any tree comes back, damage never becomes a wrong weight, one writer at a time."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from stemjax.training.checkpoint import Checkpointer, CheckpointError, digest, lock
from tests.toys.damage import KINDS, damage

DAMAGES = int(os.environ.get("STEMJAX_CHECKPOINT_DAMAGES", 60))


def make_state(value: float = 0.0) -> dict:
    """Parameters, the optimiser's nested tuples, a scalar, and other dtypes."""
    params = {"conv": {"kernel": jnp.full((3, 3, 2), float(value)), "bias": jnp.arange(2.0)}}
    return {
        "variables": {"params": params},
        "optimiser": optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-3)).init(params),
        "step": jnp.int32(7),
        "mask": jnp.array([True, False]),
        "half": jnp.asarray([1.5, value], jnp.bfloat16),
    }


def save(folder: Path, *steps: int) -> Path:
    checkpoints = Checkpointer(folder)
    for step in steps:
        checkpoints.save(step, make_state(step), {"best_db": 30.0 + step})
    checkpoints.close()
    return folder


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    """Steps 1 and 2."""
    return save(tmp_path_factory.mktemp("run") / "checkpoints", 1, 2)


@pytest.fixture
def copy(saved, tmp_path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "copy"))


# ---------------------------------------------------------------------------------------------------- round trip
def test_a_state_comes_back(saved):
    step, state, progress = Checkpointer(saved).restore(make_state())
    assert (step, progress) == (2, {"best_db": 32.0})
    assert jax.tree.structure(state) == jax.tree.structure(make_state())
    for found, expected in zip(jax.tree.leaves(state), jax.tree.leaves(make_state(2)), strict=True):
        assert found.dtype == expected.dtype and found.shape == expected.shape
        np.testing.assert_array_equal(found, expected)


def test_a_state_comes_back_without_a_template(saved):
    _, flat, _ = Checkpointer(saved).restore()
    assert flat["['variables']['params']['conv']['kernel']"].shape == (3, 3, 2)
    assert digest(flat) == digest({path: flat[path] for path in reversed(list(flat))})


def test_shapes_are_template_enough(saved):
    like = jax.eval_shape(make_state)
    assert Checkpointer(saved).restore(like)[0] == 2


def test_nothing_saved_yet(tmp_path):
    assert Checkpointer(tmp_path / "new").restore(make_state()) is None


def test_old_steps_go(tmp_path):
    assert Checkpointer(save(tmp_path / "c", 1, 5, 9)).steps() == [5, 9]


@pytest.mark.parametrize(("step", "left"), [(2, [1, 2]), (1, [1])])
def test_a_step_that_is_done_again_is_replaced(copy, step, left):
    """As after a kill between the saves of the best and of the newest: the later steps are of the lost future."""
    checkpoints = Checkpointer(copy)
    checkpoints.save(step, make_state(99), {"best_db": 99.0})
    assert checkpoints.steps() == left
    found, state, progress = Checkpointer(copy).restore(make_state())
    assert (found, progress) == (step, {"best_db": 99.0})
    np.testing.assert_array_equal(state["half"], make_state(99)["half"])


def test_the_digest_sees_path_type_shape_and_value():
    base = {"a": np.arange(4, dtype=np.float32)}
    others = [
        {"b": base["a"]},
        {"a": base["a"].view(np.int32)},
        {"a": base["a"].reshape(2, 2)},
        {"a": base["a"] + np.float32([0, 0, 0, 1e-6])},
    ]
    assert len({digest(tree) for tree in [base, *others]} | {digest(base, {"note": 1})}) == 6


# ---------------------------------------------------------------------------------------------------- damage
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of Orbax, after a read that failed
def test_a_damaged_step_is_never_used(saved, tmp_path, capsys):
    """Whatever happens to a file of step 2: its true arrays, or those of step 1, or an error, never others."""
    rng, ends = np.random.default_rng(0), {1: 0, 2: 0}
    files = sorted(path.relative_to(saved) for path in (saved / "2").rglob("*") if path.is_file())
    assert len(files) > 5
    for trial in range(DAMAGES):
        folder = Path(shutil.copytree(saved, tmp_path / str(trial)))
        damage(folder / files[trial % len(files)], KINDS[(trial // len(files) + trial) % len(KINDS)], rng)
        checkpoints = Checkpointer(folder)
        step, state, progress = checkpoints.restore(make_state())
        assert progress == {"best_db": 30.0 + step}
        assert digest(state) == digest(make_state(step)), f"wrong arrays after damage to {files[trial % len(files)]}"
        assert (folder / "damaged-2").is_dir() == (step == 1)
        ends[step] += 1
        checkpoints.close()
        shutil.rmtree(folder)
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]
    # Not every file is needed: some are copies, some hold times of day.
    assert ends[1] > DAMAGES // 5 and len(warnings) == ends[1]
    assert all("/2: damaged (" in line and "moved to damaged-2" in line for line in warnings)


def test_training_goes_on_after_damage(copy, capsys):
    """The step that was moved aside can be saved again, and damaged again."""
    checkpoints = Checkpointer(copy)
    for _ in range(2):
        (largest,) = sorted((copy / "2").rglob("*"), key=lambda path: path.stat().st_size * path.is_file())[-1:]
        damage(largest, "truncate", np.random.default_rng(0))
        assert checkpoints.restore(make_state())[0] == 1
        checkpoints.save(2, make_state(2), {})
        assert checkpoints.restore(make_state())[0] == 2
    assert sorted(path.name for path in copy.iterdir()) == ["1", "2", "damaged-2"]


def test_no_sound_step_is_an_error(copy, capsys):
    for step in ("1", "2"):
        shutil.rmtree(copy / step / "state")
    with pytest.raises(CheckpointError, match="none of its checkpoints is readable") as error:
        Checkpointer(copy).restore(make_state())
    assert "\n" not in str(error.value) and str(copy) in str(error.value)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda state: state["variables"]["params"]["conv"].update(kernel=np.zeros((3, 3, 4), "f4")), "kernel"),
        (lambda state: state.update(half=np.zeros(2, "f4")), "half"),
        (lambda state: state["variables"]["params"].update(more=np.zeros(1, "f4")), "more"),
        (lambda state: state.pop("mask"), "mask"),
    ],
)
def test_a_checkpoint_of_another_network(saved, change, named):
    like = make_state()
    change(like)
    with pytest.raises(CheckpointError, match=f"another network or optimiser .*{named}") as error:
        Checkpointer(saved).restore(like)
    assert "\n" not in str(error.value)
    assert (saved / "2").is_dir()  # it is sound, and stays where it is


# ---------------------------------------------------------------------------------------------------- one writer
HOLD = """
import fcntl, sys, time
stream = open(sys.argv[1], "w")
fcntl.flock(stream, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(600)
"""


def test_a_second_writer_is_refused_at_once(tmp_path):
    with lock(tmp_path):
        pass
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / ".lock")], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        for _ in range(20):
            start = time.monotonic()
            with pytest.raises(OSError, match="in use by another process") as error, lock(tmp_path):
                pass
            assert time.monotonic() - start < 2
            assert str(tmp_path) in str(error.value) and "\n" not in str(error.value)
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with lock(tmp_path):  # a process that dies leaves no lock
        pass
