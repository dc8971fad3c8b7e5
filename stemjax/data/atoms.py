"""Clean images of atoms from many sources, stored once, and batches of them and of drawn crystals under any camera.

A data set of them (`simulation.atoms`) holds square stills of mean 1. `Stills` chooses among them, `StillImaging`
counts electrons on them, and `StillCrops` makes training batches, most of which `stemjax.physics.crystals` draws anew.
"""

from dataclasses import dataclass, field
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.data.crops import crop_keys
from stemjax.data.datasets import DataSet
from stemjax.data.images import Images, spread
from stemjax.data.kind import Kind
from stemjax.physics import crystals
from stemjax.physics.camera import Camera
from stemjax.physics.noise import Poisson

STILL_NOISE = 1_000_033  # seed of the noise of test images


# ---------------------------------------------------------------------------------------------------- choosing
@dataclass(frozen=True)
class Stills:
    """Which stills of a data set.

    Parameters
    ----------
    kind : tuple of str
        Of the data set's kinds, such as "pt-ceo2" or "crystal"; empty means any.
    per_unit : int
        At most so many of every kind, spread evenly; 0 is no limit.
    """

    kind: tuple[str, ...] = ()
    per_unit: int = 0

    def images(self, data: DataSet, split: str) -> Images:
        """The stills of one split, kind by kind.

        Raises
        ------
        ValueError
            If there are none.
        """
        chosen: dict[str, list[int]] = {}
        for index, item in enumerate(data.items):
            if item["split"] == split and (not self.kind or item["kind"] in self.kind):
                chosen.setdefault(item["kind"], []).append(index)
        if not chosen:
            raise ValueError(f"no still of split {split!r} in {data.folder} meets {self}; widen the selection")
        rows = np.concatenate([spread(np.array(rows), self.per_unit) for rows in chosen.values()])
        return Images(rows.astype(np.int32), np.array([data.items[row]["unit"] for row in rows]))


# ---------------------------------------------------------------------------------------------------- images
@dataclass(frozen=True)
class StillImaging:
    """Stills as counts of electrons.

    Parameters
    ----------
    counts : float
        Mean counts per pixel of test images; 0 is the dose that the data set gives each of them.
    noise : Poisson
        Of test images; training crops have that of the camera of `StillCrops`.
    """

    counts: float = 0.0
    noise: Poisson = field(default_factory=Poisson)

    protocol: ClassVar[str] = "stem"
    channels: ClassVar[tuple[str, ...]] = ("image",)

    def contract(self, clamp: bool = True) -> dict:
        """How `metrics.image.score` is to compare two images; nothing is clamped."""
        return {"protocol": self.protocol}

    def device_arrays(self, data: DataSet, images: Images) -> dict:
        """What `StillCrops.batch` draws from: ``stills`` float16 [M, S, S, 1] of mean 1."""
        return {"stills": jnp.asarray(read_stills(data, images))}

    def clean_images(self, data: DataSet, images: Images) -> np.ndarray:
        """The stills without noise, float32 [M, S, S, 1], in counts."""
        counts = [self.counts or data.items[item]["counts"] for item in images.item]
        return np.array(counts, np.float32)[:, None, None, None] * read_stills(data, images).astype(np.float32)

    def noisy_images(self, data: DataSet, images: Images) -> np.ndarray:
        """The stills with noise, float32 [M, S, S, 1] in counts, which depends on the still and the dose alone."""
        key, clean = jax.random.key(STILL_NOISE), self.clean_images(data, images)
        draw = jax.jit(lambda item, image: self.noise.sample(jax.random.fold_in(key, item), image))
        return np.stack([np.asarray(draw(item, image)) for item, image in zip(images.item, clean, strict=True)])


def read_stills(data: DataSet, images: Images) -> np.ndarray:
    """Stills as they are stored, float16 [M, S, S, 1]."""
    shards = {name: data.array(name) for name in {data.items[item]["shard"] for item in images.item}}
    items = [data.items[item] for item in images.item]
    return np.stack([shards[item["shard"]][item["index"]] for item in items])[..., None]


# ---------------------------------------------------------------------------------------------------- batches
@dataclass(frozen=True)
class StillCrops:
    """A batch of square crops, each a drawn crystal or from a random still and place, recorded by a camera of its own.

    Parameters
    ----------
    size : int
        Side of a crop [px].
    count : int
        Crops in a batch.
    drawn : float
        Part of the crops that are drawn.
    camera : Camera
        The range of cameras.
    """

    size: int = 128
    count: int = 2
    drawn: float = 0.7
    camera: Camera = field(default_factory=Camera)

    def batch(self, arrays: dict, key: jax.Array, step: jax.Array, band: None, imaging: StillImaging) -> dict:
        """The batch of one step; see `micrographs.Crops.batch`. One crop after the other: only what is needed runs.

        Returns
        -------
        dict
            ``noisy`` and ``clean``, float32 [count, size, size, 1], in units of the crop's camera.

        Raises
        ------
        ValueError
            If the stills are smaller than a crop.
        """
        side = arrays["stills"].shape[1]
        if self.size > side:
            raise ValueError(f"crops of {self.size} px are larger than the stills of {side} px: choose less")
        noisy, clean = jax.lax.map(lambda k: self._crop(arrays["stills"], k), crop_keys(key, step, self.count))
        return {"noisy": noisy, "clean": clean}

    def _crop(self, stills: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        choice, image, camera = jax.random.split(key, 3)
        draw = lambda k: crystals.draw(k, self.size)[..., None]
        cut = lambda k: self._cut(stills, k)
        clean = jax.lax.cond(jax.random.uniform(choice) < self.drawn, draw, cut, image)
        return self.camera.record(camera, clean)

    def _cut(self, stills: jax.Array, key: jax.Array) -> jax.Array:
        """A crop of a random still, in one of its eight orientations, its mean made 1."""
        choice, place, mirror = jax.random.split(key, 3)
        count, side = stills.shape[:2]
        top, left = jax.random.randint(place, (2,), 0, side - self.size + 1)
        row = jax.random.randint(choice, (), 0, count)
        crop = jax.lax.dynamic_slice(stills, (row, top, left, 0), (1, self.size, self.size, 1))[0].astype(jnp.float32)
        down, right, turned = jax.random.bernoulli(mirror, 0.5, (3,))
        crop = jnp.where(down, crop[::-1], crop)
        crop = jnp.where(right, crop[:, ::-1], crop)
        crop = jnp.where(turned, crop.swapaxes(0, 1), crop)
        return crop / jnp.maximum(crop.mean(), 1e-3)


KINDS = (
    Kind(
        "atoms",
        StillImaging(),
        Stills(),
        StillCrops(),
        "electrons per pixel",
        "Clean stills of atoms from other data sets and of drawn crystals, stored once, to train one network for many "
        "kinds of images.",
        "atoms",
    ),
)
