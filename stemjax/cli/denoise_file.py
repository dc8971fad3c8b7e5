"""What `stemjax denoise` does with each file: look at all frames, then denoise and write them one after the other."""

import hashlib
import shlex
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from stemjax.denoisers.protocol import ask, takes_movies

FAR = 0.3  # relative difference of pixel sizes from which a trained network deserves a warning
PREVIEW = (0.5, 99.5)  # percentiles that become black and white


@dataclass(frozen=True)
class Model:
    """A denoiser ready to use.

    Parameters
    ----------
    name : str
        Of a preset, or the folder of a run.
    denoiser, variables, info
        See `presets.load_model`.
    """

    name: str
    denoiser: Any
    variables: dict
    info: dict

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels that it takes together; a single one where it takes each as an image of its own."""
        return getattr(self.info.get("imaging"), "channels", ("image",))

    @property
    def sampling(self) -> float | None:
        """Pixel size [Å] that it was trained at; None for filters."""
        imaging = self.info.get("imaging")
        return imaging.get("sampling") if isinstance(imaging, dict) else getattr(imaging, "sampling", None)

    def parts(self, count: int) -> list[slice]:
        """The channels that go through it together, of an image that has so many.

        Raises
        ------
        ValueError
            If it needs another number.
        """
        together = len(self.channels)
        if together == 1:
            return [slice(channel, channel + 1) for channel in range(count)]
        if together != count:
            wanted = f"{self.name} denoises {together} together ({', '.join(self.channels)})"
            raise ValueError(
                f"{count} channel{'s' * (count > 1)}, but {wanted}: give all of them in one file, with --axes if need "
                "be, or train a model on this movie with --train"
            )
        return [slice(0, count)]


@dataclass(frozen=True)
class Found:
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
    """What is done with each file; the fields are options of the verb.

    `window` says what a frame was denoised from, where that was not the movie as a whole.
    """

    axes: str | None
    sampling: float | None
    bin: int
    fill_nonfinite: bool
    dtype: str
    tile: int | None
    blend: str
    png: bool
    overwrite: bool
    window: str | None = None
    written: set = field(default_factory=set)

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
        """Denoise a file, or a folder of images as a movie.

        What the user should know is said on stderr, and where the result is on stdout.
        """
        from stemjax.data.recordings import read_frames

        found = self.look(read_frames(path, self.axes), model)
        for warning in found.warnings:
            print(f"warning: {path}: {warning}", file=sys.stderr)
        self.write(target, self._denoised(found, model), found, model)

    def look(self, image, model: Model) -> Found:
        """Look at every frame of an image or a movie, whose `path` is what messages call it.

        Raises
        ------
        ValueError
            If it is not what the model takes, or a frame is not sound.
        """
        from stemjax import files
        from stemjax.data.recordings import map_recording

        image = replace(image, sampling=self.sampling or image.sampling)
        movie = map_recording(image, self.fill_nonfinite)
        parts = model.parts(image.data.shape[-1])
        if takes_movies(model.denoiser) and (self.tile or self.blend != "halo"):
            raise ValueError(f"{image.path}: {model.name} takes whole frames: leave out --tile and --blend")
        warnings = files.warnings_about_frames(movie.frames())
        shape = (*image.data.shape[:-3], *next(self.frames(movie)).shape)
        if self.bin > 1:
            image = replace(image, sampling=image.sampling and image.sampling * self.bin)
        return Found(image, movie, parts, shape, warnings + self._pixel_size_warning(image, model))

    def write(self, target: Path, denoised: Iterable, found: Found, model: Model) -> None:
        """Write the denoised frames [H, W, C] of what was found, as they come, and say where they are."""
        import numpy as np

        from stemjax import files

        preview = []

        def checked() -> Iterator:
            for index, frame in enumerate(denoised):
                if index == 0:
                    self._warn(found, model, frame)
                if not np.isfinite(frame).all():
                    raise ValueError(
                        f"{model.name} gave NaN for this image: its numbers are too large; rescale it to counts"
                    )
                if self.fill_nonfinite:
                    frame[_any_of(~_finite(found.movie.movie[index]), self.bin)] = float("nan")
                if self.png and not preview:
                    preview.extend((next(self.frames(found.movie)), frame))
                yield frame

        target.parent.mkdir(parents=True, exist_ok=True)
        files.write_frames(target, checked(), found.shape, found.image, self._provenance(found, model), self.dtype)
        if self.png:
            _write_preview(target.with_suffix(".png"), *preview)
        self.written.update(output.resolve() for output in self.outputs(target))
        print(target, flush=True)

    def frames(self, movie) -> Iterator:
        """The frames [H, W, C] of a recording, binned."""
        from stemjax.files import Image

        for frame in movie.frames():
            yield Image(frame).bin(self.bin).data if self.bin > 1 else frame

    def prepared(self, movie, part: slice, model: Model) -> dict:
        """The model's variables, with the statistics of the whole movie where it takes any."""
        prepare_movie = ask(model.denoiser, "prepare_movie")
        if len(movie.movie) == 1 or prepare_movie is None:
            return model.variables
        return prepare_movie(model.variables, (frame[..., part] for frame in self.frames(movie)))

    def _denoised(self, found: Found, model: Model) -> Iterator:
        """The frames [H, W, C], denoised."""
        import numpy as np

        variables = [self.prepared(found.movie, part, model) for part in found.parts]
        pairs = zip(found.parts, variables, strict=True)
        for together in zip(*(self._part(found.movie, *pair, model) for pair in pairs), strict=True):
            yield np.concatenate(together, axis=-1)

    def _part(self, movie, part: slice, variables: dict, model: Model) -> Iterator:
        """Some channels of the frames, denoised together."""
        from stemjax.apply.inference import denoise_frames

        frames = (frame[..., part] for frame in self.frames(movie))
        if takes_movies(model.denoiser):
            return denoise_frames(model.denoiser, variables, frames, len(movie.movie))
        return (self.one(frame, variables, model) for frame in frames)

    def one(self, frame, variables: dict, model: Model):
        """A frame [H, W, C], denoised by itself."""
        from stemjax.apply.inference import denoise_image

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

    def _warn(self, found: Found, model: Model, denoised) -> None:
        """Say on stderr what a model that has `warnings` finds in the first frame: inverted contrast, say."""
        if (warnings := ask(model.denoiser, "warnings")) is None:
            return
        noisy = next(self.frames(found.movie))
        for part in found.parts:
            for text in warnings(model.variables, noisy[None, ..., part], denoised[None, ..., part]):
                print(f"warning: {found.image.path}: {text}", file=sys.stderr)

    def _provenance(self, found: Found, model: Model) -> dict:
        from stemjax import __version__
        from stemjax.config import to_config

        path = found.image.path
        if path.exists():
            sha256 = _digest([path] if path.is_file() else found.movie.movie.paths)
        else:  # came from standard input
            sha256 = hashlib.sha256(found.movie.movie.tobytes()).hexdigest()
        return {
            "program": f"stemjax {__version__}",
            "command": shlex.join(["stemjax", *sys.argv[1:]]),
            "model": model.name,
            "model_digest": model.info.get("digest"),
            "denoiser": to_config(model.denoiser),
            "source_sha256": sha256,
            "bin": self.bin,
            "tile": self.tile,
            "blend": self.blend,
            "filled_nonfinite": self.fill_nonfinite,
            "warnings": found.warnings,
        } | ({"window": self.window} if self.window else {})


def _digest(paths: Iterable[Path]) -> str:
    """sha256 of files, one after the other."""
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as stream:
            while part := stream.read(1 << 20):
                digest.update(part)
    return digest.hexdigest()


def _finite(frame):
    import numpy as np

    return np.isfinite(np.asarray(frame, np.float32))


def _any_of(mask, count: int):
    """A mask [H, W, C] on binned pixels: True where any pixel of the block is."""
    height, width, channels = mask.shape
    rows, columns = height // count, width // count
    whole = mask[: rows * count, : columns * count]
    return whole.reshape(rows, count, columns, count, channels).any(axis=(1, 3))


def _write_preview(path: Path, noisy, denoised) -> None:
    """PNG of the first frame's first channel, noisy left and denoised right, each in its own grey scale."""
    import numpy as np
    from matplotlib import image as picture

    from stemjax.files import write_whole

    def grey(data):
        data = np.nan_to_num(data[..., 0])
        low, high = np.percentile(data, PREVIEW)
        return np.clip((data - low) / max(high - low, 1e-12), 0, 1)

    pair = np.hstack([grey(noisy), grey(denoised)])
    write_whole(path, lambda stream: picture.imsave(stream, pair, cmap="gray", vmin=0, vmax=1, format="png"))
