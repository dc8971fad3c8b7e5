"""Image formation: closed forms, abTEM's transfer function, sampling, derivatives."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from stemjax.physics.optics import Band, Optics, image, to_band, transfer, wavelength

BAND = Band(cell=25.0)
SHARP = Optics(focal_points=1, vibration=0.0)  # one focus, no vibration
DEFOCUS = np.float32([0, 60, 137, 200])


@pytest.fixture(scope="module")
def wave():
    """Exit wave [128, 128] of strong phase objects and of some absorption, not symmetric in any way."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:128, :128] * BAND.cell / 128
    phase, absorption = np.zeros((2, 128, 128))
    for _ in range(40):
        x0, y0 = rng.uniform(3, BAND.cell - 3, 2)
        atom = np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * 0.5**2))
        phase, absorption = phase + rng.uniform(0.5, 1.5) * atom, absorption + 0.1 * atom
    return np.exp(1j * phase - absorption)


@pytest.fixture(scope="module")
def coefficients(wave):
    return to_band(wave, BAND)


# ---------------------------------------------------------------------------------------------------- the band
@pytest.mark.parametrize(("energy", "expected"), [(300e3, 0.0196875), (200e3, 0.0250793), (80e3, 0.0417572)])
def test_wavelength(energy, expected):
    assert wavelength(energy) == pytest.approx(expected, abs=5e-8)


def test_band_of_the_published_data():
    band = Band(cell=50.1)
    assert band.indices.shape == (10765, 2) and band.indices.dtype == np.int32
    assert tuple(band.indices[0]) == (0, 0)
    squares = (band.indices**2).sum(axis=1)
    assert (np.diff(squares) >= 0).all()
    assert np.sqrt(squares[-1]) / band.cell * wavelength(band.energy) <= 23e-3
    assert len(np.unique(band.indices, axis=0)) == len(band.indices)
    assert band.grid % 2 == 0 and band.grid > 4 * np.abs(band.indices).max()


def test_to_band_keeps_what_passes_the_aperture(wave, coefficients):
    assert coefficients.dtype == np.complex64
    assert coefficients[0] == pytest.approx(wave.mean(), abs=1e-6)
    y, x = np.mgrid[:128, :128] / 128
    ky, kx = BAND.indices[17]
    fringe = np.exp(2j * np.pi * (ky * y + kx * x))
    np.testing.assert_allclose(to_band(fringe, BAND), np.eye(len(BAND.indices))[17], atol=1e-6)
    stack = to_band(np.stack([wave, fringe]), BAND)
    np.testing.assert_array_equal(stack[0], coefficients)


def test_to_band_refuses_a_grid_too_coarse():
    with pytest.raises(ValueError, match="cannot hold the band; use a finer grid"):
        to_band(np.ones((32, 32)), BAND)


# ---------------------------------------------------------------------------------------------------- closed forms
@pytest.mark.parametrize("optics", [SHARP, Optics()], ids=["one focus", "focal average"])
def test_vacuum_is_one(optics):
    vacuum = np.zeros(len(BAND.indices), np.complex64)
    vacuum[0] = 1
    np.testing.assert_allclose(image(vacuum, DEFOCUS, BAND, optics, 64), 1, atol=1e-6)


@pytest.mark.parametrize("optics", [SHARP, Optics()], ids=["one focus", "focal average"])
def test_contrast_of_a_weak_phase_grating(optics):
    """exp(i phi cos(2 pi k x)) is imaged as 1 + 2 phi sin(chi) E V cos(2 pi k x), to first order in phi."""
    phi, k, pixels = 1e-3, 12, 128
    x = np.arange(pixels) / pixels
    grating = to_band(np.tile(np.exp(1j * phi * np.cos(2 * np.pi * k * x)), (pixels, 1)), BAND)
    found = image(grating, DEFOCUS, BAND, optics, pixels)
    amplitude = 2 * np.mean(np.float64(found) * np.cos(2 * np.pi * k * x), axis=(-2, -1))

    angle, turns = k / BAND.cell * wavelength(BAND.energy), 2 * np.pi / wavelength(BAND.energy)
    offsets, weights = optics.focus()
    c10 = DEFOCUS[:, None].astype(float) + offsets
    chi = turns * (c10 / 2 * angle**2 + optics.c30 / 4 * angle**4 + optics.c50 / 6 * angle**6)
    slope = turns * (c10 * angle + optics.c30 * angle**3 + optics.c50 * angle**5)
    envelope = np.exp(-((optics.convergence * 1e-3 * slope / 2) ** 2))
    vibration = np.exp(-2 * (np.pi * optics.vibration * k / BAND.cell) ** 2)
    expected = 2 * phi * vibration * (weights * np.sin(chi) * envelope).sum(axis=1)
    assert np.abs(expected).max() > 0.3 * phi  # there is a contrast to compare
    np.testing.assert_allclose(amplitude, expected, atol=0.005 * phi)


def test_the_mean_intensity_is_what_passes_the_aperture(coefficients):
    found = image(coefficients, 60.0, BAND, replace(SHARP, convergence=0.0), 128).mean()
    assert found == pytest.approx(np.sum(np.abs(coefficients) ** 2), rel=1e-5)


# ---------------------------------------------------------------------------------------------------- abTEM
@pytest.mark.parametrize("optics", [SHARP, replace(Optics(), vibration=0.0)], ids=["one focus", "focal average"])
def test_agrees_with_abtem(wave, coefficients, optics):
    """c10, c30, c50 and convergence; the focal average as the mean of abTEM's images over focus."""
    abtem = pytest.importorskip("abtem", reason="abTEM is not installed (extra `simulation`)")
    with abtem.config.set({"precision": "float64", "diagnostics.progress_bar": False}):
        waves = abtem.Waves(wave.T, energy=BAND.energy, extent=BAND.cell)  # abTEM's arrays are [x, y]
        for defocus in (0.0, 60.0, 200.0):
            expected = 0.0
            for offset, weight in zip(*optics.focus(), strict=True):
                ctf = abtem.CTF(
                    energy=BAND.energy,
                    semiangle_cutoff=BAND.semiangle_cutoff,
                    soft=False,
                    angular_spread=optics.convergence,
                    C10=defocus + float(offset),
                    C30=optics.c30,
                    C50=optics.c50,
                )
                formed = waves.apply_ctf(ctf, max_batch=1).intensity().compute()
                expected = expected + float(weight) * np.asarray(formed.array).T
            found = image(coefficients, defocus, BAND, optics, 128)
            assert np.ptp(expected) > 0.3
            assert np.abs(found - expected).max() <= 1e-4


# ---------------------------------------------------------------------------------------------------- sampling
def test_samplings_agree_at_common_points(coefficients):
    fine = np.asarray(image(coefficients, 60.0, BAND, Optics(), 1024))
    for pixels in (512, 256):
        step = 1024 // pixels
        np.testing.assert_allclose(image(coefficients, 60.0, BAND, Optics(), pixels), fine[::step, ::step], atol=2e-5)
    coarse = image(coefficients, 60.0, BAND, Optics(), 51)  # coarser than the image's finest detail, and odd
    assert coarse.shape == (51, 51) and coarse.mean() == pytest.approx(fine.mean(), rel=1e-5)


def test_rows_run_down_and_columns_to_the_right(coefficients):
    """A wave displaced by (3, 5) pixels is imaged displaced by as many."""
    ky, kx = BAND.indices.T
    moved = coefficients * np.exp(-2j * np.pi * (3 * ky + 5 * kx) / 128).astype(np.complex64)
    still = np.asarray(image(coefficients, 60.0, BAND, Optics(), 128))
    np.testing.assert_allclose(image(moved, 60.0, BAND, Optics(), 128), np.roll(still, (3, 5), (0, 1)), atol=2e-5)


# ---------------------------------------------------------------------------------------------------- use
def test_a_smaller_aperture(coefficients):
    small = replace(SHARP, semiangle_cutoff=15.0)
    outside = BAND.scattering_angle > 15e-3
    assert 0 < outside.sum() < len(outside)
    expected = image(np.where(outside, 0, coefficients), 60.0, BAND, SHARP, 64)
    np.testing.assert_allclose(image(coefficients, 60.0, BAND, small, 64), expected, atol=1e-6)
    with pytest.raises(ValueError, match="23 mrad"):
        transfer(60.0, BAND, replace(SHARP, semiangle_cutoff=30.0))


def test_batched_over_defocus_is_one_by_one(coefficients):
    together = image(coefficients, DEFOCUS, BAND, Optics(), 64)
    assert together.shape == (4, 64, 64) and together.dtype == np.float32
    for one, defocus in zip(together, DEFOCUS, strict=True):
        np.testing.assert_allclose(one, image(coefficients, defocus, BAND, Optics(), 64), atol=1e-6)
    grid = image(np.stack([coefficients, coefficients])[:, None], DEFOCUS[None, :2], BAND, Optics(), 64)
    np.testing.assert_allclose(grid[1], together[:2], atol=1e-6)


def test_derivative_by_defocus(coefficients):
    contrast = jax.jit(lambda defocus: np.float32(100) * image(coefficients, defocus, BAND, Optics(), 64).var())
    for defocus in (20.0, 60.0, 150.0):
        derivative = jax.grad(contrast)(defocus)
        difference = (contrast(defocus + 0.5) - contrast(defocus - 0.5)) / 1.0
        assert np.isfinite(derivative)
        assert derivative == pytest.approx(float(difference), rel=0.01, abs=1e-3)
