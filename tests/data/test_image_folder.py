"""Folders of images, grey or RGB, and stacks larger than the memory: read piece by piece, trained on, refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from skimage import io

from stemjax import files
from stemjax.cli import main
from stemjax.data import recordings
from stemjax.data.image_folder import RecordedPatches, open_pairs
from stemjax.data.recordings import RecordedFrames, RecordedImaging, Recording, open_recording
from stemjax.models import presets
from stemjax.training.recipes import recorded_run
from stemjax.training.train import load_run

SIDE = 40
OPAQUE = "images have an opaque alpha channel, which is left out"


pytestmark = pytest.mark.usefixtures("tiny_networks")


def an_image(number=0, channels=1, side=SIDE) -> np.ndarray:
    """uint8 [side, side] or [side, side, 3]."""
    rng = np.random.default_rng(number)
    y, x = np.mgrid[:side, :side]
    clean = 120 + 60 * np.cos(x / 2 + number) * np.sin(y / 2)
    image = clean[..., None] + rng.normal(size=(side, side, channels)) * 15
    return (image[..., 0] if channels == 1 else image).clip(0, 255).astype(np.uint8)


def save(path, image):
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, image)
    elif path.suffix == ".tif":
        tifffile.imwrite(path, image, photometric="rgb" if image.shape[-1] == 3 else "minisblack")
    else:
        io.imsave(path, image, check_contrast=False)


def a_folder(folder, count=6, ending="png", channels=1):
    for number in range(count):
        save(folder / f"frame_{number}.{ending}", an_image(number, channels))
    return folder


def denoise(folder, *arguments) -> int:
    runs = ["--runs", str(folder.parent / "runs"), "--size", "smoke", "--steps", "4"] if "--train" in arguments else []
    return main(["denoise", str(folder), *map(str, arguments), *runs, "--format", "npy"])


# ---------------------------------------------------------------------------------------------------- reading
@pytest.mark.parametrize("ending", ["png", "tif", "npy"])
def test_the_images_are_frames_in_the_order_of_their_numbers(tmp_path, ending):
    folder = a_folder(tmp_path / "f", 11, ending)
    (folder / "notes.txt").write_text("not an image")
    (folder / ".hidden.png").write_text("nor this")
    np.save(folder / "frame_1_denoised.npy", np.zeros((5, 5)))
    data = open_recording(folder)
    assert data.movie.shape == (11, SIDE, SIDE, 1) and [path.stem[6:] for path in data.movie.paths] == list(
        map(str, range(11))
    )
    np.testing.assert_array_equal(data.frame(10)[..., 0], an_image(10))
    assert data.frame(10).dtype == np.float32
    again = open_recording(a_folder(tmp_path / "again", 11, "npy"))
    assert again.recipe_hash == data.recipe_hash  # of the pixels, whatever the format
    save(folder / f"frame_4.{ending}", an_image(40))
    assert open_recording(folder).recipe_hash != data.recipe_hash


@pytest.mark.parametrize("ending", ["png", "tif", "npy"])
def test_rgb_is_three_channels(tmp_path, ending):
    data = open_recording(a_folder(tmp_path / "f", 3, ending, 3), "HWC")
    np.testing.assert_array_equal(data.frame(2), an_image(2, 3))


def test_pairs(tmp_path):
    noisy, clean = a_folder(tmp_path / "low"), a_folder(tmp_path / "GT", 6)
    pair = open_pairs(noisy, clean)
    assert [data.path for data in pair] == [noisy, clean]
    (clean / "frame_3.png").unlink()
    with pytest.raises(ValueError, match=r"frame_3.png: has no counterpart of its name in .*GT"):
        open_pairs(noisy, clean)
    small = a_folder(tmp_path / "small", 5)
    for path in small.iterdir():
        save(path, io.imread(path)[:20])
    with pytest.raises(ValueError, match="pairs of unlike size, 40 x 40 x 1 and 20 x 40 x 1: scale one of them"):
        open_pairs(a_folder(tmp_path / "large", 5), small)


# ---------------------------------------------------------------------------------------------------- pieces
def test_pieces_of_a_stack_are_all_that_is_read(tmp_path, monkeypatch):
    stack = np.random.default_rng(0).normal(size=(20, 50, 70)).astype("f4")
    np.save(tmp_path / "stack.npy", stack)
    data, read, plain = open_recording(tmp_path / "stack.npy"), [], recordings.files.to_float32
    monkeypatch.setattr(files, "to_float32", lambda array: read.append(array.size) or plain(array))
    chosen = RecordedPatches(side=16, budget=10.5 * 4 * 16 * 16)
    train, validation = (chosen.images(data, split) for split in ("train", "validation"))
    assert len(train) == 10 and len(validation) == 10 and set(validation.frame) == {9, 19}
    assert not {9, 19} & set(train.frame) and len(set(train.frame)) > 5
    arrays = RecordedImaging().device_arrays(data, train)
    assert read == [16 * 16] * 10
    for piece, frame, (y, x) in zip(np.asarray(arrays["noisy"]), train.frame, train.corner, strict=True):
        np.testing.assert_array_equal(piece[..., 0], stack[frame, y : y + 16, x : x + 16])
    every = RecordedPatches(side=16).images(data, "train")
    assert len(every) == 18 * 3 * 4 and len(set(every.names(data))) == len(every)
    corners = every.corner[every.frame == 0]
    apart = np.abs(corners[:, None] - corners).max(-1)[~np.eye(len(corners), dtype=bool)]
    assert apart.min() >= 16 and (corners.max(0) == (34, 54)).all()  # side by side, from edge to edge


def test_pieces_of_one_image_are_for_one_split_alone(tmp_path):
    np.save(tmp_path / "brick.npy", np.random.default_rng(0).normal(size=(100, 90, 3)).astype("f4"))
    data = open_recording(tmp_path / "brick.npy", "HWC")
    train, validation = (RecordedPatches(20).images(data, split) for split in ("train", "validation"))
    assert len(train) == 18 and len(validation) == 2
    assert not {tuple(c) for c in train.corner.tolist()} & {tuple(c) for c in validation.corner.tolist()}
    with pytest.raises(ValueError, match="100 x 90 pixels have no piece of 95"):
        RecordedPatches(95).images(data, "train")
    with pytest.raises(ValueError, match="one piece of 80 pixels, none is left to validate with"):
        RecordedPatches(80).images(data, "train")


def test_a_stack_larger_than_the_budget_is_learnt_from_in_pieces(tmp_path):
    """1000 frames of 1024² are 4 GB; here they are one frame, seen a thousand times."""
    frame = np.random.default_rng(0).normal(size=(1024, 1024, 1)).astype("f4")
    large = Recording(tmp_path / "large.npy", np.broadcast_to(frame, (1000, 1024, 1024, 1)), "0" * 16)
    denoiser = presets.PRESETS["noise2void-single"].at("cpu")
    run = recorded_run(denoiser, "cpu", large)
    assert run.selection == RecordedPatches(2 * run.crops.size)
    assert recorded_run(denoiser, "cpu", replace(large, movie=large.movie[:100])).selection == RecordedFrames()


# ---------------------------------------------------------------------------------------------------- the commands
def test_a_folder_is_trained_on_denoised_and_used_again(tmp_path, capsys):
    folder = a_folder(tmp_path / "photos")
    assert denoise(folder, "--train") == 0
    out = capsys.readouterr().out
    assert "5 of 6 frames" in out and str(tmp_path / "photos_denoised.npy") in out
    denoised = np.load(tmp_path / "photos_denoised.npy")
    assert denoised.shape == (6, SIDE, SIDE) and np.isfinite(denoised).all()
    (run,) = (tmp_path / "runs").iterdir()
    assert denoise(folder, "--model", run, "--out", tmp_path / "again.npy") == 0
    np.testing.assert_array_equal(np.load(tmp_path / "again.npy"), denoised)
    about = json.loads((tmp_path / "again.json").read_text())
    save(folder / "frame_5.png", an_image(50))
    assert denoise(folder, "--model", "gaussian", "--overwrite") == 0
    changed = json.loads((tmp_path / "photos_denoised.json").read_text())
    assert about["provenance"]["source_sha256"] != changed["provenance"]["source_sha256"]


def test_train_takes_a_folder_of_rgb_images(tmp_path, capsys):
    folder, runs = a_folder(tmp_path / "bricks", 3, "tif", 3), tmp_path / "runs"
    common = ["--data", str(folder), "--size", "smoke", "--runs", str(runs), "--axes", "HWC"]
    assert main(["train", "noise2void", *common]) == 0
    assert "use it: stemjax denoise IMAGE --model" in capsys.readouterr().out
    (run,) = runs.iterdir()
    assert load_run(run)[0].denoiser.network.channels_out == 3
    assert denoise(a_folder(tmp_path / "grey"), "--model", run) == 2
    assert "1 channel, but" in capsys.readouterr().err
    assert main(["train", "noise2void", *common, "--rematerialise"]) == 2
    assert "--rematerialise is for data sets: leave it out" in capsys.readouterr().err


def spoil(folder, kind: str) -> str:
    """Make a folder that cannot be used; returns which of its entries is to blame."""
    a_folder(folder)
    culprit = "frame_3.png"
    match kind:
        case "mixed sizes":
            save(folder / culprit, an_image(3, side=41))
        case "rgb among grey":
            save(folder / culprit, an_image(3, 3))
        case "grey among rgb":
            for number in (0, 1, 2, 4, 5):
                save(folder / f"frame_{number}.png", an_image(number, 3))
        case "rgb":
            culprit = "frame_0.png"
            for number in range(6):
                save(folder / f"frame_{number}.png", an_image(number, 3))
        case "alpha":
            save(folder / culprit, np.stack([an_image(3), an_image(4)], axis=-1))
        case "alpha beside rgb":
            for number in range(6):
                image = np.full((SIDE, SIDE, 4), 255, np.uint8)
                image[..., :3] = an_image(number, 3)
                image[0, 0, 3] -= number == 3
                save(folder / f"frame_{number}.png", image)
        case "constant":
            save(folder / culprit, np.full((SIDE, SIDE), 7, np.uint8))
        case "few":
            culprit = ""
            for number in range(3, 6):
                (folder / f"frame_{number}.png").unlink()
        case "none":
            culprit = ""
            for number in range(6):
                (folder / f"frame_{number}.png").rename(folder / f"frame_{number}.txt")
        case "nan":
            culprit = "frame_7.npy"
            image = an_image(7).astype("f4")
            image[3, 4] = np.nan
            np.save(folder / culprit, image)
        case "damaged":
            (folder / culprit).write_bytes((folder / culprit).read_bytes()[:40])
        case "a stack":
            culprit = "frame_7.npy"
            np.save(folder / culprit, np.stack([an_image(n) for n in range(6)]))
    return str(folder / culprit) if culprit else str(folder)


@pytest.mark.parametrize("verb", ["denoise", "train"])
@pytest.mark.parametrize(
    ("kind", "arguments", "words"),
    [
        ("mixed sizes", (), "41 x 41 pixels, but frame_0.png has 40 x 40 pixels: keep images of one size in a folder"),
        (
            "rgb among grey",
            (),
            "has 3 channels where the others (frame_0.png) have 1: convert it to grey or take it out",
        ),
        ("rgb among grey", ("--axes", "HWC"), "has 3 channels where the others (frame_0.png) have 1: convert it to"),
        ("grey among rgb", ("--axes", "HWC"), "has 1 channel where the others (frame_0.png) have 3: convert it to RGB"),
        ("alpha", (), "has an alpha channel (transparency): save it without alpha"),
        ("alpha beside rgb", ("--axes", "HWC"), "has an alpha channel (transparency): save it without alpha"),
        ("rgb", (), "looks like RGB, 3 axes of 40 x 40 x 3: say --axes HWC"),
        ("rgb", ("single", "--axes", "HWC"), "3 channels, but noise2void-single is for one: train noise2void"),
        ("constant", (), "is constant (7), as from a beam that was off; take it out of the folder"),
        ("few", ("udvd",), "3 frames, but the model learns from 5 or more: use wcid"),
        ("none", (), "without images; give one that has some (.npy, .tif"),
        ("nan", (), "1 of 1600 pixels (0.062 %) are NaN or infinite, the first at H=3, W=4; --fill-nonfinite fills"),
        ("damaged", (), "cannot be read as an image and may be damaged; save it again, or take it out of its folder"),
        ("a stack", (), "a stack of 6 frames in a folder of images: give it by itself"),
    ],
)
def test_an_unusable_folder_is_one_line_with_the_file_and_the_fix(tmp_path, capsys, verb, kind, arguments, words):
    culprit = spoil(tmp_path / "f", kind)
    model = {"single": "noise2void-single", "udvd": "udvd"}.get(arguments[0] if arguments else "", "noise2void")
    arguments = [word for word in arguments if word not in ("single", "udvd")]
    if verb == "denoise":
        assert denoise(tmp_path / "f", "--train", "--model", model, *arguments) == 2
    else:
        common = ["--data", str(tmp_path / "f"), "--runs", str(tmp_path / "runs"), "--size", "smoke"]
        assert main(["train", model, *common, *arguments]) == 2
        words = "no finished data set here, and no images; put images into it, or make" if kind == "none" else words
        words = words.replace("--fill-nonfinite fills", "mend that file or take it out of the folder")
    err = capsys.readouterr().err.replace(f"warning: {tmp_path / 'f'}: {OPAQUE}\n", "")
    assert "pip install" not in err
    start = culprit if "channels, but" not in words else str(tmp_path / "f")
    assert err.count("\n") == 1 and err.startswith(f"error: {start}") and words in err, err
    assert not (tmp_path / "f_denoised.npy").exists() and not (tmp_path / "runs").exists()


@pytest.mark.parametrize(("channels", "axes"), [(1, None), (3, "HWC")])
def test_an_opaque_alpha_channel_is_left_out_and_said(tmp_path, capsys, channels, axes):
    for number in range(2):
        image = an_image(number, channels).reshape(SIDE, SIDE, channels)
        opaque = np.concatenate([image, np.full((SIDE, SIDE, 1), 255, np.uint8)], axis=-1)
        save(tmp_path / "f" / f"frame_{number}.png", opaque)
    data = open_recording(tmp_path / "f", axes)
    assert capsys.readouterr().err == f"warning: {tmp_path / 'f'}: {OPAQUE}\n"
    np.testing.assert_array_equal(data.frame(1), an_image(1, channels).reshape(SIDE, SIDE, channels))


def test_a_folder_that_is_missing_is_called_so(tmp_path, capsys):
    assert main(["train", "noise2void", "--data", str(tmp_path / "nowhere"), "--axes", "HWC"]) == 2
    assert "nowhere: missing; make a data set with `stemjax simulate`, or give images" in capsys.readouterr().err
    assert main(["train", "sbd-dncnn", "--data", str(tmp_path / "nowhere")]) == 2
    assert "nowhere: missing; make a data set" in capsys.readouterr().err


def test_an_unfinished_data_set_is_no_folder_of_images(tmp_path, capsys):
    (tmp_path / "set" / "markers").mkdir(parents=True)
    np.save(tmp_path / "set" / "background.npy", an_image())
    assert main(["train", "noise2void", "--data", str(tmp_path / "set")]) == 2
    assert "no finished data set here" in capsys.readouterr().err
