"""Other people's methods: a track as files, predictions scored as the project's own, a card, a row in a local page."""

import hashlib
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile

import experiments
from experiments import very_noisy
from experiments.workspace import Workspace
from stemjax import datasets, leaderboard, records
from stemjax.batches import Imaging
from stemjax.cli import evaluate_reproduce, main
from stemjax.denoisers.gaussian import Gaussian
from stemjax.evaluate import ImageSet, denoise_all, image_set, scores
from stemjax.haadf import HaadfImaging
from stemjax.leaderboard import benchmark, entries, exchange, submissions
from stemjax.leaderboard.parts import parts_of
from stemjax.movies import Frames
from stemjax.records import rebuild
from tests.test_haadf import make as make_haadf
from tests.test_leaderboard import toy_definition
from tests.toy import make_toy

RESULTS = Path(__file__).resolve().parent.parent / "results"
IMAGING = Imaging(sampling=0.4, counts=1.8)
CARD = {
    "name": "My network",
    "authors": "A. Newcomer",
    "family": "network",
    "supervision": "self-supervised",
    "parameters": 1234,
    "code": "https://example.org/code",
    "licence": "MIT",
    "trained_on": "toy, train",
    "rules": "tuned",
    "settings": 3,
}


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> tuple[Path, ImageSet]:
    """A folder with a data set, its benchmark with the records of two rows, and an exported track; the images."""
    root = tmp_path_factory.mktemp("submissions")
    data = make_toy(root / "data" / "toy-cpu")
    images = image_set(data, datasets.Selection(), "test", 2, IMAGING)
    for method, denoiser in {"Raw": None, "Gaussian filter": Gaussian(sigma=2.0)}.items():
        denoised = images.noisy if denoiser is None else denoise_all(denoiser, {}, images.noisy)
        found = scores(denoised, images, clamp=denoiser is not None)
        facts = {
            "experiment": "sbd_table_5_1",
            "method": method,
            "denoiser": denoiser,
            "protocol": "sbd",
            "size": "cpu",
        }
        record = records.new_record(**facts, data_set=data, imaging=IMAGING, scores=found)
        records.append(root / "results" / "records", record, found)
    sizes = {"cpu": {"data": {"toy": data.recipe_hash}, "imaging": {}, "says": "toy"}}
    definition = toy_definition(sizes=sizes, methods=["Raw", "Gaussian filter"])
    (root / "results" / "benchmark.json").write_text(json.dumps(definition))
    assert leaderboard_verb(root, "export-track", "pt-ceo2", "--out", root / "out") == 0
    return root, images


def leaderboard_verb(root: Path, *arguments) -> int:
    common = ["--data", root / "data", "--results", root / "results"]
    return main(["leaderboard", *map(str, [*arguments, *common])])


def predictions(place, folder: Path, ending: str = ".tif", sigma: float = 2.0) -> Path:
    """What an outsider does: read files, filter, write files."""
    root, _ = place
    denoiser = Gaussian(sigma=sigma)
    for path in sorted((root / "out").rglob("*.tif")):
        noisy = tifffile.imread(path)
        denoised = np.asarray(denoise_all(denoiser, {}, noisy[None, ..., None]))[0, ..., 0]
        target = (folder / path.relative_to(root / "out")).with_suffix(ending)
        target.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(target, denoised) if ending == ".tif" else np.save(target, denoised)
    return folder


# ---------------------------------------------------------------------------------------------------- out
def test_exported_files_are_the_noisy_images_and_the_manifest_says_so(place, tmp_path):
    root, images = place
    assert leaderboard_verb(root, "export-track", "pt-ceo2", "--out", tmp_path / "npy", "--format", "npy") == 0
    for folder, read in ((root / "out", tifffile.imread), (tmp_path / "npy", np.load)):
        manifest = json.loads((folder / "manifest.json").read_text())
        (part,) = manifest["parts"]
        assert (part["unit"], part["recipe_hash"]) == ("electrons per pixel", images_hash(root))
        assert part["sampling_angstrom"] == pytest.approx(25 / 62, abs=1e-6)  # 62 whole pixels in the cell
        assert [entry["image"] for entry in part["images"]] == images.name
        for entry, noisy in zip(part["images"], images.noisy, strict=True):
            content = (folder / entry["file"]).read_bytes()
            assert hashlib.sha256(content).hexdigest() == entry["sha256"]
            np.testing.assert_array_equal(read(folder / entry["file"]), noisy[..., 0])


def images_hash(root: Path) -> str:
    return datasets.open_data_set(root / "data" / "toy-cpu").recipe_hash


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["export-track", "nothing", "--out", "x"], "no track named 'nothing'; there are pt-ceo2"),
        (["export-track", "pt-ceo2", "--out", "x", "--size", "gpu"], "has no size 'gpu'"),
        (["score", "nowhere", "--track", "pt-ceo2"], "nowhere: no such folder"),
    ],
)
def test_mistakes_are_said_in_a_line(place, capsys, arguments, said):
    assert leaderboard_verb(place[0], *arguments) == 2
    captured = capsys.readouterr().err
    assert said in captured and captured.count("\n") == 1


def test_a_track_without_any_record_is_exported_and_scored(tmp_path, capsys):
    data = make_haadf(tmp_path / "data" / "toy-haadf-cpu")
    (tmp_path / "results").mkdir()
    plain = json.loads((RESULTS / "benchmark.json").read_text())
    track = next(track for track in plain["tracks"] if track["id"] == "haadf")
    track["sizes"]["cpu"]["data"] = {"toy-haadf": data.recipe_hash}
    track["sizes"]["gpu"]["data"] = {"toy-haadf": None}
    track["boards"] = track["boards"][:1]
    (tmp_path / "results" / "benchmark.json").write_text(json.dumps(plain | {"tracks": [track]}))
    out = tmp_path / "out"
    assert leaderboard_verb(tmp_path, "export-track", "haadf", "--out", out) == 0
    expected = image_set(data, Frames(session=("film-20nm",)), "test", 0, HaadfImaging()).noisy
    assert len(expected) == 3 and all(
        np.array_equal(tifffile.imread(out / "20nm" / f"{index:04d}.tif"), noisy[..., 0])
        for index, noisy in enumerate(expected)
    )
    (out / "manifest.json").unlink()
    assert leaderboard_verb(tmp_path, "score", out, "--track", "haadf") == 0
    assert "the first row here" in capsys.readouterr().out
    assert leaderboard_verb(tmp_path, "export-track", "haadf", "--out", tmp_path / "x", "--size", "gpu") == 2
    assert "try --size cpu" in capsys.readouterr().err


def test_the_images_that_the_definition_names_are_those_of_the_experiment():
    track = next(track for track in benchmark.read(RESULTS).tracks if track.id == "haadf")
    for size, facts in track.sizes.items():
        assert rebuild.imaging_of({"imaging": facts["imaging"]}) == very_noisy.IMAGING
        assert facts.get("images", {}).get("per_unit", 0) == very_noisy.FRAMES_PER_MOVIE[size]
    assert [(b.where["film"], b.images["session"]) for b in track.boards] == [(f, [f]) for f in very_noisy.FILMS]


def test_without_the_data_set_the_command_that_makes_it_is_said(place, tmp_path, capsys):
    shutil.copytree(place[0] / "results", tmp_path / "results")
    assert leaderboard_verb(tmp_path, "export-track", "pt-ceo2", "--out", tmp_path / "x") == 2
    assert "make it first: stemjax simulate toy --size cpu --out" in capsys.readouterr().err


# ---------------------------------------------------------------------------------------------------- back
@pytest.mark.parametrize("ending", [".tif", ".npy"])
def test_predictions_score_as_the_projects_own_record(place, tmp_path, capsys, ending):
    folder = predictions(place, tmp_path / "mine", ending)
    (stored,) = (r for r in records.load(place[0] / "results" / "records") if r["method"] == "Gaussian filter")
    assert leaderboard_verb(place[0], "score", folder, "--track", "pt-ceo2") == 0
    said = capsys.readouterr().out
    assert f"PSNR {stored['scores']['psnr_db']:.2f} dB" in said and "not ranked: 2 structures are too few" in said


def test_faulty_predictions_are_named(place, tmp_path):
    _, images = place
    sound = predictions(place, tmp_path / "sound")

    def spoil(name: str, said: str, change) -> None:
        folder = shutil.copytree(sound, tmp_path / name)
        path = folder / "psnr" / "0001.tif"
        change(path, tifffile.imread(path))
        with pytest.raises((OSError, ValueError), match=said) as caught:
            exchange.read_predictions(exchange.check_files(folder, {"psnr": len(images)})["psnr"], images)
        assert name in str(caught.value) and "\n" not in str(caught.value)

    side = images.noisy.shape[1]
    spoil("missing", "0001.tif: missing", lambda path, image: path.unlink())
    shape = f"0001.tif: {side - 1} x {side} x 1 instead of {side} x {side} x 1"
    spoil("shape", shape, lambda path, image: tifffile.imwrite(path, image[1:]))
    spoil("nan", "0001.tif: 1 values are NaN", lambda path, image: tifffile.imwrite(path, with_nan(image)))
    spoil("flat", "0001.tif: constant", lambda path, image: tifffile.imwrite(path, np.ones_like(image)))
    spoil("more", "9999.tif: belongs to no image", lambda path, image: tifffile.imwrite(path.with_stem("9999"), image))
    spoil("twice", "a second prediction", lambda path, image: np.save(path.with_suffix(".npy"), image))


def with_nan(image: np.ndarray) -> np.ndarray:
    image[3, 4] = np.nan
    return image


def test_another_unit_is_doubted(place):
    _, images = place
    assert exchange.doubt_about_unit(images.noisy, images) == ""
    assert "is it the manifest's unit?" in exchange.doubt_about_unit(100 * images.noisy, images)


def test_channels_may_come_first(place):
    _, images = place
    pages = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_array_equal(exchange.channels_last(pages[..., None], (3, 4, 2)), np.moveaxis(pages, 0, -1))
    assert exchange.channels_last(pages, (2, 3, 4)) is pages


def test_a_manifest_of_another_data_set_is_refused(place, tmp_path, capsys):
    folder = predictions(place, tmp_path)
    manifest = json.loads((place[0] / "out" / "manifest.json").read_text())
    manifest["parts"][0]["recipe_hash"] = "0" * 16
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert leaderboard_verb(place[0], "score", folder, "--track", "pt-ceo2") == 2
    assert "psnr was exported from another data set" in capsys.readouterr().err


# ---------------------------------------------------------------------------------------------------- submit
def submitted(place, tmp_path, **changes) -> int:
    folder = predictions(place, tmp_path / "mine", sigma=3.0)
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
    data = datasets.open_data_set(root / "data" / "toy-cpu")
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
    evaluate_reproduce._train("any", "cpu", tmp_path, SimpleNamespace(folder=tmp_path / "data" / "x"), "b")
    assert trained == [("a", tmp_path), ("b", tmp_path)]


def test_a_commit_is_said_in_short():
    assert evaluate_reproduce._short("v1.0.0-2-g" + "ab" * 20) == "v1.0.0-2-gabababababab"
    assert (evaluate_reproduce._short("ab" * 20), evaluate_reproduce._short(None)) == ("ab" * 6, "unknown")


def test_what_cannot_be_made_again_is_said(place, capsys):
    record = records.load(place[0] / "results" / "records")[0]
    with pytest.raises(ValueError, match="'orientation_deg' are not made from a record; run its experiment"):
        rebuild.image_set(record | {"conditions": {"orientation_deg": 30}}, [], None)
    with pytest.raises(ValueError, match="'PhotographImaging' are not made from a record"):
        rebuild.imaging_of(record | {"imaging": {"class": "PhotographImaging"}})
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
