"""Atomic columns: planted lattices, and the metrics where a column is added, removed, merged or moved."""

import numpy as np
import pytest

from stemjax.metrics import atoms
from stemjax.metrics.atoms import Columns, Finder, View

SAMPLING = 0.1  # Å/px
PITCH, ROW = 2.442, 2.3025  # Å, of platinum
VIEW = View(SAMPLING, origin=2.0, particle_box=(8.0, 12.0, 8.0 + 5 * PITCH, 12.0 + 3 * ROW))


def lattice() -> np.ndarray:
    """Columns (y, x) [Å] of a particle of 4 rows, each a third of the pitch to the left of the row above."""
    return np.array([(12.0 + row * ROW, 8.0 + (c + (3 - row) / 3) * PITCH) for row in range(4) for c in range(5)])


def picture(points: np.ndarray, amplitude: float = 0.1, sampling: float = SAMPLING) -> np.ndarray:
    """Gaussians of standard deviation 0.5 Å on vacuum."""
    y, x = np.indices((round(22 / sampling), round(24 / sampling))) * sampling + VIEW.origin
    spots = [np.exp(-((y - b) ** 2 + (x - a) ** 2) / (2 * 0.5**2)) for b, a in points]
    return atoms.VACUUM + amplitude * np.sum(spots, axis=0)


def columns(points, surface=None) -> Columns:
    points = np.asarray(points, float).reshape(-1, 2)
    surface = np.ones(len(points), bool) if surface is None else np.asarray(surface)
    return Columns(np.column_stack([points, np.zeros(len(points))]), surface)


def values(scores: dict, prefix: str) -> list[float]:
    return [scores[f"{prefix}_{ratio}"] for ratio in atoms.RATIOS]


# ---------------------------------------------------------------------------------------------------- finding
@pytest.mark.parametrize("sampling", [0.0624, 0.1, 0.2])
def test_planted_columns_are_found_at_every_sampling(sampling):
    points, view = lattice(), View(sampling, VIEW.origin, VIEW.particle_box)
    found = atoms.find_columns(picture(points, sampling=sampling), view, 0.02)
    pairs = atoms.match(points, found.places[:, :2], 1.5 * sampling)
    assert len(found) == len(pairs) == len(points)
    assert np.allclose(found.places[:, 2], np.sqrt(2) * Finder.sigma)


def test_surface_is_the_rim_without_the_interface():
    found = atoms.find_columns(picture(lattice()), VIEW, 0.02)
    planted, place = atoms.match(lattice(), found.places[:, :2], 0.2).T
    row, column = np.divmod(planted, 5)
    at_rim = (row == 0) | (column == 0) | (column == 4)
    assert (found.surface[place] == at_rim).all() and at_rim.sum() == 5 + 3 * 2


def test_what_lies_outside_the_region_is_vacuum():
    far = [
        (VIEW.particle_box[3] + ROW, 14.0),
        (8.0, VIEW.particle_box[0] - 5.0),
    ]  # the support, and beside the particle
    assert len(atoms.find_columns(picture([*lattice(), *far]), VIEW, 0.02)) == 20


def test_a_threshold_is_the_response_of_a_blob():
    # The response of a Gaussian of variance s^2 and amplitude a to -sigma^2 LoG is 2 a s^2 sigma^2 / (s^2 + sigma^2)^2.
    s2, sigma2 = 0.5**2, Finder.sigma**2
    response = 2 * 0.1 * s2 * sigma2 / (s2 + sigma2) ** 2
    image = picture(lattice()[[7]])
    assert len(atoms.find_columns(image, VIEW, 0.97 * response)) == 1
    assert len(atoms.find_columns(image, VIEW, 1.03 * response)) == 0


def test_smaller_blobs_are_dropped():
    finder = Finder(smallest_radius=0.8)
    assert len(atoms.find_columns(picture(lattice()), VIEW, 0.02, finder)) == 0


# ---------------------------------------------------------------------------------------------------- alpha shape
def test_circumradii_of_known_triangles():
    triangles = np.array([[(0, 0), (3, 0), (0, 4)], [(0, 0), (1, 1), (2, 2)], [(1, 1), (1, 1), (1, 1)]], float)
    assert np.array_equal(atoms.circumradii(triangles), [2.5, np.inf, np.inf])


@pytest.mark.parametrize("points", [[], [(1, 1)], [(1, 1), (2, 2)], [(0, 0), (1, 1), (2, 2), (3, 3)], [(1, 1)] * 4])
def test_degenerate_points_have_no_surface(points):
    surface = atoms.surface_of(np.array(points, float).reshape(-1, 2), alpha=2.5, lowest=10.0)
    assert surface.shape == (len(points),) and not surface.any()


def test_a_hole_wider_than_alpha_has_a_surface():
    grid = np.array([(y, x) for y in range(7) for x in range(7) if not (2 <= y <= 4 and 2 <= x <= 4)], float)
    around = (np.abs(grid - 3).max(axis=1) == 2) & (np.abs(grid - 3).min(axis=1) < 2)
    assert atoms.surface_of(grid, alpha=1.0, lowest=10.0)[around].all()
    assert not atoms.surface_of(grid, alpha=9.0, lowest=10.0)[around].any()


# ---------------------------------------------------------------------------------------------------- comparing
def test_one_column_too_many_and_one_too_few():
    clean = columns(lattice()[:15])
    more = columns([*lattice()[:15], (5.0, 15.0)])
    assert np.allclose(values(atoms.compare(clean, more), "surface"), [15 / 16, 1, 30 / 31, 15 / 16])
    assert np.allclose(values(atoms.compare(more, clean), "surface"), [1, 15 / 16, 30 / 31, 15 / 16])
    fewer = columns(lattice()[:14])
    assert np.allclose(values(atoms.compare(clean, fewer), "surface"), [1, 14 / 15, 28 / 29, 14 / 15])


def test_the_published_figures_of_one_covered_column():
    """An atom that covers a surface column: 14 of 15 are shared, one is too many, one is missing (Figure 5.3)."""
    surface = np.arange(20) < 15
    covered = surface.copy()
    covered[3] = False
    scores = atoms.compare(columns(lattice(), surface), columns([*lattice(), (5.0, 15.0)], [*covered, True]))
    assert np.allclose(np.round(values(scores, "surface"), 3), [0.933, 0.933, 0.933, 0.875])
    assert np.allclose(values(scores, "all"), [20 / 21, 1, 40 / 41, 20 / 21])


def test_merged_columns_are_shared_by_the_paper_and_matched_once_by_the_strict_variant():
    clean, merged = columns([(0, 0), (0, 1.0), (0, 5.0)]), columns([(0, 0.5), (0, 5.0)])
    assert values(atoms.compare(clean, merged), "all") == [1.0, 1.0, 1.0, 1.0]  # precision would be 3 / 2
    assert np.allclose(values(atoms.compare_with_model(clean, merged), "strict_all"), [1, 2 / 3, 4 / 5, 2 / 3])


def test_matching_takes_as_many_pairs_as_there_can_be():
    ours, theirs = np.array([(0, 0.0), (0, 1.0)]), np.array([(0, 0.9), (0, 1.8)])
    # Greedily 1.0 would take 0.9 and leave 0.0 alone; one to one, 0.0 takes 0.9 and 1.0 takes 1.8.
    assert atoms.match(ours, theirs, 0.95).tolist() == [[0, 0], [1, 1]]
    assert atoms.match(ours, theirs, 0.5).tolist() == [[1, 0]]


def test_the_tolerance_is_ten_pixels_of_the_paper():
    ten = 10 * atoms.PAPER_SAMPLING
    for distance, expected in ((0.999 * ten, 1.0), (1.001 * ten, 0.0)):
        moved = columns([(0, distance)])
        assert atoms.compare(columns([(0, 0)]), moved)["all_f1"] == expected
        assert atoms.compare_with_model(columns([(0, 0)]), moved)["strict_all_f1"] == expected


def test_strict_surface_follows_the_model():
    model = columns(lattice(), np.arange(20) < 8)
    found = columns([*lattice()[2:], (5.0, 15.0)], [*np.zeros(18, bool), True])  # two lost, one spurious on the surface
    scores = atoms.compare_with_model(model, found)
    assert np.allclose(values(scores, "strict_surface"), [6 / 7, 6 / 8, 12 / 15, 6 / 9])
    assert values(scores, "strict_bulk") == [1.0, 1.0, 1.0, 1.0]


def test_columns_found_all_over_the_vacuum_are_surface_columns_too_many():
    """They make the particle's rim bulk for the alpha shape; the strict scores do not care how they are labelled."""
    model = columns(lattice(), np.arange(20) < 5)
    flood = [(y, x) for y in (5.0, 7.0, 9.0) for x in np.arange(8.0, 20.0, 2.0)]
    found = columns([*flood, *lattice()], [True] * 6 + [False] * 32)
    assert values(atoms.compare(model, found), "surface") == [0.0, 0.0, 0.0, 0.0]
    assert np.allclose(values(atoms.compare_with_model(model, found), "strict_surface"), [5 / 23, 1, 10 / 28, 5 / 23])


@pytest.mark.parametrize("compare", [atoms.compare, atoms.compare_with_model])
def test_empty_sets(compare):
    none, some = columns([]), columns(lattice())
    assert set(compare(none, none).values()) == {1.0}
    for scores in (compare(some, none), compare(none, some)):
        surface = [value for name, value in scores.items() if "bulk" not in name]
        assert set(surface) == {0.0} and np.isfinite(list(scores.values())).all()
