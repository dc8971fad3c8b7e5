"""Low-pass filter: a radial cut-off of the spatial frequencies.

``DCT(denoised) = DCT(noisy) / (1 + (f / cutoff)^(2 order))`` (Butterworth), or ``f <= cutoff`` alone (hard), where f is
the radial frequency in cycles per pixel, 0.5 at the Nyquist limit.
"""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.fft import dctn, idctn


@dataclass(frozen=True)
class LowPass:
    """Low-pass filter of every frame and channel; linear, so the unit of the image does not matter.

    Parameters
    ----------
    cutoff : float
        Radial frequency [cycles per pixel] at which a Butterworth filter halves the amplitude and a hard one stops.
    order : float or None
        Steepness of the Butterworth filter; None cuts hard, which rings.

    Notes
    -----
    The cosine transform is the Fourier transform of the image continued by its mirror image at every edge, so that
    nothing wraps from one side of the image to the other. The cut-off of Mohan et al. was set by an expert and is not
    printed: the default, details below 10 px, is ours, as is the order, scikit-image's.
    """

    cutoff: float = 0.1
    order: float | None = 2.0

    name: ClassVar[str] = "low-pass"
    tunable: ClassVar[dict[str, tuple]] = {
        "cutoff": (0.008, 0.011, 0.016, 0.022, 0.031, 0.044, 0.0625, 0.088, 0.125, 0.177, 0.25)
    }

    def denoise(self, variables: dict, noisy: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """Filter `noisy` [..., H, W, C] along H and W."""
        height, width = noisy.shape[-3:-1]
        frequency = np.hypot(np.arange(height)[:, None] / (2 * height), np.arange(width) / (2 * width))
        if self.order is None:
            response = frequency <= self.cutoff
        else:
            response = 1 / (1 + (frequency / self.cutoff) ** (2 * self.order))
        spectrum = dctn(noisy, axes=(-3, -2)) * jnp.asarray(response[..., None], noisy.dtype)
        return idctn(spectrum, axes=(-3, -2))


def fourier_disc(images: jax.Array, divisor: float, isotropic: bool = True) -> jax.Array:
    """Keep the Fourier coefficients of a disc of diameter 1 / divisor cycles per pixel: the low-pass that follows WCVD.

        F(result) = F(image) where |f| <= 1 / (2 divisor), else 0

    Parameters
    ----------
    images : [..., H, W, C]
        Filtered along H and W; continued periodically, as WCVD does.
    divisor : float
        3 in the code of Lee et al., where it is the side of the smallest kernel; 7, the largest, in their paper.
    isotropic : bool
        False is the authors' disc where H and W differ: H / divisor coefficients across in both directions, which along
        W is another frequency. For square images both are the same.

    Notes
    -----
    The authors transform whole complex images. Here only the columns of the half spectrum that the disc reaches are
    transformed along H, there and back.
    """
    height, width = images.shape[-3:-1]
    radius = height / divisor / 2
    rows, columns = np.rint(height * np.fft.fftfreq(height)), np.arange(width // 2 + 1)
    kept = np.hypot(rows[:, None], columns * (height / width if isotropic else 1.0)) <= radius
    reached = int(kept.any(0).sum())
    half = jnp.fft.fft(jnp.fft.rfft(images, axis=-2)[..., :reached, :], axis=-3)
    half = jnp.fft.ifft(half * kept[:, :reached, None], axis=-3)
    return jnp.fft.irfft(half, width, axis=-2).astype(images.dtype)
