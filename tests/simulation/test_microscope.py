"""Exit waves from abTEM, through stemjax's optics, against the published Dr. Probe image and the built atoms."""

import numpy as np
import pytest

pytest.importorskip("abtem", reason="abTEM is not installed (extra `simulation`)")

from scipy.ndimage import maximum_filter  # noqa: E402

from simulation.microscope import exit_waves  # noqa: E402
from simulation.structures import build_atoms, reference_structure  # noqa: E402
from simulation.truth import structure_rows  # noqa: E402
from stemjax.data.datasets import decode_waves, encode_waves  # noqa: E402
from stemjax.physics.optics import Band, Optics, image, to_band  # noqa: E402

BAND = Band(50.1)
TILT = (3, 0)


@pytest.fixture(scope="module")
def wave():
    """Coefficients [1, K] of PtNp2 on 40 Å of CeO2, tilted by 3° about x, as in the published image."""
    return to_band(exit_waves(build_atoms(reference_structure()), [TILT]), BAND)


def test_incident_intensity_is_one(wave):
    assert np.sum(np.abs(wave) ** 2) == pytest.approx(1, abs=0.05)  # what passes the aperture


def test_agrees_with_the_published_image(wave, reference):
    """The crop's place in the cell is unknown: it is found by cross-correlation, then to a fraction of a pixel."""
    import tifffile
    from scipy.optimize import minimize

    published = tifffile.imread(reference / "ptceo2_drprobe_PtNp2-S1-2_2-S3_1_6nm.tif")
    height, width = published.shape
    ours = 0.45 * np.asarray(image(wave[0], 60.0, BAND, Optics(), 1024))
    spectrum, frequency = np.fft.fft2(ours), np.fft.fftfreq(1024)
    padded = np.zeros_like(ours)
    padded[:height, :width] = published - 0.45
    whole = np.unravel_index(np.fft.ifft2(spectrum * np.fft.fft2(padded).conj()).real.argmax(), ours.shape)

    def crop(shift):
        turn = np.exp(2j * np.pi * (frequency[:, None] * shift[0] + frequency * shift[1]))
        return np.fft.ifft2(spectrum * turn).real[:height, :width]

    # The top 40 px hold the wave that the tilt carries over the cell's lower edge.
    def rms(shift):
        return np.sqrt(np.mean((crop(shift) - published)[40:] ** 2))

    simplex = np.array([whole, whole + np.array([0.5, 0]), whole + np.array([0, 0.5])])
    best = minimize(rms, whole, method="Nelder-Mead", options={"maxiter": 25, "initial_simplex": simplex}).x
    correlation = np.corrcoef(crop(best)[40:].ravel(), published[40:].ravel())[0, 1]
    print(f"NCC {correlation:.5f}, rms {rms(best):.5f} counts")
    assert correlation >= 0.998
    assert rms(best) <= 0.0031


def test_true_columns_lie_on_the_columns_of_the_image(wave):
    """White contrast at 60 Å: every Pt and Ce column of four atoms or more is within 0.5 Å of a local maximum."""
    pixels = 512
    step = BAND.cell / pixels
    clean = np.asarray(image(wave[0], 60.0, BAND, Optics(), pixels))
    peaks = np.argwhere((clean == maximum_filter(clean, 9)) & (clean > 1)) * step
    truth = structure_rows(reference_structure(), TILT, BAND.cell)
    inside = (truth["x_angstrom"] > 3) & (truth["x_angstrom"] < 47) & (truth["y_angstrom"] < 47) & (truth["count"] > 3)
    for species, limit in ((b"Pt", 0.3), (b"Ce", 0.5)):
        rows = truth[inside & (truth["species"] == species)]
        places = np.stack([rows["y_angstrom"], rows["x_angstrom"]], axis=1)
        offsets = np.array([peaks[np.linalg.norm(peaks - place, axis=1).argmin()] - place for place in places])
        assert len(rows) > 40
        assert np.linalg.norm(offsets, axis=1).max() < limit
        assert np.abs(offsets.mean(axis=0)).max() < 0.25


def test_a_tilt_about_y_moves_columns_to_the_right():
    still, tilted = (structure_rows(reference_structure(), tilt, BAND.cell) for tilt in ((0, 0), (0, 2)))
    moved = (tilted["x_angstrom"] - still["x_angstrom"])[still["species"] == b"Pt"]
    np.testing.assert_allclose(moved, 38.26 / 2 * np.tan(np.radians(2)), atol=0.06)
    assert np.array_equal(still["y_angstrom"], tilted["y_angstrom"])


def test_storage_errs_by_less_than_2e_4_of_vacuum(wave):
    stored = decode_waves(encode_waves(wave))
    defocus = np.float32([0, 60, 200])
    error = image(stored, defocus, BAND, Optics(), 512) - image(wave, defocus, BAND, Optics(), 512)
    print(f"storage errs by at most {np.abs(error).max():.1e} of vacuum")
    assert np.abs(error).max() <= 2e-4
