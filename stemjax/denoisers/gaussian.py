"""Gaussian filter: the convolution with a normalised Gaussian of standard deviation sigma.

``denoised = g * noisy``, ``g(x, y) ~ exp(-(x^2 + y^2) / (2 sigma^2))``, one axis after the other.
"""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


@dataclass(frozen=True)
class Gaussian:
    """Gaussian filter of every frame and channel; linear, so the unit of the image does not matter.

    Parameters
    ----------
    sigma : float
        Standard deviation [px]. The default is scikit-image's; at 0.45 counts per pixel the best one is about 8 px.

    Notes
    -----
    The kernel ends at 4 sigma and the image continues by reflection about its edge (`scipy.ndimage`'s defaults).
    """

    sigma: float = 1.0

    name: ClassVar[str] = "gaussian"
    tunable: ClassVar[dict[str, tuple]] = {"sigma": (1.0, 1.5, 2.0, 2.8, 4.0, 5.6, 8.0, 11.0, 16.0, 22.0)}

    def __post_init__(self):
        if not self.sigma >= 0:
            raise ValueError(f"sigma is {self.sigma}: a standard deviation in pixels is not below 0")

    def denoise(self, variables: dict, noisy: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """Filter `noisy` [..., H, W, C] along H and W."""
        return convolve_symmetric(noisy, gaussian_weights(self.sigma))


def gaussian_weights(sigma: float, window: int = 0) -> np.ndarray:
    """Half of the normalised kernel [radius + 1], its middle first; for a `sigma` of 0 the middle alone.

    It has `window` taps where that is given, an odd number, and otherwise ends at 4 sigma.
    """
    distance = np.arange((window // 2 if window and sigma else int(4.0 * sigma + 0.5)) + 1)
    weights = np.exp(-0.5 * (distance / (sigma or 1.0)) ** 2)
    return weights / (2 * weights.sum() - weights[0])


def convolve_symmetric(image: jax.Array, weights: np.ndarray) -> jax.Array:
    """Convolve `image` [..., H, W, C] along H and W with the symmetric kernel of half `weights` [radius + 1].

    A product with one banded matrix for each axis. For the wide kernels that low doses ask for this is far faster than
    a sum of shifted images, on CPU and GPU, up to a few thousand pixels a side; its cost does not depend on the width.
    """
    height, width = image.shape[-3:-1]
    down, right = (jnp.asarray(band_matrix(size, weights), image.dtype) for size in (height, width))
    # The default precision of a matrix product on a GPU has 10 bits.
    image = jnp.einsum("ij,...jwc->...iwc", down, image, precision=lax.Precision.HIGHEST)
    return jnp.einsum("ij,...hjc->...hic", right, image, precision=lax.Precision.HIGHEST)


def band_matrix(size: int, weights: np.ndarray, continued: str = "symmetric") -> np.ndarray:
    """The convolution of a line of `size` pixels as a matrix [size, size].

    The line is `continued` as `numpy.pad` names it: "symmetric" about its edges, "reflect" about its last pixels.
    """
    radius = len(weights) - 1
    pixels = np.arange(size)
    source = np.pad(pixels, radius, mode=continued)
    matrix = np.zeros((size, size))
    for shift in range(-radius, radius + 1):
        matrix[pixels, source[radius + shift : radius + shift + size]] += weights[abs(shift)]
    return matrix
