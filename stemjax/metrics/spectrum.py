"""What an image holds at chosen frequencies: chequerboards, lattice spots, and how a denoiser passes them on.

All of it rests on one transform, taken at any frequency f [cycles/px], on the grid of the discrete one or between:

    F(f) = sum_r w(r) (x(r) - m) exp(-2 pi i f r) / sqrt(sum_r w(r)²),   m = sum w x / sum w,

with Hann's window w over the whole frame, which keeps a lattice that does not fit into the frame from leaking along the
axes. White noise of variance s² has E|F(f)|² = s² at every f; a wave of amplitude A has |F| = A sum(w) / sqrt(sum(w²))
/ 2. The window resolves 2 bins; a bin is 1 / (H px).

Frames are float [H, W]; vectors are (y, x) with y down, and angles go from x towards y, as in a manifest.

References
----------
Thornley et al., "Noise2Void for Denoising Atomic Resolution STEM Images", Figures 2 and 5. How the paper measures
chequerboards and the signal-to-noise ratio of a spot is not stated; what is here is defined here.
Harris, "On the use of windows for harmonic analysis with the discrete Fourier transform", Proc. IEEE 66, 1978.
"""

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.special import gamma

from stemjax.metrics.lattice import Lattice, polar_vector

RESOLVED = 2  # bins from a frequency at which Hann's window has its first zero
SECTORS = 60 * np.arange(3)  # degrees; the other three mirror them
NEIGHBOUR = 3  # bins from a mask's frequency to its neighbours


# ---------------------------------------------------------------------------------------------------- transform
def windowed(image: np.ndarray) -> np.ndarray:
    """What is transformed, w (x - m) / sqrt(sum w²), float64 [H, W]; exactly 0 for an image of one value."""
    image = np.asarray(image, np.float64)
    if not np.isfinite(image).all():
        raise ValueError("the frame has pixels that are NaN or infinite: cut them out first")
    if np.ptp(image) == 0:
        return np.zeros_like(image)
    rows, columns = (np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2 for n in image.shape)
    window = rows[:, None] * columns
    mean = np.sum(window * image) / window.sum()
    return window * (image - mean) / np.sqrt(np.sum(window**2))


def power_spectrum(image: np.ndarray) -> np.ndarray:
    """|F|² at the frequencies of `numpy.fft.fftfreq`, float64 [H, W], in the square of the image's unit."""
    return np.abs(np.fft.fft2(windowed(image))) ** 2


def transform(image: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
    """F at any frequencies (y, x) [..., 2] in cycles/px: complex128 [...], in the unit of the image."""
    prepared = windowed(image)
    waves = [
        np.exp(-2j * np.pi * frequencies[..., axis, None] * np.arange(n)).reshape(-1, n)
        for axis, n in enumerate(prepared.shape)
    ]
    return np.einsum("fx,fx->f", waves[0] @ prepared, waves[1]).reshape(frequencies.shape[:-1])


def frequency_scan(
    image: np.ndarray, sampling: float, angle_deg: float, highest: float, points: int = 512
) -> tuple[np.ndarray, np.ndarray]:
    """|F| along a straight line through the origin of the spectrum, as across the Bragg spots of a lattice.

    Parameters
    ----------
    image : float [H, W]
    sampling : float
        Pixel size [Å].
    angle_deg : float
        Direction, from x towards y [degrees].
    highest : float
        Where the line ends [1/Å]; at most 1 / (2 sampling).

    Returns
    -------
    frequency : float64 [points]
        From 0 [1/Å].
    magnitude : float64 [points]
        In the unit of the image; white noise of standard deviation s has a root mean square of s.
    """
    if highest > (1 + 1e-9) / (2 * sampling):
        raise ValueError(f"pixels of {sampling} Å hold frequencies up to {1 / (2 * sampling):.3g} 1/Å: scan less far")
    frequency = np.linspace(0, highest, points)
    return frequency, np.abs(transform(image, polar_vector(frequency * sampling, angle_deg)))


# ---------------------------------------------------------------------------------------------------- chequerboards
def chequerboard_db(image: np.ndarray, pitch: int, ignore: np.ndarray | None = None) -> float:
    """Energy at the frequencies of a regular mask, relative to what lies beside them [dB].

        R = 10 log10 mean_k |F(k)|² / (c_k geometric mean of |F|² at the 8 frequencies around k),   k = (m, n) / pitch

    over all k but 0. The neighbours are 3 bins away along the axes and the diagonals, or half-way to the next k where
    that is nearer. A spectrum that falls off as exp(-b f) adds nothing, for neighbours lie in pairs, and noise has
    R = 0 dB: c_k = Gamma(1 - 1/n)^n with n = 8 independent neighbours, or 4 where k is its own mirror image.

    Parameters
    ----------
    image : float [H, W]
        A denoised frame, or better what it differs by from the clean one.
    pitch : int
        Of the mask [px]: the paper's is 26. The stages of a network with transposed convolutions have 2, 4, 8, ...
    ignore : float [n, 2], optional
        Frequencies [cycles/px] that have power of their own, as `Lattice.spots`: a k, or neighbour, within the window's
        resolution of one of them, or of its alias, is left out with its group.

    Returns
    -------
    float
        In dB; 0 for an image of one value.

    Raises
    ------
    ValueError
        If the frame is smaller than four pitches, which would not resolve the mask's frequencies, or nothing is left.

    Notes
    -----
    About pitch² / 2 frequencies are independent: at pitch 2 to 4 a single frame scatters by 2 dB or more. A spectrum
    that is lowest at k, as that of a smooth image is at half a cycle per pixel, has R below 0.
    """
    prepared = windowed(image)
    if pitch < 2 or min(prepared.shape) < 4 * pitch:
        raise ValueError(f"a mask of pitch {pitch} px needs a frame of {4 * max(pitch, 2)} px, not {prepared.shape}")
    steps = [min(NEIGHBOUR / n, 1 / (2 * pitch)) for n in prepared.shape]
    rows, columns = ((np.arange(pitch)[:, None] / pitch + step * np.arange(-1, 2)).ravel() for step in steps)
    left, right = (
        np.exp(-2j * np.pi * f[:, None] * np.arange(n)) for f, n in zip((rows, columns), prepared.shape, strict=True)
    )
    power = np.abs(left @ prepared @ right.T).reshape(pitch, 3, pitch, 3) ** 2
    power = power.transpose(0, 2, 1, 3).reshape(pitch**2, 9)
    order = np.indices((pitch, pitch)).reshape(2, -1).T
    kept = (order != 0).any(axis=1)
    if ignore is not None:
        reach = [step + RESOLVED / n for step, n in zip(steps, prepared.shape, strict=True)]
        distance = order[:, None] / pitch - ignore
        kept &= ~(np.abs(distance - np.rint(distance)) < reach).all(axis=2).any(axis=1)
    if not kept.any():
        raise ValueError(f"all frequencies of a mask of pitch {pitch} px are to be ignored: choose another pitch")
    if not power.any():
        return 0.0
    beside = np.exp(np.log(np.delete(power, 4, axis=1)).mean(axis=1))
    independent = np.where((2 * order % pitch == 0).all(axis=1), 4, 8)
    ratio = power[:, 4] / (beside * gamma(1 - 1 / independent) ** independent)
    return float(10 * np.log10(np.mean(ratio[kept])))


# ---------------------------------------------------------------------------------------------------- lattice spots
def six_fold(image: np.ndarray, lattice: Lattice, radii: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Magnitude of the spectrum in polar coordinates about the lattice, averaged over its six sectors: the picture.

        M(q, t) = mean over s = 0..5 of |F(q, rotation + t + 60 s)|

    Interpolated linearly in the magnitude of a transform padded to twice the frame; `spot_snr` takes exact values.

    Parameters
    ----------
    radii : float [Q]
        Frequencies [1/Å], at most that of the frame's pixels, 1 / (2 sampling).
    angles : float [T]
        From the direction of a (11-20) spot [degrees]; the (10-10) spots are at 30.

    Returns
    -------
    float64 [Q, T]
    """
    shape = [2 * n for n in np.shape(image)]
    magnitude = np.abs(np.fft.fft2(windowed(image), s=shape))
    turned = lattice.rotation_deg + np.asarray(angles)[:, None] + SECTORS
    places = polar_vector(np.asarray(radii)[:, None, None] * lattice.sampling, turned) * shape
    return map_coordinates(magnitude, np.moveaxis(places, -1, 0), order=1, mode="grid-wrap").mean(axis=-1)


def spot_snr(image: np.ndarray, lattice: Lattice, family: str = "11-20") -> float:
    """Signal-to-noise ratio of the lattice spots of one family.

        SNR = (M(spot) / m(q0) - 1) / std (M(q, t) / m(q)),   M(q, t) = mean over s = 0..5 of |F(q, t + 60 s)|,

    that is, peak less mean over standard deviation of the background. The background: rings through the spots, q = q0,
    and 2 bins below and above, angles 1 bin apart, without places of which one of the six lies within 4 bins of a spot
    of the lattice or of its alias; m(q) is its mean on each ring. M(spot) is taken where the known lattice has its
    spots, not at the largest value around: noise alone has SNR 0 ± 1.

    Parameters
    ----------
    image : float [H, W]
    lattice : Lattice
    family : str
        "11-20" or "10-10".

    Returns
    -------
    float
        Dimensionless; 0 for an image of one value.

    Notes
    -----
    What divides by the background rewards whatever empties it: an invented lattice scores high. A linear filter without
    directions leaves the SNR as it is.
    """
    at, ring, empty = _ring(lattice, family, np.shape(image), (0, 60))
    background = np.ma.array(np.abs(transform(image, ring)).mean(axis=-1), mask=~empty.all(axis=-1))
    if background.count(axis=1).min() < 5:
        raise ValueError(
            f"a frame of {np.shape(image)} px does not tell the ring of {family} from its spots: too small"
        )
    if not background.any():
        return 0.0
    mean = background.mean(axis=1, keepdims=True)
    peak = np.abs(transform(image, at)).mean() / mean[1, 0]
    return float((peak - 1) / (background / mean).std())


def _ring(lattice: Lattice, family: str, shape: tuple[int, int], span: tuple[float, float]):
    """Three spots [3, 2], the rings at them [3, A, 3, 2], and where those are free of spots, bool [3, A, 3].

    The radius of the spots, in the middle, and 2 bins below and above; A angles over a `span` from a spot [degrees],
    1 bin apart. The last axis turns by 60 degrees, and the other half of each ring mirrors this one.
    """
    bin_size = 1 / min(shape)
    radius, first = lattice.frequency(family), lattice.direction(family)
    angles = np.linspace(*span, max(int(np.deg2rad(span[1] - span[0]) * radius / bin_size), 1), endpoint=False)
    radii = radius + RESOLVED * bin_size * np.arange(-1, 2)
    ring = polar_vector(radii[:, None, None], first + angles[:, None] + SECTORS)
    empty = ~near(ring, lattice.spots(), 2 * RESOLVED * bin_size)
    return polar_vector(radius, first + SECTORS), ring, empty


def near(frequencies: np.ndarray, spots: np.ndarray, distance: float) -> np.ndarray:
    """Which frequencies [..., 2] lie within a distance of one of the spots [n, 2] or its aliases [cycles/px]: bool."""
    apart = frequencies[..., None, :] - spots
    return (np.linalg.norm(apart - np.rint(apart), axis=-1) < distance).any(axis=-1)


def transfer(clean: np.ndarray, denoised: np.ndarray, lattice: Lattice, family: str = "11-20") -> tuple[float, float]:
    """How much of the clean spectrum a denoiser passes on, at the six lattice directions and between them.

        T = Re sum D C* / sum |C|²,

    D and C the transforms F of denoised and clean frames, sums over frames and over frequencies: the six spots, or the
    rings of `spot_snr` within 15 degrees of half-way between two spots. There C is what the adatoms leave, which has no
    direction.

    Parameters
    ----------
    clean, denoised : float [H, W] or [N, H, W]
        Frames of one movie, of which each adds to the sums: noise between the spots is far above the signal.

    Returns
    -------
    (at, between) : float
        Dimensionless; 1 is passed on as it is, 0 not at all.

    Notes
    -----
    Where D is C times a real filter this is the ratio of magnitudes |D| / |C|. Noise that is left raises that ratio,
    but not T, which is 1 for the raw frame.
    """
    if np.shape(clean) != np.shape(denoised):
        raise ValueError(f"clean frames {np.shape(clean)} and denoised {np.shape(denoised)} differ in shape")
    pairs = [np.reshape(images, (-1, *np.shape(images)[-2:])) for images in (clean, denoised)]
    at, ring, empty = _ring(lattice, family, pairs[0].shape[1:], (15, 45))
    places = np.concatenate([at, ring[empty]])
    product, power = np.zeros(len(places)), np.zeros(len(places))
    for true, test in zip(*pairs, strict=True):
        c, d = transform(true, places), transform(test, places)
        product, power = product + (d * c.conj()).real, power + np.abs(c) ** 2
    if not (power[:3].sum() > 0 and power[3:].sum() > 0):
        raise ValueError("the clean frames have nothing on the ring of the lattice: there is nothing to pass on")
    return float(product[:3].sum() / power[:3].sum()), float(product[3:].sum() / power[3:].sum())


def anisotropy(at: float, between: float) -> float:
    """Six-fold anisotropy of a transfer, 1 - between / at.

    0 for a filter without directions, 1 where the lattice alone is passed on, negative where the rest passes better;
    and 0 where the lattice is not passed on at all.
    """
    return 1 - between / at if at > 1e-6 else 0.0
