"""`stemjax denoise --train`: a movie denoised by a network that learnt from it, used again, and continued."""

import json
import weakref
from functools import partial

import jax
import numpy as np
import pytest

from stemjax.cli import main
from stemjax.data.recordings import Recording, open_recording
from stemjax.models import presets
from stemjax.training.recipes import (
    AUTOENCODER_TRAINING,
    CLIP_TRAINING,
    NOISE2ATOM_TRAINING,
    holds_out_pixels,
    recorded_run,
)
from stemjax.training.train import load_run
from tests.toys.movies import FRAMES, SIDE, a_movie, save

pytestmark = pytest.mark.usefixtures("tiny_networks")


def denoise(path, *arguments, axes="TCHW") -> int:
    axes = ["--axes", axes] if axes else []
    return main(["denoise", str(path), *map(str, arguments), *axes, "--format", "npy", "--overwrite"])


def train(path, *arguments, steps=6, **options) -> int:
    more = ["--train"] if "--fine-tune" not in arguments else []
    runs = ["--runs", path.parent / "runs", "--size", "smoke", "--steps", steps]
    return denoise(path, *arguments, *more, *runs, **options)


def result(path) -> np.ndarray:
    return np.load(path.with_name(path.stem + "_denoised.npy"))


@pytest.fixture(scope="module")
def trained(tiny_networks, tmp_path_factory):
    """A movie, the run that learnt from it and what that made of it: to be read only."""
    path = save(tmp_path_factory.mktemp("movie") / "dual.tif", a_movie())
    assert train(path) == 0
    (folder,) = (path.parent / "runs").iterdir()
    return path, folder, result(path)


def test_a_movie_is_trained_on_and_denoised(trained, tmp_path, capsys):
    path, folder, denoised = trained
    run, _, info = load_run(folder)
    assert denoised.shape == (FRAMES, SIDE, SIDE, 2) and np.isfinite(denoised).all()
    assert run.steps == 6 and run.denoiser.network.channels_out == 2 and run.crops.size == 32
    assert "validation_loss" in info and "validation_psnr_db" not in info
    provenance = json.loads(path.with_name("dual_denoised.json").read_text())["provenance"]
    assert provenance["model"] == str(folder) and provenance["model_digest"] == info["digest"]
    assert main(["models", "show", str(folder), "--results", str(tmp_path)]) == 0
    card = capsys.readouterr().out
    assert (
        f"Best at step {info['step']}: validation loss 0." in card
        and "channel 0 and channel 1, denoised together" in card
    )


def test_the_run_is_used_again_and_gives_the_same(trained, tmp_path):
    path, folder, denoised = trained
    assert denoise(path, "--model", folder, "--out", tmp_path) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "dual_denoised.npy"), denoised)


def test_channels_are_seen_together_and_frames_are_normalised_together(trained, tmp_path):
    path, folder, denoised = trained
    run, variables, _ = load_run(folder)
    movie = a_movie()
    scale = 4 * movie.std((0, 1, 2))
    norm = {"offset": movie.mean((0, 1, 2))[None, None, None], "scale": scale[None, None, None]}
    expected = run.denoiser.denoise(variables | {"normalisation": norm}, movie)
    np.testing.assert_allclose(denoised / scale, expected / scale, atol=1e-4)
    changed = movie.copy()
    changed[0, ..., 1] = changed[1, ..., 1]  # the second channel of one frame, statistics almost as before
    assert denoise(save(tmp_path / "m.tif", changed), "--model", folder) == 0
    difference = np.abs(result(tmp_path / "m.tif") - denoised)[..., 0].mean((1, 2))
    assert difference[0] > 10 * difference[1:].max()


def test_an_old_run_is_continued(trained, tmp_path, capsys):
    path, folder, _ = trained
    other = save(tmp_path / "other.tif", a_movie(seed=1))
    assert train(other, "--fine-tune", folder) == 0
    (found,) = (tmp_path / "runs").iterdir()
    (run, variables, _), (old, before, info) = load_run(found), load_run(folder)
    assert (
        run.initial == info["digest"] and run.denoiser == old.denoiser and f"model: {found}" in capsys.readouterr().out
    )
    fresh = run.denoiser.init(jax.random.key(0), np.zeros((1, 16, 16, 2), np.float32))

    def distance(a, b):
        leaves = zip(*(jax.tree.leaves(v["params"]) for v in (a, b)), strict=True)
        return sum(float(np.square(np.asarray(x) - np.asarray(y)).sum()) for x, y in leaves)

    assert 0 < distance(variables, before) < 0.2 * distance(variables, fresh)


def test_one_channel_takes_the_single_network_and_a_stop_is_gone_on_from(tmp_path, capsys):
    path = save(tmp_path / "one.tif", a_movie(1))
    assert train(path, "--time-limit", 0, axes=None) == 0
    out = capsys.readouterr().out
    assert "training noise2void-single on " in out and "7 of 8 frames" in out
    assert "stopped at step 1 of 6 (time limit)" in out and not path.with_name("one_denoised.npy").exists()
    assert train(path, axes=None) == 0
    assert "finished at step 6 of 6; best at step" in capsys.readouterr().out
    assert result(path).shape == (FRAMES, SIDE, SIDE)
    (folder,) = (tmp_path / "runs").iterdir()
    assert [json.loads(line)["step"] for line in (folder / "log.jsonl").read_text().splitlines()] == list(range(1, 7))
    assert load_run(folder)[0].denoiser.network.channels_out == 1
    # A network of one channel takes each channel of another movie as a movie of its own.
    assert denoise(save(tmp_path / "two.tif", a_movie()), "--model", folder) == 0
    assert result(tmp_path / "two.tif").shape == (FRAMES, SIDE, SIDE, 2)


@pytest.mark.parametrize("name", ["laine", "self2self", "movie-autoencoder", "udvd"])
def test_other_methods_take_their_own_recipe_with_crops_that_fit(tmp_path, name):
    """Channels are movies by themselves; Self2Self learns from all frames, and UDVD needs five."""
    movie = a_movie(frames=12)[:, :40]
    np.save(tmp_path / "m.npy", movie)
    data, denoiser = open_recording(tmp_path / "m.npy", "THWC"), presets.PRESETS[name].at("cpu")
    learnt = {"self2self": 12, "udvd": 12}.get(name, 11)
    for size in ("smoke", "cpu", "gpu"):
        recipe = CLIP_TRAINING[type(denoiser)]["gpu" if size == "gpu" else "cpu"]
        run = recorded_run(denoiser, size, data)
        assert run.optimiser == recipe["optimiser"] and run.crops.flip == recipe["crops"].flip
        assert run.steps == (6 if size == "smoke" else recipe["steps"])
        assert len(run.selection.images(data, "train")) == learnt
        noisy = run.imaging.device_arrays(data, run.selection.images(data, "validation"))
        batch = jax.eval_shape(partial(run.crops.batch, band=None, imaging=run.imaging), noisy, jax.random.key(0), 0)
        count, length, height, width, channels = batch["noisy"].shape
        assert height <= 40 and width <= SIDE and channels == 1 and length == (5 if name == "udvd" else 1)
    np.save(tmp_path / "short.npy", movie[:4])
    short = open_recording(tmp_path / "short.npy", "THWC")
    if name == "udvd":
        with pytest.raises(ValueError, match="short.npy: 4 frames, but the model learns from 5 or more: use wcid"):
            recorded_run(denoiser, "cpu", short)
    else:
        assert recorded_run(denoiser, "cpu", short).crops.frames == 1


@pytest.mark.parametrize(
    ("name", "training"), [("noise2atom", NOISE2ATOM_TRAINING), ("autoencoder", AUTOENCODER_TRAINING)]
)
def test_methods_of_single_images_take_their_own_recipe(tmp_path, name, training):
    np.save(tmp_path / "m.npy", a_movie(frames=3)[..., :1])
    run = recorded_run(presets.find_preset(name).at("cpu"), "cpu", open_recording(tmp_path / "m.npy", "THWC"))
    assert (run.optimiser, run.steps) == (training["cpu"]["optimiser"], training["cpu"]["steps"])
    assert run.crops.count == training["cpu"]["crops"].count and run.crops.size == SIDE
    assert not holds_out_pixels(run.denoiser) and holds_out_pixels(presets.find_preset("noise2self").denoiser)


@pytest.mark.parametrize("suffix", ["tif", "npy"])
def test_frames_are_never_all_in_memory(tmp_path, monkeypatch, suffix):
    """Three frames at a time would do; the movie has 40."""
    path = tmp_path / "long.npy"
    np.save(path, a_movie(1, frames=40)[..., 0])
    alive, most, read = [], [0], Recording.frame

    def frame(self, index):
        found = read(self, index).copy()
        alive.append(weakref.ref(found))
        most[0] = max(most[0], sum(ref() is not None for ref in alive))
        return found

    monkeypatch.setattr(Recording, "frame", frame)
    assert main(["denoise", str(path), "--model", "gaussian", "--format", suffix]) == 0
    assert len(alive) >= 80 and most[0] <= 4


# ---------------------------------------------------------------------------------------------------- refusals
def spoilt(kind: str) -> tuple[np.ndarray, str]:
    movie, axes = a_movie(), "TCHW"
    if kind == "nan":
        movie[5, 3, 4, 1] = np.nan
    elif kind == "dead":
        movie[2, ..., 0] = 7.0
    elif kind == "swapped":
        axes = "THWC"
    elif kind == "one channel":
        movie, axes = movie[..., :1], None
    return movie, axes


@pytest.mark.parametrize(
    ("kind", "how", "words"),
    [
        ("nan", "train", ("frame 5: 1 of 4608 pixels", "H=3, W=4, C=1", "--fill-nonfinite")),
        ("nan", "apply", ("frame 5: 1 of 4608 pixels", "--fill-nonfinite")),
        ("dead", "train", ("frame 2, channel 0 is constant (7)", "save the movie without it")),
        ("swapped", "train", ("axes seem to be swapped", "--axes TCHW")),
        ("swapped", "apply", ("axes seem to be swapped", "--axes TCHW")),
        ("one channel", "apply", ("1 channel, but", "denoises 2 together", "--axes")),
        ("one channel", "fine-tune", ("1 channel, but", "is for 2 (channel 0, channel 1)", "--train")),
    ],
)
def test_a_bad_movie_is_one_line_with_the_fix(trained, tmp_path, capsys, kind, how, words):
    movie, axes = spoilt(kind)
    path = save(tmp_path / "bad.tif", movie)
    calls = {
        "train": lambda: train(path, axes=axes),
        "fine-tune": lambda: train(path, "--fine-tune", trained[1], axes=axes),
        "apply": lambda: denoise(path, "--model", trained[1], axes=axes),
    }
    assert calls[how]() == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1 and printed.err.startswith(f"error: {path}")
    assert all(word in printed.err for word in words), printed.err
    assert [found.name for found in tmp_path.iterdir()] == ["bad.tif"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--train", "--model", "sbd-dncnn"), "does not learn from noisy images alone: train noise2void"),
        (("--train", "--model", "gaussian"), "gaussian is a filter, with nothing to train"),
        (("--train", "--model", "noise2void-single"), "2 channels, but noise2void-single is for one"),
        (("--train", "--bin", "2"), "--bin does not go with training"),
        (("--train", "--steps", "0"), "--steps must be at least 1"),
        (("--steps", "5"), "belong to a training: add --train"),
        (("--fine-tune", "runs/x", "--train"), "leave out --model and --train"),
        (("--fine-tune", "absent"), "absent: not a run"),
    ],
)
def test_options_that_contradict_each_other(trained, tmp_path, capsys, arguments, words):
    path = save(tmp_path / "m.tif", a_movie())
    assert denoise(path, *arguments, "--runs", tmp_path / "runs") == 2
    err = capsys.readouterr().err
    assert words in err and err.count("\n") == 1


def test_a_model_in_the_place_of_a_file(tmp_path, capsys):
    assert main(["denoise", "--train", "autoencoder", str(save(tmp_path / "m.tif", a_movie()))]) == 2
    assert capsys.readouterr().err == "error: autoencoder is a model, not a file: say --model autoencoder\n"
