"""A data set of HAADF movies of Pt atoms and clusters on carbon: what renders them, and where every column is.

    stemjax simulate haadf-pt --size smoke --out data/haadf-pt-smoke

The library, the contrast of atoms and columns and the power spectra of the films, takes minutes of multislice and is
made in parts. Movies are drawn in a moment. `stemjax.data.haadf_pt` makes the frames.

The truth has a row for every column of platinum; ``surface`` marks the single atoms. `clusters.npy` has a row of the
same kind for every cluster: its centre, and in ``count`` all its atoms.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from simulation import clusters, haadf
from simulation.clusters import Frame, Motion
from simulation.haadf import Haadf
from simulation.maker import SPLITS, Contents, Part, as_json, make, package_versions, plan_of_size
from simulation.truth import drift_rows
from stemjax.data import datasets

NAME = "haadf-pt"
RECIPE_VERSION = 1  # raise it when haadf or clusters change what they make
SAMPLING = 0.3  # Å/px
MARGIN = 16  # px around the frame, where nothing is shown
BORDER = 3.0  # Å beyond the frame in which atoms still show
THICKNESS = {"film-20nm": 200.0, "film-50nm": 500.0}  # Å of carbon, by session
FILMS = {f"part-{session}": session for session in THICKNESS}
BLUR = (0.75, 0.95)  # full width at half maximum of the source, that of a movie being in between [Å]
COARSE = Haadf(detector=(60.0, 130.0), sampling=0.05, columns=8, phonons=2)  # seconds, the same images nearly


@dataclass(frozen=True)
class Plan:
    """What a data set consists of; `movies` gives the number per session and split, each of `frames` frames."""

    haadf: Haadf
    pixels: int
    frames: int
    movies: dict[str, tuple[int, int, int]]
    motion: Motion = Motion()
    seed: int = 0

    name: ClassVar[str] = NAME
    what: ClassVar[str] = "parts of the library"
    spread: ClassVar[bool] = False

    def recipe(self) -> dict:
        """Everything that decides what is in the files, as a JSON value."""
        recipe = asdict(self) | {
            "name": NAME,
            "version": RECIPE_VERSION,
            "software": package_versions("abtem", "ase"),
            "thickness_angstrom": THICKNESS,
            "carbon": [haadf.CARBON_DENSITY, haadf.CARBON_DISTANCE, haadf.IN_FILM, haadf.ROUGHNESS, haadf.ROUGH_LENGTH],
            "sampling_angstrom": SAMPLING,
            "blur_fwhm_angstrom": BLUR,
        }
        return as_json(recipe)

    def parts(self) -> list[str]:
        """The columns, and the film of each session."""
        return ["part-columns", *FILMS]

    def make_part(self, name: str) -> tuple[np.ndarray, dict]:
        """Profiles of columns; or the power spectrum of a film, with its mean."""
        if name == "part-columns":
            return haadf.column_profiles(self.haadf), {}
        mean, power = haadf.film_spectrum(self.haadf, THICKNESS[FILMS[name]])
        return power, {"mean": mean}

    def contents(self, parts: Mapping[str, Part]) -> Contents:
        """The library and the movies."""
        side = (self.pixels - 1) * SAMPLING
        items, drifts, columns, whole = [], [], [], []
        for index, (item, frames, drift) in enumerate(_movies(self)):
            items.append(item)
            drifts.append(drift_rows(index, drift[:, 1], drift[:, 0]))
            for frame, seen in enumerate(frames):
                columns.append(_truth_rows(index, frame, seen.columns, seen.counts, seen.single, side))
                whole.append(_truth_rows(index, frame, seen.centres, seen.sizes, False, side))
        manifest = {
            "units": {"length": "Å", "angle": "mrad", "energy": "eV", "intensity": "1 = incident", "spectrum": "Å²"},
            "axes": {"x": "right", "y": "down"},
            "frame": {"pixels": self.pixels, "sampling_angstrom": SAMPLING, "margin": MARGIN, "channels": ["haadf"]},
            "library": {
                "step_angstrom": self.haadf.step,
                "frequency_step": haadf.FREQUENCY_STEP,
                "film_mean": [parts[name].facts["mean"] for name in FILMS],
            },
        }
        arrays = {
            "background.npy": np.stack([parts[name].array for name in FILMS]),
            "contrast.npy": parts["part-columns"].array,
            "frames.npy": np.concatenate(drifts),
            "truth.npy": np.concatenate(columns),
            "clusters.npy": np.concatenate(whole),
        }
        return Contents(items, manifest, arrays)


PLANS = {
    "smoke": Plan(COARSE, 64, 4, {"film-20nm": (2, 1, 1), "film-50nm": (0, 0, 1)}, Motion(largest=40)),
    "cpu": Plan(Haadf(), pixels=128, frames=16, movies={"film-20nm": (8, 4, 10), "film-50nm": (8, 4, 10)}),
    "gpu": Plan(Haadf(), pixels=512, frames=100, movies={"film-20nm": (6, 2, 6), "film-50nm": (6, 2, 6)}),
    "gpu-1024": Plan(Haadf(), pixels=1024, frames=100, movies={"film-20nm": (2, 1, 2), "film-50nm": (2, 1, 2)}),
}


def make_haadf_pt(out: str | Path, size: str = "smoke", progress: bool = True) -> datasets.DataSet:
    """Make the data set in the folder `out`, or finish it; a finished one is checked and mended.

    Parameters
    ----------
    out : path
        Folder of this data set alone; made if missing.
    size : str
        "smoke" (5 movies of 4 frames of 64²), "cpu" (44 of 16 frames of 128²), "gpu" (28 of 100 frames of 512²) or
        "gpu-1024" (10 of 100 frames of 1024²).
    progress : bool
        Report progress on stderr.

    Raises
    ------
    OSError
        If another process writes to the folder, or the disk is full.
    ValueError
        If the folder holds data of another recipe, or there is no such size.
    """
    return make(out, plan_of_size(NAME, PLANS, size), progress=progress)


# ---------------------------------------------------------------------------------------------------- the movies
def _movies(plan: Plan) -> Iterator[tuple[dict, list[Frame], np.ndarray]]:
    """The manifest's description, the frames and the drift of every movie; each has a seed of its own."""
    side = (plan.pixels - 1) * SAMPLING  # between the outermost pixel centres
    for setting, (session, thickness) in enumerate(THICKNESS.items()):
        splits = [split for split, count in zip(SPLITS, plan.movies[session], strict=True) for _ in range(count)]
        for number, split in enumerate(splits):
            generator = np.random.default_rng([plan.seed, setting, number])
            single = whole = 0
            while single < 1 or whole < 1:  # chance may leave a small frame without either
                frames, drift = clusters.simulate_movie(generator, plan.frames, side, BORDER, plan.motion)
                single = np.mean([_inside(seen.columns[seen.single], side).sum() for seen in frames])
                whole = np.mean([_inside(seen.centres, side).sum() for seen in frames])
            item = {
                "id": f"{session}-{number:02d}",
                "unit": f"{session}-{number:02d}",
                "session": session,
                "split": split,
                "frames": plan.frames,
                "setting": setting,
                "thickness_nm": thickness / 10,
                "blur_fwhm_angstrom": round(generator.uniform(*BLUR), 3),
                "single_atoms": round(float(single), 1),
                "clusters": round(float(whole), 1),
            }
            yield item, frames, drift


def _inside(places: np.ndarray, side: float, border: float = 0.0) -> np.ndarray:
    return ((places >= -border) & (places <= side + border)).all(axis=-1)


def _truth_rows(index: int, frame: int, places, counts, surface, side: float) -> np.ndarray:
    """Columns or clusters that show in a frame (`stemjax.data.datasets.TRUTH`)."""
    inside = _inside(places, side, BORDER)
    rows = np.zeros(inside.sum(), datasets.TRUTH)
    rows["item"], rows["frame"], rows["species"] = index, frame, b"Pt"
    rows["count"], rows["surface"] = counts[inside], np.broadcast_to(surface, len(inside))[inside]
    rows["x_angstrom"], rows["y_angstrom"] = places[inside].T
    return rows
