"""Movies: chosen, rendered, recorded and cropped as stated."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from stemjax.data import au_graphene, datasets
from stemjax.data.au_graphene import GrapheneImaging
from stemjax.data.crops import MovieCrops
from stemjax.data.images import Frames
from stemjax.physics import contrast_library
from stemjax.physics.noise import Gaussian
from tests.toys import au_graphene as toy_movies
from tests.toys.au_graphene import FRAMES, PIXELS, SAMPLING

IMAGING = GrapheneImaging()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return toy_movies.make_movies(tmp_path_factory.mktemp("movies"))


@pytest.fixture(scope="module")
def arrays(data):
    return IMAGING.device_arrays(data, Frames().images(data, "train"))


# ---------------------------------------------------------------------------------------------------- choosing
def test_frames_are_chosen_by_session_split_and_stride(data):
    frames = Frames(start=1, stride=2).images(data, "train")
    assert frames.frame.tolist() == [1, 3, 5] * 3 and frames.item.tolist() == [0] * 3 + [1] * 3 + [2] * 3
    assert frames.names(data)[:2] == ["a-0-frame001", "a-0-frame003"] and set(frames.unit) == {"a-0", "a-1", "a-2"}
    assert len(Frames(movies=1).images(data, "train")) == FRAMES
    assert Frames(per_unit=2).images(data, "test").frame.tolist() == [1, 4]
    assert set(Frames(session=("b",)).images(data, "test").unit) == {"b-test"}
    assert len(set(Frames(session=()).images(data, "test").unit)) == 2
    for nothing, split in ((Frames(session=("b",)), "train"), (Frames(start=FRAMES), "train")):
        with pytest.raises(ValueError, match="widen the selection"):
            nothing.images(data, split)


# ---------------------------------------------------------------------------------------------------- rendering
def test_clean_frames_are_those_of_the_movie(data):
    """Each against one call of the renderer with what the files say, more frames than go into one call."""
    frames = Frames(session=()).images(data, "test")
    clean = IMAGING.clean_images(data, frames)
    assert clean.shape == (2 * FRAMES, PIXELS, PIXELS, 2) and clean.dtype == np.float32
    truth, motion = data.truth, data.array("frames.npy")
    view = jax.jit(contrast_library.view, static_argnames="sampling")
    draw = jax.jit(contrast_library.frame, static_argnames="pixels")
    for row in (0, 3, FRAMES + 1):
        item, frame = data.items[frames.item[row]], frames.frame[row]
        library = au_graphene.read_libraries(data, [0, 1])[item["setting"]]
        seen = view(library, item["rotation_deg"], item["blur_fwhm_angstrom"], SAMPLING)
        rows = truth[(truth["item"] == frames.item[row]) & (truth["frame"] == frame)]
        drift = motion[(motion["item"] == frames.item[row]) & (motion["frame"] == frame)][0]
        positions = np.zeros((8, 2), np.float32)
        positions[: len(rows)] = np.stack([rows["y_angstrom"], rows["x_angstrom"]], axis=-1)
        drift = np.array([drift["drift_y_angstrom"], drift["drift_x_angstrom"]])
        expected = draw(seen, positions, np.arange(8) < len(rows), drift, (PIXELS, PIXELS))
        np.testing.assert_allclose(clean[row], expected, atol=1e-5)


def test_the_renderer_compiles_once(data):
    IMAGING.clean_images(data, Frames().images(data, "train"))
    before = au_graphene._view._cache_size(), au_graphene._movie._cache_size()
    IMAGING.clean_images(data, Frames(session=(), per_unit=1).images(data, "test"))
    assert (au_graphene._view._cache_size(), au_graphene._movie._cache_size()) == before


def test_one_channel_is_that_of_both(data):
    frames = Frames().images(data, "validation")
    both, dark = (GrapheneImaging(channels=names).clean_images(data, frames) for names in (("bf", "adf"), ("adf",)))
    np.testing.assert_allclose(both[..., 1:], dark, atol=1e-6)
    with pytest.raises(ValueError, match="no channel 'haadf'"):
        GrapheneImaging(channels=("haadf",)).clean_images(data, frames)


# ---------------------------------------------------------------------------------------------------- recorded noise
def test_noise_belongs_to_the_frame(data, arrays):
    """Whatever else is chosen, the recording is the same; and it has the noise that it says."""
    every = np.asarray(arrays["noisy"])
    few = IMAGING.device_arrays(data, Frames(start=1, stride=2, movies=2).images(data, "train"))["noisy"]
    np.testing.assert_allclose(few, every.reshape(3, FRAMES, *every.shape[1:])[:2, 1::2].reshape(few.shape), atol=1e-6)
    bright = GrapheneImaging(channels=("bf",)).device_arrays(data, Frames(movies=1).images(data, "train"))["noisy"]
    np.testing.assert_allclose(bright, every[:FRAMES, ..., 1:], atol=1e-6)
    clean = IMAGING.clean_images(data, Frames().images(data, "train"))
    error = np.sqrt(np.mean((every - clean) ** 2, axis=(1, 2)))
    np.testing.assert_allclose(20 * np.log10(np.ptp(clean, axis=(1, 2)) / error), 7.0, atol=0.4)
    noise = (every - clean).reshape(len(clean), -1)
    correlation = np.corrcoef(noise) - np.eye(len(clean))
    assert np.abs(correlation).max() < 0.1  # no two frames have the same


def test_normalisation_is_that_of_the_movie(arrays):
    for movie in range(3):
        rows = slice(movie * FRAMES, (movie + 1) * FRAMES)
        noisy = np.asarray(arrays["noisy"][rows], np.float64)
        np.testing.assert_allclose(arrays["offset"][rows], np.tile(noisy.mean((0, 1, 2)), (FRAMES, 1, 1, 1)), rtol=1e-5)
        np.testing.assert_allclose(
            arrays["scale"][rows], np.tile(4 * noisy.std((0, 1, 2)), (FRAMES, 1, 1, 1)), rtol=1e-4
        )


# ---------------------------------------------------------------------------------------------------- crops
def test_crops_are_parts_of_the_frames(arrays):
    crops = MovieCrops(size=16, count=12)
    batch = jax.jit(lambda step: crops.batch(arrays, jax.random.key(0), step, None, IMAGING))(3)
    assert batch["noisy"].shape == (12, 16, 16, 2) and batch["scale"].shape == (12, 1, 1, 2)
    frames, seen = np.asarray(arrays["noisy"]), set()
    for crop, offset in zip(np.asarray(batch["noisy"]), np.asarray(batch["offset"]), strict=True):
        ((row, top, left),) = np.argwhere(frames[..., 0] == crop[0, 0, 0])
        np.testing.assert_array_equal(frames[row, top : top + 16, left : left + 16], crop)
        np.testing.assert_array_equal(arrays["offset"][row], offset)
        seen.add((row, top, left))
    assert len(seen) == 12


def test_flips_keep_the_pixels(arrays):
    plain, flipped = (np.asarray(crop(arrays, 8, 0, flip)) for flip in (False, True))
    pairs = zip(plain, flipped, strict=True)
    turned = [next(n for n, image in enumerate(mirrors(a)) if np.array_equal(image, b)) for a, b in pairs]
    assert len(set(turned)) > 1


def crop(arrays, count, step, flip=False):
    crops = MovieCrops(size=16, count=count, flip=flip)
    return jax.jit(lambda step: crops.batch(arrays, jax.random.key(1), step, None, IMAGING)["noisy"])(step)


def mirrors(image):
    return image, image[::-1], image[:, ::-1], image[::-1, ::-1]


def test_the_batch_size_does_not_change_the_crops(arrays):
    few = [crop(arrays, 4, step) for step in (2, 3)]
    np.testing.assert_array_equal(np.concatenate(few), crop(arrays, 8, 1))


def test_crops_larger_than_the_frames_are_refused(arrays):
    with pytest.raises(ValueError, match="larger than the frames of 40 x 40"):
        MovieCrops(size=41).batch(arrays, jax.random.key(0), 0, None, IMAGING)


# ---------------------------------------------------------------------------------------------------- damage
def changed(data, **arrays):
    """The data set with other arrays in place of some files."""

    class Changed(datasets.DataSet):
        def array(self, name):
            return arrays.get(name.removesuffix(".npy"), data.array(name))

    return Changed(data.folder, data.manifest)


def test_a_frame_without_motion_and_a_library_cut_too_short_are_named(data):
    frames = Frames().images(data, "train")
    with pytest.raises(OSError, match="has no a-0-frame002"):
        au_graphene.read_motion(changed(data, frames=np.delete(data.array("frames.npy"), 2)), frames)
    contrast = np.array(data.array("contrast.npy"))
    contrast[..., 0, 0, :] = 0.01
    with pytest.raises(ValueError, match="larger patches"):
        au_graphene.read_libraries(changed(data, contrast=contrast), [0, 1])
    other = datasets.DataSet(data.folder, data.manifest | {"frame": data.manifest["frame"] | {"sampling_angstrom": 1}})
    with pytest.raises(ValueError, match=r"1 Å instead of 0\.46"):
        IMAGING.clean_images(other, frames)


def test_frames_without_adatoms_are_background(data):
    frames = replace(Frames(), movies=1).images(data, "train")
    bare = changed(data, truth=np.zeros(0, datasets.TRUTH))
    positions, present, drift = au_graphene.read_motion(bare, frames)
    assert positions.shape == (FRAMES, 1, 2) and not present.any() and drift.shape == (FRAMES, 2)


def test_configurations_come_back():
    from stemjax.config import from_config, to_config

    for value in (Frames(("a", "b"), 1, 2), GrapheneImaging(Gaussian(16.0), ("bf",)), MovieCrops(32, 4, True)):
        assert from_config(to_config(value)) == value
