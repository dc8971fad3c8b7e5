"""Image formation in the transmission electron microscope: exit wave -> clean image, in JAX.

The exit wave behind an objective aperture is band-limited, so a few thousand Fourier coefficients hold it exactly. From
them an image under any defocus, coherence and pixel size is a cheap, differentiable function:

    I(r) = V * sum_f w_f | F^-1[ psi(k) exp(-i chi_f(k)) E_f(k) ] |^2

with the aberration phase chi, the spatial-coherence envelope E, an explicit average over focus f (partial temporal
coherence) and the vibration filter V. Intensities are relative to an incident plane wave of intensity 1.
"""

from dataclasses import dataclass, field
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np

_PLANCK = 6.62607015e-34  # J s
_ELECTRON_MASS = 9.1093837015e-31  # kg
_ELEMENTARY_CHARGE = 1.602176634e-19  # C
_LIGHT_SPEED = 299792458.0  # m/s


def wavelength(energy: float) -> float:
    """Relativistic de Broglie wavelength [Å] of an electron of `energy` [eV]."""
    rest = _ELECTRON_MASS * _LIGHT_SPEED**2 / _ELEMENTARY_CHARGE  # eV
    momentum = np.sqrt(energy * (2 * rest + energy)) * _ELEMENTARY_CHARGE / _LIGHT_SPEED
    return float(_PLANCK / momentum * 1e10)


@dataclass(frozen=True)
class Band:
    """The Fourier coefficients of an exit wave that pass the objective aperture.

    Parameters
    ----------
    cell : float
        Side of the square, periodic cell [Å].
    semiangle_cutoff : float
        Aperture [mrad]. A stored wave can be imaged with a smaller aperture, never with a larger one.
    energy : float
        Electron energy [eV].
    """

    cell: float
    semiangle_cutoff: float = 23.0
    energy: float = 300e3

    @cached_property
    def indices(self) -> np.ndarray:
        """Integer frequencies (ky, kx), int32 [K, 2], by rising |k|: the zero frequency is first."""
        limit = self.semiangle_cutoff * 1e-3 / wavelength(self.energy) * self.cell
        reach = np.arange(-int(limit), int(limit) + 1)
        ky, kx = np.meshgrid(reach, reach, indexing="ij")
        inside = ky**2 + kx**2 <= limit**2
        ky, kx = ky[inside], kx[inside]
        order = np.lexsort((kx, ky, ky**2 + kx**2))
        return np.stack([ky[order], kx[order]], axis=1).astype(np.int32)

    @cached_property
    def grid(self) -> int:
        """Pixels per side of the smallest FFT-friendly, even grid that holds the intensity without aliasing."""
        needed = 4 * int(np.abs(self.indices).max()) + 2
        return min(n for n in range(needed, 2 * needed) if n % 2 == 0 and _is_smooth(n))

    @cached_property
    def scattering_angle(self) -> np.ndarray:
        """Scattering angle of each coefficient [rad], float32 [K]."""
        return (np.hypot(*self.indices.T) / self.cell * wavelength(self.energy)).astype(np.float32)


def _is_smooth(n: int) -> bool:
    for p in (2, 3, 5):
        while n % p == 0:
            n //= p
    return n == 1


def to_band(wave: np.ndarray, band: Band) -> np.ndarray:
    """Fourier coefficients of exit waves inside the band.

    Parameters
    ----------
    wave : complex [..., H, W]
        Exit waves over the whole cell, rows = y (down), columns = x.

    Returns
    -------
    complex64 [..., K]
        Normalised so that the first coefficient is the mean of the wave.

    Raises
    ------
    ValueError
        If the wave's grid is too coarse for the band.
    """
    height, width = wave.shape[-2:]
    if min(height, width) <= 2 * np.abs(band.indices).max():
        raise ValueError(f"a wave of {height} x {width} px cannot hold the band; use a finer grid")
    spectrum = np.fft.fft2(wave) / (height * width)
    ky, kx = band.indices.T
    return spectrum[..., ky % height, kx % width].astype(np.complex64)


@dataclass(frozen=True)
class Optics:
    """Aberrations and partial coherence of the microscope.

    The defaults reproduce the Dr. Probe images of Mohan et al.; the vibration is a Gaussian on the intensity, and there
    is no Debye-Waller factor.

    Parameters
    ----------
    c30, c50 : float
        Spherical aberration of third and fifth order [Å].
    convergence : float
        Semi-angle of convergence of the illumination [mrad].
    focal_spread : float
        1/e half-width of the focus distribution [Å].
    focal_points : int
        Points of the explicit focal average, spread over twice the focal spread either side.
    vibration : float
        Standard deviation of the image vibration [Å].
    semiangle_cutoff : float or None
        Objective aperture [mrad]; None keeps the aperture of the stored band.
    """

    c30: float = -13e4
    c50: float = 5e7
    convergence: float = 0.2
    focal_spread: float = 40.0
    focal_points: int = 5
    vibration: float = 0.5
    semiangle_cutoff: float | None = None
    focal_range: float = field(default=2.0, metadata={"unit": "focal spreads"})

    def focus(self) -> tuple[np.ndarray, np.ndarray]:
        """Offsets [Å] and weights (sum 1) of the focal average."""
        if self.focal_points == 1:
            return np.zeros(1, np.float32), np.ones(1, np.float32)
        offsets = np.linspace(-self.focal_range, self.focal_range, self.focal_points)
        weights = np.exp(-(offsets**2))
        return (offsets * self.focal_spread).astype(np.float32), (weights / weights.sum()).astype(np.float32)


def transfer(defocus: jax.Array, band: Band, optics: Optics) -> jax.Array:
    """Wave transfer function exp(-i chi) E of the coefficients of `band`, complex64 [..., K].

    Parameters
    ----------
    defocus : float32 [...]
        C10 [Å]: positive is Dr. Probe's and the paper's positive defocus (abTEM calls C10 = 60 Å ``defocus=-60``).

    Raises
    ------
    ValueError
        If the optics' aperture is larger than the band.
    """
    if optics.semiangle_cutoff is not None and optics.semiangle_cutoff > band.semiangle_cutoff:
        raise ValueError(
            f"an aperture of {optics.semiangle_cutoff:g} mrad: the waves were stored up to "
            f"{band.semiangle_cutoff:g} mrad; choose a smaller one, or simulate again"
        )
    angle = jnp.asarray(band.scattering_angle)
    c10 = jnp.asarray(defocus, jnp.float32)[..., None]
    turns = 2 * np.pi / wavelength(band.energy)
    chi = turns * (c10 / 2 * angle**2 + optics.c30 / 4 * angle**4 + optics.c50 / 6 * angle**6)
    slope = turns * (c10 * angle + optics.c30 * angle**3 + optics.c50 * angle**5)
    envelope = jnp.exp(-((optics.convergence * 1e-3 / 2 * slope) ** 2))
    if optics.semiangle_cutoff is not None:
        envelope = jnp.where(angle <= optics.semiangle_cutoff * 1e-3, envelope, 0.0)
    return envelope * jax.lax.complex(jnp.cos(chi), -jnp.sin(chi))


def image(coefficients: jax.Array, defocus: jax.Array, band: Band, optics: Optics, pixels: int) -> jax.Array:
    """Clean images of exit waves, relative to an incident intensity of 1.

    Parameters
    ----------
    coefficients : complex64 [..., K]
        Exit waves in the order of `band.indices`.
    defocus : float32 [...]
        C10 [Å], of the same leading shape or one that broadcasts with it.
    pixels : int
        Pixels per side of the result; the sampling is ``band.cell / pixels`` [Å/px], the origin the centre of pixel 0.

    Returns
    -------
    float32 [..., pixels, pixels]
        Rows = y (down), columns = x.

    Examples
    --------
    >>> band = Band(cell=50.1)
    >>> vacuum = np.zeros(len(band.indices), np.complex64); vacuum[0] = 1
    >>> image(vacuum, 60.0, band, Optics(), 64).mean()
    Array(1., dtype=float32)
    """
    defocus = jnp.asarray(defocus, jnp.float32)
    lead = jnp.broadcast_shapes(coefficients.shape[:-1], defocus.shape)
    coefficients = jnp.broadcast_to(coefficients, (*lead, coefficients.shape[-1]))
    offsets, weights = optics.focus()

    def accumulate(intensity, focus):
        offset, weight = focus
        spectrum = _scatter(coefficients * transfer(defocus + offset, band, optics), band)
        wave = jnp.fft.ifft2(spectrum, norm="forward")
        return intensity + weight * (wave.real**2 + wave.imag**2), None

    # Focus points one after the other, not as a further batch axis: it keeps the memory of one wave per image.
    start = jnp.zeros((*lead, band.grid, band.grid), jnp.float32)
    intensity, _ = jax.lax.scan(accumulate, start, (jnp.asarray(offsets), jnp.asarray(weights)), unroll=True)
    return _resample(intensity, band, optics, pixels)


def _scatter(coefficients: jax.Array, band: Band) -> jax.Array:
    """Place coefficients [..., K] on the FFT grid [..., n, n]. A gather, since XLA runs those faster than scatters."""
    n, count = band.grid, len(band.indices)
    source = np.full((n, n), count, np.int32)
    source[band.indices[:, 0] % n, band.indices[:, 1] % n] = np.arange(count)
    padded = jnp.concatenate([coefficients, jnp.zeros((*coefficients.shape[:-1], 1), coefficients.dtype)], axis=-1)
    return padded[..., source]


def _resample(intensity: jax.Array, band: Band, optics: Optics, pixels: int) -> jax.Array:
    """Vibration filter and Fourier resampling of a periodic intensity [..., n, n] to [..., pixels, pixels]."""
    n = band.grid
    spectrum = jnp.fft.rfft2(intensity)
    # Neither grid's Nyquist frequency is kept: it has no partner, and a finer band-limited image has nothing there.
    keep = (min(n, pixels) - 1) // 2
    ky, kx = np.fft.fftfreq(2 * keep + 1, 1 / (2 * keep + 1)).astype(int), np.arange(keep + 1)
    g2 = (ky[:, None] ** 2 + kx**2) / band.cell**2
    damping = np.exp(-2 * np.pi**2 * optics.vibration**2 * g2) * (pixels / n) ** 2
    kept = jnp.concatenate([spectrum[..., : keep + 1, : keep + 1], spectrum[..., n - keep :, : keep + 1]], axis=-2)
    kept = kept * damping.astype(np.float32)
    gap = jnp.zeros((*kept.shape[:-2], pixels - 2 * keep - 1, keep + 1), kept.dtype)
    full = jnp.concatenate([kept[..., : keep + 1, :], gap, kept[..., keep + 1 :, :]], axis=-2)
    full = jnp.pad(full, [(0, 0)] * (full.ndim - 1) + [(0, pixels // 2 - keep)])
    return jnp.fft.irfft2(full, s=(pixels, pixels))
