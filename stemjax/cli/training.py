"""What every verb that trains shows: progress, and how it ended."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

STATUS = {None: 0, "time limit": 0, "SIGINT": 130, "SIGTERM": 143}  # what stopped a training -> exit status


def train_and_report(run, data, runs: Path, wandb: bool = False, **options):
    """Train a run, or go on with it, with a progress bar; returns the `train.Outcome` and prints how it ended.

    `options` go to `train.train`.
    """
    from stemjax.training.progress import Report, quality
    from stemjax.training.train import load_run, train

    with ExitStack() as stack:
        reports = [stack.enter_context(Report(run.steps))]
        if wandb:
            reports.append(_wandb_log(stack, run, runs / run.hash))

        def log(event: dict) -> None:
            for report in reports:
                report(event)

        outcome = train(run, data, runs, log=log, **options)
    if outcome.stopped is None:
        _, _, info = load_run(outcome.folder)
        print(f"finished at step {outcome.step} of {run.steps}; best at step {info['step']}: {quality(info)}")
    else:
        print(f"stopped at step {outcome.step} of {run.steps} ({outcome.stopped}); the same command continues there")
    return outcome


def train_plan(plan, runs: Path, wandb: bool = False, time_limit: float | None = None):
    """Say what a `learning.Plan` learns from, and train it; returns the `train.Outcome`."""
    print(f"training {plan.about} in {runs / plan.run.hash}", flush=True)
    return train_and_report(plan.run, plan.data, runs, wandb, initial=plan.initial, time_limit=time_limit)


def _wandb_log(stack: ExitStack, run: Any, folder: Path):
    """A log callback that mirrors events to Weights & Biases, from the first process; offline without an account."""
    import jax

    if jax.process_index():
        return lambda event: None
    try:
        import wandb
    except ImportError:
        raise OSError("wandb is not installed: pip install -e '.[wandb]'") from None
    from stemjax.config import to_config

    mode = None if wandb.api.api_key else "offline"
    folder.mkdir(parents=True, exist_ok=True)
    mirror = wandb.init(project="stemjax", name=folder.name, dir=folder, mode=mode, config=to_config(run))
    stack.callback(mirror.finish)
    return lambda event: mirror.log(event, step=event["step"])
