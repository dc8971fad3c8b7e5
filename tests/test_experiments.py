"""Experiments: listed, described, and each of their names known to the tables."""

import pytest

import experiments
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
