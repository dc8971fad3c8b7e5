"""A data set of movies of a distorted crystal lattice: what there is to store is the drift of every movie.

    stemjax simulate lattice --size cpu --out data/lattice-cpu

`stemjax.data.lattice` makes the frames.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from simulation.maker import SPLITS, Contents, Part, as_json, make, plan_of_size
from simulation.movies import drift_path
from simulation.truth import drift_rows
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

    name: ClassVar[str] = NAME
    what: ClassVar[str] = "parts"
    spread: ClassVar[bool] = False

    def recipe(self) -> dict:
        """Everything that decides what is in the files, as a JSON value."""
        recipe = {"name": NAME, "version": 1, "plan": asdict(self), "lattice": asdict(Lattice())}
        return as_json(recipe | {"sampling_angstrom": SAMPLING, "speed_angstrom": SPEED})

    def parts(self) -> tuple[str, ...]:
        """None: a drift is drawn in a moment."""
        return ()

    def make_part(self, name: str) -> tuple[np.ndarray, dict]:
        """Never called."""
        raise KeyError(name)

    def contents(self, parts: Mapping[str, Part]) -> Contents:
        """The movies, each with a seed of its own."""
        items, rows = [], []
        for index, split in enumerate(np.repeat(SPLITS, self.movies).tolist()):
            drift = drift_path(np.random.default_rng([self.seed, index]), self.frames, SPEED, memory=0.8)
            rows.append(drift_rows(index, *drift.T))
            name = f"lattice-{index:02d}"
            items.append({"id": name, "unit": name, "session": NAME, "split": split, "frames": self.frames})
        manifest = {
            "units": {"length": "Å", "intensity": "1 = brightest column"},
            "axes": {"x": "right", "y": "down"},
            "frame": {"pixels": self.pixels, "sampling_angstrom": SAMPLING, "channels": ["haadf"]},
        }
        return Contents(items, manifest, {"frames.npy": np.concatenate(rows)})


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
    return make(out, plan_of_size(NAME, PLANS, size))
