"""A folder of images, taken as a movie: one frame per file, in the order of their names, read when it is asked for.

Grey images are frames of one channel. RGB ones have three, and are taken if their axes are said, ``axes="HWC"``.
"""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from stemjax.files.image import Image
from stemjax.files.reading import READABLE, arrange, read_image

PICTURES = (".png", ".jpg", ".jpeg", ".bmp")
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
    """

    paths: tuple[Path, ...]
    axes: str | None
    frame_shape: tuple[int, ...]

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
        frame = _read_frame(path, self.axes).data
        if frame.shape != self.frame_shape:
            found, first = _size(frame.shape), _size(self.frame_shape)
            name = self.paths[0].name
            raise ValueError(f"{path}: {found}, but {name} has {first}: keep images of one size in a folder")
        return frame


def read_folder(folder: str | Path, axes: str | None = None) -> Image:
    """The images of a folder as a movie.

    Parameters
    ----------
    axes : str, optional
        Of every file, such as "HWC" for RGB images.

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
    first = _read_frame(paths[0], axes)
    return replace(first, data=FolderStack(tuple(paths), axes, first.data.shape), metadata={}, path=folder)


def folder_images(folder: Path) -> list[Path]:
    """The images of a folder in the order of their names; hidden files and our own results are passed over."""
    paths = [path for path in folder.iterdir() if path.suffix.lower() in (*READABLE, *PICTURES) and path.is_file()]
    paths = [path for path in paths if not path.name.startswith(".") and not path.stem.endswith(RESULT)]
    return sorted(paths, key=lambda path: natural(path.name))


def natural(name: str) -> list:
    """Key that sorts frame_2 before frame_10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def _read_frame(path: Path, axes: str | None) -> Image:
    image = _read_picture(path, axes) if path.suffix.lower() in PICTURES else read_image(path, axes, mapped=True)
    if image.data.ndim == 4 and len(image.data) > 1:
        frames = len(image.data)
        raise ValueError(f"{path}: a stack of {frames} frames in a folder of images: give it by itself")
    return replace(image, data=image.data.reshape(image.data.shape[-3:]))


def _read_picture(path: Path, axes: str | None) -> Image:
    from skimage import io

    try:
        array = io.imread(path)
    except Exception as error:  # noqa: BLE001  readers of damaged files raise whatever they stumble over
        raise OSError(f"{path}: damaged or not a picture ({' '.join(str(error).split())})") from error
    try:
        return Image(arrange(array, axes), None, {}, str(array.dtype), path)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _size(shape: tuple[int, ...]) -> str:
    """Of a frame, in words."""
    height, width, channels = shape
    return f"{height} x {width} pixels" + (f" of {channels} channels" if channels > 1 else "")
