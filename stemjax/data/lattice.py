"""Movies of a distorted crystal lattice that no simulation stands behind, rendered when asked for.

A data set of them holds but the drift of every movie (`simulation.lattice`): the crystal itself is a function of
the movie's number. `images.Frames` chooses the frames (``session=("lattice",)``); `crops.MovieCrops` cuts batches.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.data.crops import MovieCrops, with_statistics
from stemjax.data.datasets import DataSet
from stemjax.data.images import RECORDING_NOISE, Frames, Images
from stemjax.data.kind import Kind
from stemjax.physics.gaussian_atoms import Lattice
from stemjax.physics.noise import Dose

CRYSTAL = 3_000_017  # seed of rotations and distortions


@dataclass(frozen=True)
class LatticeImaging:
    """Frames of a distorted lattice with recorded noise.

    Parameters
    ----------
    noise : Dose
        Of the recording, and of test images: electrons at a pixel where the brightest column alone would count 1.
    lattice : Lattice
        The crystal.
    """

    noise: Dose = field(default_factory=lambda: Dose(5.0))
    lattice: Lattice = field(default_factory=Lattice)

    protocol: ClassVar[str] = "stem"
    channels: ClassVar[tuple[str, ...]] = ("haadf",)

    def contract(self, clamp: bool = True) -> dict:
        """How `metrics.image.score` is to compare two images; nothing is clamped."""
        return {"protocol": self.protocol}

    def device_arrays(self, data: DataSet, images: Images) -> dict:
        """What `crops.MovieCrops` draws from: ``noisy``, ``clean``, ``offset``, ``scale``, as of `HaadfImaging`."""
        clean, noisy = (jnp.concatenate(frames) for frames in zip(*self._render(data, images), strict=True))
        return with_statistics(noisy, images.item) | {"clean": clean}

    def clean_images(self, data: DataSet, images: Images) -> np.ndarray:
        """The frames without noise, float32 [M, H, W, 1]."""
        return np.concatenate([np.asarray(clean) for clean, _ in self._render(data, images)])

    def noisy_images(self, data: DataSet, images: Images) -> np.ndarray:
        """The frames as recorded, float32 [M, H, W, 1]."""
        return np.concatenate([np.asarray(noisy) for _, noisy in self._render(data, images)])

    def _render(self, data: DataSet, images: Images) -> Iterator[tuple[jax.Array, jax.Array]]:
        """Clean and noisy frames, those of one movie at a time and in the order of the list."""
        described, motion = data.manifest["frame"], np.asarray(data.array("frames.npy"))
        for rows in images.by_item():
            item, frames = int(images.item[rows[0]]), images.frame[rows]
            path = motion[motion["item"] == item]
            path = path[np.argsort(path["frame"])]
            drift = np.stack([path["drift_y_angstrom"], path["drift_x_angstrom"]], axis=-1)[frames]
            key = jax.random.fold_in(jax.random.key(CRYSTAL), item)
            clean = _frames(key, drift, self.lattice, described["pixels"], described["sampling_angstrom"])
            yield clean, _record(clean, item, frames, self.noise)


@partial(jax.jit, static_argnames=("lattice", "pixels", "sampling"))
def _frames(key: jax.Array, drift: jax.Array, lattice: Lattice, pixels: int, sampling: float) -> jax.Array:
    return lattice.frames(key, drift, pixels, sampling)


@partial(jax.jit, static_argnames="noise")
def _record(clean: jax.Array, item: int, frames: jax.Array, noise: Dose) -> jax.Array:
    """Frames [T, H, W, 1] with noise that depends on the movie and the frame alone."""
    movie = jax.random.fold_in(jax.random.key(RECORDING_NOISE), item)
    return jax.vmap(lambda image, frame: noise.sample(jax.random.fold_in(movie, frame), image))(clean, frames)


KINDS = (
    Kind(
        "lattice",
        LatticeImaging(),
        Frames(session=("lattice",)),
        MovieCrops(),
        "part of the brightest column",
        "Movies of a distorted crystal lattice of no real material, with known drift: the crystal is a function of the "
        "movie's number, so what is stored is the drift of every frame.",
        "lattice",
        "lattice",
    ),
)
