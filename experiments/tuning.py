"""Tuning of networks, by one rule for all: batch size and learning rate, chosen on the validation structures.

For every batch size, a short run with each learning rate chooses the rate; a run over all crops with that rate then
scores the batch size, and the best one is kept. Every run draws the same crops in the same order, however many of them
make a batch.
"""

from dataclasses import dataclass, replace

import numpy as np

from experiments.workspace import Workspace
from stemjax.training.train import Run

VALIDATIONS = 4  # of every run


@dataclass(frozen=True)
class Search:
    """What is tried for every network.

    Parameters
    ----------
    batches : tuple of int
        Crops in a batch.
    learning_rates : tuple of float
    short_crops : int
        Crops that a run which chooses a learning rate sees.
    """

    batches: tuple[int, ...]
    learning_rates: tuple[float, ...]
    short_crops: int


def tune_run(method: str, run: Run, search: Search | None, workspace: Workspace, data) -> tuple[Run, dict | None]:
    """The run with the best batch size and learning rate of the search: (run, tuning as a record keeps it).

    Parameters
    ----------
    run : Run
        Its crops in all (steps x batch) are what every batch size gets. Without a search it comes back unchanged.
    """
    if search is None:
        return run, None
    tuning, finalists, scores = {}, [], []
    for batch in search.batches:
        short = [_resized(run, batch, rate, search.short_crops) for rate in search.learning_rates]
        psnr_db = [_validated(candidate, f"{method}, short", workspace, data) for candidate in short]
        best = int(np.argmax(psnr_db))
        tuning[f"learning rate at batches of {batch}"] = _tried(search.learning_rates, psnr_db, best)
        finalists.append(_resized(run, batch, search.learning_rates[best], run.steps * run.crops.count))
        scores.append(_validated(finalists[-1], method, workspace, data))
    best = int(np.argmax(scores))
    tuning["batch"] = _tried(search.batches, scores, best)
    return finalists[best], tuning


def _resized(run: Run, batch: int, learning_rate: float, crops: int) -> Run:
    steps = crops // batch
    return replace(
        run,
        crops=replace(run.crops, count=batch),
        optimiser=replace(run.optimiser, learning_rate=learning_rate),
        steps=steps,
        validate_every=max(steps // VALIDATIONS, 1),
    )


def _validated(run: Run, method: str, workspace: Workspace, data) -> float:
    """Validation PSNR [dB] of a candidate; minus infinity where its training diverges."""
    label = f"{method}, batches of {run.crops.count}, learning rate {run.optimiser.learning_rate:g}"
    try:
        return workspace.trained(run, data, label)[1]["validation_psnr_db"]
    except FloatingPointError as error:
        print(f"  {error}", flush=True)
        return -np.inf


def _tried(values: tuple, scores: list[float], best: int) -> dict:
    """The entry of a record; a candidate that diverged has no PSNR."""
    return {
        "values": list(values),
        "validation_psnr_db": [round(score, 3) if np.isfinite(score) else None for score in scores],
        "chosen": values[best],
        "at_an_end": len(values) > 1 and best in (0, len(values) - 1),
    }
