"""What all tests share. They run on the CPU unless JAX_PLATFORMS says otherwise, which must be set before JAX loads."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "Agg")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def reference() -> Path:
    """Folder of the reference image and the authors' outputs, which live outside the repository."""
    folder = Path(os.environ.get("STEMJAX_REFERENCE") or ROOT.parent / "shared" / "reference")
    if not folder.is_dir():
        pytest.skip(f"no reference files: {folder} is not a folder (set STEMJAX_REFERENCE)")
    return folder
