"""A track of a tiny data set with two records, exported for the programs of other people."""

import json
from pathlib import Path

import numpy as np
import tifffile

from stemjax import records
from stemjax.apply.evaluate import ImageSet, denoise_all, image_set, scores
from stemjax.cli import main
from stemjax.data.micrographs import Imaging, Selection
from stemjax.denoisers.gaussian import Gaussian
from tests.toys.board import toy_definition
from tests.toys.micrographs import make_toy

IMAGING = Imaging(sampling=0.4, counts=1.8)
CARD = {
    "name": "My network",
    "authors": "A. Newcomer",
    "family": "network",
    "supervision": "self-supervised",
    "parameters": 1234,
    "code": "https://example.org/code",
    "licence": "MIT",
    "trained_on": "toy, train",
    "rules": "tuned",
    "settings": 3,
}


def make_place(root: Path) -> tuple[Path, ImageSet]:
    """A folder with a data set, its benchmark with the records of two rows, and an exported track; the images."""
    data = make_toy(root / "data" / "pt-ceo2-cpu")
    images = image_set(data, Selection(), "test", 2, IMAGING)
    for method, denoiser in {"Raw": None, "Gaussian filter": Gaussian(sigma=2.0)}.items():
        denoised = images.noisy if denoiser is None else denoise_all(denoiser, {}, images.noisy)
        found = scores(denoised, images, clamp=denoiser is not None)
        facts = {
            "experiment": "sbd_table_5_1",
            "method": method,
            "denoiser": denoiser,
            "protocol": "sbd",
            "size": "cpu",
        }
        record = records.new_record(**facts, data_set=data, imaging=IMAGING, scores=found)
        records.append(root / "results" / "records", record, found)
    sizes = {"cpu": {"data": {"pt-ceo2": data.recipe_hash}, "imaging": {}, "says": "toy"}}
    definition = toy_definition(sizes=sizes, methods=["Raw", "Gaussian filter"])
    (root / "results" / "benchmark.json").write_text(json.dumps(definition))
    assert leaderboard_verb(root, "export-track", "pt-ceo2", "--out", root / "out") == 0
    return root, images


def leaderboard_verb(root: Path, *arguments) -> int:
    common = ["--data", root / "data", "--results", root / "results"]
    return main(["leaderboard", *map(str, [*arguments, *common])])


def predictions(place, folder: Path, ending: str = ".tif", sigma: float = 2.0) -> Path:
    """What an outsider does: read files, filter, write files."""
    root, _ = place
    denoiser = Gaussian(sigma=sigma)
    for path in sorted((root / "out").rglob("*.tif")):
        noisy = tifffile.imread(path)
        denoised = np.asarray(denoise_all(denoiser, {}, noisy[None, ..., None]))[0, ..., 0]
        target = (folder / path.relative_to(root / "out")).with_suffix(ending)
        target.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(target, denoised) if ending == ".tif" else np.save(target, denoised)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
