"""`stemjax models show`: the card of a preset and of a run, with what the records say, and the list as it was."""

import dataclasses

import pytest

from stemjax import records
from stemjax.cli import main
from stemjax.denoisers.gaussian import Gaussian
from stemjax.models import presets
from tests.toys.micrographs import make_toy
from tests.toys.records import a_record, some_scores


@pytest.fixture(autouse=True)
def no_cache(monkeypatch):
    monkeypatch.setenv("STEMJAX_CACHE", "")


def show(name, results, capsys) -> str:
    assert main(["models", "show", str(name), "--results", str(results)]) == 0
    return capsys.readouterr().out


def add(results, **changes) -> None:
    scores = some_scores(31.0)
    records.append(results / "records", a_record(scores, **{"tuning": None} | changes), scores)


def test_a_preset_without_weights(tmp_path, capsys):
    out = show("sbd-unet-4x32", tmp_path, capsys)
    assert "351,264 (352,000 with the unused offsets that the paper counts); the paper's has 352K" in out
    assert "221 px by its layers; published 221 px" in out
    assert "stemjax train sbd-unet-4x32" in out and "(116 e/Å²)" in out
    assert f"no record of it in {tmp_path / 'records'}" in out
    assert "BSD-3-Clause" in out and "arXiv:2010.12970" in out


@pytest.mark.parametrize("name", ["sbd-unet-4x32", "sbd-dncnn", "sbd-small-unet"])
def test_the_layers_make_up_the_network(name, tmp_path, capsys):
    from stemjax.networks.weights import parameter_count

    lines = show(name, tmp_path, capsys).split("parameters\n")[1].partition("\n\n")[0].splitlines()
    assert lines[0].split()[0] in ("inc", "first_layer", "conv1") and lines[-1].split()[0] in (
        "outc",
        "last_layer",
        "conv9",
    )
    total = sum(int(line.split()[-1].replace(",", "")) for line in lines)
    assert total == parameter_count(presets.PRESETS[name].denoiser.network)


def test_the_shipped_network_tells_its_training(tmp_path, capsys):
    out = show(presets.SHIPPED, tmp_path, capsys)
    assert "Weights come with stemjax: run" in out and "doses 0.5 to 2 times these" in out and "dB on validation" in out


def test_scores_are_those_of_this_model_alone(tmp_path, capsys):
    chosen = presets.PRESETS["sbd-dncnn"]
    add(tmp_path, denoiser=chosen.cpu, method="SBD + DnCNN", seed=3, conditions={"dose_e_per_angstrom2": 188})
    add(tmp_path, denoiser=presets.PRESETS["sbd-small-unet"].cpu, method="SBD + Small UNet", seed=4)
    out = show("sbd-dncnn", tmp_path, capsys)
    assert (
        "sbd_table_5_1, size cpu, SBD + DnCNN, seed 3, dose_e_per_angstrom2 188: PSNR 3" in out and "seed 4" not in out
    )
    add(tmp_path, denoiser=Gaussian(sigma=8.0))
    out = show("gaussian", tmp_path, capsys)  # tuned to another width
    assert out.count("PSNR") == 1 and "none needed" in out and "sigma = 8: PSNR" in out


def test_the_shipped_weights_have_the_scores_of_their_own_run_alone(tmp_path, capsys):
    shipped, run = presets.PRESETS[presets.SHIPPED].denoiser, presets.load_model(presets.SHIPPED)[2]["run"]
    add(tmp_path, denoiser=shipped, method="another training", run="0" * 16, seed=0)
    assert "no record of it" in show(presets.SHIPPED, tmp_path, capsys)
    add(tmp_path, denoiser=shipped, method="the shipped one", run=run, seed=0)
    out = show(presets.SHIPPED, tmp_path, capsys)
    assert "the shipped one" in out and "another training" not in out


def test_a_method_whose_package_has_a_licence_of_its_own_says_so(tmp_path, capsys):
    assert "licence of its own" in show("bm3d", tmp_path, capsys)


def test_a_run(tmp_path, capsys):
    from stemjax.data import micrographs
    from stemjax.training.train import train

    data = make_toy(tmp_path / "data")
    start = presets.sbd_run(presets.PRESETS["sbd-small-unet"].cpu, "smoke", data.recipe_hash)
    crops = micrographs.Crops(size=32, count=2, render=128)
    imaging = dataclasses.replace(start.imaging, sampling=0.2)
    run = dataclasses.replace(start, crops=crops, imaging=imaging, steps=2, validate_every=2)
    folder = train(run, data, tmp_path / "runs").folder
    add(tmp_path, denoiser=run.denoiser, seed=0, run=run.hash, method="SBD + Small UNet")
    add(tmp_path, denoiser=run.denoiser, seed=1, run="0" * 16, method="SBD + Small UNet")
    out = show(folder, tmp_path, capsys)
    assert f"Run {run.hash} of sbd-small-unet" in out and f"recipe {data.recipe_hash}" in out
    assert "4 crops of 32 px in 2 steps" in out and "Best at step 2" in out
    assert "seed 0: PSNR" in out and "seed 1: PSNR" not in out


def test_unknown_models_and_the_plain_list(tmp_path, capsys):
    assert main(["models", "show", "resnet"]) == 2
    assert "no model named 'resnet'" in capsys.readouterr().err
    assert main(["models", "show", str(tmp_path)]) == 2
    assert "not a run" in capsys.readouterr().err
    assert main(["models"]) == 0
    assert "sbd-unet-6x128" in capsys.readouterr().out
    assert main(["models", "--help"]) == 0
    assert "models show NAME" in capsys.readouterr().out
