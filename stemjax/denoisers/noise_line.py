"""The noise of a movie from the movie itself: a line through the variances in small blocks over their means.

    y = gain P + offset + sigma n,  P Poisson, n standard normal:      variance = gain (mean - offset) + sigma²

A block has the mean of three neighbouring frames, and the variance of their second difference,
(y_{t-1} - 2 y_t + y_{t+1})² / 6, which steady motion hardly changes. Blocks where something flickers lie far above the
line, and the farther, the less they count.

References
----------
Boulanger et al., "Patch-based nonlocal functional for denoising fluorescence microscopy image sequences", IEEE
Transactions on Medical Imaging 29, 2010: robust regression of local variances on local means.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

BLOCK = 4  # px: smaller than a column of atoms, whose middle and edge are to differ
ROUNDS = 20  # of reweighting
FAR, OUT = 2.0, 5.0  # robust standard deviations beyond which a block counts less, or in the later rounds not at all


class NoiseLine(NamedTuple):
    """The noise of a camera: `gain` [unit of the movie per count], `offset` and `sigma` [unit of the movie]."""

    gain: jax.Array | float
    offset: jax.Array | float
    sigma: jax.Array | float

    def variance(self, value: jax.Array) -> jax.Array:
        """Of the noise of pixels of these means; of noisy pixels its mean is right, though it may be below 0."""
        return self.gain * (value - self.offset) + self.sigma**2


def estimate_noise(movie: jax.Array) -> NoiseLine:
    """The noise of `movie` [T, H, W], T at least 2.

    A line tells gain and ``sigma² - gain offset`` alone. This is taken for the square of sigma where it is above zero,
    and for an offset where it is below.
    """
    slope, level = _robust_line(*_blocks(movie))
    rises = slope > 0
    offset = jnp.where(rises & (level < 0), -level / jnp.where(rises, slope, 1), 0)
    return NoiseLine(jnp.maximum(slope, 0), offset, jnp.sqrt(jnp.maximum(level, 0)))


def _blocks(movie: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Means and variances of the noise in blocks of one time, [N]."""
    if len(movie) > 2:
        mean = (movie[:-2] + movie[1:-1] + movie[2:]) / 3
        noise = (movie[:-2] - 2 * movie[1:-1] + movie[2:]) ** 2 / 6
    else:
        mean, noise = (movie[:-1] + movie[1:]) / 2, (movie[1:] - movie[:-1]) ** 2 / 2
    count, *sides = mean.shape
    (rows, high), (columns, wide) = ((size // min(BLOCK, size), min(BLOCK, size)) for size in sides)
    whole = jnp.stack([mean, noise])[:, :, : rows * high, : columns * wide]
    return tuple(whole.reshape(2, count, rows, high, columns, wide).mean(axis=(3, 5)).reshape(2, -1))


def _robust_line(x: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Slope and intercept of a line through points [N], each weighted by how near it lies, from a level line on.

    Where the line does not rise, it is level.
    """
    tiny = jnp.finfo(jnp.float32).tiny
    middle = jnp.median(y)
    least = 0.1 * middle + tiny

    def again(number, line):
        slope, level = line
        # Variances scatter in proportion to themselves.
        distance = jnp.abs(y - slope * x - level) / jnp.maximum(slope * x + level, least)
        spread = 1.4826 * jnp.median(distance)
        weights = jnp.minimum(1, FAR * spread / jnp.maximum(distance, tiny)) ** 2
        weights = jnp.where((number > ROUNDS // 2) & (distance > OUT * spread), 0, weights) + tiny
        total = jnp.sum(weights)
        mx, my = jnp.sum(weights * x) / total, jnp.sum(weights * y) / total
        slope = jnp.sum(weights * (x - mx) * (y - my)) / jnp.maximum(jnp.sum(weights * (x - mx) ** 2), tiny)
        slope = jnp.maximum(slope, 0)
        return slope, my - slope * mx

    return jax.lax.fori_loop(0, ROUNDS, again, (jnp.zeros(()), middle))
