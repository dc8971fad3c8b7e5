"""A data set of HRTEM movies with known truth: exit waves of every state, and where the sample is in every frame.

    stemjax simulate movies pt --size smoke --out data/movies-pt-smoke

======= =================================================== ============ ==========================
kind    what it shows                                       sampling     stands in for the movie of
======= =================================================== ============ ==========================
``pt``  Pt particles on CeO2, their surface changing        0.067 Å/px   Lee et al.: Pt
``au``  gold of 5 nm on amorphous carbon, changing as well  0.169 Å/px   Lee et al.: Au
``co``  Co particles on CeO2, changing as well              0.209 Å/px   Lee et al.: Co
``sbd`` PtNp2 on CeO2, aligned and still                    0.098 Å/px   Mohan et al., section 5.4
======= =================================================== ============ ==========================

Size gpu has the 0.0624 Å/px of the images of Mohan et al. for ``sbd``. A part is one movie: the exit waves of its
states. `stemjax.data.hrtem_movies` makes the frames, under any dose and detector.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from simulation.maker import SIZES, SPLITS, Contents, Part, as_json, make, package_versions
from simulation.microscope import Multislice, exit_waves, fast_length
from simulation.movies import Motion, Movie, corner_of, drift_path, erode, state_path, truth_rows, window_of
from simulation.particles import GoldOnCarbon, OnCeria
from simulation.structures import COBALT_PARTICLES, PARTICLES, Structure, platinum_recipe
from simulation.truth import FRAMES, drift_rows
from stemjax.data import datasets
from stemjax.physics.optics import Band, to_band

KINDS = ("pt", "au", "co", "sbd")
RECIPE_VERSION = 1  # raise it when particles or movies change what they make
SEED = 5
TILTS = {30: (3, 0), 40: (3, 0), 50: (0, 2), 60: (0, 2)}  # thickness [Å] -> deg: at this defocus columns are white
DEFOCUS = {"pt": (50.0, 100.0), "co": (50.0, 100.0), "au": (80.0, 130.0)}  # Å; at less, carbon hides the gold's edge
SBD_DEFOCUS = {"train": (50.0,), "validation": (70.0,), "test": (60.0, 80.0, 100.0)}  # Å
EDGE = 0.08  # part of the frame at its edges where no column comes or goes
WAVES = np.dtype([*FRAMES.descr[:2], ("wave", "<i4"), *FRAMES.descr[2:]])  # and of each frame, its row of the shard
CELLS = {  # kind -> size -> (side of the cell [Å], of so many pixels; pixels of the frame)
    "pt": {"smoke": (50.25, 750, 64), "cpu": (50.25, 750, 256), "gpu": (80.4, 1200, 1024)},
    "au": {"smoke": (27.04, 160, 64), "cpu": (60.84, 360, 256), "gpu": (97.344, 576, 512)},
    "co": {"smoke": (50.16, 240, 64), "cpu": (66.88, 320, 256), "gpu": (120.384, 576, 512)},
    "sbd": {"smoke": (50.1, 512, 64), "cpu": (50.1, 512, 256), "gpu": (50.1, 803, 512)},
}
GOLD = {"smoke": (14.0, 18.0), "cpu": (42.0, 46.0), "gpu": (42.0, 46.0)}  # Å between {111} faces: 5 nm across
MOVIES = {"pt": (2, 2, 10), "au": (1, 2, 10), "co": (1, 2, 10), "sbd": (0, 1, 3)}  # train, validation, test
WAVE = {"smoke": (256, 1.0), "cpu": (384, 1.0), "gpu": (512, 0.5)}  # pixels per 50 Å of the wave, and slices [Å]


@dataclass(frozen=True)
class Plan:
    """What a data set consists of.

    Parameters
    ----------
    kind : str
        "pt", "au", "co" or "sbd".
    cell : float
        Side of the square cell [Å].
    cell_pixels : int
        How many pixels of a frame make up the cell: they set the sampling.
    pixels, frames : int
        Of a movie; its frames are square.
    states : int
        Atomic configurations of a movie.
    movies : (train, validation, test)
        How many.
    multislice : Multislice
    motion : Motion
    gold : (smallest, largest)
        Distance between opposite {111} faces of the gold particles [Å].
    """

    kind: str
    cell: float
    cell_pixels: int
    pixels: int
    frames: int
    states: int
    movies: tuple[int, int, int]
    multislice: Multislice
    motion: Motion
    gold: tuple[float, float]
    seed: int = SEED

    what: ClassVar[str] = "movies"
    spread: ClassVar[bool] = True

    @property
    def name(self) -> str:
        return f"movies-{self.kind}"

    @property
    def sampling(self) -> float:
        """Å/px"""
        return self.cell / self.cell_pixels

    @property
    def band(self) -> Band:
        return Band(self.cell, energy=self.multislice.energy)

    @cached_property
    def scenes(self) -> dict[str, tuple[str, Movie]]:
        """Id of each movie, its split, and the movie; each has a seed of its own."""
        splits = [split for split, count in zip(SPLITS, self.movies, strict=True) for _ in range(count)]
        return {
            f"{self.kind}-{number:02d}": (split, self._movie(number, split, number - splits.index(split)))
            for number, split in enumerate(splits)
        }

    def _movie(self, number: int, split: str, place: int) -> Movie:
        generator = np.random.default_rng([self.seed, KINDS.index(self.kind), number])
        defocus = SBD_DEFOCUS[split][place] if self.kind == "sbd" else round(generator.uniform(*DEFOCUS[self.kind]), 1)
        model, tilt = self._model(number, generator)
        window = window_of(corner_of(model, tilt, self.cell), self.pixels, self.cell_pixels, self.sampling)
        box = [(np.array(window) + part * self.pixels) * self.sampling for part in (EDGE, 1 - EDGE)]
        states = erode(model, self.states, tilt, self.cell, box, generator)
        path = state_path(generator, self.frames, self.states, self.motion.change)
        drift = drift_path(generator, self.frames, self.motion.speed * self.sampling, self.motion.memory)
        return Movie(states, tilt, defocus, window, path, drift)

    def _model(self, number: int, generator: np.random.Generator) -> tuple[OnCeria | GoldOnCarbon, tuple]:
        """The model of a movie and its tilt (about x, about y) [deg]."""
        if self.kind == "au":
            size, turn = round(generator.uniform(*self.gold), 2), round(generator.uniform(0, 180), 2)
            return GoldOnCarbon(size, turn=turn, seed=number), (0, 0)
        if self.kind == "sbd":
            return OnCeria(Structure("PtNp2", "D0", "faceted", 40)), TILTS[40]
        names = list(PARTICLES if self.kind == "pt" else COBALT_PARTICLES)
        # Every particle with every thickness: 16 structures, no two of them alike.
        thickness = list(TILTS)[(number + number // len(names)) % len(TILTS)]
        return OnCeria(Structure(names[number % len(names)], "D0", "faceted", thickness)), TILTS[thickness]

    def recipe(self) -> dict:
        """Everything that decides what is in the files, as a JSON value."""
        recipe = asdict(self) | {
            "name": self.name,
            "version": RECIPE_VERSION,
            "software": package_versions("abtem", "ase"),
            "band": asdict(self.band),
            "scenes": {
                name: {
                    "split": split,
                    "states": [asdict(state) for state in movie.states],
                    "tilt_deg": movie.tilt,
                    "defocus_angstrom": movie.defocus,
                    "window": movie.window,
                }
                for name, (split, movie) in self.scenes.items()
            },
        }
        models = [movie.states[0] for _, movie in self.scenes.values()]
        recipe |= platinum_recipe(model.structure for model in models if isinstance(model, OnCeria))
        return as_json(recipe)

    def parts(self) -> list[str]:
        """Every movie."""
        return list(self.scenes)

    def make_part(self, name: str) -> tuple[np.ndarray, dict]:
        """Exit waves of the states of one movie."""
        _, movie = self.scenes[name]
        waves = [exit_waves(state.atoms(self.cell), [movie.tilt], self.multislice)[0] for state in movie.states]
        return datasets.encode_waves(to_band(np.stack(waves), self.band)), {}

    def contents(self, parts: Mapping[str, Part]) -> Contents:
        """Items, motion and truth of the movies."""
        movies = [movie for _, movie in self.scenes.values()]
        truth = [truth_rows(movie, n, self.cell, self.pixels, self.sampling) for n, movie in enumerate(movies)]
        manifest = {
            "units": {"length": "Å", "angle": "mrad", "tilt": "deg", "energy": "eV", "intensity": "1 = incident"},
            "axes": {"x": "right", "y": "down", "window": "(y, x) of the frame's first pixel in the cell, in pixels"},
            "frame": {"pixels": self.pixels, "sampling_angstrom": round(self.sampling, 12), "channels": ["image"]},
            "band": asdict(self.band),
        }
        arrays = {
            "frames.npy": np.concatenate([_frame_rows(n, movie) for n, movie in enumerate(movies)]),
            "truth.npy": np.concatenate(truth),
        }
        items = [_item(self, name, split, movie) for name, (split, movie) in self.scenes.items()]
        return Contents(items, manifest, arrays)


def plan(kind: str, size: str) -> Plan:
    """The plan of a data set by kind and size.

    Size cpu has smaller cells than gpu and coarser waves: slices of 1 Å, pixels of 0.13 Å.
    """
    if kind not in KINDS or size not in SIZES:
        raise ValueError(f"no movies {kind!r} of size {size!r}; kinds: {', '.join(KINDS)}; sizes: {', '.join(SIZES)}")
    cell, cell_pixels, pixels = CELLS[kind][size]
    smoke, still = size == "smoke", kind == "sbd"
    # The networks of the `sbd` benchmark learn from fine waves, and this is only one.
    wave, slices = WAVE["gpu" if still and not smoke else size]
    return Plan(
        kind,
        cell,
        cell_pixels,
        pixels,
        frames=6 if smoke else 40 if still else 20,
        states=1 if still else 2 if smoke else 4,
        movies=(1, 1, 1) if smoke else (2, 2, 10) if size == "gpu" and not still else MOVIES[kind],
        multislice=Multislice(pixels=fast_length(wave * cell / 50.1), slice_thickness=slices),
        motion=Motion(speed=0.0) if still else Motion(),
        gold=GOLD[size],
    )


def make_hrtem_movies(
    out: str | Path, kind: str, size: str = "smoke", workers: int | None = None, progress: bool = True
) -> datasets.DataSet:
    """Make a data set of movies in the folder `out`, or finish it; a finished one is checked and mended.

    Parameters
    ----------
    out : path
        Folder of this data set alone; made if missing.
    kind : str
        "pt", "au", "co" or "sbd".
    size : str
        "smoke" (3 movies of 6 frames of 64²), "cpu" (256²) or "gpu" (512² and 1024²).
    workers : int, optional
        Processes of one thread each; default: one per core.
    progress : bool
        Report progress on stderr.

    Raises
    ------
    OSError
        If another process writes to the folder, the disk is full, or a worker dies.
    ValueError
        If the folder holds data of another recipe, or there is no such kind or size.
    """
    return make(out, plan(kind, size), workers, progress)


def _item(work: Plan, name: str, split: str, movie: Movie) -> dict:
    """The manifest's description of a movie."""
    facts = {
        "id": name,
        "unit": name,
        "session": work.kind,
        "split": split,
        "frames": work.frames,
        "shard": f"{name}.npy",
        "states": len(movie.states),
        "defocus_angstrom": movie.defocus,
        "tilt_deg": list(movie.tilt),
        "window": list(movie.window),
    }
    return facts | movie.states[0].facts()


def _frame_rows(index: int, movie: Movie) -> np.ndarray:
    """State and drift of every frame of a movie, `WAVES`."""
    rows = drift_rows(index, *movie.drift.T, WAVES)
    rows["wave"] = movie.path
    return rows
