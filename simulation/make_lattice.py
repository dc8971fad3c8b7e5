"""Make a data set of movies of a distorted crystal lattice: what there is to store is the drift of every movie.

    python -m simulation.make_lattice --size cpu --out data/lattice-cpu

`stemjax.data.lattice` makes the frames.
"""

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from simulation.folder import locked, refuse_other_recipe, run_command
from simulation.make_haadf import FRAMES, SPLITS
from simulation.movies import drift_path
from stemjax.data import datasets
from stemjax.physics.gaussian_atoms import Lattice

NAME = "lattice"
SAMPLING = 0.25  # Å/px
SPEED = 0.4  # of the drift per frame, root mean square [Å]


@dataclass(frozen=True)
class Plan:
    """Side of a frame [px], frames of a movie, and movies for training, validation and test."""

    pixels: int
    frames: int
    movies: tuple[int, int, int]
    seed: int = 0


PLANS = {
    "smoke": Plan(64, 4, (2, 1, 2)),
    "cpu": Plan(256, 12, (6, 2, 10)),
    "gpu": Plan(1024, 50, (6, 2, 10)),
}


def make_lattice(out: str | Path, size: str = "smoke") -> datasets.DataSet:
    """Make the data set in the folder `out`.

    Parameters
    ----------
    size : str
        "smoke" (5 movies of 4 frames of 64²), "cpu" (18 of 12 frames of 256²) or "gpu" (18 of 50 frames of 1024²).

    Raises
    ------
    OSError
        If another process writes to the folder, or the disk is full.
    ValueError
        If the folder holds data of another recipe, or there is no such size.
    """
    if size not in PLANS:
        raise ValueError(f"no data set {NAME!r} of size {size!r}; sizes: {', '.join(PLANS)}")
    out, plan = Path(out), PLANS[size]
    recipe = {"name": NAME, "version": 1, "plan": asdict(plan), "lattice": asdict(Lattice())}
    recipe = json.loads(json.dumps(recipe | {"sampling_angstrom": SAMPLING, "speed_angstrom": SPEED}))
    identity = datasets.recipe_hash(recipe)
    items, rows = [], []
    for index, split in enumerate(np.repeat(SPLITS, plan.movies).tolist()):
        drift = drift_path(np.random.default_rng([plan.seed, index]), plan.frames, SPEED, memory=0.8)
        moved = np.zeros(plan.frames, FRAMES)
        moved["item"], moved["frame"] = index, np.arange(plan.frames)
        moved["drift_y_angstrom"], moved["drift_x_angstrom"] = drift.T
        rows.append(moved)
        name = f"lattice-{index:02d}"
        items.append({"id": name, "unit": name, "session": NAME, "split": split, "frames": plan.frames})
    with locked(out):
        refuse_other_recipe(out, identity)
        datasets.write_manifest(
            out,
            {
                "format": datasets.FORMAT,
                "format_version": datasets.FORMAT_VERSION,
                "name": NAME,
                "units": {"length": "Å", "intensity": "1 = brightest column"},
                "axes": {"x": "right", "y": "down"},
                "frame": {"pixels": plan.pixels, "sampling_angstrom": SAMPLING, "channels": ["haadf"]},
                "recipe": recipe,
                "recipe_hash": identity,
                "items": items,
                "splits": {s: sorted(item["unit"] for item in items if item["split"] == s) for s in SPLITS},
                "files": {"frames.npy": datasets.write_array(out / "frames.npy", np.concatenate(rows))},
            },
        )
    return datasets.open_data_set(out, identity)


def main(arguments: list[str] | None = None) -> int:
    """Command line of ``python -m simulation.make_lattice``; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m simulation.make_lattice", description=__doc__.split("\n")[0])
    parser.add_argument("--out", required=True, type=Path, help="folder of the data set")
    parser.add_argument("--size", choices=PLANS, default="smoke")
    chosen = parser.parse_args(arguments)
    return run_command(lambda: make_lattice(chosen.out, chosen.size), "movies")


if __name__ == "__main__":
    sys.exit(main())
