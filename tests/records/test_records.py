"""Records: what enters is sound, and whatever is done to them afterwards is found and named."""

import json
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from stemjax import records
from stemjax.records import store
from tests.toys.alterations import ALTERATIONS, alter_scores, copy_a_record, drop_a_record
from tests.toys.records import a_record, copy_of, some_scores


def test_the_noisy_images_have_no_method(tmp_path):
    scores = some_scores(3.5)
    records.append(tmp_path, a_record(scores, method="Raw", denoiser=None, tuning=None), scores)
    assert records.load(tmp_path)[0]["denoiser"] == {}


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("results") / "records"
    for seed in range(3):
        for experiment in ("sbd_table_5_1", "doses"):
            scores = some_scores(30 + seed, seed=seed)
            records.append(folder, a_record(scores, experiment=experiment, seed=seed), scores)
    return folder


def test_a_record_comes_back_as_it_went_in(tmp_path):
    scores = some_scores()
    record = a_record(scores)
    found_id = records.append(tmp_path, record, scores)
    (found,) = records.load(tmp_path)
    assert found["id"] == found_id == records.record_id(found)
    assert {**found, "id": None} == json.loads(json.dumps({**record, "id": None}))
    rows = records.load_scores(tmp_path, [found])[found_id]
    assert [row["psnr_db"] for row in rows] == pytest.approx([row["psnr_db"] for row in scores], abs=1e-6)
    assert found["scores"]["psnr_db"] == pytest.approx(np.mean([row["psnr_db"] for row in scores]), abs=1e-5)
    low, high = found["interval"]["psnr_db"]
    assert low < found["scores"]["psnr_db"] < high
    assert found["imaging"]["noise"] == {"class": "Poisson"}


def test_the_mean_is_over_units_not_images():
    scores = [{"image": "a", "unit": "1", "psnr_db": 10.0}] + [
        {"image": f"b{i}", "unit": "2", "psnr_db": 20.0} for i in range(3)
    ]
    record = a_record(scores)
    assert record["scores"] == {"psnr_db": 15.0}
    assert record["interval"] is None  # two units


def test_a_second_measurement_supersedes_the_first(tmp_path):
    first = records.append(tmp_path, a_record(some_scores()), some_scores())
    other = records.append(tmp_path, a_record(some_scores(), seed=1), some_scores())
    again = records.append(tmp_path, a_record(some_scores(31)), some_scores(31))
    found = records.load(tmp_path)
    assert [r["id"] for r in found] == [first, other, again]
    assert [r["id"] for r in records.current(found)] == [other, again]
    assert found[-1]["supersedes"] == first


def test_an_append_killed_before_the_index_is_finished_by_the_next(tmp_path):
    records.append(tmp_path, a_record(some_scores()), some_scores())
    index = (tmp_path / "index.txt").read_text()
    records.append(tmp_path, a_record(some_scores(), seed=1), some_scores())
    (tmp_path / "index.txt").write_text(index)
    with pytest.raises(ValueError, match="not in index.txt"):
        records.load(tmp_path)
    records.append(tmp_path, a_record(some_scores(), seed=2), some_scores())
    assert len(records.load(tmp_path)) == 3


def test_writers_wait_for_each_other(tmp_path):
    def write(writer: int) -> None:
        for seed in range(10 * writer, 10 * writer + 5):
            records.append(tmp_path, a_record(some_scores(), seed=seed), some_scores())

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, range(2)))
    assert sorted(record["seed"] for record in records.load(tmp_path)) == [*range(5), *range(10, 15)]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"size": "huge"}, "size is one of"),
        ({"protocol": "mine"}, "protocol is one of"),
        ({"experiment": "../escape"}, "experiment is a name"),
        ({"seed": "0"}, "seed: '0' is not int"),
        ({"seed": True}, "seed: True is not int"),
        ({"parameters": 1.5}, "parameters: 1.5 is not int"),
        ({"parameters": -1}, "not negative"),
        ({"run": "0123"}, "run has 16"),
        ({"checkpoint": "x" * 64}, "checkpoint has 64"),
        ({"denoiser_hash": "0" * 16}, "hash of denoiser"),
        ({"data_set": {"name": "mine"}}, "recipe_hash"),
        ({"supersedes": "0" * 64}, "no record 0000000000000000"),
        ({"scores": {"psnr_db": 99.0}}, "not those of the images"),
        ({"interval": None}, "not those of the images"),
        ({"learning_curve": [{"crops": 2, "validation_psnr_db": float("nan")}]}, "learning curve"),
        ({"tuning": {"sigma": {"values": [1], "validation_psnr_db": [3.0], "chosen": 2}}}, "tuned value"),
        ({"command": "python /data/me/run.py"}, "a path of this machine: /data/me/run.py"),
        ({"surprise": 1}, "surprise: unknown field"),
    ],
)
def test_unsound_records_are_refused(tmp_path, changes, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        records.append(tmp_path, a_record(some_scores()) | changes, some_scores())
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("*.jsonl"))


@pytest.mark.parametrize("value", [float("inf"), 1e4, -1e4])
def test_impossible_scores_are_refused(tmp_path, value):
    scores = some_scores()
    scores[3]["psnr_db"] = value
    with pytest.raises(ValueError, match="finite and plausible"):
        records.append(tmp_path, a_record(some_scores()), scores)


def test_the_command_holds_no_path(monkeypatch, tmp_path):
    argv = ["/opt/py/bin/python3", "-m", "experiments.sbd", "--data=/data/x y/set", "--out", str(tmp_path), "../runs"]
    monkeypatch.setattr(sys, "orig_argv", argv)
    command = a_record(some_scores())["command"]
    assert command.startswith("python3 -m experiments.sbd") and command.endswith(f"--out {tmp_path.name} ../runs")
    assert "/data" not in command
    monkeypatch.setattr("sys.orig_argv", ["../elsewhere/bin/python", "-m", "stemjax"])
    assert a_record(some_scores())["command"] == "python -m stemjax"


# ---------------------------------------------------------------------------------------------------- altered records


def test_100_alterations_are_found_and_named(sound, tmp_path):
    for trial in range(100):
        folder = copy_of(sound, tmp_path / str(trial))
        before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        named = ALTERATIONS[trial % len(ALTERATIONS)](folder, random.Random(trial))
        assert before != {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        with pytest.raises(ValueError) as caught:
            records.load(folder)
        assert named[:16] in str(caught.value)


def test_every_altered_record_is_named(sound, tmp_path):
    folder = copy_of(sound, tmp_path)
    named = [
        alter(folder, random.Random(7 + n)) for n, alter in enumerate((alter_scores, drop_a_record, copy_a_record))
    ]
    with pytest.raises(ValueError) as caught:
        records.load(folder)
    assert all(one[:16] in str(caught.value) for one in named)


def rehash(folder: Path, change, new_scores: str | None = None) -> str:
    """Change the first record of the first file by hand, with an id, an index and scores that fit; its new id."""
    path, index = sorted(folder.glob("*.jsonl"))[0], folder / "index.txt"
    first, *rest = path.read_text().splitlines()
    record = json.loads(first)
    before = record.pop("id")
    text = records.scores_path(folder, before).read_text() if new_scores is None else new_scores
    change(record)
    named = records.record_id(record)
    line = json.dumps(record | {"id": named}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    path.write_text("".join(one + "\n" for one in (line, *rest)))
    index.write_text(index.read_text().replace(before, named))
    records.scores_path(folder, before).unlink()
    records.scores_path(folder, named).write_text(text)
    return named


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda record: record.pop("parameters"), "parameters: missing"),
        (lambda record: record.update(denoiser=7), "denoiser: 7 is not dict"),
        (lambda record: record.update(conditions=None), "conditions: None is not dict"),
        (lambda record: record.update(size="huge"), "size is one of smoke, cpu, gpu"),
    ],
)
def test_a_record_that_was_never_made_is_named_though_its_hashes_fit(sound, tmp_path, change, fault):
    folder = copy_of(sound, tmp_path)
    named = rehash(folder, change)
    with pytest.raises(ValueError) as caught:
        records.load(folder)
    assert named[:16] in str(caught.value) and fault in str(caught.value)


def test_figures_that_do_not_follow_from_the_scores_are_found_by_an_audit(sound, tmp_path):
    folder = copy_of(sound, tmp_path)
    assert records.audit(folder) == []
    named = rehash(folder, lambda record: record["scores"].update(psnr_db=55.0))
    assert len(records.load(folder)) == 6  # hashes fit, and so does the form
    (problem,) = records.audit(folder)
    assert named[:16] in problem and "its scores are not those of the images" in problem


def test_a_superseded_record_cannot_vanish(tmp_path):
    first = records.append(tmp_path, a_record(some_scores()), some_scores())
    records.append(tmp_path, a_record(some_scores(31)), some_scores(31))
    path, index = tmp_path / "sbd_table_5_1.jsonl", tmp_path / "index.txt"
    for text in (path, index):
        text.write_text("".join(line + "\n" for line in text.read_text().splitlines()[1:]))
    records.scores_path(tmp_path, first).unlink()
    with pytest.raises(ValueError, match=f"record {first[:16]}: missing, though record .* supersedes it"):
        records.load(tmp_path)


def test_version_1_supersedes_its_draft_and_another_version_does_not(tmp_path):
    draft = records.append(tmp_path, a_record(some_scores()) | {"benchmark_version": 0}, some_scores())
    for version, superseded in ((1, draft), (2, None)):
        scores = some_scores(30 + version)
        records.append(tmp_path, a_record(scores) | {"benchmark_version": version}, scores)
        assert records.load(tmp_path)[-1]["supersedes"] == superseded


def test_nothing_is_added_to_altered_records(sound, tmp_path):
    folder = copy_of(sound, tmp_path)
    drop_a_record(folder, random.Random(0))
    with pytest.raises(ValueError, match="altered records"):
        records.append(folder, a_record(some_scores(), seed=9), some_scores())


def test_a_number_that_is_no_known_score_is_refused():
    """It would be stored as a text, and be missing from every table."""
    with pytest.raises(ValueError, match="'psnr' is no score that a record knows"):
        records.scores.rounded([{"image": "a", "unit": "b", "psnr": 1.0}])


def test_a_reader_waits_for_a_record_that_is_being_added(sound, tmp_path):
    """Half added, it is in its file and not in the index: a reader beside it would take that for a record altered."""
    folder = copy_of(sound, tmp_path / "records")
    index = (folder / "index.txt").read_text()
    with ThreadPoolExecutor(1) as pool:
        with store._lock(folder):
            (folder / "index.txt").write_text("".join(index.splitlines(keepends=True)[:-1]))
            reader = pool.submit(records.load, folder)
            with pytest.raises(TimeoutError):
                reader.result(timeout=0.5)
            (folder / "index.txt").write_text(index)
        assert len(reader.result(timeout=20)) == 6
