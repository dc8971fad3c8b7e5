"""Make a data set of Pt/CeO2 exit waves, on every core, in a way that a kill cannot spoil.

    python -m simulation.make pt-ceo2 --size smoke --out data/smoke

One task is one structure under all its tilts. A task writes its shard `NAME.npy`, then its marker `markers/NAME.json`
(digest of the shard, items with their conditions). What has a sound marker is never made again; the truth table and the
manifest are assembled from the markers at the end, so an interrupted and resumed run ends with the same manifest.
"""

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from simulation import structures as models
from simulation.contrast import DEFOCI, contrast_classes
from simulation.folder import locked, package_version, refuse_other_recipe, run_command, sound_marker, write_part
from simulation.microscope import Multislice, exit_waves
from simulation.structures import Column, Structure
from simulation.workers import run_tasks
from stemjax.data import datasets
from stemjax.physics.optics import Band, to_band

RECIPE_VERSION = 3  # raise it when structures, microscope or contrast change what they make
CELL = 50.1  # Å
SIZES = ("smoke", "cpu", "gpu")
SPLITS = ("train", "validation", "test")
NAMES = ("pt-ceo2", "pt-ceo2-surface")

ALL_TILTS = ((0, 0), *((t, 0) for t in range(1, 5)), *((0, t) for t in range(1, 5)))  # deg about (x, y)
CPU_TILTS = ((0, 0), (3, 0), (0, 2))
SURFACE_TILTS = ((3, -1),)
SMOKE_TILTS = {30: (3, 0), 40: (3, 0), 50: (0, 2), 60: (0, 2)}  # white contrast at 50 to 100 Å of defocus
SMOKE = (
    *("PtNp1-D0-faceted-40", "PtNp2-Dh-faceted-50", "PtNp2-D2-faceted-30", "PtNp3-D2-faceted-60"),  # train
    *("PtNp4-D0-faceted-40", "PtNp4-D0-defected-50"),  # train
    *("PtNp2-D0-defected-50", "PtNp3-D1-faceted-40"),  # validation
    *("PtNp2-D1-faceted-40", "PtNp4-D2-faceted-50"),  # test
)


@dataclass(frozen=True)
class Plan:
    """What a data set consists of: a structure, each with its tilts (about x, about y) [deg], in a square cell [Å]."""

    name: str
    cell: float
    multislice: Multislice
    tasks: tuple[tuple[Structure, tuple[tuple[int, int], ...]], ...]

    @property
    def band(self) -> Band:
        return Band(self.cell, energy=self.multislice.energy)

    def recipe(self) -> dict:
        """Everything that decides what is in the files, as a JSON value."""
        table = [asdict(structure) | {"tilts_deg": tilts} for structure, tilts in self.tasks]
        recipe = {
            "name": self.name,
            "version": RECIPE_VERSION,
            "software": {package: package_version(package) for package in ("abtem", "ase")},
            "multislice": asdict(self.multislice),
            "band": asdict(self.band),
            "defocus_angstrom": DEFOCI,
            "structures": table,
        } | models.platinum_recipe(structure for structure, _ in self.tasks)
        return json.loads(json.dumps(recipe))  # tuples become lists, as after a reading


def plan(name: str, size: str, cell: float = CELL) -> Plan:
    """The plan of a data set by name and size; larger cells keep the sampling.

    gpu is the whole grid of 855 waves; the waves of cpu are some of them; smoke is coarser and takes seconds.
    """
    if name not in NAMES or size not in SIZES:
        raise ValueError(f"no data set {name!r} of size {size!r}; names: {', '.join(NAMES)}; sizes: {', '.join(SIZES)}")
    finest = Multislice(pixels=fast_length(512 * cell / CELL))
    coarse = Multislice(pixels=fast_length(256 * cell / CELL), slice_thickness=1.0)
    if name == "pt-ceo2-surface":
        chosen = models.pt_ceo2_surface_structures()[:: 11 if size == "smoke" else 1]
        tasks = [(structure, SURFACE_TILTS) for structure in chosen]
    elif size == "smoke":
        chosen = [structure for structure in models.pt_ceo2_structures() if structure.name in SMOKE]
        tasks = [(structure, (SMOKE_TILTS[structure.thickness],)) for structure in chosen]
    else:
        tasks = [(structure, ALL_TILTS if size == "gpu" else CPU_TILTS) for structure in models.pt_ceo2_structures()]
    return Plan(name, cell, coarse if size == "smoke" else finest, tuple(tasks))


def plan_of_names(
    names: Sequence[str], thickness: int = 40, tilts: Sequence[tuple[int, int]] = SURFACE_TILTS, cell: float = CELL
) -> Plan:
    """The plan of a data set of structures named as the authors name them; see `structures.named_structure`."""
    if len(set(names)) != len(names) or not names:
        raise ValueError(f"name each structure once, and one at least: got {', '.join(names) or 'none'}")
    tasks = tuple((models.named_structure(name, thickness), tuple(map(tuple, tilts))) for name in names)
    return Plan("pt-ceo2-structures", cell, Multislice(pixels=fast_length(512 * cell / CELL)), tasks)


def make_pt_ceo2(
    out: str | Path,
    size: str = "smoke",
    workers: int | None = None,
    cell: float = CELL,
    progress: bool = True,
    name: str = "pt-ceo2",
) -> datasets.DataSet:
    """Make the Pt/CeO2 data set in the folder `out`, or finish it; a finished one is checked and mended.

    Parameters
    ----------
    out : path
        Folder of this data set alone; made if missing.
    size : str
        "smoke" (10 waves, seconds), "cpu" (285 waves, minutes) or "gpu" (855 waves, the whole grid).
    workers : int, optional
        Processes of one thread each; default: one per core.
    cell : float
        Side of the square cell [Å].
    progress : bool
        Report progress on stderr.
    name : str
        "pt-ceo2", or "pt-ceo2-surface" for the 44 structures with atoms removed from or added to the surface.

    Raises
    ------
    OSError
        If another process writes to the folder, the disk is full, or a worker dies.
    ValueError
        If the folder holds data of another recipe, or name, size or cell are impossible.
    """
    return make(out, plan(name, size, cell), workers, progress)


def make(out: str | Path, work: Plan, workers: int | None = None, progress: bool = True) -> datasets.DataSet:
    """Make the data set of a plan in the folder `out`, or finish it; as `make_pt_ceo2`.

    Examples
    --------
    >>> make("data/two-sites", plan_of_names(["PtNp2-S3_2-S5_2"]))  # doctest: +SKIP
    """
    out = Path(out)
    recipe = work.recipe()
    identity = datasets.recipe_hash(recipe)
    for structure, _ in work.tasks:
        models.columns(structure, work.cell)  # an impossible cell is refused before anything is written
    with locked(out):
        refuse_other_recipe(out, identity)
        (out / "markers").mkdir(exist_ok=True)
        todo = [task for task in work.tasks if sound_marker(out, task[0].name) is None]
        todo.sort(key=lambda task: -task[0].thickness)  # the longest first, so that all workers end together
        common = work.cell, work.band, work.multislice, identity
        run_tasks(
            _make_shard, [(out, task, *common) for task in todo], out, "structures", len(work.tasks), workers, progress
        )
        _finish(out, work, recipe, identity)
    return datasets.open_data_set(out, identity)


# ---------------------------------------------------------------------------------------------------- one task
def _make_shard(out: Path, task, cell: float, band: Band, multislice: Multislice, identity: str) -> str:
    """Simulate one structure under its tilts; write its shard and then its marker."""
    structure, tilts = task
    waves = exit_waves(models.build_atoms(structure, cell), tilts, multislice)
    records = datasets.encode_waves(to_band(waves, band))
    stored = datasets.decode_waves(records)
    items = [
        _item(structure, tilt, row, cell, wave, band)
        for row, (tilt, wave) in enumerate(zip(tilts, stored, strict=True))
    ]
    write_part(out, structure.name, records, identity, items=items)
    return structure.name


def _item(structure: Structure, tilt: tuple[int, int], row: int, cell: float, wave: np.ndarray, band: Band) -> dict:
    """The manifest's description of one exit wave."""
    truth = truth_rows(structure, tilt, cell)
    platinum = truth[truth["species"] == b"Pt"]
    x, y = platinum["x_angstrom"], platinum["y_angstrom"]
    return {
        "id": f"{structure.name}-tilt{tilt[0]:+d}{tilt[1]:+d}",
        "shard": f"{structure.name}.npy",
        "index": row,
        "unit": structure.unit,
        "split": structure.split,
        "particle": structure.particle,
        "defect": structure.defect,
        "support": structure.support,
        "thickness_angstrom": structure.thickness,
        "tilt_deg": list(tilt),
        "particle_box_angstrom": [round(float(edge), 3) for edge in (x.min(), y.min(), x.max(), y.max())],
        "contrast": contrast_classes(wave, truth, band),
    }


def truth_rows(structure: Structure, tilt: tuple[float, float], cell: float, item: int = 0) -> np.ndarray:
    """Projected columns of a structure at their positions in the image (`stemjax.data.datasets.TRUTH`)."""
    return column_rows(models.columns(structure, cell), models.depth(structure), tilt, cell, item)


def column_rows(
    columns: list[Column], depth: float, tilt: tuple[float, float], cell: float, item: int = 0
) -> np.ndarray:
    """Projected columns of a model of a depth [Å] at their positions in the image (`stemjax.data.datasets.TRUTH`).

    The image shows the exit face. Under a tilt a column whose mean height is z appears displaced by (depth - z)
    tan(tilt), (depth / 2) tan(tilt) if it is centred: down for a tilt about x, to the right for one about y.
    What leaves the cell on one side comes in on the other, as in the image.
    """
    down, right = (math.tan(math.radians(angle)) for angle in tilt)
    rows = np.zeros(len(columns), datasets.TRUTH)
    below = depth - np.array([np.mean(column.heights) for column in columns])
    rows["item"] = item
    rows["x_angstrom"] = (np.array([column.x for column in columns]) + below * right) % cell
    rows["y_angstrom"] = (np.array([column.y for column in columns]) + below * down) % cell
    rows["species"] = [column.species for column in columns]
    rows["count"] = [len(column.heights) for column in columns]
    rows["surface"] = [column.surface for column in columns]
    return rows


# ---------------------------------------------------------------------------------------------------- the folder
def _finish(out: Path, work: Plan, recipe: dict, identity: str) -> None:
    """Write the truth table and the manifest from the markers."""
    items, files, truth = [], {}, []
    for structure, tilts in work.tasks:
        marker = sound_marker(out, structure.name)
        files[f"{structure.name}.npy"] = marker["file"]
        truth += [truth_rows(structure, tilt, work.cell, len(items) + row) for row, tilt in enumerate(tilts)]
        items += marker["items"]
    files["truth.npy"] = datasets.write_array(out / "truth.npy", np.concatenate(truth))
    splits = {split: sorted({item["unit"] for item in items if item["split"] == split}) for split in SPLITS}
    datasets.write_manifest(
        out,
        {
            "format": datasets.FORMAT,
            "format_version": datasets.FORMAT_VERSION,
            "name": work.name,
            "units": {"length": "Å", "angle": "mrad", "tilt": "deg", "energy": "eV", "intensity": "1 = incident"},
            "axes": {"x": "right", "y": "down", "wave": "coefficients in the order of Band.indices (ky, kx)"},
            "defocus_angstrom": list(DEFOCI),
            "recipe": recipe,
            "recipe_hash": identity,
            "band": asdict(work.band),
            "items": items,
            "splits": splits,
            "files": files,
        },
    )


def fast_length(pixels: float) -> int:
    """The next even number of pixels whose only prime factors are 2, 3 and 5, for a fast Fourier transform."""
    from scipy.fft import next_fast_len

    return 2 * next_fast_len(math.ceil(round(pixels, 6) / 2), real=True)


def main(arguments: list[str] | None = None) -> int:
    """Command line of ``python -m simulation.make``; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m simulation.make", description=__doc__.split("\n")[0])
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--out", required=True, type=Path, help="folder of the data set")
    parser.add_argument("--size", choices=SIZES, default="smoke")
    parser.add_argument("--workers", type=int, help="processes (default: one per core)")
    parser.add_argument("--cell", type=float, default=CELL, help="side of the cell in Å")
    chosen = parser.parse_args(arguments)
    options = chosen.out, chosen.size, chosen.workers, chosen.cell
    return run_command(lambda: make_pt_ceo2(*options, name=chosen.name), "exit waves")


if __name__ == "__main__":
    sys.exit(main())
