"""STEM movies of gold adatoms on graphene, dark and bright field, rendered when asked for.

`images.Frames` chooses the frames, `crops.MovieCrops` cuts batches. The noise of a movie is part of the movie: it is
recorded once, and a method trained on it must not see its noise drawn anew.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.data.crops import MovieCrops, with_statistics
from stemjax.data.datasets import DataSet
from stemjax.data.images import RECORDING_NOISE, Frames, Images
from stemjax.data.kind import Kind
from stemjax.physics import contrast_library
from stemjax.physics.noise import Dose, Gaussian

CHUNK = 8  # frames rendered in one call
# Largest contrast, relative to its peak, that a library may have beyond the circle that `contrast_library` draws.
SPILL = 5e-3


@dataclass(frozen=True)
class GrapheneImaging:
    """Dark-field and bright-field frames of gold on graphene, as fractions of the incident beam, with recorded noise.

    Parameters
    ----------
    noise : Gaussian or Dose
        Of the recording, and of test images.
    channels : tuple of str
        Of those that the data set has.
    """

    noise: Gaussian | Dose = field(default_factory=lambda: Gaussian(7.0))
    channels: tuple[str, ...] = ("adf", "bf")

    protocol: ClassVar[str] = "stem"
    sampling: ClassVar[float] = 0.46  # Å/px

    def contract(self, clamp: bool = True) -> dict:
        """How `metrics.image.score` is to compare two images; nothing is clamped."""
        return {"protocol": self.protocol}

    def device_arrays(self, data: DataSet, images: Images) -> dict:
        """What `MovieCrops.batch` draws from: the frames as recorded, noise included, and their normalisation.

        The noise depends on the movie and the frame alone: a channel has the same with or without the other.

        Returns
        -------
        dict
            ``noisy`` float32 [M, H, W, C]; ``offset``, ``scale`` float32 [M, 1, 1, C]: mean and 4 standard deviations
            of all the chosen frames of the same movie.
        """
        places, count = tuple(self._places(data)), len(data.manifest["frame"]["channels"])
        rendered = self._render(data, images)
        noisy = [_record(clean, item, frame, self.noise, places, count) for clean, item, frame in rendered]
        return with_statistics(jnp.concatenate(noisy), images.item)

    def clean_images(self, data: DataSet, images: Images) -> np.ndarray:
        """The frames without noise, float32 [M, H, W, C]."""
        return np.concatenate([np.asarray(clean) for clean, _, _ in self._render(data, images)])

    def _render(self, data: DataSet, images: Images) -> Iterator[tuple[jax.Array, np.ndarray, np.ndarray]]:
        """Clean frames, their movies and their numbers, at most `CHUNK` at a time and in the order of the list."""
        described, channels = data.manifest["frame"], self._places(data)
        if described["sampling_angstrom"] != self.sampling:
            sampling = f"pixels of {described['sampling_angstrom']} Å instead of {self.sampling}"
            raise ValueError(f"{data.folder}: {sampling}; make the data set again")
        pixels = (described["pixels"], described["pixels"])
        libraries = read_libraries(data, channels)
        positions, present, drift = read_motion(data, images)
        for rows in images.by_item():
            movie = data.items[images.item[rows[0]]]
            library = libraries[movie["setting"]]
            seen = _view(library, movie["rotation_deg"], movie["blur_fwhm_angstrom"], self.sampling)
            for part in np.split(rows, range(CHUNK, len(rows), CHUNK)):
                padded = np.resize(part, CHUNK)  # repeats frames, so that every call has the same shape
                clean = _movie(seen, positions[padded], present[padded], drift[padded], pixels)[: len(part)]
                yield clean, images.item[part], images.frame[part]

    def _places(self, data: DataSet) -> list[int]:
        """Which of the data set's channels these are."""
        described = data.manifest["frame"]["channels"]
        if missing := set(self.channels) - set(described):
            raise ValueError(f"{data.folder}: no channel {sorted(missing)[0]!r}; it has {described}")
        return [described.index(channel) for channel in self.channels]


_view = jax.jit(contrast_library.view, static_argnames="sampling")
_movie = jax.jit(contrast_library.movie, static_argnames="pixels")


@partial(jax.jit, static_argnames=("noise", "places", "count"))
def _record(
    clean: jax.Array, item: jax.Array, frame: jax.Array, noise: Gaussian | Dose, places: tuple[int, ...], count: int
) -> jax.Array:
    """Frames as recorded: with noise that depends on the movie and the frame alone.

    It is drawn for all `count` channels of the data set, of which those at `places` are here.
    """

    def draw(clean, item, frame):
        key = jax.random.fold_in(jax.random.fold_in(jax.random.key(RECORDING_NOISE), item), frame)
        every = jnp.zeros((*clean.shape[:-1], count), clean.dtype).at[..., jnp.array(places)].set(clean)
        return noise.sample(key, every)[..., jnp.array(places)]

    return jax.vmap(draw)(clean, item, frame)


def read_libraries(data: DataSet, channels: list[int]) -> list[contrast_library.Library]:
    """The contrast library of every setting of the microscope, with some of its channels.

    Raises
    ------
    ValueError
        If an adatom's contrast reaches beyond what is drawn of it.
    """
    described = data.manifest["library"]
    background, contrast = (data.array(f"{name}.npy")[..., channels] for name in ("background", "contrast"))
    side, size = described["patch_angstrom"], contrast.shape[-2]
    place = (np.arange(size) - size // 2) / size
    beyond = np.hypot(place[:, None], place) >= 0.5
    spill = np.abs(contrast[..., beyond, :]).max() / np.abs(contrast).max()
    if spill > SPILL:
        reach = f"beyond {side / 2:g} Å an adatom still has {spill:.1%} of its largest contrast"
        raise ValueError(f"{data.folder}: {reach}; simulate the data set again with larger patches")
    sites, cell = jnp.asarray(described["sites"], jnp.float32), tuple(described["cell_angstrom"][::-1])
    pairs = zip(background, contrast, strict=True)
    return [contrast_library.Library(jnp.asarray(b), jnp.asarray(c), sites, cell, side) for b, c in pairs]


def read_motion(data: DataSet, images: Images) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Adatoms and drift of every frame of a list.

    Returns
    -------
    positions : float32 [M, N, 2]
        (y, x) in the frame [Å]; N is that of the data set's fullest frame.
    present : bool [M, N]
    drift : float32 [M, 2]
        (y, x) [Å]
    """
    truth, frames = np.asarray(data.truth), np.asarray(data.array("frames.npy"))
    wanted = _number(images)
    known = _number(frames)
    if missing := np.flatnonzero(~np.isin(wanted, known)).tolist():
        name = images.names(data)[missing[0]]
        raise OSError(f"{data.folder}/frames.npy: has no {name}; simulate the data set again")
    order = np.argsort(known)
    rows = frames[order[np.searchsorted(known, wanted, sorter=order)]]
    drift = np.stack([rows["drift_y_angstrom"], rows["drift_x_angstrom"]], axis=-1)
    owner = _number(truth)
    order = np.argsort(owner, kind="stable")
    largest = np.unique(owner, return_counts=True)[1].max(initial=1)
    first, last = (np.searchsorted(owner, wanted, side, sorter=order) for side in ("left", "right"))
    present = np.arange(largest) < (last - first)[:, None]
    rows = np.where(present, first[:, None] + np.arange(largest), len(truth))
    atoms = np.append(truth[order], np.zeros(1, truth.dtype))[rows]  # one more, for the rows that are none
    positions = np.stack([atoms["y_angstrom"], atoms["x_angstrom"]], axis=-1)
    return positions, present, drift


def _number(rows: Images | np.ndarray) -> np.ndarray:
    """One whole number for every pair of movie and frame."""
    item, frame = (rows.item, rows.frame) if isinstance(rows, Images) else (rows["item"], rows["frame"])
    return item.astype(np.int64) << 32 | frame.astype(np.int64)


KINDS = (
    Kind(
        "au-graphene",
        GrapheneImaging(),
        Frames(),
        MovieCrops(),
        "fraction of the incident beam",
        "STEM movies of single Au atoms that move on graphene, in dark and bright field: a contrast library by "
        "multislice, positions of the atoms and drift of the specimen, from which frames are rendered.",
        "au-graphene",
        "au_graphene",
    ),
)
