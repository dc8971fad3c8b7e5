"""Other people's methods: a track as files for any program, and a folder of predictions back."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile

from experiments import very_noisy
from stemjax import records
from stemjax.apply.evaluate import image_set
from stemjax.cli import main
from stemjax.data import datasets
from stemjax.data.haadf_pt import HaadfImaging
from stemjax.data.images import Frames
from stemjax.leaderboard import benchmark, exchange
from stemjax.records import rebuild
from tests.toys.haadf_pt import make_toy_haadf as make_haadf
from tests.toys.track import CARD, IMAGING, contents, leaderboard_verb, make_place, predictions

RESULTS = Path(__file__).resolve().parents[2] / "results"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return make_place(tmp_path_factory.mktemp("track"))


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
    return datasets.open_data_set(root / "data" / "pt-ceo2-cpu").recipe_hash


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
    data = make_haadf(tmp_path / "data" / "haadf-pt-cpu")
    (tmp_path / "results").mkdir()
    plain = json.loads((RESULTS / "benchmark.json").read_text())
    track = next(track for track in plain["tracks"] if track["id"] == "haadf")
    track["sizes"]["cpu"]["data"] = {"haadf-pt": data.recipe_hash}
    track["sizes"]["gpu"]["data"] = {"haadf-pt": None}
    track["sizes"]["cpu"].pop("scored", None)  # pins the images of records, of which there are none here
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
    assert "make it first: stemjax simulate pt-ceo2 --size cpu --out" in capsys.readouterr().err


def test_an_export_that_fails_leaves_the_folder_as_it_was_and_a_filled_card_is_kept(place, tmp_path, capsys):
    root, out = place[0], tmp_path / "out"

    def again(*more) -> int:
        return leaderboard_verb(root, "export-track", "pt-ceo2", "--out", out, *more)

    shutil.copytree(root / "out", out)
    (out / "card.json").write_text(json.dumps(CARD))
    (out / ".DS_Store").write_bytes(b"")
    before = contents(out)
    command = ["leaderboard", "export-track", "pt-ceo2", "--out", str(out), "--results", str(root / "results")]
    assert main([*command, "--data", str(tmp_path / "nodata")]) == 2 and contents(out) == before
    assert again("--format", "npy") == 2 and contents(out) == before
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2 and "make it first" in said[0]
    assert "holds an export of pt-ceo2, cpu, tif; choose another folder for pt-ceo2, cpu, npy" in said[1]
    next(out.rglob("0001.tif")).unlink()
    assert again() == 0 and contents(out) == before
    assert capsys.readouterr().out.count("card.json: filled in, so kept as it is\n") == 1
    manifest = json.loads(before["manifest.json"])
    (part,) = manifest["parts"]
    others = {
        "holds an export of dose, cpu, tif; choose another folder for pt-ceo2": {"track": "dose"},
        "holds an export of pt-ceo2, gpu, tif; choose another folder for pt-ceo2": {"size": "gpu"},
        "of another version of the track's images": {"parts": [part | {"recipe_hash": "0" * 16}]},
        "not the manifest of an exported track": {"parts": 1},
    }
    for said, change in others.items():
        (out / "manifest.json").write_text(json.dumps(manifest | change))
        altered = contents(out)
        assert again() == 2 and said in capsys.readouterr().err and contents(out) == altered


def two_channels(place, name: str) -> SimpleNamespace:
    """A part of images [H, W, 2], as those of gold on graphene."""
    root, images = place
    noisy = np.concatenate([images.noisy, 2 * images.noisy + 1], axis=-1)[:, :-1]  # not square
    imaging = SimpleNamespace(channels=("adf", "bf"), sampling=IMAGING.sampling)
    both = replace(images, noisy=noisy, imaging=imaging)
    data = datasets.open_data_set(root / "data" / "pt-ceo2-cpu")
    record = {"size": "cpu", "data_set": {"recipe_hash": data.recipe_hash}, "imaging": {}}
    made = {"images": lambda root: (data, both), "count": lambda root: len(noisy), "unit": lambda: "counts"}
    return SimpleNamespace(name=name, record=record, validation_of="", **made)


def export_parts(place, parts, out: Path, kind: str) -> dict:
    definition = benchmark.read(place[0] / "results")
    return exchange.export_track(definition, "0" * 64, definition.tracks[0], parts, place[0] / "data", out, kind)


@pytest.mark.parametrize("kind", ["tif", "npy"])
def test_images_of_two_channels_go_out_and_come_back(place, tmp_path, kind):
    part = two_channels(place, "both")
    images, out = part.images(None)[1], tmp_path / "out"
    (described,) = export_parts(place, [part], out, kind)["parts"]
    count, height, width, _ = images.noisy.shape
    stated = {
        "tif": ([2, height, width], "channel, height, width"),
        "npy": ([height, width, 2], "height, width, channel"),
    }
    assert (described["shape"], described["axes"]) == stated[kind]
    read = tifffile.imread if kind == "tif" else np.load
    assert list(read(out / described["images"][0]["file"]).shape) == described["shape"]
    exported = exchange.check_files(out, {"both": count})["both"]
    np.testing.assert_array_equal(exchange.read_predictions(exported, images), images.noisy)
    for order, axes in {"last": (0, 1, 2), "first": (2, 0, 1)}.items():
        paths = [tmp_path / order / f"{index:04d}.{kind}" for index in range(count)]
        paths[0].parent.mkdir()
        for path, image in zip(paths, images.noisy, strict=True):
            stored = np.ascontiguousarray(image.transpose(axes))
            tifffile.imwrite(path, stored) if kind == "tif" else np.save(path, stored)
        np.testing.assert_array_equal(exchange.read_predictions(paths, images), images.noisy)
    np.save(tmp_path / "small.npy", images.noisy[0, 1:])
    with pytest.raises(ValueError, match=f"small.npy: {height - 1} x {width} x 2 instead of {height} x {width} x 2 "):
        exchange.read_predictions([tmp_path / "small.npy"], images)


def test_an_export_whose_second_part_fails_writes_nothing(place, tmp_path):
    def fail(root):
        raise OSError("no data set here")

    good, bad = two_channels(place, "good"), two_channels(place, "bad")
    bad.images = fail
    with pytest.raises(OSError, match="no data set here"):
        export_parts(place, [good, bad], tmp_path / "out", "tif")
    assert not (tmp_path / "out").exists()


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


def test_what_a_desktop_leaves_in_a_folder_is_passed_over(tmp_path):
    litter = (".DS_Store", "psnr/._0000.tif", "psnr/Thumbs.db", "desktop.ini", "__MACOSX/psnr/0000.tif")
    for name in ("psnr/0000.tif", *litter):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert exchange.check_files(tmp_path, {"psnr": 1}) == {"psnr": [tmp_path / "psnr" / "0000.tif"]}


def test_predictions_of_another_track_are_guessed(tmp_path):
    (tmp_path / "20nm").mkdir()
    counts = {"input-psnr-db-7": 3, "input-psnr-db-10": 3}
    said = "7/0000.tif: missing; the folder has 20nm, which this track does not have .* another --track or --size?"
    with pytest.raises(OSError, match=said):
        exchange.check_files(tmp_path, counts)
    with pytest.raises(OSError, match="missing; the track needs a prediction for each of 3 images in 20nm"):
        exchange.check_files(tmp_path, {"20nm": 3})


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
