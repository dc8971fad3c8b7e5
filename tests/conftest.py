"""What all tests share. They run on the CPU unless JAX_PLATFORMS says otherwise, which must be set before JAX loads."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "Agg")

# Compiled programs are kept for this run of the tests alone: its processes, and the ones they start, share them.
if "STEMJAX_CACHE" not in os.environ:
    _CACHE = tempfile.mkdtemp(prefix="stemjax-tests-")
    atexit.register(shutil.rmtree, _CACHE, ignore_errors=True)
    os.environ |= {
        "STEMJAX_CACHE": _CACHE,
        "JAX_COMPILATION_CACHE_DIR": _CACHE,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.5",
    }

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def reference() -> Path:
    """Folder of the reference image and the authors' outputs, which live outside the repository."""
    folder = Path(os.environ.get("STEMJAX_REFERENCE") or ROOT.parent / "shared" / "reference")
    if not folder.is_dir():
        pytest.skip(f"no reference files: {folder} is not a folder (set STEMJAX_REFERENCE)")
    return folder
