"""A new record: what was measured, and on what code, software and hardware."""

import importlib.metadata
import os
import platform
import shlex
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from stemjax.config import to_config
from stemjax.data.datasets import recipe_hash
from stemjax.metrics.image import METRICS_VERSION
from stemjax.records.code import code_version
from stemjax.records.schema import BENCHMARK_VERSION, MACHINE_PATH, SCHEMA_VERSION, digest
from stemjax.records.scores import intervals, means, rounded, scores_text


def new_record(
    *,
    experiment: str,
    method: str,
    denoiser,
    data_set,
    imaging,
    protocol: str,
    size: str,
    scores: list[dict],
    split: str = "test",
    conditions: dict | None = None,
    seed: int | None = None,
    run: str | None = None,
    checkpoint: str | None = None,
    parameters: int = 0,
    field_of_view: int | None = None,
    learning_curve: list[dict] = (),
    tuning: dict | None = None,
    wall_s: float | None = None,
    compile_s: float | None = None,
    supersedes: str | None = None,
) -> dict:
    """A record without its id; means and interval come from the scores, the rest is gathered from code and machine.

    Parameters
    ----------
    method : str
        Label of the row in the table.
    conditions : dict, optional
        Axes of a sweep beside the method, name -> text or number; a name ends in its unit.
    denoiser : dataclass or None
        None for the noisy images themselves.
    imaging : dataclass or None
    data_set : datasets.DataSet
    scores : list of dict
        One row per image: ``image`` (a name), ``unit`` (its structure or movie) and scores named in `RANGES`.
    seed : int, optional
        Seed of the training; None for a method that is not trained.
    run, checkpoint : str, optional
        Hash of the training run, digest of the weights.
    field_of_view : int, optional
        [px]; None where a method has none (a global filter).
    learning_curve : list of dict
        ``crops`` and ``validation_psnr_db`` of each validation.
    tuning : dict, optional
        For each tuned field the ``values`` tried, their ``validation_psnr_db`` (None: diverged), which was ``chosen``.
    wall_s, compile_s : float, optional
        Time to train, or to denoise the split, and to compile [s]. Never printed as a measurement of speed.
    """
    config, rows = to_config(denoiser) if denoiser is not None else {}, rounded(scores)
    if not rows:
        raise ValueError(f"{experiment}, {method}: a record needs the scores of at least one image")
    return {
        "schema_version": SCHEMA_VERSION,
        "benchmark_version": BENCHMARK_VERSION,
        "metrics_version": METRICS_VERSION,
        "experiment": experiment,
        "method": method,
        "conditions": conditions or {},
        "denoiser": config,
        "denoiser_hash": recipe_hash(config),
        "run": run,
        "seed": seed,
        "data_set": {"name": data_set.name, "recipe_hash": data_set.recipe_hash},
        "imaging": None if imaging is None else to_config(imaging, complete=True),
        "protocol": protocol,
        "size": size,
        "split": split,
        "units": sorted({row["unit"] for row in rows}),
        "images": len(rows),
        "checkpoint": checkpoint,
        "scores": means(rows),
        "scores_sha256": digest(scores_text(rows)),
        "interval": intervals(rows),
        "learning_curve": list(learning_curve),
        "tuning": tuning,
        "parameters": parameters,
        "field_of_view": field_of_view,
        "code": code_version(),
        "software": _software(),
        "hardware": _hardware(),
        "wall_s": wall_s,
        "compile_s": compile_s,
        "command": command(),
        "time_utc": time_utc(),
        "supersedes": supersedes,
    }


def derived_record(record: dict, scores: list[dict], how: str) -> dict:
    """A record without its id that supersedes another, with other scores computed from its; everything else stays.

    Parameters
    ----------
    record : dict
        The one that it supersedes.
    scores : list of dict
        Its rows, with what changed; they mean what the metrics mean now.
    how : str
        What was computed, and from what. It stands in `derived`, beside command, code and time of this computation;
        those of the measurement stay where they are.
    """
    rows, bare = rounded(scores), {name: value for name, value in record.items() if name != "id"}
    now = {"how": how, "command": command(), "code": code_version(), "time_utc": time_utc()}
    return bare | {
        "metrics_version": METRICS_VERSION,
        "scores": means(rows),
        "scores_sha256": digest(scores_text(rows)),
        "interval": intervals(rows),
        "derived": now,
        "supersedes": record["id"],
    }


def _software() -> dict:
    packages = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "scipy", "scikit-image")
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in packages}


def _hardware() -> dict:
    import jax

    cpu = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), cpu)
    except OSError:
        pass  # not Linux
    devices = Counter(device.device_kind for device in jax.devices())
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"cpu": cpu, "cores": cores, "devices": dict(sorted(devices.items()))}


def time_utc() -> str:
    """Now."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def command() -> str:
    """The command line, with the interpreter and paths of this machine cut to their last part."""
    interpreter, *rest = sys.orig_argv
    return MACHINE_PATH.sub(lambda path: Path(path[0]).name, shlex.join([Path(interpreter).name, *rest]))
