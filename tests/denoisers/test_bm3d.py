"""BM3D: the package where it is installed, one line where it is not, and never by itself."""

import sys
import tomllib
from pathlib import Path

import jax
import numpy as np
import pytest

from stemjax.denoisers import missing_package
from stemjax.denoisers.anscombe import anscombe, exact_unbiased_inverse
from stemjax.denoisers.bm3d import BM3D
from stemjax.denoisers.gaussian import Gaussian
from tests.toys.counts import lattice

STAND_IN = """
class BM3DProfile:
    num_threads = 0

def bm3d(z, sigma_psd, profile):
    assert z.ndim == 2 and profile.num_threads == 1
    return z + sigma_psd
"""


def noisy_lattice(size=64):
    clean = lattice(size, 4.0)
    return clean, np.random.default_rng(0).poisson(clean).astype("f4")


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert missing_package(BM3D()) == "bm3d" and missing_package(Gaussian()) == ""
    with pytest.raises(OSError, match=r"pip install -e '.\[bm3d\]'") as caught:
        jax.jit(BM3D().denoise)({}, np.ones((1, 8, 8, 1), "f4"))
    assert "\n" not in str(caught.value) and "non-commercial" in str(caught.value)


def test_the_package_gets_the_stabilised_plane_and_the_noise_level(monkeypatch, tmp_path):
    """With a stand-in of the same name and arguments: it shows what is passed, not what BM3D makes of it."""
    (tmp_path / "bm3d.py").write_text(STAND_IN)
    monkeypatch.syspath_prepend(tmp_path)
    installed = sys.modules.pop("bm3d", None)
    _, noisy = noisy_lattice()
    assert missing_package(BM3D()) == ""
    try:
        denoised = np.asarray(jax.jit(BM3D(sigma=0.5).denoise)({}, noisy[None, ..., None]))[0, ..., 0]
    finally:
        sys.modules.pop("bm3d", None)
        if installed:
            sys.modules["bm3d"] = installed
    np.testing.assert_allclose(denoised, exact_unbiased_inverse(anscombe(noisy) + 0.5), rtol=1e-5)


def test_it_denoises_a_lattice():
    pytest.importorskip("bm3d", reason="the package bm3d is not installed (non-commercial licence, opt-in)")
    clean, noisy = noisy_lattice()
    denoised = np.asarray(jax.jit(BM3D().denoise)({}, noisy[None, ..., None]))[0, ..., 0]
    assert np.mean((denoised - clean) ** 2) < 0.2 * np.mean((noisy - clean) ** 2)


def test_no_other_extra_installs_it():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    assert [name for name, packages in extras.items() if any("bm3d" in package for package in packages)] == ["bm3d"]
    assert not any("bm3d" in package for package in project["dependencies"])
