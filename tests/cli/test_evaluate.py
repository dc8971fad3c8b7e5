"""`stemjax evaluate` on every kind of data set."""

from pathlib import Path

import pytest

from simulation.lattice import make_lattice
from stemjax import records
from stemjax.cli import main
from stemjax.cli.evaluate import FOLDERLESS, _conditions
from stemjax.data.datasets import DataSet
from stemjax.data.kinds import KINDS


@pytest.mark.parametrize("name", KINDS)
def test_conditions_are_those_of_the_kind_unless_given(name):
    kind, given = KINDS[name], {"sampling": 0.2, "counts": None}
    usual, selection = _conditions(kind, {}, None)
    assert (usual, selection) == (kind.imaging, kind.selection)
    if name.startswith("pt-ceo2"):
        chosen, any_contrast = _conditions(kind, given, "any")
        assert (chosen.sampling, chosen.counts, any_contrast.contrast) == (0.2, usual.counts, ())
        return
    with pytest.raises(ValueError, match=f"{name} has conditions of its own: leave --sampling out"):
        _conditions(kind, given, None)


def test_every_kind_that_a_record_names_is_known():
    assert {record["data_set"]["name"] for record in records.load(RESULTS / "records")} - set(KINDS) == set()


def test_what_needs_no_folder_is_taken_by_its_name():
    assert set(FOLDERLESS) == {name for name, kind in KINDS.items() if kind.make}


@pytest.fixture(scope="module")
def lattice(tmp_path_factory) -> DataSet:
    return make_lattice(tmp_path_factory.mktemp("lattice") / "lattice-smoke")


RESULTS = Path(__file__).resolve().parents[2] / "results"


def evaluate(model: str, data: DataSet, *options: str) -> int:
    return main(["evaluate", model, "--data", str(data.folder), *options])


def test_a_filter_is_tuned_and_scored_on_the_lattice(lattice, capsys):
    assert evaluate("gaussian", lattice, "--images", "2", "--tune") == 0
    said = capsys.readouterr().out
    assert "the best on 2 validation images" in said and "lattice-03" in said
    assert "4 images of 2 structures, movies or photographs, 0.25 Å/px, noise Dose(electrons_per_pixel=5.0)" in said


def test_a_movie_denoiser_sees_all_frames(lattice, capsys):
    assert evaluate("space-time-gaussian", lattice, "--images", "1") == 0
    assert "8 images of 2 structures, movies or photographs" in capsys.readouterr().out


def test_a_data_set_of_another_kind_is_refused_in_one_line(lattice, monkeypatch, capsys):
    monkeypatch.setattr(DataSet, "name", property(lambda self: "sand"))
    assert evaluate("gaussian", lattice) == 2
    said = capsys.readouterr().err
    assert "a data set of the unknown kind sand; there are atoms" in said and said.count("\n") == 1
