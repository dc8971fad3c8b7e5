"""Lists of images: which images of a data set are meant, and the fixed noise that test images have.

`Images` is the one list, whatever an image is: an exit wave at a defocus, a frame of a movie, a window of a photograph,
a still. A selection chooses one: `Frames` and `OneMovie` here, for movies of any kind; others stand with their kind.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import jax
import numpy as np

VALIDATION_NOISE, TEST_NOISE = 1_000_001, 1_000_002  # seeds of the fixed noise, the same for every method and run
RECORDING_NOISE = 1_000_003  # seed of the noise that a simulated movie, or an image to learn from, was recorded with
USUAL_DEFOCUS = 60.0  # Å, of the images that the SBD paper shows
KEPT, HELD = "kept", "held out"
_NAME = re.compile(r"(?P<item>.*)-(?:defocus(?P<defocus>-?[\d.]+)|frame(?P<frame>\d+)|(?P<y>\d+)-(?P<x>\d+))")


@dataclass(frozen=True)
class Images:
    """A list of images: the item that each is of, and the place in it.

    Parameters
    ----------
    item : int [M]
        Index into the data set's items: exit wave, movie, photograph, character or still.
    unit : str [M]
        Split unit: a structure, a movie or a photograph, over which intervals are taken.
    defocus : float [M], optional
        C10 [Å], of an exit wave.
    frame : int [M], optional
        Number of the frame, of a movie.
    corner : int [M, 2], optional
        (y, x) [px], of a window of a photograph or a piece of a frame.
    side : int
        Of such pieces [px]; 0 where the kind of data says it.
    targets : {"", "kept", "held out"}
        Which pixels a loss may compare with: all, those for training or those for validation.
    """

    item: np.ndarray
    unit: np.ndarray
    defocus: np.ndarray | None = None
    frame: np.ndarray | None = None
    corner: np.ndarray | None = None
    side: int = 0
    targets: str = ""

    def __len__(self) -> int:
        return len(self.item)

    @property
    def typical(self) -> int:
        """The image to show: the first, or of exit waves the one nearest to the usual defocus."""
        return 0 if self.defocus is None else int(np.argmin(np.abs(self.defocus - USUAL_DEFOCUS)))

    def names(self, data) -> list[str]:
        """A name for every image: that of its item, and its place in it."""
        names = [data.items[item]["id"] for item in self.item]
        if self.defocus is not None:
            names = [f"{name}-defocus{value:g}" for name, value in zip(names, self.defocus, strict=True)]
        if self.frame is not None:
            names = [f"{name}-frame{number:03d}" for name, number in zip(names, self.frame, strict=True)]
        if self.corner is not None:
            names = [f"{name}-{y}-{x}" for name, (y, x) in zip(names, self.corner, strict=True)]
        return names

    def part(self, rows) -> "Images":
        """Some of the images: `rows` are their places in the list, or a mask."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(self, **{name: array[rows] for name, array in arrays.items() if isinstance(array, np.ndarray)})

    def by_item(self) -> Iterator[np.ndarray]:
        """Rows of images of one item that follow one another, such as the frames of a movie."""
        yield from np.split(np.arange(len(self)), np.flatnonzero(np.diff(self.item)) + 1)


def frames_of(data, item, frame) -> Images:
    """The list of frames of movies: `item` [M] and `frame` [M] are whole numbers."""
    units = np.array([data.items[index]["unit"] for index in item])
    return Images(np.asarray(item, np.int32), units, frame=np.asarray(frame, np.int32))


def images_named(data, names: Sequence[str]) -> Images:
    """The list of images that have these names, all of them frames, windows, or images at a defocus.

    Raises
    ------
    ValueError
        If one is of no item of the data set.
    """
    numbers = {item["id"]: index for index, item in enumerate(data.items)}
    parsed = [{"item": name} if name in numbers else (_NAME.fullmatch(name) or {}) for name in names]
    for name, place in zip(names, parsed, strict=True):
        if not place or place["item"] not in numbers:
            raise ValueError(f"{data.folder} has no image {name!r}")
    item = np.array([numbers[place["item"]] for place in parsed], np.int32)
    images = Images(item, np.array([data.items[index]["unit"] for index in item]))
    places = [place if isinstance(place, dict) else place.groupdict() for place in parsed]
    if all(place.get("defocus") for place in places):
        return replace(images, defocus=np.array([float(place["defocus"]) for place in places], np.float32))
    if all(place.get("frame") for place in places):
        return replace(images, frame=np.array([int(place["frame"]) for place in places], np.int32))
    if all(place.get("y") for place in places):
        return replace(images, corner=np.array([[int(place["y"]), int(place["x"])] for place in places]))
    return images


def spread(values, count: int):
    """At most `count` of the values, the middles of as many equal parts; all of them where count is 0."""
    if not count or len(values) <= count:
        return values
    chosen = ((np.arange(count) + 0.5) * len(values) / count).astype(int)
    return values[chosen] if isinstance(values, np.ndarray) else [values[place] for place in chosen]


# ---------------------------------------------------------------------------------------------------- frames of movies
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

    def images(self, data, split: str) -> Images:
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
            frames = spread(np.arange(start, data.items[index]["frames"], self.stride), self.per_unit)
            item += [index] * len(frames)
            frame += frames.tolist()
        if not item:
            raise ValueError(f"no frame of split {split!r} in {data.folder} meets {self}; widen the selection")
        return frames_of(data, item, frame)


@dataclass(frozen=True)
class OneMovie:
    """The frames of one movie, of whatever split, to learn from what is to be denoised.

    Parameters
    ----------
    movie : str
        Its id in the data set.
    held_out : int
        So many of its last frames validate and are not learnt from; 0 validates with the frames that are.
    learnt : int
        So many of its first frames are learnt from; 0 is all that are not held out.
    per_unit : int
        At most so many frames, spread evenly; 0 is no limit.
    """

    movie: str
    held_out: int = 0
    learnt: int = 0
    per_unit: int = 0

    def images(self, data, split: str) -> Images:
        """The frames of split "train" or "validation".

        Raises
        ------
        ValueError
            If there is no such movie or split, or no frame is left to learn from.
        """
        if split not in ("train", "validation"):
            raise ValueError(f"{self.movie}: no split {split!r} of one movie, only 'train' and 'validation'")
        number = next((index for index, item in enumerate(data.items) if item["id"] == self.movie), None)
        if number is None:
            raise ValueError(f"{data.folder}: no movie {self.movie!r}; it has {[item['id'] for item in data.items]}")
        count = data.items[number]["frames"]
        if self.held_out >= count:
            raise ValueError(f"{self.movie}: {count} frames, of which {self.held_out} cannot be held out: choose fewer")
        frames = np.arange(count - self.held_out)[: self.learnt or None]
        if split == "validation" and self.held_out:
            frames = np.arange(count - self.held_out, count)
        frames = spread(frames, self.per_unit)
        return frames_of(data, [number] * len(frames), frames)


# ---------------------------------------------------------------------------------------------------- noise
def clean_and_noisy(data, images: Images, imaging, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Test images without and with noise, [M, P, P, C] each: the noise of the recording where the imaging has that."""
    clean = imaging.clean_images(data, images)
    if hasattr(imaging, "noisy_images"):
        return clean, imaging.noisy_images(data, images)
    return clean, noisy_images(clean, imaging, seed)


def noisy_images(clean: np.ndarray, imaging, seed: int) -> np.ndarray:
    """One noise draw of each test image [M, P, P, 1]; image i depends on (seed, i) alone, so every method sees the same
    noisy pixels, and a longer list begins with a shorter one."""
    key = jax.random.key(seed)
    draw = jax.jit(lambda index, image: imaging.noise.sample(jax.random.fold_in(key, index), image))
    return np.stack([np.asarray(draw(index, image)) for index, image in enumerate(clean)])
