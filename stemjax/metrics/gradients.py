"""What a denoiser looks at: rows of its Jacobian, and the effective field of view that they imply.

The row of output pixel p is A_p(y) = d f_p / d y, an image: how the denoised pixel changes with every noisy one. For a
bias-free network in evaluation f is homogeneous, so by Euler's theorem the row is more than a local slope,

    f_p(y) = sum_q A_pq(y) y_q      exactly:

the denoised pixel is a weighted sum of the noisy ones, with weights that the network chose for this image. With biases
there is a remainder, the `intercept`. A denoiser that subtracts the image's mean and adds it again keeps the property,
for the mean is homogeneous too; with the mean held fixed it reads f_p(y) - m = sum_q A_pq (y_q - m).

References
----------
Mohan, Kadkhodaie, Simoncelli, Fernandez-Granda, "Robust and interpretable blind image denoising via bias-free
convolutional neural networks", ICLR 2020.
Mohan et al., arXiv:2010.12970, Figure 3.2.
"""

from collections.abc import Callable, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np


def jacobian_rows(
    denoise: Callable[[dict, jax.Array], jax.Array], variables: dict, noisy: np.ndarray, pixels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the Jacobian d denoised[p] / d noisy, by reverse differentiation.

    Parameters
    ----------
    denoise : callable
        The method of a denoiser, (variables, [1, H, W, 1]) -> [1, H, W, 1].
    variables : dict
        After the denoiser's `prepare` the image's mean is held fixed, and the rows are those of the network alone.
    noisy : float32 [H, W]
        In counts.
    pixels : int [N, 2]
        Row and column of each output pixel.

    Returns
    -------
    denoised : float32 [H, W]
        In counts.
    rows : float32 [N, H, W]
        Dimensionless: counts per count.
    """
    denoised, rows = _jacobian_rows(denoise, variables, jnp.asarray(noisy, jnp.float32), jnp.asarray(pixels))
    return np.asarray(denoised), np.asarray(rows)


@partial(jax.jit, static_argnums=0)
def _jacobian_rows(denoise: Callable, variables: dict, noisy: jax.Array, pixels: jax.Array):
    denoised, pull_back = jax.vjp(lambda image: denoise(variables, image[None, :, :, None])[0, :, :, 0], noisy)
    rows = [pull_back(jnp.zeros_like(denoised).at[row, column].set(1.0))[0] for row, column in pixels]
    return denoised, jnp.stack(rows)


def effective_field_of_view(
    row: np.ndarray, pixel: Sequence[int], shares: Sequence[float] = (0.5, 0.9, 0.99)
) -> tuple[int, ...]:
    """Side [px] of the smallest square about the output pixel that holds each share of the squared gradient.

    Parameters
    ----------
    row : float [H, W]
        A row of the Jacobian.
    pixel : sequence of int
        Its output pixel, row and column.
    shares : sequence of float
        Above 0, at most 1.

    Returns
    -------
    tuple of int
        Odd numbers, 2 reach + 1 as for a field of view; where the image ends within the reach, what lies beyond counts
        as zero.

    Examples
    --------
    >>> effective_field_of_view(np.eye(9), (4, 4), shares=(0.3, 1.0))
    (3, 9)
    """
    energy = np.bincount(_reach(row.shape, pixel).ravel(), np.square(row, dtype=np.float64).ravel())
    total = np.cumsum(energy)
    if not total[-1] > 0:
        raise ValueError(f"the gradient of pixel {tuple(map(int, pixel))} is zero everywhere: it has no field of view")
    return tuple(2 * int(np.searchsorted(total, share * total[-1] * (1 - 1e-12))) + 1 for share in shares)


def support(row: np.ndarray, pixel: Sequence[int]) -> int:
    """Side [px] of the smallest square about the output pixel beyond which the gradient is exactly zero.

    It is at most the field of view by the layers: ReLU and max-pooling let only some paths through.
    """
    return 2 * int(_reach(row.shape, pixel)[np.asarray(row) != 0].max(initial=0)) + 1


def intercept(output: float, row: np.ndarray, image: np.ndarray) -> float:
    """What the linear reading leaves over, f_p(y) - sum_q A_pq y_q, in the unit of the image; 0 without biases.

    Parameters
    ----------
    output : float
        f_p(y).
    row, image : float [H, W]
        A_p and y, both less the mean where that was held fixed.
    """
    return float(output - np.sum(row.astype(np.float64) * image))


def _reach(shape: tuple[int, int], pixel: Sequence[int]) -> np.ndarray:
    """Distance of every pixel from one of them, the larger of rows and columns, int [H, W]."""
    rows, columns = (np.abs(np.arange(size) - place) for size, place in zip(shape, pixel, strict=True))
    return np.maximum(rows[:, None], columns)
