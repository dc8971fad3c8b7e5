"""Make a data set of HAADF movies of Pt atoms and clusters on carbon: what renders them, and where every column is.

    python -m simulation.make_haadf --size smoke --out data/haadf-pt-smoke

The library, the contrast of atoms and columns and the power spectra of the films, takes minutes of multislice and is
made in parts, each written with a marker as in `simulation.make`: a finished part is never made again. Movies are drawn
in a moment. `stemjax.data.haadf_pt` makes the frames.

The truth has a row for every column of platinum; ``surface`` marks the single atoms. `clusters.npy` has a row of the
same kind for every cluster: its centre, and in ``count`` all its atoms.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from simulation import clusters, haadf
from simulation.clusters import Frame, Motion
from simulation.folder import (
    locked,
    package_version,
    refuse_other_recipe,
    reporter,
    run_command,
    sound_marker,
    write_part,
)
from simulation.haadf import Haadf
from stemjax.data import datasets

NAME = "haadf-pt"
RECIPE_VERSION = 1  # raise it when haadf or clusters change what they make
SPLITS = ("train", "validation", "test")
SAMPLING = 0.3  # Å/px
MARGIN = 16  # px around the frame, where nothing is shown
BORDER = 3.0  # Å beyond the frame in which atoms still show
THICKNESS = {"film-20nm": 200.0, "film-50nm": 500.0}  # Å of carbon, by session
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

    def recipe(self) -> dict:
        """Everything that decides what is in the files, as a JSON value."""
        recipe = asdict(self) | {
            "name": NAME,
            "version": RECIPE_VERSION,
            "software": {package: package_version(package) for package in ("abtem", "ase")},
            "thickness_angstrom": THICKNESS,
            "carbon": [haadf.CARBON_DENSITY, haadf.CARBON_DISTANCE, haadf.IN_FILM, haadf.ROUGHNESS, haadf.ROUGH_LENGTH],
            "sampling_angstrom": SAMPLING,
            "blur_fwhm_angstrom": BLUR,
        }
        return json.loads(json.dumps(recipe))


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
    if size not in PLANS:
        raise ValueError(f"no data set {NAME!r} of size {size!r}; sizes: {', '.join(PLANS)}")
    out, plan = Path(out), PLANS[size]
    recipe = plan.recipe()
    identity = datasets.recipe_hash(recipe)
    with locked(out):
        refuse_other_recipe(out, identity)
        (out / "markers").mkdir(exist_ok=True)
        try:
            _make_parts(out, plan, identity, progress)
            _finish(out, plan, recipe, identity)
        except OSError as error:
            reason = error.strerror or "is the disk full?"  # NumPy gives no reason
            raise OSError(f"{out}: cannot write ({reason}); mend that and run again to continue") from error
    return datasets.open_data_set(out, identity)


# ---------------------------------------------------------------------------------------------------- the library
PARTS = ("part-columns", *(f"part-{session}" for session in THICKNESS))


def _make_parts(out: Path, plan: Plan, identity: str, progress: bool) -> None:
    """Simulate what is missing: profiles of columns; mean and power spectrum of each film."""
    todo = [name for name in PARTS if sound_marker(out, name) is None]
    done = len(PARTS) - len(todo)
    with reporter("parts of the library", done, len(PARTS), progress and bool(todo)) as report:
        for count, name in enumerate(todo, done + 1):
            if name == "part-columns":
                write_part(out, name, haadf.column_profiles(plan.haadf), identity)
            else:
                mean, power = haadf.film_spectrum(plan.haadf, THICKNESS[name.removeprefix("part-")])
                write_part(out, name, power, identity, mean=mean)
            report(count)


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


FRAMES = np.dtype([("item", "<i4"), ("frame", "<i4"), ("drift_y_angstrom", "<f4"), ("drift_x_angstrom", "<f4")])


def _frame_rows(index: int, drift: np.ndarray) -> np.ndarray:
    """Drift in every frame of a movie, `FRAMES`."""
    rows = np.zeros(len(drift), FRAMES)
    rows["item"], rows["frame"] = index, np.arange(len(rows))
    rows["drift_x_angstrom"], rows["drift_y_angstrom"] = drift.T
    return rows


def _truth_rows(index: int, frame: int, places, counts, surface, side: float) -> np.ndarray:
    """Columns or clusters that show in a frame (`stemjax.data.datasets.TRUTH`)."""
    shown = _inside(places, side, BORDER)
    rows = np.zeros(shown.sum(), datasets.TRUTH)
    rows["item"], rows["frame"], rows["species"] = index, frame, b"Pt"
    rows["count"], rows["surface"] = counts[shown], np.broadcast_to(surface, len(shown))[shown]
    rows["x_angstrom"], rows["y_angstrom"] = places[shown].T
    return rows


# ---------------------------------------------------------------------------------------------------- the folder
def _finish(out: Path, plan: Plan, recipe: dict, identity: str) -> None:
    """Write the library, the movies, and the manifest."""
    side = (plan.pixels - 1) * SAMPLING
    items, drifts, columns, whole = [], [], [], []
    for index, (item, frames, drift) in enumerate(_movies(plan)):
        items.append(item)
        drifts.append(_frame_rows(index, drift))
        for frame, seen in enumerate(frames):
            columns.append(_truth_rows(index, frame, seen.columns, seen.counts, seen.single, side))
            whole.append(_truth_rows(index, frame, seen.centres, seen.sizes, False, side))
    markers = {name: sound_marker(out, name) for name in PARTS}
    films = [f"part-{session}" for session in THICKNESS]
    arrays = {
        "background.npy": np.stack([np.load(out / f"{name}.npy") for name in films]),
        "contrast.npy": np.load(out / "part-columns.npy"),
        "frames.npy": np.concatenate(drifts),
        "truth.npy": np.concatenate(columns),
        "clusters.npy": np.concatenate(whole),
    }
    datasets.write_manifest(
        out,
        {
            "format": datasets.FORMAT,
            "format_version": datasets.FORMAT_VERSION,
            "name": NAME,
            "units": {"length": "Å", "angle": "mrad", "energy": "eV", "intensity": "1 = incident", "spectrum": "Å²"},
            "axes": {"x": "right", "y": "down"},
            "frame": {"pixels": plan.pixels, "sampling_angstrom": SAMPLING, "margin": MARGIN, "channels": ["haadf"]},
            "library": {
                "step_angstrom": plan.haadf.step,
                "frequency_step": haadf.FREQUENCY_STEP,
                "film_mean": [markers[name]["mean"] for name in films],
            },
            "recipe": recipe,
            "recipe_hash": identity,
            "items": items,
            "splits": {s: sorted(item["unit"] for item in items if item["split"] == s) for s in SPLITS},
            "files": {f"{name}.npy": marker["file"] for name, marker in markers.items()}
            | {name: datasets.write_array(out / name, array) for name, array in arrays.items()},
        },
    )


def main(arguments: list[str] | None = None) -> int:
    """Command line of ``python -m simulation.make_haadf``; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m simulation.make_haadf", description=__doc__.split("\n")[0])
    parser.add_argument("--out", required=True, type=Path, help="folder of the data set")
    parser.add_argument("--size", choices=PLANS, default="smoke")
    chosen = parser.parse_args(arguments)
    return run_command(lambda: make_haadf_pt(chosen.out, chosen.size), "movies")


if __name__ == "__main__":
    sys.exit(main())
