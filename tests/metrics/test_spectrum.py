"""Spectra: waves and noise of known power, planted chequerboards, lattices of known rotation and filters."""

import numpy as np
import pytest

from stemjax.metrics import spectrum
from stemjax.metrics.lattice import Lattice, polar_vector
from stemjax.metrics.spectrum import anisotropy, chequerboard_db, six_fold, spot_snr, transfer

SIZE, SAMPLING = 128, 0.46
Y, X = np.indices((SIZE, SIZE))
LATTICE = Lattice(SAMPLING, rotation_deg=13.0)


def noise(seed: int, deviation: float = 1.0, shape: tuple = (SIZE, SIZE)) -> np.ndarray:
    return deviation * np.random.default_rng(seed).normal(size=shape)


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """A Gaussian filter of standard deviation sigma [px], exact in frequencies."""
    fy, fx = np.fft.fftfreq(SIZE)[:, None], np.fft.fftfreq(SIZE)
    return np.fft.ifft2(np.fft.fft2(image) * np.exp(-2 * (np.pi * sigma) ** 2 * (fy**2 + fx**2))).real


def waves(lattice: Lattice, family: str, amplitude: float = 1.0) -> np.ndarray:
    """Three waves whose six spots are a family's."""
    spots = polar_vector(lattice.frequency(family), lattice.direction(family) + 60 * np.arange(3))
    return amplitude * sum(np.cos(2 * np.pi * (fy * Y + fx * X)) for fy, fx in spots)


# ---------------------------------------------------------------------------------------------------- lattice
def test_spots_are_where_the_atoms_scatter_in_phase():
    """exp(2 pi i g r) = 1 at every lattice point for a spot g, and nowhere else below the cut-off."""
    turned = polar_vector(LATTICE.a / SAMPLING, LATTICE.rotation_deg + np.array([0, 60]))  # [px]
    spots = LATTICE.spots()
    cycles = spots @ turned.T
    np.testing.assert_allclose(cycles, np.rint(cycles), atol=1e-9)
    lengths, number = np.unique(np.round(np.linalg.norm(spots, axis=1) / SAMPLING, 4), return_counts=True)
    np.testing.assert_allclose(1 / lengths, [2.1304, 1.23, 1.0652, 0.8052, 0.7101], rtol=1e-4)  # spacings [Å]
    assert number.tolist() == [6, 6, 6, 12, 6]


def test_angles_go_from_x_towards_y():
    np.testing.assert_allclose(polar_vector(2.0, 90.0), (2, 0), atol=1e-12)
    assert LATTICE.direction("10-10") == LATTICE.direction("11-20") + 30 == 43
    with pytest.raises(ValueError, match="choose from"):
        LATTICE.direction("11-2")


# ---------------------------------------------------------------------------------------------------- transform
def test_a_scan_finds_a_spot_where_it_is():
    wave = np.cos(2 * np.pi * 0.4 * SAMPLING * (X * np.cos(0.5) + Y * np.sin(0.5)))
    frequency, magnitude = spectrum.frequency_scan(wave, SAMPLING, np.rad2deg(0.5), 1 / (2 * SAMPLING))
    assert frequency[magnitude.argmax()] == pytest.approx(0.4, abs=0.005)
    _, beside = spectrum.frequency_scan(wave, SAMPLING, np.rad2deg(0.5) + 90, 1 / (2 * SAMPLING))
    assert beside[50:].max() < 0.01 * magnitude.max()
    with pytest.raises(ValueError, match="up to 1.09"):
        spectrum.frequency_scan(wave, SAMPLING, 0, 1.2)


def test_noise_has_its_variance_and_a_wave_half_its_amplitude():
    power = np.mean([spectrum.power_spectrum(noise(seed, 3.0)) for seed in range(4)])
    assert power == pytest.approx(9.0, rel=0.03)
    between_bins = np.array([20.3, 31.7]) / SIZE
    wave = 5 + 2 * np.cos(2 * np.pi * (between_bins[0] * Y + between_bins[1] * X) + 0.4)
    window = np.outer(*[np.sin(np.pi * (np.arange(SIZE) + 0.5) / SIZE) ** 2] * 2)
    found = spectrum.transform(wave, between_bins)
    assert found == pytest.approx(np.exp(0.4j) * window.sum() / np.sqrt(np.sum(window**2)), rel=1e-4)


def test_any_frequency_agrees_with_the_fast_transform():
    image = noise(0, shape=(24, 32))
    bins = np.stack(np.meshgrid(np.fft.fftfreq(24), np.fft.fftfreq(32), indexing="ij"), axis=-1)
    np.testing.assert_allclose(np.abs(spectrum.transform(image, bins)) ** 2, spectrum.power_spectrum(image), atol=1e-9)


def test_not_a_number_is_refused():
    with pytest.raises(ValueError, match="NaN"):
        spectrum.power_spectrum(np.where(X == 3, np.nan, 1.0))


# ---------------------------------------------------------------------------------------------------- chequerboards
@pytest.mark.parametrize(("pitch", "tolerance"), [(2, 2.0), (4, 1.0), (26, 0.25)])
def test_noise_has_no_chequerboard(pitch, tolerance):
    ratios = [10 ** (chequerboard_db(noise(seed), pitch) / 10) for seed in range(20)]
    assert 10 * np.log10(np.mean(ratios)) == pytest.approx(0, abs=tolerance)


@pytest.mark.parametrize(("pitch", "size"), [(4, 128), (26, 208)])
def test_a_planted_comb_has_the_energy_of_its_closed_form(pitch, size):
    """A comb of deltas of height h and pitch p is waves of amplitude h / p² at every frequency of the mask alike."""
    window = np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2
    gain = np.sum(window) ** 2 / np.sum(window**2)  # in one dimension; squared in two
    height, image = 0.1 * pitch**2, np.zeros((size, size))
    image[1::pitch, 2::pitch] = height
    expected = 10 * np.log10(1 + (height / pitch**2 * gain) ** 2)
    ratios = [10 ** (chequerboard_db(image + noise(seed, shape=(size, size)), pitch) / 10) for seed in range(6)]
    assert 10 * np.log10(np.mean(ratios)) == pytest.approx(expected, abs=0.7)


def test_another_mask_sees_nothing():
    image = np.zeros((SIZE, SIZE))
    image[::4, ::4] = 1.6
    ratios = [10 ** (chequerboard_db(image + noise(seed), 3) / 10) for seed in range(20)]
    assert 10 * np.log10(np.mean(ratios)) == pytest.approx(0, abs=1.5)
    assert chequerboard_db(image + noise(0), 4) > 10


def test_a_smooth_spectrum_is_no_chequerboard():
    soft = [10 ** (chequerboard_db(blur(noise(seed), 0.6), 8) / 10) for seed in range(20)]
    assert 10 * np.log10(np.mean(soft)) == pytest.approx(0, abs=0.5)


def test_lattice_spots_on_the_frequencies_of_the_mask_are_left_out():
    upright = Lattice(2 * 2.46 / 8, rotation_deg=0.0)  # (11-20) at a quarter of a cycle per pixel
    images = [waves(upright, "11-20") + noise(seed, 0.3) for seed in range(20)]
    assert chequerboard_db(images[0], 4) > 15
    ratios = [10 ** (chequerboard_db(image, 4, ignore=upright.spots()) / 10) for image in images]
    assert 10 * np.log10(np.mean(ratios)) == pytest.approx(0, abs=1.5)


def test_an_image_of_one_value_has_no_chequerboard_and_a_small_one_is_refused():
    assert chequerboard_db(np.full((64, 64), 0.3, np.float32), 4) == 0
    with pytest.raises(ValueError, match="needs a frame of 104"):
        chequerboard_db(noise(0)[:100], 26)
    with pytest.raises(ValueError, match="another pitch"):
        chequerboard_db(noise(0), 2, ignore=np.array([(0.5, 0), (0, 0.5), (0.5, 0.5)]))


# ---------------------------------------------------------------------------------------------------- lattice spots
@pytest.mark.parametrize("family", ["11-20", "10-10"])
def test_the_snr_of_spots_in_white_noise(family):
    """Background of three sectors: the mean of three Rayleigh magnitudes; the peak: the wave, its power above noise."""
    amplitude, deviation = 0.1, 0.4
    window = np.sin(np.pi * (np.arange(SIZE) + 0.5) / SIZE) ** 2
    peak = amplitude / 2 * np.sum(window) ** 2 / np.sum(window**2)
    rayleigh = np.sqrt(np.pi / 4) * deviation, np.sqrt((1 - np.pi / 4) / 3) * deviation
    expected = (peak + deviation**2 / (4 * peak) - rayleigh[0]) / rayleigh[1]
    lattice = waves(LATTICE, family, amplitude)
    found = [spot_snr(lattice + noise(seed, deviation), LATTICE, family) for seed in range(20)]
    assert np.mean(found) == pytest.approx(expected, rel=0.1)
    assert abs(np.mean([spot_snr(noise(seed), LATTICE, family) for seed in range(20)])) < 0.6
    turned = Lattice(SAMPLING, LATTICE.rotation_deg + 10)
    assert abs(spot_snr(lattice + noise(0, deviation), turned, family)) < 4  # no spots where there are none


def test_the_snr_does_not_depend_on_offset_and_gain_and_hardly_on_an_isotropic_filter():
    image = waves(LATTICE, "11-20", 0.1) + noise(0, 0.4)
    snr = spot_snr(image, LATTICE)
    assert spot_snr(7 * image - 3, LATTICE) == pytest.approx(snr)
    assert spot_snr(blur(image, 1.0), LATTICE) == pytest.approx(snr, rel=0.1)
    assert spot_snr(np.full((SIZE, SIZE), 0.2), LATTICE) == 0


def test_other_spots_and_aliases_are_no_background():
    """Without noise the ring is empty, whatever the other spots do: what leaks is 1e-3 of a spot."""
    image = sum(np.cos(2 * np.pi * (fy * Y + fx * X)) for fy, fx in LATTICE.spots())
    assert spot_snr(image, LATTICE, "11-20") > 300 and spot_snr(image, LATTICE, "10-10") > 300


def test_a_frame_too_small_for_its_spots_is_refused():
    with pytest.raises(ValueError, match="too small"):
        spot_snr(noise(0)[:20, :20], LATTICE, "10-10")


def test_six_fold_picture_shows_both_families_at_their_angles():
    image = waves(LATTICE, "11-20") + waves(LATTICE, "10-10", 0.5)
    radii, angles = np.linspace(0.3, 1.0, 141), np.arange(0, 60, 1.0)
    picture = six_fold(image, LATTICE, radii, angles)
    assert picture.shape == (141, 60)
    q, t = np.unravel_index(picture.argmax(), picture.shape)
    assert radii[q] == pytest.approx(2 / 2.46, abs=0.006) and angles[t] in (0, 1, 59)
    inner = picture[:60]  # below 0.6 1/Å
    q, t = np.unravel_index(inner.argmax(), inner.shape)
    assert radii[q] == pytest.approx(2 / 2.46 / np.sqrt(3), abs=0.006) and abs(angles[t] - 30) <= 1
    exact = np.abs(spectrum.transform(image, polar_vector(LATTICE.frequency("11-20"), LATTICE.direction("11-20"))))
    assert picture.max() == pytest.approx(exact, rel=0.08)


# ---------------------------------------------------------------------------------------------------- transfer
def frames(count: int = 4) -> np.ndarray:
    """A lattice, and what has no direction."""
    return np.stack([waves(LATTICE, "11-20") + 0.3 * noise(50 + seed) for seed in range(count)])


def test_an_isotropic_filter_passes_all_directions_alike():
    clean = frames()
    blurred = np.stack([blur(frame, 0.8) for frame in clean])
    expected = np.exp(-2 * (np.pi * 0.8 * LATTICE.frequency("11-20")) ** 2)
    at, between = transfer(clean, blurred, LATTICE)
    assert at == pytest.approx(expected, rel=0.02) and between == pytest.approx(expected, rel=0.05)
    assert anisotropy(at, between) == pytest.approx(0, abs=0.05)


def test_a_filter_for_the_lattice_is_anisotropic():
    clean = frames()
    lattice = waves(LATTICE, "11-20")
    at, between = transfer(clean, 0.9 * lattice + 0.2 * (clean - lattice), LATTICE)
    assert (at, between) == pytest.approx((0.9, 0.2), abs=0.02)
    assert anisotropy(at, between) == pytest.approx(1 - 0.2 / 0.9, abs=0.03)
    at, between = transfer(clean, 0.2 * lattice + 0.9 * (clean - lattice), LATTICE)
    assert anisotropy(at, between) == pytest.approx(1 - 0.9 / 0.2, abs=0.3)


def test_noise_that_is_left_is_no_transfer():
    clean = frames(16)
    noisy = clean + 0.3 * noise(1, shape=clean.shape)
    at, between = transfer(clean, noisy, LATTICE)
    assert (at, between) == pytest.approx((1, 1), abs=0.1)  # magnitudes would give sqrt(2) between


def test_what_passes_nothing_has_no_direction_and_pairs_must_agree():
    clean = frames(1)[0]
    assert transfer(clean, np.full_like(clean, 0.1), LATTICE) == (0, 0)
    assert anisotropy(0.0, 0.0) == 0
    with pytest.raises(ValueError, match="differ in shape"):
        transfer(clean, clean[None], LATTICE)
    with pytest.raises(ValueError, match="nothing on the ring"):
        transfer(np.ones_like(clean), clean, LATTICE)
