"""A data set of movies of Au adatoms on graphene: what renders them, and where the adatoms are in every frame.

    stemjax simulate au-graphene --size smoke --out data/au-graphene-smoke

The library, images of bare graphene and of one adatom at 9 sites under the aberrations of each session, takes minutes
of multislice and is made in 10 parts. Movies are drawn in a moment; `stemjax.physics.contrast_library` makes frames.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from simulation import graphene
from simulation.adatoms import Motion, Movie, simulate_movie
from simulation.graphene import Aberrations, Stem
from simulation.maker import SPLITS, Contents, Part, as_json, make, package_versions, plan_of_size
from simulation.truth import drift_rows
from stemjax.data import datasets

NAME = "au-graphene"
RECIPE_VERSION = 1  # raise it when graphene or adatoms change what they make
SAMPLING = 0.46  # Å/px
LEAST, MOST = 80, 200  # adatoms per field of view of 512 x 512 pixels


@dataclass(frozen=True)
class Session:
    """A day at the microscope: what all its movies share, and the rotations that they lie between."""

    aberrations: Aberrations
    blur_fwhm: float  # Å
    rotation_deg: tuple[float, float]


SESSIONS = {
    "a": Session(Aberrations(c10=-25.0, c30=0.5e4), blur_fwhm=0.7, rotation_deg=(0.0, 20.0)),
    "b": Session(Aberrations(c10=-40.0, c30=2.0e4), blur_fwhm=0.8, rotation_deg=(30.0, 50.0)),
}
COARSE = Stem(adf=(46.8, 130.0), cells=(5, 3), gpts=(24, 40), patch=36)  # a fifth of the work, the same images nearly


@dataclass(frozen=True)
class Plan:
    """What a data set consists of; `movies` gives the number per session and split, each of `frames` frames."""

    stem: Stem
    pixels: int
    frames: int
    movies: dict[str, tuple[int, int, int]]
    motion: Motion = Motion()
    seed: int = 0

    name: ClassVar[str] = NAME
    what: ClassVar[str] = "models of the library"
    spread: ClassVar[bool] = False

    def recipe(self) -> dict:
        """Everything that decides what is in the files, as a JSON value."""
        recipe = asdict(self) | {
            "name": NAME,
            "version": RECIPE_VERSION,
            "software": package_versions("abtem", "ase"),
            "sessions": {name: asdict(session) for name, session in SESSIONS.items()},
            "sampling_angstrom": SAMPLING,
            "adatoms_per_512_px": (LEAST, MOST),
        }
        return as_json(recipe)

    def parts(self) -> list[str]:
        """The models of the library."""
        return list(_models())

    def make_part(self, name: str) -> tuple[np.ndarray, dict]:
        """Images [L, ny, nx, 2] of one model under all aberrations."""
        matrix = graphene.scattering_matrix(_models()[name], self.stem)
        images = [graphene.stem_image(matrix, self.stem, session.aberrations) for session in SESSIONS.values()]
        return np.stack(images), {}

    def contents(self, parts: Mapping[str, Part]) -> Contents:
        """The library, from the images of all models, and the movies."""
        background, contrast = assemble_library({name: parts[name].array for name in self.parts()}, self.stem)
        movies = _movies(self)
        manifest = {
            "units": {"length": "Å", "angle": "mrad", "rotation": "deg", "energy": "eV", "intensity": "1 = incident"},
            "axes": {"x": "right", "y": "down", "rotation": "of the lattice, from x to y, about pixel (0, 0)"},
            "frame": {"pixels": self.pixels, "sampling_angstrom": SAMPLING, "channels": list(graphene.CHANNELS)},
            "library": {
                "cell_angstrom": list(graphene.CELL),
                "primitive_angstrom": graphene.PRIMITIVE.tolist(),
                "patch_angstrom": self.stem.patch * self.stem.patch_step,
                "sites": [list(site) for site in graphene.SITES],
            },
        }
        drift = [drift_rows(index, movie.drift[:, 1], movie.drift[:, 0]) for index, (_, movie) in enumerate(movies)]
        arrays = {
            "background.npy": background,
            "contrast.npy": contrast,
            "frames.npy": np.concatenate(drift),
            "truth.npy": np.concatenate([_truth_rows(index, movie, self) for index, (_, movie) in enumerate(movies)]),
        }
        return Contents([item for item, _ in movies], manifest, arrays)


PLANS = {
    "smoke": Plan(COARSE, pixels=128, frames=4, movies={"a": (2, 1, 2), "b": (1, 0, 2)}),
    "cpu": Plan(Stem(), pixels=128, frames=16, movies={"a": (10, 4, 10), "b": (10, 0, 10)}),
    "gpu": Plan(Stem(), pixels=512, frames=100, movies={"a": (5, 2, 5), "b": (5, 0, 5)}),
}


HELD_OUT = 20  # movies of the held-out set


def make_au_graphene(
    out: str | Path, size: str = "smoke", progress: bool = True, held_out_seed: int | None = None
) -> datasets.DataSet:
    """Make the data set in the folder `out`, or finish it; a finished one is checked and mended.

    Parameters
    ----------
    out : path
        Folder of this data set alone; made if missing.
    size : str
        "smoke" (8 movies of 4 frames of 128²), "cpu" (44 of 16 frames of 128²) or "gpu" (22 of 100 frames of 512²).
    progress : bool
        Report progress on stderr.
    held_out_seed : int, optional
        With a seed the movies are others, all of session a and all of split "test".

    Raises
    ------
    OSError
        If another process writes to the folder, or the disk is full.
    ValueError
        If the folder holds data of another recipe, or there is no such size.
    """
    plan = plan_of_size(NAME, PLANS, size)
    if held_out_seed is not None:
        plan = replace(plan, seed=held_out_seed, movies={"a": (0, 0, HELD_OUT), "b": (0, 0, 0)})
    return make(out, plan, progress=progress)


# ---------------------------------------------------------------------------------------------------- the library
def _models() -> dict[str, tuple]:
    """Name of each model of the library, and the adatoms (x, y) [Å] in its model."""
    sites = graphene.site_positions()
    return {"part-graphene": ()} | {f"part-au-{index}": (site,) for index, site in enumerate(sites)}


def assemble_library(images: dict[str, np.ndarray], stem: Stem) -> tuple[np.ndarray, np.ndarray]:
    """Background float32 [L, ny, nx, 2] and contrast float32 [L, 9, n, n, 2] from the images of all models."""
    bare, *golden = images.values()
    background = np.stack([graphene.unit_cell(image, stem) for image in bare])
    pairs = list(zip(golden, graphene.site_positions(), strict=True))
    contrast = [
        [graphene.contrast_patch(image[setting] - bare[setting], site, stem) for image, site in pairs]
        for setting in range(len(bare))
    ]
    return background, np.array(contrast, np.float32)


# ---------------------------------------------------------------------------------------------------- the movies
def _movies(plan: Plan) -> list[tuple[dict, Movie]]:
    """Every movie with the manifest's description of it; each has a seed of its own."""
    movies = []
    border = plan.stem.patch * plan.stem.patch_step / 2
    side = (plan.pixels - 1) * SAMPLING  # between the outermost pixel centres
    for setting, (name, session) in enumerate(SESSIONS.items()):
        splits = [split for split, count in zip(SPLITS, plan.movies[name], strict=True) for _ in range(count)]
        for number, split in enumerate(splits):
            generator = np.random.default_rng([plan.seed, setting, number])
            turned = round(generator.uniform(*session.rotation_deg), 3)
            adatoms = 0
            while not LEAST <= adatoms * (512 / plan.pixels) ** 2 <= MOST:  # chance may leave a small frame empty
                density = generator.uniform(LEAST, MOST) / (512 * SAMPLING) ** 2
                movie = simulate_movie(generator, plan.frames, side, border, density, turned, plan.motion)
                inside = ((movie.positions >= 0) & (movie.positions <= side)).all(axis=-1)
                adatoms = inside.sum() / plan.frames
            item = {
                "id": f"{name}-{number:02d}",
                "unit": f"{name}-{number:02d}",
                "session": name,
                "split": split,
                "frames": plan.frames,
                "setting": setting,
                "c10_angstrom": session.aberrations.c10,
                "c30_angstrom": session.aberrations.c30,
                "rotation_deg": turned,
                "blur_fwhm_angstrom": session.blur_fwhm,
                "adatoms": round(adatoms),
            }
            movies.append((item, movie))
    return movies


def _truth_rows(index: int, movie: Movie, plan: Plan) -> np.ndarray:
    """Adatoms that show in each frame (`stemjax.data.datasets.TRUTH`)."""
    border, side = plan.stem.patch * plan.stem.patch_step / 2, (plan.pixels - 1) * SAMPLING
    frame, adatom = np.nonzero(((movie.positions >= -border) & (movie.positions <= side + border)).all(axis=-1))
    rows = np.zeros(len(frame), datasets.TRUTH)
    rows["item"], rows["frame"], rows["species"], rows["count"], rows["surface"] = index, frame, b"Au", 1, True
    rows["x_angstrom"], rows["y_angstrom"] = movie.positions[frame, adatom].T
    return rows
