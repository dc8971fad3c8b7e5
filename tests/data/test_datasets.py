"""Data sets on disk: what is stored comes back, damage is named, and selections never mix the splits."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stemjax.data import datasets
from stemjax.data.datasets import decode_waves, encode_waves, open_data_set, verify
from stemjax.data.micrographs import Selection
from stemjax.files import write_whole
from tests.toys.damage import KINDS, damage
from tests.toys.micrographs import UNITS, make_toy

ROOT = Path(__file__).parents[2]
DAMAGES = int(os.environ.get("STEMJAX_DAMAGES", 300))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_toy(tmp_path_factory.mktemp("toy"))


@pytest.fixture
def copy(data, tmp_path):
    return Path(shutil.copytree(data.folder, tmp_path / "copy"))


def one_line(error) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


# ---------------------------------------------------------------------------------------------------- exit waves
def test_waves_come_back():
    rng = np.random.default_rng(0)
    decay = np.exp(-np.arange(2000) / 300)  # strong beams first, like a crystal's
    waves = (decay * (rng.normal(size=(3, 2000)) + 1j * rng.normal(size=(3, 2000)))).astype(np.complex64)
    records = encode_waves(waves)
    back = decode_waves(records)
    assert back.dtype == np.complex64 and records.dtype == datasets.wave_dtype(2000)
    for wave, again, record in zip(waves, back, records, strict=True):
        assert np.array_equal(again[record["index"]], wave[record["index"]])  # the strongest are exact
        assert record["index"].tolist() == sorted(np.argsort(-np.abs(wave), kind="stable")[: datasets.STRONG])
        assert np.abs(again - wave).max() <= 2**-11 * np.abs(wave).max()
    assert records.nbytes < 0.6 * waves.nbytes


@pytest.mark.parametrize("count", [1, 10, datasets.STRONG, datasets.STRONG + 1])
def test_few_or_vanishing_coefficients(count):
    for waves in (np.zeros((2, count), np.complex64), np.full((2, count), 3 - 4j, np.complex64)):
        np.testing.assert_allclose(decode_waves(encode_waves(waves)), waves, rtol=1e-3)


def test_an_opened_data_set(data):
    assert data.name == "pt-ceo2" and len(data.items) == sum(UNITS.values())
    assert data.waves([2, 0]).shape == (2, len(data.band.indices))
    np.testing.assert_array_equal(data.waves([2, 0])[1], data.waves()[0])
    assert data.truth.dtype == datasets.TRUTH
    assert verify(data.folder) == []


def test_the_hash_is_of_the_value_not_of_its_spelling():
    assert datasets.recipe_hash({"b": [1, 2.0], "a": None}) == datasets.recipe_hash({"a": None, "b": [1, 2.0]})
    assert datasets.recipe_hash({"a": 1}) != datasets.recipe_hash({"a": 2})
    with pytest.raises(ValueError):
        datasets.recipe_hash({"a": float("nan")})


# ---------------------------------------------------------------------------------------------------- damage
def test_verify_finds_every_damage(data, copy):
    rng, found = np.random.default_rng(0), 0
    names = ["manifest.json", *data.manifest["files"]]
    for trial in range(DAMAGES):
        name, kind = names[trial % len(names)], KINDS[trial // len(names) % len(KINDS)]
        damage(copy / name, kind, rng)
        try:
            problems = verify(copy)
        except (OSError, ValueError) as error:
            problems = [str(error)]
        found += len(problems) == 1 and name.partition(".json")[0] in problems[0] and "\n" not in problems[0]
        shutil.copy(data.folder / name, copy / name)
    assert found == DAMAGES
    assert verify(copy) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_shard_is_not_used(copy, kind):
    damage(copy / "waves.npy", kind, np.random.default_rng(3))
    with pytest.raises(OSError, match="waves.npy: .*stemjax verify") as error:
        open_data_set(copy).waves()
    one_line(error)


def test_a_wave_that_is_not_finite_is_not_used(copy):
    records = np.load(copy / "waves.npy")
    records["scale"][3] = np.nan
    manifest = open_data_set(copy).manifest
    manifest["files"]["waves.npy"] = datasets.write_array(copy / "waves.npy", records)
    datasets.write_manifest(copy, manifest)
    with pytest.raises(OSError, match="NaN or Inf") as error:
        open_data_set(copy).waves()
    one_line(error)


def test_a_folder_without_a_data_set(tmp_path):
    for folder in (tmp_path / "absent", tmp_path):
        with pytest.raises(OSError, match="no finished data set here") as error:
            open_data_set(folder)
        assert str(folder) in one_line(error)


def test_another_recipe(data):
    assert open_data_set(data.folder, data.recipe_hash).recipe_hash == data.recipe_hash
    with pytest.raises(ValueError, match="0123456789abcdef is expected") as error:
        open_data_set(data.folder, "0123456789abcdef")
    assert str(data.folder) in one_line(error)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "stemjax data set", "format_version": 99}', "\x00\xff"])
def test_a_manifest_of_something_else(copy, text):
    (copy / "manifest.json").write_text(text, encoding="latin-1")
    with pytest.raises((OSError, ValueError), match="manifest.json") as error:
        open_data_set(copy)
    one_line(error)


def test_an_edited_manifest(copy):
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["items"][0]["split"] = "test"
    (copy / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    with pytest.raises(OSError, match="damaged or edited"):
        open_data_set(copy)


# ---------------------------------------------------------------------------------------------------- whole or absent
def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.npy"
    datasets.write_array(path, np.arange(5))
    old = path.read_bytes()

    def fail(stream):
        stream.write(b"half of it")
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        write_whole(path, fail)
    assert path.read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == ["a.npy"]  # no temporary file stays


FULL = """
import resource, sys
sys.path.insert(0, sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
import numpy as np
from stemjax import cli
from stemjax.data import datasets
def write(*_):
    if sys.argv[3] == "array":
        datasets.write_array(sys.argv[2] + "/a.npy", np.zeros(100_000))
    else:
        datasets.write_manifest(sys.argv[2], {"items": list(range(10_000))})
cli._run = write
sys.exit(cli.main(["verify"]))
"""


@pytest.mark.parametrize(("what", "name"), [("array", "a.npy"), ("manifest", "manifest.json")])
def test_a_full_disk_is_one_line_and_nothing_lost(tmp_path, what, name):
    """A limit on the size of files stands for the disk."""
    (tmp_path / name).write_bytes(b"old")
    arguments = [sys.executable, "-c", FULL, str(ROOT), str(tmp_path), what]
    result = subprocess.run(arguments, capture_output=True, text=True, timeout=120)
    assert result.returncode == 2
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    assert (tmp_path / name).read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


# ---------------------------------------------------------------------------------------------------- selections
def test_every_combination_of_item_and_defocus(data):
    images = Selection().images(data, "train")
    assert len(images) == UNITS["train"] * 3
    assert images.defocus[:3].tolist() == [50, 60, 70] and images.item[:4].tolist() == [0, 0, 0, 1]
    assert images.unit[0] == data.items[0]["unit"]


def test_conditions_narrow_a_selection(data):
    assert set(Selection(defocus=(55, 70)).images(data, "train").defocus) == {60, 70}
    assert len(Selection(contrast=()).images(data, "test")) == len(Selection().images(data, "test"))
    assert len(Selection(particle=("toy", "other"), thickness=(40,)).images(data, "test")) == UNITS["test"] * 3
    mixed = open_data_set(data.folder)
    mixed.items[0]["contrast"] = ["white", "black", "intermediate"]
    assert len(Selection(contrast=("black",)).images(mixed, "train")) == 1
    assert len(Selection(contrast=("white", "black")).images(mixed, "train")) == 3 * UNITS["train"] - 1


@pytest.mark.parametrize(
    "selection",
    [
        Selection(contrast=("black",)),
        Selection(particle=("PtNp1",)),
        Selection(defect=("D1",)),
        Selection(support=("faceted",)),
        Selection(thickness=(30,)),
        Selection(defocus=(0, 49)),
    ],
)
def test_an_empty_selection_is_refused(data, selection):
    with pytest.raises(ValueError, match="no image of split 'train'.*widen the selection") as error:
        selection.images(data, "train")
    assert str(data.folder) in one_line(error)
    with pytest.raises(ValueError, match="no image of split 'holdout'"):
        Selection().images(data, "holdout")


@pytest.mark.parametrize(("per_unit", "expected"), [(1, [60]), (2, [50, 70]), (3, [50, 60, 70]), (9, [50, 60, 70])])
def test_per_unit_spreads_evenly(data, per_unit, expected):
    images = Selection(per_unit=per_unit).images(data, "validation")
    for unit in np.unique(images.unit):
        assert images.defocus[images.unit == unit].tolist() == expected


def test_no_unit_is_in_two_splits(data):
    units = [set(Selection().images(data, split).unit) for split in UNITS]
    assert [len(found) for found in units] == list(UNITS.values())
    assert len(set.union(*units)) == sum(UNITS.values())
    for split, found in zip(UNITS, units, strict=True):
        assert found == set(data.manifest["splits"][split])
