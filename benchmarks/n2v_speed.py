"""Time to denoise a frame of 512 x 512 pixels and two channels: filters, the dual network, two single networks.

    python -m benchmarks.n2v_speed                     # at the paper's size, on a GPU; nothing beside it
    python -m benchmarks.n2v_speed --width 16 --depth 3   # the network that size cpu trains: minutes on two cores

The networks have random weights: what is in them does not matter for the time. Total variation stops when it has
converged, so it gets a frame like those of Table S1: gold on carbon with Gaussian noise of 7 dB. Filters have the
paper's settings. Frames are on the device before the clock starts and the result is waited for; reading, writing and
copying are left out. A call is repeated for at least `--seconds`, that three times over, each a figure of its own;
compiling is timed apart. In the paper, on an RTX A5000: Gaussian 11, total variation 300, dual network 22, two single
networks 43 ms per frame. Expect at least 500 frames per second of the dual network on a large GPU.

The result goes to ``results/benchmarks/n2v_speed.json``.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.optics import RESULT, describe_machine
from stemjax.denoisers.gaussian import Gaussian
from stemjax.denoisers.noise2void import Noise2Void
from stemjax.denoisers.per_channel import PerChannel
from stemjax.denoisers.total_variation import TotalVariation
from stemjax.files import write_whole
from stemjax.networks import N2VUNet
from stemjax.networks.weights import parameter_count
from stemjax.physics.noise import Gaussian as GaussianNoise

PSNR_DB, ADATOMS, RADIUS = 7.0, 140, 1.6  # gold atoms in a frame and their standard deviation [px]
PUBLISHED_MS = {"Gaussian filter": 11, "Total variation": 300, "Noise2Void, dual": 22, "Noise2Void, two single": 43}


def make_frames(count: int, pixels: int) -> jax.Array:
    """Noisy frames float32 [count, pixels, pixels, 2]: adatoms, bright and dark, on a lattice of low contrast."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:pixels, :pixels].astype(np.float32)
    lattice = np.cos(2 * np.pi * x / 4.63) * np.cos(2 * np.pi * y / 4.63)
    frames = []
    for _ in range(count):
        impulses = np.zeros((pixels, pixels), np.float32)
        np.add.at(impulses, tuple(rng.integers(pixels, size=(2, max(1, ADATOMS * pixels**2 // 512**2)))), 1.0)
        gold = np.asarray(Gaussian(RADIUS).denoise({}, impulses[..., None]))[..., 0] * 2 * np.pi * RADIUS**2
        frames.append(np.stack([0.004 + 0.001 * lattice + 0.1 * gold, 0.35 + 0.01 * lattice - 0.1 * gold], -1))
    return jax.jit(GaussianNoise(PSNR_DB).sample)(jax.random.key(0), jnp.asarray(np.stack(frames)))


def methods(depth: int, width: int, precision: str) -> dict[str, tuple[Callable, list]]:
    """Method -> (the function (variables, frames [B, H, W, 2]) -> denoised frames, its variables)."""
    filters = {
        "Gaussian filter": PerChannel((Gaussian(1.0),)),
        "Total variation": PerChannel((TotalVariation(1.0, unit_range=True), TotalVariation(0.75, unit_range=True))),
    }
    dual, single = (
        Noise2Void(N2VUNet(depth=depth, width=width, channels_out=channels), precision=precision) for channels in (2, 1)
    )
    seeds = jax.random.split(jax.random.key(0), 3)

    def fresh(denoiser: Noise2Void, key: jax.Array) -> dict:
        return jax.jit(denoiser.init)(key, jnp.zeros((1, 64, 64, denoiser.network.channels_out)))

    def apart(variables, frames):
        pairs = zip(variables, (frames[..., :1], frames[..., 1:]), strict=True)
        return jnp.concatenate([single.denoise(known, channel) for known, channel in pairs], -1)

    functions = {name: (lambda _, frames, filter=f: filter.denoise({}, frames), []) for name, f in filters.items()}
    functions["Noise2Void, dual"] = (dual.denoise, fresh(dual, seeds[0]))
    functions["Noise2Void, two single"] = (apart, [fresh(single, seeds[1]), fresh(single, seeds[2])])
    return functions


def measure(name: str, denoise: Callable, variables, frames: jax.Array, repeats: int, seconds: float) -> dict:
    """Milliseconds per frame of one method, in each repeat, and what compiling took [s]."""
    start = time.perf_counter()
    compiled = jax.jit(denoise).lower(variables, frames).compile()
    compile_s = time.perf_counter() - start
    denoised = jax.block_until_ready(compiled(variables, frames))
    if denoised.shape != frames.shape or not bool(jnp.isfinite(denoised).all()):
        raise ValueError(f"{name}: frames of {frames.shape} became {denoised.shape}, or are not finite")
    start = time.perf_counter()
    jax.block_until_ready(compiled(variables, frames))
    calls = max(1, round(seconds / (time.perf_counter() - start)))
    per_frame = []
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(calls):
            denoised = compiled(variables, frames)
        jax.block_until_ready(denoised)
        per_frame.append(1e3 * (time.perf_counter() - start) / calls / len(frames))
    return {
        "method": name,
        "batch": len(frames),
        "calls": calls,
        "ms_per_frame": [round(value, 4) for value in per_frame],
        "median_ms_per_frame": round(statistics.median(per_frame), 4),
        "frames_per_s": round(1e3 / statistics.median(per_frame), 2),
        "compile_s": round(compile_s, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pixels", type=int, default=512, help="pixels per side of a frame")
    parser.add_argument("--depth", type=int, default=4, help="halvings of the networks")
    parser.add_argument("--width", type=int, default=64, help="features of the networks at full resolution")
    parser.add_argument("--precision", default="float32", help="type that the networks compute in, such as bfloat16")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 16], help="frames in a call")
    parser.add_argument("--repeats", type=int, default=3, help="figures of each method")
    parser.add_argument("--seconds", type=float, default=2.0, help="least time of a repeat")
    parser.add_argument("--methods", nargs="+", default=list(PUBLISHED_MS), help="of these, which to time")
    parser.add_argument("--out", type=Path, default=RESULT.with_name("n2v_speed.json"), help="file of the result")
    parser.add_argument("--dry-run", action="store_true", help="print the result without writing it")
    chosen = parser.parse_args()
    known, rows = methods(chosen.depth, chosen.width, chosen.precision), []
    if unknown := set(chosen.methods) - set(known):
        parser.error(f"no method {sorted(unknown)[0]!r}; there are {', '.join(known)}")
    print("method                    batch   ms per frame (each repeat)      frames/s   compile s")
    for batch in chosen.batch:
        frames = jax.device_put(make_frames(batch, chosen.pixels))
        for name in chosen.methods:
            row = measure(name, *known[name], frames, chosen.repeats, chosen.seconds)
            rows.append(row | {"published_ms_per_frame": PUBLISHED_MS[name]})
            values = " ".join(f"{value:9.3f}" for value in row["ms_per_frame"])
            print(
                f"{name:24s} {batch:6d}   {values}   {row['frames_per_s']:8.1f}   {row['compile_s']:9.2f}", flush=True
            )
    networks = {
        f"{count} channels": N2VUNet(depth=chosen.depth, width=chosen.width, channels_out=count) for count in (2, 1)
    }
    result = {
        "benchmark": "n2v_speed",
        "machine": describe_machine(),
        "pixels": chosen.pixels,
        "depth": chosen.depth,
        "width": chosen.width,
        "precision": chosen.precision,
        "parameters": {name: parameter_count(network) for name, network in networks.items()},
        "published_on": "RTX A5000, the paper's network",
        "rows": rows,
    }
    if chosen.dry_run:
        return
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    write_whole(chosen.out, lambda stream: stream.write(text.encode()))
    print(chosen.out)


if __name__ == "__main__":
    main()
