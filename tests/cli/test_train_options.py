"""`stemjax train`: options that go with data sets, with one's own movie, or with both; and the mirror of its log."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from stemjax.cli import main
from stemjax.cli.training import _wandb_log
from stemjax.training import checkpoint
from stemjax.training.train import load_run
from tests.toys.micrographs import make_toy
from tests.toys.movies import a_movie, save

pytestmark = pytest.mark.usefixtures("tiny_networks")


class FakeWandb:
    """Our side of the contract with wandb: what it was asked for, and a log that has to be finished."""

    def __init__(self, api_key=None):
        self.api, self.begun, self.logged, self.finished = SimpleNamespace(api_key=api_key), {}, [], 0

    def init(self, **settings):
        self.begun = settings
        return SimpleNamespace(log=lambda event, step: self.logged.append((step, event)), finish=self._finish)

    def _finish(self):
        self.finished += 1


@pytest.fixture
def wandb(monkeypatch) -> FakeWandb:
    monkeypatch.setitem(sys.modules, "wandb", fake := FakeWandb())
    return fake


@pytest.fixture
def movie(tmp_path):
    return save(tmp_path / "movie.tif", a_movie(channels=1))


def train(model, data, tmp_path, *options) -> int:
    where = ["--data", str(data), "--runs", str(tmp_path / "runs"), "--size", "smoke"]
    return main(["train", model, *where, *map(str, options)])


def the_run(tmp_path):
    (folder,) = (tmp_path / "runs").iterdir()
    return folder


def test_a_training_on_ones_own_movie_is_mirrored_offline(movie, tmp_path, wandb):
    assert train("noise2void-single", movie, tmp_path, "--steps", 4, "--wandb") == 0
    folder = the_run(tmp_path)
    assert wandb.begun["mode"] == "offline" and (wandb.begun["name"], wandb.begun["dir"]) == (folder.name, folder)
    assert wandb.begun["config"]["steps"] == 4
    assert wandb.finished == 1 and wandb.logged[-1][0] == wandb.logged[-1][1]["step"] == 4
    assert np.isfinite(wandb.logged[-1][1]["loss"])


def test_a_training_on_a_data_set_is_mirrored_and_has_as_many_steps_as_are_said(tmp_path, wandb, capsys):
    make_toy(tmp_path / "data")
    narrow = ["--set", "network.width=1"]
    assert train("sbd-dncnn", tmp_path / "data", tmp_path, *narrow, "--steps", 3, "--wandb") == 0
    run = load_run(the_run(tmp_path))[0]
    assert (run.steps, run.denoiser.network.width) == (3, 1) and "finished at step 3 of 3" in capsys.readouterr().out
    assert [step for step, _ in wandb.logged] == [3] and wandb.finished == 1


def test_with_an_account_the_mirror_is_not_offline_and_its_end_is_told_after_an_error(tmp_path, wandb):
    from contextlib import ExitStack

    from stemjax.models.presets import find_preset

    run, wandb.api.api_key = find_preset("sbd-dncnn").run("smoke", "0" * 16), "a key"
    with pytest.raises(KeyError), ExitStack() as stack:
        _wandb_log(stack, run, tmp_path / run.hash)({"step": 1, "loss": 0.5})
        raise KeyError
    assert wandb.begun["mode"] is None and wandb.logged == [(1, {"step": 1, "loss": 0.5})] and wandb.finished == 1


def test_without_wandb_it_is_said_how_to_have_it(movie, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert train("noise2void-single", movie, tmp_path, "--steps", 1, "--wandb") == 2
    assert "wandb is not installed: pip install -e '.[wandb]'" in capsys.readouterr().err


def test_the_real_wandb_takes_what_it_is_given(movie, tmp_path, monkeypatch):
    pytest.importorskip("wandb", reason="wandb is not installed (extra `wandb`)")
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))  # no account, and nothing is left behind
    monkeypatch.setenv("WANDB_SILENT", "true")
    assert train("noise2void-single", movie, tmp_path, "--steps", 2, "--wandb") == 0
    (recorded,) = (the_run(tmp_path) / "wandb").glob("offline-run-*/run-*.wandb")
    assert recorded.stat().st_size > 0


@pytest.mark.parametrize("option, value", [("precision", "bfloat16"), ("rematerialise", None)])
def test_only_the_option_that_was_given_is_blamed(movie, tmp_path, wandb, capsys, option, value):
    options = [f"--{option}", *([value] if value else []), "--wandb"]
    assert train("noise2void-single", movie, tmp_path, *options) == 2
    said = capsys.readouterr().err
    assert said.endswith(f"movie.tif: --{option} is for data sets: leave it out\n")
    assert sum(name in said for name in ("--precision", "--rematerialise", "--wandb")) == 1


def test_no_steps_are_refused(movie, tmp_path, capsys):
    assert train("noise2void-single", movie, tmp_path, "--steps", 0) == 2
    assert "--steps must be at least 1" in capsys.readouterr().err


def test_a_training_starts_from_the_weights_of_another_and_they_may_ship(tmp_path, monkeypatch, capsys):
    """The way on from shipped weights, where the run that they are from is lost."""
    from experiments import zoo
    from stemjax.models import catalogue, presets

    data = make_toy(tmp_path / "data").folder
    assert train("sbd-dncnn", data, tmp_path, "--steps", 2) == 0
    first = the_run(tmp_path)
    for module in (catalogue, presets):
        monkeypatch.setattr(module, "WEIGHTS", tmp_path / "weights")
    with pytest.raises(ValueError, match="a training of another method than sbd-unet-fine"):
        zoo.ship_run("sbd-unet-fine", first)
    zoo.ship_run("sbd-dncnn", first)
    _, shipped, info = presets.load_model("sbd-dncnn")
    assert info["run"] == first.name and info["data_set"]["name"] == "pt-ceo2"
    capsys.readouterr()
    assert train("sbd-dncnn", data, tmp_path, "--steps", 1, "--start-from", "sbd-dncnn") == 0
    (second,) = (folder for folder in first.parent.iterdir() if folder != first)
    run, variables, _ = load_run(second)
    assert run.initial == checkpoint.digest(shipped)
    assert train("sbd-unet-4x32", data, tmp_path, "--start-from", str(first)) == 2
    assert "its network is another one than that of the model to be trained" in capsys.readouterr().err
