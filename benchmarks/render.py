"""Throughput of the renderer: frames per second of gold on graphene, dark field and bright field.

    python -m benchmarks.render            # under a minute; run it with nothing beside it

Frames of 512 x 512 pixels of 0.46 Å and two channels, each with adatoms at positions and a drift of its own, from a
library as large as that of the data set `au-graphene`: a background of 14 x 8 pixels, and 9 patches of 42 x 42 pixels,
12.6 Å wide. What is in it does not matter for the time: they are random numbers. `view` is what each movie takes once.
Expect at least 20 frames per second on two cores.

The result goes to ``results/benchmarks/contrast_library.json``.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import jax
import numpy as np

from benchmarks.optics import RESULT, describe_machine
from stemjax.data.au_graphene import CHUNK
from stemjax.files import write_whole
from stemjax.physics import contrast_library

SAMPLING, CELL, STEP = 0.46, (2.46 * 3**0.5, 2.46), 0.3  # Å


def make_library(patch: int, rng: np.random.Generator) -> contrast_library.Library:
    """Random numbers in the shapes of a library with patches of so many pixels."""
    sites = np.array([(i / 3, j / 3) for i in range(3) for j in range(3)], np.float32)
    background, contrast = (rng.normal(size=shape).astype(np.float32) for shape in ((14, 8, 2), (9, patch, patch, 2)))
    return jax.device_put(contrast_library.Library(background, contrast, sites, CELL, patch * STEP))


def measure(pixels: int, adatoms: int, patch: int, repeats: int) -> dict:
    """Frames per second of one size."""
    rng = np.random.default_rng(0)
    library, shape = make_library(patch, rng), (pixels, pixels)
    view = jax.jit(contrast_library.view, static_argnames="sampling")
    movie = jax.jit(contrast_library.movie, static_argnames="pixels")
    positions = rng.uniform(0, pixels * SAMPLING, (CHUNK, adatoms, 2)).astype(np.float32)
    drift = rng.normal(size=(CHUNK, 2)).astype(np.float32)
    arguments = jax.device_put((positions, np.ones((CHUNK, adatoms), bool), drift))

    def views() -> contrast_library.View:
        return jax.block_until_ready(view(library, 12.0, 0.7, SAMPLING))

    seen = views()
    start = time.perf_counter()
    compiled = movie.lower(seen, *arguments, shape).compile()
    compile_s = time.perf_counter() - start

    def timed(call) -> float:
        start = time.perf_counter()
        jax.block_until_ready(call())
        return time.perf_counter() - start

    timed(lambda: compiled(seen, *arguments))
    frames = [timed(lambda: compiled(seen, *arguments)) / CHUNK for _ in range(repeats)]
    once = [timed(views) for _ in range(repeats)]
    return {
        "pixels": pixels,
        "adatoms": adatoms,
        "patch_pixels": patch,
        "frames_per_call": CHUNK,
        "repeats": repeats,
        "frames_per_s": round(1 / statistics.median(frames), 1),
        "quartiles_s": [round(q, 5) for q in np.quantile(frames, (0.25, 0.75))],
        "view_s": round(statistics.median(once), 4),
        "compile_s": round(compile_s, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pixels", type=int, default=512, help="pixels per side of a frame")
    parser.add_argument("--adatoms", type=int, nargs="+", default=[100, 200], help="adatoms in a frame")
    parser.add_argument("--patch", type=int, default=42, help="pixels per side of the library's patches")
    parser.add_argument("--repeats", type=int, default=15, help="calls, each of several frames")
    parser.add_argument("--out", type=Path, default=RESULT.with_name("render.json"), help="file of the result")
    chosen = parser.parse_args()
    rows = [measure(chosen.pixels, adatoms, chosen.patch, chosen.repeats) for adatoms in chosen.adatoms]
    result = {"benchmark": "render", "machine": describe_machine(), "rows": rows}
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    write_whole(chosen.out, lambda stream: stream.write(text.encode()))
    print("pixels  adatoms  frames/s  view s  compile s")
    for row in rows:
        print(
            f"{row['pixels']:6d}  {row['adatoms']:7d}  {row['frames_per_s']:8.1f}  {row['view_s']:6.3f}"
            f"  {row['compile_s']:9.2f}"
        )
    print(chosen.out)


if __name__ == "__main__":
    main()
