"""PURE-LET: Haar wavelets, shrunk by the weights that an unbiased estimate of the squared error finds best.

    denoised F = F_0 + sum_k a_k F_k      F_0 the coarsest sums; F_k one shrinkage function of one wavelet band
    a = argmin PURE(a) = argmin 1/N ( |F|^2 - 2 sum_n y_n F_n(y - e_n) + sum_n (y_n^2 - y_n) )

For Poisson counts y of rate x is ``E[x_n F_n(y)] = E[y_n F_n(y - e_n)]``, e_n one count in pixel n, so PURE has the
mean of the squared error ``|F - x|^2 / N`` for fixed weights, without x. A Haar coefficient d = y_1 - y_2 of two sums
of counts, s = y_1 + y_2, becomes d - 1 or d + 1 and s becomes s - 1 where a count is missing from y_1 or y_2. Hence the
second term is exact for shrinkage functions of d and s, and costs no more than the first.

References
----------
Luisier, Vonesch, Blu, Unser, "Fast interscale wavelet denoising of Poisson-corrupted images", Signal Processing 90,
2010: the risk estimate, unnormalised Haar wavelets, functions of d and of the interscale predictor.
Luisier, Blu, Unser, "Image denoising in mixed Poisson-Gaussian noise", IEEE Transactions on Image Processing 20, 2011:
undecimated wavelets with all weights from one linear system.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

# Signs of the lower and the right half of a square in the three wavelet bands of a level.
DOWN, RIGHT = (1, -1, -1), (-1, 1, -1)
RIDGE = 1e-6  # of the normalised system, whose functions may nearly depend on each other


class Expansion(NamedTuple):
    """The linear expansion of one noisy plane, and the unbiased estimates that its risk is made of.

    Parameters
    ----------
    coarse : float [H, W]
        F_0 [counts].
    images : float [K, H, W]
        F_k [counts].
    coarse_pull, pull : float [], [K]
        Unbiased estimates of the inner products of F_0 and F_k with the clean image.
    energy : float []
        Unbiased estimate of the clean image's sum of squares.
    """

    coarse: jax.Array
    images: jax.Array
    coarse_pull: jax.Array
    pull: jax.Array
    energy: jax.Array


@dataclass(frozen=True)
class PureLet:
    """PURE-LET of every frame and channel by itself. It needs raw counts: on other units its risk is wrong.

    Parameters
    ----------
    levels : int
        Wavelet levels, the coarsest of 2^levels px; fewer where the image is smaller than 1.5 times that.
    interscale : bool
        Also shrinkage functions of the predictor, the slope between the neighbouring sums on either side.

    Notes
    -----
    Departures: the wavelets are undecimated, the average over all shifts of the decimated transform (complete cycle
    spinning), with the exact risk of that average instead of the 2011 paper's Taylor expansion. The sums stay inside
    the image; near its edge the average is over fewer shifts, so nothing wraps or is mirrored. Mohan et al. denoise
    overlapping patches of 128 px; here the whole image shares its weights, as at low doses a patch has too few coarse
    coefficients to choose so many. After the choice PURE is too low by what the weights have fitted to the noise.
    """

    levels: int = 6
    interscale: bool = True

    name: ClassVar[str] = "pure-let"
    tunable: ClassVar[dict[str, tuple]] = {"levels": (2, 3, 4, 5, 6, 7)}

    def denoise(self, variables: dict, noisy: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """Denoise `noisy` [..., H, W, C] in counts."""
        planes = jnp.moveaxis(noisy, -1, -3)
        denoised = lax.map(self._denoise_plane, planes.reshape(-1, *planes.shape[-2:]))
        return jnp.moveaxis(denoised.reshape(planes.shape), -3, -1)

    def _denoise_plane(self, noisy: jax.Array) -> jax.Array:
        expansion = expand(noisy, self.levels, self.interscale)
        return combine(expansion, best_weights(expansion))


def expand(noisy: jax.Array, levels: int, interscale: bool = True) -> Expansion:
    """The expansion of `noisy` [H, W] in counts: K = 3 bands x levels x 2 functions, 4 with the interscale predictor.

    Raises
    ------
    ValueError
        If the image has a side of one pixel.
    """
    levels = min(levels, _most_levels(min(noisy.shape)))
    if levels < 1:
        raise ValueError(f"PURE-LET needs images of 2 px a side or more, not {noisy.shape}")
    shrunk, pull = [], []  # by level, the coarsest first
    sums = weighted = noisy  # the counts of a square; the same, each weighted as the synthesis weights the square in it
    for level in range(levels):
        sums, details = _split(sums, level)
        weighted, weighted_details = _split(_share(weighted, level), level)
        predictors = _slopes(sums, level) if interscale else None
        shrunk.insert(0, _functions(details, sums, predictors))
        # A count is missing from the first half of the square, or from the second.
        without_first = _functions(details - 1, sums - 1, predictors) * ((weighted + weighted_details) / 2)[:, None]
        without_second = _functions(details + 1, sums - 1, predictors) * ((weighted - weighted_details) / 2)[:, None]
        pull.insert(0, jnp.sum(without_first - without_second, axis=(-2, -1)).ravel())
    images = sums[None]
    for level, bands in zip(reversed(range(levels)), shrunk, strict=True):
        bands = _merge(bands, level, *(np.array(signs)[:, None, None, None] for signs in (DOWN, RIGHT)))
        images = jnp.concatenate([_merge(images, level), bands.reshape(-1, *bands.shape[-2:])])
    return Expansion(
        coarse=images[0],
        images=images[1:],
        coarse_pull=jnp.sum(weighted * (sums - 1)),
        pull=jnp.concatenate(pull),
        energy=jnp.sum(noisy * (noisy - 1)),
    )


def combine(expansion: Expansion, weights: jax.Array) -> jax.Array:
    """The denoised plane [H, W] for `weights` [K]."""
    return expansion.coarse + jnp.einsum("k,khw->hw", weights, expansion.images, precision=lax.Precision.HIGHEST)


def risk(expansion: Expansion, weights: jax.Array) -> jax.Array:
    """PURE: estimate of the mean squared error [counts²] of ``combine``, unbiased for weights that are given."""
    denoised = combine(expansion, weights)
    product = expansion.coarse_pull + jnp.dot(weights, expansion.pull, precision=lax.Precision.HIGHEST)
    return (jnp.sum(denoised**2) - 2 * product + expansion.energy) / denoised.size


def best_weights(expansion: Expansion) -> jax.Array:
    """The weights [K] of the least risk."""
    images = expansion.images.reshape(len(expansion.images), -1)
    product = lambda *operands: jnp.einsum(*operands, precision=lax.Precision.HIGHEST)
    gram = product("kn,ln->kl", images, images)
    slope = expansion.pull - product("kn,n->k", images, expansion.coarse.ravel())
    power = jnp.diag(gram)
    scale = jnp.where(power > 0, lax.rsqrt(jnp.maximum(power, jnp.finfo(power.dtype).tiny)), 0)
    normalised = gram * scale * scale[:, None] + RIDGE * jnp.eye(len(gram))
    return scale * jnp.linalg.solve(normalised, scale * slope)


def _functions(details: jax.Array, sums: jax.Array, predictors: jax.Array | None) -> jax.Array:
    """Shrinkage functions [3, 2 or 4, h, w] of each band: linear, and with a soft threshold at sqrt(6 s)."""
    # Without counts d is zero, and in the risk such a place has weight zero: 1 only avoids 0 / 0.
    variance = 12 * jnp.maximum(sums, 1)
    arguments = [details] if predictors is None else [details, predictors]
    return jnp.stack([f for x in arguments for f in (x, (1 - jnp.exp(-(x**2) / variance)) * x)], axis=1)


# ------------------------------------------------------------------------------------------------- Haar wavelets
def _split(sums: jax.Array, level: int) -> tuple[jax.Array, jax.Array]:
    """Sums [h, w] over the squares of the next level and its bands [3, h, w], from sums at places 2^level px apart."""
    step = 2**level
    rows = {sign: sums[:-step] + sign * sums[step:] for sign in (1, -1)}
    join = lambda down, right: rows[down][:, :-step] + right * rows[down][:, step:]
    return join(1, 1), jnp.stack([join(down, right) for down, right in zip(DOWN, RIGHT, strict=True)])


def _merge(bands: jax.Array, level: int, down: int | np.ndarray = 1, right: int | np.ndarray = 1) -> jax.Array:
    """The parts of finer sums [..., h + step, w + step] that are in bands [..., h, w]: the inverse of `_split`."""
    for axis, sign in ((-2, down), (-1, right)):
        bands = _pad(bands, 0, 2**level, axis) + sign * _pad(bands, 2**level, 0, axis)
    return _share(bands, level)


def _share(image: jax.Array, level: int) -> jax.Array:
    """Divide by two for the two halves, and by the squares (one, or two) that a pixel is in; along both axes."""
    for axis in (-2, -1):
        size, step = image.shape[axis], 2**level
        place = np.arange(size)
        squares = (place < size - step).astype(np.float32) + (place >= step)
        share = jnp.asarray(1 / (2 * squares), image.dtype)
        image = image * (share[:, None] if axis == -2 else share)
    return image


def _slopes(sums: jax.Array, level: int) -> jax.Array:
    """Predictors [3, h, w] of the bands: differences of the neighbouring squares before and after; zero without them.

    The neighbours have no pixel in common with the square, so they do not change with a count in it.
    """
    away = 2 ** (level + 1)

    def slope(image, axis):
        size = image.shape[axis]
        if size <= 2 * away:
            return jnp.zeros_like(image)
        before, after = (lax.slice_in_dim(image, start, start + size - 2 * away, axis=axis) for start in (0, 2 * away))
        return _pad(before - after, away, away, axis)

    down, right = slope(sums, 0), slope(sums, 1)
    return jnp.stack([right, down, slope(down, 1)])


def _pad(image: jax.Array, before: int, after: int, axis: int) -> jax.Array:
    widths = [(0, 0)] * image.ndim
    widths[axis] = (before, after)
    return jnp.pad(image, widths)


def _most_levels(size: int) -> int:
    """Levels at which every one of `size` pixels is in a square."""
    return int(np.floor(np.log2((size + 1) / 3))) + 1 if size > 1 else 0
