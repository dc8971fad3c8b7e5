"""From an image or a file to a denoised one: look at all frames, then denoise and write them one after the other."""

import hashlib
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from stemjax import __version__, files
from stemjax.apply.inference import HALO, denoise_frames, denoise_image
from stemjax.apply.words import in_python
from stemjax.config import is_tagged, to_config
from stemjax.data.recordings import map_recording, read_frames
from stemjax.denoisers.protocol import ask, takes_movies
from stemjax.models.model import Model

FAR = 0.3  # relative difference of pixel sizes from which a trained network deserves a warning
WHERE_THEY_APPLY = ("command", "window", "frames")  # facts of a result
PREVIEW = (0.5, 99.5)  # percentiles that become black and white


def _warn(about: object, text: str) -> None:
    warnings.warn(in_python(f"{about}: {text}"), stacklevel=3)


@dataclass(frozen=True)
class Work:
    """An image or a movie whose every frame has been looked at.

    Parameters
    ----------
    image : files.Image
        Where it comes from, with the pixel size of the result.
    movie : recordings.Recording
        Its frames, not yet binned.
    parts : list of slice
        The channels that go through the model together.
    shape : tuple of int
        Of the result.
    warnings : list of str
    """

    image: Any
    movie: Any
    parts: list[slice]
    shape: tuple[int, ...]
    warnings: list[str]


@dataclass(frozen=True)
class Job:
    """What is done with each image or file.

    Parameters
    ----------
    axes : str or None
        What the axes mean; see `files.read_image`.
    sampling : float or None
        Pixel size [Å], where the file does not say it.
    bin : int
        Counts of so many by so many pixels are summed first.
    fill_nonfinite : bool
        Fill in NaN and infinite pixels, and set them to NaN again in the result.
    dtype : str
        Of the numbers in a file; integers are rounded and clipped.
    tile, blend
        See `inference.denoise_image`.
    png : bool
        Also write a picture, noisy and denoised side by side.
    overwrite : bool
        Replace results that are there already.
    window : str or None
        What a frame was denoised from, where that was not the movie as a whole.
    command : str or None
        That all this was asked for by.
    warn : callable
        Takes (what it is about, a sentence) for everything that the user should know.
    """

    axes: str | None = None
    sampling: float | None = None
    bin: int = 1
    fill_nonfinite: bool = False
    dtype: str = "float32"
    tile: int | None = None
    blend: str = HALO
    png: bool = False
    overwrite: bool = False
    window: str | None = None
    command: str | None = None
    warn: Callable[[object, str], None] = _warn
    written: set = field(default_factory=set)

    def __post_init__(self):
        for name in ("bin", "tile"):
            if (value := getattr(self, name)) is not None and (not isinstance(value, int) or value < 1):
                raise ValueError(f"--{name} {value!r}: give a whole number of pixels, at least 1")

    def outputs(self, target: Path) -> list[Path]:
        """All the files that a result consists of."""
        return [target, target.with_suffix(".json"), *([target.with_suffix(".png")] if self.png else [])]

    def refuse_losses(self, path: Path, target: Path) -> None:
        """Raise ValueError or OSError where the result would replace what must stay."""
        for output in self.outputs(target):
            if output.exists() and path.exists() and output.samefile(path):
                raise ValueError(f"{path}: the result would replace the input; choose another --out")
            if output.resolve() in self.written:
                raise ValueError(f"{path}: another input of this call made {output}; use two folders")
            if output.is_dir():
                raise OSError(f"{path}: the result {output} is a folder; choose another --out")
            if output.exists() and not self.overwrite:
                raise OSError(f"{path}: {output} is there already; --overwrite replaces it")

    def run(self, path: Path, target: Path, model: Model) -> None:
        """Denoise a file, or a folder of images as a movie, and write the result."""
        work = self.look(read_frames(path, self.axes), model)
        for warning in work.warnings:
            self.warn(path, warning)
        self.write(target, self.denoised(work, model), work, model)

    def look(self, image, model: Model) -> Work:
        """Look at every frame of an image or a movie, whose `path` is what messages call it.

        Raises
        ------
        ValueError
            If it is not what the model takes, or a frame is not sound.
        """
        image = replace(image, sampling=self.sampling or image.sampling)
        movie = map_recording(image, self.fill_nonfinite)
        parts = model.parts(image.data.shape[-1])
        if takes_movies(model.denoiser) and (self.tile or self.blend != "halo"):
            raise ValueError(f"{image.path}: {model.name} takes whole frames: leave out --tile and --blend")
        warned = files.warnings_about_frames(movie.frames())
        shape = (*image.data.shape[:-3], *next(self.frames(movie)).shape)
        if self.bin > 1:
            image = replace(image, sampling=image.sampling and image.sampling * self.bin)
        return Work(image, movie, parts, shape, warned + self._pixel_size_warning(image, model))

    def write(self, target: Path, denoised: Iterable, work: Work, model: Model) -> None:
        """Write the denoised frames [H, W, C], as they come."""
        preview = []

        def frames() -> Iterator:
            for frame in self.checked(denoised, work, model):
                if self.png and not preview:
                    preview.extend((next(self.frames(work.movie)), frame))
                yield frame

        target.parent.mkdir(parents=True, exist_ok=True)
        files.write_frames(target, frames(), work.shape, work.image, self.provenance(work, model), self.dtype)
        if self.png:
            _write_preview(target.with_suffix(".png"), *preview)
        self.written.update(output.resolve() for output in self.outputs(target))

    def checked(self, denoised: Iterable, work: Work, model: Model) -> Iterator:
        """The denoised frames [H, W, C], as they come: refused where they are no numbers, NaN where there was NaN."""
        for index, frame in enumerate(denoised):
            if index == 0:
                self._warn_about_first(work, model, frame)
            if not np.isfinite(frame).all():
                raise ValueError(
                    f"{model.name} gave NaN for this image: its numbers are too large; rescale it to counts"
                )
            if self.fill_nonfinite:
                frame[_any_of(~_finite(work.movie.movie[index]), self.bin)] = float("nan")
            yield frame

    def frames(self, movie) -> Iterator:
        """The frames [H, W, C] of a recording, binned."""
        for frame in movie.frames():
            yield files.Image(frame).bin(self.bin).data if self.bin > 1 else frame

    def prepared(self, movie, part: slice, model: Model) -> dict:
        """The model's variables, with the statistics of the whole movie where it takes any."""
        prepare_movie = ask(model.denoiser, "prepare_movie")
        if len(movie.movie) == 1 or prepare_movie is None:
            return model.variables
        return prepare_movie(model.variables, (frame[..., part] for frame in self.frames(movie)))

    def denoised(self, work: Work, model: Model) -> Iterator:
        """The frames [H, W, C], denoised."""
        variables = [self.prepared(work.movie, part, model) for part in work.parts]
        pairs = zip(work.parts, variables, strict=True)
        for together in zip(*(self._part(work.movie, *pair, model) for pair in pairs), strict=True):
            yield np.concatenate(together, axis=-1)

    def _part(self, movie, part: slice, variables: dict, model: Model) -> Iterator:
        """Some channels of the frames, denoised together."""
        frames = (frame[..., part] for frame in self.frames(movie))
        if takes_movies(model.denoiser):
            return denoise_frames(model.denoiser, variables, frames, len(movie.movie))
        return (self.one(frame, variables, model) for frame in frames)

    def one(self, frame, variables: dict, model: Model):
        """A frame [H, W, C], denoised by itself."""
        return denoise_image(model.denoiser, variables, frame, tile=self.tile, blend=self.blend)

    def _pixel_size_warning(self, image, model: Model) -> list[str]:
        trained = model.sampling
        if trained and not image.sampling:
            return [f"its pixel size is unknown, and {model.name} was trained at {trained:.3g} Å: say it by --sampling"]
        if not trained or abs(image.sampling / trained - 1) <= FAR:
            return []
        factor = round(trained / image.sampling * self.bin)
        fix = f"try --bin {factor}" if trained > image.sampling and factor > self.bin else "train at this pixel size"
        sizes = f"{image.sampling:.3g} Å per pixel, but {model.name} was trained at {trained:.3g} Å"
        return [f"{sizes}, so what it takes for noise may be signal: {fix}"]

    def _warn_about_first(self, work: Work, model: Model, denoised) -> None:
        """Say what a model that has `warnings` finds in the first frame: inverted contrast, say."""
        if (find := ask(model.denoiser, "warnings")) is None:
            return
        noisy = next(self.frames(work.movie))
        for part in work.parts:
            for text in find(model.variables, noisy[None, ..., part], denoised[None, ..., part]):
                self.warn(work.image.path, text)

    def provenance(self, work: Work, model: Model) -> dict:
        """How the result comes to be, as JSON: program, model, source and what was done."""
        path = work.image.path
        if self.command and path.exists():
            sha256 = _digest([path] if path.is_file() else work.movie.movie.paths)
        else:  # in memory, perhaps changed since it was read; or from standard input
            sha256 = hashlib.sha256(np.ascontiguousarray(work.movie.movie).tobytes()).hexdigest()
        about = {
            "program": f"stemjax {__version__}",
            "command": self.command,
            "model": model.name,
            "model_digest": model.info.get("digest"),
            "denoiser": _config(model.denoiser),
            "source_sha256": sha256,
            "bin": self.bin,
            "tile": self.tile,
            "blend": self.blend,
            "filled_nonfinite": self.fill_nonfinite,
            "warnings": work.warnings,
            "window": self.window,
            "frames": ask(model.denoiser, "frames"),
        }
        return {name: value for name, value in about.items() if value is not None or name not in WHERE_THEY_APPLY}


def _config(denoiser) -> dict:
    """The denoiser as JSON; of one that is not part of stemjax, its class and how it shows itself."""
    if is_tagged(denoiser):
        return to_config(denoiser)
    return {"class": type(denoiser).__qualname__, "repr": repr(denoiser)}


def _digest(paths: Iterable[Path]) -> str:
    """sha256 of files, one after the other."""
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as stream:
            while part := stream.read(1 << 20):
                digest.update(part)
    return digest.hexdigest()


def _finite(frame):
    return np.isfinite(np.asarray(frame, np.float32))


def _any_of(mask, count: int):
    """A mask [H, W, C] on binned pixels: True where any pixel of the block is."""
    height, width, channels = mask.shape
    rows, columns = height // count, width // count
    whole = mask[: rows * count, : columns * count]
    return whole.reshape(rows, count, columns, count, channels).any(axis=(1, 3))


def _write_preview(path: Path, noisy, denoised) -> None:
    """PNG of the first frame's first channel, noisy left and denoised right, each in its own grey scale."""
    from matplotlib import image as picture

    def grey(data):
        data = np.nan_to_num(data[..., 0])
        low, high = np.percentile(data, PREVIEW)
        return np.clip((data - low) / max(high - low, 1e-12), 0, 1)

    pair = np.hstack([grey(noisy), grey(denoised)])
    files.write_whole(path, lambda stream: picture.imsave(stream, pair, cmap="gray", vmin=0, vmax=1, format="png"))
