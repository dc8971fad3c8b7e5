"""Writing files: whole or not at all, calibrated, with a JSON file that says where an image comes from."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile

from stemjax.files.image import TIFF, Image, to_json

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
        reason = error.strerror or "is the disk full?"  # NumPy gives no reason
        raise OSError(error.errno, reason, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_image(path: str | Path, image: Image, provenance: dict, dtype: str = "float32") -> Path:
    """Write an image as calibrated TIFF or `.npy`, by the extension, and a JSON file of the same name beside it.

    Parameters
    ----------
    provenance : dict
        How the image came to be; stored in the JSON file beside the source's metadata.
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
    data = image.data
    if np.dtype(dtype).kind == "u":
        data = np.clip(np.rint(np.nan_to_num(data)), 0, np.iinfo(dtype).max)
    data = data.astype(dtype)
    if data.shape[-1] == 1:
        data = data[..., 0]
    about = {
        "axes": image.axes if data.ndim == image.data.ndim else image.axes[:-1],
        "sampling_angstrom": image.sampling,
        "dtype": dtype,
        "source": {"file": str(image.path), "dtype": image.dtype, "metadata": image.metadata},
        "provenance": provenance,
    }
    text = json.dumps(to_json(about), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    sidecar = path.with_suffix(".json")

    def write_both(stream) -> None:
        if path.suffix.lower() == ".npy":
            np.save(stream, data, allow_pickle=False)
        else:
            _write_tiff(stream, data, about["axes"], image.sampling)
        stream.flush()
        os.fsync(stream.fileno())
        write_whole(sidecar, lambda stream: stream.write(text.encode()))

    write_whole(path, write_both)
    return sidecar


def _write_tiff(stream, data: np.ndarray, axes: str, sampling: float | None) -> None:
    if data.nbytes > IMAGEJ_BYTES:
        tifffile.imwrite(stream, data, bigtiff=True, photometric="minisblack", metadata={"axes": axes})
        return
    if "C" in axes:  # ImageJ wants the order T, C, Y, X
        data = np.moveaxis(data, -1, -3)
    letters = {2: "YX", 3: "CYX" if "C" in axes else "TYX", 4: "TCYX"}[data.ndim]
    calibration = {"unit": "nm"} if sampling else {}
    resolution = (10 / sampling, 10 / sampling) if sampling else None  # pixels per nm
    tifffile.imwrite(stream, data, imagej=True, resolution=resolution, metadata={"axes": letters} | calibration)
