"""A folder of images, taken as a movie: one frame per file, in the order of their names, read when it is asked for.

Grey images are frames of one channel. RGB ones have three, and are taken if their axes are said, ``axes="HWC"``. An
alpha channel that is opaque is left out; one that is not is refused.
"""

import re
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from stemjax.files.image import Image
from stemjax.files.reading import READABLE, arrange, read_image

PICTURES = (".png", ".jpg", ".jpeg", ".bmp")
WITH_ALPHA = (".png", ".bmp")  # of which two or four channels mean that the last is alpha; a .jpg has none
ALPHA = "alpha"  # key of the metadata that an alpha channel leaves
COLOURS = {1: "grey", 3: "RGB"}
RESULT = "_denoised"  # how the names of our own results end


@dataclass(frozen=True)
class FolderStack:
    """What an array [T, H, W, C] is to a movie, for the files of a folder.

    Indexing by a whole number reads a file; arrays in .npy files and uncompressed TIFFs stay on the disk, so that of a
    cut no more is read than there is in it.

    Parameters
    ----------
    paths : tuple of Path
    axes : str or None
        Of every file, see `read_image`.
    frame_shape : tuple of int
        H, W, C of the first file, which the others must have.
    places : tuple of int, optional
        Which frame of its file each is, where files are stacks; by default a file is one frame.
    """

    paths: tuple[Path, ...]
    axes: str | None
    frame_shape: tuple[int, ...]
    places: tuple[int, ...] | None = None

    ndim: int = field(default=4, init=False)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.paths), *self.frame_shape)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> np.ndarray:
        """A frame [H, W, C].

        Raises
        ------
        OSError, ValueError
            If the file is not an image like the first one; the message is ``FILE: REASON``.
        """
        path = self.paths[index]
        image = _read_one_of(self.paths, path, self.axes)
        frame = _single(image) if self.places is None else image.data[self.places[index]]
        if frame.shape[-1] != self.frame_shape[-1]:
            _refuse_mixture(self.paths)
        if frame.shape != self.frame_shape:
            size, first = _size(frame.shape), _size(self.frame_shape)
            name = self.paths[0].name
            raise ValueError(f"{path}: {size}, but {name} has {first}: keep images of one size in a folder")
        return frame

    def where(self, index: int) -> str:
        """What messages call a frame: its file, of a stack with the number of the frame."""
        is_stack = self.places is not None and self.paths.count(self.paths[index]) > 1
        return str(self.paths[index]) + (f": frame {self.places[index]}" if is_stack else "")

    def part(self, rows: Sequence[int]) -> "FolderStack":
        """Some of the frames."""
        places = None if self.places is None else tuple(self.places[row] for row in rows)
        return replace(self, paths=tuple(self.paths[row] for row in rows), places=places)


def read_folder(folder: str | Path, axes: str | None = None, stacks: bool = False) -> Image:
    """The images of a folder as a movie.

    Parameters
    ----------
    axes : str, optional
        Of every file, such as "HWC" for RGB images.
    stacks : bool
        Whether files may be stacks, such as those of a confocal microscope, whose slices are then frames each.

    Raises
    ------
    OSError, ValueError
        If there is no image, or the first one is not sound; the message is ``PATH: REASON``.
    """
    folder = Path(folder)
    paths = folder_images(folder)
    if not paths:
        kinds = ", ".join((*READABLE, *PICTURES))
        raise OSError(f"{folder}: is a directory without images; give one that has some ({kinds})")
    first, places = _read_one_of(paths, paths[0], axes), None
    if not stacks:
        _single(first)
    else:
        images = [(path, place) for path in paths for place in range(len(_read_one_of(paths, path, axes).data))]
        paths, places = zip(*images, strict=True)
    if ALPHA in first.metadata:
        print(f"warning: {folder}: images have an {first.metadata[ALPHA]}, which is left out", file=sys.stderr)
    stack = FolderStack(tuple(paths), axes, first.data.shape[1:], places)
    return replace(first, data=stack, metadata={}, path=folder)


def folder_images(folder: Path) -> list[Path]:
    """The images of a folder in the order of their names; hidden files and our own results are passed over."""
    paths = [path for path in folder.iterdir() if path.suffix.lower() in (*READABLE, *PICTURES) and path.is_file()]
    paths = [path for path in paths if not path.name.startswith(".") and not path.stem.endswith(RESULT)]
    return sorted(paths, key=lambda path: (natural(path.name), path.name))  # frame_1 and frame_01 in one order, too


def natural(name: str) -> list:
    """Key that sorts frame_2 before frame_10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def read_file(path: str | Path, axes: str | None = None) -> Image:
    """The image or movie of a file, of a picture (png, jpg, bmp) too, left on the disk where it can be.

    Raises
    ------
    OSError, ValueError
        As `read_image`.
    """
    path = Path(path)
    if path.suffix.lower() not in PICTURES or not path.is_file():
        return read_image(path, axes, mapped=True)
    image = _read_picture(path, axes)
    if ALPHA in image.metadata:
        print(f"warning: {path}: has an {image.metadata[ALPHA]}, which is left out", file=sys.stderr)
    return replace(image, metadata={})


def _read_frames(path: Path, axes: str | None) -> Image:
    """The frames [T, H, W, C] of a file, usually one."""
    image = _read_picture(path, axes) if path.suffix.lower() in PICTURES else read_image(path, axes, mapped=True)
    return replace(image, data=image.data.reshape(-1, *image.data.shape[-3:]))


def _read_one_of(paths: Sequence[Path], path: Path, axes: str | None) -> Image:
    """As `_read_frames`; where a file of a folder cannot be read since grey and RGB are mixed, the message says so."""
    try:
        return _read_frames(path, axes)
    except ValueError:
        _refuse_mixture(paths)
        raise


def _refuse_mixture(paths: Sequence[Path]) -> None:
    """Raise ValueError about the first file that has other channels than most, if there is one."""
    channels = {path: count for path in dict.fromkeys(paths) if (count := _count_channels(path))}
    usual = Counter(channels.values()).most_common(1)[0][0] if channels else 0
    for path, count in channels.items():
        if count != usual:
            other = next(path.name for path, count in channels.items() if count == usual)
            what = f"has {count} channel{'s' * (count > 1)} where the others ({other}) have {usual}"
            fix = f"convert it to {COLOURS[usual]} or take it out" if usual in COLOURS else "take it out"
            raise ValueError(f"{path}: {what}: {fix}")


def _count_channels(path: Path) -> int:
    """Of a file, whether it is grey or RGB; 0 where it cannot be known."""
    for axes in (None, "HWC"):
        try:
            return _read_frames(path, axes).data.shape[-1]
        except (OSError, ValueError):
            continue
    return 0


def _single(image: Image) -> np.ndarray:
    """The only frame [H, W, C] of a file."""
    if len(image.data) > 1:
        frames = len(image.data)
        raise ValueError(f"{image.path}: a stack of {frames} frames in a folder of images: give it by itself")
    return image.data[0]


def _read_picture(path: Path, axes: str | None) -> Image:
    from skimage import io

    try:
        array = io.imread(path)
    except Exception as error:  # noqa: BLE001  readers of damaged files raise whatever they stumble over
        fix = "save it again, or take it out of its folder"
        raise OSError(f"{path}: cannot be read as an image and may be damaged; {fix}") from error
    dropped = {}
    if path.suffix.lower() in WITH_ALPHA and array.ndim == 3 and array.shape[-1] in (2, 4):
        if np.any(array[..., -1] != np.iinfo(array.dtype).max):
            raise ValueError(f"{path}: has an alpha channel (transparency): save it without alpha")
        array, dropped = array[..., 0] if array.shape[-1] == 2 else array[..., :-1], {ALPHA: "opaque alpha channel"}
    try:
        return Image(arrange(array, axes), None, dropped, str(array.dtype), path)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _size(shape: tuple[int, ...]) -> str:
    """Of a frame, in words."""
    height, width, channels = shape
    return f"{height} x {width} pixels" + (f" of {channels} channels" if channels > 1 else "")
