"""`stemjax doctor`: what stemjax finds on this machine."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

EXTRAS = {"simulation": ("abtem", "ase"), "files": ("rsciio", "h5py", "mrcfile"), "wandb": ("wandb",)}
CORE = ("jax", "flax", "optax", "orbax-checkpoint", "numpy", "scikit-image")


def doctor() -> None:
    """Show Python, JAX, devices, memory, optional packages and folders: worth pasting into a report of a problem."""
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
        state = f"missing ({', '.join(missing)}): pip install 'stemjax[{extra}]'" if missing else "present"
        _line(f"extra {extra}", state)
    _line("compiled programs", jax.config.jax_compilation_cache_dir or "not kept")
    _line("reference files", _reference())


def _line(name: str, value: str) -> None:
    print(f"{name:<18} {value}")


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
