"""A data set of Pt/CeO2 exit waves, made on every core. A part is one structure under all its tilts.

stemjax simulate pt-ceo2 --size smoke --out data/pt-ceo2-smoke
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from simulation import structures as models
from simulation.contrast import DEFOCI, contrast_classes
from simulation.maker import SIZES, Contents, Part, as_json, make, package_versions
from simulation.microscope import Multislice, exit_waves, fast_length
from simulation.structures import Structure
from simulation.truth import structure_rows
from stemjax.data import datasets
from stemjax.physics.optics import Band, to_band

RECIPE_VERSION = 3  # raise it when structures, microscope or contrast change what they make
CELL = 50.1  # Å
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

    what: ClassVar[str] = "structures"
    spread: ClassVar[bool] = True

    @property
    def band(self) -> Band:
        return Band(self.cell, energy=self.multislice.energy)

    def recipe(self) -> dict:
        """Everything that decides what is in the files, as a JSON value."""
        table = [asdict(structure) | {"tilts_deg": tilts} for structure, tilts in self.tasks]
        recipe = {
            "name": self.name,
            "version": RECIPE_VERSION,
            "software": package_versions("abtem", "ase"),
            "multislice": asdict(self.multislice),
            "band": asdict(self.band),
            "defocus_angstrom": DEFOCI,
            "structures": table,
        } | models.platinum_recipe(structure for structure, _ in self.tasks)
        return as_json(recipe)

    def parts(self) -> list[str]:
        """The structures, the thickest first, so that all workers end together.

        Raises
        ------
        ValueError
            If one does not fit into the cell.
        """
        for structure, _ in self.tasks:
            models.columns(structure, self.cell)
        return [structure.name for structure, _ in sorted(self.tasks, key=lambda task: -task[0].thickness)]

    def make_part(self, name: str) -> tuple[np.ndarray, dict]:
        """Exit waves of one structure under all tilts, and their items, whose contrast only the waves tell."""
        structure, tilts = next(task for task in self.tasks if task[0].name == name)
        waves = exit_waves(models.build_atoms(structure, self.cell), tilts, self.multislice)
        band = self.band
        records = datasets.encode_waves(to_band(waves, band))
        stored = datasets.decode_waves(records)
        items = [
            _item(structure, tilt, row, self.cell, wave, band)
            for row, (tilt, wave) in enumerate(zip(tilts, stored, strict=True))
        ]
        return records, {"items": items}

    def contents(self, parts: Mapping[str, Part]) -> Contents:
        """The items of all parts, and the truth."""
        items, truth = [], []
        for structure, tilts in self.tasks:
            truth += [structure_rows(structure, tilt, self.cell, len(items) + row) for row, tilt in enumerate(tilts)]
            items += parts[structure.name].facts["items"]
        manifest = {
            "units": {"length": "Å", "angle": "mrad", "tilt": "deg", "energy": "eV", "intensity": "1 = incident"},
            "axes": {"x": "right", "y": "down", "wave": "coefficients in the order of Band.indices (ky, kx)"},
            "defocus_angstrom": list(DEFOCI),
            "band": asdict(self.band),
        }
        return Contents(items, manifest, {"truth.npy": np.concatenate(truth)})


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
    """The plan of a data set of structures named as the authors name them; see `structures.named_structure`.

    Examples
    --------
    >>> make("data/two-sites", plan_of_names(["PtNp2-S3_2-S5_2"]))  # doctest: +SKIP
    """
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


def _item(structure: Structure, tilt: tuple[int, int], row: int, cell: float, wave: np.ndarray, band: Band) -> dict:
    """The manifest's description of one exit wave."""
    truth = structure_rows(structure, tilt, cell)
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
