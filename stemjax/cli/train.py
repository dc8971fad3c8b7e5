"""`stemjax train`: train a model."""

import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from stemjax.cli.arguments import Count, Flag, Folder, named

STATUS = {None: 0, "time limit": 0, "SIGINT": 130, "SIGTERM": 143}


def train(
    preset: Annotated[str, named("MODEL")],
    /,
    data: Folder,
    size: Literal["smoke", "cpu", "gpu"] = "cpu",
    seed: Count = 0,
    time_limit: Annotated[float | None, named("SECONDS")] = None,
    runs: Annotated[Path, tyro.conf.arg(metavar="FOLDER")] = Path("runs"),
    precision: Literal["float32", "bfloat16"] = "float32",
    rematerialise: Flag = False,
    wandb: Flag = False,
) -> int:
    """Train a model, or go on with it: the same command continues where the last one stopped.

    Args:
        preset: Name from `stemjax models`.
        data: Folder of a data set made by `stemjax simulate`.
        size: gpu is the paper's network and training, cpu a narrow network in minutes, smoke a test in seconds.
        seed: Seed of everything random.
        time_limit: Seconds after which to save and stop.
        runs: Folder of the runs; each is a folder named by the hash of its configuration.
        precision: Type that the network computes in; parameters and loss stay in float32.
        rematerialise: Compute the insides of a UNet's blocks again for the gradient: less memory, a third more time.
        wandb: Mirror the log to Weights & Biases; offline without an account.
    """
    from stemjax import datasets, presets
    from stemjax.train import train as fit

    chosen = presets.find_preset(preset)
    if not hasattr(chosen.denoiser, "init"):
        raise ValueError(f"{preset} is a filter, with nothing to train: use it as it is, or train another model")
    data_set = datasets.open_data_set(data)
    denoiser = _with_options(preset, chosen.at(size), precision, rematerialise)
    run = presets.sbd_run(denoiser, size, data_set.recipe_hash, seed)
    print(f"training {preset} ({size}) in {runs / run.hash}", flush=True)
    with ExitStack() as stack:
        reports = [stack.enter_context(_Report(run.steps))]
        if wandb:
            reports.append(_wandb_log(stack, run, runs / run.hash))

        def log(event: dict) -> None:
            for report in reports:
                report(event)

        outcome = fit(run, data_set, runs, time_limit=time_limit, log=log)
    if outcome.stopped is None:
        best = outcome.progress
        print(f"finished: {best.best_db:.2f} dB on validation images (step {best.best_step} of {outcome.step})")
        print(f"use it: stemjax denoise IMAGE --model {outcome.folder}")
    else:
        print(f"stopped at step {outcome.step} of {run.steps} ({outcome.stopped}); the same command continues there")
    return STATUS[outcome.stopped]


def _with_options(preset: str, denoiser: Any, precision: str, rematerialise: bool) -> Any:
    """The denoiser with those of the options that are not the default.

    Raises
    ------
    ValueError
        If it does not have one of them.
    """
    for name, chosen, owner in (
        ("precision", precision != "float32", denoiser),
        ("rematerialise", rematerialise, denoiser.network),
    ):
        if chosen and not hasattr(owner, name):
            raise ValueError(f"{preset} has no option --{name}: leave it out")
    if precision != "float32":
        denoiser = replace(denoiser, precision=precision)
    if rematerialise:
        denoiser = replace(denoiser, network=denoiser.network.clone(rematerialise=True))
    return denoiser


class _Report:
    """Shows the log: a progress bar on a terminal, a line per event elsewhere."""

    def __init__(self, steps: int):
        self.steps, self.bar = steps, None

    def __enter__(self):
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

            columns = BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), TimeRemainingColumn()
            self.bar = Progress(*columns, console=Console(stderr=True))
            self.bar.start()
            self.task = self.bar.add_task("compiling", total=self.steps)
        return self

    def __call__(self, event: dict) -> None:
        text = f"step {event['step']}/{self.steps}, loss {event['loss']:.4g}"
        if (db := event.get("validation_psnr_db")) is not None:
            text += f", validation {db:.2f} dB"
        if self.bar:
            self.bar.update(self.task, completed=event["step"], description=text)
        else:
            print(f"{text}, {event['time_s']:.0f} s", file=sys.stderr, flush=True)

    def __exit__(self, *error) -> None:
        if self.bar:
            self.bar.stop()


def _wandb_log(stack: ExitStack, run: Any, folder: Path):
    """A log callback that mirrors events to Weights & Biases, from the first process; offline without an account."""
    import jax

    if jax.process_index():
        return lambda event: None
    try:
        import wandb
    except ImportError:
        raise OSError("wandb is not installed: pip install 'stemjax[wandb]'") from None
    from stemjax.denoisers import to_config

    mode = None if wandb.api.api_key else "offline"
    folder.mkdir(parents=True, exist_ok=True)
    mirror = wandb.init(project="stemjax", name=folder.name, dir=folder, mode=mode, config=to_config(run))
    stack.callback(mirror.finish)
    return lambda event: mirror.log(event, step=event["step"])
