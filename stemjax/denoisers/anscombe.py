"""Anscombe transform: counts whose noise has about the same variance everywhere, and the exact way back.

    forward   f(y) = 2 sqrt(y + 3/8)
    inverse   f(y) denoised -> the rate m with  E[f(y) | m] = sum_k f(k) m^k e^-m / k!

A filter in the stabilised domain estimates the mean of f(y), which is not f of the mean: the algebraic inverse
D^2 / 4 - 3/8 of that mean D is too dark, by 0.11 counts at a rate of 0.45 and 0.25 at high rates. The inverse here is
the definition itself, the series tabulated and inverted by interpolation (not the closed form of Makitalo and Foi, off
by up to 0.02); above `LARGEST_RATE` it is ``D^2 / 4 - 1/8``, which is there within 2e-6 counts. The variance is near
one at rates above about 4 only: it is 0.4 at 0.45 counts, so a filter's noise level has to be tuned there.

References
----------
Anscombe, "The transformation of Poisson, binomial and negative-binomial data", Biometrika 35, 1948.
Makitalo, Foi, "Optimal inversion of the Anscombe transformation in low-count Poisson image denoising", IEEE
Transactions on Image Processing 20, 2011.
"""

from collections.abc import Callable
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import gammaln, xlogy

LARGEST_RATE = 100.0  # counts, end of the table
RATES = 1001  # in the table, equidistant in their square root: linear interpolation is within 1e-5 counts


def anscombe(counts: jax.Array) -> jax.Array:
    """The stabilised image; values below -3/8, which counts never have, are taken as -3/8."""
    return 2 * jnp.sqrt(jnp.maximum(counts + 3 / 8, 0))


def exact_unbiased_inverse(stabilised: jax.Array) -> jax.Array:
    """Rates [counts] of an image denoised in the stabilised domain; 0 below the value of no counts, 2 sqrt(3/8)."""
    expected, rate = _table()
    tabulated = jnp.interp(stabilised, jnp.asarray(expected, jnp.float32), jnp.asarray(rate, jnp.float32))
    return jnp.where(stabilised < expected[-1], tabulated, stabilised**2 / 4 - 1 / 8)


def noise_variance(rate: float) -> float:
    """Variance of f(y) at a rate up to `LARGEST_RATE` [counts], ``E[f^2] - E[f]^2``; one above it."""
    expected, rates = _table()
    return float(4 * (rate + 3 / 8) - np.interp(rate, rates, expected) ** 2) if rate < rates[-1] else 1.0


def denoise_stabilised(noisy: jax.Array, denoise_plane: Callable[[np.ndarray], np.ndarray]) -> jax.Array:
    """Filter `noisy` [..., H, W, C] in the stabilised domain, each frame and channel by itself.

    Parameters
    ----------
    noisy : float32 [..., H, W, C]
        Counts.
    denoise_plane : function
        NumPy float32 [H, W] -> [H, W] for noise of about unit variance. It runs on the host and must not call JAX.

    Notes
    -----
    Inside a compiled program the function is called back. On a machine with a single thread JAX may wait there for
    itself, for large images: `stemjax.apply.inference` calls a denoiser with `on_host` without compiling it.
    """

    def denoise_planes(planes) -> np.ndarray:
        planes = np.asarray(planes)
        flat = planes.reshape(-1, *planes.shape[-2:])
        return np.stack([denoise_plane(plane) for plane in flat]).astype(np.float32).reshape(planes.shape)

    planes = jnp.moveaxis(anscombe(noisy), -1, -3)
    if isinstance(planes, jax.core.Tracer):
        result = jax.ShapeDtypeStruct(planes.shape, jnp.float32)
        denoised = jax.pure_callback(denoise_planes, result, planes, vmap_method="sequential")
    else:
        denoised = jnp.asarray(denoise_planes(planes))
    return jnp.moveaxis(exact_unbiased_inverse(denoised), -3, -1)


@cache
def _table() -> tuple[np.ndarray, np.ndarray]:
    """E[f(y) | rate] and the rates, both float64 [RATES] and rising."""
    rate = np.linspace(0, np.sqrt(LARGEST_RATE), RATES)[:, None] ** 2
    count = np.arange(int(LARGEST_RATE + 20 * np.sqrt(LARGEST_RATE)))
    probability = np.exp(xlogy(count, rate) - rate - gammaln(count + 1))
    expected = np.sum(probability * 2 * np.sqrt(count + 3 / 8), axis=1)
    return expected, rate[:, 0]
