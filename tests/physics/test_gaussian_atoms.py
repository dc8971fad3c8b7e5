"""Gaussian atoms and the distorted lattice: closed forms, and what a key decides."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from stemjax.physics.gaussian_atoms import GaussianAtoms, Lattice

SMALL = GaussianAtoms(size=32)
EACH = jax.jit(lambda key: GaussianAtoms(32, positions=(600, 1200)).sample(key, 6))


# ---------------------------------------------------------------------------------------------------- Gaussian atoms
def test_images_are_functions_of_the_key_in_zero_to_one():
    images = np.asarray(EACH(jax.random.key(0)))
    assert images.shape == (6, 32, 32, 1) and images.dtype == np.float32
    assert images.min() >= 0 and np.abs(images.max(axis=(1, 2, 3)) - 1).max() < 1e-6
    assert (images == np.asarray(EACH(jax.random.key(0)))).all() and (
        images != np.asarray(EACH(jax.random.key(1)))
    ).any()
    assert len({image.tobytes() for image in images}) == 6


def test_an_atom_is_a_gaussian_in_a_square_of_33_pixels():
    alone = GaussianAtoms(size=64, positions=(4, 4), variance=(9.0, 9.0))  # one position on a canvas of 128
    images = np.asarray(alone.sample(jax.random.key(3), 12))[..., 0]
    found = 0
    for image in images:
        y, x = np.unravel_index(image.argmax(), image.shape)
        if not (20 < y < 43 and 20 < x < 43):
            continue
        found += 1
        line, rows = np.log(image[y, x - 3 : x + 4]), np.flatnonzero(image.max(axis=1))
        np.testing.assert_allclose(np.diff(line, 2), -1 / 9, rtol=1e-3)  # of -x² / (2 v)
        assert len(rows) in (33, 34)  # nearly 33: the places are between the pixels
    assert found


def test_a_smaller_canvas_has_proportionally_fewer_positions():
    """The mean brightness of atoms of one size does not depend on the size of the image."""
    means = []
    for size, count in ((32, 64), (64, 12)):
        bright = GaussianAtoms(size, atoms=1, variance=(2.0, 2.0)).sample(jax.random.key(0), count)
        means.append(float(bright.mean()))
    expected = 112.5 / 256**2 * 2 * np.pi * 2  # positions per pixel x integral; overlaps dim it, by the maximum
    assert means[0] == pytest.approx(means[1], rel=0.3) and means[0] == pytest.approx(expected, rel=0.3)


# ---------------------------------------------------------------------------------------------------- the lattice
def test_the_perfect_crystal_is_a_sum_of_gaussians():
    lattice = Lattice()
    place = np.random.default_rng(0).uniform(0, 8, (50, 2))
    expected = np.full(50, lattice.background)
    for y, x, brightness in lattice.columns:
        for cell in np.ndindex(9, 9):
            centre = (np.array(cell) - 3 + (y, x)) * lattice.cell
            expected += brightness * np.exp(-((place - centre) ** 2).sum(axis=1) / (2 * lattice.sigma**2))
    np.testing.assert_allclose(lattice._perfect(place.astype(np.float32)), expected, atol=0.02)


def test_the_distortion_drifts_with_the_crystal_and_is_as_strong_as_it_says():
    drift = np.float32([(0, 0), (1.5, -1.0)])  # 6 and -4 px
    strained = Lattice(strain=0.05)
    frames = np.asarray(strained.frames(jax.random.key(2), drift, 48, 0.25))[..., 0]
    np.testing.assert_allclose(frames[1, 6:, :-4], frames[0, :-6, 4:], atol=2e-3)
    perfect = np.asarray(replace(strained, strain=0.0).frames(jax.random.key(2), drift, 48, 0.25))[..., 0]
    assert np.abs(perfect - frames).max() > 0.1 and np.abs(perfect[1, 6:, :-4] - perfect[0, :-6, 4:]).max() < 2e-3


def test_crystals_turn_from_y_towards_x():
    side, sampling = 48, 0.25
    still, moved = np.zeros((1, 2), np.float32), np.float32([((side - 1) * sampling, 0)])
    upright, turned = (
        np.asarray(
            Lattice(strain=0.0, rotation=(angle, angle)).frames(jax.random.key(0), drift, side, sampling)
        ).squeeze()
        for angle, drift in ((0.0, still), (90.0, moved))
    )
    np.testing.assert_allclose(turned, np.rot90(upright), atol=2e-3)
    ours, other = (np.asarray(Lattice().frames(jax.random.key(seed), still, side, sampling)) for seed in (0, 1))
    assert np.abs(ours - other).max() > 0.1  # of the same crystal, but neither turned nor strained alike


def test_the_strain_has_its_root_mean_square():
    """With a crystal whose image is its own coordinate, a frame shows the displacements."""

    class Ruler(Lattice):
        def _perfect(self, place):
            return place[..., 0]

    gradients = []
    for seed in range(12):
        with_, without = (
            np.asarray(Ruler(strain=strain).frames(jax.random.key(seed), np.zeros((1, 2), np.float32), 64, 2.0))[
                0, ..., 0
            ]
            for strain in (0.02, 0.0)
        )
        gradients += [np.gradient(with_ - without, 2.0, axis=axis) for axis in (0, 1)]
    # One of the two components of u, both derivatives: half of the mean square.
    assert np.sqrt(2 * 2 * np.mean(np.square(gradients))) == pytest.approx(0.02, rel=0.15)
