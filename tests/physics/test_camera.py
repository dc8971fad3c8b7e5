"""Cameras of all kinds: means and variances at every dose, the unit of the target, faults and displaced lines."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.physics.camera import Camera, displace_lines
from stemjax.physics.noise import sample_counts

PLAIN = Camera(gain=(1.0, 1.0), offset=0.0, read=0.0, scanned=0.0, faulty=0.0)
FLAT = jnp.ones((128, 128, 1))


@pytest.mark.parametrize("rate", [0.05, 1.0, 4.9, 5.1, 7.0, 20.0, 100.0, 2000.0])
def test_cheap_counts_have_the_moments_of_poisson(rate):
    counts = np.asarray(sample_counts(jax.random.key(0), jnp.full((512, 512), rate)), np.float64)
    error = counts.std() / 512
    assert (counts >= 0).all() and (counts == np.round(counts)).all()
    assert abs(counts.mean() - rate) < 5 * error + 1e-3 * rate
    assert counts.var() == pytest.approx(rate, rel=0.02)
    third = np.mean((counts - counts.mean()) ** 3) / counts.std() ** 3
    assert third == pytest.approx(rate**-0.5, rel=0.1, abs=0.02)


@pytest.mark.parametrize("counts", [0.05, 2.0, 2000.0])
def test_a_plain_camera_counts(counts):
    noisy, target = replace(PLAIN, counts=(counts, counts)).record(jax.random.key(1), FLAT)
    np.testing.assert_allclose(target, counts, rtol=1e-5)
    assert float(noisy.mean()) == pytest.approx(counts, abs=5 * (counts / 128**2) ** 0.5)
    assert float(noisy.var()) == pytest.approx(counts, rel=0.1)


def test_gain_offset_and_read_out():
    counts = 50.0
    camera = Camera(counts=(counts, counts), scanned=0.0, faulty=0.0)
    record, scene = jax.jit(camera.record), jnp.concatenate([0.5 * FLAT, 1.5 * FLAT])
    gains, reads = [], []
    for seed in range(40):
        noisy, target = record(jax.random.key(seed), scene)
        gain = float(target[-1, 0, 0] - target[0, 0, 0]) / counts  # the two levels differ by `counts`
        offset = float(target[0, 0, 0]) / gain - 0.5 * counts
        assert -0.1 < offset < 100.1 and (gain != pytest.approx(1) or abs(offset) < 0.01)
        noise = (noisy - target) / gain
        assert abs(float(noise.mean())) < 0.4
        gains.append(gain)
        reads.append(float(noise.var()) / counts)  # 1 and the read-out's
    assert min(gains) < 0.3 and max(gains) > 30 and 0.25 < np.mean(np.isclose(gains, 1, rtol=1e-3)) < 0.75
    assert min(reads) == pytest.approx(1, abs=0.05) and 1.2 < max(reads) < 2.1
    assert np.mean(np.array(reads) < 1.03) > 0.3


def test_faults_are_in_the_recording_alone():
    camera = replace(PLAIN, counts=(100.0, 100.0), faulty=1.0, faults=(2e-3, 2e-3))
    noisy, target = camera.record(jax.random.key(0), FLAT)
    np.testing.assert_allclose(target, 100, rtol=1e-5)
    hot, dead = np.asarray(noisy > 180), np.asarray(noisy == 0)
    assert 5 < hot.sum() < 35 and 5 < dead.sum() < 35


def test_lines_are_displaced_as_a_whole():
    image = jnp.arange(12.0).reshape(2, 6, 1)
    moved = displace_lines(image, jnp.array([1.0, -0.5]))[..., 0]
    np.testing.assert_allclose(moved, [[1, 2, 3, 4, 5, 5], [6, 6.5, 7.5, 8.5, 9.5, 10.5]])


def test_displaced_lines_are_in_the_recording_alone():
    camera = replace(PLAIN, counts=(1e4, 1e4), scanned=1.0, jitter=(2.0, 2.0))
    stripes = jnp.broadcast_to(1 + 0.5 * jnp.sin(jnp.arange(128) / 2), (128, 128))[..., None]
    noisy, target = camera.record(jax.random.key(0), stripes)
    np.testing.assert_allclose(target, 1e4 * stripes, rtol=1e-5)
    assert float(jnp.std(noisy - target)) > 1500  # the noise is 100
