"""Gaussian filter in space and time: the convolution with a normalised Gaussian that is longer or shorter in time.

``g(t, x, y) ~ exp(-(x^2 + y^2) / (2 sigma^2)) exp(-t^2 / (2 sigma_time^2))``, one axis after the other.
"""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jax import lax

from stemjax.denoisers.gaussian import band_matrix, convolve_symmetric, gaussian_weights


@dataclass(frozen=True)
class SpaceTimeGaussian:
    """Gaussian filter of movies, every channel by itself; linear, so the unit does not matter.

    Parameters
    ----------
    sigma : float
        Standard deviation in space [px]; 0 leaves space alone.
    sigma_time : float
        Standard deviation in time [frames]; 0 filters every frame by itself.
    window : int
        Taps along every axis that is filtered, an odd number; 0 for as many as reach 4 sigma either way.

    Notes
    -----
    Without a `window` the kernel ends at 4 sigma. Beyond its edge a frame goes on by reflection about the edge, as
    `scipy.ndimage` has it ("reflect"); beyond its ends a movie is reflected about its first and last frames ("mirror"),
    as often as it takes.
    """

    sigma: float = 1.0
    sigma_time: float = 1.0
    window: int = 0

    name: ClassVar[str] = "space-time-gaussian"
    tunable: ClassVar[dict[str, tuple]] = {
        "sigma_time": (0.0, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0, 11.0, 16.0),
        "sigma": (0.0, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0, 11.0, 16.0),
    }

    def __post_init__(self):
        if self.window and (self.window < 0 or self.window % 2 == 0):
            raise ValueError(f"a window of {self.window} taps has no middle: choose an odd number, or 0 for none")

    @property
    def frames(self) -> tuple[int, int]:
        """Frames that it looks at, before and after the one that it denoises."""
        return (len(gaussian_weights(self.sigma_time, self.window)) - 1,) * 2

    def denoise(self, variables: dict, noisy: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """Filter `noisy` [B, T, H, W, C] along T, H and W."""
        weights = gaussian_weights(self.sigma_time, self.window)
        along = band_matrix(noisy.shape[1], weights, "reflect")  # NumPy's name of "mirror"
        along = jnp.asarray(along, noisy.dtype)
        filtered = jnp.einsum("ij,bj...->bi...", along, noisy, precision=lax.Precision.HIGHEST)
        return convolve_symmetric(filtered, gaussian_weights(self.sigma, self.window))
