"""Tables of the very noisy HAADF movies: gates, atoms, the stopping rule, inverted trainings."""

import re

import pytest

from experiments import table_of
from experiments.noise2atom import figure_5
from stemjax.config import to_config
from stemjax.denoisers.autoencoder import MultiResolutionAutoencoder
from stemjax.denoisers.noise2atom import Noise2Atom
from stemjax.networks.bottleneck import BottleneckAutoencoder
from stemjax.records.rebuild import PLAIN
from stemjax.records.schema import identity
from tests.toys.frames import template

MOVIES, FRAMES = 12, 2
# Method -> PSNR [dB], fitted PSNR [dB], F1 of atoms
METHODS = {
    "Noisy": (20.0, 20.0, 0.6),
    "Constant": (22.0, 22.0, 0.0),
    "Gaussian filter, tuned": (27.0, 27.0, 0.7),
    "Noise2Atom": (24.0, 24.5, 0.5),
    "Autoencoder": (21.0, 23.0, 0.1),
}
NETWORKS = ("Noise2Atom", "Autoencoder")


def made_up(entries: list[tuple], movies: int = MOVIES) -> tuple[list[dict], dict[str, list[dict]]]:
    """Records and scores of (method, conditions, seed, what differs in the scores); movie m has m / 100 dB more."""
    found, scores = [], {}
    for number, (method, conditions, seed, differing) in enumerate(entries):
        psnr_db, fitted, f1 = METHODS.get(method, (23.0, 23.0, 0.2))
        of_image = {"psnr_db": psnr_db, "fitted_psnr_db": fitted, "ssim": 0.5, "css": 0.6, "nrmse": 0.1}
        of_image |= {"adatom_precision": f1, "adatom_recall": f1, "adatom_f1": f1, "low_pass_correlation": 0.7}
        of_image |= differing
        units = [f"film-{movie:02d}" for movie in range(movies) for _ in range(FRAMES)]
        rows = [
            {"image": f"{unit}-{index % FRAMES}", "unit": unit}
            | of_image
            | {"psnr_db": of_image["psnr_db"] + 0.01 * (index // FRAMES)}
            for index, unit in enumerate(units)
        ]
        trained = seed is not None
        record = template() | {"id": f"{number:016d}", "method": method, "conditions": conditions, "seed": seed}
        record |= {"scores": dict(of_image), "tuning": None, "parameters": 1000 if trained else 0}
        curve = [
            {"step": step, "crops": 2 * step, "cycle": cycle, "low_frequency": 0.05, "distance": 1.0, "penalty": 0.1}
            | {"contrast": 0.5, "restarts": 0.0, "validation_psnr_db": 21.0}
            for step, cycle in ((100, 0.09), (200, 0.04))
        ]
        found.append(record | {"learning_curve": curve if trained else []})
        scores[record["id"]] = rows
    return found, scores


def every(conditions: dict, **differing) -> list[tuple]:
    return [(name, conditions, 0 if name in NETWORKS else None, differing.get(name, {})) for name in METHODS]


def test_every_film_has_a_grid_and_networks_below_the_constant_fail_the_gate():
    films = ("film-20nm", "film-50nm")
    table = table_of("noise2atom_figure_3")(*made_up([row for film in films for row in every({"film": film})]))
    assert [grid.columns[0] for grid in table.grids] == ["20 nm of carbon, as in training", "50 nm of carbon"]
    lines = {line[0]: dict(zip(table.grids[0].columns, line, strict=True)) for line in table.grids[0].rows}
    assert lines["Noise2Atom"]["better than the Gaussian by [dB]"] == "-3.00 [-3.00, -3.00]"
    assert lines["Gaussian filter, tuned"]["better than the Gaussian by [dB]"] == ""
    assert lines["Gaussian filter, tuned"]["Rank (tied)"] == "1 a" and lines["Noise2Atom"]["Rank (tied)"] == "2 b"
    assert lines["Noise2Atom"]["F1"] == "0.50 [0.50, 0.50]" and lines["Noisy"]["Parameters"] == ""
    (gate,) = [note for note in table.notes if "fail the gate" in note and note.startswith("20 nm")]
    assert "Autoencoder (-1.00 dB, +1.00 dB fitted)" in gate and "Noise2Atom" not in gate and "Gaussian" not in gate


def test_no_network_below_the_bars_leaves_nothing_to_say():
    rows = every({"film": "film-20nm"}, Autoencoder={"psnr_db": 25.0})
    assert not any("fail the gate" in note for note in table_of("noise2atom_figure_3")(*made_up(rows)).notes)


def test_few_movies_have_neither_intervals_nor_ranks():
    table = table_of("noise2atom_figure_3")(*made_up(every({"film": "film-20nm"}), movies=3))
    assert "fewer than 10: neither intervals nor ranks" in table.caption
    assert [line[3] for line in table.grids[0].rows] == [""] * len(METHODS)
    assert table.grids[0].rows[0][1] == "20.01"


def test_tunings_name_the_film_and_the_end_of_a_grid():
    found, scores = made_up(every({"film": "film-50nm"}))
    found[2]["tuning"] = {
        "sigma": {"values": [1.0, 2.0], "chosen": 2.0, "at_an_end": True},
        "threshold": {"values": [0.3], "chosen": 0.3},
    }
    (tuned,) = [
        note for note in table_of("noise2atom_figure_3")(found, scores).notes if note.startswith("Tuned for PSNR")
    ]
    assert tuned.endswith("Gaussian filter on 50 nm, sigma 2 (at an end of the values tried).")


@pytest.mark.parametrize(
    "table, conditions, heading",
    [
        (table_of("autoencoder_figure_3"), {"film": "film-50nm"}, "50 nm of carbon"),
        (table_of("autoencoder_figure_7"), {"scene": "lattice"}, "Distorted lattice"),
    ],
)
def test_the_autoencoders_figures(table, conditions, heading):
    regenerated = table(*made_up(every(conditions)))
    assert regenerated.grids[0].columns[0] == heading and "Wang et al. 2021" in regenerated.title
    assert any("trained on the squared error" in note for note in regenerated.notes)


def test_recall_beside_clusters_is_of_atoms_not_of_frames():
    counts = {"recall_near_count": 1, "recall_far_count": 4, "recall_near": 0.0, "recall_far": 0.5}
    found, scores = made_up(every({"film": "film-20nm"}, **dict.fromkeys(METHODS, counts)))
    for rows in scores.values():  # one frame has as many near atoms as all others together, all found
        rows[0].update({"recall_near_count": MOVIES * FRAMES - 1, "recall_near": 1.0})
    table = table_of("autoencoder_figure_9")(found, scores)
    data = {line["method"]: line for line in table.data}["Noise2Atom"]
    assert data["recall_near"] == pytest.approx(0.5) and data["recall_near_atoms"] == 2 * (MOVIES * FRAMES - 1)
    assert data["recall_far"] == 0.5 and data["recall_far_atoms"] == 4 * MOVIES * FRAMES


def test_the_stopping_rule_says_at_which_step_it_was_met():
    rows = [row for row in every({}) if row[0] in ("Noisy", "Constant", "Noise2Atom")]
    found, scores = made_up(rows)
    table = table_of("noise2atom_figure_1")(found, scores)
    assert re.search("rule, .*0.05 .*0.1, is met first at step 200", table.notes[0])
    assert [line[:2] for line in table.grids[0].rows] == [("100", "0.0900"), ("200", "0.0400")]
    assert not any("began anew" in note for note in table.notes)
    found[-1]["learning_curve"][1]["restarts"] = 1.0
    assert "Noise2Atom began anew after step 100" in table_of("noise2atom_figure_1")(found, scores).notes[1]
    found[-1]["learning_curve"] = found[-1]["learning_curve"][:1]
    assert "is met at no validation" in table_of("noise2atom_figure_1")(found, scores).notes[0]


def test_numbers_of_training_images_stand_beside_the_published_css():
    rows = [("Constant", {"training_images": 0}, None, {})]
    rows += [("Noise2Atom", {"training_images": count}, 0, {}) for count in (1, 50, 128)]
    rows[-1][-1]["psnr_db"] = 21.9
    table = table_of("noise2atom_figure_4")(*made_up(rows))
    assert re.search("nothing was learnt: from 128 images", table.notes[0])
    assert any("trained for 200 steps of 2 crops" in note for note in table.notes)
    lines = {line[0]: line[-1] for line in table.grids[0].rows}
    assert list(lines) == ["Constant", "Noise2Atom, 1 image", "Noise2Atom, 50 images", "Noise2Atom, 128 images"]
    assert lines["Noise2Atom, 1 image"] == lines["Noise2Atom, 50 images"] == "0.45-0.48"
    assert lines["Noise2Atom, 128 images"] == "" and lines["Constant"] == ""  # the paper has no such number


def test_inverted_trainings_and_those_that_learnt_nothing_are_counted():
    even, slope = {"background": "even"}, {"background": "gradient"}
    rows = [("Constant", even, None, {}), ("Noise2Atom", even, 0, {})]
    rows += [("Noise2Atom", even, 1, {"low_pass_correlation": -0.5, "fitted_psnr_db": 22.05})]
    rows += [("Noise2Atom", even, 2, {"fitted_psnr_db": 22.2})]
    rows += [("Constant", slope, None, {}), ("Noise2Atom", slope, 0, {"low_pass_correlation": -0.1})]
    table = table_of("noise2atom_figure_5")(*made_up(rows))
    failures = {line[0]: line[-1] for line in table.grids[0].rows}
    assert [name for name, failure in failures.items() if failure] == ["Seed 1, even"]
    for counts in ("even, .*5 : 1: 1 of 3 .* inverted, 1 learnt", "gradient, .*5 : 1: 0 of 1 .* inverted, 0 learnt"):
        assert any(re.search(counts, note) for note in table.notes)
    assert "To be recorded anew" in table.notes[0]


def test_the_channels_of_an_autoencoder_are_those_of_its_record():
    found, scores = made_up(every({"film": "film-20nm"}))
    for channels, notes in ((16, 1), (64, 0)):
        found[-1]["denoiser"] = to_config(MultiResolutionAutoencoder(BottleneckAutoencoder(channels), "mse"))
        for make in (table_of("noise2atom_figure_3"), table_of("autoencoder_figure_9")):
            table = make(found, scores)
            assert table.grids[0].rows[-1][0] == f"Autoencoder, {channels} channels"
            assert table.data[-1]["method"] == "Autoencoder"
            said = [note for note in table.notes if re.search("16 channels at its bottleneck.* 64 ", note)]
            assert len(said) == notes
    found[-1]["method"] = "Bottleneck of 64 channels"
    assert table_of("autoencoder_figure_3")(found, scores).grids[0].rows[-1][0] == "Bottleneck of 64 channels"


# ---------------------------------------------------------------------------------------------------- older weights
def mended(found: list[dict], which=lambda record: True) -> None:
    """Give records of Noise2Atom the configuration that it has today."""
    for record in found:
        if record["method"] == "Noise2Atom" and which(record):
            record["denoiser"] = to_config(Noise2Atom())


@pytest.mark.parametrize(
    "table, conditions",
    [
        (table_of("noise2atom_figure_1"), {}),
        (table_of("noise2atom_figure_3"), {"film": "film-20nm"}),
        (table_of("noise2atom_figure_4"), {"training_images": 1}),
        (table_of("autoencoder_figure_9"), {"film": "film-20nm"}),
    ],
)
def test_records_of_the_older_weights_are_named_until_they_are_recorded_anew(table, conditions):
    found, scores = made_up(every(conditions))
    (said,) = [note for note in table(found, scores).notes if "the paper weighs them alike" in note]
    assert said.startswith("Noise2Atom was trained before a correction") and "To be recorded anew" in said
    mended(found)
    assert not any("the paper weighs them alike" in note for note in table(found, scores).notes)


def test_a_table_that_is_recorded_anew_in_part_says_how_many_records_are_old():
    films = ("film-20nm", "film-50nm")
    found, scores = made_up([row for film in films for row in every({"film": film})])
    mended(found, lambda record: record["conditions"]["film"] == films[0])
    (said,) = [
        note for note in table_of("noise2atom_figure_3")(found, scores).notes if "the paper weighs them alike" in note
    ]
    assert said.startswith("Noise2Atom, in 1 of 2 records, was trained before a correction: ")


def test_trainings_with_both_weights_of_the_cycles_stand_side_by_side():
    inverted, blank = {"low_pass_correlation": -0.5, "fitted_psnr_db": 22.05}, {"fitted_psnr_db": 22.0}
    rows = []
    for conditions, failures in (({}, (inverted, inverted, blank)), ({"cycles": "1 : 1"}, (inverted, {}, {}))):
        level, slope = ({"background": background} | conditions for background in ("level", "gradient"))
        rows += [("Constant", level, None, {})]
        rows += [("Noise2Atom", level, seed, differing) for seed, differing in enumerate(failures)]
        rows += [("Constant", slope, None, {}), ("Noise2Atom", slope, 0, {})]
    found, scores = made_up(rows)
    mended(found, lambda record: "cycles" in record["conditions"])
    assert len({identity(record) for record in map(hashable, found)}) == len(found)  # none supersedes another
    table = table_of("noise2atom_figure_5")(found, scores)
    counts = "5 : 1 2 of 4 .* inverted, 3 learnt nothing.* 1 : 1 1 of 4 .* inverted, 1 learnt nothing"
    assert re.search(counts, table.notes[0])
    assert any(re.search("level, .*1 : 1: 1 of 3 .* inverted, 1 learnt", note) for note in table.notes)
    assert not any("To be recorded anew" in note for note in table.notes)
    assert [line[:2] for line in table.grids[0].rows] == [
        ("Constant, level", ""),
        *((f"Seed {seed}, level", cycles) for cycles in ("5 : 1", "1 : 1") for seed in range(3)),
        ("Constant, gradient", ""),
        *(("Seed 0, gradient", cycles) for cycles in ("5 : 1", "1 : 1")),
    ]


def hashable(record: dict) -> dict:
    return record | {"conditions": tuple(sorted(record["conditions"].items()))}


@pytest.mark.parametrize("size", ["smoke", "cpu", "gpu"])
def test_new_trainings_say_the_weights_of_their_cycles(size):
    conditions = figure_5._conditions(size, "level")
    assert conditions == {"background": "level", "cycles": "1 : 1"} and set(conditions) <= PLAIN
