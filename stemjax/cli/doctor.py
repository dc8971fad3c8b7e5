"""`stemjax doctor`: what stemjax finds on this machine, and in the noise of a movie."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from stemjax.cli.arguments import named

EXTRAS = {"simulation": ("abtem", "ase"), "files": ("rsciio", "h5py", "mrcfile"), "wandb": ("wandb",)}
CORE = ("jax", "flax", "optax", "orbax-checkpoint", "numpy", "scikit-image")


def machine() -> None:
    """Show Python, JAX, devices, memory, optional packages and folders: worth pasting into a report of a problem.

    `stemjax doctor noise FILE` tells whether the noise of a movie is Poisson.
    """
    import jax

    from stemjax import __version__

    _line("stemjax", f"{__version__}, {Path(__file__).parents[1]}")
    _line("python", f"{platform.python_version()}, {platform.platform(terse=True)}")
    _line("packages", ", ".join(f"{name} {_version(name)}" for name in CORE))
    _line("devices", ", ".join(_describe(device) for device in jax.devices()))
    _line("processors", f"{len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()}")
    _line("memory", _memory())
    for extra, modules in EXTRAS.items():
        missing = [module for module in modules if find_spec(module) is None]
        state = f"missing ({', '.join(missing)}): pip install -e '.[{extra}]'" if missing else "present"
        _line(f"extra {extra}", state)
    _line("compiled programs", jax.config.jax_compilation_cache_dir or "not kept")
    _line("reference files", _reference())


def noise(
    file: Annotated[Path, named("FILE")],
    /,
    png: Annotated[Path | None, named("OUT.png")] = None,
    axes: Annotated[str | None, named("LETTERS")] = None,
) -> None:
    """Tell whether the noise of a stationary movie, or of a single image, is Poisson; if not, gain, offset, read noise.

    Args:
        file: Any file that `stemjax denoise` reads.
        png: Also draw the histogram and the mean-variance line.
        axes: What the file's axes mean: T frames, H rows, W columns, e.g. THW.
    """
    if not file.exists():
        raise FileNotFoundError(f"{file}: no such file")
    from stemjax.files import read_image, warnings_about, write_whole
    from stemjax.metrics.noise_check import ALPHA, check_noise

    image = read_image(file, axes)
    if image.data.shape[-1] != 1:
        raise ValueError(f"{file}: {image.data.shape[-1]} channels: give a file with one")
    try:
        check = check_noise(image.data[..., 0])
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
    for warning in warnings_about(image):
        print(f"warning: {file}: {warning}", file=sys.stderr)
    if image.data.min() < 0:
        share, lowest = 100 * (image.data < 0).mean(), image.data.min()
        print(
            f"{file}: these are not counts: {share:.2g} % of the values are negative, down to {lowest:.4g}, as after a "
            "subtraction of the background. What follows takes them as they are."
        )
    print(f"{file}: {check.verdict}\n")
    frames = f"{check.frames} frames of" if check.frames > 1 else "1, its neighbouring pixels compared:"
    _line("frames", f"{frames} {check.pixels:,} pixels")
    _line("mean", f"{check.mean:.4g}")
    _line("variance / mean", f"{check.dispersion} (1)")
    if check.has_line:
        _line("gain", f"{check.gain} (1)")
        _line("offset", f"{check.offset} (0)")
        _line("read noise, squared", f"{check.read_variance} (0)")
    p_value = "none" if check.p_value is None else f"{check.p_value:.2g}" if check.p_value > 1e-12 else "below 1e-12"
    _line("Poisson's p-value", f"{p_value} (above {ALPHA:g})")
    print("\n[95 % interval] (electron counting)")
    for remark in check.remarks():
        print(remark)
    if png is not None:
        from stemjax.figures.noise_check import picture

        content = picture({file.name: check})
        write_whole(png, lambda stream: stream.write(content))
        print(png)


doctor = {"": machine, "noise": noise}


def _line(name: str, value: str) -> None:
    print(f"{name:<19} {value}")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def _describe(device) -> str:
    limit = (device.memory_stats() or {}).get("bytes_limit") if device.platform != "cpu" else None
    return f"{device.platform}:{device.id} {device.device_kind}" + (f" ({limit / 1e9:.0f} GB)" if limit else "")


def _memory() -> str:
    try:
        total, free = (os.sysconf(name) * os.sysconf("SC_PAGE_SIZE") for name in ("SC_PHYS_PAGES", "SC_AVPHYS_PAGES"))
    except (ValueError, OSError):
        return "unknown"
    return f"{total / 1e9:.1f} GB, {free / 1e9:.1f} GB free"


def _reference() -> str:
    checkout = Path(__file__).resolve().parents[2]
    folder = Path(os.environ.get("STEMJAX_REFERENCE") or checkout.parent / "shared" / "reference")
    found = "present" if folder.is_dir() else "absent: some tests skip (STEMJAX_REFERENCE names another folder)"
    return f"{folder}, {found}"
