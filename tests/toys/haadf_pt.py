"""A tiny data set of HAADF movies that needs no simulation: columns as Gaussians, or a film of grains."""

from pathlib import Path

import numpy as np

from stemjax.data import datasets

PIXELS, MARGIN, SAMPLING, MEAN, HEIGHT, SIGMA, BLUR = 40, 8, 0.3, 0.004, 0.05, 0.3, 0.8
MOTION = [("item", "<i4"), ("frame", "<i4"), ("drift_y_angstrom", "<f4"), ("drift_x_angstrom", "<f4")]
# Columns (y, x) [Å] and atoms in them, by frame; the last one lies outside.
COLUMNS = [((3.1, 4.47), 1), ((6.0, 8.83), 2), ((8.8, 5.0), 5), ((-1.0, 6.0), 1)]


def make_toy_haadf(folder: Path, columns=COLUMNS, power=0.0) -> datasets.DataSet:
    """Two movies of 3 frames: Gaussian atoms, two of which shine like 2.5, and a film of white grains up to 1 1/Å."""
    folder.mkdir(parents=True, exist_ok=True)
    truth = [
        (i, f, x, y, b"Pt", n, n == 1) for i in range(2) for f in range(3) for (y, x), n in columns[: len(columns) - f]
    ]
    radius = 0.1 * np.arange(40)
    profile = HEIGHT * np.exp(-(radius**2) / (2 * SIGMA**2))
    spectrum = np.where(np.arange(30) * 0.1 < 1.05, power, 0)
    arrays = {
        "contrast.npy": np.stack([profile, 2.5 * profile]).astype(np.float32),
        "background.npy": spectrum.astype(np.float32)[None],
        "frames.npy": np.array([(i, f, 0.6 * f, -0.9 * f) for i in range(2) for f in range(3)], MOTION),
        "truth.npy": np.array(truth, datasets.TRUTH),
    }
    item = {"session": "film-20nm", "frames": 3, "setting": 0, "blur_fwhm_angstrom": BLUR, "thickness_nm": 20.0}
    manifest = {
        "format": datasets.FORMAT,
        "format_version": datasets.FORMAT_VERSION,
        "name": "haadf-pt",
        "recipe": {"power": power},
        "recipe_hash": datasets.recipe_hash({"power": power}),
        "frame": {"pixels": PIXELS, "margin": MARGIN, "sampling_angstrom": SAMPLING, "channels": ["haadf"]},
        "library": {"step_angstrom": 0.1, "frequency_step": 0.1, "film_mean": [MEAN]},
        "items": [item | {"id": f"m{i}", "unit": f"m{i}", "split": ("train", "test")[i]} for i in range(2)],
        "files": {name: datasets.write_array(folder / name, array) for name, array in arrays.items()},
    }
    datasets.write_manifest(folder, manifest)
    return datasets.open_data_set(folder)
