"""Tables: figures that can be computed by hand, the same bytes every time, and any other byte found."""

import csv
import io
import random
from pathlib import Path

import numpy as np
import pytest

from experiments import table_of
from stemjax import records, tables
from stemjax.data.datasets import recipe_hash
from stemjax.denoisers.supervised import Supervised
from stemjax.networks import UNet
from stemjax.tables.rows import gather, ranks
from stemjax.tables.table import Grid
from tests.toys.alterations import drop_a_record
from tests.toys.records import a_record, levels, some_scores

UNET = {"denoiser": Supervised(UNet(scales=4, width=16)), "parameters": 88448, "field_of_view": 221, "tuning": None}
CURVE = [{"crops": 4000, "validation_psnr_db": 30.0}, {"crops": 6000, "validation_psnr_db": 31.0}]


def add(results: Path, scores: list[dict], **changes) -> str:
    return records.append(results / "records", a_record(scores, **changes), scores)


def small_results(results: Path, values: list[float], size: str = "cpu") -> Path:
    add(results, levels(values, -25.0), method="Raw", tuning=None, size=size)
    add(results, levels(values, -2.0), method="Gaussian filter", size=size)
    for seed, shift in enumerate((-0.5, 0.0, 1.1)):
        add(results, levels(values, shift), method="SBD + UNet", seed=seed, learning_curve=CURVE, size=size, **UNET)
    return results


def figures(results: Path, size: str = "cpu") -> dict[str, dict]:
    text = tables.render(results, table_of)[results / "tables" / f"sbd_table_5_1.{size}.csv"].decode()
    return {row["method"]: row for row in csv.DictReader(io.StringIO(text))}


def test_figures_equal_those_computed_by_hand(tmp_path):
    values = [30.0, 31.0, 33.0]
    found = figures(small_results(tmp_path, values))
    assert float(found["SBD + UNet"]["psnr_db"]) == pytest.approx(94 / 3 + 0.2, abs=1e-4)
    assert float(found["SBD + UNet"]["seed_lowest_db"]) == pytest.approx(94 / 3 - 0.5, abs=1e-4)
    assert float(found["SBD + UNet"]["seed_highest_db"]) == pytest.approx(94 / 3 + 1.1, abs=1e-4)
    assert float(found["SBD + UNet"]["difference_db"]) == pytest.approx(94 / 3 + 0.2 - 37.24, abs=1e-4)
    assert float(found["SBD + UNet"]["psnr_db u2"]) == pytest.approx(33.2, abs=1e-4)
    assert float(found["Gaussian filter"]["psnr_db"]) == pytest.approx(94 / 3 - 2, abs=1e-4)
    assert found["Gaussian filter"]["difference_db"] == ""
    assert found["PURE-LET"]["psnr_db"] == "" and found["PURE-LET"]["published_psnr_db"] == "28.36"
    assert list(found)[:4] == ["Raw", "Low-pass filter", "Adaptive Wiener filter", "VST + NLM"]


def test_few_units_have_values_but_no_interval_rank_or_letter(tmp_path):
    small_results(tmp_path, [30.0, 31.0, 33.0])
    text = tables.render(tmp_path, table_of)[tmp_path / "tables" / "sbd_table_5_1.cpu.md"].decode()
    assert "Rank" not in text and "interval |" not in text
    assert "| SBD + UNet                  | 30.20 | 31.20 | 33.20 |" in text
    assert figures(tmp_path)["SBD + UNet"]["letters"] == figures(tmp_path)["SBD + UNet"]["psnr_db_low"] == ""


def test_enough_units_have_intervals_and_ranks(tmp_path):
    values = list(np.linspace(29, 32, 12))
    small_results(tmp_path, values)
    noise = np.where(np.arange(12) % 2, 0.5, -0.5)
    add(tmp_path, levels(list(values + noise), 0.2), method="SBD + DnCNN", seed=0, tuning=None)
    found = figures(tmp_path)
    letters = {method: (row["rank"], row["letters"]) for method, row in found.items() if row["psnr_db"]}
    assert letters == {
        "SBD + UNet": ("1", "a"),
        "SBD + DnCNN": ("1", "a"),
        "Gaussian filter": ("3", "b"),
        "Raw": ("4", "c"),
    }
    assert float(found["Raw"]["psnr_db_low"]) < 5.5 < float(found["Raw"]["psnr_db_high"])
    text = tables.render(tmp_path, table_of)[tmp_path / "tables" / "sbd_table_5_1.cpu.md"].decode()
    assert "1 a |" in text and "30.70 [" in text and "of each structure" not in text


def test_the_caption_says_what_was_measured(tmp_path):
    rendered = tables.render(small_results(tmp_path, [30.0, 31.0]), table_of)
    text = rendered[tmp_path / "tables" / "sbd_table_5_1.cpu.md"].decode()
    for part in ("size cpu", "0123456789abcdef", "2 images of 2 structures", "116 e/Å²", "`sbd`", "6,000 crops"):
        assert part in text
    assert "SBD + UNet 88,448 (paper: 1.41M)" in text
    assert "Gaussian filter sigma = 8" in text


def test_a_superseded_record_is_left_out(tmp_path):
    small_results(tmp_path, [30.0, 31.0])
    add(tmp_path, levels([30.0, 31.0], -3.0), method="Gaussian filter")
    assert float(figures(tmp_path)["Gaussian filter"]["psnr_db"]) == pytest.approx(27.5)


def test_a_submission_is_in_no_table(tmp_path):
    small_results(tmp_path, [30.0, 31.0])
    before = tables.render(tmp_path, table_of)
    card = {"class": records.CARD_CLASS, "name": "Theirs"}
    scores = levels([30.0, 31.0], 5.0)
    plain = a_record(scores, method="Theirs", tuning=None)
    theirs = plain | {"denoiser": card, "denoiser_hash": recipe_hash(card)}
    records.append(tmp_path / "records", theirs, scores)
    assert tables.render(tmp_path, table_of) == before


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"data_set": {"name": "other", "recipe_hash": "f" * 16}}, "of another data set"),
        ({"split": "validation"}, "of another split"),
        ({"seed": 0, "method": "Raw", "imaging": {"counts": 1}}, "of another imaging"),
        ({"method": "Raw"}, "of the same method and seed"),
    ],
)
def test_records_that_do_not_belong_together_are_named(tmp_path, changes, reason):
    small_results(tmp_path, [30.0, 31.0])
    found = records.load(tmp_path / "records")
    scores = records.load_scores(tmp_path / "records", found)
    alien = found[1] | {"id": "e" * 64} | changes
    with pytest.raises(ValueError, match=reason) as caught:
        gather([*found, alien], scores | {alien["id"]: scores[found[1]["id"]]})
    assert "e" * 16 in str(caught.value)


def test_other_images_cannot_be_compared(tmp_path):
    small_results(tmp_path, [30.0, 31.0])
    add(tmp_path, levels([30.0, 31.0, 32.0]), method="Constant", tuning=None)
    with pytest.raises(ValueError, match="of other images"):
        tables.render(tmp_path, table_of)


def test_rendering_gives_the_same_bytes(tmp_path):
    small_results(tmp_path, list(np.linspace(29, 32, 12)))
    assert tables.render(tmp_path, table_of) == tables.render(tmp_path, table_of)
    written = tables.write(tmp_path, table_of)
    assert [path.name for path in written] == ["sbd_table_5_1.cpu.md", "sbd_table_5_1.cpu.csv"]
    assert tables.check(tmp_path, table_of) == []


def test_any_changed_byte_is_found_and_the_file_named(tmp_path):
    small_results(tmp_path, [30.0, 31.0])
    for path in tables.write(tmp_path, table_of):
        text = path.read_bytes()
        path.write_bytes(text[:-5] + b"9" + text[-4:])
        (problem,) = tables.check(tmp_path, table_of)
        assert problem.startswith(f"{path}: differs")
        path.unlink()
        (problem,) = tables.check(tmp_path, table_of)
        assert problem.startswith(f"{path}: missing")
        path.write_bytes(text)
    (tmp_path / "tables" / "by_hand.md").write_text("| method |")
    assert tables.check(tmp_path, table_of) == [f"{tmp_path}/tables/by_hand.md: no record makes this table; delete it"]


def test_altered_records_make_no_table(tmp_path):
    small_results(tmp_path, [30.0, 31.0])
    named = drop_a_record(tmp_path / "records", random.Random(0))
    with pytest.raises(ValueError, match=named[:16]):
        tables.render(tmp_path, table_of)


def test_smoke_is_rendered_anywhere_but_in_the_published_results(tmp_path, monkeypatch):
    small_results(tmp_path / "results", [30.0, 31.0], size="smoke")
    assert len(tables.render(tmp_path / "results", table_of)) == 2
    monkeypatch.setattr(tables, "__file__", str(tmp_path / "stemjax" / "tables" / "__init__.py"))
    assert tables.render(tmp_path / "results", table_of) == {}


def test_ranks_count_only_methods_that_are_better_beyond_doubt(tmp_path):
    scores = some_scores(units=12, images=1)
    for method, shift in (("A", 0.0), ("B", 0.0), ("C", -5.0)):
        shifted = [row | {"psnr_db": row["psnr_db"] + shift} for row in scores]
        add(tmp_path, shifted, method=method)
    found = records.load(tmp_path / "records")
    ranked = ranks(gather(found, records.load_scores(tmp_path / "records", found)))
    assert ranked == {"A": (1, "a"), "B": (1, "a"), "C": (3, "b")}


def test_a_grid_is_aligned_and_escaped():
    assert Grid(("a", "b"), (("x|y", "1.0"),)).markdown() == "| a    |   b |\n| ---- | --: |\n| x\\|y | 1.0 |\n"


def test_an_unfinished_experiment_stops_its_own_table_alone(tmp_path):
    small_results(tmp_path, [30.0, 31.0])
    add(tmp_path, levels([30.0]), experiment="sbd_figure_3_1", method="UNet", tuning=None, conditions={"sweep": "none"})
    assert [path.name for path in tables.write(tmp_path, table_of, "sbd_table_5_1")] == [
        "sbd_table_5_1.cpu.md",
        "sbd_table_5_1.cpu.csv",
    ]
    with pytest.raises(ValueError, match="table sbd_figure_3_1: .* run it to the end"):
        tables.write(tmp_path, table_of)
