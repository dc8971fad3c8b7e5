"""Experiments: listed, runnable, and each with a table that its records make."""

from collections import defaultdict
from pathlib import Path

import pytest

import experiments
from experiments import very_noisy, wcvd
from experiments.wcvd import figure_s12 as wcvd_figure_s12
from experiments.workspace import SMOKE, Workspace
from stemjax import records
from stemjax.data.older_recipes import of_one_recipe

RESULTS = Path(__file__).resolve().parents[2] / "results"


def test_every_experiment_can_be_run_and_makes_its_table_of_what_is_recorded():
    """The figures of each, byte by byte; `stemjax tables --check` draws its plots, too."""
    recorded = defaultdict(list)
    for record in records.current(records.load(RESULTS / "records")):
        if not records.is_submission(record):
            recorded[record["experiment"], record["size"]].append(record)
    made = set()
    for name in experiments.NAMES:
        module = experiments.load(name).module
        assert set(module.TIMES) == set(records.SIZES) and callable(module.run)
        assert f"    stemjax experiment run {name} --size cpu" in module.__doc__ or name == "autoencoder_figure_6"
        for size in ("cpu", "gpu"):
            if kept := of_one_recipe(recorded[name, size]):
                table = module.table(kept, records.load_scores(RESULTS / "records", kept))
                published = RESULTS / "tables" / f"{name}.{size}.csv"
                assert table.csv() == published.read_bytes().decode(), published.name
                made.add(published)
    others = set((RESULTS / "tables").glob("*.csv")) - made
    assert {path.name.split(".")[0] for path in others} <= {experiments.ABLATION, "atoms_validation"}
    assert len(made) > 30


def test_names_are_those_of_the_files_in_a_natural_order():
    names = list(experiments.NAMES)
    assert names[:3] == ["sbd_table_3_1", "sbd_table_5_1", "sbd_figure_3_1"] and names[-1] == "shipped_network"
    assert names.index("n2v_figure_8") + 1 == names.index("n2v_figure_10")
    assert experiments.MODULES["n2v_figure_8"] == "experiments.n2v.figure_8"
    assert experiments.table_of("n2v_rows") is None and "ablation" not in names


def test_an_unknown_experiment_is_refused():
    with pytest.raises(ValueError, match="'sbd_table_51': did you mean 'sbd_table_5_1'. there are sbd_table_3_1"):
        experiments.load("sbd_table_51")
    with pytest.raises(ValueError, match="no experiment named 'resnet'; there are sbd_table_3_1"):
        experiments.load("resnet")


def test_smoke_never_reaches_the_published_results():
    assert Workspace.for_size("smoke").results.is_relative_to(SMOKE)
    assert Workspace.for_size("cpu").results.name == "results"


def test_the_autoencoder_stands_with_both_objectives(monkeypatch):
    monkeypatch.setattr(very_noisy, "trained", lambda preset, size, workspace, label, denoiser=None: (preset, denoiser))
    monkeypatch.setattr(very_noisy, "supervised", lambda size, workspace: None)
    monkeypatch.setattr(very_noisy, "learnt", lambda label, network: (label, network))
    trained = dict(very_noisy.networks("cpu", None))
    assert trained["Autoencoder"] == ("autoencoder", None)  # that of the preset
    assert trained["Autoencoder, absolute error"][1].objective == "mae"


def test_drift_is_found_after_filters_in_the_plane_and_in_space_and_time():
    """Both readings of the paper's size 3; those in space and time mix frames, the others do not."""
    for reading, sigma in (("sigma 3", 3.0), ("window 3", wcvd.WINDOW_SIGMA)):
        plane = wcvd_figure_s12.GAUSSIANS[f"Gaussian filter, {reading}"]
        mixed = wcvd_figure_s12.GAUSSIANS[f"Gaussian filter, 3-D, {reading}"]
        assert (plane.sigma, plane.sigma_time) == (sigma, 0) and (mixed.sigma, mixed.sigma_time) == (sigma, sigma)
