"""Data shared by the tests of the simulation; all of them need abTEM and ASE."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def smoke(tmp_path_factory) -> Path:
    """The smoke data set, made without interruption."""
    pytest.importorskip("abtem", reason="abTEM is not installed (extra `simulation`)")
    from simulation.make import make_pt_ceo2

    return make_pt_ceo2(tmp_path_factory.mktemp("data") / "smoke", "smoke", progress=False).folder
