"""Noisy images of a user's own, with clean ones or without: how they are split, calibrated, recorded and refused."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile

import experiments
from experiments import table_of
from experiments.autoencoder import calibrated
from experiments.autoencoder import figure_6 as autoencoder_figure_6
from experiments.movie_methods import BLANK, Method
from experiments.recorder import Recorder
from experiments.workspace import Workspace
from stemjax import files, records, tables
from stemjax.apply.evaluate import image_set
from stemjax.apply.inference import denoise_image
from stemjax.cli import main
from stemjax.data.crops import MovieCrops
from stemjax.data.glyphs import GlyphImaging, Glyphs
from stemjax.data.image_folder import ImagePairs, open_image_pairs
from stemjax.data.photographs import Photographs
from stemjax.data.recordings import read_images
from stemjax.denoisers.constant import Constant
from stemjax.denoisers.gaussian import Gaussian
from stemjax.models.presets import find_preset
from stemjax.training.recipes import recorded_run

GAIN, OFFSET = 20.0, 100.0  # of the clean images over what the noisy ones show


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """25 pairs of waves, the clean ones of another gain and offset; read only."""
    folder, rng = tmp_path_factory.mktemp("user") / "beetles", np.random.default_rng(0)
    y, x = np.mgrid[:32, :32]
    for number in range(25):
        wave = 2 + np.sin(x / 3 + number) * np.cos(y / 4)
        save(folder, "noisy", number, wave + rng.normal(size=wave.shape))
        save(folder, "clean", number, GAIN * wave + OFFSET)
    return folder


def save(folder: Path, part: str, number: int, image: np.ndarray) -> None:
    (folder / part).mkdir(parents=True, exist_ok=True)
    np.save(folder / part / f"image_{number}.npy", image.astype("f4"))


def sets(data: ImagePairs):
    return (autoencoder_figure_6._image_set(data, split, "cpu") for split in ("validation", "test"))


def test_files_are_split_and_a_stack_is_not_divided(tmp_path):
    rng = np.random.default_rng(0)
    for part in ("noisy", "clean"):
        (tmp_path / part).mkdir()
        for number in range(5):
            stack = rng.normal(size=(3, 20, 24)).astype("f4")
            tifffile.imwrite(tmp_path / part / f"s{number}.tif", stack, photometric="minisblack")
    data = open_image_pairs(tmp_path)
    assert data.noisy.movie.shape == (15, 20, 24, 1)
    assert [data.rows(split).tolist() for split in ("train", "validation", "test")] == [
        [0, 1, 2, 9, 10, 11],
        [3, 4, 5],
        [6, 7, 8, 12, 13, 14],
    ]
    images = data.images("test", 4)
    assert data.names(images)[0] == "s2.tif: frame 0" and set(images.unit) == {"s2.tif", "s4.tif"}
    np.testing.assert_array_equal(data.recording("train").frame(3), data.noisy.frame(9))
    first_slice = tifffile.imread(tmp_path / "clean" / "s2.tif")[0]
    np.testing.assert_array_equal(read_images(data.clean, images)[0, ..., 0], first_slice)
    with pytest.raises(ValueError, match="a stack of 3 frames in a folder of images: give it by itself"):
        files.read_folder(tmp_path / "noisy")
    tifffile.imwrite(tmp_path / "clean/s3.tif", rng.normal(size=(2, 20, 24)).astype("f4"), photometric="minisblack")
    with pytest.raises(ValueError, match=r"s3.tif: frame 2: has no counterpart of its name in .*clean"):
        open_image_pairs(tmp_path)


def test_the_identity_is_that_of_the_pixels(folder, tmp_path):
    data = open_image_pairs(folder)
    shutil.copytree(folder, tmp_path / "elsewhere")
    copy = open_image_pairs(tmp_path / "elsewhere")
    assert copy.recipe_hash == data.recipe_hash and copy.name == "elsewhere"
    assert copy.recording("train").recipe_hash == data.recording("train").recipe_hash != data.recipe_hash
    save(tmp_path / "elsewhere", "clean", 3, np.eye(32))
    assert open_image_pairs(tmp_path / "elsewhere").recipe_hash != data.recipe_hash


def test_crops_that_are_asked_for_are_fitted_to_small_images(folder):
    noisy = open_image_pairs(folder).recording("train")
    run = recorded_run(find_preset("autoencoder").at("cpu"), "cpu", noisy, crops=MovieCrops(500, 3), early_stopping=0)
    assert run.crops == MovieCrops(32, 3) and run.early_stopping == 0


def test_a_calibration_is_found_on_validation_images_and_used_on_others(folder):
    validation, test = sets(open_image_pairs(folder))
    gain, offset = calibrated.calibration((validation.clean - OFFSET) / GAIN, validation)
    assert (gain, offset) == pytest.approx((GAIN, OFFSET), rel=1e-3)
    gaussian = calibrated.tuned_gaussian(validation, denoise_image)
    (tried,) = gaussian.tuning.values()
    assert tried["chosen"] > 1.0 and max(tried["validation_psnr_db"]) > 15 and len(test) == 10


def test_the_table_and_its_records_name_no_path(folder, tmp_path):
    data = open_image_pairs(folder)
    validation, test = sets(data)
    rows = Recorder("smoke", Workspace(results=tmp_path, experiment="autoencoder_figure_6"), data, test)
    methods = [Method(BLANK, Constant()), calibrated.tuned_gaussian(validation, denoise_image)]
    methods += [Method(label, Gaussian(width)) for label, width in (("Noise2Void", 1.5), ("Autoencoder", 1.0))]
    shown = calibrated.record_rows(rows, validation, methods, denoise_image, conditions={"folder": data.name})
    assert list(shown) == ["Noisy", "Constant", "Gaussian, tuned", "Noise2Void", "Autoencoder"]
    found = {record["method"]: record for record in records.load(tmp_path / "records")}
    psnr = {name: record["scores"]["psnr_db"] for name, record in found.items()}
    assert psnr["Noisy"] < 0 < psnr["Constant"] < psnr["Gaussian, tuned"]  # uncalibrated: another scale
    assert psnr["Constant"] < psnr["Noisy, calibrated"] < psnr["Noise2Void"]
    assert found["Noise2Void"]["data_set"] == {"name": "beetles", "recipe_hash": data.recipe_hash}
    assert str(folder.parent) not in str(found)
    (page,) = [path for path in tables.write(tmp_path, table_of, "autoencoder_figure_6") if path.suffix == ".md"]
    text = page.read_text()
    assert "0.13 noisy, 0.19 Noise2Void, 0.66 autoencoder, 0.75 CARE" in text
    assert f"beetles: {data.recipe_hash} by its contents, 10 images of 10 files" in text and "95 % intervals" in text
    panels = calibrated.panels(test, shown, [1])
    assert [panel.label for panel in panels["image_4.npy"]] == ["Clean", *shown]


def test_without_clean_images_there_is_a_picture_and_no_record(folder, tmp_path, monkeypatch, capsys):
    shutil.copytree(folder / "noisy", tmp_path / "bricks" / "noisy")
    networks = [Method("Noise2Void", Gaussian(1.0)), Method("Autoencoder", Gaussian(2.0))]
    monkeypatch.setattr(autoencoder_figure_6, "learnt", lambda *_: networks)
    workspace = Workspace(images=tmp_path / "bricks", results=tmp_path / "results")
    experiments.load("autoencoder_figure_6").run("cpu", workspace)
    assert "no clean images beside it, so there are no scores, only a picture" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "results").rglob("*.*")] == ["autoencoder_figure_6.cpu.bricks.png"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["autoencoder_figure_6"], "needs images: give --images FOLDER with noisy/ and, if there are any, clean/"),
        (["autoencoder_figure_6", "--axes", "HWC"], "--axes HWC is for images of your own: give --images, too"),
        (["autoencoder_figure_6", "--images", "."], ".: has no folder noisy: put the noisy images into noisy, and"),
        (["sbd_dose", "--images", "."], "sbd_dose takes no images of your own: leave --images out"),
        (["autoencoder_figure_6", "--photos", "."], "autoencoder_figure_6 has no photographs: leave --photos out"),
    ],
)
def test_what_does_not_fit_is_one_line(capsys, monkeypatch, arguments, words):
    monkeypatch.delenv("STEMJAX_TRACEBACK", raising=False)
    assert main(["experiment", "run", *arguments]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and err.startswith("error: ") and words in err


def test_too_few_images_are_counted(folder, tmp_path):
    for number in range(4):
        save(tmp_path, "noisy", number, np.load(folder / f"noisy/image_{number}.npy"))
    with pytest.raises(ValueError, match="noisy: 4 images are too few to learn, validate and test: give 5 or more"):
        open_image_pairs(tmp_path)


def test_characters_are_calibrated_and_tabled_in_the_same_way(tmp_path):
    """Figures 4 and 5, with filters in the place of networks."""
    rng = np.random.default_rng(0)
    images = {f"U+{n}": (255 * (rng.uniform(size=(64, 64)) < 0.2)).astype(np.uint8) for n in range(14)}
    names = tuple(images)
    splits = {"train": names[:1], "validation": names[1:3], "test": names[3:13], "strokes": names[13:]}
    data = Photographs("glyphs", images, splits)
    sets = [image_set(data, Glyphs(), split, 0, GlyphImaging()) for split in ("validation", "test", "strokes")]
    labels = ("Gaussian, tuned", "Noise2Self", "Autoencoder, one head", "Autoencoder")
    methods = [Method(BLANK, Constant()), *(Method(label, Gaussian(0.7)) for label in labels)]
    for pictures, test in zip(("characters", "strokes"), sets[1:], strict=True):
        rows = Recorder("smoke", Workspace(results=tmp_path, experiment="autoencoder_figure_4"), data, test)
        calibrated.record_rows(rows, sets[0], methods, conditions={"pictures": pictures})
    found = records.load(tmp_path / "records")
    table = table_of("autoencoder_figure_4")(found, records.load_scores(tmp_path / "records", found))
    figures = {row["method"]: row for row in table.data if row["pictures"] == "characters"}
    assert figures["Noisy"]["gain"] == "" and 0 < figures["Noisy, calibrated"]["gain"] < 1
    assert figures["Noisy"]["psnr_db"] < figures["Noisy, calibrated"]["psnr_db"] < 10
    low, ssim, high = (figures["Autoencoder"][f"ssim{end}"] for end in ("_low", "", "_high"))
    assert low < ssim < high and "Characters" in table.markdown()
