"""Writing files: whole or not at all, calibrated, with a JSON file that says where an image comes from."""

import json
import math
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import tifffile

from stemjax.files.image import AXES, TIFF, Image, to_json

IMAGEJ_BYTES = 4e9  # larger files need BigTIFF, which ImageJ's own header does not know


def write_whole(path: Path, write: Callable) -> None:
    """Write a file so that it is whole or absent: `write(stream)` to a temporary name, fsync, rename.

    Raises
    ------
    OSError
        If it cannot be written; a file that was there stays as it was.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as error:
        # Of a write cut short NumPy says how much was requested, and not why.
        reason = error.strerror or ("is the disk full?" if "requested" in str(error) else str(error))
        raise OSError(error.errno, reason, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_image(path: str | Path, image: Image, provenance: dict, dtype: str = "float32") -> Path:
    """Write an image as calibrated TIFF or `.npy`, and a JSON file beside it; see `write_frames`."""
    frames = image.data.reshape(-1, *image.data.shape[-3:])
    return write_frames(path, frames, image.data.shape, image, provenance, dtype)


def write_frames(
    path: str | Path,
    frames: Iterable[np.ndarray],
    shape: tuple,
    source: Image,
    provenance: dict,
    dtype: str = "float32",
) -> Path:
    """Write frames as they come, as calibrated TIFF or `.npy`, by the extension, and a JSON file of the same name.

    Parameters
    ----------
    frames : iterable of float32 [H, W, C]
        One for an image, T for a movie.
    shape : tuple of int
        Of the whole: H, W, C or T, H, W, C.
    source : Image
        Where the frames come from, with the pixel size that they have now; its `data` are not looked at.
    provenance : dict
        How they came to be; stored in the JSON file beside the source's metadata.
    dtype : str
        "float32", or an unsigned integer type: values are then rounded and clipped to its range.

    Returns
    -------
    Path
        Of the JSON file. It is written when the image is safely on the disk and before that gets its name: so there is
        no image without it, and no new one beside an old image.

    Raises
    ------
    ValueError
        If the extension is neither.
    """
    path = Path(path)
    if path.suffix.lower() not in (".npy", *TIFF):
        raise ValueError(f"{path}: cannot write {path.suffix or 'a file without extension'}; use .tif or .npy")
    axes = AXES[-len(shape) :]
    if shape[-1] == 1:
        shape, axes = shape[:-1], axes[:-1]
    about = {
        "axes": axes,
        "sampling_angstrom": source.sampling,
        "dtype": dtype,
        "source": {"file": str(source.path), "dtype": source.dtype, "metadata": source.metadata},
        "provenance": provenance,
    }
    text = json.dumps(to_json(about), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    sidecar, frames = path.with_suffix(".json"), (_converted(frame, dtype) for frame in frames)

    def write_both(stream) -> None:
        if path.suffix.lower() == ".npy":
            description = np.lib.format.dtype_to_descr(np.dtype(dtype))
            np.lib.format.write_array_header_1_0(
                stream, {"descr": description, "fortran_order": False, "shape": tuple(map(int, shape))}
            )
            for frame in frames:
                stream.write(frame.tobytes())
        else:
            _write_tiff(stream, frames, tuple(map(int, shape)), np.dtype(dtype), axes, source.sampling)
        stream.flush()
        os.fsync(stream.fileno())
        write_whole(sidecar, lambda stream: stream.write(text.encode()))

    write_whole(path, write_both)
    return sidecar


def _converted(frame: np.ndarray, dtype: str) -> np.ndarray:
    if np.dtype(dtype).kind == "u":
        frame = np.clip(np.rint(np.nan_to_num(frame)), 0, np.iinfo(dtype).max)
    return frame.astype(dtype)


def _write_tiff(
    stream, frames: Iterable[np.ndarray], shape: tuple, dtype: np.dtype, axes: str, sampling: float | None
) -> None:
    # ImageJ wants the order T, C, Y, X: a page for every channel of every frame.
    pages = (np.ascontiguousarray(frame[..., channel]) for frame in frames for channel in range(frame.shape[-1]))
    if "C" in axes:
        shape = (*shape[:-3], shape[-1], *shape[-3:-1])
    letters = {2: "YX", 3: "CYX" if "C" in axes else "TYX", 4: "TCYX"}[len(shape)]
    options = {"shape": shape, "dtype": dtype}
    if math.prod(shape) * dtype.itemsize > IMAGEJ_BYTES:
        tifffile.imwrite(stream, pages, bigtiff=True, photometric="minisblack", metadata={"axes": letters}, **options)
        return
    calibration = {"unit": "nm"} if sampling else {}
    resolution = (10 / sampling, 10 / sampling) if sampling else None  # pixels per nm
    metadata = {"axes": letters} | calibration
    tifffile.imwrite(stream, pages, imagej=True, resolution=resolution, metadata=metadata, **options)
