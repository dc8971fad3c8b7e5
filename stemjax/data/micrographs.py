"""HRTEM micrographs from exit waves, such as Pt on CeO2: which, how they are recorded, and crops to train on.

    exit wave -> clean image of the whole cell -> crop under flip, rotation and scale -> counts -> noise

Noise is drawn anew in every training step; `RecordedStills` are recorded once, for methods that learn from noisy
images alone: what such a method must not see is their noise drawn anew.
"""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.data.crops import crop_keys
from stemjax.data.datasets import DataSet
from stemjax.data.images import RECORDING_NOISE, Images, spread
from stemjax.data.kind import Kind
from stemjax.physics.noise import Poisson
from stemjax.physics.optics import Band, Optics, image

VACUUM_COUNTS = 0.45  # counts per pixel of vacuum in the paper's images; the unit of the `sbd` metric contract


# ---------------------------------------------------------------------------------------------------- choosing
@dataclass(frozen=True)
class Selection:
    """Which images of a data set of exit waves: every combination of item and defocus that meets the conditions.

    An empty tuple means "any". With `per_unit`, at most so many images of each unit, and with `total` of all, spread
    evenly over the list.

    Parameters
    ----------
    contrast : tuple of str
        Classes of `white`, `black`, `intermediate`.
    defocus : tuple of float
        Lowest and highest defocus [Å], both included.
    thickness : tuple of int
        Thicknesses [Å].
    """

    contrast: tuple[str, ...] = ("white",)
    particle: tuple[str, ...] = ()
    defect: tuple[str, ...] = ()
    support: tuple[str, ...] = ()
    thickness: tuple[int, ...] = ()
    defocus: tuple[float, float] = (0.0, 200.0)
    per_unit: int = 0
    total: int = 0

    def images(self, data: DataSet, split: str) -> Images:
        """The chosen images of one split, in the order of items and defocus.

        Raises
        ------
        ValueError
            If no image meets the conditions.
        """
        chosen = {}
        for index, item in enumerate(data.items):
            if item["split"] == split and self._admits(item):
                for contrast, defocus in zip(item["contrast"], data.manifest["defocus_angstrom"], strict=True):
                    admitted = not self.contrast or contrast in self.contrast
                    if admitted and self.defocus[0] <= defocus <= self.defocus[1]:
                        chosen.setdefault(item["unit"], []).append((index, defocus))
        if not chosen:
            raise ValueError(f"no image of split {split!r} in {data.folder} meets {self}; widen the selection")
        rows = [(unit, *row) for unit, rows in chosen.items() for row in spread(rows, self.per_unit)]
        units, items, defocus = zip(*spread(rows, self.total), strict=True)
        return Images(np.array(items, np.int32), np.array(units), np.array(defocus, np.float32))

    def _admits(self, item: dict) -> bool:
        conditions = {
            "particle": self.particle,
            "defect": self.defect,
            "support": self.support,
            "thickness_angstrom": self.thickness,
        }
        return all(not wanted or item[name] in wanted for name, wanted in conditions.items())


@dataclass(frozen=True)
class FewImages(Selection):
    """So many images (`total`) to learn from, and whatever their number the same few to validate with.

    Parameters
    ----------
    validation_per_unit : int
        Validation images of each structure.
    """

    validation_per_unit: int = 1

    def images(self, data: DataSet, split: str) -> Images:
        """The images of one split, see `Selection.images`."""
        chosen = self if split == "train" else replace(self, total=0, per_unit=self.validation_per_unit)
        return Selection.images(chosen, data, split)


# ---------------------------------------------------------------------------------------------------- images
@dataclass(frozen=True)
class Imaging:
    """How an exit wave becomes an image of counts.

    Parameters
    ----------
    sampling : float
        Pixel size [Å/px] of test images; rounded so that a whole number of detector pixels fits the cell.
    counts : float
        Mean counts per pixel of vacuum.
    margin : float
        Strip at the edges of the cell kept out of crops and test images [Å]. The lattice does not fit the periodic cell
        there, and a tilted wave wraps around.
    binning : int
        Detector pixels per side of a pixel: the counts of so many by so many are summed. Sampling and counts are those
        of the sum. (Sums of Poisson counts are Poisson counts of the sum, so noise is drawn once, after summing.)
    """

    sampling: float = 0.0624
    counts: float = VACUUM_COUNTS
    margin: float = 2.0
    optics: Optics = field(default_factory=Optics)
    noise: Poisson = field(default_factory=Poisson)
    binning: int = 1

    protocol: ClassVar[str] = "sbd"
    channels: ClassVar[tuple[str, ...]] = ("image",)

    @property
    def dose_scale(self) -> float:
        """Counts per intensity of the paper's images, whose vacuum is 0.45: the `dose_scale` of the metrics."""
        return self.counts / VACUUM_COUNTS

    def dose(self) -> float:
        """Electron dose [e/Å²]."""
        return self.counts / self.sampling**2

    def contract(self, clamp: bool = True) -> dict:
        """How `metrics.image.score` is to compare two images; `clamp` is off for the raw row alone."""
        return {"protocol": self.protocol, "dose_scale": self.dose_scale, "clamp": clamp}

    def device_arrays(self, data: DataSet, images: Images) -> dict:
        """What `Crops.batch` draws from: the exit waves that the images need, and the list of images, as JAX arrays."""
        needed, wave = np.unique(images.item, return_inverse=True)
        return {
            "waves": jnp.asarray(data.waves(needed)),
            "wave": jnp.asarray(wave, jnp.int32),
            "defocus": jnp.asarray(images.defocus),
        }

    def clean_images(self, data: DataSet, images: Images) -> np.ndarray:
        """Whole clean images inside the margin, rendered exactly at the detector's pixels.

        Returns
        -------
        float32 [M, P, P, 1]
            Counts; P is a multiple of 16, so that networks with up to 4 scales need no padding.
        """
        pixels, unit = round(data.band.cell / self.sampling * self.binning), 16 * self.binning
        side = int((data.band.cell - 2 * self.margin) / data.band.cell * pixels) // unit * unit
        start = (pixels - side) // 2
        render = jax.jit(lambda wave, defocus: image(wave, defocus, data.band, self.optics, pixels))
        waves = data.waves(images.item)
        cut = slice(start, start + side)
        rendered = [
            np.asarray(render(wave, defocus))[cut, cut] for wave, defocus in zip(waves, images.defocus, strict=True)
        ]
        return self.counts * block_means(np.stack(rendered), self.binning)[..., None]


@dataclass(frozen=True)
class RecordedStills(Imaging):
    """Images of simulated structures, each recorded once, as by a microscope."""

    def device_arrays(self, data: DataSet, images: Images) -> dict:
        """What `crops.ClipCrops.batch` draws from: ``noisy`` float32 [M, 1, P, P, 1], movies of one frame.

        The noise of an image depends on its structure and its defocus alone: it has the same in any list.
        """
        clean, key = self.clean_images(data, images), jax.random.key(RECORDING_NOISE)
        draw = jax.jit(
            lambda item, defocus, image: self.noise.sample(
                jax.random.fold_in(jax.random.fold_in(key, item), defocus), image
            )
        )
        rows = zip(images.item, np.rint(images.defocus).astype(np.int32), clean, strict=True)
        return {"noisy": jnp.stack([draw(*row) for row in rows])[:, None]}


# ---------------------------------------------------------------------------------------------------- batches
@dataclass(frozen=True)
class Crops:
    """The paper's augmentation: a batch of square crops, each from a random image, place, pixel size and orientation.

    The paper resizes a 1024 px image by U(0.75, 0.82), rotates it by U(-45, 45) degrees, cuts the largest inscribed
    square and crops that. Here position, rotation and scale are one affine map, sampled bilinearly from an image
    rendered at `render` px, so nothing is interpolated twice and no corner is filled. Crops lie inside the cell's
    margin wherever they fit.

    Parameters
    ----------
    size : int
        Side of a crop [px].
    count : int
        Crops in a batch.
    scale : tuple of float
        Range of the pixel size relative to the imaging's sampling.
    rotation : float
        Largest rotation, either way [degrees].
    flip : bool
        Mirror in both directions at random.
    render : int
        Pixels per side of the rendered cell.
    counts_range : tuple of float
        Range of the dose relative to the imaging's counts, log-uniform; (1, 1) is the fixed dose of the paper.
    """

    size: int = 400
    count: int = 32
    scale: tuple[float, float] = (0.957, 1.046)
    rotation: float = 45.0
    flip: bool = True
    render: int = 1024
    counts_range: tuple[float, float] = (1.0, 1.0)

    def batch(self, arrays: dict, key: jax.Array, step: jax.Array, band: Band, imaging: Imaging) -> dict:
        """The batch of one step.

        Parameters
        ----------
        arrays : dict
            From `device_arrays`.
        key : typed key
            The run's key for batches.
        step : int32 []
            Number of the step.

        Returns
        -------
        dict
            ``clean`` and ``noisy``, float32 [count, size, size, 1], in counts.
        """
        crop_key, noise_key = jax.random.split(key)
        keys = crop_keys(crop_key, step, self.count)
        clean = jax.vmap(lambda k: self._crop(arrays, k, band, imaging))(keys)[..., None]
        return {"clean": clean, "noisy": imaging.noise.sample(jax.random.fold_in(noise_key, step), clean)}

    def _crop(self, arrays: dict, key: jax.Array, band: Band, imaging: Imaging) -> jax.Array:
        choice, place, turn, size, mirror, dose = jax.random.split(key, 6)
        row = jax.random.randint(choice, (), 0, len(arrays["defocus"]))
        intensity = image(
            arrays["waves"][arrays["wave"][row]], arrays["defocus"][row], band, imaging.optics, self.render
        )
        angle = jnp.deg2rad(jax.random.uniform(turn, (), minval=-self.rotation, maxval=self.rotation))
        sampling = imaging.sampling * jax.random.uniform(size, (), minval=self.scale[0], maxval=self.scale[1])
        signs = jnp.where(self.flip & jax.random.bernoulli(mirror, 0.5, (2,)), -1.0, 1.0)
        counts = imaging.counts * jnp.exp(
            jax.random.uniform(dose, (), minval=np.log(self.counts_range[0]), maxval=np.log(self.counts_range[1]))
        )
        reach = sampling * self.size / 2 * (jnp.abs(jnp.cos(angle)) + jnp.abs(jnp.sin(angle)))
        room = jnp.maximum(band.cell / 2 - imaging.margin - reach, 0.0)
        centre = band.cell / 2 + room * jax.random.uniform(place, (2,), minval=-1.0, maxval=1.0)
        fine = sampling / imaging.binning, angle, self.size * imaging.binning
        return counts * block_means(resample(intensity, band.cell, centre, *fine, signs), imaging.binning)


def block_means(images, count: int):
    """Means over blocks of ``count x count`` pixels: [..., H, W] -> [..., H / count, W / count]."""
    if count == 1:
        return images
    *lead, height, width = images.shape
    return images.reshape(*lead, height // count, count, width // count, count).mean((-3, -1))


def resample(intensity: jax.Array, cell: float, centre, sampling, angle, size: int, signs=(1.0, 1.0)) -> jax.Array:
    """A square of a periodic image, turned and with pixels of another size, by bilinear interpolation.

    Parameters
    ----------
    intensity : [n, n]
        One cell.
    cell : float
        Its side [Å].
    centre : (y, x)
        Of the square, in the cell [Å].
    sampling, angle : float
        Pixel size [Å] and orientation [rad].
    size : int
        Side of the square [px].
    signs : (y, x)
        -1 mirrors that direction.
    """
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    grid = (jnp.arange(size) - (size - 1) / 2) * sampling
    v, u = signs[0] * grid[:, None], signs[1] * grid[None, :]
    y, x = centre[0] + cos * v + sin * u, centre[1] - sin * v + cos * u
    scale = intensity.shape[0] / cell
    return _bilinear(intensity, y * scale, x * scale)


def _bilinear(periodic: jax.Array, y: jax.Array, x: jax.Array) -> jax.Array:
    """Bilinear samples of a periodic image [n, n] at positions [px]."""
    n = periodic.shape[0]
    y0, x0 = jnp.floor(y), jnp.floor(x)
    dy, dx = y - y0, x - x0
    y0, x0 = y0.astype(jnp.int32) % n, x0.astype(jnp.int32) % n
    y1, x1 = (y0 + 1) % n, (x0 + 1) % n
    top = periodic[y0, x0] * (1 - dx) + periodic[y0, x1] * dx
    bottom = periodic[y1, x0] * (1 - dx) + periodic[y1, x1] * dx
    return top * (1 - dy) + bottom * dy


_COMMON = Imaging(sampling=0.0979, counts=1.8), Selection(contrast=("white",)), Crops(), "electrons per pixel"
KINDS = (
    Kind(
        "pt-ceo2",
        *_COMMON,
        "Exit waves of Pt nanoparticles on CeO2 by multislice: structures, thicknesses and tilts of the particle. A "
        "micrograph is a function of an exit wave, defocus, coherence and dose, computed when asked for.",
        "pt-ceo2",
        "pt_ceo2",
    ),
    Kind(
        "pt-ceo2-surface",
        *_COMMON,
        "Exit waves of a Pt nanoparticle on CeO2 whose surface lost or gained atoms: 44 structures, to test whether a "
        "denoised image shows the columns that are there.",
        "pt-ceo2 --surface",
        "pt_ceo2",
        {"name": "pt-ceo2-surface"},
    ),
)
