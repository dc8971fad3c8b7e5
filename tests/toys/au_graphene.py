"""A tiny data set of movies that needs no simulation: a library of Gaussians, whose rendering has a closed form."""

from pathlib import Path

import numpy as np

from stemjax.data import datasets
from stemjax.physics import contrast_library

CELL = (2.46 * 3**0.5, 2.46)  # (y, x), Å
SITES = np.array([(i / 3, j / 3) for i in range(3) for j in range(3)])
PIXELS, SAMPLING, FRAMES = 40, 0.46, 6
PATCH, SIZE = 10.2, 34  # Å, px: steps of 0.3 Å
# An adatom: Gaussians (channel, y, x, height, standard deviation [Å]), without any symmetry that could hide a mistake.
SPOTS = ((0, 0.0, 0.0, 0.1, 0.5), (0, 0.8, 0.3, 0.03, 0.5), (1, 0.0, 0.0, -0.15, 0.7), (1, -0.4, 1.0, 0.05, 0.5))
# The background: waves (channel, cycles per cell in y and in x, height, phase) about the means; their cycles add up to
# even numbers, since the orthogonal cell holds two primitive ones.
MEANS = (0.004, 0.35)
WAVES = ((0, 1, 1, 0.002, 0.3), (0, 2, -2, 0.001, 1.0), (1, 1, -1, 0.02, 0.0), (1, 4, 2, 0.01, 2.0))
FWHM = 2 * np.sqrt(2 * np.log(2))


def heights(site: np.ndarray) -> np.ndarray:
    """Relative brightness of an adatom at sites 0 to 8."""
    return 1 + 0.1 * np.asarray(site)


def closed_form(y: np.ndarray, x: np.ndarray, blur_fwhm: float = 0.0) -> np.ndarray:
    """The contrast of an adatom of height 1 at positions relative to it in the lattice [Å]: [..., 2]."""
    image, variance = np.zeros((*np.broadcast_shapes(y.shape, x.shape), 2)), (blur_fwhm / FWHM) ** 2
    for channel, y0, x0, height, sigma in SPOTS:
        wide = sigma**2 + variance
        image[..., channel] += height * sigma**2 / wide * np.exp(-((y - y0) ** 2 + (x - x0) ** 2) / (2 * wide))
    return image


def closed_form_background(y: np.ndarray, x: np.ndarray, blur_fwhm: float = 0.0) -> np.ndarray:
    """The background at positions in the lattice [Å]: [..., 2]."""
    image = np.zeros((*np.broadcast_shapes(y.shape, x.shape), 2)) + MEANS
    for channel, ky, kx, height, phase in WAVES:
        g2 = (ky / CELL[0]) ** 2 + (kx / CELL[1]) ** 2
        damping = np.exp(-2 * np.pi**2 * (blur_fwhm / FWHM) ** 2 * g2)
        image[..., channel] += height * damping * np.cos(2 * np.pi * (ky * y / CELL[0] + kx * x / CELL[1]) + phase)
    return image


def library_images() -> tuple[np.ndarray, np.ndarray]:
    """Background [ny, nx, 2] and contrast [9, n, n, 2]."""
    y, x = (side * np.arange(n) / n for side, n in zip(CELL, (14, 8), strict=True))
    place = (np.arange(SIZE) - SIZE // 2) * PATCH / SIZE
    contrast = heights(np.arange(9))[:, None, None, None] * closed_form(place[:, None], place)
    return closed_form_background(y[:, None], x).astype(np.float32), contrast.astype(np.float32)


def make_library() -> contrast_library.Library:
    background, contrast = library_images()
    return contrast_library.Library(background, contrast, SITES.astype(np.float32), CELL, PATCH)


MOVIES = (
    *[{"id": f"a-{i}", "session": "a", "split": split} for i, split in enumerate(("train",) * 3 + ("validation",))],
    *[{"id": f"{session}-test", "session": session, "split": "test"} for session in "ab"],
)


def make_movies(folder: Path) -> datasets.DataSet:
    """Write the data set and open it."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, items, truth, frames = np.random.default_rng(0), [], [], []
    for index, movie in enumerate(MOVIES):
        setting, count, rotation = "ab".index(movie["session"]), 3 + index % 3, float(rng.uniform(0, 60))
        conditions = {"rotation_deg": rotation, "blur_fwhm_angstrom": (0.6, 0.8)[setting], "setting": setting}
        aberrations = {"c10_angstrom": -40.0, "c30_angstrom": 0.0}
        items.append(movie | conditions | aberrations | {"unit": movie["id"], "frames": FRAMES, "adatoms": count})
        drift = np.zeros(2)
        for frame in range(FRAMES):
            frames.append((index, frame, *drift))
            # One adatom leaves now and then, so that frames differ in their number.
            for y, x in rng.uniform(-2, PIXELS * SAMPLING + 2, (count - frame % 2, 2)):
                truth.append((index, frame, x, y, b"Au", 1, True))
            drift = drift + rng.normal(size=2) * 0.15
    background, contrast = library_images()
    motion = [("item", "<i4"), ("frame", "<i4"), ("drift_y_angstrom", "<f4"), ("drift_x_angstrom", "<f4")]
    arrays = {
        "background.npy": np.stack([background, 0.9 * background]),
        "contrast.npy": np.stack([contrast, 0.8 * contrast]),
        "frames.npy": np.array(frames, motion),
        "truth.npy": np.array(truth, datasets.TRUTH),
    }
    recipe = {"toy movies": 1}
    manifest = {
        "format": datasets.FORMAT,
        "format_version": datasets.FORMAT_VERSION,
        "name": "au-graphene",
        "recipe": recipe,
        "recipe_hash": datasets.recipe_hash(recipe),
        "frame": {"pixels": PIXELS, "sampling_angstrom": SAMPLING, "channels": ["adf", "bf"]},
        "library": {"cell_angstrom": list(CELL[::-1]), "patch_angstrom": PATCH, "sites": SITES.tolist()},
        "items": items,
        "files": {name: datasets.write_array(folder / name, array) for name, array in arrays.items()},
    }
    datasets.write_manifest(folder, manifest)
    return datasets.open_data_set(folder)
