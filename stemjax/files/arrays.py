"""Images as people hold them in Python: read into memory, made of an array and back, shown in a notebook, written."""

import base64
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from stemjax.files.folder import read_file, read_folder
from stemjax.files.image import AXES, Image
from stemjax.files.reading import arrange, to_float32
from stemjax.files.writing import write_image

ARRAY = Path("<array>")  # what messages call an image that comes from no file
DTYPES = ("float32", "uint16", "uint8")
SHOWN = (0.5, 99.5)  # percentiles that become black and white in a picture


def read(path: str | Path, axes: str | None = None, sampling: float | None = None) -> Image:
    """Read an image, a movie, or a folder of images as one movie, into memory.

    Parameters
    ----------
    path : path
        .npy, TIFF, png, jpg or bmp, and with the extra `files` dm3, dm4, emd, ser, mrc and hspy; or a folder.
    axes : str, optional
        What the axes mean, one letter each of T (frames), H (rows), W (columns), C (channels); see `read_image`.
    sampling : float, optional
        Pixel size [Å], where the file does not say it.

    Returns
    -------
    Image
        ``data`` float32 [H, W, C] or [T, H, W, C], with pixel size and metadata.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is no image, or the meaning of its axes is not sure.
    """
    if not isinstance(path, str | Path):
        raise ValueError(f"read takes the path of a file or a folder, not {type(path).__name__}")
    path = Path(path)
    image = read_folder(path, axes) if path.is_dir() else read_file(path, axes)
    whole = image.data if image.data.ndim == 3 else np.stack([image.data[index] for index in range(len(image.data))])
    return replace(image, data=to_float32(whole), sampling=sampling or image.sampling)


def write(
    image: Any, path: str | Path, dtype: str = "float32", sampling: float | None = None, axes: str | None = None
) -> Path:
    """Write an image, or an array, as calibrated TIFF or .npy, with a JSON file beside it that says how it was made.

    Parameters
    ----------
    image : Image or array
    path : path
        Ends in .tif or .npy. Its folder is made where it is missing; a file that is there is replaced, but never the
        one that the image was read from.
    dtype : {"float32", "uint16", "uint8"}
        Integers are rounded and clipped.
    sampling : float, optional
        Pixel size [Å], in place of the image's.
    axes : str, optional
        What the axes of an array mean.

    Returns
    -------
    Path
        Of the image.

    Raises
    ------
    ValueError
        If it would replace its own source, is no image, or holds NaN that an integer cannot.
    """
    image, path = as_image(image, axes, sampling), Path(path)
    if dtype not in DTYPES:
        raise ValueError(f"dtype {dtype!r}: choose one of {', '.join(DTYPES)}")
    if dtype != "float32" and not np.isfinite(image.data).all():
        raise ValueError(f"{path}: NaN and infinite pixels have no {dtype}: write float32")
    if path.exists() and image.path.exists() and path.samefile(image.path):
        raise ValueError(f"{path}: the image was read from this file; choose another name")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, image, image.provenance, dtype)
    return path


def as_image(source: Any, axes: str | None = None, sampling: float | None = None) -> Image:
    """An image of an array [H, W], [T, H, W], or of any order that `axes` names; an Image stays what it is.

    Raises
    ------
    ValueError
        If it is no array of numbers, or the meaning of its axes is not sure.
    """
    if isinstance(source, Image):
        if axes and axes.upper() != source.axes:
            raise ValueError(f"an Image has axes of its own, {source.axes}: leave axes={axes!r} out")
        return replace(source, path=source.path or ARRAY, sampling=sampling or source.sampling)
    array = np.asarray(source)
    if array.dtype.kind not in "biufc":
        raise ValueError(f"{type(source).__name__} is no image: give an Image (stemjax.read) or an array of numbers")
    return Image(to_float32(arrange(array, axes)), sampling, dtype=str(array.dtype), path=ARRAY)


def as_array(data: np.ndarray, axes: str | None, ndim: int) -> np.ndarray:
    """Data [H, W, C] or [T, H, W, C] in the order that an array of `ndim` axes had; see `as_image`."""
    axes = (axes or AXES[-ndim - 1 : -1]).upper()
    have = AXES[-data.ndim :]
    if "C" not in axes:
        data, have = data[..., 0], have[:-1]
    return data.transpose([have.index(name) for name in axes])


def picture(image: Image, widest: int = 512) -> str:
    """The first frame's first channel as an HTML image, at most so many pixels wide."""
    from matplotlib import image as png

    frame = np.nan_to_num(image.data[..., 0] if image.data.ndim == 3 else image.data[0, ..., 0])
    step = -(-max(frame.shape) // widest)
    frame, stream = frame[::step, ::step], io.BytesIO()
    low, high = np.percentile(frame, SHOWN)
    png.imsave(stream, frame, cmap="gray", vmin=low, vmax=max(high, low + 1e-12), format="png")
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}">'
