"""Freed memory that a training keeps: the page faults that it saves, and where it does nothing."""

import os
import subprocess
import sys

import pytest

from stemjax.training import memory

FAULTS = """
import resource, statistics, sys
if sys.argv[1] == "keep":
    from stemjax.training.memory import keep_freed_memory
    assert keep_freed_memory()
import jax
import jax.numpy as jnp

x, kernel = jnp.ones((2, 130, 130, 32)), jnp.ones((3, 3, 32, 32))
numbers = ("NHWC", "HWIO", "NHWC")
convolve = jax.jit(lambda x: jax.lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=numbers))
counts = []
for _ in range(8):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    convolve(x).block_until_ready()
    counts.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(statistics.median(counts[2:]))
"""


def is_glibc() -> bool:
    return "CS_GNU_LIBC_VERSION" in getattr(os, "confstr_names", {})


def count_faults(mode: str) -> float:
    """Page faults of a call of a convolution whose work space is 36 MiB, in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    command = [sys.executable, "-c", FAULTS, mode]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


@pytest.mark.skipif(not is_glibc(), reason="only glibc gives large blocks back at once")
def test_a_repeated_convolution_faults_no_more():
    given_back = count_faults("give back")
    if given_back < 1000:
        pytest.skip("this system maps large pages, or this XLA needs no large work space")
    assert count_faults("keep") < given_back / 10


def unknown(name):
    raise ValueError("unrecognized configuration name")


@pytest.mark.parametrize("confstr", [unknown, lambda name: None, lambda name: "another 1.0", None])
def test_nothing_happens_without_glibc(monkeypatch, confstr):
    if confstr is None:  # as on Windows
        monkeypatch.delattr(os, "confstr", raising=False)
    else:
        monkeypatch.setattr(os, "confstr", confstr, raising=False)
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: pytest.fail("the C library was asked"))
    assert memory.keep_freed_memory() is False
