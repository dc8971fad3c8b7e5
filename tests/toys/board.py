"""A leaderboard of one track: its definition, and the records of three rows."""

import json
from pathlib import Path

from stemjax import records
from stemjax.denoisers.supervised import Supervised
from stemjax.networks import UNet
from tests.toys.records import NamedData, a_record, some_scores

ROOT = Path(__file__).resolve().parents[2]

RECIPE = NamedData().recipe_hash


def toy_definition(**changes) -> dict:
    """The project's definition with one track, of the toy records."""
    plain = json.loads((ROOT / "results" / "benchmark.json").read_text("utf-8"))
    track = next(track for track in plain["tracks"] if track["id"] == "pt-ceo2")
    track["sizes"] = {
        "cpu": {"data": {"pt-ceo2": RECIPE}, "imaging": {"counts": 0.45}, "says": "toy"},
        "gpu": {"data": {"pt-ceo2": None}, "imaging": {}, "says": "toy"},
    }
    track["methods"] = ["Raw", "Gaussian filter", "SBD + UNet", "VST + BM3D"]
    return plain | {"tracks": [track | changes]}


def make_results(folder: Path, units: int = 12, network_db: float = 32.0, **changes) -> Path:
    """Records of the noisy images, a filter and a network of three seeds, with their definition."""
    rows = {"Raw": (3.5, {"denoiser": None, "tuning": None}), "Gaussian filter": (30.0, {})}
    for method, (level, facts) in rows.items():
        scores = some_scores(level, units)
        records.append(folder / "records", a_record(scores, method=method, **facts), scores)
    network = Supervised(UNet(scales=2, width=4))
    for seed in range(3):
        scores = some_scores(network_db + 0.1 * seed, units, seed=seed)
        facts = {"method": "SBD + UNet", "denoiser": network, "tuning": None, "parameters": 1234, "seed": seed}
        records.append(folder / "records", a_record(scores, **facts), scores)
    (folder / "benchmark.json").write_text(json.dumps(toy_definition(**changes)))
    return folder
