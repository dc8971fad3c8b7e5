"""The command: its screens, its exit statuses, and `denoise` from file to file."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from stemjax import cli
from stemjax.cli import VERBS, main

NOISY = np.random.default_rng(0).poisson(2.0, (48, 40)).astype(np.uint16)


@pytest.fixture(autouse=True)
def no_cache(monkeypatch):
    monkeypatch.setenv("STEMJAX_CACHE", "")
    monkeypatch.delenv("STEMJAX_TRACEBACK", raising=False)


@pytest.fixture
def micrograph(tmp_path):
    path = tmp_path / "micrograph.tif"
    tifffile.imwrite(path, NOISY, imagej=True, resolution=(100.0, 100.0), metadata={"unit": "nm", "Info": "a note"})
    return path


def run_denoise(*arguments) -> int:
    return main(["denoise", *map(str, arguments), "--model", "gaussian"])


# ---------------------------------------------------------------------------------------------------- screens
def test_help_names_every_verb(capsys):
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {verb} " in out for verb in VERBS)
    assert main([]) == 2


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_help_of_every_verb(verb, capsys):
    assert main([verb, "--help"]) == 0
    assert f"usage: stemjax {verb}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["simulate", "pt-ceo2", "--size", "huge", "--out", "x"], "huge"),
        (["train"], "MODEL"),
        (["experiment", "ran"], "ran"),
        (["denoise", "--tile", "x", "a.tif"], "--tile"),
    ],
)
def test_wrong_arguments_are_one_line(arguments, named, capsys):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and named in error
    assert f"see `stemjax {arguments[0]} --help`" in error


def test_version_and_unknown_verb(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("stemjax ")
    assert main(["denoize"]) == 2
    assert capsys.readouterr().err == "error: no verb 'denoize': did you mean 'denoise'? `stemjax --help` lists them\n"


def test_models(capsys):
    assert main(["models"]) == 0
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "352,000" in rows["sbd-unet-4x32"] and "221 px" in rows["sbd-unet-4x32"]
    assert "70,504,960" in rows["sbd-unet-6x128"] and "893 px" in rows["sbd-unet-6x128"]
    assert "none needed" in rows["gaussian"]


def test_doctor(capsys):
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert all(word in out for word in ("python", "devices", "memory", "extra files", "compiled", "reference files"))


def test_starts_without_jax():
    heavy = "{'jax', 'tyro', 'numpy'}"
    code = f"import sys; from stemjax.cli import main; main(['--help']); assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


# ---------------------------------------------------------------------------------------------------- denoise
def test_denoise_end_to_end(micrograph, capsys):
    before = micrograph.read_bytes()
    assert run_denoise(micrograph, "--png") == 0
    printed = capsys.readouterr()
    result = micrograph.with_name("micrograph_denoised.tif")
    assert printed.out == f"{result}\n" and printed.err == ""
    with tifffile.TiffFile(result) as tiff:
        denoised = tiff.asarray()
        assert tiff.imagej_metadata["unit"] == "nm"
        assert tiff.pages[0].tags["XResolution"].value[0] / tiff.pages[0].tags["XResolution"].value[1] == 100
    assert denoised.dtype == np.float32 and denoised.shape == NOISY.shape
    assert denoised.std() < 0.6 * NOISY.std() and denoised.mean() == pytest.approx(NOISY.mean(), rel=0.02)
    about = json.loads(result.with_suffix(".json").read_text())
    assert about["sampling_angstrom"] == pytest.approx(0.1) and about["source"]["dtype"] == "uint16"
    assert about["source"]["metadata"]["Info"] == "a note" and about["provenance"]["model"] == "gaussian"
    assert result.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert micrograph.read_bytes() == before


def test_as_a_process(micrograph):
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-m", "stemjax", "denoise", str(micrograph), "--model", "gaussian", "--out"]
    command.append(str(micrograph.parent / "new/out.npy"))
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    about = json.loads((micrograph.parent / "new/out.json").read_text())
    assert about["provenance"]["command"].startswith(f"stemjax denoise {micrograph} --model gaussian --out")
    assert np.load(micrograph.parent / "new/out.npy").shape == NOISY.shape


def test_existing_results_and_the_input_are_safe(micrograph, capsys):
    assert run_denoise(micrograph) == 0
    result = micrograph.with_name("micrograph_denoised.tif")
    old, source = result.read_bytes(), micrograph.read_bytes()
    assert run_denoise(micrograph) == 2
    assert "--overwrite replaces it" in capsys.readouterr().err and result.read_bytes() == old
    assert run_denoise(micrograph, "--overwrite") == 0
    for target in (micrograph, micrograph.parent / "." / micrograph.name):
        assert run_denoise(micrograph, "--overwrite", "--out", target) == 2
        assert "would replace the input" in capsys.readouterr().err
    assert micrograph.read_bytes() == source
    micrograph.with_name("link.tif").symlink_to(micrograph)
    assert run_denoise(micrograph, "--overwrite", "--out", micrograph.with_name("link.tif")) == 2
    assert micrograph.read_bytes() == source


def test_a_batch_goes_on_and_lists_its_failures(tmp_path, micrograph, capsys):
    (tmp_path / "bad.npy").write_bytes(b"no image")
    np.save(tmp_path / "good.npy", NOISY)
    out = tmp_path / "out"
    paths = tmp_path / "bad.npy", micrograph, tmp_path / "absent.tif", tmp_path / "good.npy"
    assert run_denoise(*paths, "--out", out) == 2
    err = capsys.readouterr().err
    assert "2 of 4 files failed:" in err and err.count("absent.tif: no such file") == 2
    assert {path.name for path in out.glob("*.tif")} == {"micrograph_denoised.tif", "good_denoised.tif"}


def test_two_inputs_of_one_name_do_not_share_a_result(tmp_path, capsys):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        np.save(tmp_path / folder / "x.npy", NOISY)
    paths = tmp_path / "a/x.npy", tmp_path / "b/x.npy"
    assert run_denoise(*paths, "--out", tmp_path / "out", "--overwrite") == 2
    assert "another input of this call" in capsys.readouterr().err


def test_nan_is_refused_or_filled(tmp_path, capsys):
    image = NOISY.astype(np.float32)
    image[5, 6] = np.nan
    np.save(tmp_path / "a.npy", image)
    assert run_denoise(tmp_path / "a.npy") == 2
    assert "the first at H=5, W=6; --fill-nonfinite" in capsys.readouterr().err
    assert run_denoise(tmp_path / "a.npy", "--fill-nonfinite", "--format", "npy") == 0
    denoised = np.load(tmp_path / "a_denoised.npy")
    assert np.isnan(denoised[5, 6]) and np.isnan(denoised).sum() == 1


def test_warnings_are_printed(tmp_path, capsys):
    np.save(tmp_path / "flat.npy", np.full((20, 20), 7, np.uint8))
    assert run_denoise(tmp_path / "flat.npy", "--format", "npy") == 0
    assert "constant: returned unchanged" in capsys.readouterr().err
    assert (np.load(tmp_path / "flat_denoised.npy") == 7).all()
    saturated = np.where(np.arange(400).reshape(20, 20) < 40, 255, NOISY[:20, :20]).astype(np.uint8)
    np.save(tmp_path / "bright.npy", saturated)
    assert run_denoise(tmp_path / "bright.npy") == 0
    assert "10 % of the pixels are saturated (at 255)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("sampling", "advice"), [(0.02, "try --bin 5"), (0.05, "try --bin 2"), (0.3, "train at this"), (0.1, "")]
)
def test_pixel_size_far_from_training(monkeypatch, tmp_path, capsys, sampling, advice):
    from stemjax.denoisers.gaussian import Gaussian
    from stemjax.models import presets

    monkeypatch.setattr(presets, "load_model", lambda name: (Gaussian(), {}, {"imaging": {"sampling": 0.0979}}))
    np.save(tmp_path / "a.npy", NOISY)
    assert run_denoise(tmp_path / "a.npy", "--sampling", sampling) == 0
    err = capsys.readouterr().err
    assert ("trained at 0.0979 Å" in err and advice in err) if advice else err == ""


def test_an_unknown_pixel_size_is_warned_of_where_the_model_depends_on_it(monkeypatch, tmp_path, capsys):
    from stemjax.denoisers.gaussian import Gaussian
    from stemjax.models import presets

    np.save(tmp_path / "a.npy", NOISY)
    assert run_denoise(tmp_path / "a.npy") == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(presets, "load_model", lambda name: (Gaussian(), {}, {"imaging": {"sampling": 0.0979}}))
    assert run_denoise(tmp_path / "a.npy", "--overwrite") == 0
    assert "pixel size is unknown, and gaussian was trained at 0.0979 Å" in capsys.readouterr().err


def test_binning_changes_size_and_calibration(micrograph):
    assert run_denoise(micrograph, "--bin", 4) == 0
    result = micrograph.with_name("micrograph_denoised.tif")
    assert tifffile.imread(result).shape == (12, 10)
    assert json.loads(result.with_suffix(".json").read_text())["sampling_angstrom"] == pytest.approx(0.4)


def test_channels_and_movies(tmp_path):
    data = np.random.default_rng(0).poisson(2.0, (3, 30, 20, 2)).astype(np.float32)
    np.save(tmp_path / "a.npy", data)
    assert run_denoise(tmp_path / "a.npy", "--axes", "THWC", "--format", "npy") == 0
    np.save(tmp_path / "b.npy", data[1, ..., 1])
    assert run_denoise(tmp_path / "b.npy", "--format", "npy") == 0
    denoised = np.load(tmp_path / "a_denoised.npy")
    assert denoised.shape == data.shape
    np.testing.assert_allclose(denoised[1, ..., 1], np.load(tmp_path / "b_denoised.npy"), rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--bin", "0"], "--bin and --tile must be at least 1"),
        (["--sampling", "-1"], "pixel size in Å"),
        (["--bin", "100"], "choose a smaller --bin"),
        (["--axes", "HWC"], "names 3 axes"),
    ],
)
def test_wrong_options(micrograph, capsys, arguments, words):
    assert run_denoise(micrograph, *arguments) == 2
    err = capsys.readouterr().err
    assert words in err and err.count("\n") == 1


def test_settings_of_the_model(micrograph, tmp_path, capsys):
    made = {}
    for sigma in ("1", "4"):
        out = tmp_path / f"{sigma}.npy"
        assert run_denoise(str(micrograph), "--model", "gaussian", "--set", f"sigma={sigma}", "--out", str(out)) == 0
        made[sigma] = np.load(out)
        assert json.loads(out.with_suffix(".json").read_text())["provenance"]["denoiser"] == (
            {"class": "gaussian.Gaussian"} | ({"sigma": 4.0} if sigma == "4" else {})
        )
    assert made["4"].std() < made["1"].std()
    capsys.readouterr()
    for setting, said in {
        "sigmo=4": "gaussian has no setting 'sigmo=4'; it has sigma=1.0",
        "sigma": "gaussian has no setting 'sigma'",
        "sigma=wide": "sigma=wide: sigma is a number",
    }.items():
        assert run_denoise(str(micrograph), "--model", "gaussian", "--set", setting) == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert said in line


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_picture_is_denoised_like_the_same_numbers_in_a_tiff(tmp_path, capsys, dtype):
    from skimage import io

    counts = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (20, 24)).astype(dtype)
    io.imsave(tmp_path / "photo.png", counts, check_contrast=False)
    tifffile.imwrite(tmp_path / "same.tif", counts)
    for name in ("photo.png", "same.tif"):
        assert main(["denoise", str(tmp_path / name), "--model", "gaussian", "--png", "--format", "npy"]) == 0
    made = [np.load(tmp_path / f"{name}_denoised.npy") for name in ("photo", "same")]
    np.testing.assert_array_equal(*made)
    io.imsave(tmp_path / "colours.png", np.zeros((8, 8, 3), np.uint8), check_contrast=False)
    (tmp_path / "no.png").write_bytes(b"no picture")
    capsys.readouterr()
    for name, said in {"colours": "looks like RGB", "no": "cannot be read as an image", "lost": "no such file"}.items():
        assert main(["denoise", str(tmp_path / f"{name}.png"), "--model", "gaussian"]) == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert line.startswith(f"error: {tmp_path / name}.png: ") and said in line


def test_unknown_model_and_model_without_weights(micrograph, capsys):
    assert main(["denoise", str(micrograph), "--model", "resnet"]) == 2
    assert "no model named 'resnet'; there are" in capsys.readouterr().err
    assert main(["denoise", str(micrograph), "--model", "noise2viod"]) == 2
    assert "no model named 'noise2viod': did you mean 'noise2void'? there are" in capsys.readouterr().err
    assert main(["denoise", str(micrograph), "--model", "sbd-unet-6x128"]) == 2
    assert "has no weights of its own" in capsys.readouterr().err
    assert main(["denoise", "--model", "gaussian"]) == 2


def test_traceback_on_request(capsys):
    with pytest.raises(OSError, match="no such folder"):
        main(["verify", "nowhere", "--traceback"])
    assert main(["verify", "nowhere"]) == 2
    assert capsys.readouterr().err.startswith("error: nowhere: no such folder")


def test_traceback_of_a_file_that_fails_while_the_others_go_on(tmp_path, capsys):
    (tmp_path / "bad.npy").write_bytes(b"no image")
    np.save(tmp_path / "good.npy", NOISY)
    paths = tmp_path / "bad.npy", tmp_path / "good.npy"
    for options, shown in ((["--traceback"], True), ([], False)):
        assert run_denoise(*paths, "--overwrite", *options) == 2
        err = capsys.readouterr().err
        assert ("Traceback (most recent call last)" in err and "read_image" in err) == shown
        assert f"error: {tmp_path / 'bad.npy'}" in err and (tmp_path / "good_denoised.tif").is_file()


# ---------------------------------------------------------------------------------------------------- other verbs
def test_verify(tmp_path, capsys):
    from stemjax.data import datasets

    recipe = {"name": "toy"}
    manifest = {
        "format": datasets.FORMAT,
        "format_version": datasets.FORMAT_VERSION,
        "name": "toy",
        "recipe": recipe,
        "recipe_hash": datasets.recipe_hash(recipe),
        "items": [],
        "files": {"a.npy": datasets.write_array(tmp_path / "a.npy", np.arange(9.0))},
    }
    datasets.write_manifest(tmp_path, manifest)
    assert main(["verify", str(tmp_path)]) == 0
    assert "sound" in capsys.readouterr().out
    raw = bytearray((tmp_path / "a.npy").read_bytes())
    raw[-3] ^= 1
    (tmp_path / "a.npy").write_bytes(raw)
    assert main(["verify", str(tmp_path)]) == 1
    assert "a.npy: contents changed" in capsys.readouterr().err


def test_simulate_outside_a_checkout(monkeypatch, tmp_path, capsys):
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "simulation" else find(name, *a))
    assert main(["simulate", "pt-ceo2", "--out", str(tmp_path / "d")]) == 2
    assert "used from a checkout" in capsys.readouterr().err


def test_interrupt_and_system_errors(monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_run", interrupt)
    assert main(["models"]) == 130

    def full(*_):
        raise OSError(28, "No space left on device", "/data/x")

    monkeypatch.setattr(cli, "_run", full)
    assert main(["models"]) == 2
    assert capsys.readouterr().err.endswith("error: /data/x: No space left on device\n")


def test_the_verbs_of_a_verb_are_listed(capsys):
    assert main(["leaderboard", "--help"]) == 0
    assert "export-track, score, submit, export, cards" in capsys.readouterr().out
    assert main(["leaderboard", "scores"]) == 2
    said = "error: leaderboard has no verb 'scores': did you mean 'score'? see `stemjax leaderboard --help`\n"
    assert capsys.readouterr().err == said
