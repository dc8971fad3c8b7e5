"""Reading image files, and refusing what would give a wrong answer."""

import json
import math
import re
from collections.abc import Iterable
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np
import tifffile

from stemjax.files.image import AXES, TIFF, Image, to_json

MICROSCOPE = (".dm3", ".dm4", ".emd", ".ser", ".mrc", ".hspy")  # by RosettaSciIO
MOST_CHANNELS = 4  # that a file which names no frames is taken to have
READABLE = (".npy", *TIFF, *MICROSCOPE)
TO_ANGSTROM = {"pm": 0.01, "å": 1.0, "a": 1.0, "angstrom": 1.0, "nm": 10.0, "µm": 1e4, "um": 1e4, "micron": 1e4}
FULL_SCALES = [2**bits - 1 for bits in (8, 10, 12, 14, 15, 16, 24, 31, 32)]  # values at which detectors saturate
SATURATED = 1e-4  # least part of the pixels at full scale that is worth a warning
MAX_INPAINTED = 0.05


def read_image(path: str | Path, axes: str | None = None, mapped: bool = False) -> Image:
    """Read an image or a movie.

    Parameters
    ----------
    axes : str, optional
        What the file's axes mean, one letter each of T (frames), H (rows), W (columns), C (channels), e.g. "HWC".
        By default what an ImageJ or OME file says of them; else two axes are HW and three are THW.
    mapped : bool
        Leave the numbers as they are in the file, in place of float32; .npy files and uncompressed TIFFs are then
        memory maps, from which frames are read one by one.

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
    read = _read_npy if suffix == ".npy" else _read_microscope
    if suffix in TIFF:
        read = partial(_read_tiff, mapped=mapped)
    try:
        with open(path, "rb") as stream:
            if not stream.read(1):
                raise OSError("the file is empty (0 bytes)")
        array, axes, sampling, metadata = read(path, axes)
        dtype = str(array.dtype)
        data = arrange(array, axes)
        data = data if mapped else to_float32(data)
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
        array, about = np.lib.format.open_memmap(path, mode="r"), _written_beside(path)
        own = about.get("axes") if len(about.get("axes", "")) == array.ndim else None
        return array, axes or own, about.get("sampling_angstrom"), {}
    except ValueError as error:
        if "Python objects" in str(error):
            raise ValueError("holds Python objects, which are never unpickled; save an array of numbers") from error
        if "empty" in str(error):  # an array without elements cannot be mapped
            return np.empty(0), axes, None, {}
        raise OSError(f"damaged or truncated ({error})") from error


def _written_beside(path: Path) -> dict:
    """What the JSON file beside a .npy file says of it, if `writing` wrote it; {} if there is none, or another."""
    try:
        about = json.loads(path.with_suffix(".json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return about if isinstance(about, dict) and {"axes", "sampling_angstrom", "provenance"} <= about.keys() else {}


def _read_tiff(path: Path, axes: str | None, mapped: bool):
    try:
        with tifffile.TiffFile(path) as tiff:
            series = tiff.series[0]
            if "S" in series.axes and axes is None:
                raise _Refusal(
                    f"an RGB image, axes {series.axes} of {_size(series.shape)}: give the detector's grey image, "
                    f"or say --axes {series.axes.replace('Y', 'H').replace('X', 'W').replace('S', 'C')} to denoise "
                    "each colour as an image of its own"
                    + ", or --axes THW if these are the frames of a movie"
                    * (series.axes == "SYX")
                )
            metadata = dict(tiff.imagej_metadata or {}) | {
                tag.name: tag.value for tag in tiff.pages[0].tags if tag.name not in ("StripOffsets", "StripByteCounts")
            }
            if tiff.ome_metadata:
                metadata["ome"] = tiff.ome_metadata
            # Compressed frames can be mapped only once they are written out: into a temporary file, not the memory.
            array = series.asarray(out="memmap" if mapped else None)
            return array, axes or _tiff_axes(series), _tiff_sampling(tiff), metadata
    except _Refusal:
        raise
    except tifffile.TiffFileError as error:
        raise OSError(f"not a readable TIFF ({error})") from error
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise OSError(f"damaged or truncated TIFF ({error})") from error


class _Refusal(ValueError):
    """The file is sound, but not what it takes."""


def _tiff_axes(series: tifffile.TiffPageSeries) -> str | None:
    """The axes of a series as letters of ours, where the file names them all.

    A stack that was written without names comes back as one of channels; more than a microscope has are frames.
    """
    axes = series.axes.replace("Y", "H").replace("X", "W")
    if "T" not in axes and "C" in axes and series.shape[axes.index("C")] > MOST_CHANNELS:
        axes = axes.replace("C", "T")
    return axes if {"H", "W"} <= set(axes) <= set(AXES) else None


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
            f"{path.suffix} files need the extra `files`: pip install -e '.[files]', or save the image as TIFF"
        ) from None
    suffix = path.suffix.lower()[1:]
    plugins = [p for p in IO_PLUGINS if suffix in [str(known).lower() for known in p["file_extensions"]]]
    plugin = min(plugins, key=lambda p: p["name"].lower() != suffix)  # the MRC reader before that of MRCZ
    try:
        signals = import_module(plugin["api"]).file_reader(str(path))
    except ImportError as error:
        raise ImportError(f"{error}; the extra `files` has it: pip install -e '.[files]'") from None
    images = [signal for signal in signals if np.ndim(signal["data"]) >= 2]
    if len(images) != 1:
        raise _Refusal(f"holds {len(images)} images of {len(signals)} signals: save the right one by itself")
    (signal,) = images
    columns = signal["axes"][-1]
    sampling = to_angstrom(float(columns.get("scale") or 0), str(columns.get("units")))
    metadata = {name: signal.get(name, {}) for name in ("metadata", "original_metadata")}
    return np.asarray(signal["data"]), axes, sampling, metadata


def to_angstrom(length: float, unit: str) -> float | None:
    """A length in Å; None where the unit is unknown or the length is not a positive number."""
    unit = unit.replace("\\u00B5", "µ").replace("μ", "µ").replace("Å", "Å").strip().lower()
    factor = TO_ANGSTROM.get(unit)
    return length * factor if factor and math.isfinite(length) and length > 0 else None


def arrange(array: np.ndarray, axes: str | None) -> np.ndarray:
    """The array as [H, W, C] or [T, H, W, C], after a look at whether its axes can be known; see `read_image`."""
    size = f"{array.ndim} axes of {_size(array.shape)}" if array.ndim else "a single number"
    if array.size == 0:
        raise _Refusal(f"holds no pixels ({size})")
    if array.dtype.kind not in "biuf":
        raise _Refusal(f"holds {array.dtype} instead of real numbers; take one component, e.g. the magnitude")
    if axes is None:
        if array.ndim == 3 and array.shape[-1] <= MOST_CHANNELS:
            looks = "RGB" if array.shape[-1] > 2 else "an image with its channels last"
            raise _Refusal(f"looks like {looks}, {size}: say --axes HWC for channels, or --axes THW for a movie")
        if array.ndim not in (2, 3):
            four = "TCHW" if array.ndim == 4 and array.shape[1] < array.shape[3] else "THWC"
            example = {4: four, 1: "HW"}.get(array.ndim, "THW")
            raise _Refusal(f"{size}, which could mean many things: say --axes {example} or save frames of two axes")
        axes = AXES[-array.ndim - 1 : -1]
    axes = axes.upper()
    if len(set(axes)) != len(axes) or not {"H", "W"} <= set(axes) <= set(AXES):
        raise _Refusal(f"--axes {axes} is not understood: give H and W, and T and C where there are such axes")
    if len(axes) != array.ndim:
        raise _Refusal(f"{axes} names {len(axes)} axes, but there are {size}")
    if "C" not in axes:
        array, axes = array[..., None], axes + "C"
    return array.transpose([axes.index(name) for name in AXES if name in axes])


def _size(shape: tuple) -> str:
    return " x ".join(str(n) for n in shape)


def to_float32(array: np.ndarray) -> np.ndarray:
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


def refuse_nonfinite(image: Image, fix: str) -> None:
    """Raise ValueError with the count and the first position of pixels that are NaN or infinite, if there are any.

    The message ends with `fix`, what the user can do about it.
    """
    wrong = ~np.isfinite(image.data)
    if count := int(wrong.sum()):
        first = np.argwhere(wrong)[0]
        place = ", ".join(f"{name}={i}" for name, i in zip(image.axes, first, strict=True) if name != "C" or i)
        percent = 100 * count / wrong.size
        part = f"{percent:.2g}" if percent < 99 else f"{percent:.3g}"
        raise ValueError(f"{count} of {wrong.size} pixels ({part} %) are NaN or infinite, the first at {place}; {fix}")


def warnings_about(image: Image) -> list[str]:
    """What a user should know about an image before trusting the result: saturation, frames without any contrast."""
    return warnings_about_frames(image.data.reshape(-1, *image.data.shape[-3:]))


def warnings_about_frames(frames: Iterable[np.ndarray]) -> list[str]:
    """As `warnings_about`, for frames [H, W, C] that come one by one."""
    highest, saturated, pixels, constant, count = -np.inf, 0, 0, 0, 0
    for count, frame in enumerate(frames, 1):  # noqa: B007  it is the number of frames afterwards
        low, high = float(frame.min()), float(frame.max())
        if high > highest:
            highest, saturated = high, 0
        saturated += int((frame == highest).sum())
        pixels += frame.size
        constant += low == high
    warnings, part = [], saturated / max(pixels, 1)
    if highest in FULL_SCALES and SATURATED <= part < 1:
        warnings.append(f"{100 * part:.2g} % of the pixels are saturated (at {highest:g}): their counts are lost")
    if constant:
        what = "the image is" if count == 1 else f"{constant} of {count} frames are"
        warnings.append(f"{what} constant: returned unchanged")
    return warnings
