"""Movies of adatoms: on their sites, apart, hopping and drifting as they should, and the same for the same seed."""

import numpy as np
import pytest

from simulation import adatoms
from simulation.adatoms import STEP, Motion, rotation, simulate_movie

SIDE, BORDER, DENSITY, DEGREES = 60.0, 6.0, 0.003, 17.0


def make_movie(seed=0, frames=40, motion=Motion(), density=DENSITY):  # noqa: B008
    return simulate_movie(np.random.default_rng(seed), frames, SIDE, BORDER, density, DEGREES, motion)


def lattice_steps(movie):
    """Positions in the lattice in steps of the grid of sites, [T, N, 2]."""
    return (movie.positions - movie.drift[:, None]) @ rotation(DEGREES) @ np.linalg.inv(STEP)


def test_without_jitter_adatoms_hop_from_site_to_neighbouring_site():
    steps = lattice_steps(make_movie(motion=Motion(jitter=0)))
    sites = np.rint(steps)
    np.testing.assert_allclose(steps, sites, atol=1e-9)
    hops = np.diff(sites, axis=0)
    length = np.linalg.norm(hops @ STEP, axis=-1)
    np.testing.assert_allclose(length[length > 0], 2.46 / 3)
    assert 0.25 < (length > 0).mean() < 0.32  # a hop towards another adatom fails
    assert len(np.unique(hops[length > 0], axis=0)) == 6


def test_jitter_is_about_the_sites_and_has_its_width():
    movie = make_movie(motion=Motion(hop=0), frames=200)
    steps = lattice_steps(movie)
    np.testing.assert_allclose(((steps - np.rint(steps.mean(axis=0))) @ STEP).mean(axis=0), 0, atol=0.06)
    assert 0.13 < (steps @ STEP).std(axis=0).mean() < 0.16


@pytest.mark.parametrize("density", [DENSITY, 0.02])  # at the second, many want to be neighbours
def test_adatoms_keep_their_distance(density):
    positions = make_movie(density=density, frames=10).positions
    distance = np.linalg.norm(positions[:, :, None] - positions[:, None], axis=-1)
    assert distance[:, ~np.eye(positions.shape[1], dtype=bool)].min() >= 3.4


def test_the_specimen_drifts_by_one_length_per_frame():
    drift = make_movie().drift
    np.testing.assert_allclose(np.linalg.norm(np.diff(drift, axis=0), axis=1), 0.15)
    assert np.linalg.norm(drift[-1] - drift[0]) > 1  # it goes somewhere


def test_the_field_of_view_and_its_border_hold_the_density():
    found = []
    for seed in range(20):
        positions = make_movie(seed).positions
        for low, high in ((0, SIDE), (-BORDER, SIDE + BORDER)):
            inside = ((positions >= low) & (positions <= high)).all(axis=-1).sum(axis=1)
            found.append(inside.mean() / (high - low) ** 2)
    np.testing.assert_allclose(np.reshape(found, (20, 2)).mean(axis=0), DENSITY, rtol=0.1)


def test_the_seed_decides_everything():
    one, same, other = make_movie(3), make_movie(3), make_movie(4)
    np.testing.assert_array_equal(one.positions, same.positions)
    np.testing.assert_array_equal(one.drift, same.drift)
    assert abs(one.drift - other.drift).min() > 0


def test_too_many_adatoms_are_refused(monkeypatch):
    monkeypatch.setattr(adatoms, "ATTEMPTS", 20)
    with pytest.raises(ValueError, match="adatoms in .* cannot keep 3.4 Å apart: use fewer"):
        make_movie(density=0.3, frames=1)


def test_rotation_is_clockwise_where_y_points_down():
    np.testing.assert_allclose(rotation(90) @ [1, 0], [0, 1], atol=1e-15)
