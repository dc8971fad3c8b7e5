"""Adaptive Wiener filter: trust a pixel as far as its neighbourhood varies more than noise does.

``denoised = m + max(v - noise, 0) / v (noisy - m)`` with m and v the mean and variance in a square window about the
pixel, and the noise power the mean of v over the image.

References
----------
Lim, "Two-Dimensional Signal and Image Processing", Prentice Hall, 1990, p. 548.
"""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.denoisers.gaussian import convolve_symmetric


@dataclass(frozen=True)
class Wiener:
    """Adaptive Wiener filter of every frame and channel; scales with the image, so its unit does not matter.

    Parameters
    ----------
    radius : int
        Half width of the window [px], which holds ``(2 radius + 1)^2`` pixels. The default is the one of Mohan et al.

    Notes
    -----
    As `scipy.signal.wiener`, but the image continues by reflection about its edge instead of zeros, which darken the
    borders and raise the estimate of the noise.
    """

    radius: int = 13

    name: ClassVar[str] = "wiener"
    tunable: ClassVar[dict[str, tuple]] = {"radius": (1, 2, 3, 4, 6, 9, 13, 19, 27, 38)}

    def denoise(self, variables: dict, noisy: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """Filter `noisy` [..., H, W, C] along H and W."""
        window = np.full(self.radius + 1, 1 / (2 * self.radius + 1))
        offset = jnp.mean(noisy, axis=(-3, -2), keepdims=True)  # keeps the difference of squares below accurate
        image = noisy - offset
        mean = convolve_symmetric(image, window)
        variance = jnp.maximum(convolve_symmetric(image**2, window) - mean**2, jnp.finfo(image.dtype).tiny)
        noise = jnp.mean(variance, axis=(-3, -2), keepdims=True)
        trust = jnp.maximum(variance - noise, 0) / variance
        return offset + mean + trust * (image - mean)
