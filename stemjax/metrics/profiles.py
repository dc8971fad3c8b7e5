"""Line profiles through a frame, their contrast, and the dip between two adatoms.

Positions are (y, x) in Å in the frame, y down, origin at the centre of pixel (0, 0); angles go from x towards y.
Between pixels an image is what the cubic splines through its pixels are: they pass through every value, noise included.

References
----------
Thornley et al., "Noise2Void for Denoising Atomic Resolution STEM Images", Figures 3, 4 and S1.
Lee et al. average line profiles over 25 pixels and compare their Michelson contrast.
"""

import numpy as np
from scipy.ndimage import map_coordinates

from stemjax.metrics.lattice import polar_vector


def values_at(image: np.ndarray, positions: np.ndarray, sampling: float) -> np.ndarray:
    """The image [H, W] at positions (y, x) [..., 2] in Å: float64 [...].

    Raises
    ------
    ValueError
        If a position lies outside the centres of the outermost pixels.
    """
    places = np.asarray(positions, float) / sampling
    last = np.array(np.shape(image)) - 1
    beyond = (places < -1e-6) | (places > last + 1e-6)
    if beyond.any():
        y, x = np.asarray(positions).reshape(-1, 2)[beyond.any(axis=-1).ravel()][0]
        frame = " x ".join(f"{side:.1f}" for side in last * sampling)
        raise ValueError(f"position ({y:.2f}, {x:.2f}) Å is outside the frame of {frame} Å: choose one inside")
    image = np.asarray(image, np.float64)
    return map_coordinates(image, np.moveaxis(np.clip(places, 0, last), -1, 0), order=3, mode="mirror")


def line_profile(
    image: np.ndarray,
    sampling: float,
    start: tuple[float, float],
    angle_deg: float,
    length: float,
    step: float = 0.05,
    width: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """Profile along a straight line, averaged over `width` pixels across it.

        v(s) = mean_w I(start + s (sin t, cos t) + w (cos t, -sin t)),   s = 0, step, ..., length

    Parameters
    ----------
    image : float [H, W]
    sampling : float
        Pixel size [Å].
    start : (float, float)
        (y, x) of the first point [Å].
    angle_deg : float
        Direction t, from x towards y [degrees]. Along [10-10] of graphene it is ``Lattice.direction("10-10")`` plus any
        multiple of 60; there the lattice repeats after a sqrt(3) = 4.26 Å.
    length, step : float
        [Å]
    width : int
        Number of parallel lines, a pixel apart, the given one in their middle; 1 averages nothing.

    Returns
    -------
    distance : float64 [n]
        From the start [Å].
    values : float64 [n]
        In the unit of the image. The paper draws the square root of ADF values.
    """
    distance = step * np.arange(int(length / step + 1e-9) + 1)
    beside = sampling * (np.arange(width) - (width - 1) / 2)
    lines = polar_vector(distance, angle_deg)[:, None] + polar_vector(beside, angle_deg - 90)
    return distance, values_at(image, start + lines, sampling).mean(axis=1)


def michelson_contrast(profile: np.ndarray) -> float:
    """(highest - lowest) / (highest + lowest) of a profile [n] of intensities; 0 for a flat one.

    Raises
    ------
    ValueError
        If the two add up to nothing or less, for then the profile is not one of intensities.

    Notes
    -----
    Noise adds to it: a noisy profile has a higher contrast than the scene.
    """
    low, high = float(np.min(profile)), float(np.max(profile))
    if low + high <= 0:
        raise ValueError(f"a profile from {low:g} to {high:g} has no Michelson contrast: it is for intensities above 0")
    return (high - low) / (high + low)


def dip_percent(
    image: np.ndarray,
    sampling: float,
    one: tuple[float, float],
    other: tuple[float, float],
    background: float,
    reach: float = 0.7,
) -> float:
    """Dip between two adatoms along the line through them, against their height above the background [%].

        dip = 100 (1 - (valley - background) / (mean of the two peaks - background))

    Parameters
    ----------
    image : float [H, W]
        Adatoms are bright.
    one, other : (float, float)
        True positions (y, x) [Å]; the paper's are 3.4 Å apart.
    background : float
        Of the image around them: the mean of the two values of `stemjax.metrics.adatoms.backgrounds`, say.
    reach : float
        A peak is the largest value of the profile within this distance of the true position [Å]; the valley is the
        smallest value between the two peaks.

    Returns
    -------
    float
        0 where nothing parts the two, 100 where the background shows between them, and more where noise digs deeper. 0
        too where the peaks do not rise above the background: there is nothing to part.

    Raises
    ------
    ValueError
        If the adatoms are nearer than twice the reach, or the line leaves the frame.
    """
    apart = np.subtract(other, one).astype(float)
    distance = float(np.linalg.norm(apart))
    if distance < 2 * reach:
        raise ValueError(f"the adatoms are {distance:.2f} Å apart, nearer than twice the reach of {reach} Å: lower it")
    angle = np.rad2deg(np.arctan2(*apart))
    start = one - polar_vector(reach, angle)
    place, values = line_profile(image, sampling, start, angle, distance + 2 * reach, step=0.02)
    first, second = (
        int(np.argmax(np.where(np.abs(place - at) <= reach, values, -np.inf))) for at in (reach, reach + distance)
    )
    height = (values[first] + values[second]) / 2 - background
    if height <= 1e-6 * np.abs(image).max():
        return 0.0
    return float(100 * (1 - (values[first : second + 1].min() - background) / height))
