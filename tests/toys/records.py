"""Records of made-up scores, and the scores themselves."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stemjax import records
from stemjax.data.micrographs import Imaging
from stemjax.denoisers.gaussian import Gaussian


@dataclass(frozen=True)
class NamedData:
    name: str = "pt-ceo2"
    recipe_hash: str = "0123456789abcdef"


def some_scores(level: float = 30.0, units: int = 12, images: int = 2, seed: int = 0) -> list[dict]:
    rng = np.random.default_rng(seed)
    return [
        {
            "image": f"u{unit:02d}-{image}",
            "unit": f"u{unit:02d}",
            "psnr_db": level + rng.normal(),
            "ssim": rng.uniform(0.5, 0.9),
            "nrmse": rng.uniform(0.01, 0.1),
        }
        for unit in range(units)
        for image in range(images)
    ]


def levels(values: list[float], shift: float = 0.0) -> list[dict]:
    """One image per unit, with these PSNR."""
    return [
        {"image": f"i{n}", "unit": f"u{n}", "psnr_db": value + shift, "ssim": 0.5, "nrmse": 0.1}
        for n, value in enumerate(values)
    ]


def a_record(scores: list[dict], **changes) -> dict:
    facts = {
        "experiment": "sbd_table_5_1",
        "method": "Gaussian filter",
        "denoiser": Gaussian(sigma=8.0),
        "data_set": NamedData(),
        "imaging": Imaging(),
        "protocol": "sbd",
        "size": "cpu",
        "tuning": {"sigma": {"values": [4.0, 8.0], "validation_psnr_db": [28.0, 30.0], "chosen": 8.0}},
    }
    return records.new_record(**facts | changes, scores=scores)


def copy_of(folder: Path, target: Path) -> Path:
    for path in folder.rglob("*"):
        if path.is_file():
            (target / path.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
            (target / path.relative_to(folder)).write_bytes(path.read_bytes())
    return target
