"""Photographs: opened, split, cropped and noisy as stated."""

import jax
import numpy as np
import pytest
from skimage import io

from stemjax.data import photographs
from stemjax.data.photographs import EveryPhotograph, PhotographCrops, PhotographImaging, open_photographs
from stemjax.physics.noise import UniformGaussian

IMAGING = PhotographImaging()


@pytest.fixture(scope="module")
def included():
    return open_photographs()


def a_folder(path, count=10, side=300):
    path.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        ramp = np.add.outer(np.arange(side), np.arange(side + number)) % 256
        io.imsave(path / f"{number:02d}.png", ramp.astype(np.uint8), check_contrast=False)
    return path


def test_those_that_come_with_scikit_image_are_enough_to_test_with(included):
    assert len(included.splits["test"]) >= 10
    names = [name for split in included.splits.values() for name in split]
    assert len(names) == len(set(names)) == len(included.images)
    windows = EveryPhotograph(per_unit=2).images(included, "test")
    assert set(windows.unit) == set(included.splits["test"]) and len(windows) > 10
    assert len(set(windows.names(included))) == len(windows)


def test_windows_lie_inside_and_begin_with_the_middle_one(tmp_path):
    data = open_photographs(a_folder(tmp_path / "photos", side=800))
    windows = EveryPhotograph().images(data, "test")
    height, width = data.image(windows.item[0]).shape
    assert (windows.corner >= 0).all() and (windows.corner + photographs.WINDOW <= (height, width)).all()
    assert tuple(windows.corner[0]) == ((height - 256) // 2, (width - 256) // 2)
    assert len(windows) == 9
    clean = IMAGING.clean_images(data, windows)
    assert clean.shape == (9, 256, 256, 1) and clean.min() == 0 and clean.max() == 1


def test_a_folder_is_split_and_small_photographs_are_left_out(tmp_path):
    folder = a_folder(tmp_path / "photos")
    io.imsave(folder / "05.png", np.zeros((100, 400), np.uint8), check_contrast=False)
    data = open_photographs(folder)
    assert [len(data.splits[split]) for split in splits()] == [7, 1, 1]
    assert open_photographs(folder).recipe_hash == data.recipe_hash
    io.imsave(folder / "04.png", np.zeros((300, 300), np.uint8), check_contrast=False)
    assert open_photographs(folder).recipe_hash != data.recipe_hash
    with pytest.raises(OSError, match="too few photographs"):
        open_photographs(a_folder(tmp_path / "few", count=3))


def splits():
    return tuple(photographs.INCLUDED)


def test_named_splits_are_kept(tmp_path):
    for split, count in zip(splits(), (3, 1, 2), strict=True):
        folder = a_folder(tmp_path / "photos" / split, count)
        for path in folder.iterdir():
            path.rename(folder / f"{split}-{path.name}")
    data = open_photographs(tmp_path / "photos")
    assert [len(data.splits[split]) for split in splits()] == [3, 1, 2]


def test_photographs_of_one_name_in_two_splits_stay_apart(tmp_path):
    """A test photograph that took the place of a training one would be a leak."""
    for value, split in enumerate(splits()):
        folder = tmp_path / "photos" / split
        folder.mkdir(parents=True)
        io.imsave(folder / "1.png", np.full((300, 300), value, np.uint8), check_contrast=False)
    data = open_photographs(tmp_path / "photos")
    assert [data.images[data.splits[split][0]].max() for split in splits()] == [0, 1, 2]


def test_crops_larger_than_a_photograph_are_continued_by_its_mirror_image(tmp_path):
    folder = a_folder(tmp_path / "photos")
    io.imsave(folder / "00.png", np.full((256, 280), 255, np.uint8), check_contrast=False)
    data = open_photographs(folder)
    images = EveryPhotograph().images(data, "train")
    one, other = images.part(images.unit == "00.png"), images.part(slice(9))
    arrays = IMAGING.device_arrays(data, other)
    quiet = PhotographImaging(UniformGaussian(0.0, 0.0))
    crops = PhotographCrops(size=290, count=64).batch(arrays, jax.random.key(0), 0, None, quiet)["clean"]
    constant = crops.min(axis=(1, 2, 3)) == crops.max(axis=(1, 2, 3))
    assert len(one) and constant.any()  # crops of the small white photograph: no black border
    with pytest.raises(ValueError, match="larger than every photograph"):
        PhotographCrops(size=290, count=1).batch(IMAGING.device_arrays(data, one), jax.random.key(0), 0, None, quiet)


def test_crops_are_parts_of_the_photographs(tmp_path):
    """Every crop of a ramp is a ramp, and none shows the frame's empty part."""
    data = open_photographs(a_folder(tmp_path / "photos"))
    crops = PhotographCrops(size=64, count=32)
    arrays = IMAGING.device_arrays(data, EveryPhotograph().images(data, "train"))
    quiet = PhotographImaging(UniformGaussian(0.0, 0.0))
    make = jax.jit(lambda step: crops.batch(arrays, jax.random.key(0), step, None, quiet))
    batch = make(0)
    clean = np.asarray(batch["clean"])[..., 0] * 255
    assert clean.shape == (32, 64, 64)
    for axis in (1, 2):
        steps = np.round(np.diff(clean, axis=axis)) % 256
        assert set(np.unique(steps)) == {1.0, 255.0}  # up or down, mirrored or turned
    np.testing.assert_array_equal(batch["noisy"], batch["clean"])
    again = make(1)
    assert not np.array_equal(again["clean"], batch["clean"])


def test_the_batch_size_does_not_change_the_crops(included):
    arrays = IMAGING.device_arrays(included, EveryPhotograph().images(included, "train"))

    def make(count):
        crops = PhotographCrops(size=32, count=count)
        return jax.jit(lambda step: crops.batch(arrays, jax.random.key(1), step, None, IMAGING))

    few, many = make(4), make(8)
    first, second, both = few(2), few(3), many(1)
    for name in ("clean", "noisy"):
        np.testing.assert_allclose(np.concatenate([first[name], second[name]]), both[name], atol=1e-6)


def test_noise_of_every_image_has_its_own_level():
    noise = UniformGaussian(0.1, 0.4)
    spread = np.std(noise.sample(jax.random.key(0), np.zeros((64, 50, 50, 1), np.float32)), axis=(1, 2, 3))
    assert 0.09 < spread.min() < 0.15 and 0.35 < spread.max() < 0.42
    one = UniformGaussian(0.2, 0.2).sample(jax.random.key(0), np.zeros((4, 200, 200, 1), np.float32))
    np.testing.assert_allclose(np.std(one, axis=(1, 2, 3)), 0.2, rtol=0.02)


def test_photographs_train_with_the_same_code(tmp_path):
    from stemjax.denoisers.supervised import Supervised
    from stemjax.networks import DURR
    from stemjax.training.train import Run, train

    data = open_photographs(a_folder(tmp_path / "photos"))
    run = Run(
        denoiser=Supervised(DURR(width=2, last_layer_scale=0.1), centre=True),
        recipe_hash=data.recipe_hash,
        imaging=IMAGING,
        crops=PhotographCrops(size=32, count=4),
        selection=EveryPhotograph(),
        steps=4,
        validate_every=2,
        validation_per_unit=1,
    )
    outcome = train(run, data, tmp_path)
    assert outcome.step == 4 and outcome.progress.best_db > 0
