"""A tiny data set of HRTEM movies that needs no simulation: phase objects that drift by whole pixels."""

from pathlib import Path

import numpy as np

from stemjax.data import datasets
from stemjax.physics.optics import Band, to_band

BAND, CELL_PIXELS, PIXELS, SAMPLING, WINDOW = Band(cell=12.0), 60, 32, 0.2, (12, 20)
SHIFTS = np.array([(0, 0), (2, -3), (5, 4), (-6, 1)])  # (y, x) of the frames, whole pixels


def make_toy_hrtem(folder: Path) -> datasets.DataSet:
    """Three movies of 4 frames and two states, a cluster of phase objects and one object fewer."""
    folder.mkdir(parents=True, exist_ok=True)
    place = np.arange(CELL_PIXELS) * SAMPLING
    frames, items, files = [], [], {}
    motion = ["item", "frame", "wave", "drift_y_angstrom", "drift_x_angstrom"]
    for item, split in enumerate(("train", "validation", "test")):
        rng = np.random.default_rng(item)
        bumps = [
            np.exp(-((place[:, None] - y) ** 2 + (place - x) ** 2) / 0.5) for y, x in rng.uniform(4, 9, size=(6, 2))
        ]
        waves = [np.exp(1j * sum(bumps)), np.exp(1j * sum(bumps[1:]))]
        name = f"toy-{item}"
        files[f"{name}.npy"] = datasets.write_array(
            folder / f"{name}.npy", datasets.encode_waves(to_band(np.stack(waves), BAND))
        )
        facts = {"id": name, "unit": name, "session": "toy", "split": split, "frames": len(SHIFTS)}
        items.append(facts | {"shard": f"{name}.npy", "defocus_angstrom": 60.0, "window": list(WINDOW)})
        frames += [(item, frame, frame // 3, *(SAMPLING * shift)) for frame, shift in enumerate(SHIFTS)]
    dtype = list(zip(motion, ["<i4"] * 3 + ["<f4"] * 2, strict=True))
    files["frames.npy"] = datasets.write_array(folder / "frames.npy", np.array(frames, dtype))
    files["truth.npy"] = datasets.write_array(folder / "truth.npy", np.zeros(0, datasets.TRUTH))
    datasets.write_manifest(
        folder,
        {
            "format": datasets.FORMAT,
            "format_version": datasets.FORMAT_VERSION,
            "name": "movies-pt",
            "recipe": {"toy": 2},
            "recipe_hash": datasets.recipe_hash({"toy": 2}),
            "frame": {"pixels": PIXELS, "sampling_angstrom": SAMPLING, "channels": ["image"]},
            "band": {"cell": BAND.cell},
            "items": items,
            "files": files,
        },
    )
    return datasets.open_data_set(folder)
