"""Other people's methods: a card, a row in a local page; and records that are made again."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import experiments
from experiments.workspace import Workspace
from stemjax import leaderboard, records
from stemjax.cli import evaluate_reproduce, main
from stemjax.data import datasets
from stemjax.denoisers.gaussian import Gaussian
from stemjax.leaderboard import benchmark, entries, submissions
from stemjax.leaderboard.parts import parts_of
from stemjax.records import rebuild
from tests.toys.track import CARD, IMAGING, contents, leaderboard_verb, make_place, predictions

RESULTS = Path(__file__).resolve().parents[2] / "results"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return make_place(tmp_path_factory.mktemp("track"))


# ---------------------------------------------------------------------------------------------------- submit
def submitted(place, tmp_path, **changes) -> int:
    folder = predictions(place, tmp_path / "mine", sigma=3.0 + changes.get("training", 0))
    (tmp_path / "filled.json").write_text(json.dumps(CARD | changes))
    arguments = ("--track", "pt-ceo2", "--card", tmp_path / "filled.json", "--out", tmp_path / "results")
    return leaderboard_verb(place[0], "submit", folder, *arguments)


def test_a_submission_stands_among_the_others_in_a_local_page(place, tmp_path, capsys):
    assert submitted(place, tmp_path) == 0
    assert "PSNR" in capsys.readouterr().out
    results = tmp_path / "results"
    assert main(["leaderboard", "--results", str(results)]) == 0
    row = next(r for r in json.loads((results / "data.json").read_text())["rows"] if r["method"] == "My network")
    assert (row["family"], row["supervision"], row["rules"], row["settings"]) == (
        "network",
        "self-supervised",
        "tuned",
        3,
    )
    assert row["parameters"] == 1234 and row["seeds"] == 1 and "https://example.org/code" in articles(results)
    assert leaderboard.check(results) == []
    assert "submitted by A. Newcomer" in (results / "index.html").read_text()
    (stored,) = (r for r in records.load(results / "records") if r["method"] == "My network")
    assert stored["denoiser"]["predictions"] and stored["denoiser"]["class"] == "submissions.Card"
    assert not any(r["method"] == "My network" for r in records.load(place[0] / "results" / "records"))
    # a second training is another seed of the same row; the project's names are taken
    assert submitted(place, tmp_path, training=1) == 0
    assert [r["seed"] for r in records.load(results / "records") if r["method"] == "My network"] == [0, 1]
    assert submitted(place, tmp_path, name="Gaussian filter") == 2
    assert "there is a method named 'Gaussian filter' already" in capsys.readouterr().err


def test_one_training_is_not_submitted_as_two(place, tmp_path, capsys, monkeypatch):
    assert submitted(place, tmp_path) == 0
    (stored,) = (r for r in records.load(tmp_path / "results" / "records") if r["method"] == "My network")
    before = contents(tmp_path / "results")
    capsys.readouterr()
    arguments = ("--track", "pt-ceo2", "--card", tmp_path / "filled.json", "--out", tmp_path / "results")
    (tmp_path / "filled.json").write_text(json.dumps(CARD | {"training": 1}))
    assert leaderboard_verb(place[0], "submit", tmp_path / "mine", *arguments) == 2
    said = capsys.readouterr().err
    assert f"those of record {stored['id'][:16]}, another training of 'My network'" in said and said.count("\n") == 1
    assert contents(tmp_path / "results") == before
    # the same training may be submitted again: it supersedes
    (tmp_path / "filled.json").write_text(json.dumps(CARD))
    assert leaderboard_verb(place[0], "submit", tmp_path / "mine", *arguments) == 0


def test_of_a_submission_with_one_refused_part_nothing_is_written(place, tmp_path, capsys, monkeypatch):
    score_folder = submissions.score_folder

    def with_perfect_second(*arguments, **more):
        (first,), digest = score_folder(*arguments, **more)
        rows = [row | {"psnr_db": np.inf} for row in first.rows]
        second = replace(first, part=replace(first.part, name="second"), rows=rows, conditions={"noise_draw": 1})
        return [first, second], digest

    monkeypatch.setattr(submissions, "score_folder", with_perfect_second)
    assert submitted(place, tmp_path) == 2
    said = capsys.readouterr().err
    assert "second: 'My network' cannot be recorded" in said and "psnr_db" in said and said.count("\n") == 1
    assert not (tmp_path / "results").exists()


def articles(results: Path) -> str:
    return (results / "leaderboard" / "pt-ceo2.html").read_text()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"family": "magic"}, "family is 'magic'; choose one of network, filter, reference"),
        ({"name": " "}, "name is not filled in"),
        ({"code": "address of the code, or: not public"}, "code is not filled in"),
        ({"parameters": "many"}, "parameters is 'many'; it has to be a whole number"),
        ({"parameters": 0}, "a network has parameters"),
        ({"settings": 0}, "a tuned method says in settings"),
        ({"settings": 41}, "at most 40 settings"),
        ({"extra": 1}, "unknown field 'extra'"),
        ({"name": "My\nnetwork"}, r"name is 'My\\nnetwork'; write it in one line"),
        ({"name": "My\0network"}, r"name is 'My\\x00network'; write it in one line, without control characters"),
        ({"authors": "A. Newcomer\u2028B"}, "authors is 'A. Newcomer.*; write it in one line"),
        ({"name": "Raw\u200b"}, "name is 'Raw.*without control characters"),
        ({"name": "Half \ud800"}, "name is 'Half .*without control characters"),
        ({"code": "~/my-method"}, "code names a path of this machine, ~/my-method; say what others can open"),
    ],
)
def test_an_unsound_card_is_refused(tmp_path, changes, said):
    path = tmp_path / "card.json"
    path.write_text(json.dumps(CARD | changes))
    with pytest.raises(ValueError, match=said) as caught:
        submissions.read_card(path, budget=40)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_the_exported_card_has_every_field_and_is_to_be_filled_in(place):
    path = place[0] / "out" / "card.json"
    with pytest.raises(ValueError, match="name is not filled in"):
        submissions.read_card(path, budget=40)
    filled = json.loads(path.read_text()) | CARD
    path.with_name("filled.json").write_text(json.dumps(filled))
    assert submissions.read_card(path.with_name("filled.json"), budget=40).name == "My network"
    path.with_name("filled.json").unlink()


# ---------------------------------------------------------------------------------------------------- reproduce
def test_a_record_is_reproduced_and_an_altered_method_is_not(place, tmp_path, monkeypatch, capsys):
    root, _ = place
    by_method = {r["method"]: r for r in records.load(root / "results" / "records")}

    def again(record: dict, folder: Path = root) -> int:
        arguments = ["--data", root / "data", "--results", folder / "results", "--runs", tmp_path / "runs"]
        return main(["evaluate", "--reproduce", record["id"][:8], *map(str, arguments)])

    assert again(by_method["Raw"]) == again(by_method["Gaussian filter"]) == 0
    said = capsys.readouterr().out
    assert said.count("reproduced: 3 of 3 scores agree") == 2 and said.count("every image alike") == 6
    rows = records.load_scores(root / "results" / "records", [by_method["Raw"]])[by_method["Raw"]["id"]]
    shutil.copytree(root / "results", tmp_path / "results")
    data = datasets.open_data_set(root / "data" / "pt-ceo2-cpu")
    better = [row | {"psnr_db": row["psnr_db"] + 3} for row in rows]
    facts = {"experiment": "sbd_table_5_1", "method": "Flattered", "denoiser": Gaussian(), "protocol": "sbd"}
    flattered = records.new_record(**facts, size="cpu", data_set=data, imaging=IMAGING, scores=better)
    named = records.append(tmp_path / "results" / "records", flattered, better)
    assert again({"id": named}, tmp_path) == 1
    assert "DIFFERS; images differ by up to" in capsys.readouterr().out
    # a trained network: its run is missing, then has other weights, which is said
    facts |= {"method": "Trained", "run": "0" * 16, "checkpoint": "1" * 64, "seed": 0}
    trained = records.new_record(
        **facts | {"denoiser": Gaussian(sigma=2.0)}, size="cpu", data_set=data, imaging=IMAGING, scores=rows
    )
    named = records.append(tmp_path / "results" / "records", trained, rows)
    assert again({"id": named}, tmp_path) == 2
    assert "`stemjax experiment run sbd_table_5_1 --size cpu` trains it" in capsys.readouterr().err
    (tmp_path / "runs" / ("0" * 16) / "best").mkdir(parents=True)
    monkeypatch.setattr(rebuild, "load_run", lambda folder: (None, {}, {"digest": "2" * 64}))
    again({"id": named}, tmp_path)
    assert "weights: of another training" in capsys.readouterr().out
    with pytest.raises(ValueError, match="other weights than record"):
        rebuild.method_of(trained | {"id": named})


def test_training_for_a_record_ends_with_its_network(monkeypatch, tmp_path):
    trained = []
    monkeypatch.setattr(Workspace, "trained", lambda self, run, *more: trained.append((run.hash, self.runs)))

    def run(size, workspace):
        for name in "abc":
            workspace.trained(SimpleNamespace(hash=name), None, name)

    monkeypatch.setattr(experiments, "load", lambda name: SimpleNamespace(run=run))
    evaluate_reproduce._train("any", "cpu", tmp_path, tmp_path / "data", "b")
    assert trained == [("a", tmp_path), ("b", tmp_path)]


def test_a_commit_is_said_in_short():
    assert evaluate_reproduce._short("v1.0.0-2-g" + "ab" * 20) == "v1.0.0-2-gabababababab"
    assert (evaluate_reproduce._short("ab" * 20), evaluate_reproduce._short(None)) == ("ab" * 6, "unknown")


def test_what_cannot_be_made_again_is_said(place, capsys):
    record = records.load(place[0] / "results" / "records")[0]
    with pytest.raises(ValueError, match="'orientation_deg' are not made from a record; run its experiment"):
        rebuild.image_set(record | {"conditions": {"orientation_deg": 30}}, [], None)
    with pytest.raises(ValueError, match="'NoiselessFrames' are not made from a record"):
        rebuild.imaging_of(record | {"imaging": {"class": "NoiselessFrames"}})
    assert main(["evaluate", "--reproduce", "123"]) == 2
    assert "first 6 or more hexadecimal digits" in capsys.readouterr().err


def test_the_projects_tracks_say_what_they_are_made_of():
    definition = benchmark.read(RESULTS)
    found = entries.competing(definition, records.current(records.load(RESULTS / "records")))
    scored = records.load_scores(RESULTS / "records", found)
    names = [part.name for part in parts_of(definition, "graphene", "cpu", found, scored)[1]]
    assert names == [f"input-psnr-db-{level}" for level in (7, 10, 13, 16, 20)]
    dose = parts_of(definition, "dose", "cpu", found, scored)[1]
    assert len(dose) == 10 and sum(bool(part.validation_of) for part in dose) == 5
