"""A tiny data set of stills that needs no simulation: blobs, of two kinds."""

from pathlib import Path

import numpy as np

from stemjax.data import datasets

SIDE, COUNTS = 40, (1.0, 100.0)


def make_toy_stills(folder: Path) -> datasets.DataSet:
    """Write the data set, of 3 stills of each kind and split, and open it."""
    folder.mkdir(parents=True, exist_ok=True)
    generator, items, files = np.random.default_rng(0), [], {}
    y, x = np.mgrid[:SIDE, :SIDE]
    for kind in ("pt-ceo2", "crystal"):
        for split in ("train", "validation", "test"):
            name = f"{kind}-{split}.npy"
            centres = generator.uniform(5, SIDE - 5, (3, 2, 1, 1))
            stills = 0.5 + np.exp(-((y - centres[:, 0]) ** 2 + (x - centres[:, 1]) ** 2) / 18)
            stills /= stills.mean((1, 2), keepdims=True)
            files[name] = datasets.write_array(folder / name, stills.astype(np.float16))
            for index in range(3):
                item = {"id": f"{name[:-4]}-{index}", "unit": f"{kind}-{split}", "split": split, "kind": kind}
                dose = {} if split == "train" else {"counts": COUNTS[index % 2]}
                items.append(item | {"shard": name, "index": index} | dose)
    recipe = {"name": "atoms", "toy": 1}
    manifest = {
        "format": datasets.FORMAT,
        "format_version": datasets.FORMAT_VERSION,
        "name": "atoms",
        "recipe": recipe,
        "recipe_hash": datasets.recipe_hash(recipe),
        "frame": {"pixels": SIDE, "channels": ["image"]},
        "items": items,
        "files": files,
    }
    datasets.write_manifest(folder, manifest)
    return datasets.open_data_set(folder)
