"""Devices: how many are used, and that a batch does not depend on it. Training on several: test_train."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from stemjax.training import parallel
from stemjax.training.compilation_cache import enable_compilation_cache
from tests.toys.micrographs import make_toy

ROOT = Path(__file__).parents[2]

BATCHES = """
import sys
sys.path.insert(0, sys.argv[1])
import jax, numpy as np
from stemjax.data import datasets, micrographs
from stemjax.data.micrographs import Selection
from stemjax.training import parallel
data = datasets.open_data_set(sys.argv[2])
imaging, crops = micrographs.Imaging(sampling=0.2, counts=1.8), micrographs.Crops(size=16, count=8, render=64)
arrays = micrographs.Imaging().device_arrays(data, Selection().images(data, "train"))
found = []
for devices in (1, 2):
    mesh = parallel.batch_mesh(devices)
    make = jax.jit(lambda arrays, step, mesh=mesh: parallel.constrain_batch(
        crops.batch(arrays, jax.random.key(3), step, data.band, imaging), mesh))
    batch = make(jax.device_put(arrays, parallel.replicated(mesh)), 5)
    assert len(batch["noisy"].sharding.device_set) == devices
    found.append(jax.device_get(batch))
one, two = found
assert np.abs(one["clean"] - two["clean"]).max() < 1e-5
# A rate that differs in its last bits may move a count across a threshold, rarely.
assert (one["noisy"] != two["noisy"]).mean() < 2e-3
"""


def test_a_batch_does_not_depend_on_the_devices(tmp_path):
    data = make_toy(tmp_path)
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2"
    environment = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    arguments = [sys.executable, "-c", BATCHES, str(ROOT), str(data.folder)]
    result = subprocess.run(arguments, capture_output=True, text=True, env=environment, timeout=300)
    assert result.returncode == 0, result.stderr[-2000:]


@pytest.mark.parametrize(("batch", "available", "expected"), [(32, 8, 8), (6, 4, 3), (7, 4, 1), (2, 8, 2), (1, 1, 1)])
def test_the_largest_divisor(batch, available, expected):
    assert parallel.largest_divisor(batch, available) == expected


def test_devices_that_are_not_there():
    count = len(jax.devices())
    assert parallel.batch_mesh().size == count
    with pytest.raises(ValueError, match=f"{count + 1} devices asked for, but only {count} are visible"):
        parallel.batch_mesh(count + 1)


def test_the_compilation_cache_is_where_it_is_asked_for(monkeypatch, tmp_path):
    settings = {}
    monkeypatch.setattr(jax.config, "update", settings.__setitem__)
    monkeypatch.setenv("STEMJAX_CACHE", "")
    enable_compilation_cache()
    assert settings == {}
    monkeypatch.setenv("STEMJAX_CACHE", str(tmp_path))
    enable_compilation_cache()
    assert settings["jax_compilation_cache_dir"] == str(tmp_path)
    monkeypatch.delenv("STEMJAX_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    enable_compilation_cache()
    assert settings["jax_compilation_cache_dir"] == str(tmp_path / "home" / "stemjax")
