"""`stemjax doctor noise`: what it says of files, and that `stemjax doctor` alone is what it was."""

import numpy as np
import pytest
import tifffile
from skimage.io import imread

from stemjax.cli import main

Y, X = np.mgrid[:96, :96]
RATE = 2 * (0.45 + 0.15 * np.cos(2 * np.pi * X / 24) * np.cos(2 * np.pi * Y / 21))


@pytest.fixture(autouse=True)
def no_cache(monkeypatch):
    monkeypatch.setenv("STEMJAX_CACHE", "")


@pytest.fixture
def counts() -> np.ndarray:
    return np.random.default_rng(0).poisson(RATE, (20, 96, 96))


def test_a_counted_movie_is_poisson(tmp_path, counts, capsys):
    np.save(tmp_path / "movie.npy", counts.astype(np.uint8))
    assert main(["doctor", "noise", str(tmp_path / "movie.npy"), "--png", str(tmp_path / "noise.png")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{tmp_path / 'movie.npy'}: Poisson" and "20 frames of 9,216 pixels" in lines[2]
    assert lines[-2:] == ["[95 % interval] (electron counting)", str(tmp_path / "noise.png")]
    assert imread(tmp_path / "noise.png").shape[0] > 900


def test_a_camera_is_found_out(tmp_path, counts, capsys):
    noisy = 5 * counts + 100 + 2 * np.random.default_rng(1).normal(size=counts.shape)
    tifffile.imwrite(tmp_path / "movie.tif", np.rint(noisy).astype(np.uint16))
    assert main(["doctor", "noise", str(tmp_path / "movie.tif")]) == 0
    out = capsys.readouterr().out
    assert ": under-dispersed\n" in out and "below 1e-12 (above 0.01)" in out
    said = {line.split()[0]: float(line.split()[1]) for line in out.splitlines() if line.startswith(("Gain", "Offset"))}
    assert said["Gain"] == pytest.approx(5, rel=0.1) and said["Offset"] == pytest.approx(100, abs=1.5)


def test_negative_values_are_said_first_to_be_no_counts(tmp_path, counts, capsys):
    np.save(tmp_path / "movie.npy", (counts - 0.9).astype(np.float32))
    assert main(["doctor", "noise", str(tmp_path / "movie.npy")]) == 0
    first, second, *_ = capsys.readouterr().out.splitlines()
    share = 100 * (counts == 0).mean()
    assert f"these are not counts: {share:.2g} % of the values are negative, down to -0.9" in first
    assert second.startswith(f"{tmp_path / 'movie.npy'}: ")


def test_one_image_and_what_cannot_be_examined(tmp_path, capsys):
    np.save(tmp_path / "image.npy", np.random.default_rng(0).poisson(np.kron(RATE, np.ones((3, 3)))).astype(np.uint8))
    assert main(["doctor", "noise", str(tmp_path / "image.npy")]) == 0
    assert "1, its neighbouring pixels compared" in capsys.readouterr().out
    np.save(tmp_path / "small.npy", np.ones((8, 8)))
    assert main(["doctor", "noise", str(tmp_path / "small.npy")]) == 2
    assert "small.npy: fewer than 32 x 32 pixels" in capsys.readouterr().err
    np.save(tmp_path / "colours.npy", np.ones((64, 64, 3)))
    assert main(["doctor", "noise", str(tmp_path / "colours.npy"), "--axes", "HWC"]) == 2
    assert "3 channels" in capsys.readouterr().err


def test_doctor_alone_and_its_help(capsys):
    assert main(["doctor"]) == 0
    assert "devices" in capsys.readouterr().out
    assert main(["doctor", "--help"]) == 0
    assert "doctor noise FILE" in capsys.readouterr().out
    assert main(["doctor", "noize", "a.npy"]) == 2
    assert "see `stemjax doctor --help`" in capsys.readouterr().err
