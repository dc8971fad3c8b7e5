"""A user's movie as a data set: split, streamed, and refused where it is not sound."""

import jax
import numpy as np
import pytest
import tifffile

from stemjax.data.crops import MovieCrops
from stemjax.data.recordings import HELD_OUT, RecordedFrames, RecordedImaging, open_recording

DUAL = RecordedImaging(channels=("adf", "bf"))


def a_movie(frames=23, shape=(24, 20), channels=2, dtype=np.float32):
    return np.random.default_rng(0).integers(0, 1000, (frames, *shape, channels)).astype(dtype)


def save(path, movie, axes="THWC"):
    if path.suffix == ".npy":
        np.save(path, movie)
    else:
        tifffile.imwrite(path, movie, photometric="minisblack")
    return open_recording(path, axes)


@pytest.mark.parametrize("name", ["m.npy", "m.tif"])
@pytest.mark.parametrize("dtype", [np.float32, np.uint16])
def test_frames_are_read_from_the_disk_one_by_one(tmp_path, name, dtype):
    movie = a_movie(dtype=dtype)
    data = save(tmp_path / name, movie)
    base = data.movie
    while not isinstance(base, np.memmap):
        base = base.base
        assert base is not None, "the movie is in memory, not on disk"
    np.testing.assert_array_equal(data.frame(7), movie[7].astype(np.float32))
    assert data.frame(7).dtype == np.float32 and data.name == name and data.band is None


def test_the_hash_is_that_of_the_pixels_and_the_shape(tmp_path):
    movie = a_movie()
    one = save(tmp_path / "one.npy", movie).recipe_hash
    assert save(tmp_path / "same.tif", movie).recipe_hash == one
    assert save(tmp_path / "shape.npy", movie.reshape(23, 20, 24, 2)).recipe_hash != one
    movie[4, 3, 2, 1] += 1
    assert save(tmp_path / "pixel.npy", movie).recipe_hash != one


@pytest.mark.parametrize("count, held", [(2, [1]), (3, [2]), (10, [9]), (23, [9, 19])])
def test_every_tenth_frame_is_for_validation(tmp_path, count, held):
    data = save(tmp_path / "m.npy", a_movie(count))
    train, validation = (RecordedFrames().images(data, split) for split in ("train", "validation"))
    assert validation.frame.tolist() == held
    assert sorted([*train.frame, *validation.frame]) == list(range(count))
    assert validation.names(data)[0] == f"m-frame{held[0]:03d}"
    with pytest.raises(ValueError, match="no split 'test'"):
        RecordedFrames().images(data, "test")


def test_a_long_movie_keeps_to_the_budget(tmp_path):
    data = save(tmp_path / "m.npy", a_movie(200))
    frames = RecordedFrames(budget=20.5 * 24 * 20 * 2 * 4).images(data, "train")
    assert len(frames) == 20 and np.diff(frames.frame).max() <= 12 and frames.frame[-1] > 190
    assert DUAL.device_arrays(data, frames)["noisy"].nbytes <= 20.5 * 24 * 20 * 2 * 4
    with pytest.raises(ValueError, match="raise the budget"):
        RecordedFrames(budget=100).images(data, "train")


def test_device_arrays_are_the_frames_and_their_statistics(tmp_path):
    movie = a_movie()
    data = save(tmp_path / "m.npy", movie)
    arrays = DUAL.device_arrays(data, RecordedFrames().images(data, "validation"))
    chosen = movie[[9, 19]].astype(np.float64)
    np.testing.assert_array_equal(arrays["noisy"], chosen)
    np.testing.assert_allclose(arrays["offset"][0, 0, 0], chosen.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(arrays["scale"][1, 0, 0], 4 * chosen.std((0, 1, 2)), rtol=1e-5)
    assert "targets" not in arrays
    with pytest.raises(ValueError, match=r"2 channels, but the model is for 1 \(image\)"):
        RecordedImaging().device_arrays(data, RecordedFrames().images(data, "train"))


def test_pixels_of_a_single_image_are_held_out(tmp_path):
    data = save(tmp_path / "m.npy", a_movie(1, (60, 60)))
    train, validation = (
        DUAL.device_arrays(data, RecordedFrames().images(data, split)) for split in ("train", "validation")
    )
    np.testing.assert_array_equal(train["noisy"], validation["noisy"])
    np.testing.assert_array_equal(train["targets"] + validation["targets"], np.ones((1, 60, 60, 1)))
    assert float(validation["targets"].mean()) == pytest.approx(HELD_OUT, abs=0.02)
    crops = MovieCrops(size=16, count=6, flip=True)
    batch = jax.jit(lambda arrays: crops.batch(arrays, jax.random.key(0), 0, None, DUAL))(train)
    assert batch["targets"].shape == (6, 16, 16, 1)
    value = np.asarray(train["noisy"])[0, ..., 0] + 1000 * np.asarray(train["noisy"])[0, ..., 1]  # names its pixel
    wanted = dict(zip(value.ravel().tolist(), np.asarray(train["targets"]).ravel().tolist(), strict=True))
    crop = np.asarray(batch["noisy"])
    found = [wanted[v] for v in (crop[..., 0] + 1000 * crop[..., 1]).ravel().tolist()]
    assert len(wanted) > 3500 and np.mean(found == np.asarray(batch["targets"]).ravel()) > 0.99  # a few values twice


# ---------------------------------------------------------------------------------------------------- refusals
def refused(path, movie, axes="THWC"):
    with pytest.raises((ValueError, OSError)) as error:
        save(path, movie, axes)
    text = str(error.value)
    assert "\n" not in text and text.startswith(str(path))
    return text


def test_a_bad_frame_is_named(tmp_path):
    movie = a_movie()
    movie[5, 3, 4, 1] = np.nan
    text = refused(tmp_path / "nan.npy", movie)
    assert "frame 5: 1 of 960 pixels" in text and "H=3, W=4, C=1; mend that frame or save the movie without" in text
    with pytest.raises(ValueError, match="frame 5: 1 of 960 pixels .*; --fill-nonfinite fills them in"):
        open_recording(tmp_path / "nan.npy", "THWC", fill_nonfinite=False)
    filled = open_recording(tmp_path / "nan.npy", "THWC", fill_nonfinite=True).frame(5)
    assert np.isfinite(filled).all() and (filled == movie[5]).sum() == 959
    movie[5] = np.inf
    np.save(tmp_path / "inf.npy", movie)
    with pytest.raises(ValueError, match="frame 5: 100% of a frame is NaN or infinite, too much to fill in"):
        open_recording(tmp_path / "inf.npy", "THWC", fill_nonfinite=True)
    dead = a_movie()
    dead[11, ..., 1] = 7
    text = refused(tmp_path / "dead.npy", dead)
    assert "frame 11, channel 1 is constant (7)" in text and "without it" in text
    huge = a_movie(dtype=np.float64)
    huge[2, 0, 0, 0] = 1e200
    assert "frame 2: holds numbers beyond the range of float32" in refused(tmp_path / "huge.npy", huge)


def test_swapped_axes_are_noticed(tmp_path):
    movie = a_movie()
    assert "axes seem to be swapped" in refused(tmp_path / "m.npy", movie.transpose(0, 3, 1, 2))
    right = open_recording(tmp_path / "m.npy", "TCHW")
    np.testing.assert_array_equal(right.frame(3), movie[3])
    assert "--axes" in refused(tmp_path / "n.npy", movie, axes=None)
    frames_as_channels = movie[:6].transpose(3, 0, 1, 2)  # no more channels than pixels, but fewer frames than channels
    assert "axes seem to be swapped" in refused(tmp_path / "f.npy", frames_as_channels, axes="TCHW")


def test_an_image_is_a_movie_of_one_frame(tmp_path):
    data = save(tmp_path / "m.npy", a_movie()[0, ..., 0], axes=None)
    assert data.movie.shape == (1, 24, 20, 1) and data.items[0]["frames"] == 1
