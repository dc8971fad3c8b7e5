"""Throughput of the optics: images per second in JAX, against the same arithmetic in NumPy and SciPy on the same cores.

    python -m benchmarks.optics            # about 3 minutes; run it with nothing beside it

Both make clean images of 50.1 Å cells from the 10,765 Fourier coefficients of an exit wave: five focus points,
vibration, Fourier resampling, all in complex64 and float32. NumPy has the transfer functions and the filter ready and
only multiplies by them, and SciPy's FFT uses every core; JAX computes the transfer function for each image, as in
training. The two take turns, and the ratio is that of the medians. Expect at least 2.

The result goes to ``results/benchmarks/optics.json``.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import jax
import numpy as np
import scipy.fft

from stemjax.files import write_whole
from stemjax.optics import Band, Optics, image, transfer

RESULT = Path(__file__).resolve().parent.parent / "results" / "benchmarks" / "optics.json"
BAND, OPTICS, DEFOCUS = Band(cell=50.1), Optics(), 60.0


def make_numpy(pixels: int) -> Callable[[np.ndarray], np.ndarray]:
    """The function coefficients [B, K] -> images [B, pixels, pixels], with all that can be computed beforehand."""
    n, workers = BAND.grid, cores()
    rows, columns = BAND.indices.T % n
    offsets, weights = OPTICS.focus()
    transfers = [np.asarray(transfer(DEFOCUS + offset, BAND, OPTICS)) for offset in offsets]
    keep = (min(n, pixels) - 1) // 2
    ky = np.r_[0 : keep + 1, -keep:0]
    g2 = (ky[:, None] ** 2 + np.arange(keep + 1) ** 2) / BAND.cell**2
    damping = (np.exp(-2 * np.pi**2 * OPTICS.vibration**2 * g2) * (pixels / n) ** 2).astype(np.float32)

    def form(coefficients: np.ndarray) -> np.ndarray:
        spectrum = np.zeros((len(coefficients), n, n), np.complex64)
        intensity = np.zeros((len(coefficients), n, n), np.float32)
        for ctf, weight in zip(transfers, weights, strict=True):
            spectrum[:, rows, columns] = coefficients * ctf
            wave = scipy.fft.ifft2(spectrum, norm="forward", workers=workers)
            intensity += weight * (wave.real**2 + wave.imag**2)
        full = np.zeros((len(coefficients), pixels, pixels // 2 + 1), np.complex64)
        full[:, ky, : keep + 1] = scipy.fft.rfft2(intensity, workers=workers)[:, ky, : keep + 1] * damping
        return scipy.fft.irfft2(full, s=(pixels, pixels), workers=workers)

    return form


def make_jax(pixels: int) -> Callable[[np.ndarray], np.ndarray]:
    """The same in JAX, jitted; the result is waited for."""
    form = jax.jit(lambda coefficients, defocus: image(coefficients, defocus, BAND, OPTICS, pixels))
    return lambda coefficients: form(coefficients, DEFOCUS).block_until_ready()


def measure(pixels: int, batch: int, repeats: int) -> dict:
    """Images per second of both at one size."""
    rng = np.random.default_rng(0)
    coefficients = rng.normal(size=(batch, len(BAND.indices), 2)).astype(np.float32).view(np.complex64)[..., 0] / 100
    forms = {"numpy": make_numpy(pixels), "jax": make_jax(pixels)}
    first, second = (np.asarray(form(coefficients)) for form in forms.values())  # compiles, and fills the caches
    difference = float(np.abs(first - second).max() / np.abs(first).max())
    if difference > 1e-5:
        raise ValueError(f"the two differ by {difference:.1e} of the maximum: they do not compute the same")
    times: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(repeats):
        for name, form in forms.items():
            start = time.perf_counter()
            form(coefficients)
            times[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(values) for name, values in times.items()}
    return {
        "pixels": pixels,
        "batch": batch,
        "repeats": repeats,
        "images_per_s": {name: round(batch / median, 2) for name, median in medians.items()},
        "quartiles_s": {name: [round(q, 5) for q in np.quantile(times[name], (0.25, 0.75))] for name in forms},
        "ratio": round(medians["numpy"] / medians["jax"], 2),
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
    print("pixels   JAX [images/s]   NumPy [images/s]   ratio")
    for row in rows:
        speed = row["images_per_s"]
        print(f"{row['pixels']:6d}   {speed['jax']:14.1f}   {speed['numpy']:16.1f}   {row['ratio']:5.2f}")
    print(arguments.out)


if __name__ == "__main__":
    main()
