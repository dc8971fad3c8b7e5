"""A movie from a file or a folder, to train on and denoise; `stemjax.data.au_graphene` has simulated ones.

`Recording` takes the place of the data set, `RecordedFrames` (or `image_folder.RecordedPatches`) chooses what is learnt
from, and `RecordedImaging` puts it on the device for `crops.MovieCrops`. There is no clean movie, so a method is
judged by its own loss on what it is not trained on.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from stemjax import files
from stemjax.data.crops import with_statistics
from stemjax.data.images import HELD, KEPT, Images, frames_of, spread

VALIDATION_EVERY = 10  # frames of which one is for validation
HELD_OUT = 0.1  # part of the pixels of a single image that is for validation
FEW = 4  # channels that a microscope records at once


@dataclass(frozen=True)
class Recording:
    """A movie whose frames are read when asked for; see `open_recording`.

    Parameters
    ----------
    path : Path
        Of the file, or of the folder whose images are the frames.
    movie : [T, H, W, C]
        Any real numbers; usually a memory map, or a `files.FolderStack`.
    recipe_hash : str
        Identity: of the shape and the pixels; "" where nobody asked for it.
    sampling : float or None
        Pixel size [Å], where the file says.
    fill_nonfinite : bool or None
        Whether NaN and infinite pixels are filled in; None is no, where there is no option to ask for it.

    Raises
    ------
    ValueError
        If axes seem to be swapped.
    """

    path: Path
    movie: np.ndarray
    recipe_hash: str = ""
    sampling: float | None = None
    fill_nonfinite: bool | None = None
    band: None = None  # there is no exit wave

    def __post_init__(self):
        frames, height, width, channels = self.movie.shape
        # More than a handful of channels, and fewer frames than those: C was said of the frames.
        if channels > 1 and (channels >= min(height, width) or channels > max(frames, FEW) and frames > 1):
            size = f"{frames} frames of {height} x {width} pixels and {channels} channels"
            raise ValueError(f"{self.path}: {size}: its axes seem to be swapped; say which they are, e.g. --axes TCHW")

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def folder(self) -> Path:
        """What messages call it by, as they do a data set."""
        return self.path

    @property
    def items(self) -> list[dict]:
        """As those of a data set: one movie."""
        return [{"id": self.path.stem, "unit": self.path.stem, "frames": len(self.movie)}]

    def where(self, index: int) -> str:
        """What messages call a frame: its number, or the file that it is."""
        if isinstance(self.movie, files.FolderStack):
            return self.movie.where(index)
        return f"{self.path}: frame {index}" if len(self.movie) > 1 else str(self.path)

    def frame(self, index: int, part: tuple[slice, slice] = (slice(None), slice(None))) -> np.ndarray:
        """One frame, or the rows and columns of it that are in `part`, float32 [H, W, C].

        Raises
        ------
        ValueError
            If it holds NaN, infinite pixels (which are not to be filled in) or numbers beyond float32.
        """
        frame = self.movie[index][part]
        try:
            frame = files.to_float32(frame)
            if self.fill_nonfinite and not np.isfinite(frame).all():
                frame, _ = files.fill_nonfinite(frame)
            files.refuse_nonfinite(files.Image(frame), self._fix_of_nonfinite())
        except ValueError as error:
            raise ValueError(f"{self.where(index)}: {error}") from error
        return frame

    def _fix_of_nonfinite(self) -> str:
        """What messages say can be done about NaN and infinite pixels."""
        if self.fill_nonfinite is not None:
            return "--fill-nonfinite fills them in"
        if isinstance(self.movie, files.FolderStack):
            return "mend that file or take it out of the folder"
        return "mend that frame or save the movie without it" if len(self.movie) > 1 else "mend the file"

    def frames(self) -> Iterator[np.ndarray]:
        """All frames, one after the other."""
        return map(self.frame, range(len(self.movie)))


def open_recording(
    path: str | Path, axes: str | None = None, fill_nonfinite: bool | None = None, stacks: bool = False
) -> Recording:
    """Open a movie, an image or a folder of images of any size, and read every frame once to see that it is sound.

    Parameters
    ----------
    axes : str, optional
        What the axes of the file, or of every file of the folder, mean; see `files.read_image`.
    fill_nonfinite : bool or None
        Fill in NaN and infinite pixels instead of refusing them; see `Recording`.
    stacks : bool
        Whether the files of a folder may be stacks of frames.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If axes seem to be swapped, or a frame is constant or holds NaN or infinite pixels; the message names the frame.
    """
    return check_recording(map_recording(read_frames(path, axes, stacks), fill_nonfinite))


def check_recording(data: Recording) -> Recording:
    """A recording whose every frame has been read and is sound, with its identity.

    Raises
    ------
    ValueError
        If a frame is constant or holds NaN or infinite pixels; the message names the frame.
    """
    digest = hashlib.sha256(repr(data.movie.shape).encode())
    for index, frame in enumerate(data.frames()):
        for channel in np.flatnonzero(np.ptp(frame, axis=(0, 1)) == 0):
            where = data.where(index) + (f", channel {channel}" if frame.shape[-1] > 1 else "")
            value = f"constant ({frame[0, 0, channel]:g}), as from a beam that was off"
            fix = "take it out of the folder" if data.path.is_dir() else "save the movie without it"
            raise ValueError(f"{where} is {value}; {fix}")
        digest.update(frame.tobytes())
    return replace(data, recipe_hash=digest.hexdigest()[:16])


def read_frames(path: str | Path, axes: str | None = None, stacks: bool = False) -> files.Image:
    """The movie or image of a file, or the images of a folder as a movie, left on the disk."""
    if Path(path).is_dir():
        return files.read_folder(path, axes, stacks)
    return files.read_file(path, axes)


def map_recording(image: files.Image, fill_nonfinite: bool | None = None) -> Recording:
    """The frames of an image or a movie, of which none has been looked at."""
    movie = image.data if image.data.ndim == 4 else image.data[None]
    return Recording(image.path, movie, sampling=image.sampling, fill_nonfinite=fill_nonfinite)


@dataclass(frozen=True)
class RecordedFrames:
    """Frames to train on and to validate with.

    Of every ten frames one is for validation, at least one in all. A single image is both: of its pixels, a fixed tenth
    is for validation, and no training compares with them, though it sees them as the surroundings of others.

    Parameters
    ----------
    budget : float
        Memory for the frames of a split on the device [bytes]. Of a longer movie, frames spread evenly are taken.
    per_unit : int
        At most so many frames, spread evenly; 0 is no limit.
    """

    budget: float = 2e9
    per_unit: int = 0

    def images(self, data: Recording, split: str) -> Images:
        """The frames of split "train" or "validation".

        Raises
        ------
        ValueError
            If a single frame is larger than the budget, or the split is another one.
        """
        refuse_split(data, split)
        count = len(data.movie)
        every = min(count, VALIDATION_EVERY)
        frames = np.arange(count)
        if count > 1:
            frames = frames[(frames % every == every - 1) == (split == "validation")]
        most = int(self.budget / (4 * data.movie[0].size))
        if not most:
            raise ValueError(
                f"{data.path}: a frame takes more than the {self.budget:g} bytes allowed; raise the budget"
            )
        frames = spread(frames, min(most, self.per_unit or most)).astype(np.int32)
        targets = "" if count > 1 else KEPT if split == "train" else HELD
        return replace(frames_of(data, np.zeros_like(frames), frames), targets=targets)


@dataclass(frozen=True)
class RecordedClips:
    """Frames, one after the other, to train a denoiser of movies on and to validate it with.

    The last tenth of the frames, and at least `least`, is for validation. A movie that is shorter than three times
    `least` is both whole: the loss is then taken of what the network learnt from.

    Parameters
    ----------
    least : int
        Frames that a clip has at least.
    budget : float
        Memory for the frames of a split on the device [bytes]. Of a longer movie, as many in the middle are taken.
    per_unit : int
        At most so many frames, from the middle; 0 is no limit.
    """

    least: int = 1
    budget: float = 2e9
    per_unit: int = 0

    def images(self, data: Recording, split: str) -> Images:
        """The frames of split "train" or "validation".

        Raises
        ------
        ValueError
            If `least` frames are larger than the budget, there are fewer, or the split is another one.
        """
        refuse_split(data, split)
        count = len(data.movie)
        if count < self.least:
            frames = f"{count} frame{'s' * (count > 1)}"
            raise ValueError(f"{data.path}: {frames}, but the model learns from {self.least} or more: use wcid")
        held = max(count // VALIDATION_EVERY, self.least)
        frames = np.arange(count, dtype=np.int32)
        if count >= 3 * self.least:
            frames = frames[-held:] if split == "validation" else frames[:-held]
        most = int(self.budget / (4 * data.movie[0].size))
        if most < self.least:
            raise ValueError(f"{data.path}: its frames take more than the {self.budget:g} bytes allowed; cut them")
        most = min(most, self.per_unit or most, len(frames))
        start = (len(frames) - most) // 2
        frames = frames[start : start + most]
        return frames_of(data, np.zeros_like(frames), frames)


def read_images(data: Recording, images: Images) -> np.ndarray:
    """The frames of a list, or its pieces of frames, float32 [M, H, W, C]; of mapped frames nothing else is read."""
    if images.corner is None:
        return np.stack([data.frame(index) for index in images.frame])
    parts = [(slice(y, y + images.side), slice(x, x + images.side)) for y, x in images.corner]
    return np.stack([data.frame(index, part) for index, part in zip(images.frame, parts, strict=True)])


def refuse_split(data: Recording, split: str) -> None:
    """Raise ValueError unless the split is "train" or "validation"."""
    if split not in ("train", "validation"):
        raise ValueError(f"{data.path}: a recording has no split {split!r}, only 'train' and 'validation'")


@dataclass(frozen=True)
class RecordedMovie:
    """A recording for denoisers of movies, in its own unit, with the noise that it has; each channel is a movie.

    Parameters
    ----------
    sampling : float or None
        Pixel size [Å], where it is known.
    """

    sampling: float | None = None

    protocol: ClassVar[str] = "movie"
    channels: ClassVar[tuple[str, ...]] = ("image",)

    def contract(self, clamp: bool = True) -> dict:
        """How `metrics.image.score` is to compare two frames."""
        return {"protocol": self.protocol}

    def device_arrays(self, data: Recording, images: Images) -> dict:
        """What `crops.ClipCrops.batch` draws from: ``noisy`` float32 [C, T, H, W, 1]."""
        frames = np.stack([data.frame(index) for index in images.frame])
        return {"noisy": jnp.asarray(np.moveaxis(frames, -1, 0)[..., None])}


@dataclass(frozen=True)
class RecordedImaging:
    """The channels of a recording, in its own unit, with the noise that it has.

    Parameters
    ----------
    channels : tuple of str
        Names of the file's channels, all of them and in its order.
    sampling : float or None
        Pixel size [Å], where it is known.
    """

    channels: tuple[str, ...] = ("image",)
    sampling: float | None = None

    protocol: ClassVar[str] = "stem"

    def contract(self, clamp: bool = True) -> dict:
        """How `metrics.image.score` is to compare two images; nothing is clamped."""
        return {"protocol": self.protocol}

    def device_arrays(self, data: Recording, images: Images) -> dict:
        """What `crops.MovieCrops.batch` draws from, as `au_graphene.GrapheneImaging.device_arrays` gives it.

        For a single image also ``targets`` float32 [1, H, W, 1]: 1 where a loss may compare with a pixel.

        Raises
        ------
        ValueError
            If the recording has another number of channels.
        """
        *_, height, width, count = data.movie.shape
        if count != len(self.channels):
            known = f"{len(self.channels)} ({', '.join(self.channels)})"
            raise ValueError(f"{data.path}: {count} channels, but the model is for {known}; train one for this movie")
        arrays = with_statistics(jnp.asarray(read_images(data, images)), images.item)
        if images.targets:
            held = jax.random.bernoulli(jax.random.key(0), HELD_OUT, (1, height, width, 1))
            arrays["targets"] = (held if images.targets == HELD else ~held).astype(jnp.float32)
        return arrays
