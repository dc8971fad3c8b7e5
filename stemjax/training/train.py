"""Training: what a run is, its jitted step, and the one loop that all methods share.

A run lives in ``runs/<hash>/``: `config.json` (the run, whose hash names the folder), `checkpoints/` (the newest, to
go on from), `best/` (the best by validation PSNR, to use) and `log.jsonl`. Going on after a stop of any kind gives the
same bits as never having stopped, on the same machine.
"""

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh

from stemjax.config import from_config, to_config
from stemjax.data import datasets, micrographs
from stemjax.data.micrographs import Selection
from stemjax.denoisers.protocol import ask
from stemjax.files import write_whole
from stemjax.training import checkpoint, memory, parallel
from stemjax.training.journal import Journal, read_journal
from stemjax.training.signals import stop_signal
from stemjax.training.validation import judged, validation

# Roles folded into the run's one key.
INIT, BATCH, LOSS, REVIVE = range(4)


@dataclass(frozen=True)
class Optimiser:
    """Adam or RMSprop with a warm-up and one of two schedules.

    Parameters
    ----------
    learning_rate : float
    schedule : {"plateau", "cosine"}
        ``plateau`` multiplies the rate by `factor` after `patience` validations without a gain (the paper's);
        ``cosine`` falls to zero over the run's steps. Both follow steps, never the clock.
    warmup : int
        Steps of linear rise from zero.
    clip : float
        Largest global norm of a gradient; 0 is no limit.
    rule : {"adam", "rmsprop"}
        RMSprop as in Keras: decay 0.9, no momentum, 1e-7 added to the root.
    """

    learning_rate: float = 1e-3
    schedule: str = "plateau"
    warmup: int = 0
    factor: float = 0.5
    patience: int = 3
    clip: float = 0.0
    rule: str = "adam"

    def transformation(self, steps: int) -> optax.GradientTransformation:
        if self.schedule not in ("plateau", "cosine") or self.rule not in ("adam", "rmsprop"):
            chosen = f"schedule {self.schedule!r} and rule {self.rule!r}"
            raise ValueError(f"{chosen}: choose 'plateau' or 'cosine', and 'adam' or 'rmsprop'")
        # Arrays, not Python floats, so that a change of value does not compile the step anew.
        rate = optax.constant_schedule(self.learning_rate)
        if self.schedule == "cosine":
            rate = optax.cosine_decay_schedule(self.learning_rate, max(steps - self.warmup, 1))
        if self.warmup:
            rise = optax.linear_schedule(self.learning_rate / self.warmup, self.learning_rate, self.warmup)
            rate = optax.join_schedules([rise, rate], [self.warmup])
        clip = optax.clip_by_global_norm(self.clip) if self.clip else optax.identity()
        if self.rule == "adam":
            return optax.chain(clip, optax.adam(rate))
        # As one vector: the hundreds of arrays of generative networks would be as many small programs to compile.
        return optax.chain(clip, optax.flatten(optax.rmsprop(rate, 0.9, 1e-7, eps_in_sqrt=False)))


@dataclass(frozen=True)
class Run:
    """Everything that decides the result of a training, and nothing else.

    Parameters
    ----------
    denoiser : a trainable denoiser
    recipe_hash : str
        The data set it is trained on.
    steps : int
        Updates; with `crops.count` it fixes how many crops the network sees.
    validate_every : int
        Steps between validations; also between checkpoints.
    validation_per_unit : int
        Validation images per structure.
    early_stopping : int
        Validations without a new best before the run ends, counted anew where weights are drawn anew; 0 is never.
    initial : str
        Digest of the variables that it starts from, which `train` is then given; "" for fresh ones.
    averaging : float
        Share of the mean over past weights that a step keeps, such as 0.999: it is this mean that is validated, kept
        as the best and used. It calms long trainings in small batches, whose single weights jump. 0 is off.
    """

    denoiser: Any
    recipe_hash: str
    imaging: micrographs.Imaging = field(default_factory=micrographs.Imaging)
    crops: micrographs.Crops = field(default_factory=micrographs.Crops)
    selection: Selection = field(default_factory=Selection)
    optimiser: Optimiser = field(default_factory=Optimiser)
    steps: int = 100_000
    validate_every: int = 1000
    validation_per_unit: int = 3
    early_stopping: int = 0
    seed: int = 0
    initial: str = ""
    averaging: float = 0.0

    @property
    def hash(self) -> str:
        return datasets.recipe_hash(to_config(self))


@dataclass
class Progress:
    """What the schedules remember, kept in every checkpoint; `best_db` is what `validation.judged` returns."""

    best_db: float | None = None
    best_step: int = 0
    learning_rate_scale: float = 1.0
    plateau: int = 0
    since_best: int = 0
    train_time_s: float = 0.0
    compile_time_s: float = 0.0
    finished: bool = False
    sums: dict[str, float] = field(default_factory=dict)  # of measurements since the last validation
    calls: int = 0  # whose sums these are

    def measure(self, losses: list[dict]) -> dict[str, float]:
        """Take in the measurements of some calls; returns the means since the last validation."""
        self.calls += len(losses)
        for measured in losses:  # in turn, for the same bits after a stop
            self.sums = {name: self.sums.get(name, 0.0) + float(value) for name, value in measured.items()}
        return {name: total / self.calls for name, total in self.sums.items()}

    def begin_again(self) -> None:
        """Weights were given up for new ones: what was best, and for how long, is of the past."""
        self.best_db, self.plateau, self.since_best, self.finished = None, 0, 0, False

    def update(self, psnr_db: float, step: int, optimiser: Optimiser) -> bool:
        """Take in one validation; True where it is a new best."""
        if self.best_db is None or psnr_db > self.best_db + 1e-4 * abs(self.best_db):
            self.best_db, self.best_step, self.plateau, self.since_best = psnr_db, step, 0, 0
            return True
        self.plateau += 1
        self.since_best += 1
        if optimiser.schedule == "plateau" and self.plateau > optimiser.patience:
            self.learning_rate_scale *= optimiser.factor
            self.plateau = 0
        return False


@dataclass(frozen=True)
class Outcome:
    """How a call of `train` ended. `stopped` is None for a finished run, or what stopped it."""

    folder: Path
    step: int
    progress: Progress
    stopped: str | None = None


# ---------------------------------------------------------------------------------------------------- the jitted step
def initial_state(run: Run, variables: dict | None = None) -> dict:
    """Variables (fresh ones, unless given), optimiser state and step number of a run that has not begun."""
    if variables is None:
        key = jax.random.fold_in(jax.random.key(run.seed), INIT)
        variables = jax.jit(run.denoiser.init)(key, jnp.zeros(_sample_shape(run, run.crops.size), jnp.float32))
    start = ask(run.denoiser, "start") or (lambda params, init: init(params))
    state = {
        "variables": variables,
        "optimiser": start(variables["params"], run.optimiser.transformation(run.steps).init),
        "step": jnp.int32(0),
        "learning_rate_scale": jnp.float32(1.0),
    }
    # copied: the step gives its state away, and no array can be given away twice
    return state | ({"average": jax.tree.map(jnp.array, variables)} if run.averaging else {})


def _sample_shape(run: Run, size: int) -> tuple[int, ...]:
    """Of an array like those that the denoiser takes: an image, or as many frames as it looks at."""
    frames = ask(run.denoiser, "frames")
    side = size or 64  # crops of size 0 are whole frames
    shape = (side, side, len(run.imaging.channels))
    return (1, *shape) if frames is None else (1, 1 + sum(frames), *shape)


def make_step(run: Run, band, mesh: Mesh, steps: int = 1) -> Callable:
    """The jitted function (state, arrays, key) -> (state, measurements) of `steps` updates, the state donated.

    It makes its own batches, so the device never waits for Python; measurements are means over the updates. `key` is
    that of the seed: not a part of the program, so that trainings from several seeds share one compiled program.
    """
    learn = ask(run.denoiser, "update") or partial(_gradient_step, run.denoiser)

    def update(state, arrays, root):
        batch_key, loss_key = jax.random.fold_in(root, BATCH), jax.random.fold_in(root, LOSS)
        batch = run.crops.batch(arrays, batch_key, state["step"], band, run.imaging)
        batch = parallel.constrain_batch(batch, mesh)
        key = jax.random.fold_in(loss_key, state["step"])

        def descend(gradients, optimiser, params, updates_per_step=1):
            rule = run.optimiser.transformation(run.steps * updates_per_step)
            changes, optimiser = rule.update(gradients, optimiser, params)
            changes = jax.tree.map(lambda u: state["learning_rate_scale"] * u, changes)
            return optax.apply_updates(params, changes), optimiser

        variables, optimiser, measured = learn(state["variables"], state["optimiser"], batch, key, descend)
        state = state | {"variables": variables, "optimiser": optimiser, "step": state["step"] + 1}
        if run.averaging:  # over few steps at first, so that the initial weights are soon forgotten
            keep = jnp.minimum(run.averaging, state["step"] / (state["step"] + 10))
            state["average"] = jax.tree.map(lambda a, v: v + keep * (a - v), state["average"], variables)
        return state, measured

    def several(state, arrays, root):
        state, measurements = jax.lax.scan(lambda s, _: update(s, arrays, root), state, length=steps)
        return state, jax.tree.map(jnp.mean, measurements)

    whole = parallel.replicated(mesh)
    return jax.jit(several if steps > 1 else update, donate_argnums=0, out_shardings=(whole, whole))


def _gradient_step(denoiser, variables: dict, optimiser, batch: dict, key: jax.Array, descend: Callable) -> tuple:
    """What an update is unless a denoiser has its own: one step along the gradient of its loss."""
    rest = {name: value for name, value in variables.items() if name != "params"}

    def loss(params):
        return denoiser.loss(rest | {"params": params}, batch, key)

    (_, (new_rest, measured)), gradients = jax.value_and_grad(loss, has_aux=True)(variables["params"])
    params, optimiser = descend(gradients, optimiser, variables["params"])
    return rest | new_rest | {"params": params}, optimiser, measured


# ---------------------------------------------------------------------------------------------------- the loop
def train(
    run: Run,
    data: datasets.DataSet,
    root: str | Path = "runs",
    *,
    initial: dict | None = None,
    time_limit: float | None = None,
    log: Callable[[dict], None] = lambda event: None,
    devices: int | None = None,
    steps_per_call: int | None = None,
) -> Outcome:
    """Train a run, or go on with it, until it is finished, stopped by a signal, or `time_limit` [s] is over.

    Parameters
    ----------
    initial : dict, optional
        The variables that `run.initial` names.
    log : callable
        Called with every line of the log: step, loss and what `validation.validation` gives.
    devices : int, optional
        Devices to use; by default as many as divide the batch evenly.
    steps_per_call : int, optional
        Steps fused into one call, a divisor of `run.validate_every`. By default 10 on an accelerator; 1 on a CPU, where
        XLA runs the convolutions of a loop on one thread.

    Raises
    ------
    ValueError
        If the data set is of another recipe, or the initial variables are not those of the run.
    OSError
        If the run's folder is in use, or none of its checkpoints is sound.
    """
    begin = time.monotonic()
    memory.keep_freed_memory()  # before the first array, unless JAX has begun already
    if data.recipe_hash != run.recipe_hash:
        raise ValueError(f"{data.folder}: recipe {data.recipe_hash}, but the run is for {run.recipe_hash}")
    given = "" if initial is None else checkpoint.digest(initial)
    if given != run.initial:
        wanted = run.initial[:16] or "fresh weights"
        raise ValueError(f"the run starts from {wanted}, but was given {given[:16] or 'no weights'}")
    folder = Path(root) / run.hash
    mesh = parallel.batch_mesh(devices or parallel.largest_divisor(run.crops.count, len(jax.devices())))
    with checkpoint.lock(folder), stop_signal() as stop:
        write_whole(folder / "config.json", lambda s: s.write(_config_text(run).encode()))
        newest, best = checkpoint.Checkpointer(folder / "checkpoints"), checkpoint.Checkpointer(folder / "best", keep=1)
        state, progress = _restore(run, newest, initial)
        journal = Journal(folder / "log.jsonl", int(state["step"]), log)
        if int(state["step"]) >= run.steps or _exhausted(run, progress):
            return Outcome(folder, int(state["step"]), progress)

        arrays = run.imaging.device_arrays(data, run.selection.images(data, "train"))
        arrays = jax.device_put(arrays, parallel.replicated(mesh))
        state = jax.device_put(state, parallel.replicated(mesh))
        if steps_per_call is None:
            steps_per_call = 1 if jax.default_backend() == "cpu" else math.gcd(10, run.validate_every)
        start = time.monotonic()
        root_key = jax.device_put(jax.random.key(run.seed), parallel.replicated(mesh))
        step_function = make_step(run, data.band, mesh, steps_per_call).lower(state, arrays, root_key).compile()
        progress.compile_time_s += time.monotonic() - start
        validate = validation(run, data)

        step, saved, losses, mark = int(state["step"]), int(state["step"]), [], time.monotonic()
        while step < run.steps and not _exhausted(run, progress):
            state, measurements = step_function(state, arrays, root_key)
            step += steps_per_call
            jax.block_until_ready(losses[-1:])  # one call in flight: the clock below is then the device's
            losses.append(measurements)
            out_of_time = time_limit is not None and time.monotonic() - begin > time_limit
            due = step % run.validate_every == 0 or step >= run.steps
            if not (due or stop or out_of_time):
                continue
            means = progress.measure(losses)
            if not np.isfinite(means["loss"]):
                raise FloatingPointError(
                    f"{folder}: the loss is not finite near step {step}; lower the learning rate or clip gradients"
                )
            progress.train_time_s += time.monotonic() - mark
            losses = []
            event = {"step": step, "crops": step * run.crops.count, "time_s": round(progress.train_time_s, 3)} | means
            if due:
                progress.sums, progress.calls = {}, 0
                used = state.get("average", state["variables"])
                validated = validate(used)
                event |= validated
                if progress.update(judged(validated), step, run.optimiser):
                    best.save(step, used, validated)
                if finished := ask(run.denoiser, "finished"):
                    progress.finished = finished(means)
                state["learning_rate_scale"] = jax.device_put(
                    jnp.float32(progress.learning_rate_scale), parallel.replicated(mesh)
                )
                if (revive := ask(run.denoiser, "revive")) and 2 * step <= run.steps:
                    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(run.seed), REVIVE), step)
                    revived = revive(state["variables"], measurements, means, key)
                    if revived is not state["variables"]:
                        progress.begin_again()
                        for part in {"variables", "average"} & set(state):
                            state[part] = jax.device_put(jax.tree.map(jnp.array, revived), parallel.replicated(mesh))
            newest.save(step, state, asdict(progress))
            journal.write(event)
            saved, mark = step, time.monotonic()
            if stop or out_of_time:
                break
    finished = saved >= run.steps or _exhausted(run, progress)
    return Outcome(folder, saved, progress, None if finished else (stop[0] if stop else "time limit"))


def _config_text(run: Run) -> str:
    return json.dumps(to_config(run), indent=1, sort_keys=True) + "\n"


def _exhausted(run: Run, progress: Progress) -> bool:
    return progress.finished or bool(run.early_stopping) and progress.since_best >= run.early_stopping


def _restore(run: Run, newest: checkpoint.Checkpointer, initial: dict | None) -> tuple[dict, Progress]:
    state = initial_state(run, initial)
    if (saved := newest.restore(state)) is None:
        return state, Progress()
    _, state, progress = saved
    return state, Progress(**progress)


# ---------------------------------------------------------------------------------------------------- using a run
def load_run(folder: str | Path) -> tuple[Run, dict, dict]:
    """A trained run: (run, variables of its best checkpoint, info).

    Raises
    ------
    OSError
        If the folder holds no run, or none of its checkpoints is sound.
    """
    folder = Path(folder)
    path = folder / "config.json"
    if not path.is_file():
        raise OSError(f"{folder}: not a run (no config.json); give a folder made by `stemjax train`")
    try:
        run = from_config(json.loads(path.read_text()))
    except (ValueError, KeyError) as error:
        raise OSError(f"{path}: not the configuration of a run ({error}); train anew in another folder") from error
    sample = jax.ShapeDtypeStruct(_sample_shape(run, run.crops.size), jnp.float32)
    like = jax.eval_shape(run.denoiser.init, jax.random.key(0), sample)
    if not (folder / "best").is_dir():
        raise OSError(f"{folder}: no checkpoint yet; go on with `stemjax train`")
    try:
        saved = checkpoint.Checkpointer(folder / "best", keep=1, read_only=True).restore(like)
    except checkpoint.CheckpointError as error:
        raise OSError(f"{error}; delete {folder} to train it anew") from error
    if saved is None:
        raise OSError(f"{folder}: no checkpoint yet; go on with `stemjax train`")
    step, variables, info = saved
    log = read_journal(folder / "log.jsonl")
    return run, variables, info | {"step": step, "digest": checkpoint.digest(variables), "log": log}
