"""The leaderboard: honest ranks, a definition that stays frozen, and pages that are what the records say."""

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from stemjax import leaderboard, records
from stemjax.cli import main
from stemjax.data.datasets import recipe_hash
from stemjax.data.images import RECORDING_NOISE, TEST_NOISE, VALIDATION_NOISE
from stemjax.data.older_recipes import OLDER
from stemjax.denoisers.supervised import Supervised
from stemjax.leaderboard import benchmark, entries, pictures, ranks
from stemjax.networks import UNet
from stemjax.records import rebuild
from tests.toys.alterations import ALTERATIONS
from tests.toys.board import RECIPE, make_results, toy_definition
from tests.toys.damage import KINDS, damage
from tests.toys.records import NamedData, a_record, copy_of, some_scores

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    folder = make_results(tmp_path_factory.mktemp("board"))
    leaderboard.write(folder)
    return folder


def rankings_of(folder: Path) -> list[entries.Ranking]:
    definition, found = benchmark.read(folder), records.current(records.load(folder / "records"))
    return list(entries.rankings(definition, found, records.load_scores(folder / "records", found)))


# ---------------------------------------------------------------------------------------------------- ranks
def test_clear_differences_are_ranked_and_a_tie_is_not():
    units, rng = [f"u{i}" for i in range(20)], np.random.default_rng(0)
    shared = rng.normal(0, 3, 20)  # structures differ much, methods little: only pairing tells them apart
    scores = {
        "best": np.array([33 + shared + rng.normal(0, 0.1, 20)]),
        "one": np.array([31 + shared + rng.normal(0, 0.3, 20)]),
        "other": np.array([31.02 + shared + rng.normal(0, 0.3, 20)]),
    }
    found = ranks.rank_means(scores, units, higher_is_better=True)
    assert (found["best"].rank, found["best"].low, found["best"].high, found["best"].is_separate) == (1, 1, 1, True)
    assert {found[name].rank for name in ("one", "other")} == {2}
    assert {(found[name].low, found[name].high) for name in ("one", "other")} == {(2, 3)}
    assert found["one"].letters == found["other"].letters and not found["one"].is_separate


def test_seeds_that_spread_widen_the_range_of_ranks():
    units, rng = [f"u{i}" for i in range(20)], np.random.default_rng(1)
    noise = rng.normal(0, 0.05, 20)
    steady = np.array([30.5 + noise])
    one_seed = ranks.rank_means({"network": np.array([31.0 + noise]), "filter": steady}, units, True)
    assert one_seed["network"].is_separate and one_seed["network"].high == 1
    seeds = np.array([[level] for level in (29.0, 31.0, 33.0)]) + noise
    three = ranks.rank_means({"network": seeds, "filter": steady}, units, True)
    assert not three["network"].is_separate and (three["network"].low, three["network"].high) == (1, 2)


def test_less_is_better_for_a_dose_and_one_not_reached_is_last():
    rng = np.random.default_rng(0)
    drawn = {"low": 100 + rng.normal(0, 1, 1000), "high": 200 + rng.normal(0, 1, 1000), "never": np.full(1000, np.inf)}
    found = ranks.rank_drawn({"low": 100.0, "high": 200.0, "never": np.inf}, drawn)
    assert [found[name].rank for name in ("low", "high", "never")] == [1, 2, 3]
    tied = ranks.rank_drawn({"a": np.inf, "b": np.inf}, {"a": drawn["never"], "b": drawn["never"]})
    assert tied["a"].rank == tied["b"].rank == 1 and tied["a"].letters == tied["b"].letters


def test_too_few_units_give_values_and_no_ranks(tmp_path):
    folder = make_results(tmp_path, units=9)
    ranking = rankings_of(folder)[0]
    assert not ranking.is_ranked and all(entry.low is None for entry in ranking.entries)
    assert len(ranking.entries[0].unit_values) == 9
    page = leaderboard.render(folder)[folder / "index.html"].decode()
    assert "fewer than 10: the value of each, and no ranks" in page and ">Rank<" not in page


# ---------------------------------------------------------------------------------------------------- rows
def test_rows_are_ranked_and_missing_ones_listed(results):
    cpu, gpu = rankings_of(results)
    assert [(e.method, e.rank.rank, e.rules, e.family) for e in cpu.entries] == [
        ("SBD + UNet", 1, "fixed", "network"),
        ("Gaussian filter", 2, "tuned", "filter"),
        ("Raw", 3, "fixed", "reference"),
    ]
    assert cpu.entries[0].supervision == "supervised" and cpu.entries[1].settings == 2
    assert cpu.missing == ("VST + BM3D",) and not gpu.entries and len(gpu.missing) == 4
    rows = json.loads((results / "data.json").read_text())["rows"]
    by_status = {status: [row["method"] for row in rows if row["status"] == status] for status in ("missing", "ranked")}
    assert by_status["missing"].count("VST + BM3D") == 2 and len(by_status["ranked"]) == 3
    assert all("rank" not in row for row in rows if row["status"] in ("missing", "published"))


def test_only_what_is_separated_is_bold(results, tmp_path):
    page = (results / "index.html").read_text()
    assert "<b>Size cpu:</b> toy." in page  # what differs from the track's title is not hidden
    assert page.count('class="separate"') == 1 and "<strong>SBD + UNet</strong>" in page
    tied = leaderboard.render(make_results(tmp_path, network_db=29.9))[tmp_path / "index.html"].decode()
    assert 'class="separate"' not in tied and "a tie of 2: " in tied and "<strong>" not in tied.partition("<main")[0]


def test_one_training_is_never_bold(tmp_path):
    folder = make_results(tmp_path)
    scores = some_scores(40.0)
    facts = {
        "method": "New",
        "denoiser": Supervised(UNet(scales=2, width=4)),
        "tuning": None,
        "parameters": 9,
        "seed": 0,
    }
    records.append(folder / "records", a_record(scores, **facts), scores)
    page = leaderboard.render(folder)[folder / "index.html"].decode()
    assert rankings_of(folder)[0].entries[0].rank.is_separate
    assert 'class="separate"' not in page and "New, in its one training" in page


def test_nothing_is_bold_above_a_rival_trained_once(tmp_path):
    folder = make_results(tmp_path)
    assert 'class="separate"' in leaderboard.render(folder)[folder / "index.html"].decode()
    scores = some_scores(10.0)
    rival = {"method": "Rival", "denoiser": Supervised(UNet(scales=2, width=4)), "tuning": None, "parameters": 9}
    records.append(folder / "records", a_record(scores, **rival, seed=0), scores)
    page = leaderboard.render(folder)[folder / "index.html"].decode()
    assert rankings_of(folder)[0].entries[0].rank.is_separate
    assert 'class="separate"' not in page and "SBD + UNet, of rivals that were trained once" in page


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"data_set": NamedData(recipe_hash="f" * 16)}, "another data set, pt-ceo2 ffff"),
        ({"split": "validation"}, "on split validation"),
        ({"tuning": {"sigma": {"values": [*range(41)], "validation_psnr_db": [1.0] * 41, "chosen": 3}}}, "41 settings"),
    ],
)
def test_records_of_something_else_are_left_out_and_said(tmp_path, facts, reason):
    folder, scores = make_results(tmp_path), some_scores(50.0)
    named = records.append(folder / "records", a_record(scores, **{"method": "Wrong"} | facts), scores)
    ranking = rankings_of(folder)[0]
    assert "Wrong" not in [entry.method for entry in ranking.entries]
    assert [(record["id"], reason in why) for record, why in ranking.left_out] == [(named, True)]
    assert named[:16] in leaderboard.render(folder)[folder / "index.html"].decode()


def test_records_of_other_images_are_left_out(tmp_path):
    folder = make_results(tmp_path)
    definition = json.loads((folder / "benchmark.json").read_text())
    record = records.load(folder / "records")[0]
    (scores,) = records.load_scores(folder / "records", [record]).values()
    definition["tracks"][0]["sizes"]["cpu"]["scored"] = [entries.images_digest(record, scores)]
    (folder / "benchmark.json").write_text(json.dumps(definition))
    fewer = some_scores(50.0, images=1)
    records.append(folder / "records", a_record(fewer, method="Wrong"), fewer)
    ranking = rankings_of(folder)[0]
    assert len(ranking.entries) == 3
    assert [(r["method"], why) for r, why in ranking.left_out] == [("Wrong", "of other images than the benchmark's")]


def test_sizes_are_never_mixed(tmp_path):
    folder, scores = make_results(tmp_path, methods=["Raw"]), some_scores(50.0)
    definition = json.loads((folder / "benchmark.json").read_text())
    definition["tracks"][0]["sizes"]["gpu"]["data"]["pt-ceo2"] = RECIPE
    (folder / "benchmark.json").write_text(json.dumps(definition))
    records.append(folder / "records", a_record(scores, size="gpu"), scores)
    cpu, gpu = rankings_of(folder)
    assert [entry.method for entry in gpu.entries] == ["Gaussian filter"] and gpu.entries[0].value > 49
    assert len(cpu.entries) == 3 and all(r["size"] == "cpu" for entry in cpu.entries for r in entry.records)


def test_a_finders_threshold_is_no_setting_of_a_method(tmp_path):
    scores, tuning = (
        some_scores(29.0),
        {"threshold": {"values": [0.1] * 60, "validation_strict_surface_f1": [0.5] * 60, "chosen": 0.1}},
    )
    folder = make_results(tmp_path)
    records.append(folder / "records", a_record(scores, method="VST + BM3D", tuning=tuning), scores)
    entry = next(e for ranking in rankings_of(folder) for e in ranking.entries if e.method == "VST + BM3D")
    assert (entry.rules, entry.settings) == ("fixed", 0)


# ---------------------------------------------------------------------------------------------------- definition
def test_the_projects_definition_names_records_that_exist():
    definition = benchmark.read(ROOT / "results")
    assert {track.id for track in definition.tracks} >= {"pt-ceo2", "surface", "graphene", "movies", "haadf", "dose"}
    assert [track.id for track in definition.tracks if track.headline] == ["dose"]
    assert "first commit" in definition.held_out["rule"] and definition.budget == 40


def test_the_projects_definition_names_the_data_that_simulate_makes():
    from simulation import au_graphene, haadf_pt, hrtem_movies, pt_ceo2

    recipes = {("au-graphene", size): plan.recipe() for size, plan in au_graphene.PLANS.items()}
    recipes |= {("haadf-pt", size): plan.recipe() for size, plan in haadf_pt.PLANS.items()}
    recipes |= {(name, size): pt_ceo2.plan(name, size).recipe() for name in pt_ceo2.NAMES for size in ("cpu", "gpu")}
    for kind in hrtem_movies.KINDS:
        recipes |= {(f"movies-{kind}", size): hrtem_movies.plan(kind, size).recipe() for size in ("cpu", "gpu")}
    plain = json.loads((ROOT / "results" / "benchmark.json").read_text("utf-8"))
    for track in plain["tracks"]:
        for size, of_size in track["sizes"].items():
            for name, identity in of_size["data"].items():
                made = recipe_hash(recipes[name, size])
                # records of older recipes compete among themselves until they are made anew
                assert identity == made or (identity in OLDER and of_size["scored"]), (track["id"], size, name)
                assert made not in OLDER


def test_the_projects_definition_pins_the_images_of_its_records():
    definition = benchmark.read(ROOT / "results")
    found = entries.competing(definition, records.current(records.load(ROOT / "results" / "records")))
    scores = records.load_scores(ROOT / "results" / "records", found)
    for track in definition.tracks:
        for size, of_size in track.sizes.items():
            boards = [entries.accepted_on(definition, track, board, size, found, scores) for board in track.boards]
            pins = {entries.images_digest(one, scores[one["id"]]) for accepted in boards for one in accepted}
            assert pins == set(of_size.get("scored", ())), (track.id, size)
            for record in (one for accepted in boards for one in accepted):
                is_recorded = hasattr(rebuild.imaging_of(record), "noisy_images")
                seeds = (RECORDING_NOISE,) * 2 if is_recorded else (TEST_NOISE, VALIDATION_NOISE)
                assert (track.noise["test_seed"], track.noise["validation_seed"]) == seeds, track.id


def test_a_published_version_is_frozen(tmp_path, monkeypatch):
    plain = toy_definition() | {"published": "2026-12-01"}
    (tmp_path / "benchmark.json").write_text(json.dumps(plain))
    with pytest.raises(ValueError, match="version 1 is not as it was published"):
        benchmark.read(tmp_path)
    monkeypatch.setitem(benchmark.FROZEN, 1, benchmark.digest(plain))
    assert benchmark.read(tmp_path).published == "2026-12-01"
    for change in ({"published": None}, {"accepts": [0, 1, 2]}):  # neither can it be withdrawn
        (tmp_path / "benchmark.json").write_text(json.dumps(plain | change))
        with pytest.raises(ValueError, match="say what was wrong in errata.json"):
            benchmark.read(tmp_path)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"also": ["psnr"]}, "no score 'psnr'"),
        ({"protocol": "mine"}, "no protocol 'mine'"),
        ({"surprise": 1}, "unknown field 'surprise' of a track"),
    ],
)
def test_an_unsound_definition_is_refused(tmp_path, changes, reason):
    (tmp_path / "benchmark.json").write_text(json.dumps(toy_definition(**changes)))
    with pytest.raises(ValueError, match=reason):
        benchmark.read(tmp_path)


def test_errata_stand_on_the_page(tmp_path):
    folder = make_results(tmp_path)
    erratum = {"date": "2027-01-01", "track": "pt-ceo2", "text": "the seed was printed wrongly"}
    (folder / "errata.json").write_text(json.dumps([erratum]))
    assert "the seed was printed wrongly" in leaderboard.render(folder)[folder / "index.html"].decode()


# ---------------------------------------------------------------------------------------------------- bytes
def test_the_same_bytes_every_time_and_nothing_from_elsewhere(results):
    contents = leaderboard.render(results)
    assert contents == {path: path.read_bytes() for path in contents} and leaderboard.check(results) == []
    for path, content in contents.items():
        text = content.decode()
        assert not any(word in text for word in ("http://", "https://", "//cdn", "@import")), path


def test_a_changed_page_and_a_lost_record_are_named(results, tmp_path, capsys):
    folder = copy_of(results, tmp_path)
    (folder / "index.html").write_bytes((folder / "index.html").read_bytes().replace(b"30.", b"31.", 1))
    (folder / "leaderboard" / "old.html").write_text("")
    assert main(["leaderboard", "--results", str(folder), "--check"]) == 1
    said = capsys.readouterr().err
    assert "index.html: differs" in said and "old.html: no track has this page" in said
    lost = records.load(folder / "records")[1]  # taken out with all its traces
    for path in (folder / "records" / "index.txt", folder / "records" / "sbd_table_5_1.jsonl"):
        path.write_text("".join(line for line in path.read_text().splitlines(True) if lost["id"] not in line))
    assert any(f"record {lost['id'][:16]} is on the page" in problem for problem in leaderboard.check(folder))


def test_100_faults_in_the_records_are_found_and_named(results, tmp_path):
    names = {path.name: path for path in (results / "records").rglob("*") if path.is_file()}
    ids = [record["id"] for record in records.load(results / "records")]
    for trial in range(100):
        folder = tmp_path / str(trial)
        copy_of(results / "records", folder / "records")
        shutil.copy(results / "benchmark.json", folder)
        if trial % 2:
            wanted = [ALTERATIONS[trial // 2 % len(ALTERATIONS)](folder / "records", random.Random(trial))[:16]]
        else:
            path = names[sorted(names)[trial // 2 % len(names)]].relative_to(results)
            damage(folder / path, KINDS[trial // 2 % 3], np.random.default_rng(trial))
            wanted = [path.stem] if path.parent.name == "scores" else [name[:16] for name in ids]
        with pytest.raises(ValueError) as caught:
            leaderboard.render(folder)
        assert any(name in str(caught.value) for name in wanted), trial


def test_two_current_records_of_one_row_are_named(results, tmp_path):
    folder = copy_of(results, tmp_path)
    scores = some_scores(31.0)
    other = a_record(scores, conditions={"note": "again"})
    named = records.append(folder / "records", other, scores)
    with pytest.raises(ValueError, match="of the same method and seed") as caught:
        leaderboard.render(folder)
    assert named[:16] in str(caught.value)


def test_an_edited_picture_is_named(results, tmp_path):
    folder = copy_of(results, tmp_path)
    target = folder / pictures.FOLDER
    target.mkdir(parents=True)
    row = {"record": "f" * 64, "method": "Gone", "psnr_db": 1.0}
    row |= dict.fromkeys(("image", "residual", "spectrum"), "a.png")
    row["sha256"] = dict.fromkeys(("image", "residual", "spectrum"), "0" * 64)
    (target / "a.png").write_bytes(b"not the picture")
    (target / "pictures.json").write_text(json.dumps([{"rows": [row]}]))
    with pytest.raises(ValueError) as caught:
        leaderboard.render(folder)
    assert "there is no record ffffffffffffffff" in str(caught.value) and "a.png: edited" in str(caught.value)


def test_without_a_definition_the_command_says_so(tmp_path, capsys):
    assert main(["leaderboard", "--results", str(tmp_path)]) == 2
    assert "benchmark.json: missing; a leaderboard needs the definition" in capsys.readouterr().err


# ---------------------------------------------------------------------------------------------------- pictures
def test_pictures_share_the_clean_images_limits():
    y, x = np.mgrid[:32, :32]
    clean = 5 + np.sin(x / 2) * np.cos(y / 3)
    own, brighter = pictures.panels(clean, clean), pictures.panels(clean + 1.0, clean)
    assert (own.image.min(), own.image.max()) == (0, 255) and (own.residual == 128).all()
    assert own.spectrum.max() == 255
    assert brighter.image.mean() > own.image.mean() + 80 and (brighter.residual > 200).all()
    root = pictures.panels(clean, clean, np.sqrt).image
    assert (root.min(), root.max()) == (0, 255) and root.mean() > own.image.mean()
