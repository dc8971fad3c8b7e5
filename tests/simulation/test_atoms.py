"""The data set of stills, from data sets that are there: splits, doses, the same again, and what is missing."""

import json
import shutil

import numpy as np
import pytest

pytest.importorskip("abtem", reason="abTEM is not installed (extra `simulation`)")

from simulation import atoms  # noqa: E402
from stemjax.data import datasets  # noqa: E402
from stemjax.data.atoms import StillImaging, Stills, read_stills  # noqa: E402

SIDE = 32


@pytest.fixture(scope="module")
def made(smoke, tmp_path_factory):
    """Of exit waves and drawings alone: (data set, folder of the sources)."""
    folder, patch = tmp_path_factory.mktemp("atoms"), pytest.MonkeyPatch()
    shutil.copytree(smoke, folder / "pt-ceo2-smoke")
    patch.setattr(atoms, "SOURCES", ("pt-ceo2",))
    patch.setattr(atoms, "KINDS", {k: v for k, v in atoms.KINDS.items() if v[0] in (None, "pt-ceo2")})
    patch.setitem(atoms.PLANS, "smoke", atoms.Plan(SIDE, (3, 2, 2), (0, 2, 2)))
    yield atoms.make_atoms(folder / "atoms", folder, "smoke", progress=False), folder
    patch.undo()


def test_stills_have_mean_one_and_the_split_of_what_they_show(made):
    data, folder = made
    assert datasets.verify(data.folder) == [] and len(data.items) == 7 + 4 + 4
    source = datasets.open_data_set(folder / "pt-ceo2-smoke")
    splits = {item["unit"]: item["split"] for item in source.items}
    for split in atoms.SPLITS:
        images = Stills().images(data, split)
        stills = read_stills(data, images).astype(np.float32)
        assert stills.shape[1:] == (SIDE, SIDE, 1) and np.isfinite(stills).all() and stills.min() >= 0
        np.testing.assert_allclose(stills.mean((1, 2, 3)), 1, atol=2e-3)
        assert stills.std((1, 2, 3)).min() > 1e-3
        items = [data.items[index] for index in images.item]
        assert all(splits[item["unit"]] == split for item in items if item["kind"] == "pt-ceo2")
        assert all(("counts" in item) == (split != "train") for item in items)
    assert StillImaging().noisy_images(data, Stills().images(data, "test")).shape == (6, SIDE, SIDE, 1)


def test_it_goes_on_and_ends_the_same(made):
    data, folder = made
    manifest = (data.folder / "manifest.json").read_text()
    for name in ("manifest.json", "crystal-test.npy", "markers/pt-ceo2-validation.json"):
        (data.folder / name).unlink()
    atoms.make_atoms(data.folder, folder, "smoke", progress=False)
    again = json.loads((data.folder / "manifest.json").read_text())
    assert again["items"] == json.loads(manifest)["items"] and datasets.verify(data.folder) == []


def test_what_is_missing_is_said(tmp_path):
    with pytest.raises(OSError, match="pt-ceo2-cpu: missing; make it with `stemjax simulate pt-ceo2 --size cpu"):
        atoms.make_atoms(tmp_path / "out", tmp_path, "cpu")
    with pytest.raises(ValueError, match="no data set 'atoms' of size 'huge'"):
        atoms.make_atoms(tmp_path / "out", tmp_path, "huge")


def test_a_piece_lies_within_its_frame():
    generator, frame = np.random.default_rng(0), np.add.outer(np.arange(60.0), 100 * np.arange(80.0))
    for _ in range(20):  # outside, the mirror image would bend the plane
        clean, step = atoms.piece(generator, frame, 40, (0.4, 1.6))
        assert 0.4 <= step <= 60 / 40 and clean.min() >= -1e-6 and clean.max() <= 59 + 7900 + 1e-6
        bend = np.diff(clean, 2, axis=0)[3:-3, 3:-3], np.diff(clean, 2, axis=1)[3:-3, 3:-3]
        assert max(np.abs(part).max() for part in bend) < 1.0
