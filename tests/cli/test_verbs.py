"""What `train`, `tables` and `models` say, and what all verbs have in common."""

from importlib import import_module
from inspect import signature

import pytest

from stemjax import cli
from stemjax.cli import main


def test_train_refuses_filters_and_foreign_folders(tmp_path, capsys):
    assert main(["train", "gaussian", "--data", str(tmp_path)]) == 2
    assert "nothing to train" in capsys.readouterr().err
    assert main(["train", "sbd-dncnn", "--data", str(tmp_path)]) == 2
    assert "no finished data set" in capsys.readouterr().err


@pytest.mark.parametrize(("stopped", "status"), [(None, 0), ("time limit", 0), ("SIGINT", 130), ("SIGTERM", 143)])
def test_train_says_how_to_go_on(monkeypatch, tmp_path, capsys, stopped, status):
    import stemjax.training.train as training
    from stemjax.data import datasets
    from stemjax.data.lattice import LatticeImaging
    from stemjax.physics.noise import Dose

    def train(run, data, root, *, time_limit, log, initial):
        log({"step": 5, "loss": 0.5, "time_s": 1.0, "validation_psnr_db": 31.0})
        return training.Outcome(tmp_path / "r", 5, training.Progress(best_db=31.0, best_step=5), stopped)

    monkeypatch.setattr(training, "train", train)
    monkeypatch.setattr(training, "load_run", lambda folder: (None, {}, {"step": 5, "validation_psnr_db": 31.0}))
    manifest = {"recipe_hash": "0" * 16, "name": "pt-ceo2", "band": {"cell": 25.0}}
    monkeypatch.setattr(datasets, "open_data_set", lambda folder: datasets.DataSet(folder, manifest))
    assert main(["train", "sbd-dncnn", "--data", str(tmp_path), "--size", "smoke"]) == status
    printed = capsys.readouterr()
    assert "step 5/8, loss 0.5, 31.00 dB on validation images" in printed.err
    finished = "finished at step 5 of 8; best at step 5: 31.00 dB on validation images"
    assert (finished if stopped is None else "the same command continues") in printed.out
    assert main(["train", "noise2void", "--data", str(tmp_path)]) == 2
    assert "does not learn from pt-ceo2; `stemjax simulate au-graphene`" in capsys.readouterr().err
    for name, model, wanted in (("haadf-pt", "noise2void", "au-graphene"), ("lattice", "noise2void", "au-graphene")):
        films = datasets.DataSet(tmp_path, {"recipe_hash": "0" * 16, "name": name})
        monkeypatch.setattr(datasets, "open_data_set", lambda folder, films=films: films)
        assert main(["train", model, "--data", str(tmp_path)]) == 2
        assert f"does not learn from {name}; `stemjax simulate {wanted}`" in capsys.readouterr().err
    learnt_from = []
    note = lambda run, *rest, **options: learnt_from.append(run) or train(run, *rest, **options)  # noqa: E731
    monkeypatch.setattr(training, "train", note)
    dose = ["--set", "imaging.noise.electrons_per_pixel=2"]
    assert main(["train", "noise2atom", "--data", str(tmp_path), "--size", "smoke", *dose]) == status
    assert learnt_from[0].imaging == LatticeImaging(Dose(2.0)) and learnt_from[0].selection.session == ("lattice",)


def test_no_records_make_no_tables(tmp_path, capsys):
    for option in ([], ["--check"]):
        assert main(["tables", "--results", str(tmp_path), *option]) == 2
        said = f"error: {tmp_path}: no records here, so no tables; `stemjax experiment run NAME` makes some\n"
        assert capsys.readouterr().err == said


def test_tables_need_a_checkout(tmp_path, monkeypatch, capsys):
    (tmp_path / "results" / "records").mkdir(parents=True)
    (tmp_path / "results" / "records" / "any.jsonl").touch()
    monkeypatch.chdir(tmp_path)
    assert main(["tables"]) == 2
    assert capsys.readouterr().err.startswith("error: experiments and tables need a checkout: clone the project")


def test_the_help_of_models_says_that_some_have_no_weights(capsys):
    assert main(["models", "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert '"train first" has no weights' in said and "Any name will do" not in said


def test_every_verb_has_the_same_default_size():
    """Which run-all alone has not: all experiments at size cpu take many hours."""
    found = {}
    for verb in cli.VERBS:
        command = getattr(import_module(f"stemjax.cli.{verb.replace('-', '_')}"), verb.replace("-", "_"))
        for name, function in command.items() if isinstance(command, dict) else [("", command)]:
            if "size" in (parameters := signature(function).parameters):
                found[f"{verb} {name}".strip()] = parameters["size"].default
    assert found.pop("experiment run-all") == "smoke"
    assert len(found) > 10 and set(found.values()) == {"cpu"}


def test_some_experiments_are_chosen_by_name():
    from stemjax.cli.experiment import chosen

    names = ("sbd_1", "n2v_1", "sbd_2", "shipped")
    assert chosen(names, ()) == list(names)
    assert chosen(names, ("sbd_*", "shipped")) == ["sbd_1", "sbd_2", "shipped"]
    assert chosen(names, ("!sbd_*", "!shipped")) == ["n2v_1"]
    assert chosen(names, ("*_1", "!n2v_*")) == ["sbd_1"]
    with pytest.raises(ValueError, match="no experiment is named 'wcvd_.'; there are sbd_1"):
        chosen(names, ("!wcvd_*",))
