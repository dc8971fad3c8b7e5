"""`stemjax denoise`: denoise image files."""

import hashlib
import logging
import shlex
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from stemjax.cli import fail
from stemjax.cli.arguments import Count, Files, Flag, MaybeCount, named

FAR = 0.3  # relative difference of pixel sizes from which a trained network deserves a warning
PREVIEW = (0.5, 99.5)  # percentiles that become black and white


def denoise(
    paths: Files,
    /,
    model: Annotated[str | None, named("NAME|RUN")] = None,
    out: Annotated[Path | None, named("FOLDER|FILE")] = None,
    format: Literal["tif", "npy"] = "tif",
    png: Flag = False,
    overwrite: Flag = False,
    axes: Annotated[str | None, named("LETTERS")] = None,
    sampling: Annotated[float | None, named("Å")] = None,
    bin: Count = 1,
    fill_nonfinite: Flag = False,
    dtype: Literal["float32", "uint16", "uint8"] = "float32",
    tile: MaybeCount = None,
    blend: Literal["halo", "average"] = "halo",
) -> int:
    """Denoise images and movies. X.tif becomes X_denoised.tif, with X_denoised.json that says how it was made.

    Reads .npy and TIFF, and with the extra `files` dm3, dm4, emd, ser, mrc and hspy. A file that fails does not stop
    the others.

    Args:
        paths: Image files, as many as you like.
        model: Name from `stemjax models`, or folder of a run of `stemjax train`. Default: the network that comes along.
        out: Folder for the results, or, for one input, a file. Default: beside each input.
        format: Format of the results.
        png: Also write a picture, noisy and denoised side by side.
        overwrite: Replace results that are there already; an input is never replaced.
        axes: What the file's axes mean: T frames, H rows, W columns, C channels, e.g. THW.
        sampling: Pixel size in Å, if the file does not say it.
        bin: Sum blocks of N x N pixels before denoising.
        fill_nonfinite: Fill in NaN and infinite pixels, denoise, and set them to NaN again.
        dtype: Type of the numbers in the result; integers are rounded and clipped.
        tile: Side of the tiles for images too large for the memory. Default: as large as fits.
        blend: Keep the middle of tiles that overlap enough, or average tiles as the papers do.
    """
    from stemjax.presets import SHIPPED, load_model

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what it finds wrong is said once, in our own line
    if not paths:
        raise ValueError("no file given: stemjax denoise FILE...")
    if bin < 1 or (sampling is not None and not 0 < sampling < 1e6) or (tile is not None and tile < 1):
        raise ValueError("--bin and --tile must be at least 1, and --sampling a pixel size in Å")
    name = model or SHIPPED
    denoiser, variables, info = load_model(name)
    job = _Job(name, denoiser, variables, info, axes, sampling, bin, fill_nonfinite, dtype, tile, blend, png, overwrite)
    failed = []
    for path in paths:
        try:
            job.run(path, _target(path, out, format, len(paths)))
        except (OSError, ValueError, MemoryError) as error:
            reason = str(error) if str(error).startswith(str(path)) else f"{path}: {_reason(error)}"
            failed.append(reason)
            fail(reason)
    if failed and len(paths) > 1:
        print(f"\n{len(failed)} of {len(paths)} files failed:", file=sys.stderr)
        for reason in failed:
            print(f"  {reason}", file=sys.stderr)
    return 2 if failed else 0


@dataclass(frozen=True)
class _Job:
    """What is done with each file."""

    model: str
    denoiser: Any
    variables: dict
    info: dict
    axes: str | None
    sampling: float | None
    bin: int
    fill_nonfinite: bool
    dtype: str
    tile: int | None
    blend: str
    png: bool
    overwrite: bool
    written: set = field(default_factory=set)

    def run(self, path: Path, target: Path) -> None:
        """Denoise one file, saying on stderr what the user should know and on stdout where the result is."""
        from stemjax import files

        outputs = [target, target.with_suffix(".json"), *([target.with_suffix(".png")] if self.png else [])]
        self._refuse_losses(path, outputs)
        image = files.read_image(path, self.axes)
        image = replace(image, sampling=self.sampling or image.sampling)
        mask = None
        if self.fill_nonfinite:
            data, mask = files.fill_nonfinite(image.data)
            image = replace(image, data=data)
        files.refuse_nonfinite(image)
        warnings = files.warnings_about(image)
        if self.bin > 1:
            image = image.bin(self.bin)
        warnings += self._pixel_size_warning(image)
        for warning in warnings:
            print(f"warning: {path}: {warning}", file=sys.stderr)
        denoised = self._denoise(image.data)
        if mask is not None and mask.any():
            denoised[_binned(mask, self.bin)] = float("nan")
        target.parent.mkdir(parents=True, exist_ok=True)
        files.write_image(target, replace(image, data=denoised), self._provenance(path, warnings), self.dtype)
        if self.png:
            _write_preview(outputs[-1], image.data, denoised)
        self.written.update(output.resolve() for output in outputs)
        print(target)

    def _denoise(self, data):
        """Denoise [..., H, W, C], each channel as an image of its own."""
        import numpy as np

        from stemjax.inference import denoise_image

        channels = [data[..., c : c + 1] for c in range(data.shape[-1])]
        options = {"tile": self.tile, "blend": self.blend}
        denoised = [denoise_image(self.denoiser, self.variables, channel, **options) for channel in channels]
        denoised = np.concatenate(denoised, axis=-1)
        if not np.isfinite(denoised).all():
            raise ValueError(f"{self.model} gave NaN for this image: its numbers are too large; rescale it to counts")
        return denoised

    def _refuse_losses(self, path: Path, outputs: list[Path]) -> None:
        for output in outputs:
            if output.exists() and path.exists() and output.samefile(path):
                raise ValueError(f"{path}: the result would replace the input; choose another --out")
            if output.resolve() in self.written:
                raise ValueError(f"{path}: another input of this call made {output}; use two folders")
            if output.is_dir():
                raise OSError(f"{path}: the result {output} is a folder; choose another --out")
            if output.exists() and not self.overwrite:
                raise OSError(f"{path}: {output} is there already; --overwrite replaces it")

    def _pixel_size_warning(self, image) -> list[str]:
        trained = training_sampling(self.info)
        if not trained or not image.sampling or abs(image.sampling / trained - 1) <= FAR:
            return []
        factor = round(trained / image.sampling * self.bin)
        fix = f"try --bin {factor}" if trained > image.sampling and factor > self.bin else "train at this pixel size"
        sizes = f"{image.sampling:.3g} Å per pixel, but {self.model} was trained at {trained:.3g} Å"
        return [f"{sizes}, so what it takes for noise may be signal: {fix}"]

    def _provenance(self, path: Path, warnings: list[str]) -> dict:
        from stemjax import __version__
        from stemjax.denoisers import to_config

        with open(path, "rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        return {
            "program": f"stemjax {__version__}",
            "command": shlex.join(["stemjax", *sys.argv[1:]]),
            "model": self.model,
            "model_digest": self.info.get("digest"),
            "denoiser": to_config(self.denoiser),
            "source_sha256": sha256,
            "bin": self.bin,
            "tile": self.tile,
            "blend": self.blend,
            "filled_nonfinite": self.fill_nonfinite,
            "warnings": warnings,
        }


def training_sampling(info: dict) -> float | None:
    """Pixel size [Å] that a model was trained at, from `load_model`'s info; None for filters."""
    imaging = info.get("imaging")
    return imaging.get("sampling") if isinstance(imaging, dict) else getattr(imaging, "sampling", None)


def _target(path: Path, out: Path | None, format: str, count: int) -> Path:
    """Where the result of `path` goes."""
    name = f"{path.stem}_denoised.{format}"
    if out is None:
        return path.with_name(name)
    if out.suffix.lower() in (".tif", ".tiff", ".npy") and not out.is_dir():
        if count > 1:
            raise ValueError(f"--out {out} is one file, but there are {count} inputs: give a folder")
        return out
    if out.exists() and not out.is_dir():
        raise ValueError(f"--out {out} is a file: give a folder, or a name that ends in .tif or .npy")
    return out / name


def _binned(mask, count: int):
    """A mask [..., H, W, C] on binned pixels: True where any pixel of the block is."""
    *frames, height, width, channels = mask.shape
    rows, columns = height // count, width // count
    whole = mask[..., : rows * count, : columns * count, :]
    return whole.reshape(*frames, rows, count, columns, count, channels).any(axis=(-4, -2))


def _write_preview(path: Path, noisy, denoised) -> None:
    """PNG of the first frame's first channel, noisy left and denoised right, each in its own grey scale."""
    import numpy as np
    from matplotlib import image as picture

    from stemjax.files import write_whole

    def grey(data):
        data = np.nan_to_num(data[0, ..., 0] if data.ndim == 4 else data[..., 0])
        low, high = np.percentile(data, PREVIEW)
        return np.clip((data - low) / max(high - low, 1e-12), 0, 1)

    pair = np.hstack([grey(noisy), grey(denoised)])
    write_whole(path, lambda stream: picture.imsave(stream, pair, cmap="gray", vmin=0, vmax=1, format="png"))


def _reason(error: Exception) -> str:
    strerror = getattr(error, "strerror", None)
    return f"{error.filename}: {strerror}" if strerror and error.filename else strerror or str(error) or "out of memory"
