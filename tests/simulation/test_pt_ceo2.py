"""Making a data set: the same manifest after kills and damage, one writer, one recipe, all conditions."""

import fcntl
import json
import resource
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("abtem", reason="abTEM is not installed (extra `simulation`)")

from simulation.pt_ceo2 import ALL_TILTS, make, make_pt_ceo2, plan, plan_of_names  # noqa: E402
from simulation.structures import PARTICLES, columns  # noqa: E402
from stemjax.cli import main  # noqa: E402
from stemjax.data.datasets import open_data_set, verify  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "stemjax", "simulate", "pt-ceo2", "--size", "smoke"]


def manifest_bytes(folder):
    return (folder / "manifest.json").read_bytes()


def test_the_sizes_are_one_recipe():
    full, small = plan("pt-ceo2", "gpu"), plan("pt-ceo2", "cpu")
    assert sum(len(tilts) for _, tilts in full.tasks) == 855 == 95 * len(ALL_TILTS)
    assert sum(len(tilts) for _, tilts in small.tasks) == 285
    assert small.multislice == full.multislice
    tilts = dict(full.tasks)
    assert all(set(few) <= set(tilts[structure]) for structure, few in small.tasks)
    assert sum(len(tilts) for _, tilts in plan("pt-ceo2-surface", "gpu").tasks) == 44
    assert plan("pt-ceo2", "gpu", 107).multislice.pixels >= 512 * 107 / 50.1


def test_structures_by_name_are_a_data_set_of_their_own(in_one_process, tmp_path):
    work = plan_of_names(["PtNp2-S3_2-S5_2"], tilts=((3, -1),))
    assert "PtNp2-S3_2-S5_2" in work.tasks[0][0].name and work.recipe()["platinum"]["rows"].keys() == {"PtNp2"}
    coarse = replace(work, multislice=plan("pt-ceo2", "smoke").multislice)
    data = make(tmp_path / "named", coarse, workers=1, progress=False)
    (item,) = data.items
    assert (item["particle"], item["thickness_angstrom"], item["tilt_deg"]) == ("PtNp2", 40, [3, -1])
    platinum = data.truth[data.truth["species"] == b"Pt"]
    assert platinum["count"].sum() == sum(map(sum, PARTICLES["PtNp2"].lengths())) - 4
    with pytest.raises(ValueError, match="name each structure once"):
        plan_of_names(["PtNp2", "PtNp2"])


def test_smoke_is_sound_and_complete(smoke):
    data = open_data_set(smoke)
    assert verify(smoke) == []
    assert {split: len(units) for split, units in data.manifest["splits"].items()} == {
        "train": 6,
        "validation": 2,
        "test": 2,
    }
    assert data.waves().shape == (10, len(data.band.indices))
    for index, (structure, _) in enumerate(plan("pt-ceo2", "smoke").tasks):
        item, truth = data.items[index], data.truth[data.truth["item"] == index]
        assert (item["unit"], item["split"]) == (structure.unit, structure.split)
        assert truth["count"].sum() == sum(len(column.heights) for column in columns(structure))
        x0, y0, x1, y1 = item["particle_box_angstrom"]
        assert 5 < x0 < x1 < 45 and 10 < y0 < y1 < 25
        assert item["contrast"][5:11] == ["white"] * 6  # 50 to 100 Å
        assert item["contrast"][0] != "white"


def test_killed_and_damaged_ends_with_the_same_manifest(smoke, tmp_path):
    """kill -9 after the first finished shard, one bit flipped in it, then the same call again."""
    out = tmp_path / "data"
    process = subprocess.Popen([*COMMAND, "--out", out, "--workers", "1"], cwd=ROOT, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (finished := sorted(out.glob("markers/*.json"))) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert finished and not (out / "manifest.json").exists()  # the kill landed in between
    time.sleep(1)  # the workers notice that they are alone, and end
    shards = sorted(out.glob("*.npy"))
    damaged = out / f"{finished[0].stem}.npy"
    contents = bytearray(damaged.read_bytes())
    contents[-1] ^= 1
    damaged.write_bytes(contents)
    kept = [shard for shard in shards if (out / "markers" / f"{shard.stem}.json").exists() and shard != damaged]
    written = [shard.stat().st_mtime_ns for shard in kept]

    make_pt_ceo2(out, "smoke", workers=1, progress=False)
    assert manifest_bytes(out) == manifest_bytes(smoke)
    assert verify(out) == []
    assert [shard.stat().st_mtime_ns for shard in kept] == written  # finished work is not done again
    assert not list(out.rglob("*.tmp"))


def test_a_finished_set_is_left_alone(smoke, tmp_path):
    own = shutil.copytree(smoke, tmp_path / "own")  # the one of all tests must not be locked
    before = manifest_bytes(own)
    start = time.monotonic()
    make_pt_ceo2(own, "smoke")
    assert manifest_bytes(own) == before
    assert time.monotonic() - start < 5  # nothing was simulated


def test_second_writer_is_refused(tmp_path):
    with open(tmp_path / ".lock", "w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with pytest.raises(OSError, match="another process is writing here"):
            make_pt_ceo2(tmp_path, "smoke")


def test_another_recipe_is_refused(smoke, tmp_path):
    finished, unfinished = shutil.copytree(smoke, tmp_path / "finished"), tmp_path / "unfinished"
    (unfinished / "markers").mkdir(parents=True)
    shutil.copy(next(smoke.glob("markers/*.json")), unfinished / "markers")
    for folder in (finished, unfinished):
        with pytest.raises(ValueError, match="holds data of another recipe .* choose another folder"):
            make_pt_ceo2(folder, "smoke", name="pt-ceo2-surface")


def test_impossible_requests_write_nothing(tmp_path):
    for wrong, message in (({"size": "huge"}, "sizes: smoke, cpu, gpu"), ({"cell": 30}, "too small")):
        with pytest.raises(ValueError, match=message):
            make_pt_ceo2(tmp_path / "new", **wrong)
    assert not (tmp_path / "new").exists()


def test_a_full_disk_is_one_line(in_one_process, tmp_path, capsys):
    """A limit on the size of files stands in for it: the shard cannot be written."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40 * 1024, before[1]))
    try:
        assert main(["simulate", "pt-ceo2", "--size", "smoke", "--out", str(tmp_path / "data")]) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [line for line in capsys.readouterr().err.splitlines() if "structures," not in line] == [
        f"error: {tmp_path}/data: cannot write (is the disk full?); mend that and run again to continue"
    ]
    assert not list((tmp_path / "data").glob("*.npy")) and not list((tmp_path / "data").rglob("*.json"))


def test_manifest_of_recipe_is_json(smoke):
    recipe = open_data_set(smoke).manifest["recipe"]
    assert recipe == json.loads(json.dumps(plan("pt-ceo2", "smoke").recipe()))
    assert set(recipe["software"]) == {"abtem", "ase"}
    assert np.isclose(recipe["band"]["cell"], 50.1)
