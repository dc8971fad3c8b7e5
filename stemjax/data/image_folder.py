"""Folders of images and stacks larger than the memory: pieces of them to learn from, and pairs with clean images.

A folder is a `recordings.Recording` whose frames are its files, see `files.read_folder`; grey or RGB, of one size. In
`ImagePairs` files are split, to learn from, to validate with and to test on.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from stemjax import files
from stemjax.data.datasets import recipe_hash
from stemjax.data.images import Images, spread
from stemjax.data.recordings import VALIDATION_EVERY, Recording, open_recording, refuse_split

SPLITS = ("train", "validation", "test", "train", "test")  # of files by turns
NOISY, CLEAN = "noisy", "clean"  # folders of pairs


# ---------------------------------------------------------------------------------------------------- pairs
def open_pairs(noisy: str | Path, clean: str | Path, axes: str | None = None) -> tuple[Recording, Recording]:
    """Two folders, of noisy images or stacks and of what they show without noise, under the same names.

    Raises
    ------
    OSError, ValueError
        If one of them is not sound, or an image in one has no counterpart of its size in the other.
    """
    pair = tuple(open_recording(folder, axes, stacks=True) for folder in (noisy, clean))
    for one, other in (pair, pair[::-1]):
        if not isinstance(one.movie, files.FolderStack):
            raise ValueError(f"{one.path}: pairs are two folders: give the one that the file is in")
        names = set(_names(other))
        if missing := [row for row, name in enumerate(_names(one)) if name not in names]:
            where = one.where(missing[0])
            raise ValueError(f"{where}: has no counterpart of its name in {other.path}; add it, or take this out")
    if pair[0].movie.frame_shape != pair[1].movie.frame_shape:
        sizes = " and ".join("{} x {} x {}".format(*one.movie.frame_shape) for one in pair)
        raise ValueError(f"{noisy}: pairs of unlike size, {sizes}: scale one of them")
    return pair


def _names(data: Recording) -> list[tuple[str, int]]:
    """File and place in it of every frame of a folder that was opened with `stacks`."""
    return [(path.name, place) for path, place in zip(data.movie.paths, data.movie.places, strict=True)]


@dataclass(frozen=True)
class ImagePairs:
    """Noisy images and, where they are known, clean ones: split file by file, by turns in the order of their names.

    Parameters
    ----------
    name : str
        Of the folder.
    noisy : Recording
    clean : Recording or None
        Of the same names, in a unit of its own; None where there is no truth.
    """

    name: str
    noisy: Recording
    clean: Recording | None = None

    @property
    def recipe_hash(self) -> str:
        """Identity: of all pixels and their splits, wherever the files are and whatever their format."""
        clean = self.clean.recipe_hash if self.clean else None
        return recipe_hash({NOISY: self.noisy.recipe_hash, CLEAN: clean, "splits": SPLITS})

    def rows(self, split: str) -> np.ndarray:
        """Frames of the files of a split; all slices of a stack are in the same."""
        paths = self.noisy.movie.paths
        number = {path: place for place, path in enumerate(dict.fromkeys(paths))}
        return np.array([row for row, path in enumerate(paths) if SPLITS[number[path] % len(SPLITS)] == split])

    def recording(self, split: str) -> Recording:
        """The noisy images of a split by themselves, to learn from."""
        movie = self.noisy.movie.part(self.rows(split))
        return replace(self.noisy, movie=movie, recipe_hash=recipe_hash({"of": self.recipe_hash, "split": split}))

    def images(self, split: str, most: int = 0) -> Images:
        """At most so many images of a split, spread evenly (0: all); the unit is the file."""
        rows = self.rows(split)
        rows = spread(rows, most).astype(np.int32)
        units = np.array([self.noisy.movie.paths[row].name for row in rows])
        return Images(np.zeros_like(rows), units, frame=rows)

    def names(self, images: Images) -> list[str]:
        """File and, of a stack, frame of each."""
        return [Path(self.noisy.where(row)).name for row in images.frame]


def open_image_pairs(folder: str | Path, axes: str | None = None) -> ImagePairs:
    """The images in `noisy` of a folder with those in its `clean`, if there is one.

    Raises
    ------
    OSError, ValueError
        If there is no `noisy`, there are too few images, or they are not sound; see `open_pairs`.
    """
    folder = Path(folder)
    noisy, clean = folder / NOISY, folder / CLEAN
    if not noisy.is_dir():
        asked = f"put the noisy images into {noisy}, and clean ones of the same names, if there are any, into {clean}"
        raise OSError(f"{folder}: has no folder {NOISY}: {asked}")
    pair = open_pairs(noisy, clean, axes) if clean.is_dir() else (open_recording(noisy, axes, stacks=True),)
    if (count := len(set(pair[0].movie.paths))) < len(SPLITS):
        raise ValueError(f"{noisy}: {count} images are too few to learn, validate and test: give {len(SPLITS)} or more")
    return ImagePairs(folder.resolve().name, *pair)


# ---------------------------------------------------------------------------------------------------- pieces
@dataclass(frozen=True)
class RecordedPatches:
    """Square pieces of the frames, side by side, to train on and to validate with, of a stack larger than the memory.

    Of every ten frames one is for validation, at least one in all; of a single image, one of every ten pieces.

    Parameters
    ----------
    side : int
        Of the pieces [px]: larger than a crop, for crops to differ.
    budget : float
        Memory for the pieces of a split on the device [bytes]. Of more, pieces spread evenly are taken.
    per_unit : int
        At most so many pieces, spread evenly; 0 is no limit.
    """

    side: int = 256
    budget: float = 2e9
    per_unit: int = 0

    def images(self, data: Recording, split: str) -> Images:
        """The pieces of split "train" or "validation".

        Raises
        ------
        ValueError
            If a frame is smaller than a piece, there is one piece in all, or the split is another one.
        """
        refuse_split(data, split)
        count, *sides, channels = data.movie.shape
        if min(sides) < self.side:
            raise ValueError(f"{data.path}: frames of {sides[0]} x {sides[1]} pixels have no piece of {self.side}")
        begin = [np.linspace(0, size - self.side, size // self.side).astype(np.int32) for size in sides]
        corner = np.stack(np.meshgrid(*begin, indexing="ij"), axis=-1).reshape(-1, 2)
        frame = np.repeat(np.arange(count, dtype=np.int32), len(corner))
        corner = np.tile(corner, (count, 1))
        units, among = (frame, count) if count > 1 else (np.arange(len(corner)), len(corner))
        if among < 2:
            raise ValueError(
                f"{data.path}: one piece of {self.side} pixels, none is left to validate with: choose less"
            )
        every = min(among, VALIDATION_EVERY)
        rows = np.flatnonzero((units % every == every - 1) == (split == "validation"))
        most = max(int(self.budget / (4 * self.side**2 * channels)), 1)
        rows = spread(rows, min(most, self.per_unit or most))
        unit = np.full(len(rows), data.items[0]["unit"])
        return Images(np.zeros_like(frame[rows]), unit, frame=frame[rows], corner=corner[rows], side=self.side)
