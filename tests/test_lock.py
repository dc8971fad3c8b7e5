"""What must not change when code moves: the hash of every preset's training, the recipe of every data set, and the hash
of every training that a current record names, as its experiment asks for it today.

A record keeps the hash of its training but not the training. So every experiment is asked what it trains, on data sets
of the recipe that the record names, in a workspace that trains nothing.
"""

import json
import re
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

import experiments
import simulation
from experiments import zoo
from experiments.autoencoder import figure_4 as autoencoder_figure_4
from experiments.sbd import figure_5_1 as sbd_figure_5_1
from experiments.sbd import figure_5_8 as sbd_figure_5_8
from experiments.sbd import movie_networks
from experiments.sbd import table_3_1 as sbd_table_3_1
from experiments.workspace import Workspace
from simulation import atoms
from stemjax import records
from stemjax.data.datasets import DataSet, recipe_hash
from stemjax.data.kinds import KINDS
from stemjax.models import presets

ROOT = Path(__file__).resolve().parent.parent
PRESETS = ROOT / "tests" / "lock" / "presets.json"
RECIPES = ROOT / "tests" / "lock" / "recipes.json"
SIZES = ("smoke", "cpu", "gpu")
SIZE = "cpu"
# Movies of every session and split, and frames of each, at size cpu.
MOVIES = {
    "au-graphene": (16, {"a": (10, 4, 10), "b": (10, 0, 10)}),
    "haadf-pt": (16, {"film-20nm": (8, 4, 10), "film-50nm": (8, 4, 10)}),
    "lattice": (12, {"lattice": (6, 2, 10)}),
    "movies-pt": (20, {"pt": (2, 2, 10)}),
    "movies-au": (20, {"au": (1, 2, 10)}),
    "movies-co": (20, {"co": (1, 2, 10)}),
    "movies-sbd": (20, {"sbd": (0, 2, 1)}),
}
# The surface set and the SBD movies are tested on alone; the networks learnt from exit waves of the same version.
LEARNT_FROM = dict.fromkeys(("078881954dca7f62", "0c235eccd986edb7"), "41467828fe096be2")
LEARNT_FROM |= dict.fromkeys(("b069a45b3542744b", "83e9b874bc74692a"), "339bfa9a011c0abb")
# Methods whose current records are of trainings that nothing asks for any more: each has to be recorded anew.
_CYCLES = {"Noise2Atom"}  # before its cycles weighed alike
_CHANNELS = {"Autoencoder", "Autoencoder, absolute error"}  # of 16 channels in the bottleneck, not 64
MENDED = {
    "noise2atom_figure_1": _CYCLES,
    "noise2atom_figure_3": _CYCLES | _CHANNELS,
    "noise2atom_figure_4": _CYCLES,
    "noise2atom_figure_5": _CYCLES,
    "autoencoder_figure_7": {f"Autoencoder, crops of {side} px" for side in (32, 64, 128)},  # of 16 channels
    "autoencoder_figure_9": _CYCLES | _CHANNELS,
    "shipped_network": {"sbd-unet-small"},  # before images had a margin for the tilt
}


class Pictures:
    """A data set of pictures of which nothing but the recipe is asked."""

    def __init__(self, recipe_hash: str):
        self.recipe_hash = recipe_hash


@dataclass(frozen=True)
class Asked(Workspace):
    """A workspace without data or trainings, which notes what it is asked to train.

    Parameters
    ----------
    recipes : dict
        Data set -> recipe hash.
    known : list of dict
        Records, whose tunings decide which candidate of a search is the best.
    asked : dict
        Hash of the run -> label.
    """

    recipes: dict = field(default_factory=dict)
    known: list = field(default_factory=list)
    asked: dict = field(default_factory=dict)

    def pt_ceo2(self, size):
        return self._stub("pt-ceo2")

    def au_graphene(self, size):
        return self._stub("au-graphene")

    def haadf_pt(self, size):
        return self._stub("haadf-pt")

    def lattice(self, size):
        return self._stub("lattice")

    def movies(self, kind, size):
        return self._stub(f"movies-{kind}")

    def _stub(self, name: str) -> DataSet:
        frames, sessions = MOVIES.get(name, (0, {}))
        items = []
        for session, counts in sessions.items():
            splits = [split for split, n in zip(("train", "validation", "test"), counts, strict=True) for _ in range(n)]
            names = [f"{session}-{number:02d}" for number in range(len(splits))]
            items += [
                {"id": name, "unit": name, "split": split, "session": session, "frames": frames}
                for name, split in zip(names, splits, strict=True)
            ]
        return DataSet(
            Path("nowhere"),
            {
                "name": name,
                "recipe_hash": self.recipes.get(name, "0" * 16),
                "items": items,
                "splits": dict.fromkeys(("train", "validation", "test")),
            },
        )

    def trained(self, run, data, label, initial=None):
        self.asked[run.hash] = label
        digests = {record["run"]: record["checkpoint"] for record in self.known if "run" in record}
        info = {"digest": digests.get(run.hash, ""), "validation_psnr_db": self._validation(label, data.recipe_hash)}
        return {}, info, SimpleNamespace(folder=Path("nowhere"))

    def _validation(self, label: str, recipe_hash: str) -> float:
        """Of a candidate of a search, as the records of its data set have it."""
        parts = re.fullmatch(r"(.*?)(, short)?, batches of (\d+), learning rate (\S+)", label)
        if parts is None:
            return 0.0
        method, short, batch, rate = parts.groups()
        method = method.removesuffix(", photographs")
        for record in [r for r in self.known if r["data_set"]["recipe_hash"] == recipe_hash]:
            for name, tuning in (record.get("tuning") or {}).items():
                wanted, value = (
                    (f"learning rate at batches of {batch}", float(rate)) if short else ("batch", int(batch))
                )
                if record["method"] == method and name == wanted and value in tuning["values"]:
                    return tuning["validation_psnr_db"][tuning["values"].index(value)] or 0.0
        return 0.0


def test_every_preset_trains_what_it_did():
    """Those of the list; what a new one trains is held by the test below, from its first record on."""
    locked = json.loads(PRESETS.read_text())
    chosen = {name: presets.PRESETS[name] for name in locked}
    assert locked == {
        name: {size: preset.recipe(preset.at(size), size, "0" * 16).hash for size in SIZES}
        for name, preset in chosen.items()
    }


def test_every_data_set_has_the_recipe_that_it_had(monkeypatch, tmp_path):
    """But for the versions of abTEM and ASE, which each recipe has as they are installed."""
    pytest.importorskip("abtem", reason="the recipes of exit waves need abTEM")
    found = {}
    locked = json.loads(RECIPES.read_text())
    for kind in [kind for kind in KINDS.values() if kind.maker and kind.name in locked]:
        monkeypatch.setattr(f"simulation.{kind.maker}.make", lambda out, plan, *_, **__: plan)
        found[kind.name] = {size: _recipe(simulation.make_data_set(kind.name, tmp_path, size)) for size in SIZES}
    sources = {name: SimpleNamespace(recipe_hash="0" * 16) for name in atoms.SOURCES}
    found["atoms"] = {size: _recipe(atoms.Stills(plan, sources)) for size, plan in atoms.PLANS.items()}
    assert found == locked


def _recipe(plan) -> str:
    return recipe_hash({name: value for name, value in plan.recipe().items() if name != "software"})


@pytest.fixture(scope="module")
def current() -> list[dict]:
    return [r for r in records.current(records.load(ROOT / "results" / "records")) if r["size"] == SIZE]


def counted(matrices: list[dict], matrix: str, kind: str, data, split: str) -> int:
    """Images of a kind, of which only the exit waves know the contrast, as the records count them."""
    conditions = [record["conditions"] for record in matrices]
    return max((c["images"] for c in conditions if (c["matrix"], c["tested_on"]) == (matrix, kind)), default=0)


@pytest.fixture(scope="module")
def trainings(current) -> dict[str, set[str]]:
    """Experiment -> hashes of what it trains, on the data that its own records name."""
    patch = pytest.MonkeyPatch()
    for module in (movie_networks, sbd_figure_5_8):
        patch.setattr(module, "last_weights", lambda network: network)
    patch.setattr(movie_networks, "_learnt_from", lambda *run_and_data: {})
    patch.setattr(
        sbd_figure_5_1, "_count", partial(counted, [r for r in current if r["experiment"] == "sbd_figure_5_1"])
    )
    found = {}
    for name in experiments.NAMES:
        experiment = experiments.load(name)
        own = [r for r in current if r["experiment"] == name]
        recipes = {r["data_set"]["name"]: r["data_set"]["recipe_hash"] for r in own}
        for recipe in set(recipes.values()) & set(LEARNT_FROM):
            recipes["pt-ceo2"] = LEARNT_FROM[recipe]
        patch.setattr(autoencoder_figure_4, "glyphs_of_size", lambda *_, r=recipes: Pictures(r.get("glyphs", "")))
        pictures = recipes.get("scikit-image-photographs", "")
        patch.setattr(sbd_table_3_1, "open_photographs", lambda *_, r=pictures: Pictures(r))
        workspace = Asked(recipes=recipes, known=current)
        if experiment.has_networks:
            experiment.train(SIZE, workspace)
        found[name] = set(workspace.asked)
    patch.undo()
    found["shipped_network"] = {zoo.shipped_run("41467828fe096be2").hash}
    return found


@pytest.mark.parametrize("name", experiments.NAMES)
def test_an_experiment_asks_for_the_trainings_of_its_records(name, current, trainings):
    asked = trainings[name] | trainings["sbd_table_5_1"]  # whose networks many look at
    own = [record for record in current if record["experiment"] == name and record.get("run")]
    lost = {record["method"] for record in own if record["run"] not in asked}
    assert lost == MENDED.get(name, set())
