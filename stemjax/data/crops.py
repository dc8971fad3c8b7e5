"""Batches of crops of images that were recorded once, noise and all: frames, or clips of movies.

A batch is a pure function of (arrays, key, step), made on the device inside the jitted step: a run that is resumed at
step n sees the batches that it would have seen, and a batch is the same on one device and on many. Kinds of data whose
noise is drawn anew in every step have crops of their own, in `micrographs`, `photographs` and `atoms`.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

PER_MOVIE = ("offset", "scale", "low", "span")  # statistics that crops come with


def crop_keys(key: jax.Array, step: jax.Array, count: int) -> jax.Array:
    """Keys [count] of the crops of a step.

    Crops are numbered through the run: however many make a batch, they come in the same order.
    """
    return jax.vmap(jax.random.fold_in, (None, 0))(key, step * count + jnp.arange(count))


def with_statistics(noisy: jax.Array, movie: np.ndarray) -> dict:
    """Frames [M, H, W, C] with statistics of all frames of the same movie [M].

    ``offset``, ``scale``: mean and 4 standard deviations; ``low``, ``span``: minimum and maximum - minimum (or 1).
    """
    mean, variance = (np.asarray(function(noisy, axis=(1, 2)), np.float64) for function in (jnp.mean, jnp.var))
    least, most = (np.asarray(function(noisy, axis=(1, 2))) for function in (jnp.min, jnp.max))
    statistics = {name: np.empty_like(mean) for name in PER_MOVIE}
    for index in np.unique(movie):
        rows = movie == index
        statistics["offset"][rows] = mean[rows].mean(axis=0)
        statistics["scale"][rows] = 4 * np.sqrt(variance[rows].mean(axis=0) + mean[rows].var(axis=0))
        statistics["low"][rows] = low = least[rows].min(axis=0)
        statistics["span"][rows] = np.where(most[rows].max(axis=0) > low, most[rows].max(axis=0) - low, 1)
    return {"noisy": noisy} | {name: jnp.asarray(v[:, None, None, :], jnp.float32) for name, v in statistics.items()}


# ---------------------------------------------------------------------------------------------------- crops
@dataclass(frozen=True)
class MovieCrops:
    """A batch of square crops, each from a random frame and place, noise and all as recorded.

    Parameters
    ----------
    size : int
        Side of a crop [px].
    count : int
        Crops in a batch.
    flip : bool
        Mirror in both directions at random. Nothing is turned: scans have a fast and a slow direction.
    """

    size: int = 64
    count: int = 8
    flip: bool = False

    def batch(self, arrays: dict, key: jax.Array, step: jax.Array, band, imaging) -> dict:
        """The batch of one step; see `micrographs.Crops.batch`.

        Returns
        -------
        dict
            ``noisy`` float32 [count, size, size, C] in the unit of the movie; ``offset``, ``scale``, ``low``, ``span``
            [count, 1, 1, C] of its movie (see `with_statistics`); where the frames have them, ``clean`` as ``noisy``
            (`haadf_pt.HaadfImaging`) and ``targets`` [count, size, size, 1] (`recordings.RecordedImaging`).

        Raises
        ------
        ValueError
            If the frames are smaller than a crop.
        """
        height, width = arrays["noisy"].shape[1:3]
        if self.size > min(height, width):
            raise ValueError(f"crops of {self.size} px are larger than the frames of {height} x {width}: choose less")
        return jax.vmap(lambda k: self._crop(arrays, k))(crop_keys(key, step, self.count))

    def _crop(self, arrays: dict, key: jax.Array) -> dict:
        choice, place, mirror = jax.random.split(key, 3)
        frames, height, width, _ = arrays["noisy"].shape
        row = jax.random.randint(choice, (), 0, frames)
        top, left = jax.random.randint(place, (2,), 0, jnp.array([height, width]) - self.size + 1)
        turned = self.flip & jax.random.bernoulli(mirror, 0.5, (2,))

        def cut(images: jax.Array) -> jax.Array:
            crop = jax.lax.dynamic_slice(images, (row, top, left, 0), (1, self.size, self.size, images.shape[-1]))[0]
            crop = jnp.where(turned[0], crop[::-1], crop)
            return jnp.where(turned[1], crop[:, ::-1], crop)

        images = {name: cut(arrays[name]) for name in ("noisy", "clean", "targets") if name in arrays}
        return images | {name: arrays[name][row] for name in PER_MOVIE if name in arrays}


@dataclass(frozen=True)
class ClipCrops:
    """A batch of clips, each a random piece of a random movie in space and in time, noise and all as recorded.

    Parameters
    ----------
    size : int
        Side of a clip [px]; 0 is the whole frame.
    frames : int
        Of a clip; 0 is all of them.
    count : int
        Clips in a batch.
    flip : bool
        Mirror in both directions at random.
    """

    size: int = 128
    frames: int = 0
    count: int = 1
    flip: bool = False

    def batch(self, arrays: dict, key: jax.Array, step: jax.Array, band, imaging) -> dict:
        """The batch of one step; see `micrographs.Crops.batch`.

        Returns
        -------
        dict
            ``noisy`` float32 [count, frames, size, size, 1].

        Raises
        ------
        ValueError
            If the movies are smaller or shorter than a clip.
        """
        _, frames, height, width, _ = arrays["noisy"].shape
        if self.size > min(height, width):
            raise ValueError(f"crops of {self.size} px are larger than the frames of {height} x {width}: choose less")
        if self.frames > frames:
            raise ValueError(f"clips of {self.frames} frames are longer than the movies of {frames}: choose fewer")
        return {"noisy": jax.vmap(lambda k: self._clip(arrays["noisy"], k))(crop_keys(key, step, self.count))}

    def _clip(self, movies: jax.Array, key: jax.Array) -> jax.Array:
        choice, place, mirror = jax.random.split(key, 3)
        count, frames, height, width, channels = movies.shape
        shape = (self.frames or frames, self.size or height, self.size or width)
        row = jax.random.randint(choice, (), 0, count)
        start = jax.random.randint(place, (3,), 0, jnp.array([frames, height, width]) - jnp.array(shape) + 1)
        clip = jax.lax.dynamic_slice(movies, (row, *start, 0), (1, *shape, channels))[0]
        turned = self.flip & jax.random.bernoulli(mirror, 0.5, (2,))
        clip = jnp.where(turned[0], clip[:, ::-1], clip)
        return jnp.where(turned[1], clip[:, :, ::-1], clip)


@dataclass(frozen=True)
class FrameCrops:
    """A batch of crops of single frames, for methods that know nothing of movies.

    Parameters
    ----------
    size, count, flip
        As of `ClipCrops`.
    """

    size: int = 64
    count: int = 8
    flip: bool = False

    def batch(self, arrays: dict, key: jax.Array, step: jax.Array, band, imaging) -> dict:
        """The batch of one step: ``noisy`` float32 [count, size, size, 1]; see `ClipCrops.batch`."""
        clips = ClipCrops(self.size, 1, self.count, self.flip).batch(arrays, key, step, band, imaging)
        return {"noisy": clips["noisy"][:, 0]}
