"""Throughput of the optics: images per second in JAX, and of the same arithmetic in NumPy on the same cores.

    python -m benchmarks.optics            # about 3 minutes; run it with nothing beside it

All make clean images of 50.1 Å cells, each under a defocus of its own, from the 10,765 Fourier coefficients of an exit
wave: transfer function, five focus points, vibration, Fourier resampling, all in complex64 and float32. `numpy` is the
same arithmetic with `numpy.fft`; `scipy` is the most that we could get out of NumPy: transfer functions and filter
computed beforehand, SciPy's FFT on every core. They take turns, and a ratio is that of the medians. Expect more than 2
against `numpy` at 512 px, the size that trainings render at size `cpu`, and about 1 at 1024 px, where the last inverse
FFT takes most of the time.

The result goes to ``results/benchmarks/optics.json``.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import scipy.fft

from stemjax.files import write_whole
from stemjax.physics.optics import Band, Optics, image, wavelength

RESULT = Path(__file__).resolve().parent.parent / "results" / "benchmarks" / "optics.json"
BAND, OPTICS, DEFOCUS = Band(cell=50.1), Optics(), 60.0


def make_numpy(pixels: int, prepared: bool) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """The function coefficients [B, K], defocus [B] -> images [B, pixels, pixels].

    `prepared`: with transfer functions from before, for the defocus of the first call, and SciPy's FFT on every core.
    """
    n, fft = BAND.grid, partial_fft(cores()) if prepared else np.fft
    rows, columns = BAND.indices.T % n
    offsets, weights = OPTICS.focus()
    keep = (min(n, pixels) - 1) // 2
    ky = np.r_[0 : keep + 1, -keep:0]
    g2 = (ky[:, None] ** 2 + np.arange(keep + 1) ** 2) / BAND.cell**2
    damping = (np.exp(-2 * np.pi**2 * OPTICS.vibration**2 * g2) * (pixels / n) ** 2).astype(np.float32)
    ready: list[np.ndarray] = []

    def form(coefficients: np.ndarray, defocus: np.ndarray) -> np.ndarray:
        if prepared and not ready:
            ready.extend(numpy_transfer(defocus + offset) for offset in offsets)
        transfers = ready or (numpy_transfer(defocus + offset) for offset in offsets)
        spectrum = np.zeros((len(coefficients), n, n), np.complex64)
        intensity = np.zeros((len(coefficients), n, n), np.float32)
        for ctf, weight in zip(transfers, weights, strict=True):
            spectrum[:, rows, columns] = coefficients * ctf
            wave = fft.ifft2(spectrum, norm="forward")
            intensity += weight * (wave.real**2 + wave.imag**2)
        full = np.zeros((len(coefficients), pixels, pixels // 2 + 1), np.complex64)
        full[:, ky, : keep + 1] = fft.rfft2(intensity)[:, ky, : keep + 1] * damping
        return fft.irfft2(full, s=(pixels, pixels))

    return form


def numpy_transfer(defocus: np.ndarray) -> np.ndarray:
    """`optics.transfer` in NumPy: complex64 [B, K]."""
    angle, c10 = BAND.scattering_angle, defocus.astype(np.float32)[:, None]
    turns = np.float32(2 * np.pi / wavelength(BAND.energy))
    chi = turns * (c10 / 2 * angle**2 + np.float32(OPTICS.c30 / 4) * angle**4 + np.float32(OPTICS.c50 / 6) * angle**6)
    slope = turns * (c10 * angle + np.float32(OPTICS.c30) * angle**3 + np.float32(OPTICS.c50) * angle**5)
    envelope = np.exp(-((np.float32(OPTICS.convergence * 1e-3 / 2) * slope) ** 2))
    return envelope * (np.cos(chi) - 1j * np.sin(chi))


def partial_fft(workers: int) -> SimpleNamespace:
    """The functions used of `scipy.fft`, on so many threads."""
    return SimpleNamespace(
        **{name: partial(getattr(scipy.fft, name), workers=workers) for name in ("ifft2", "rfft2", "irfft2")}
    )


def make_jax(pixels: int) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """The same in JAX, jitted; the result is waited for."""
    form = jax.jit(lambda coefficients, defocus: image(coefficients, defocus, BAND, OPTICS, pixels))
    return lambda coefficients, defocus: form(coefficients, defocus).block_until_ready()


def measure(pixels: int, batch: int, repeats: int) -> dict:
    """Images per second of each at one size."""
    rng = np.random.default_rng(0)
    coefficients = rng.normal(size=(batch, len(BAND.indices), 2)).astype(np.float32).view(np.complex64)[..., 0] / 100
    defocus = np.linspace(0, 200, batch, dtype=np.float32)
    forms = {"jax": make_jax(pixels), "numpy": make_numpy(pixels, False), "scipy": make_numpy(pixels, True)}
    images = {name: np.asarray(form(coefficients, defocus)) for name, form in forms.items()}  # compiles, fills caches
    difference = max(float(np.abs(other - images["jax"]).max() / images["jax"].max()) for other in images.values())
    if difference > 1e-4:
        raise ValueError(f"they differ by {difference:.1e} of the maximum: they do not compute the same")
    times: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(repeats):
        for name, form in forms.items():
            start = time.perf_counter()
            form(coefficients, defocus)
            times[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(values) for name, values in times.items()}
    return {
        "pixels": pixels,
        "batch": batch,
        "repeats": repeats,
        "images_per_s": {name: round(batch / median, 2) for name, median in medians.items()},
        "quartiles_s": {name: [round(q, 5) for q in np.quantile(times[name], (0.25, 0.75))] for name in forms},
        "ratio": {name: round(medians[name] / medians["jax"], 2) for name in ("numpy", "scipy")},
        "difference": float(f"{difference:.1e}"),
    }


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def describe_machine() -> dict:
    """Hardware and software that the figures hold for."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").is_file():
        models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        cpu = models[0].partition(":")[2].strip() if models else cpu
    return {
        "cpu": cpu,
        "cores": cores(),
        "jax_device": jax.devices()[0].device_kind,
        "python": platform.python_version(),
        "software": {name: version(name) for name in ("jax", "jaxlib", "numpy", "scipy")},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pixels", type=int, nargs="+", default=[512, 1024], help="pixels per side of an image")
    parser.add_argument("--batch", type=int, default=8, help="images per call")
    parser.add_argument("--repeats", type=int, default=25, help="calls of each, taking turns")
    parser.add_argument("--out", type=Path, default=RESULT, help="file of the result")
    arguments = parser.parse_args()
    rows = [measure(pixels, arguments.batch, arguments.repeats) for pixels in arguments.pixels]
    result = {"benchmark": "optics", "machine": describe_machine(), "rows": rows}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    write_whole(arguments.out, lambda stream: stream.write(text.encode()))
    print("pixels   images/s: JAX    NumPy    SciPy   JAX / NumPy   JAX / SciPy")
    for row in rows:
        speed, ratio = row["images_per_s"], row["ratio"]
        print(
            f"{row['pixels']:6d}   {speed['jax']:13.1f} {speed['numpy']:8.1f} {speed['scipy']:8.1f}   "
            f"{ratio['numpy']:11.2f}   {ratio['scipy']:11.2f}"
        )
    print(arguments.out)


if __name__ == "__main__":
    main()
