"""Photographs with Gaussian noise: what the SBD paper compares electron micrographs with.

A set of photographs takes the place of a data set of exit waves, `PhotographImaging` that of the microscope, and
`PhotographCrops` that of the crops: the training and the scores are the same code.
"""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.data.crops import crop_keys
from stemjax.data.datasets import recipe_hash
from stemjax.data.images import Images
from stemjax.data.kind import Kind
from stemjax.physics.noise import UniformGaussian

# Photographs that come with scikit-image; those to test with are as many as an interval needs.
INCLUDED = {
    "train": ("brick.png", "coffee.png", "hubble_deep_field.jpg", "motorcycle_left.png", "retina.jpg"),
    "validation": ("coins.png",),
    "test": (
        *("astronaut.png", "camera.png", "cell.png", "chelsea.png", "clock_motion.png"),
        *("grass.png", "gravel.png", "ihc.png", "moon.png", "rocket.jpg"),
    ),
}
ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
WINDOW = 256  # px; side of what is tested on; smaller photographs of a folder are left out


@dataclass(frozen=True)
class Photographs:
    """Grey images of any size, split into training, validation and test; see `open_photographs`.

    Parameters
    ----------
    images : dict
        Name -> uint8 [H, W].
    splits : dict
        Split -> names.
    alike : tuple of str
        Splits whose images are one unit, not each its own.
    """

    name: str
    images: dict[str, np.ndarray]
    splits: dict[str, tuple[str, ...]]
    alike: tuple[str, ...] = ()
    band: None = None  # there is no exit wave

    @property
    def folder(self) -> str:
        """What messages call it by, as they do a data set."""
        return self.name

    @cached_property
    def items(self) -> list[dict]:
        """As those of a data set: every image, with its split and its unit."""
        split = {name: split for split, names in self.splits.items() for name in names}
        unit = {name: split[name] if split[name] in self.alike else name for name in split}
        return [{"id": name, "unit": unit[name], "split": split[name]} for name in self.images if name in split]

    def image(self, index: int) -> np.ndarray:
        """The image of an item, uint8 [H, W]."""
        return self.images[self.items[index]["id"]]

    @property
    def recipe_hash(self) -> str:
        """Identity: the pixels of every photograph and its split."""
        digests = {name: hashlib.sha256(image.tobytes()).hexdigest() for name, image in self.images.items()}
        return recipe_hash({"name": self.name, "images": digests, "splits": self.splits})


def open_photographs(folder: str | Path | None = None) -> Photographs:
    """The photographs of a folder (DIV2K, for example), or those that come with scikit-image.

    Colours are turned to grey. Those of a folder are split by the order of their names: of every ten, one is for
    validation and one to test with, unless the folder has sub-folders `train`, `validation` and `test`.

    Raises
    ------
    OSError
        If the folder has too few photographs of at least 256 px.
    """
    if folder is None:
        folder, name = Path(str(files("skimage.data"))), "scikit-image-photographs"
        paths = {split: [folder / file for file in names] for split, names in INCLUDED.items()}
    else:
        folder = Path(folder)
        paths, name = _split(folder), folder.resolve().name
    # Named by their place in the folder: train/1.png and test/1.png are two photographs.
    named = {split: {path.relative_to(folder).as_posix(): path for path in part} for split, part in paths.items()}
    images = {key: _read_grey(path) for part in named.values() for key, path in part.items()}
    large = {key: image for key, image in images.items() if min(image.shape) >= WINDOW}
    splits = {split: tuple(key for key in part if key in large) for split, part in named.items()}
    if not all(splits.values()):
        raise OSError(f"{folder}: too few photographs of at least {WINDOW} px to train, validate and test with")
    return Photographs(name, large, splits)


def _split(folder: Path) -> dict[str, list[Path]]:
    def paths_of(where: Path) -> list[Path]:
        return sorted(path for path in where.glob("*") if path.suffix.lower() in ENDINGS)

    if all((folder / split).is_dir() for split in INCLUDED):
        return {split: paths_of(folder / split) for split in INCLUDED}
    places = list(enumerate(paths_of(folder)))
    return {
        "train": [path for place, path in places if place % 10 < 8],
        "validation": [path for place, path in places if place % 10 == 8],
        "test": [path for place, path in places if place % 10 == 9],
    }


def _read_grey(path: Path) -> np.ndarray:
    """A photograph in grey, uint8 [H, W]."""
    from skimage import color, io, util

    image = io.imread(path)
    if image.ndim == 3:
        image = color.rgb2gray(image[..., :3])
    return util.img_as_ubyte(image)


# ---------------------------------------------------------------------------------------------------- choosing
@dataclass(frozen=True)
class EveryPhotograph:
    """All photographs of a split; to test with, at most `per_unit` windows of each, from the middle outwards."""

    per_unit: int = 0

    def images(self, data: Photographs, split: str) -> Images:
        """The windows of one split."""
        place = {item["id"]: index for index, item in enumerate(data.items)}
        items, corners = [], []
        for index in [place[name] for name in data.splits[split]]:
            shape = np.array(data.image(index).shape)
            counts = shape // WINDOW
            grid = (shape - counts * WINDOW) // 2 + WINDOW * np.array(list(np.ndindex(*counts)))
            distance = np.sum((grid - (shape - WINDOW) / 2) ** 2, axis=1)
            chosen = grid[np.argsort(distance, kind="stable")][: self.per_unit or None]
            items += [index] * len(chosen)
            corners.append(chosen)
        units = np.array([data.items[index]["unit"] for index in items])
        return Images(np.array(items, np.int32), units, corner=np.concatenate(corners), side=WINDOW)


# ---------------------------------------------------------------------------------------------------- images
@dataclass(frozen=True)
class PhotographImaging:
    """Grey values in [0, 1] with white Gaussian noise of a standard deviation drawn uniformly for every image.

    Parameters
    ----------
    noise : UniformGaussian
        The paper's range, 0 to 100 of 255.
    """

    noise: UniformGaussian = field(default_factory=lambda: UniformGaussian(0.0, 100 / 255))

    protocol: ClassVar[str] = "photo"
    channels: ClassVar[tuple[str, ...]] = ("image",)

    def contract(self, clamp: bool = True) -> dict:
        """How `metrics.image.score` is to compare two images; nothing is clamped."""
        return {"protocol": self.protocol}

    def device_arrays(self, data: Photographs, images: Images) -> dict:
        """What `PhotographCrops.batch` draws from: every photograph, at the corner of a common frame, and its size.

        The rest of the frame is the photograph's mirror image, for crops larger than it is.
        """
        pictures = [data.image(index) for index in dict.fromkeys(images.item.tolist())]
        sizes = np.array([picture.shape for picture in pictures], np.int32)
        frame = np.zeros((len(pictures), *sizes.max(axis=0)), np.uint8)
        for place, picture in enumerate(pictures):
            room = sizes.max(axis=0) - sizes[place]
            frame[place] = np.pad(picture, [(0, room[0]), (0, room[1])], mode="symmetric")
        return {"photographs": jnp.asarray(frame), "sizes": jnp.asarray(sizes)}

    def clean_images(self, data: Photographs, images: Images) -> np.ndarray:
        """The windows, float32 [M, WINDOW, WINDOW, 1] in [0, 1]."""
        windows = [
            data.image(index)[y : y + WINDOW, x : x + WINDOW]
            for index, (y, x) in zip(images.item, images.corner, strict=True)
        ]
        return np.stack(windows).astype(np.float32)[..., None] / 255


@dataclass(frozen=True)
class PhotographCrops:
    """A batch of square crops, each from a random photograph and place, mirrored and turned by quarters at random.

    Parameters
    ----------
    size : int
        Side of a crop [px].
    count : int
        Crops in a batch.
    """

    size: int = 400
    count: int = 32

    def batch(self, arrays: dict, key: jax.Array, step: jax.Array, band: None, imaging: PhotographImaging) -> dict:
        """``clean`` and ``noisy``, float32 [count, size, size, 1] in [0, 1], of a step; see `micrographs.Crops.batch`.

        Raises
        ------
        ValueError
            If no photograph is as large as a crop.
        """
        if self.size > min(arrays["photographs"].shape[1:]):
            raise ValueError(f"crops of {self.size} px are larger than every photograph; give larger ones")
        keys = crop_keys(key, step, self.count)
        places, noise_keys = jax.vmap(jax.random.split, out_axes=1)(keys)
        clean = jax.vmap(lambda k: self._crop(arrays, k))(places)[..., None]
        return {"clean": clean, "noisy": jax.vmap(imaging.noise.sample)(noise_keys, clean)}

    def _crop(self, arrays: dict, key: jax.Array) -> jax.Array:
        choice, place, turns, mirror = jax.random.split(key, 4)
        row = jax.random.randint(choice, (), 0, len(arrays["sizes"]))
        room = jnp.maximum(arrays["sizes"][row] - self.size, 0)
        corner = (jax.random.uniform(place, (2,)) * (room + 1)).astype(jnp.int32)
        crop = jax.lax.dynamic_slice(arrays["photographs"][row], corner, (self.size, self.size))
        crop = jnp.where(jax.random.bernoulli(mirror), crop[:, ::-1], crop)
        quarter = jax.random.randint(turns, (), 0, 4)
        crop = jax.lax.switch(quarter, [lambda c, k=k: jnp.rot90(c, k) for k in range(4)], crop)
        return crop.astype(jnp.float32) / 255


KINDS = (
    Kind(
        "scikit-image-photographs",
        PhotographImaging(),
        EveryPhotograph(),
        PhotographCrops(),
        "grey value from 0 to 1",
        "Photographs that come with scikit-image, in grey.",
        make=lambda size: open_photographs(),
    ),
)
