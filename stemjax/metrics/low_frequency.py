"""What of an image is left at low frequencies: its plane, its Gaussian low-pass, and whether dark and bright are right.

The low-pass is that of Noise2Atom: a Gaussian of variance 15 px² on 33 x 33 pixels (Wang et al. 2020).
"""

import jax
import jax.numpy as jnp
import numpy as np

VARIANCE, REACH = 15.0, 16  # px², px


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
    """The plane that fits each channel of images [B, H, W, C] best, by least squares, less its mean: the same shape."""
    rows, columns = (jnp.arange(n) - (n - 1) / 2 for n in images.shape[1:3])
    centred = images - images.mean((1, 2), keepdims=True)
    # rows and columns, measured from the middle, are orthogonal: each slope is a quotient of its own
    down = jnp.einsum("bhwc,h->bc", centred, rows) / (images.shape[2] * (rows**2).sum())
    across = jnp.einsum("bhwc,w->bc", centred, columns) / (images.shape[1] * (columns**2).sum())
    return down[:, None, None] * rows[:, None, None] + across[:, None, None] * columns[:, None]


def relative_slope(images: jax.Array) -> jax.Array:
    """From the lowest to the highest corner of the plane, in parts of the mean: [B, C] of images [B, H, W, C].

    Noise of standard deviation s adds about 5 s / (side x mean).
    """
    plane = background_plane(images)
    return (plane.max((1, 2)) - plane.min((1, 2))) / jnp.abs(images.mean((1, 2)))


def remove_background(images: jax.Array) -> jax.Array:
    """Images [B, H, W, C] without their plane, at the mean that they have."""
    return images - background_plane(images)
