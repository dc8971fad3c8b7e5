"""Adatoms: planted Gaussians of known height and place in noise of known deviation."""

import numpy as np
import pytest

from stemjax.metrics.adatoms import AdatomFinder, Window, adatom_snr, backgrounds, best_threshold, compare_adatoms

SAMPLING, SHAPE, SIGMA = 0.46, (72, 88), 0.5
Y, X = np.indices(SHAPE) * SAMPLING
SIDES = (np.array(SHAPE) - 1) * SAMPLING


def places(seed: int = 0, count: int = 12) -> np.ndarray:
    """Adatoms at least 3.4 Å apart, some of them beyond the edges."""
    rng, chosen = np.random.default_rng(seed), []
    while len(chosen) < count:
        place = rng.uniform(-3, SIDES + 3)
        if all(np.hypot(*(place - other)) >= 3.4 for other in chosen):
            chosen.append(place)
    return np.array(chosen)


def frame(points: np.ndarray, height: float = 0.1, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    spots = [np.exp(-((Y - y) ** 2 + (X - x) ** 2) / (2 * SIGMA**2)) for y, x in points]
    return 0.004 + height * np.sum(spots, axis=0) + noise * np.random.default_rng(seed).normal(size=SHAPE)


def values(scores: dict) -> list[float]:
    return [scores[f"adatom_{name}"] for name in ("precision", "recall", "f1", "jaccard")]


# ---------------------------------------------------------------------------------------------------- SNR
def test_the_snr_is_height_over_the_deviation_of_the_noise():
    points, found = places(), []
    for seed in range(10):
        found.append(adatom_snr(frame(points, noise=0.02, seed=seed), points, SAMPLING))
    assert np.mean(found) == pytest.approx(0.1 / 0.02, rel=0.05)
    empty = [adatom_snr(frame(points, 0.0, 0.02, seed), points, SAMPLING) for seed in range(10)]
    assert abs(np.mean(empty)) < 0.25  # the largest value near the place would give 2 or so
    image = frame(points, noise=0.02)
    assert adatom_snr(9 * image + 2, points, SAMPLING) == pytest.approx(adatom_snr(image, points, SAMPLING))


def test_the_background_is_that_around_the_adatom_and_clear_of_all_others():
    points = np.array([(9.0, 9.0), (9.0, 13.0), (25.0, 31.0)])
    stripes = np.where(np.indices(SHAPE).sum(axis=0) % 2, 0.01, -0.01)  # deviation 0.01
    ramp = np.where(X > 22, 0.5, 0.1)
    mean, deviation = backgrounds(frame(points, height=5.0) + stripes + ramp - 0.004, points, SAMPLING)
    np.testing.assert_allclose(mean, [0.1, 0.1, 0.5], atol=1e-3)
    np.testing.assert_allclose(deviation, 0.01, rtol=0.02)


def test_the_window_is_a_ring():
    point = np.array([(16.0, 20.0)])
    distance = np.hypot(Y - 16.0, X - 20.0)
    ring = (distance > 2.5) & (distance < 8)
    image = np.random.default_rng(0).normal(size=SHAPE)
    mean, deviation = backgrounds(image, point, SAMPLING)
    assert (mean[0], deviation[0]) == pytest.approx((image[ring].mean(), image[ring].std()))
    far = backgrounds(image, point, SAMPLING, Window(inner=7.9, outer=8.0))
    assert np.isnan(far[0][0]) and np.isnan(far[1][0])


def test_adatoms_at_the_edge_do_not_count():
    points = np.array([(16.0, 20.0), (1.0, 20.0), (16.0, SIDES[1] + 1)])
    image = frame(points[:1], noise=0.01)  # nothing at the other two
    assert adatom_snr(image, points, SAMPLING) == pytest.approx(10, rel=0.3)
    with pytest.raises(ValueError, match="no adatom"):
        adatom_snr(image, points[1:], SAMPLING)
    with pytest.raises(ValueError, match="no adatom"):
        adatom_snr(image, np.zeros((0, 2)), SAMPLING)


def test_an_image_of_one_value_shows_no_adatom():
    assert adatom_snr(np.full(SHAPE, 0.3, np.float32), places(), SAMPLING) == 0


# ---------------------------------------------------------------------------------------------------- finding
def test_planted_adatoms_are_found():
    points = places()
    found, response = AdatomFinder().find(frame(points), SAMPLING)
    strong = found[response > 0.02]
    assert values(compare_adatoms(points, strong, SHAPE, SAMPLING, tolerance=SAMPLING)) == [1, 1, 1, 1]
    assert (np.diff(response) <= 0).all()


def test_the_response_of_an_adatom_of_the_finders_width_is_half_its_height():
    middle = np.array([(36 * SAMPLING, 44 * SAMPLING)])
    found, response = AdatomFinder().find(frame(middle, height=0.3), SAMPLING)
    assert found[0] == pytest.approx(middle[0]) and response[0] == pytest.approx(0.15, rel=0.02)


def test_the_threshold_may_come_afterwards():
    """Of two maxima nearer than the separation the weaker goes, whatever the threshold."""
    points = np.array([(16.0, 20.0), (16.0, 23.5)])
    image = frame(points) + frame(np.array([(16.0, 21.75)]), height=0.08) - 0.004
    found, response = AdatomFinder(separation=2.0).find(image, SAMPLING)
    assert len(found[response > 0.02]) == 2
    close = AdatomFinder(sigma=0.3, separation=0.5).find(image, SAMPLING)
    assert (close[1] > 0.02).sum() == 3


def test_nothing_is_found_in_an_image_of_one_value():
    found, response = AdatomFinder().find(np.full(SHAPE, 0.3, np.float32), SAMPLING)
    assert found.shape == (0, 2) and response.shape == (0,)
    assert best_threshold([(found, response)], [places()], SHAPE, SAMPLING) == 0


def test_the_best_threshold_parts_adatoms_from_noise():
    truths = [places(seed) for seed in range(4)]
    candidates = [
        AdatomFinder().find(frame(points, noise=0.012, seed=seed), SAMPLING) for seed, points in enumerate(truths)
    ]

    def f1(threshold: float) -> float:
        pairs = zip(truths, candidates, strict=True)
        return np.mean(
            [
                compare_adatoms(points, found[response >= threshold], SHAPE, SAMPLING)["adatom_f1"]
                for points, (found, response) in pairs
            ]
        )

    best = best_threshold(candidates, truths, SHAPE, SAMPLING)
    assert 0.015 < best < 0.05  # the response of an adatom is 0.05
    assert f1(best) > 0.95 and f1(best) >= max(f1(level) for level in np.linspace(0.005, 0.08, 40)) - 0.01
    assert f1(0.0) < 0.5 and f1(0.08) < 0.5


# ---------------------------------------------------------------------------------------------------- comparing
INSIDE = np.array([(10.0, 10.0), (10.0, 20.0), (20.0, 10.0), (20.0, 20.0)])


def test_one_too_many_and_one_too_few():
    more = np.array([*INSIDE, (15.0, 30.0)])
    assert values(compare_adatoms(INSIDE, more, SHAPE, SAMPLING)) == pytest.approx([4 / 5, 1, 8 / 9, 4 / 5])
    assert values(compare_adatoms(more, INSIDE, SHAPE, SAMPLING)) == pytest.approx([1, 4 / 5, 8 / 9, 4 / 5])
    assert values(compare_adatoms(INSIDE, INSIDE, SHAPE, SAMPLING)) == [1, 1, 1, 1]


def test_an_adatom_is_found_once_and_within_the_tolerance():
    twice = np.array([*INSIDE, INSIDE[0] + 0.3])
    assert values(compare_adatoms(INSIDE, twice, SHAPE, SAMPLING))[0] == pytest.approx(4 / 5)
    for shift, expected in ((0.99, 1), (1.01, 0)):
        assert values(compare_adatoms(INSIDE, INSIDE + (shift, 0), SHAPE, SAMPLING))[2] == expected


def test_the_margin_is_fair_to_both_sides():
    """An edge at 2 Å: a true adatom at 2.3 found at 1.8, or one at 1.8 found at 2.3, is no mistake."""
    for true_y, found_y in ((2.3, 1.8), (1.8, 2.3), (-0.5, 0.2), (1.0, 1.0)):
        truth, found = np.array([*INSIDE, (true_y, 15.0)]), np.array([*INSIDE, (found_y, 15.0)])
        assert values(compare_adatoms(truth, found, SHAPE, SAMPLING)) == [1, 1, 1, 1]
    # Alone, one inside the margin is a mistake and one outside is not.
    for y, expected in ((2.3, 4 / 5), (1.8, 1.0)):
        assert values(compare_adatoms(np.array([*INSIDE, (y, 15.0)]), INSIDE, SHAPE, SAMPLING))[1] == expected
        assert values(compare_adatoms(INSIDE, np.array([*INSIDE, (y, 15.0)]), SHAPE, SAMPLING))[0] == expected
    far = SIDES - (1.9, 12.0)
    assert values(compare_adatoms(np.array([*INSIDE, far]), INSIDE, SHAPE, SAMPLING))[1] == 1


def test_empty_sides():
    none = np.zeros((0, 2))
    assert values(compare_adatoms(none, none, SHAPE, SAMPLING)) == [1, 1, 1, 1]
    assert values(compare_adatoms(INSIDE, none, SHAPE, SAMPLING)) == [0, 0, 0, 0]
    assert values(compare_adatoms(none, INSIDE, SHAPE, SAMPLING)) == [0, 0, 0, 0]
