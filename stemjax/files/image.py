"""An image as it comes from a file, and what a file may say about it."""

import html
import math
from dataclasses import dataclass, field, replace
from numbers import Real
from pathlib import Path

import numpy as np

TIFF = (".tif", ".tiff")
AXES = "THWC"


@dataclass(frozen=True, repr=False, eq=False)
class Image:
    """One image or movie as read from a file. NumPy takes it for its `data`.

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
    provenance : dict
        How it was made from another, where it was: program, model, settings.
    noisy : Image or None
        What it was denoised from, as the model saw it.
    """

    data: np.ndarray
    sampling: float | None = None
    metadata: dict = field(default_factory=dict)
    dtype: str = "float32"
    path: Path | None = None
    provenance: dict = field(default_factory=dict)
    noisy: "Image | None" = None

    def __post_init__(self):
        if getattr(self.data, "ndim", None) not in (3, 4):
            raise ValueError("an Image has data [H, W, C] or [T, H, W, C]: stemjax.read and denoise take other arrays")
        if self.sampling is not None and not (isinstance(self.sampling, Real) and 0 < self.sampling < np.inf):
            raise ValueError(f"sampling {self.sampling!r} is no pixel size: give it in Å, above 0")

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.array(self.data, dtype, copy=copy)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of `data`."""
        return tuple(self.data.shape)

    @property
    def axes(self) -> str:
        """Meaning of the axes of `data`: "HWC" or "THWC"."""
        return AXES[-self.data.ndim :]

    def __repr__(self) -> str:
        size = " x ".join(str(length) for length in self.data.shape)
        scale = f"{self.sampling:.4g} Å per pixel" if self.sampling else "pixel size unknown"
        return f"Image({size} {self.axes}, {scale}, {self.dtype}, from {self.path})"

    def _repr_html_(self) -> str:
        """The first frame, for a notebook."""
        from stemjax.files.arrays import picture

        return f"{picture(self)}<br>{html.escape(repr(self))}"

    def bin(self, count: int) -> "Image":
        """Sum blocks of `count` x `count` pixels, which keeps noise independent from pixel to pixel.

        Rows and columns that do not fill a block are dropped.

        Raises
        ------
        ValueError
            If the image is smaller than one block.
        """
        if not isinstance(count, int) or count < 1:
            raise ValueError(f"bin {count!r}: give a whole number of pixels, at least 1")
        *frames, height, width, channels = self.data.shape
        rows, columns = height // count, width // count
        if not rows or not columns:
            raise ValueError(f"{height} x {width} pixels cannot be binned by {count}: choose a smaller --bin")
        whole = self.data[..., : rows * count, : columns * count, :]
        data = whole.reshape(*frames, rows, count, columns, count, channels).sum(axis=(-4, -2), dtype=np.float32)
        return replace(self, data=data, sampling=self.sampling and self.sampling * count)


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
