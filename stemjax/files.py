"""Image files: read what microscopes write, refuse what would give a wrong answer, write calibrated results.

    file -> Image (float32 [H, W, C] or [T, H, W, C], pixel size in Å) -> ... -> TIFF or .npy, and a JSON file beside it

`.npy` and TIFF are read here; microscope formats go through RosettaSciIO, which is GPL-3: the extra `files` installs
it, and it is imported only when such a file is opened. Nothing is ever unpickled.
"""

import json
import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path

import numpy as np
import tifffile

TIFF = (".tif", ".tiff")
MICROSCOPE = (".dm3", ".dm4", ".emd", ".ser", ".mrc", ".hspy")  # by RosettaSciIO
READABLE = (".npy", *TIFF, *MICROSCOPE)
AXES = "THWC"
TO_ANGSTROM = {"pm": 0.01, "å": 1.0, "a": 1.0, "angstrom": 1.0, "nm": 10.0, "µm": 1e4, "um": 1e4, "micron": 1e4}
FULL_SCALES = [2**bits - 1 for bits in (8, 10, 12, 14, 15, 16, 24, 31, 32)]  # values at which detectors saturate
SATURATED = 1e-4  # least part of the pixels at full scale that is worth a warning
IMAGEJ_BYTES = 4e9  # larger files need BigTIFF, which ImageJ's own header does not know
MAX_INPAINTED = 0.05


@dataclass(frozen=True)
class Image:
    """One image or movie as read from a file.

    Parameters
    ----------
    data : float32 [H, W, C] or [T, H, W, C]
        In the file's own unit, counts if the detector was calibrated. Row 0 is at the top.
    sampling : float or None
        Pixel size [Å/px], where the file says.
    metadata : dict
        All that the file says besides, as JSON values.
    dtype : str
        Type of the numbers in the file.
    path : Path or None
        Where it was read.
    """

    data: np.ndarray
    sampling: float | None = None
    metadata: dict = field(default_factory=dict)
    dtype: str = "float32"
    path: Path | None = None

    @property
    def axes(self) -> str:
        """Meaning of the axes of `data`: "HWC" or "THWC"."""
        return AXES[-self.data.ndim :]

    def bin(self, count: int) -> "Image":
        """Sum blocks of `count` x `count` pixels, which keeps noise independent from pixel to pixel.

        Rows and columns that do not fill a block are dropped.

        Raises
        ------
        ValueError
            If the image is smaller than one block.
        """
        *frames, height, width, channels = self.data.shape
        rows, columns = height // count, width // count
        if not rows or not columns:
            raise ValueError(f"{height} x {width} pixels cannot be binned by {count}: choose a smaller --bin")
        whole = self.data[..., : rows * count, : columns * count, :]
        data = whole.reshape(*frames, rows, count, columns, count, channels).sum(axis=(-4, -2), dtype=np.float32)
        return replace(self, data=data, sampling=self.sampling and self.sampling * count)


# ---------------------------------------------------------------------------------------------------- reading
def read_image(path: str | Path, axes: str | None = None) -> Image:
    """Read an image or a movie.

    Parameters
    ----------
    axes : str, optional
        What the file's axes mean, one letter each of T (frames), H (rows), W (columns), C (channels), e.g. "HWC".
        By default two axes are HW and three are THW.

    Raises
    ------
    OSError
        If the file cannot be read. The message is ``PATH: REASON``, as that of every ValueError here.
    ValueError
        If what it holds is not an image, or the meaning of its axes is not sure.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a directory; name the files in it, e.g. {path}/*.tif")
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    if suffix not in READABLE:
        raise ValueError(f"{path}: unknown format {suffix or '(no extension)'}; readable are {', '.join(READABLE)}")
    read = _read_npy if suffix == ".npy" else _read_tiff if suffix in TIFF else _read_microscope
    try:
        with open(path, "rb") as stream:
            if not stream.read(1):
                raise OSError("the file is empty (0 bytes)")
        array, sampling, metadata = read(path, axes)
        dtype = str(array.dtype)
        data = _to_float32(_arrange(array, axes))
    except ImportError as error:
        raise OSError(f"{path}: {error}") from error
    except (OSError, ValueError) as error:
        kind = type(error) if isinstance(error, OSError) else ValueError
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise kind(f"{path}: {reason}") from error
    except Exception as error:  # noqa: BLE001  readers of damaged files raise whatever they stumble over
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise OSError(f"{path}: damaged or truncated ({reason})") from error
    return Image(data, sampling, to_json(metadata), dtype, path)


def _read_npy(path: Path, axes: str | None):
    with open(path, "rb") as stream:
        if stream.read(6) != b"\x93NUMPY":
            raise ValueError("not a .npy file; save one plain array with numpy.save")
    try:
        return np.lib.format.open_memmap(path, mode="r"), None, {}
    except ValueError as error:
        if "Python objects" in str(error):
            raise ValueError("holds Python objects, which are never unpickled; save an array of numbers") from error
        if "empty" in str(error):  # an array without elements cannot be mapped
            return np.empty(0), None, {}
        raise OSError(f"damaged or truncated ({error})") from error


def _read_tiff(path: Path, axes: str | None):
    try:
        with tifffile.TiffFile(path) as tiff:
            series = tiff.series[0]
            if "S" in series.axes and axes is None:
                raise _Refusal(
                    f"an RGB image, axes {series.axes} of {_size(series.shape)}: give the detector's grey image, "
                    f"or say --axes {series.axes.replace('Y', 'H').replace('X', 'W').replace('S', 'C')} to denoise "
                    "each colour as an image of its own"
                )
            metadata = dict(tiff.imagej_metadata or {}) | {
                tag.name: tag.value for tag in tiff.pages[0].tags if tag.name not in ("StripOffsets", "StripByteCounts")
            }
            if tiff.ome_metadata:
                metadata["ome"] = tiff.ome_metadata
            return series.asarray(), _tiff_sampling(tiff), metadata
    except _Refusal:
        raise
    except tifffile.TiffFileError as error:
        raise OSError(f"not a readable TIFF ({error})") from error
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise OSError(f"damaged or truncated TIFF ({error})") from error


class _Refusal(ValueError):
    """The file is sound, but not what it takes."""


def _tiff_sampling(tiff: tifffile.TiffFile) -> float | None:
    """Pixel size [Å] from ImageJ's or OME's metadata. Mere dots per inch say nothing."""
    if tiff.ome_metadata:
        size = re.search(r'PhysicalSizeX="([^"]+)"', tiff.ome_metadata)
        unit = re.search(r'PhysicalSizeXUnit="([^"]+)"', tiff.ome_metadata)
        return to_angstrom(float(size[1]), unit[1] if unit else "µm") if size else None
    resolution = tiff.pages[0].tags.get("XResolution")
    if not tiff.imagej_metadata or resolution is None or not resolution.value[0]:
        return None
    return to_angstrom(resolution.value[1] / resolution.value[0], str(tiff.imagej_metadata.get("unit", "")))


def _read_microscope(path: Path, axes: str | None):
    try:
        from rsciio import IO_PLUGINS
    except ImportError:
        raise ImportError(
            f"{path.suffix} files need the extra `files`: pip install 'stemjax[files]', or save the image as TIFF"
        ) from None
    suffix = path.suffix.lower()[1:]
    plugins = [p for p in IO_PLUGINS if suffix in [str(known).lower() for known in p["file_extensions"]]]
    plugin = min(plugins, key=lambda p: p["name"].lower() != suffix)  # the MRC reader before that of MRCZ
    try:
        signals = import_module(plugin["api"]).file_reader(str(path))
    except ImportError as error:
        raise ImportError(f"{error}; the extra `files` has it: pip install 'stemjax[files]'") from None
    images = [signal for signal in signals if np.ndim(signal["data"]) >= 2]
    if len(images) != 1:
        raise _Refusal(f"holds {len(images)} images of {len(signals)} signals: save the right one by itself")
    (signal,) = images
    columns = signal["axes"][-1]
    sampling = to_angstrom(float(columns.get("scale") or 0), str(columns.get("units")))
    metadata = {name: signal.get(name, {}) for name in ("metadata", "original_metadata")}
    return np.asarray(signal["data"]), sampling, metadata


def to_angstrom(length: float, unit: str) -> float | None:
    """A length in Å; None where the unit is unknown or the length is not a positive number."""
    unit = unit.replace("\\u00B5", "µ").replace("μ", "µ").replace("Å", "Å").strip().lower()
    factor = TO_ANGSTROM.get(unit)
    return length * factor if factor and math.isfinite(length) and length > 0 else None


def _arrange(array: np.ndarray, axes: str | None) -> np.ndarray:
    """The array as [H, W, C] or [T, H, W, C], after a look at whether its axes can be known."""
    size = f"{array.ndim} axes of {_size(array.shape)}" if array.ndim else "a single number"
    if array.size == 0:
        raise _Refusal(f"holds no pixels ({size})")
    if array.dtype.kind not in "biuf":
        raise _Refusal(f"holds {array.dtype} instead of real numbers; take one component, e.g. the magnitude")
    if axes is None:
        if array.ndim == 3 and array.shape[-1] in (3, 4):
            raise _Refusal(f"looks like RGB, {size}: say --axes HWC for channels, or --axes THW for a movie")
        if array.ndim not in (2, 3):
            example = {4: "THWC", 1: "HW"}.get(array.ndim, "THW")
            raise _Refusal(f"{size}, which could mean many things: say --axes {example} or save frames of two axes")
        axes = AXES[-array.ndim - 1 : -1]
    axes = axes.upper()
    if len(set(axes)) != len(axes) or not {"H", "W"} <= set(axes) <= set(AXES):
        raise _Refusal(f"--axes {axes} is not understood: give H and W, and T and C where there are such axes")
    if len(axes) != array.ndim:
        raise _Refusal(f"--axes {axes} names {len(axes)} axes, but the file has {size}")
    if "C" not in axes:
        array, axes = array[..., None], axes + "C"
    return array.transpose([axes.index(name) for name in AXES if name in axes])


def _size(shape: tuple) -> str:
    return " x ".join(str(n) for n in shape)


def _to_float32(array: np.ndarray) -> np.ndarray:
    """In this machine's byte order; numbers beyond float32 are refused rather than turned into infinity."""
    with np.errstate(over="ignore"):
        data = np.ascontiguousarray(array, dtype=np.float32)
    if array.dtype.itemsize > 4 and array.dtype.kind == "f" and np.any(np.isinf(data) & np.isfinite(array)):
        raise _Refusal("holds numbers beyond the range of float32 (3.4e38): rescale the image")
    return data


# ---------------------------------------------------------------------------------------------------- looking
def fill_nonfinite(data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Replace NaN and infinite pixels by a smooth continuation of their surroundings (biharmonic inpainting).

    Parameters
    ----------
    data : float32 [..., H, W, C]

    Returns
    -------
    filled : float32 [..., H, W, C]
    mask : bool [..., H, W, C]
        The replaced pixels.

    Raises
    ------
    ValueError
        If more than 5 % of a frame is missing.
    """
    from skimage.restoration import inpaint_biharmonic

    mask = ~np.isfinite(data)
    filled = data.copy()
    for frame in np.ndindex(data.shape[:-3]):
        for channel in range(data.shape[-1]):
            missing = mask[(*frame, ..., channel)]
            if not missing.any():
                continue
            if missing.mean() > MAX_INPAINTED:
                raise ValueError(f"{missing.mean():.0%} of a frame is NaN or infinite, too much to fill in")
            known = np.where(missing, 0, data[(*frame, ..., channel)]).astype(np.float64)
            filled[(*frame, ..., channel)] = inpaint_biharmonic(known, missing, split_into_regions=True)
    return filled, mask


def refuse_nonfinite(image: Image) -> None:
    """Raise ValueError with the count and the first position of pixels that are NaN or infinite, if there are any."""
    wrong = ~np.isfinite(image.data)
    if count := int(wrong.sum()):
        first = np.argwhere(wrong)[0]
        place = ", ".join(f"{name}={i}" for name, i in zip(image.axes, first, strict=True) if name != "C" or i)
        percent = 100 * count / wrong.size
        raise ValueError(
            f"{count} of {wrong.size} pixels ({percent:.2g} %) are NaN or infinite, the first at {place}; "
            "--fill-nonfinite fills them in"
        )


def warnings_about(image: Image) -> list[str]:
    """What a user should know about an image before trusting the result: saturation, frames without any contrast."""
    warnings = []
    highest = float(image.data.max())
    saturated = float(np.mean(image.data == highest))
    if highest in FULL_SCALES and saturated >= SATURATED and saturated < 1:
        warnings.append(f"{100 * saturated:.2g} % of the pixels are saturated (at {highest:g}): their counts are lost")
    frames = image.data.reshape(-1, *image.data.shape[-3:])
    constant = sum(float(frame.min()) == float(frame.max()) for frame in frames)
    if constant:
        what = "the image is" if len(frames) == 1 else f"{constant} of {len(frames)} frames are"
        warnings.append(f"{what} constant: returned unchanged")
    return warnings


# ---------------------------------------------------------------------------------------------------- writing
def write_whole(path: Path, write: Callable) -> None:
    """Write a file so that it is whole or absent: `write(stream)` to a temporary name, fsync, rename."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
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
        Of the JSON file. It is written first, so that there is no image without it.

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
    write_whole(sidecar, lambda stream: stream.write(text.encode()))
    if path.suffix.lower() == ".npy":
        write_whole(path, lambda stream: np.save(stream, data, allow_pickle=False))
    else:
        write_whole(path, lambda stream: _write_tiff(stream, data, about["axes"], image.sampling))
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


def to_json(value):
    """The nearest JSON value: keys become strings, arrays lists, NaN a string, long arrays and bytes their size."""
    match value:
        case dict():
            return {str(key): to_json(item) for key, item in value.items()}
        case list() | tuple() | set():
            return [to_json(item) for item in value]
        case np.ndarray():
            return to_json(value.tolist()) if value.size <= 1000 else f"array {value.dtype} {list(value.shape)}"
        case np.generic():
            return to_json(value.item())
        case float() if not math.isfinite(value):
            return str(value)
        case bool() | int() | float() | str() | None:
            return value
        case bytes():
            return value.decode(errors="replace") if len(value) <= 1000 else f"{len(value)} bytes"
    return str(value)
