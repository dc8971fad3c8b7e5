"""WCVD and WCID: ends of a movie, windows of frames, dead subnets, the low-pass filter, learning, odd movies."""

import json
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tifffile

from stemjax.apply import inference
from stemjax.cli import main
from stemjax.data.crops import ClipCrops
from stemjax.data.recordings import RecordedClips, RecordedMovie, open_recording
from stemjax.denoisers.low_pass import fourier_disc
from stemjax.denoisers.wcvd import WCVD
from stemjax.networks import BlindEnsemble
from stemjax.training import train
from stemjax.training.train import Optimiser, Run
from stemjax.training.validation import validation

SMALL = BlindEnsemble(kernels=(3, 5), features=2, layers=2)  # compiles in half the time
VIDEO, IMAGE = WCVD(SMALL, low_pass=0.0), WCVD(SMALL.clone(frames=1), low_pass=0.0)


def lattice(frames=10, height=24, width=30):
    """A lattice that drifts, in counts: clean and noisy float32 [T, H, W, 1]."""
    t, y, x = np.mgrid[:frames, :height, :width]
    clean = 1 + 0.9 * np.cos(2 * np.pi * (x + 0.2 * t) / 10) * np.cos(2 * np.pi * y / 8)
    noisy = np.random.default_rng(0).poisson(clean)
    return clean[..., None].astype(np.float32), noisy[..., None].astype(np.float32)


@pytest.fixture(scope="module")
def variables():
    return {denoiser: jax.jit(denoiser.init)(jax.random.key(0)) for denoiser in (VIDEO, IMAGE)}


# ---------------------------------------------------------------------------------------------------- a whole movie
def test_missing_frames_are_reflected(variables):
    _, movie = lattice(4)
    denoised = jax.jit(VIDEO.denoise)(variables[VIDEO], movie[None])[0]
    seen = np.stack([movie[list(frames)] for frames in ((1, 0, 1), (0, 1, 2), (2, 3, 2))])  # by frames 0, 1 and 3
    expected = jax.jit(VIDEO.network.apply)({"params": variables[VIDEO]["params"]}, seen)[:, 0]
    np.testing.assert_allclose(denoised[np.array([0, 1, 3])], expected, atol=1e-5)


@pytest.mark.parametrize("denoiser", [VIDEO, IMAGE], ids=["wcvd", "wcid"])
def test_windows_of_frames_give_the_movie(variables, denoiser, monkeypatch):
    _, movie = lattice(10)
    movie[6] = 3.0  # a beam that was off comes back as it is
    whole = inference.denoise_image(denoiser, variables[denoiser], movie)
    longest, apply = [0], inference._apply

    def noted(denoiser, variables, window):
        longest[0] = max(longest[0], len(window))
        return apply(denoiser, variables, window)

    monkeypatch.setattr(inference, "_apply", noted)
    monkeypatch.setattr(inference, "MEMORY", 4.5 * inference.BYTES_PER_CHANNEL * 9 * movie[0].size)
    np.testing.assert_allclose(inference.denoise_image(denoiser, variables[denoiser], movie), whole, atol=1e-5)
    assert longest[0] == 4 and (whole[6] == 3).all() and not (whole[5] == movie[5]).all()
    with pytest.raises(ValueError, match="takes whole frames: leave out tile"):
        inference.denoise_image(denoiser, variables[denoiser], movie, tile=16)


def test_short_movies_work_or_name_wcid(variables):
    _, movie = lattice(3)
    for frames in (3, 2):
        assert inference.denoise_image(VIDEO, variables[VIDEO], movie[:frames]).shape == movie[:frames].shape
    assert inference.denoise_image(IMAGE, variables[IMAGE], movie[0]).shape == movie[0].shape
    for single in (movie[:1], movie[0]):
        with pytest.raises(ValueError, match="there is only 1 frame: use wcid"):
            inference.denoise_image(VIDEO, variables[VIDEO], single)
    with pytest.raises(ValueError, match="at least 3 frames to learn from, not 2: give more frames or use wcid"):
        VIDEO.loss(variables[VIDEO], {"noisy": movie[None, :2]}, None)
    with pytest.raises(ValueError, match="takes one channel, not 2"):
        VIDEO.denoise(variables[VIDEO], np.repeat(movie[None], 2, -1))


def test_a_dead_column_is_filled_in_and_spoils_no_more_than_its_surroundings(variables):
    _, movie = lattice(4)
    dead = movie.copy()
    dead[:, :, 15] = 0
    before, after = (inference.denoise_image(VIDEO, variables[VIDEO], m) for m in (movie, dead))
    assert np.isfinite(after).all() and after[:, :, 15].any()
    changed = (before != after).any((0, 1, 3))
    assert not changed[:13].any() and not changed[18:].any() and changed[13:18].any()


# ---------------------------------------------------------------------------------------------------- dead subnets
def test_initial_subnets_are_alive_and_say_how_often_they_were_drawn():
    init = jax.jit(jax.vmap(VIDEO.init))
    drawn = init(jax.random.split(jax.random.key(0), 20))
    responses = jax.vmap(lambda p: VIDEO.network.apply({"params": p}, method="responses"))(drawn["params"])
    assert (np.asarray(responses) > 0).all()
    redrawn = np.asarray(drawn["seeding"]["redrawn"])
    assert (redrawn == 0).any() and (redrawn > 0).any()  # a first draw is dead now and then


def test_a_dead_subnet_is_seen_and_drawn_again(variables):
    _, movie = lattice(4)
    params = variables[VIDEO]["params"]
    dead = params["subnets_1"] | {
        "head": -jnp.abs(params["subnets_1"]["head"]),
        "blind_kernel": 0 * params["subnets_1"]["blind_kernel"],
    }
    broken = variables[VIDEO] | {"params": params | {"subnets_1": dead}}
    loss = jax.jit(lambda variables: VIDEO.loss(variables, {"noisy": movie[None]}, None))
    _, (_, measured) = loss(broken)
    assert measured["alive_5"] == 0 and measured["alive_3"] > 0
    mended = VIDEO.revive(broken, measured, {}, jax.random.key(1))
    _, (_, again) = loss(mended)
    assert again["alive_5"] > 0 and again["redrawn"] > measured["redrawn"]
    assert mended["params"]["subnets_0"] is broken["params"]["subnets_0"]
    assert VIDEO.revive(mended, again, {}, jax.random.key(1)) is mended


# ---------------------------------------------------------------------------------------------------- low-pass
def test_the_disc_is_a_disc_in_frequency():
    """A wave is kept whole below the cut-off and removed above it, in both directions, whatever the frame's sides."""
    y, x = np.mgrid[:48, :30]
    for along, size in ((y, 48), (x, 30)):
        for cycles in (size // 6, size // 6 + 1):
            wave = np.cos(2 * np.pi * cycles * along / size + 0.3)[..., None].astype(np.float32)
            expected = wave if cycles <= size / 6 else 0 * wave
            np.testing.assert_allclose(fourier_disc(wave, 3), expected, atol=1e-5)


def test_the_low_pass_follows_the_network(variables):
    _, movie = lattice(3)
    denoisers = [VIDEO, *(replace(VIDEO, low_pass=divisor) for divisor in (3.0, 7.0))]
    network_alone, *filtered = jax.jit(lambda v, y: [d.denoise(v, y) for d in denoisers])(variables[VIDEO], movie[None])
    for divisor, result in zip((3.0, 7.0), filtered, strict=True):
        np.testing.assert_allclose(result, fourier_disc(network_alone, divisor), atol=1e-5)
    assert WCVD().low_pass == 3
    with pytest.raises(ValueError, match="choose 1 or more, or 0 for none"):
        WCVD(low_pass=0.5)


# ---------------------------------------------------------------------------------------------------- learning
@dataclass(frozen=True)
class ToyMovie(RecordedMovie):
    """A recording whose clean movie is known."""

    def clean_images(self, data, images):
        return lattice()[0][images.frame]


def test_it_learns_from_the_noisy_movie_alone(tmp_path, monkeypatch):
    """Training, resumed on the way, and a subnet that dies at the first validation and is drawn again."""
    np.save(tmp_path / "m.npy", lattice()[1][..., 0])
    data = open_recording(tmp_path / "m.npy")
    optimiser = Optimiser(learning_rate=1e-2, schedule="cosine")
    crops = ClipCrops(size=16, frames=3, count=8)
    run = Run(VIDEO, data.recipe_hash, RecordedMovie(), crops, RecordedClips(3), optimiser, steps=60, validate_every=20)
    killed = []

    def revive(self, variables, measurements, means, key):
        killed.append(float(measurements["alive_3"]))
        last = measurements | {"alive_3": 0.0} if len(killed) == 1 else measurements
        return original(self, variables, last, means, key)

    original = WCVD.revive
    monkeypatch.setattr(WCVD, "revive", revive)
    assert train.train(run, data, tmp_path / "runs", time_limit=0).step == 1
    outcome = train.train(run, data, tmp_path / "runs")
    _, found, info = train.load_run(outcome.folder)
    log = info["log"]
    assert [event["step"] for event in log] == [1, 20, 40, 60] and len(killed) == 1  # only in the first half
    assert log[2]["redrawn"] > log[1]["redrawn"] and min(log[-1][f"alive_{k}"] for k in (3, 5)) > 0
    assert log[-1]["loss"] < 0.8 * log[0]["loss"]
    clean, noisy = lattice()
    denoised = inference.denoise_image(VIDEO, found, noisy)
    assert np.mean((denoised - clean) ** 2) < 0.3 * np.mean((noisy - clean) ** 2)
    held = jax.jit(VIDEO.denoise)(found, noisy[None, -3:])[0]
    psnr = np.mean([10 * np.log10(np.ptp(clean[-3:]) ** 2 / np.mean((held[i] - clean[i - 3]) ** 2)) for i in range(3)])
    validated = validation(replace(run, imaging=ToyMovie()), data)(found)
    assert validated["validation_psnr_db"] == pytest.approx(psnr, abs=1e-3)
    assert validated["validation_loss"] == pytest.approx(info["validation_loss"], rel=1e-4)


def test_a_movie_on_the_command_line(tmp_path, capsys):
    """Trained on integers of a frame that is not square, used on a movie of two channels, refused on one image."""
    path, runs = tmp_path / "movie.tif", ["--runs", str(tmp_path / "runs")]
    movie = lattice(7)[1][..., 0].astype(np.uint8)
    tifffile.imwrite(path, movie, imagej=True, metadata={"axes": "TYX"})
    base = ["--format", "npy", "--overwrite"]
    assert (
        main(["denoise", str(path), "--model", "wcvd", "--train", "--size", "smoke", "--steps", "2", *runs, *base]) == 0
    )
    (folder,) = (tmp_path / "runs").iterdir()
    _, variables, info = train.load_run(folder)
    denoised = np.load(tmp_path / "movie_denoised.npy")
    assert denoised.shape == movie.shape and json.loads((tmp_path / "movie_denoised.json").read_text())
    expected = inference.denoise_image(WCVD(), variables, movie[..., None].astype(np.float32))[..., 0]
    np.testing.assert_allclose(denoised, expected, atol=1e-5)
    np.save(tmp_path / "two.npy", np.stack([movie, movie[::-1]], -1))
    assert main(["denoise", str(tmp_path / "two.npy"), "--axes", "THWC", "--model", str(folder), *base]) == 0
    two = np.load(tmp_path / "two_denoised.npy")
    np.testing.assert_allclose(two[..., 0], denoised, atol=1e-5)
    np.testing.assert_allclose(
        two[..., 1],
        inference.denoise_image(WCVD(), variables, movie[::-1, ..., None].astype(np.float32))[..., 0],
        atol=1e-5,
    )
    np.save(tmp_path / "one.npy", movie[0])
    capsys.readouterr()
    for arguments, words in (
        (["--model", str(folder)], "only 1 frame: use wcid"),
        (["--model", "wcvd", "--train", *runs], "learns from 3 or more: use wcid"),
        (["--model", str(folder), "--tile", "8"], "leave out --tile"),
    ):
        assert main(["denoise", str(tmp_path / "one.npy"), *arguments, *base]) == 2
        error = capsys.readouterr().err
        assert words in error and error.count("\n") == 1
