"""What all tests share. They run on the CPU unless JAX_PLATFORMS says otherwise, which must be set before JAX loads."""

import fcntl
import gc
import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.compilation import FLAGS

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "Agg")

# Compiled programs are kept in a cache of the tests' own: all processes share them, and the next run finds them.
# Of the smallest, too: most of what tests compile is single operations, by the thousand.
# They are known by program, flags and versions, so an old one is never taken for a new one; `make clean` removes them.
if "STEMJAX_CACHE" not in os.environ:
    _CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "stemjax-tests")
    os.environ |= {
        "STEMJAX_CACHE": _CACHE,
        "JAX_COMPILATION_CACHE_DIR": _CACHE,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }

if os.environ["JAX_PLATFORMS"] == "cpu":
    os.environ.setdefault("XLA_FLAGS", FLAGS)

# What tracing makes is many, small and mostly kept: to look through it every 700 objects takes a tenth of the time.
gc.set_threshold(50_000, 10, 10)

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def reference() -> Path:
    """Folder of the reference image and the authors' outputs, which live outside the repository."""
    folder = Path(os.environ.get("STEMJAX_REFERENCE") or ROOT.parent / "shared" / "reference")
    if not folder.is_dir():
        pytest.skip(f"no reference files: {folder} is not a folder (set STEMJAX_REFERENCE)")
    return folder


@pytest.fixture(scope="session")
def smoke(tmp_path_factory) -> Path:
    """The smoke data set of Pt on CeO2, made once, on the command line, for all test processes: to be read only."""
    pytest.importorskip("abtem", reason="abTEM is not installed (extra `simulation`)")
    from stemjax.cli import main

    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # the folder of the whole run
    folder = root / "pt-ceo2-smoke"
    with open(root / "pt-ceo2-smoke.lock", "w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)  # the first process makes it, the others wait
        if not (folder / "manifest.json").exists():
            assert main(["simulate", "pt-ceo2", "--out", str(folder), "--size", "smoke", "--workers", "1"]) == 0
    return folder


@pytest.fixture(scope="module")
def tiny_networks():
    """Some presets with networks that compile in a moment."""
    from stemjax.denoisers.noise2void import Noise2Void
    from stemjax.denoisers.supervised import Supervised
    from stemjax.models import presets
    from stemjax.networks import DnCNN, N2VUNet

    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("STEMJAX_TRACEBACK", raising=False)
        for name, channels in (("noise2void", 2), ("noise2void-single", 1)):
            tiny = Noise2Void(N2VUNet(depth=1, width=4, channels_out=channels), pitch=4, jitter=0, window=5)
            patch.setitem(presets.PRESETS, name, replace(presets.PRESETS[name], cpu=tiny))
        tiny = Supervised(DnCNN(depth=3, width=2))
        patch.setitem(presets.PRESETS, "sbd-dncnn", replace(presets.PRESETS["sbd-dncnn"], cpu=tiny))
        yield
