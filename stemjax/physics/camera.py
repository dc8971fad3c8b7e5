"""Recordings of any camera or detector: noise of all doses, units and faults, to train one network for all of them."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from stemjax.physics.noise import sample_counts


@dataclass(frozen=True)
class Camera:
    """A camera of its own for every image: ``noisy = gain (Poisson(counts clean) + read n) + offset``, and faults.

    Parameters
    ----------
    counts : tuple of float
        Range of the mean counts per pixel, log-uniform.
    gain : tuple of float
        Range of the units per count, log-uniform; half of the cameras count, with a gain of 1 and no offset.
    offset : float
        Largest offset, in counts.
    read : float
        Largest standard deviation of the read-out, in those of the mean counts' own noise; half have none.
    scanned, jitter : float, tuple of float
        Part of the images whose lines are displaced, as by a scanning beam, and the range of the standard deviation of
        that [px], log-uniform.
    faulty, faults : float, tuple of float
        Part of the images with hot and dead pixels, and the range of how many there are, in parts of all, log-uniform.
        A dead one counts nothing, half of the faults; a hot one has 2 to 200 times the mean counts more than its own.
    """

    counts: tuple[float, float] = (0.05, 2000.0)
    gain: tuple[float, float] = (0.01, 1000.0)
    offset: float = 100.0
    read: float = 1.0
    scanned: float = 0.15
    jitter: tuple[float, float] = (0.05, 0.5)
    faulty: float = 0.2
    faults: tuple[float, float] = (1e-4, 2e-3)

    def record(self, key: Array, clean: Array) -> tuple[Array, Array]:
        """An image as such a camera gives it, and what it would be without noise, scan noise and faults.

        Parameters
        ----------
        clean : float32 [H, W, 1]
            Relative intensity of mean 1.

        Returns
        -------
        noisy, target : float32 [H, W, 1]
            In units of the camera: the target is ``gain counts clean + offset``.
        """
        numbers, counts_key, read_key, lines_key, place_key, kind_key = jax.random.split(key, 6)
        u = jax.random.uniform(numbers, (9,))
        counts = _log_range(u[0], self.counts)
        counting = u[1] < 0.5
        gain = jnp.where(counting, 1.0, _log_range(u[2], self.gain))
        offset = jnp.where(counting, 0.0, self.offset * u[3])
        read = jnp.where(u[4] < 0.5, 0.0, self.read * (2 * u[4] - 1)) * jnp.sqrt(counts)
        shift = jnp.where(u[5] < self.scanned, _log_range(u[6], self.jitter), 0.0)
        seen = displace_lines(clean, shift * jax.random.normal(lines_key, clean.shape[:1]))
        noisy = sample_counts(counts_key, counts * seen) + read * jax.random.normal(read_key, clean.shape)
        faults = jnp.where(u[7] < self.faulty, _log_range(u[8], self.faults), 0.0)
        place, kind = jax.random.uniform(place_key, clean.shape), jax.random.uniform(kind_key, clean.shape)
        hot = noisy + counts * _log_range(2 * kind, (2.0, 200.0))
        noisy = jnp.where(place < faults, jnp.where(kind < 0.5, hot, 0.0), noisy)
        return gain * (noisy + offset), gain * (counts * clean + offset)


def _log_range(part: Array, ends: tuple[float, float]) -> Array:
    return ends[0] * jnp.exp(part * np.log(ends[1] / ends[0]))


def displace_lines(image: jax.Array, shift: jax.Array) -> jax.Array:
    """An image [H, W, C] whose lines start late by `shift` [H] px, so that they show what lies to the right of it.

    Linear between pixels; beyond the edge the last pixel repeats.
    """
    place = jnp.arange(image.shape[1]) + shift[:, None]
    first = jnp.floor(place).astype(jnp.int32)
    part = (place - first)[..., None]

    def pick(index):
        return jnp.take_along_axis(image, jnp.clip(index, 0, image.shape[1] - 1)[..., None], axis=1)

    return (1 - part) * pick(first) + part * pick(first + 1)
