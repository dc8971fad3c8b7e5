"""Time of a training step on a CPU, with and without what makes it faster there.

    python -m benchmarks.train_step        # a quarter of an hour; run it with nothing beside it

Three networks learn from random images of 128 x 128 pixels and one channel, each step with its gradient and Adam:

- `unet`: that of ``sbd-unet-4x32``, 4 scales, 32 base channels;
- `dncnn`: the DnCNN that ``sbd-dncnn --size cpu`` trains;
- `n2v-unet`: the UNet of Noise2Void with 16 features, 3 x 3 kernels and one channel, learning from pairs.

Making the batch is left out. The variants are processes of their own, which take turns:

- `plain`: every convolution as the one operation that JAX has for it, memory as the system gives it;
- `memory`: after `stemjax.training.memory.keep_freed_memory`;
- `convolution`: with `stemjax.networks.convolution`;
- `both`: what a training does.

The norm of the first gradient must be the same in all, to rounding. A figure is the median over the processes of the
medians over steps. Processor time suffers less than wall time from what else runs; page faults are per step.

The result goes to ``results/benchmarks/train_step.json``.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jax
import optax

from benchmarks.optics import RESULT, describe_machine
from stemjax.denoisers.supervised import Supervised
from stemjax.files import write_whole
from stemjax.models import presets
from stemjax.networks import N2VUNet, convolution, layers
from stemjax.training import memory

VARIANTS = ("plain", "memory", "convolution", "both")
PIXELS, WARM_UP = 128, 2
FIGURES = ("wall_ms", "processor_ms", "page_faults", "peak_mib")


def find_denoiser(name: str):
    if name == "n2v-unet":
        return Supervised(N2VUNet(depth=4, width=16, first_kernel=3, channels_out=1), centre=True)
    return {
        "unet": presets.find_preset("sbd-unet-4x32").denoiser,
        "dncnn": presets.find_preset("sbd-dncnn").at("cpu"),
    }[name]


def use_plain_convolutions() -> None:
    """Every layer as one convolution of JAX, with JAX's own derivatives."""
    layers.correlate = convolution.plain
    layers.correlate_inside = lambda x, kernel, stride, dilation: convolution.plain(x, kernel, stride, dilation, 0)


def measure(name: str, variant: str, batch: int, steps: int) -> dict:
    """Of one variant in this process: medians over the steps, and the norm of the first gradient."""
    if variant in ("memory", "both") and not memory.keep_freed_memory():
        raise SystemExit("freed memory can be kept with glibc only")
    if variant in ("plain", "memory"):
        use_plain_convolutions()
    denoiser, rule = find_denoiser(name), optax.adam(1e-3)
    noisy, clean = jax.random.normal(jax.random.key(0), (2, batch, PIXELS, PIXELS, 1))
    variables = jax.jit(denoiser.init)(jax.random.key(1), noisy)
    state = jax.jit(rule.init)(variables["params"])

    def step(variables, state):
        rest = {key: value for key, value in variables.items() if key != "params"}

        def loss(params):
            return denoiser.loss(rest | {"params": params}, {"noisy": noisy, "clean": clean}, jax.random.key(0))

        gradients, (new, _) = jax.grad(loss, has_aux=True)(variables["params"])
        changes, state = rule.update(gradients, state, variables["params"])
        params = optax.apply_updates(variables["params"], changes)
        return rest | new | {"params": params}, state, optax.global_norm(gradients)

    start = time.perf_counter()
    compiled = jax.jit(step, donate_argnums=(0, 1)).lower(variables, state).compile()
    compile_s = time.perf_counter() - start
    wall, processor, faults, norms = [], [], [], []
    for _ in range(WARM_UP + steps):
        before, begin, busy = _page_faults(), time.perf_counter(), time.process_time()
        variables, state, norm = compiled(variables, state)
        norms.append(float(norm))
        wall.append(1e3 * (time.perf_counter() - begin))
        processor.append(1e3 * (time.process_time() - busy))
        faults.append(_page_faults() - before)
    medians = [statistics.median(values[WARM_UP:]) for values in (wall, processor, faults)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return dict(zip(FIGURES, (*medians, peak), strict=True)) | {"norm": norms[0], "compile_s": round(compile_s, 1)}


def _page_faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def in_turn(name: str, batch: int, variants: list[str], rounds: int, steps: int) -> dict:
    """One network and batch: what every variant takes, and its ratio to `plain`."""
    runs: dict[str, list[dict]] = {variant: [] for variant in variants}
    for _ in range(rounds):
        for variant in variants:
            command = [sys.executable, "-m", "benchmarks.train_step", "--one", name, variant, str(batch), str(steps)]
            environment = {key: value for key, value in os.environ.items() if not key.startswith("MALLOC_")}
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
            runs[variant].append(json.loads(done.stdout))
    norms = [one["norm"] for several in runs.values() for one in several]
    if max(norms) - min(norms) > 1e-4 * max(norms):
        raise SystemExit(f"{name}: the norms of the first gradient differ, {min(norms)} to {max(norms)}")
    rows = {
        variant: {figure: round(statistics.median(one[figure] for one in several), 1) for figure in FIGURES}
        | {"compile_s": max(one["compile_s"] for one in several)}  # the first round's: the others find it in the cache
        for variant, several in runs.items()
    }
    result = {"network": name, "crops": batch, "variants": rows}
    if "plain" in rows:
        result["of_plain"] = {
            variant: {key: round(row[key] / rows["plain"][key], 3) for key in ("wall_ms", "processor_ms", "peak_mib")}
            for variant, row in rows.items()
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=["unet", "dncnn", "n2v-unet"])
    parser.add_argument("--batch", type=int, nargs="+", default=[2], help="crops in a step")
    parser.add_argument("--more", type=int, nargs="*", default=[1, 4, 8], help="crops of `n2v-unet`, `both` alone")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--rounds", type=int, default=3, help="processes of each variant")
    parser.add_argument("--steps", type=int, default=10, help="steps of a process")
    parser.add_argument("--one", nargs=4, metavar=("NETWORK", "VARIANT", "CROPS", "STEPS"), help="in this process")
    parser.add_argument("--out", type=Path, default=RESULT.with_name("train_step.json"), help="file of the result")
    chosen = parser.parse_args()
    if chosen.one:
        name, variant, batch, steps = chosen.one
        print(json.dumps(measure(name, variant, int(batch), int(steps))))
        return
    rows = []
    plans = [(name, batch, chosen.variants) for name in chosen.networks for batch in chosen.batch]
    plans += [("n2v-unet", batch, ["both"]) for batch in chosen.more]
    with tempfile.TemporaryDirectory() as cache:  # all rounds share the compiled programs
        os.environ |= {"JAX_COMPILATION_CACHE_DIR": cache, "JAX_PLATFORMS": "cpu"}
        for name, batch, variants in plans:
            rows.append(in_turn(name, batch, variants, chosen.rounds, chosen.steps))
            for variant, row in rows[-1]["variants"].items():
                share = rows[-1].get("of_plain", {}).get(variant, {})
                print(f"{name:9s} {batch:2d} crops  {variant:12s} {row}  of plain: {share}", flush=True)
    result = {"benchmark": "train_step", "machine": describe_machine(), "pixels": PIXELS}
    result |= {"rounds": chosen.rounds, "steps": chosen.steps, "load": round(os.getloadavg()[2], 1), "rows": rows}
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    write_whole(chosen.out, lambda stream: stream.write(text.encode()))
    print(chosen.out)


if __name__ == "__main__":
    main()
