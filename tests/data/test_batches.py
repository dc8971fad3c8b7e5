"""Batches: the augmentation fills its ranges and no more, crops keep off the margin, noise is fixed by its seed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.data import micrographs
from stemjax.data.images import TEST_NOISE, VALIDATION_NOISE, noisy_images
from stemjax.data.micrographs import Crops, Imaging, Selection
from stemjax.physics.optics import Band, Optics
from tests.toys.micrographs import make_toy

BAND = Band(cell=25.0)
IMAGING = Imaging(sampling=0.2, counts=1.8, margin=1.0, optics=Optics(focal_points=1, vibration=0.0))
PLAIN = {"scale": (1.0, 1.0), "rotation": 0.0, "flip": False}


def arrays_of(*beams: tuple[int, int]) -> dict:
    """What `Crops.batch` draws from: one exit wave, 1 in the mean and 0.1 in other beams (ky, kx)."""
    wave = np.zeros(len(BAND.indices), np.complex64)
    wave[0] = 1
    for beam in beams:
        wave[np.flatnonzero((BAND.indices == beam).all(axis=1))] = 0.1
    return {"waves": jnp.asarray(wave[None]), "wave": jnp.zeros(1, jnp.int32), "defocus": jnp.zeros(1)}


def make(crops: Crops, arrays: dict) -> dict:
    return jax.jit(lambda arrays: crops.batch(arrays, jax.random.key(0), 0, BAND, IMAGING))(arrays)


def make_clean(crops: Crops, arrays: dict, step: int = 0) -> np.ndarray:
    """The clean crops [count, P, P, 1] alone: nothing is compiled for the noise."""
    make = jax.jit(lambda arrays, step: crops.batch(arrays, jax.random.key(0), step, BAND, IMAGING)["clean"])
    return np.asarray(make(arrays, step))


def fringes(clean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Direction [deg, -90 to 90] and frequency [cycles per pixel] of the fringes in each image [n, P, P, 1]."""
    window = np.hanning(clean.shape[1])[:, None] * np.hanning(clean.shape[2])
    spectra = np.abs(np.fft.rfft2((clean[..., 0] - clean.mean((1, 2, 3))[:, None, None]) * window, s=(512, 512)))
    peaks = np.array([np.unravel_index(spectrum.argmax(), spectrum.shape) for spectrum in spectra])
    ky, kx = np.where(peaks[:, 0] > 256, peaks[:, 0] - 512, peaks[:, 0]) / 512, peaks[:, 1] / 512
    return np.degrees(np.arctan2(ky, kx)), np.hypot(ky, kx)


# ---------------------------------------------------------------------------------------------------- dose
def test_the_dose_is_fixed_by_default():
    batch = make(Crops(size=8, count=4, render=64), arrays_of())
    np.testing.assert_allclose(batch["clean"], 1.8, rtol=1e-5)
    assert np.array_equal(batch["noisy"], np.round(batch["noisy"]))


def test_a_range_of_doses_is_filled_log_uniformly():
    """Vacuum shows the dose of a crop."""
    clean = make_clean(Crops(size=4, count=256, render=64, counts_range=(0.1, 10.0)), arrays_of())
    assert np.ptp(clean, axis=(1, 2, 3)).max() < 1e-4 * clean.max()  # one dose per crop
    place = np.sort(np.log(clean.mean((1, 2, 3)) / 0.18) / np.log(100))
    assert 0 <= place[0] and place[-1] <= 1 + 1e-6
    deviation = np.abs(place - (np.arange(256) + 0.5) / 256).max()  # Kolmogorov-Smirnov, 1.63 / sqrt(256) at 1 %
    assert deviation < 0.10


def test_the_imaging_states_its_dose():
    assert Imaging(counts=1.8).dose_scale == pytest.approx(4.0) and Imaging().dose_scale == 1.0
    assert Imaging(sampling=0.1, counts=1.8).dose() == pytest.approx(180)


# ---------------------------------------------------------------------------------------------------- binning
BINNED = Imaging(sampling=0.4, counts=4 * 1.8, margin=1.0, optics=IMAGING.optics, binning=2)


def block_sums(image: np.ndarray) -> np.ndarray:
    count, height, width, _ = image.shape
    return image.reshape(count, height // 2, 2, width // 2, 2, 1).sum((2, 4))


def test_binned_images_are_sums_of_detector_pixels(tmp_path):
    data = make_toy(tmp_path)
    images = Selection().images(data, "test")
    fine, binned = IMAGING.clean_images(data, images), BINNED.clean_images(data, images)
    cut = (fine.shape[1] - 2 * binned.shape[1]) // 2
    within = fine[:, cut : cut + 2 * binned.shape[1], cut : cut + 2 * binned.shape[1]]
    np.testing.assert_allclose(binned, block_sums(within), rtol=1e-4)
    assert BINNED.dose() == pytest.approx(IMAGING.dose()) and BINNED.dose_scale == 4 * IMAGING.dose_scale


def test_binned_crops_are_sums_of_detector_pixels():
    arrays = arrays_of((0, 12), (7, 3))
    fine = make_clean(Crops(size=32, count=4, render=128), arrays)
    draw = jax.jit(lambda a: Crops(size=16, count=4, render=128).batch(a, jax.random.key(0), 0, BAND, BINNED))
    binned = draw(arrays)
    np.testing.assert_allclose(binned["clean"], block_sums(fine), rtol=1e-4)
    assert np.array_equal(binned["noisy"], np.round(binned["noisy"]))


# ---------------------------------------------------------------------------------------------------- geometry
def test_rotation_and_scale_fill_their_ranges():
    crops = Crops(size=48, count=96, render=128, scale=(0.8, 1.25), rotation=45.0, flip=False)
    angle, frequency = fringes(make_clean(crops, arrays_of((0, 12))))
    scale = frequency / (12 / BAND.cell * IMAGING.sampling)
    assert np.abs(angle).max() < 46.5 and angle.min() < -38 and angle.max() > 38
    assert abs(angle.mean()) < 4 * 26 / np.sqrt(96)
    assert 0.78 < scale.min() < 0.85 and 1.2 < scale.max() < 1.28
    assert abs(np.corrcoef(angle, scale)[0, 1]) < 0.4  # drawn independently


def test_flips_mirror_half_of_the_crops():
    crops = {"size": 48, "count": 96, "render": 128, "scale": (1.0, 1.0), "rotation": 0.0}
    arrays = arrays_of((8, 8))
    angle, _ = fringes(make_clean(Crops(**crops, flip=True), arrays))
    mirrored = np.isclose(angle, -angle.max(), atol=2)
    assert np.isclose(np.abs(angle), 45, atol=2).all()
    assert 0.3 < mirrored.mean() < 0.7
    angle, _ = fringes(make_clean(Crops(**crops, flip=False), arrays))
    assert np.isclose(angle, 45, atol=2).all()


def test_a_crop_without_augmentation_has_the_sampling_asked_for():
    """At 0.2 Å/px fringes of 25 / 10 Å are 12.5 px apart."""
    _, frequency = fringes(make_clean(Crops(size=64, count=4, render=256, **PLAIN), arrays_of((0, 10))))
    np.testing.assert_allclose(frequency, 1 / 12.5, atol=1 / 1024)


@pytest.fixture
def position_maps(monkeypatch):
    """Crops of a map of the rows [Å] or of the margin instead of an image."""

    def install(make_map):
        monkeypatch.setattr(micrographs, "image", lambda wave, defocus, band, optics, pixels: make_map(pixels))

    return install


def test_crops_keep_off_the_margin(position_maps):
    def margin(pixels):  # 1 in the outermost margin, less one pixel, which the interpolation may touch
        edge = np.minimum(np.arange(pixels), pixels - np.arange(pixels)) * BAND.cell / pixels
        outside = edge < IMAGING.margin - BAND.cell / pixels
        return jnp.asarray(outside[:, None] | outside, jnp.float32)

    position_maps(margin)
    for size in (16, 64):  # 64 px of at most 0.21 Å under 45 degrees: 19 of 23 Å
        assert not make_clean(Crops(size=size, count=64, render=256), arrays_of()).any()


def test_crops_fill_the_room_there_is(position_maps):
    position_maps(lambda pixels: jnp.broadcast_to(jnp.arange(pixels)[:, None] * (BAND.cell / pixels), (pixels, pixels)))
    crops = Crops(size=16, count=128, render=256, **PLAIN)
    rows = make_clean(crops, arrays_of())[..., 0] / IMAGING.counts
    centre = rows.mean(axis=(1, 2))
    lowest = IMAGING.margin + 8 * IMAGING.sampling
    assert lowest - 0.01 <= centre.min() < lowest + 1.5 and BAND.cell - lowest - 1.5 < centre.max()
    assert centre.max() <= BAND.cell - lowest + 0.01
    # Rows are 0.2 Å apart and run down; the crop is symmetric about its centre.
    np.testing.assert_allclose(np.diff(rows, axis=1), IMAGING.sampling, atol=1e-3)


def test_crops_larger_than_the_room_are_centred(position_maps):
    position_maps(lambda pixels: jnp.broadcast_to(jnp.arange(pixels)[:, None] * (BAND.cell / pixels), (pixels, pixels)))
    rows = make_clean(Crops(size=120, count=4, render=256, **PLAIN), arrays_of())[..., 0]
    np.testing.assert_allclose(rows.mean(axis=(1, 2)) / IMAGING.counts, BAND.cell / 2, atol=0.01)


# ---------------------------------------------------------------------------------------------------- randomness
def test_a_crop_depends_on_key_and_number_alone():
    """A batch of eight holds the crops of two batches of four: every batch size sees the same crops in one order."""
    arrays = arrays_of((3, 5))
    first, second, both, later = (
        make_clean(Crops(size=16, count=count, render=64), arrays, step)
        for count, step in ((4, 4), (4, 5), (8, 2), (8, 3))
    )
    np.testing.assert_allclose(np.concatenate([first, second]), both, atol=1e-5)
    assert not np.allclose(both, later)


def test_the_generator_is_the_one_of_the_records():
    """Another generator would make other noise: published scores would no longer be of the same pixels."""
    assert jax.random.bits(jax.random.key(0), (2,)).tolist() == [4070199207, 4202968722]
    assert (VALIDATION_NOISE, TEST_NOISE) == (1_000_001, 1_000_002)


def test_the_noise_of_an_image_depends_on_its_place_alone():
    clean = np.random.default_rng(0).uniform(0.2, 2.0, (3, 16, 16, 1)).astype(np.float32)
    noisy = noisy_images(clean, IMAGING, TEST_NOISE)
    np.testing.assert_array_equal(noisy, noisy_images(clean, IMAGING, TEST_NOISE))
    np.testing.assert_array_equal(noisy[:2], noisy_images(clean[:2], IMAGING, TEST_NOISE))
    assert not np.array_equal(noisy, noisy_images(clean, IMAGING, VALIDATION_NOISE))
    same = noisy_images(np.ones((2, 16, 16, 1), np.float32), IMAGING, 0)
    assert not np.array_equal(same[0], same[1])


def test_whole_images_lie_inside_the_margin(tmp_path):
    data = make_toy(tmp_path)
    images = Selection(per_unit=1).images(data, "test")
    clean = IMAGING.clean_images(data, images)
    assert clean.shape == (2, 112, 112, 1) and clean.dtype == np.float32  # 115 px of 23 Å, down to a multiple of 16
    assert np.median(clean) == pytest.approx(1.8, rel=0.3)
    twice = Imaging(0.2, 3.6, 1.0, IMAGING.optics).clean_images(data, images)
    np.testing.assert_allclose(twice, 2 * clean, rtol=1e-5)
