"""STEM images of Au adatoms on 4-layer Bernal graphene: structures, the contrast library, and direct multislice.

Coordinates are those of the image: x to the right, y **down**, z along the beam, all in Å. The primitive vectors are
(a, 0) and (a/2, a √3/2); the fractional coordinate (0, 0) is on an atom of the first and third layer. The beam enters
at z = 0 and meets the adatoms first.

A scanned image of a periodic cell needs no scan. With S(q, k) the diffraction pattern of the plane wave k (multislice,
abTEM), the probe at R gives the intensity

    I(R) = sum_q D(q) |sum_k A(k) exp(-i χ(k)) exp(-2πi k·R) S(q, k)|²,

and the inner sum over all R at once is one fast Fourier transform over k: the plane waves inside the aperture replace
the many more probe positions, and every C10 and C30 comes from the same S (Ophus, Adv. Struct. Chem. Imaging 3, 13
(2017), with interpolation 1, where nothing is approximated).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi, sqrt

import numpy as np

LATTICE = 2.46  # a of graphene, Å
CELL = (LATTICE, LATTICE * sqrt(3))  # orthogonal cell (x, y), Å
PRIMITIVE = np.array([[LATTICE, 0.0], [LATTICE / 2, LATTICE * sqrt(3) / 2]])  # rows a1, a2 = (x, y), Å
SITES = tuple((i / 3, j / 3) for i in range(3) for j in range(3))  # adatoms in the library, fractional along a1, a2
LAYERS = 4
INTERLAYER, ADATOM_HEIGHT = 3.35, 2.5  # Å
SLICES = (ADATOM_HEIGHT, *[INTERLAYER] * LAYERS)  # what a slice holds acts at its start, so adatoms need the first
CHANNELS = ("adf", "bf")
TAPER = 0.2  # outer part of a patch's radius over which it falls to 0


@dataclass(frozen=True)
class Aberrations:
    """Coefficients of the probe [Å]; a negative C10 is underfocus."""

    c10: float
    c30: float


@dataclass(frozen=True)
class Stem:
    """The microscope, and how finely it is computed.

    Parameters
    ----------
    energy : float
        [eV].
    semiangle : float
        Of the probe [mrad].
    bf, adf : (inner, outer)
        Collection angles [mrad].
    cells : (x, y)
        Orthogonal cells of graphene in the periodic model that holds one adatom.
    gpts : (x, y)
        Points of the wave function per cell; 30 and 52 reach 169.3 mrad inside abTEM's antialias aperture.
    pixels : (x, y)
        Pixels per cell of the images: at least 8 and 14, for steps of at most λ / (4 semiangle) = 0.326 Å.
    patch : int
        Pixels per side of a contrast patch.
    patch_step : float
        Its step [Å].
    """

    energy: float = 80e3
    semiangle: float = 32.0
    bf: tuple[float, float] = (0.0, 18.7)
    adf: tuple[float, float] = (46.8, 169.3)
    cells: tuple[int, int] = (7, 4)
    gpts: tuple[int, int] = (30, 52)
    pixels: tuple[int, int] = (8, 14)
    patch: int = 42
    patch_step: float = 0.3
    parametrization: str = "lobato"
    projection: str = "infinite"

    @property
    def extent(self) -> np.ndarray:
        """Lengths (x, y) of the periodic model [Å]."""
        return np.array(self.cells) * CELL

    @property
    def wavelength(self) -> float:
        """Relativistic wavelength [Å]."""
        from ase import units

        momentum_c2 = self.energy * (self.energy + 2 * units._me * units._c**2 / units._e)
        return units._hplanck * units._c / units._e / sqrt(momentum_c2) * 1e10


# ---------------------------------------------------------------------------------------------------- structure
def graphene(cells: tuple[int, int], adatoms: Sequence[tuple[float, float]] = ()):
    """Four layers ABAB of graphene, and Au above them at the points (x, y) [Å]; an `ase.Atoms`."""
    from ase import Atoms

    extent = np.array(cells) * CELL
    corners = np.stack(np.meshgrid(*map(np.arange, cells), indexing="ij"), axis=-1).reshape(-1, 2) * CELL
    lattice = np.concatenate([corners, corners + PRIMITIVE[1]])
    bond = PRIMITIVE.sum(axis=0) / 3  # layer A has atoms at 0 and 1 bond, layer B, shifted by a bond, at 1 and 2
    layers = [lattice + (layer % 2 + atom) * bond for layer in range(LAYERS) for atom in (0, 1)]
    carbon, gold = np.concatenate(layers) % extent, np.reshape(adatoms, (-1, 2)) % extent
    heights = ADATOM_HEIGHT + (np.arange(LAYERS) + 0.5) * INTERLAYER
    z = np.concatenate([np.repeat(heights, 2 * len(lattice)), np.full(len(gold), ADATOM_HEIGHT / 2)])
    symbols = ["C"] * len(carbon) + ["Au"] * len(gold)
    return Atoms(symbols, np.column_stack([np.concatenate([carbon, gold]), z]), cell=(*extent, sum(SLICES)), pbc=True)


def site_positions() -> np.ndarray:
    """The sites of the library, float [9, 2]: (x, y) [Å]."""
    return np.array(SITES) @ PRIMITIVE


def potential(atoms, stem: Stem, cells: tuple[int, int]):
    """The model's projected potential, an `abtem` array."""
    import abtem

    return abtem.Potential(
        atoms,
        gpts=tuple(np.multiply(cells, stem.gpts).tolist()),
        slice_thickness=SLICES,
        parametrization=stem.parametrization,
        projection=stem.projection,
    ).build(lazy=False)


# ---------------------------------------------------------------------------------------------------- library
def scattering_matrix(adatoms: Sequence[tuple[float, float]], stem: Stem, batch: int = 32) -> np.ndarray:
    """S(q, k) of the periodic model with adatoms at the points (x, y) [Å].

    Returns
    -------
    complex64 [K, Q]
        Plane waves inside the aperture x diffraction inside the detectors, in the order of `_beams`.
    """
    import abtem
    from abtem.core.axes import OrdinalAxis

    incident, scattered = _beams(stem, stem.semiangle), _beams(stem, stem.adf[1])
    gpts = np.multiply(stem.cells, stem.gpts)
    x, y = (np.exp(2j * pi * np.outer(beams, np.arange(n) / n)) for beams, n in zip(incident.T, gpts, strict=True))
    rows = []
    with abtem.config.set({"fft": "numpy", "diagnostics.progress_bar": False}):
        slices = potential(graphene(stem.cells, adatoms), stem, stem.cells)
        for first in range(0, len(incident), batch):
            part = slice(first, first + batch)
            plane = (x[part, :, None] * y[part, None, :]).astype(np.complex64)
            axes = [OrdinalAxis(values=tuple(range(len(plane))))]
            waves = abtem.Waves(plane, stem.energy, tuple(stem.extent), ensemble_axes_metadata=axes)
            leaving = np.asarray(waves.multislice(slices).array)
            rows.append(np.fft.fft2(leaving, norm="forward")[:, scattered[:, 0], scattered[:, 1]])
    return np.concatenate(rows).astype(np.complex64)


def stem_image(matrix: np.ndarray, stem: Stem, aberrations: Aberrations, batch: int = 1024) -> np.ndarray:
    """ADF and BF image of the whole periodic model, in fractions of the incident beam.

    Returns
    -------
    float32 [ny, nx, 2]
        BF is multiplied by ideal / vacuum, since a disc of few reciprocal pixels has not quite its area.
    """
    incident, scattered = _beams(stem, stem.semiangle), _beams(stem, stem.adf[1])
    probe, detectors = _probe(incident, stem, aberrations), _detectors(scattered, stem)
    nx, ny = np.multiply(stem.cells, stem.pixels)
    image = np.zeros((2, nx, ny))
    for first in range(0, len(scattered), batch):
        part = slice(first, first + batch)
        waves = np.zeros((len(scattered[part]), nx, ny), np.complex64)
        waves[:, incident[:, 0], incident[:, 1]] = (probe[:, None] * matrix[:, part]).T
        intensity = np.abs(np.fft.fft2(waves)) ** 2
        image += np.tensordot(detectors[:, part], intensity, axes=1)
    vacuum = _vacuum_bf(incident, probe, stem)
    image[1] *= ideal_bf(stem) / vacuum
    return np.moveaxis(image, (0, 1, 2), (2, 1, 0)).astype(np.float32)


def ideal_bf(stem: Stem) -> float:
    """What the bright-field detector collects of a probe in vacuum."""
    return (stem.bf[1] / stem.semiangle) ** 2


def unit_cell(image: np.ndarray, stem: Stem) -> np.ndarray:
    """One orthogonal cell [ny, nx, 2] of the image of bare graphene: the mean over the cells of the model."""
    (columns, rows), (nx, ny) = stem.cells, stem.pixels
    return image.reshape(rows, ny, columns, nx, 2).mean(axis=(0, 2))


def contrast_patch(contrast: np.ndarray, site: np.ndarray, stem: Stem) -> np.ndarray:
    """What one adatom at `site` (x, y) [Å] adds to the image of graphene, tapered to 0 at the edge.

    The periodic image `contrast` [ny, nx, 2] is evaluated by its Fourier series at the pixels of a square patch whose
    pixel (patch // 2, patch // 2) lies on the adatom; float32 [patch, patch, 2].
    """
    offset = (np.arange(stem.patch) - stem.patch // 2) * stem.patch_step
    y, x = (
        np.exp(2j * pi * np.outer(centre + offset, np.fft.fftfreq(count, 1 / count)) / length)
        for centre, length, count in zip(site[::-1], stem.extent[::-1], contrast.shape[:2], strict=True)
    )
    series = np.fft.fft2(contrast, axes=(0, 1), norm="forward")
    patch = np.einsum("iy,jx,yxc->ijc", y, x, series, optimize=True).real
    half = stem.patch // 2 * stem.patch_step
    inside = np.clip((half - np.hypot(offset[:, None], offset)) / (TAPER * half), 0, 1)
    return (patch * np.sin(pi / 2 * inside)[..., None] ** 2).astype(np.float32)


def _beams(stem: Stem, angle: float) -> np.ndarray:
    """Reciprocal lattice points (h, k) of the periodic model up to an angle [mrad] and half a point; int [n, 2]."""
    reach = 1e-3 * angle / stem.wavelength * stem.extent
    h, k = (np.arange(-int(r) - 1, int(r) + 2) for r in reach)
    beams = np.stack(np.meshgrid(h, k, indexing="ij"), axis=-1).reshape(-1, 2)
    return beams[_angles(beams, stem) < angle + _resolution(stem) / 2]


def _angles(beams: np.ndarray, stem: Stem) -> np.ndarray:
    """Scattering angle [mrad] of reciprocal lattice points."""
    return 1e3 * stem.wavelength * np.hypot(*(beams / stem.extent).T)


def _resolution(stem: Stem) -> float:
    """Angle [mrad] between neighbouring reciprocal lattice points."""
    return float(1e3 * stem.wavelength / np.sqrt(np.prod(stem.extent)))


def _disc(beams: np.ndarray, angle: float, stem: Stem) -> np.ndarray:
    """Part of each reciprocal lattice point's area that lies within an angle [mrad], nearly; float [n]."""
    return np.clip((angle - _angles(beams, stem)) / _resolution(stem) + 0.5, 0, 1)


def _detectors(beams: np.ndarray, stem: Stem) -> np.ndarray:
    """Sensitivity of the ADF and BF detectors, float [2, Q]."""
    outer, inner, bright = (_disc(beams, angle, stem) for angle in (stem.adf[1], stem.adf[0], stem.bf[1]))
    return np.stack([outer - inner, bright])


def _probe(beams: np.ndarray, stem: Stem, aberrations: Aberrations) -> np.ndarray:
    """A(k) exp(-i χ(k)) of unit intensity, complex64 [K]."""
    angle = 1e-3 * _angles(beams, stem)
    phase = 2 * pi / stem.wavelength * (aberrations.c10 * angle**2 / 2 + aberrations.c30 * angle**4 / 4)
    probe = _disc(beams, stem.semiangle, stem) * np.exp(-1j * phase)
    return (probe / np.linalg.norm(probe)).astype(np.complex64)


def _vacuum_bf(beams: np.ndarray, probe: np.ndarray, stem: Stem) -> float:
    """What the bright-field detector reads of the probe in vacuum."""
    return float((_disc(beams, stem.bf[1], stem) * np.abs(probe) ** 2).sum())


# ---------------------------------------------------------------------------------------------------- direct multislice
def probe(stem: Stem, cells: tuple[int, int], aberrations: Aberrations):
    """The focused probe on a model of `cells`, an `abtem.Probe`."""
    import abtem

    gpts, extent = tuple(np.multiply(cells, stem.gpts).tolist()), tuple(np.multiply(cells, CELL).tolist())
    coefficients = {"C10": aberrations.c10, "C30": aberrations.c30}
    return abtem.Probe(stem.semiangle, gpts=gpts, extent=extent, energy=stem.energy, aberrations=coefficients)


def scanned_image(adatoms, stem: Stem, cells: tuple[int, int], aberrations: Aberrations, progress=None) -> np.ndarray:
    """ADF and BF image of a whole periodic model, position by position: abTEM's probe, multislice and detectors.

    Slow, and nothing of the library has a part in it but the structure: this is what the library is checked against.
    `progress` is called with the number of columns done. Returns float32 [ny, nx, 2] as `stem_image` does.
    """
    import abtem

    detectors = [abtem.AnnularDetector(*stem.adf), abtem.AnnularDetector(*stem.bf)]
    (nx, ny), extent = np.multiply(cells, stem.pixels), np.multiply(cells, CELL)
    y = extent[1] * np.arange(ny) / ny
    columns = []
    with abtem.config.set({"fft": "numpy", "diagnostics.progress_bar": False}):
        beam = probe(stem, cells, aberrations)
        slices = potential(graphene(cells, adatoms), stem, cells)
        for column in range(nx):
            scan = abtem.CustomScan(np.column_stack([np.full(ny, extent[0] * column / nx), y]))
            images = beam.build(scan=scan, lazy=False).multislice(slices, detectors=detectors)
            columns.append([np.asarray(measured.array) for measured in images])
            if progress:
                progress(column + 1)
        vacuum = float(detectors[1].detect(beam.build(lazy=False)).array)
    image = np.moveaxis(np.array(columns), (0, 1, 2), (1, 2, 0)).astype(np.float32)
    return image * np.array([1, ideal_bf(stem) / vacuum], np.float32)
