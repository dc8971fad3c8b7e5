"""Simulated movies of gold on graphene, rendered when asked for, to train on and to score.

`Frames` chooses frames of a data set of movies, `GrapheneImaging` renders them, and `MovieCrops` cuts batches from
them. The noise of a movie is part of the movie: a recording is made once, and a method trained on it must not see its
noise drawn anew. `stemjax.data.recordings` has the same for a movie from a file.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.physics import render
from stemjax.data.batches import crop_keys
from stemjax.data.datasets import DataSet
from stemjax.physics.noise import Dose, Gaussian

RECORDING_NOISE = 1_000_003  # seed of the noise that a simulated movie was recorded with
PER_MOVIE = ("offset", "scale", "low", "span")  # statistics that crops come with
CHUNK = 8  # frames rendered in one call
SPILL = 5e-3  # largest contrast, relative to its peak, that a library may have beyond the circle that `render` draws


# ---------------------------------------------------------------------------------------------------- choosing
@dataclass(frozen=True)
class FrameList:
    """Frames of movies: index of the movie, number of the frame and split unit (the movie) of each, [M]."""

    item: np.ndarray
    frame: np.ndarray
    unit: np.ndarray

    def __len__(self) -> int:
        return len(self.item)

    @property
    def typical(self) -> int:
        """The frame to show."""
        return 0

    def names(self, data: DataSet) -> list[str]:
        """Movie and frame of each."""
        pairs = zip(self.item, self.frame, strict=True)
        return [f"{data.items[item]['id']}-frame{frame:03d}" for item, frame in pairs]


@dataclass(frozen=True)
class Frames:
    """Which frames of a data set of movies.

    Parameters
    ----------
    session : tuple of str
        Instrument sessions; empty means any.
    start, stride : int
        First frame, and every how many-th from there on.
    per_unit : int
        At most so many frames of each movie, spread evenly; 0 is no limit.
    movies : int
        At most so many movies, the first ones; 0 is no limit.
    held_out : bool
        Validate with the frames between those of training, where a session has no movies for validation.
    """

    session: tuple[str, ...] = ("a",)
    start: int = 0
    stride: int = 1
    per_unit: int = 0
    movies: int = 0
    held_out: bool = False

    def images(self, data: DataSet, split: str) -> FrameList:
        """The frames of one split, movie by movie.

        Raises
        ------
        ValueError
            If there are none.
        """
        start = self.start
        if self.held_out and split == "validation":
            split, start = "train", start + self.stride // 2
        chosen = [
            index
            for index, item in enumerate(data.items)
            if item["split"] == split and (not self.session or item["session"] in self.session)
        ]
        item, frame = [], []
        for index in chosen[: self.movies or None]:
            frames = np.arange(start, data.items[index]["frames"], self.stride)
            frames = spread(frames, self.per_unit or len(frames))
            item += [index] * len(frames)
            frame += frames.tolist()
        if not item:
            raise ValueError(f"no frame of split {split!r} in {data.folder} meets {self}; widen the selection")
        unit = [data.items[index]["unit"] for index in item]
        return FrameList(np.array(item, np.int32), np.array(frame, np.int32), np.array(unit))


def spread(values: np.ndarray, count: int) -> np.ndarray:
    """At most `count` of the values, the middles of as many equal parts."""
    if len(values) <= count:
        return values
    return values[((np.arange(count) + 0.5) * len(values) / count).astype(int)]


# ---------------------------------------------------------------------------------------------------- simulated movies
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

    def device_arrays(self, data: DataSet, images: FrameList) -> dict:
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

    def clean_images(self, data: DataSet, images: FrameList) -> np.ndarray:
        """The frames without noise, float32 [M, H, W, C]."""
        return np.concatenate([np.asarray(clean) for clean, _, _ in self._render(data, images)])

    def _render(self, data: DataSet, images: FrameList) -> Iterator[tuple[jax.Array, np.ndarray, np.ndarray]]:
        """Clean frames, their movies and their numbers, at most `CHUNK` at a time and in the order of the list."""
        described, channels = data.manifest["frame"], self._places(data)
        if described["sampling_angstrom"] != self.sampling:
            found = f"pixels of {described['sampling_angstrom']} Å instead of {self.sampling}"
            raise ValueError(f"{data.folder}: {found}; make the data set again")
        pixels = (described["pixels"], described["pixels"])
        libraries = read_libraries(data, channels)
        positions, present, drift = read_motion(data, images)
        edges = np.flatnonzero(np.diff(images.item)) + 1
        for rows in np.split(np.arange(len(images)), edges):
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


_view = jax.jit(render.view, static_argnames="sampling")
_movie = jax.jit(render.movie, static_argnames="pixels")


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


def read_libraries(data: DataSet, channels: list[int]) -> list[render.Library]:
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
    return [render.Library(jnp.asarray(b), jnp.asarray(c), sites, cell, side) for b, c in pairs]


def read_motion(data: DataSet, images: FrameList) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
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


def _number(rows: FrameList | np.ndarray) -> np.ndarray:
    """One whole number for every pair of movie and frame."""
    item, frame = (rows.item, rows.frame) if isinstance(rows, FrameList) else (rows["item"], rows["frame"])
    return item.astype(np.int64) << 32 | frame.astype(np.int64)


def with_statistics(noisy: jax.Array, movie: np.ndarray) -> dict:
    """Frames [M, H, W, C] with statistics of all frames of the same movie [M].

    ``offset``, ``scale``: mean and 4 standard deviations; ``low``, ``span``: minimum and maximum - minimum (or 1).
    """
    mean, variance = (np.asarray(function(noisy, axis=(1, 2)), np.float64) for function in (jnp.mean, jnp.var))
    least, most = (np.asarray(function(noisy, axis=(1, 2))) for function in (jnp.min, jnp.max))
    found = {name: np.empty_like(mean) for name in PER_MOVIE}
    for index in np.unique(movie):
        rows = movie == index
        found["offset"][rows] = mean[rows].mean(axis=0)
        found["scale"][rows] = 4 * np.sqrt(variance[rows].mean(axis=0) + mean[rows].var(axis=0))
        found["low"][rows] = low = least[rows].min(axis=0)
        found["span"][rows] = np.where(most[rows].max(axis=0) > low, most[rows].max(axis=0) - low, 1)
    return {"noisy": noisy} | {name: jnp.asarray(v[:, None, None, :], jnp.float32) for name, v in found.items()}


# ---------------------------------------------------------------------------------------------------- batches
@dataclass(frozen=True)
class MovieCrops:
    """A batch of square crops, each from a random frame and place, noise and all as recorded.

    Parameters
    ----------
    size : int
        Side of a crop [px].
    count : int
        Crops in a batch.
    flip : bool
        Mirror in both directions at random. Nothing is turned: scans have a fast and a slow direction.
    """

    size: int = 64
    count: int = 8
    flip: bool = False

    def batch(self, arrays: dict, key: jax.Array, step: jax.Array, band: None, imaging) -> dict:
        """The batch of one step; see `batches.Crops.batch`.

        Returns
        -------
        dict
            ``noisy`` float32 [count, size, size, C] in the unit of the movie; ``offset``, ``scale``, ``low``, ``span``
            [count, 1, 1, C] of its movie (see `with_statistics`); where the frames have them, ``clean`` as ``noisy``
            (`haadf.HaadfImaging`) and ``targets`` [count, size, size, 1] (`recordings.RecordedImaging`).

        Raises
        ------
        ValueError
            If the frames are smaller than a crop.
        """
        height, width = arrays["noisy"].shape[1:3]
        if self.size > min(height, width):
            raise ValueError(f"crops of {self.size} px are larger than the frames of {height} x {width}: choose less")
        return jax.vmap(lambda k: self._crop(arrays, k))(crop_keys(key, step, self.count))

    def _crop(self, arrays: dict, key: jax.Array) -> dict:
        choice, place, mirror = jax.random.split(key, 3)
        frames, height, width, _ = arrays["noisy"].shape
        row = jax.random.randint(choice, (), 0, frames)
        top, left = jax.random.randint(place, (2,), 0, jnp.array([height, width]) - self.size + 1)
        turned = self.flip & jax.random.bernoulli(mirror, 0.5, (2,))

        def cut(images: jax.Array) -> jax.Array:
            crop = jax.lax.dynamic_slice(images, (row, top, left, 0), (1, self.size, self.size, images.shape[-1]))[0]
            crop = jnp.where(turned[0], crop[::-1], crop)
            return jnp.where(turned[1], crop[:, ::-1], crop)

        images = {name: cut(arrays[name]) for name in ("noisy", "clean", "targets") if name in arrays}
        return images | {name: arrays[name][row] for name in PER_MOVIE if name in arrays}
