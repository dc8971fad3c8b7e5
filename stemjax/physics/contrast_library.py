"""Gold adatoms on graphene: clean STEM movies from a contrast library, in JAX.

A library holds one period of the graphene background, and what one Au atom adds to it (the contrast) at a few sites of
the primitive cell. A frame is their superposition, turned by R, drifted by d and blurred by the source size G:

    I(p) = G * background(R^-1 (p - d)) + sum_a sum_s w_s(a) G * contrast_s(R^-1 (p - p_a))

with positions p [Å] in the frame and the bilinear weights w_s between the sites around adatom a. Both images are band-
limited, so their Fourier series are evaluated at the pixels themselves: nothing is interpolated, and the only
approximation is that of the library. Exponentials of a plane wave factorise in y and x, which makes every sum over
Fourier coefficients a matrix product. Pixels of 0.46 Å sample below the Nyquist rate of a 32 mrad probe, as they do in
the microscope.

    library --view--> background and contrast under one rotation and blur (once per movie) --frame--> image

Images are [H, W, C] and vectors (y, x), rows pointing down. A rotation by +90 degrees takes the lattice's x axis to y.
The origin of the frame is the centre of pixel (0, 0), where without drift the lattice has its own.
"""

from dataclasses import dataclass, field
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

FWHM = 2 * np.sqrt(2 * np.log(2))  # full width at half maximum of a Gaussian of standard deviation 1
_product = partial(jnp.einsum, precision=jax.lax.Precision.HIGHEST)  # GPUs would round the factors to 10 bits


def _static():
    return field(metadata={"static": True})


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Library:
    """Images of the background and of one adatom, unblurred and unrotated, as fractions of the incident beam.

    Parameters
    ----------
    background : float32 [ny, nx, C]
        One orthogonal cell, periodic.
    contrast : float32 [S, n, n, C]
        Image with an adatom minus image without it, the adatom at pixel (n//2, n//2); zero beyond a circle of diameter
        `patch`.
    sites : float32 [S, 2]
        Where in the primitive cell each adatom lies, in thirds of its vectors; see `site_weights`.
    cell : (float, float)
        Sides (y, x) of the orthogonal cell [Å].
    patch : float
        Side of a contrast image [Å].
    """

    background: jax.Array
    contrast: jax.Array
    sites: jax.Array
    cell: tuple[float, float] = _static()
    patch: float = _static()


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class View:
    """A library under one rotation, blur and pixel size, in Fourier coefficients; see `view`.

    Parameters
    ----------
    waves : float32 [K, 2]
        Spatial frequencies (y, x) of the background in the frame [1/Å].
    background : complex64 [C, K]
        Their amplitudes.
    contrast : float32 [S, M, C, M]
        Coefficients of `_basis` in y and x over a square of `window` pixels.
    rotation : float32 []
        [degrees]
    sampling : float
        Pixel size [Å].
    window : int
        Side of the square that an adatom is drawn in [px].
    """

    waves: jax.Array
    background: jax.Array
    contrast: jax.Array
    sites: jax.Array
    rotation: jax.Array
    cell: tuple[float, float] = _static()
    sampling: float = _static()
    window: int = _static()


# ---------------------------------------------------------------------------------------------------- geometry
def to_frame(lattice: jax.Array, rotation: jax.Array, drift: jax.Array) -> jax.Array:
    """Positions in the frame, ``R q + d`` [Å], of positions `lattice` [..., 2] (y, x) in the lattice [Å]."""
    return _turn(lattice, rotation) + drift


def to_lattice(position: jax.Array, rotation: jax.Array, drift: jax.Array) -> jax.Array:
    """Positions in the lattice, ``R^-1 (p - d)`` [Å]: the inverse of `to_frame`."""
    return _turn(position - drift, -rotation)


def _turn(vector: jax.Array, rotation: jax.Array) -> jax.Array:
    cos, sin = jnp.cos(jnp.deg2rad(rotation)), jnp.sin(jnp.deg2rad(rotation))
    y, x = vector[..., 0], vector[..., 1]
    return jnp.stack([cos * y + sin * x, cos * x - sin * y], axis=-1)


def primitive_coordinates(lattice: jax.Array, cell: tuple[float, float]) -> jax.Array:
    """Coordinates (u, v) of positions [..., 2] (y, x) [Å] along the vectors of the primitive cell.

    They are (0, a) and (b / 2, a / 2) in (y, x), with the orthogonal cell's sides b in y and a in x.
    """
    v = lattice[..., 0] * 2 / cell[0]
    return jnp.stack([lattice[..., 1] / cell[1] - v / 2, v], axis=-1)


def site_weights(lattice: jax.Array, sites: jax.Array, cell: tuple[float, float]) -> jax.Array:
    """Bilinear weights [..., S], summing to 1, of the sites (u, v) of a 3 x 3 grid over the primitive cell.

    Parameters
    ----------
    lattice : [..., 2]
        Positions (y, x) of adatoms in the lattice [Å].
    sites : [S, 2]
        Fractional coordinates (u, v), multiples of 1/3 that differ by no whole number.
    """
    distance = primitive_coordinates(lattice, cell)[..., None, :] - sites
    distance = 3 * jnp.abs(distance - jnp.round(distance))  # in steps of the grid, to the nearest periodic image
    return jnp.prod(jnp.maximum(1 - distance, 0), axis=-1)


# ---------------------------------------------------------------------------------------------------- once per movie
def view(library: Library, rotation: jax.Array, blur_fwhm: jax.Array, sampling: float) -> View:
    """Turn and blur a library.

    Parameters
    ----------
    rotation : float
        Of the lattice in the frame [degrees].
    blur_fwhm : float
        Full width at half maximum of the Gaussian source [Å].
    sampling : float
        Pixel size of the frames [Å]; static under `jit`.
    """
    waves, background = _spectrum(library.background, library.cell, rotation, blur_fwhm)
    patch_waves, contrast = _spectrum(library.contrast, (library.patch, library.patch), rotation, blur_fwhm)
    size = library.contrast.shape[-2]
    # The adatom to the origin: a shift by a whole number of the library's pixels.
    centre = to_frame(jnp.full(2, size // 2 * library.patch / size), rotation, 0.0)
    contrast = contrast * jnp.exp(2j * np.pi * (patch_waves @ centre))

    # From the turned square to an upright one that is a whole number of pixels, as wide as the circle and a margin.
    window = 2 * int(np.ceil(library.patch / 2 / sampling)) + 2
    modes = int(np.ceil(window * sampling * size / library.patch / 2))
    points = ((np.arange(2 * modes + 1) - modes) / (2 * modes + 1) * window * sampling).astype(np.float32)
    inside = points[:, None] ** 2 + points**2 < (library.patch / 2) ** 2
    turned = _evaluate(contrast, patch_waves, points, points)
    norm = np.append(1, np.full(2 * modes, 2)).astype(np.float32) / len(points)
    analysis = norm * _basis(points, window * sampling, modes)
    spectra = _product("scyx,yk,xl->skcl", turned * inside, analysis, analysis)
    return View(waves, background, spectra, library.sites, jnp.asarray(rotation), library.cell, sampling, window)


def _spectrum(images: jax.Array, sides: tuple[float, float], rotation, blur_fwhm) -> tuple[jax.Array, jax.Array]:
    """Fourier series of periodic, real images [..., n, m, C]: turned waves (y, x) [K, 2], their amplitudes [..., C, K].

    The image is the real part of the series. Frequencies within the circle that the coarser step resolves; the Nyquist
    frequency has no partner and is left out.
    """
    shape = images.shape[-3:-1]
    ky, kx = np.meshgrid(*(np.fft.fftfreq(n, 1 / n).astype(int) for n in shape), indexing="ij")
    g = np.hypot(ky / sides[0], kx / sides[1])
    half = (ky > 0) | ((ky == 0) & (kx >= 0))
    row, column = np.nonzero(half & (g < min(n / side for n, side in zip(shape, sides, strict=True)) / 2))
    ky, kx, g = ky[row, column], kx[row, column], g[row, column]
    waves = _turn(jnp.asarray(np.stack([ky / sides[0], kx / sides[1]], axis=-1), jnp.float32), rotation)
    blur = jnp.exp(-2 * (np.pi * blur_fwhm / FWHM) ** 2 * jnp.asarray(g, jnp.float32) ** 2)
    spectrum = jnp.moveaxis(jnp.fft.fft2(images, axes=(-3, -2), norm="forward"), -1, -3)
    return waves, spectrum[..., row, column] * blur * np.where(g == 0, 1, 2).astype(np.float32)


def _evaluate(amplitudes: jax.Array, waves: jax.Array, y: jax.Array, x: jax.Array) -> jax.Array:
    """Real part of a Fourier series [..., K] on the grid y x x [Å]: float32 [..., H, W]."""
    rows = amplitudes[..., None, :] * jnp.exp(2j * np.pi * y[:, None] * waves[:, 0])
    columns = jnp.exp(2j * np.pi * x[:, None] * waves[:, 1])
    rows = jnp.concatenate([rows.real, -rows.imag], axis=-1)
    return _product("...yk,xk->...yx", rows, jnp.concatenate([columns.real, columns.imag], axis=-1))


def _basis(x: jax.Array, period: float, modes: int) -> jax.Array:
    """1, cos and sin of the first frequencies at positions [..., X]: float32 [..., X, 2 modes + 1]."""
    phase = 2 * np.pi / period * x[..., None] * np.arange(1, modes + 1, dtype=np.float32)
    return jnp.concatenate([jnp.ones_like(phase[..., :1]), jnp.cos(phase), jnp.sin(phase)], axis=-1)


def _shifted_basis(grid: np.ndarray, shift: jax.Array, period: float, modes: int) -> jax.Array:
    """`_basis` at ``grid - shift``, by the addition theorems, which spares most of the cosines."""
    cos, sin = jnp.split(_basis(grid, period, modes)[..., 1:], 2, axis=-1)
    cos_shift, sin_shift = jnp.split(_basis(shift[..., None], period, modes)[..., 1:], 2, axis=-1)
    real, imaginary = cos * cos_shift + sin * sin_shift, sin * cos_shift - cos * sin_shift
    return jnp.concatenate([jnp.ones_like(real[..., :1]), real, imaginary], axis=-1)


# ---------------------------------------------------------------------------------------------------- once per frame
def frame(seen: View, positions: jax.Array, present: jax.Array, drift: jax.Array, pixels: tuple[int, int]) -> jax.Array:
    """One clean frame.

    Parameters
    ----------
    seen : View
    positions : float32 [N, 2]
        Adatoms (y, x) in the frame [Å]; they may lie outside, and show as far as they reach into it.
    present : bool [N]
        Which rows are adatoms; the others only make N the same for all frames, so that `jit` compiles once.
    drift : float32 [2]
        Of the specimen (y, x) [Å].
    pixels : (int, int)
        Rows and columns of the frame; static under `jit`.

    Returns
    -------
    float32 [H, W, C]
        Fraction of the incident beam.
    """
    y, x = (seen.sampling * jnp.arange(n, dtype=jnp.float32) - d for n, d in zip(pixels, drift, strict=True))
    background = _evaluate(seen.background, seen.waves, y, x)
    return jnp.moveaxis(background, 0, -1) + _adatoms(seen, positions, present, drift, pixels)


def _adatoms(seen: View, positions, present, drift, pixels: tuple[int, int]) -> jax.Array:
    """What the adatoms add to a frame, [H, W, C]: windows around them, added up on a canvas with a margin."""
    _, modes, channels, _ = seen.contrast.shape
    window, side = seen.window, seen.window * seen.sampling
    nearest = jnp.floor(positions / seen.sampling)
    corner = nearest.astype(jnp.int32) - (window // 2 - 1)
    visible = present & jnp.all((corner > -window) & (corner < jnp.array(pixels)), axis=-1)
    weights = site_weights(to_lattice(positions, seen.rotation, drift), seen.sites, seen.cell) * visible[:, None]
    spectra = _product("ns,skcl->nkcl", weights, seen.contrast)
    grid = seen.sampling * (np.arange(window, dtype=np.float32) - (window // 2 - 1))
    rows, columns = jnp.moveaxis(_shifted_basis(grid, positions - seen.sampling * nearest, side, modes // 2), 1, 0)
    # In this order both products have their batch in front and their sums inside, which CPUs need to be fast.
    windows = _product("nyk,nkcx->nycx", rows, _product("nkcl,nxl->nkcx", spectra, columns))

    def add(canvas, item):
        patch, (top, left) = item
        start = (top, 0, left)
        under = jax.lax.dynamic_slice(canvas, start, patch.shape)
        return jax.lax.dynamic_update_slice(canvas, under + patch, start), None

    # One after the other, not as one scatter: on a GPU that would add in an order that differs from call to call.
    canvas = jnp.zeros((pixels[0] + 2 * window, channels, pixels[1] + 2 * window), jnp.float32)
    canvas, _ = jax.lax.scan(add, canvas, (windows, corner + window))
    return canvas[window:-window, :, window:-window].swapaxes(1, 2)


def movie(seen: View, positions: jax.Array, present: jax.Array, drift: jax.Array, pixels: tuple[int, int]) -> jax.Array:
    """Clean frames float32 [T, H, W, C] of positions [T, N, 2], present [T, N] and drift [T, 2]; see `frame`."""
    return jax.lax.map(lambda of: frame(seen, *of, pixels), (positions, present, drift))
