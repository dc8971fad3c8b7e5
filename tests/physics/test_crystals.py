"""Drawn crystals: intensities of mean 1, decided by the key, with columns as far apart as they are said to be."""

import jax
import numpy as np
import pytest

from stemjax.physics import crystals

COUNT, SIZE = 24, 64


@pytest.fixture(scope="module")
def drawn() -> np.ndarray:
    return np.stack([crystals.draw(jax.random.key(seed), SIZE) for seed in range(COUNT)])


def test_images_are_intensities_of_mean_one(drawn):
    assert drawn.shape == (COUNT, SIZE, SIZE) and drawn.dtype == np.float32
    assert np.isfinite(drawn).all() and drawn.min() >= 0
    np.testing.assert_allclose(drawn.mean((1, 2)), 1, atol=1e-4)
    spread = drawn.std((1, 2))
    assert np.median(spread) > 0.05 and spread.max() > 0.3


def test_the_key_decides(drawn):
    np.testing.assert_array_equal(crystals.draw(jax.random.key(0), SIZE), drawn[0])
    flat = drawn.reshape(COUNT, -1)[drawn.std((1, 2)) > 0.01]
    alike = np.corrcoef(flat) - np.eye(len(flat))
    assert np.abs(alike).max() < 0.95
    assert (np.diff(drawn, axis=0) != 0).any((1, 2)).all()


def test_images_without_atoms_are_smooth():
    for seed in range(6):
        key = jax.random.key(seed)
        with_atoms, without = (np.asarray(crystals.draw(key, SIZE, atoms)) for atoms in (True, False))
        assert not np.array_equal(with_atoms, without) and np.isclose(without.mean(), 1, atol=1e-4)


def test_columns_are_as_far_apart_as_their_density_says(monkeypatch):
    """With the spacing held fixed, the strongest waves of the lattices have about that period."""
    found = []
    monkeypatch.setattr(crystals, "SPACING", (8.0, 8.0))
    draw = jax.jit(lambda key: crystals.draw.__wrapped__(key, 128, True))
    frequency = np.hypot(np.fft.fftfreq(128)[:, None], np.fft.rfftfreq(128))
    for seed in range(16):
        image = np.asarray(draw(jax.random.key(seed)))
        power = np.abs(np.fft.rfft2((image - 1) * np.outer(np.hanning(128), np.hanning(128)))) ** 2
        power[frequency < 0.04] = 0  # outlines and gradients
        found.append(1 / frequency.flat[power.argmax()])
    assert 5 < np.median(found) < 13
    assert np.mean((np.array(found) > 4) & (np.array(found) < 18)) > 0.8  # single atoms have no period
