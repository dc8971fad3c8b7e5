"""Cards of data sets, their Croissant descriptions, CITATION.cff, and rankings for papers and tools."""

import csv
import io
import json
import re
import tomllib
from pathlib import Path

import mlcroissant
import pytest
import yaml

from simulation.lattice import make_lattice
from stemjax import records
from stemjax.cli import main
from stemjax.data.datasets import recipe_hash
from stemjax.data.kinds import KINDS
from stemjax.leaderboard import benchmark, cards, exports
from tests.toys.board import make_results, toy_definition
from tests.toys.micrographs import make_toy

ROOT = Path(__file__).resolve().parents[2]
CURRENT = records.current(records.load(ROOT / "results" / "records"))
AWAY = "au-graphene-cpu"
WITHOUT_CARD = {"movies-sbd-cpu"}  # until its data are simulated again, by a recipe that is being changed


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> tuple[Path, Path]:
    """Folder of data sets with one in it, and a results folder with its cards."""
    root = tmp_path_factory.mktemp("cards")
    data = make_toy(root / "data" / "pt-ceo2-cpu")
    sizes = {"cpu": {"data": {"pt-ceo2": data.recipe_hash, "au-graphene": "f" * 16}, "imaging": {}, "says": "toy"}}
    (root / "benchmark.json").write_text(json.dumps(toy_definition(sizes=sizes)))
    found, missing = cards.find_data_sets(benchmark.read(root), root / "data")
    assert missing == [f"{AWAY}: not here; make it: stemjax simulate au-graphene --size cpu --out {root}/data/{AWAY}"]
    cards.write_cards(root, benchmark.read(root), found)
    return root / "data" / "pt-ceo2-cpu", root / "cards"


def test_a_card_says_what_the_data_set_is(written):
    _, folder = written
    text = (folder / "pt-ceo2-cpu.md").read_text()
    assert f"`{recipe_hash({'toy': 1})}`" in text and "| test | 2 | 2 |" in text
    assert "Tracks: Pt on CeO₂, single noisy images" in text


def test_croissant_is_valid_and_its_records_are_the_items(written):
    data, folder = written
    described = mlcroissant.Dataset(
        jsonld=folder / "pt-ceo2-cpu.croissant.json", mapping={"manifest.json": data / "manifest.json"}
    )
    assert not described.metadata.ctx.issues.errors
    items = list(described.records("items"))
    assert [item["items/id"].decode() for item in items] == [f"toy-{index}" for index in range(8)]
    assert [item["items/split"].decode() for item in items].count("test") == 2


@pytest.mark.parametrize("path", sorted((ROOT / "results" / "cards").glob("*.croissant.json")), ids=lambda p: p.name)
def test_the_projects_cards_are_of_data_sets_of_the_benchmark_or_of_records(path):
    assert not mlcroissant.Dataset(jsonld=path).metadata.ctx.issues.errors
    name, _, size = path.name.removesuffix(".croissant.json").rpartition("-")
    hashes = {track.sizes[size]["data"].get(name) for track in benchmark.read(ROOT / "results").tracks}
    hashes |= {r["data_set"]["recipe_hash"] for r in CURRENT if (r["data_set"]["name"], r["size"]) == (name, size)}
    assert re.search("Recipe ([0-9a-f]{16})", path.read_text())[1] in hashes


def test_every_data_set_of_a_record_has_a_card_and_a_text():
    named = {(record["data_set"]["name"], record["size"]) for record in CURRENT}
    stored = {(name, size) for name, size in named if KINDS[name].simulate}
    made = {path.stem for path in (ROOT / "results" / "cards").glob("*.md")}
    assert {f"{name}-{size}" for name, size in stored} - made <= WITHOUT_CARD


def test_data_sets_that_only_records_name_are_found_too(written, tmp_path):
    data, _ = written
    named = [
        {"size": "cpu", "data_set": {"name": name, "recipe_hash": "e" * 16}}
        for name in ("lattice", "pt-ceo2", "glyphs")
    ]
    found, missing = cards.find_data_sets(benchmark.read(data.parents[1]), data.parent, named)
    assert list(found) == ["pt-ceo2-cpu"]  # of the benchmark's recipe
    assert [text.partition(":")[0] for text in missing] == [AWAY, "lattice-cpu"]
    lattice = make_lattice(tmp_path / "lattice-smoke")
    assert "truth.npy" not in cards.card_of("lattice-smoke", lattice, [])


def test_the_citation_file_is_sound():
    plain = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(plain) >= {"cff-version", "message", "title", "authors"} and plain["cff-version"] == "1.2.0"
    assert (plain["version"], plain["license"]) == (project["version"], project["license"])
    for entity in [author for work in (plain, *plain["references"]) for author in work["authors"]]:
        assert entity.get("name") or entity.get("family-names")
    for work in plain["references"]:
        assert work["type"] == "article" and work["title"]
    assert len(plain["references"]) == 5


def test_latex_gets_no_letter_that_it_would_not_take(tmp_path, capsys):
    folder = make_results(tmp_path, network_db=-32.0)
    command = ["leaderboard", "export", "--track", "pt-ceo2", "--format", "latex", "--results", str(folder)]
    assert main(command) == 0
    latex = capsys.readouterr().out
    assert "SBD + UNet" in latex and "& $-$32." in latex and latex.isascii()
    for track in benchmark.read(ROOT / "results").tracks:
        shown = [track.title, track.unit, track.score["label"], track.score["unit"], *track.methods]
        shown += [board.title for board in track.boards]
        assert all(exports._escaped(text).isascii() for text in shown), track.id


def test_rankings_for_papers_and_benchopt(tmp_path, capsys):
    folder = make_results(tmp_path)

    def exported(form: str) -> str:
        assert main(["leaderboard", "export", "--track", "pt-ceo2", "--format", form, "--results", str(folder)]) == 0
        return capsys.readouterr().out

    assert "| SBD + UNet | 1 a |" in exported("markdown") and "Not run: VST + BM3D" in exported("markdown")
    latex = exported("latex")
    assert latex.count(r"\begin{table}") == 1 and r"CeO\textsubscript{2}" in latex and "SBD + UNet & 1 a &" in latex
    assert all(line.count("&") == 5 for line in latex.splitlines() if line.endswith(r"\\"))
    rows = list(csv.DictReader(io.StringIO(exported("benchopt"))))
    by_id = {record["id"]: record for record in records.load(folder / "records")}
    assert {row["p_solver_record"] for row in rows} == set(by_id)
    assert sorted(row["idx_rep"] for row in rows if row["solver_name"] == "SBD + UNet") == ["0", "1", "2"]
    for row in rows:
        assert float(row["objective_value"]) == by_id[row["p_solver_record"]]["scores"]["psnr_db"] and row["time"] == ""
    assert main(["leaderboard", "export", "--track", "pt-ceo2", "--board", "x", "--results", str(folder)]) == 2
    assert "has no ranking 'x'; it has psnr" in capsys.readouterr().err
