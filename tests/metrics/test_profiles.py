"""Line profiles and dips of images with closed forms."""

import numpy as np
import pytest

from stemjax.metrics.lattice import Lattice, polar_vector
from stemjax.metrics.profiles import dip_percent, line_profile, michelson_contrast, values_at

SAMPLING = 0.46
Y, X = np.indices((48, 64)) * SAMPLING


def two_adatoms(one, other, sigma: float, background: float = 0.02) -> np.ndarray:
    spots = [np.exp(-((Y - y) ** 2 + (X - x) ** 2) / (2 * sigma**2)) for y, x in (one, other)]
    return background + 0.1 * sum(spots)


def closed_dip(distance: float, sigma: float) -> float:
    """Of two Gaussians, on a fine line through both."""
    s = np.linspace(-1, distance + 1, 20001)
    line = np.exp(-(s**2) / (2 * sigma**2)) + np.exp(-((s - distance) ** 2) / (2 * sigma**2))
    return 100 * (1 - line[np.abs(s - distance / 2).argmin()] / line.max())


def test_values_between_pixels_and_at_them():
    image = np.sin(0.8 * Y) + np.cos(0.7 * X)
    places = np.random.default_rng(0).uniform(3, 18, (50, 2))
    np.testing.assert_allclose(
        values_at(image, places, SAMPLING), np.sin(0.8 * places[:, 0]) + np.cos(0.7 * places[:, 1]), atol=1e-4
    )
    noisy = np.random.default_rng(1).normal(size=Y.shape)
    assert values_at(noisy, np.array([(5 * SAMPLING, 9 * SAMPLING), (0, 0)]), SAMPLING) == pytest.approx(
        noisy[[5, 0], [9, 0]]
    )


def test_a_plane_has_the_slope_of_the_direction():
    distance, values = line_profile(2 * Y + 3 * X, SAMPLING, (4.0, 5.0), 30.0, 10.0, step=0.1)
    assert len(distance) == 101 and distance[-1] == pytest.approx(10.0)
    np.testing.assert_allclose(values, 23 + distance * (2 * np.sin(np.pi / 6) + 3 * np.cos(np.pi / 6)), rtol=1e-6)


def test_along_10_10_the_lattice_repeats_after_a_root_three():
    lattice = Lattice(SAMPLING, rotation_deg=17.0)
    spots = polar_vector(2 / np.sqrt(3) / lattice.a, lattice.direction("10-10") + 60 * np.arange(3))
    image = sum(np.cos(2 * np.pi * (fy * Y + fx * X)) for fy, fx in spots)
    distance, values = line_profile(image, SAMPLING, (3.0, 5.0), lattice.direction("10-10"), 17.0)
    period = lattice.a * np.sqrt(3)
    kept = distance < distance[-1] - period
    np.testing.assert_allclose(values[kept], np.interp(distance[kept] + period, distance, values), atol=0.03)
    assert np.ptp(values) > 2
    assert np.abs(values[kept] - np.interp(distance[kept] + period / 2, distance, values)).max() > 1


def test_a_wide_profile_averages_across_the_line_alone():
    """A wave along the line stays; noise falls by the root of the width; a plane across the line cancels."""
    wave = np.sin(0.9 * X) + 5 * (Y - 24 * SAMPLING)
    noisy = wave + np.random.default_rng(0).normal(size=Y.shape)
    facts = {"sampling": SAMPLING, "start": (24 * SAMPLING, 10 * SAMPLING), "angle_deg": 0.0, "length": 40 * SAMPLING}
    distance, narrow = line_profile(noisy, **facts, step=SAMPLING)
    _, wide = line_profile(noisy, **facts, step=SAMPLING, width=25)
    expected = np.sin(0.9 * (distance + 10 * SAMPLING))
    assert np.std(narrow - expected) == pytest.approx(1, rel=0.3)
    assert np.std(wide - expected) == pytest.approx(0.2, rel=0.3)


def test_michelson_contrast_of_a_wave():
    assert michelson_contrast(3 + np.sin(np.linspace(0, 20, 2001))) == pytest.approx(1 / 3, abs=1e-4)
    assert michelson_contrast(np.full(5, 2.0)) == 0
    with pytest.raises(ValueError, match="intensities above 0"):
        michelson_contrast(np.array([-1.0, 1.0]))


def test_outside_the_frame_is_refused():
    with pytest.raises(ValueError, match=r"outside the frame of 21.6 x 29.0 Å"):
        line_profile(Y, SAMPLING, (20.0, 5.0), 90.0, 3.0)


@pytest.mark.parametrize("sigma", [0.6, 0.9, 1.2])
def test_the_dip_between_two_gaussians(sigma):
    one = np.array((9.3, 11.7))
    other = one + polar_vector(3.4, 25.0)
    image = two_adatoms(one, other, sigma)
    expected = closed_dip(3.4, sigma)
    assert 15 < expected < 97
    for pair in ((one, other), (other, one)):
        assert dip_percent(image, SAMPLING, *pair, background=0.02) == pytest.approx(expected, abs=1.0)
    # Gain and offset cancel; a background that is set too low makes the dip shallower, by what it adds to the peaks.
    assert dip_percent(5 * image + 1, SAMPLING, one, other, background=1.1) == pytest.approx(expected, abs=1.0)
    assert dip_percent(image, SAMPLING, one, other, background=-0.08) < 0.6 * expected


def test_one_blob_has_no_dip_and_nothing_neither():
    one, other = np.array((9.3, 11.7)), np.array((9.3, 15.1))
    merged = two_adatoms(one, other, 2.5)
    assert dip_percent(merged, SAMPLING, one, other, background=0.02) == pytest.approx(0, abs=0.5)
    assert dip_percent(np.full(Y.shape, 0.3), SAMPLING, one, other, background=0.3) == 0
    assert dip_percent(-merged, SAMPLING, one, other, background=0.02) == 0


def test_adatoms_too_near_each_other_are_refused():
    with pytest.raises(ValueError, match="1.00 Å apart"):
        dip_percent(Y, SAMPLING, (5.0, 5.0), (5.0, 6.0), background=0.0)
