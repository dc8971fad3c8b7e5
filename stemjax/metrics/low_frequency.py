"""What of an image is left at low frequencies: its plane, its Gaussian low-pass, and whether dark and bright are right.

The low-pass is that of Noise2Atom: a Gaussian of variance 15 px² on 33 x 33 pixels (Wang et al. 2020).
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

VARIANCE, REACH = 15.0, 16  # px², px
BLOCK, REFITS, TRIM = 8, 12, 2.5  # px; of the background's plane, and from how many deviations on a block is none of it


def low_pass(images: jax.Array) -> jax.Array:
    """Images [B, H, W, C] after a Gaussian filter of variance 15 px², 33 x 33 pixels that add up to 1, zeros around."""
    taps = np.exp(-(np.arange(-REACH, REACH + 1) ** 2) / (2 * VARIANCE))
    # as matrices: convolutions of so few channels and so many taps are slow
    rows, columns = (sum(np.eye(n, k=k - REACH) * tap for k, tap in enumerate(taps)) for n in images.shape[1:3])
    rows, columns = (jnp.asarray(matrix / taps.sum(), images.dtype) for matrix in (rows, columns))
    return jnp.einsum("hi,bijc,wj->bhwc", rows, images, columns, precision=jax.lax.Precision.HIGHEST)


def contrast(noisy: jax.Array, denoised: jax.Array) -> jax.Array:
    """Correlation of the low-passed images [B]: near 1 as it should be, below 0 where dark and bright are exchanged."""
    one, other = (low_pass(x - x.mean((1, 2, 3), keepdims=True)) for x in (noisy, denoised))
    one, other = (x - x.mean((1, 2, 3), keepdims=True) for x in (one, other))
    power = (one**2).mean((1, 2, 3)) * (other**2).mean((1, 2, 3))
    return (one * other).mean((1, 2, 3)) / jnp.sqrt(jnp.maximum(power, 1e-36))


def background_plane(images: jax.Array) -> jax.Array:
    """The plane of the background of each channel of images [B, H, W, C], less its mean: the same shape.

    Atoms and clusters are no background: the plane is fitted to means of blocks of 8 x 8 pixels, again and again
    without those that lie more than 2.5 median absolute deviations from it. More than half of the image has to be
    background.
    """
    plane, _ = _fitted(images)
    return plane - plane.mean((1, 2), keepdims=True)


def relative_slope(images: jax.Array) -> jax.Array:
    """From the lowest to the highest corner of the background's plane, in parts of its mean: [B, C] of [B, H, W, C].

    Noise of standard deviation s adds about 5 s / (side x mean).
    """
    plane, level = _fitted(images)
    return (plane.max((1, 2)) - plane.min((1, 2))) / jnp.maximum(jnp.abs(level), 1e-12)


def _fitted(images: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Plane [B, H, W, C] of the background, and its mean [B, C]."""
    height, width = images.shape[1:3]
    block = max(min(BLOCK, height // 4, width // 4), 1)
    rows, columns = height // block, width // block
    cut = images[:, : rows * block, : columns * block]
    means = cut.reshape(-1, rows, block, columns, block, images.shape[3]).mean((2, 4))
    means = means.reshape(-1, rows * columns, images.shape[3])
    places = _places(block * (jnp.arange(rows) + 0.5) - 0.5, block * (jnp.arange(columns) + 0.5) - 0.5, height, width)

    def refit(_, weights):
        residual = means - jnp.einsum("np,bpc->bnc", places, _solved(places, means, weights))
        apart = jnp.abs(residual - jnp.median(residual, axis=1, keepdims=True))
        return (apart <= TRIM * jnp.median(apart, axis=1, keepdims=True)).astype(means.dtype)

    weights = lax.fori_loop(0, REFITS, refit, jnp.ones_like(means))
    coefficients = _solved(places, means, weights)
    everywhere = _places(jnp.arange(height), jnp.arange(width), height, width).astype(images.dtype)
    plane = jnp.einsum("np,bpc->bnc", everywhere, coefficients).reshape(-1, height, width, images.shape[3])
    return plane, coefficients[:, 0]


def _places(rows: jax.Array, columns: jax.Array, height: int, width: int) -> jax.Array:
    """1, row and column of every place [N, 3], in parts of the image and from its middle."""
    rows, columns = (rows - (height - 1) / 2) / height, (columns - (width - 1) / 2) / width
    rows, columns = (x.ravel() for x in jnp.meshgrid(rows, columns, indexing="ij"))
    return jnp.stack([jnp.ones_like(rows), rows, columns], -1)


def _solved(places: jax.Array, means: jax.Array, weights: jax.Array) -> jax.Array:
    """Weighted least squares: [B, 3, C]."""
    normal = jnp.einsum("np,bnc,nq->bcpq", places, weights, places) + 1e-9 * jnp.eye(3)
    right = jnp.einsum("np,bnc->bcp", places, weights * means)
    return jnp.linalg.solve(normal, right[..., None])[..., 0].swapaxes(1, 2)


def remove_background(images: jax.Array) -> jax.Array:
    """Images [B, H, W, C] without their plane, at the mean that they have."""
    return images - background_plane(images)
