"""`stemjax evaluate` on every kind of data set."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from simulation.make_lattice import make_lattice
from stemjax import records
from stemjax.cli import main
from stemjax.cli.evaluate import _conditions
from stemjax.cli.simulate import simulate
from stemjax.data.datasets import DataSet
from stemjax.records.rebuild import MADE, SIMULATE

RESULTS = Path(__file__).resolve().parents[2] / "results"
IMAGED = {
    (record["data_set"]["name"], record["imaging"]["class"])
    for record in records.current(records.load(RESULTS / "records"))
    if record["data_set"]["name"] not in MADE and record["imaging"]["class"] != "NoiselessFrames"
}


@pytest.mark.parametrize("name, imaging", sorted(IMAGED))
def test_every_data_set_is_imaged_as_in_the_records(name, imaging):
    waves = None if name in ("au-graphene", "haadf-pt", "lattice") else object()
    assert type(_conditions(SimpleNamespace(name=name, band=waves), 0.1, 1.8, "any")[0]).__name__ == imaging


def test_the_help_names_every_data_set(capsys):
    assert main(["evaluate", "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    kinds = {SIMULATE.get(name, name).split()[-1] for name, _ in IMAGED} | set(simulate) & {"lattice", "haadf-pt"}
    assert not [kind for kind in kinds if kind not in said]


@pytest.fixture(scope="module")
def lattice(tmp_path_factory) -> DataSet:
    return make_lattice(tmp_path_factory.mktemp("lattice") / "lattice-smoke")


def evaluate(model: str, data: DataSet, *options: str) -> int:
    return main(["evaluate", model, "--data", str(data.folder), *options])


def test_a_filter_is_tuned_and_scored_on_the_lattice(lattice, capsys):
    assert evaluate("gaussian", lattice, "--images", "2", "--tune") == 0
    said = capsys.readouterr().out
    assert "the best on 2 validation images" in said and "lattice-03" in said
    assert "4 images of 2 structures or movies, 0.25 Å/px, noise Dose(electrons_per_pixel=5.0)" in said


def test_a_movie_denoiser_sees_all_frames(lattice, capsys):
    assert evaluate("space-time-gaussian", lattice, "--images", "1") == 0
    assert "8 images of 2 structures or movies" in capsys.readouterr().out


def test_a_data_set_of_another_kind_is_refused_in_one_line(lattice, monkeypatch, capsys):
    monkeypatch.setattr(DataSet, "name", property(lambda self: "sand"))
    assert evaluate("gaussian", lattice) == 2
    said = capsys.readouterr().err
    assert (
        said.endswith("a data set sand; see `stemjax evaluate --help` for those it takes\n") and said.count("\n") == 1
    )
