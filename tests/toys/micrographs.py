"""A tiny data set of exit waves that needs no simulation: phase gratings of atoms on a lattice, one per unit."""

from pathlib import Path

import numpy as np

from stemjax.data import datasets
from stemjax.physics.optics import Band, to_band

CELL = 25.0  # Å
UNITS = {"train": 4, "validation": 2, "test": 2}


def make_toy(folder: Path) -> datasets.DataSet:
    """Write the data set and open it."""
    folder.mkdir(parents=True, exist_ok=True)
    band, rng = Band(cell=CELL), np.random.default_rng(0)
    splits = [split for split, count in UNITS.items() for _ in range(count)]
    waves = np.stack([to_band(_phase_grating(rng), band) for _ in splits])
    items = [
        {
            "id": f"toy-{i}",
            "shard": "waves.npy",
            "index": i,
            "unit": f"toy-{i}",
            "split": split,
            "particle": "toy",
            "defect": "D0",
            "support": "none",
            "thickness_angstrom": 40,
            "tilt_deg": [0, 0],
            "particle_box_angstrom": [5.0, 5.0, 20.0, 20.0],
            "contrast": ["white"] * 3,
        }
        for i, split in enumerate(splits)
    ]
    recipe = {"toy": 1}
    manifest = {
        "format": datasets.FORMAT,
        "format_version": datasets.FORMAT_VERSION,
        "name": "pt-ceo2",
        "units": {},
        "axes": {},
        "recipe": recipe,
        "recipe_hash": datasets.recipe_hash(recipe),
        "band": {"cell": CELL, "semiangle_cutoff": 23.0, "energy": 300e3},
        "defocus_angstrom": [50, 60, 70],
        "items": items,
        "splits": {split: [item["unit"] for item in items if item["split"] == split] for split in UNITS},
        "files": {
            "waves.npy": datasets.write_array(folder / "waves.npy", datasets.encode_waves(waves)),
            "truth.npy": datasets.write_array(folder / "truth.npy", np.zeros(0, datasets.TRUTH)),
        },
    }
    datasets.write_manifest(folder, manifest)
    return datasets.open_data_set(folder)


def _phase_grating(rng: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[:128, :128] * CELL / 128
    angle, phase = rng.uniform(0, 2 * np.pi), np.zeros((128, 128))
    for i in range(-8, 9):
        for j in range(-8, 9):
            x0 = CELL / 2 + 2.6 * (i * np.cos(angle) - j * np.sin(angle))
            y0 = CELL / 2 + 2.6 * (i * np.sin(angle) + j * np.cos(angle))
            if 3 < x0 < CELL - 3 and 8 < y0 < CELL - 3:
                phase += 1.2 * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * 0.5**2))
    return np.exp(1j * phase)
