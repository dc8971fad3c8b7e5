"""Experiments: listed, described, and each of their names known to the tables."""

import pytest

import experiments
from experiments import hrtem, very_noisy, wcvd_figure_s12
from experiments.workspace import SMOKE, Workspace
from stemjax import tables


@pytest.mark.parametrize("name", [*experiments.NAMES, experiments.QUICKSTART])
def test_every_experiment_is_described_and_has_a_table(name):
    module = experiments.load(name)
    assert len(module.__doc__.splitlines()) > 5 and module.TIMES and module.NAME == name
    assert name in tables.TABLES


def test_an_unknown_experiment_is_refused():
    with pytest.raises(ValueError, match="'sbd_table_51': did you mean 'sbd_table_5_1'. there are sbd_table_5_1"):
        experiments.load("sbd_table_51")
    with pytest.raises(ValueError, match="no experiment named 'resnet'; there are sbd_table_5_1"):
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
    for reading, sigma in (("sigma 3", 3.0), ("window 3", hrtem.WINDOW_SIGMA)):
        plane = wcvd_figure_s12.GAUSSIANS[f"Gaussian filter, {reading}"]
        mixed = wcvd_figure_s12.GAUSSIANS[f"Gaussian filter, 3-D, {reading}"]
        assert (plane.sigma, plane.sigma_time) == (sigma, 0) and (mixed.sigma, mixed.sigma_time) == (sigma, sigma)
