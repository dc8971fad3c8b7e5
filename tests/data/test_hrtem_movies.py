"""HRTEM movies: drift is exact, noise belongs to the recording, clips are pieces of it."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from stemjax.apply import evaluate
from stemjax.data import micrographs
from stemjax.data.crops import ClipCrops, FrameCrops
from stemjax.data.hrtem_movies import EIGHT_BIT, IMAGING, HrtemImaging
from stemjax.data.images import Frames, Images
from stemjax.metrics.image import contracts
from tests.toys.hrtem_movies import BAND, PIXELS, SHIFTS, make_toy_hrtem

ALL = Frames(session=())
DETECTOR = IMAGING["co"].noise


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_toy_hrtem(tmp_path_factory.mktemp("hrtem"))


def few(images, rows):
    return images.part(rows)


def test_drift_moves_the_frame_and_a_state_changes_it(data):
    clean = HrtemImaging(counts=1.0).clean_images(data, ALL.images(data, "test"))[..., 0]
    assert clean.shape == (4, PIXELS, PIXELS) and clean.dtype == np.float32
    assert np.ptp(clean) > 0.2
    for frame, (y, x) in enumerate(SHIFTS[:3]):  # all in the first state
        moved = np.roll(clean[frame], (-y, -x), axis=(0, 1))[8:-8, 8:-8]
        np.testing.assert_allclose(moved, clean[0][8:-8, 8:-8], atol=2e-4)
    y, x = SHIFTS[3]
    assert np.abs(np.roll(clean[3], (-y, -x), axis=(0, 1)) - clean[0])[8:-8, 8:-8].max() > 0.05


def test_readings_are_those_of_the_detector(data):
    frames = ALL.images(data, "train")
    counts = HrtemImaging(counts=20.0).clean_images(data, frames)
    imaging = HrtemImaging(counts=20.0, noise=DETECTOR)
    clean, noisy = imaging.clean_images(data, frames), imaging.noisy_images(data, frames)
    np.testing.assert_allclose(clean, 16.0 * counts + 100.0, rtol=1e-5)
    standard = (noisy - clean) / np.sqrt(256.0 * counts + 100.0)
    assert abs(standard.mean()) < 0.06 and abs(standard.std() - 1) < 0.06
    counted = HrtemImaging(counts=20.0).noisy_images(data, frames)
    np.testing.assert_array_equal(counted, np.rint(counted))
    assert abs((counted - counts).mean()) < 0.3
    noise = ((counted - counts) / np.sqrt(counts)).reshape(4, -1)
    assert np.abs(np.corrcoef(noise) - np.eye(4)).max() < 0.12  # no two frames have the same


@pytest.mark.parametrize("units", ["counts", EIGHT_BIT])
def test_a_frame_is_the_same_whoever_asks(data, units):
    imaging, frames = HrtemImaging(counts=0.5, units=units), ALL.images(data, "test")
    clean, noisy = imaging.clean_images(data, frames), imaging.noisy_images(data, frames)
    rows = [2, 0]
    np.testing.assert_array_equal(imaging.noisy_images(data, few(frames, rows)), noisy[rows])
    np.testing.assert_array_equal(imaging.clean_images(data, few(frames, rows)), clean[rows])
    arrays = imaging.device_arrays(data, frames)
    np.testing.assert_array_equal(arrays["noisy"], noisy[None])


def test_an_export_has_one_factor_for_the_movie(data):
    frames, counting = ALL.images(data, "test"), HrtemImaging(counts=0.5)
    export = replace(counting, units=EIGHT_BIT)
    noisy, raw = export.noisy_images(data, frames), counting.noisy_images(data, frames)
    assert noisy.max() == 255 and raw.max() < 10
    factor = 255 / raw.max()
    np.testing.assert_allclose(noisy, factor * raw, rtol=1e-6)
    np.testing.assert_allclose(
        export.clean_images(data, frames), factor * counting.clean_images(data, frames), rtol=1e-6
    )


def test_kinds_have_the_readings_that_they_promise(data):
    frames = ALL.images(data, "test")
    assert IMAGING["pt"].counts == 0.12 and IMAGING["sbd"].counts == 0.45
    gold, cobalt = (IMAGING[kind].noisy_images(data, frames) for kind in ("au", "co"))
    assert np.mean(gold <= 5) > 0.98 and gold.max() >= 4
    assert np.mean((cobalt > 100) & (cobalt < 1000)) > 0.999


def test_test_images_have_the_noise_of_the_recording_and_the_range_of_the_movie(data):
    imaging = HrtemImaging(counts=20.0, noise=DETECTOR)
    test = evaluate.image_set(data, ALL, "test", 0, imaging)
    np.testing.assert_array_equal(test.noisy, imaging.noisy_images(data, test.images))
    rows = evaluate.scores(test.noisy, test)
    expected = 10 * np.log10(np.ptp(test.clean) ** 2 / np.mean((test.noisy[1] - test.clean[1]) ** 2))
    assert rows[1]["psnr_db"] == pytest.approx(expected, abs=1e-3) and rows[1]["unit"] == "toy-2"
    clean = np.array([0.0, 1.0, 5.0, 9.0]).reshape(4, 1, 1, 1)
    each = contracts(imaging.contract(), clean, np.array(["a", "a", "b", "b"]))
    assert [contract["data_range"] for contract in each] == [1.0, 1.0, 4.0, 4.0]
    assert contracts(micrographs.Imaging().contract(), clean, np.zeros(4)) == [micrographs.Imaging().contract()] * 4


# ---------------------------------------------------------------------------------------------------- clips
@pytest.fixture(scope="module")
def arrays():
    """Three movies whose pixels all differ."""
    return {"noisy": jax.numpy.arange(3 * 5 * 12 * 10, dtype=np.float32).reshape(3, 5, 12, 10, 1)}


def clips(arrays, step=0, **fields):
    crops = ClipCrops(**fields)
    return np.asarray(jax.jit(lambda step: crops.batch(arrays, jax.random.key(0), step, None, None)["noisy"])(step))


def test_clips_are_pieces_of_the_movies(arrays):
    movies, found = np.asarray(arrays["noisy"]), set()
    for clip in clips(arrays, size=6, frames=3, count=16):
        ((movie, frame, top, left, _),) = np.argwhere(movies == clip[0, 0, 0, 0])
        np.testing.assert_array_equal(movies[movie, frame : frame + 3, top : top + 6, left : left + 6], clip)
        found.add((movie, frame, top, left))
    assert len({movie for movie, *_ in found}) == 3 and len({frame for _, frame, *_ in found}) == 3 and len(found) > 12


def test_nothing_given_is_the_whole_movie(arrays):
    whole = clips(arrays, size=0, frames=0, count=8)
    assert whole.shape == (8, 5, 12, 10, 1)
    assert all(any(np.array_equal(clip, movie) for movie in np.asarray(arrays["noisy"])) for clip in whole)


def test_the_batch_size_does_not_change_the_clips(arrays):
    small = [clips(arrays, step, size=4, frames=2, count=2) for step in (2, 3)]
    np.testing.assert_array_equal(np.concatenate(small), clips(arrays, 1, size=4, frames=2, count=4))


def test_crops_of_frames_are_clips_of_one(arrays):
    key, step = jax.random.key(3), jax.numpy.int32(5)
    crops = FrameCrops(size=8, count=6).batch(arrays, key, step, BAND, IMAGING["pt"])["noisy"]
    clips = ClipCrops(size=8, frames=1, count=6).batch(arrays, key, step, BAND, IMAGING["pt"])["noisy"]
    assert crops.shape == (6, 8, 8, 1)
    np.testing.assert_array_equal(crops, clips[:, 0])


def test_flips_mirror_whole_clips(arrays):
    movies, turned = np.asarray(arrays["noisy"]), set()
    for clip in clips(arrays, size=6, frames=3, count=12, flip=True):
        ((movie, frame, *_),) = np.argwhere(movies == clip[0, 0, 0, 0])
        for number, image in enumerate((clip, clip[:, ::-1], clip[:, :, ::-1], clip[:, ::-1, ::-1])):
            ((_, _, top, left, _),) = np.argwhere(movies == image[0, 0, 0, 0])
            if np.array_equal(movies[movie, frame : frame + 3, top : top + 6, left : left + 6], image):
                turned.add(number)
                break
        else:
            raise AssertionError("a clip that is no piece of a movie")
    assert len(turned) > 2


# ---------------------------------------------------------------------------------------------------- faults
def test_the_impossible_is_refused(data, arrays):
    with pytest.raises(ValueError, match="larger than the frames of 12 x 10"):
        clips(arrays, size=11)
    with pytest.raises(ValueError, match="clips of 6 frames are longer than the movies of 5"):
        clips(arrays, size=4, frames=6)
    with pytest.raises(ValueError, match="units 'bytes' are not known"):
        HrtemImaging(units="bytes")
    images = ALL.images(data, "test")
    with pytest.raises(OSError, match="has no frame 4 of toy-2"):
        HrtemImaging().clean_images(data, Images(images.item, images.unit, frame=images.frame + 1))
    both = Images(np.array([0, 1, 1]), np.array(["toy-0", "toy-1", "toy-1"]), frame=np.array([0, 0, 1]))
    with pytest.raises(ValueError, match=r"movies of \[1, 2\] frames; choose as many of each"):
        HrtemImaging().device_arrays(data, both)


def test_configurations_come_back():
    from stemjax.config import from_config, to_config

    for value in (*IMAGING.values(), HrtemImaging(units=EIGHT_BIT), ClipCrops(64, 5, 2, True)):
        assert from_config(to_config(value)) == value
