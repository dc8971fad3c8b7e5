"""The graphene lattice as a frame shows it: its directions, and where its spots are in the spectrum.

Vectors are (y, x) with y down, and angles go from x towards y, as in a manifest. The lattice vectors lie 0 and 60
degrees from the lattice's x axis, so the spots (11-20) lie at 0, 60, ... and the spots (10-10) half-way between. In
four-index notation a direction has the indices of the planes that it is normal to.
"""

from dataclasses import dataclass

import numpy as np

# Of the spots of a family: angle of the first from the lattice's x axis [degrees], and frequency in units of 1 / a.
FAMILIES = {"11-20": (0.0, 2.0), "10-10": (30.0, 2 / np.sqrt(3))}


@dataclass(frozen=True)
class Lattice:
    """The graphene lattice as a frame shows it.

    Parameters
    ----------
    sampling : float
        Pixel size [Å].
    rotation_deg : float
        From the frame's x axis to a lattice vector, x towards y [degrees]: as in a data set's manifest.
    a : float
        Lattice constant [Å]; spacings a / 2 = 1.23 Å of (11-20) and a sqrt(3) / 2 = 2.13 Å of (10-10).
    cutoff : float
        Highest frequency in an image [1/Å]: 2 alpha / wavelength of 32 mrad at 80 kV.
    """

    sampling: float
    rotation_deg: float
    a: float = 2.46
    cutoff: float = 1.533

    def direction(self, family: str) -> float:
        """Angle of the first spot, and of the direction [11-20] or [10-10] in the image [degrees]."""
        return self.rotation_deg + _family(family)[0]

    def frequency(self, family: str) -> float:
        """Of the spots of a family [cycles/px]."""
        return _family(family)[1] / self.a * self.sampling

    def spots(self) -> np.ndarray:
        """All frequencies of the lattice below the cut-off but 0 [cycles/px], float [n, 2]; they may be aliased."""
        reach = int(np.ceil(self.cutoff * self.a))
        i, j = np.indices((2 * reach + 1, 2 * reach + 1)).reshape(2, -1) - reach
        first = _family("10-10")[1] / self.a * self.sampling
        # Two (10-10) spots 60 degrees apart span the reciprocal lattice.
        frequencies = sum(
            n[:, None] * polar_vector(first, self.direction("10-10") + angle) for n, angle in ((i, 0.0), (j, 60.0))
        )
        length = np.linalg.norm(frequencies, axis=1)
        return frequencies[(length > first / 2) & (length <= self.cutoff * self.sampling)]


def _family(name: str) -> tuple[float, float]:
    if name not in FAMILIES:
        raise ValueError(f"no family of lattice spots {name!r}: choose from {sorted(FAMILIES)}")
    return FAMILIES[name]


def polar_vector(length, angle_deg) -> np.ndarray:
    """Vectors (y, x) [..., 2] of a length at an angle from x towards y [degrees]."""
    angle = np.deg2rad(angle_deg)
    return np.stack(np.broadcast_arrays(length * np.sin(angle), length * np.cos(angle)), axis=-1)
