"""Throughput of WCVD: this project's network against the same one written plainly in PyTorch, in one run.

    python -m benchmarks.wcvd                            # 20 x 512 x 512 on one core: a minute, nothing beside it
    python -m benchmarks.wcvd --frames 5 20 --pixels 128 256 512 1024 --udvd 128 256    # Figure 5

Both denoise the same movie with the same random weights, and their results must agree before anything is timed. The
PyTorch network is the plain one: three convolutions of three dimensions and pointwise layers, NCTHW, without gradients.
It would gain too from what this one does (one kernel, first pointwise layer merged, one banded matrix product), so the
ratio is one of formulations and not of libraries. The low-pass filter is timed apart, as a part of the network's time.
A call is repeated for at least `--seconds`, that three times over, the two networks in turn; compiling is left out.

With `--udvd` the UDVD of the paper's size (2,123,664 parameters) denoises the middle one of 5 frames of these sizes.

PyTorch is needed for this benchmark alone: pip install torch (without it, say --no-torch).

The result goes to ``results/benchmarks/wcvd.json``, and as a table to ``wcvd.md`` beside it.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, nargs="+", default=[20], help="frames of a movie")
    parser.add_argument("--pixels", type=int, nargs="+", default=[512], help="pixels per side of a frame")
    parser.add_argument("--cores", type=int, default=1, help="cores that both may use, where the system lets choose")
    parser.add_argument("--repeats", type=int, default=3, help="figures of each")
    parser.add_argument("--seconds", type=float, default=2.0, help="least time of a repeat")
    parser.add_argument("--udvd", type=int, nargs="+", default=[], help="of these pixels, with UDVD beside")
    parser.add_argument("--no-torch", action="store_true", help="leave out the comparison")
    parser.add_argument("--out", type=Path, help="file of the result")
    parser.add_argument("--dry-run", action="store_true", help="print the result without writing it")
    return parser.parse_args()


def torch_network(params: dict, kernels: tuple[int, ...], cores: int) -> Callable:
    """The plain network in PyTorch with our weights: a function float32 [T, H, W] -> [T - 2, H, W]."""
    try:
        import torch
        from torch.nn import functional
    except ImportError:
        raise SystemExit("this benchmark compares with PyTorch: pip install torch, or say --no-torch") from None
    import numpy as np

    torch.set_num_threads(cores)

    def tensor(array) -> torch.Tensor:
        return torch.from_numpy(np.array(array, np.float32))

    mix = torch.softmax(tensor(params["mix_weights"]), 0)
    subnets = []
    for i, size in enumerate(kernels):
        subnet = params[f"subnets_{i}"]
        blind = tensor(subnet["blind_kernel"]).permute(4, 3, 0, 1, 2).contiguous()
        blind[:, :, 1, size // 2, size // 2] = 0
        layers = [tensor(weights).T[:, :, None, None, None].contiguous() for weights in subnet["pointwise"]]
        subnets.append((size // 2, blind, layers, tensor(subnet["head"]).T[:, :, None, None, None].contiguous()))

    @torch.no_grad()
    def denoise(movie: np.ndarray) -> np.ndarray:
        x, total = torch.from_numpy(movie)[None, None], 0
        for weight, (border, blind, layers, head) in zip(mix, subnets, strict=True):
            y = functional.conv3d(functional.pad(x, (border,) * 4 + (0, 0), mode="circular"), blind)
            for layer in layers:
                y = functional.leaky_relu(functional.conv3d(y, layer), 0.1)
            total = total + weight * torch.relu(functional.conv3d(y, head))
        return total[0, 0].numpy()

    return denoise


def measure(calls: dict[str, Callable], repeats: int, seconds: float) -> dict[str, list[float]]:
    """Seconds per call of each function, in each repeat, all in turn."""
    counts, timings = {}, {name: [] for name in calls}
    for name, call in calls.items():
        start = time.perf_counter()
        call()
        counts[name] = max(1, round(seconds / (time.perf_counter() - start)))
    for _ in range(repeats):
        for name, call in calls.items():
            start = time.perf_counter()
            for _ in range(counts[name]):
                call()
            timings[name].append((time.perf_counter() - start) / counts[name])
    return timings


def markdown(result: dict) -> str:
    """Figure 5 of Lee et al.: frames per second by the size and number of frames."""
    columns = ("Frames", "Pixels", "WCVD [frames/s]", "and its low-pass [frames/s]", "plain PyTorch [frames/s]")
    columns += ("WCVD against PyTorch", "UDVD, full width [frames/s]")
    lines = [columns, tuple("---:" for _ in columns)]
    for row in result["rows"]:
        seconds = {name: statistics.median(values) for name, values in row["seconds"].items()}
        given = row["frames"] - 2  # denoised frames
        cells = (
            f"{row['frames']}",
            f"{row['pixels']}²",
            f"{given / seconds['network']:,.1f}",
            f"{given / (seconds['network'] + seconds['low_pass']):,.1f}",
            f"{given / seconds['torch']:,.1f}" if "torch" in seconds else "",
            f"{row['times_torch']:.1f}" if "torch" in seconds else "",
            f"{1 / seconds['udvd']:.3f}" if "udvd" in seconds else "",
        )
        lines.append(cells)
    machine = result["machine"]
    software = ", ".join(f"{name} {version}" for name, version in machine["software"].items() if name == "jax")
    software += f", PyTorch {machine['torch']}" if "torch" in machine else ""
    return (
        "# Figure 5 of Lee et al. (WCID/WCVD): throughput\n\n"
        f"{machine['cpu']}, {result['cores']} of its cores; {software}; nothing beside it. Compared with "
        f"{result['comparison']}.\n\n" + "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"
    )


def main() -> None:
    chosen = parse()
    if hasattr(os, "sched_setaffinity"):  # before JAX starts its threads
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: chosen.cores])
    import jax
    import jax.numpy as jnp
    import numpy as np

    from benchmarks.optics import RESULT, describe_machine
    from stemjax.denoisers.low_pass import fourier_disc
    from stemjax.denoisers.udvd import UDVD
    from stemjax.denoisers.wcvd import WCVD
    from stemjax.files import write_whole
    from stemjax.networks.weights import parameter_count

    udvd = UDVD().network
    udvd_variables = jax.jit(udvd.init)(jax.random.key(1), jnp.zeros((1, 5, 64, 64, 1))) if chosen.udvd else None
    run_udvd = jax.jit(lambda x: udvd.apply(udvd_variables, x))
    denoiser = WCVD()
    network, variables = denoiser.network, jax.jit(denoiser.init)(jax.random.key(0))
    run = jax.jit(lambda x: network.apply({"params": variables["params"]}, x, method="fast"))
    low_pass = jax.jit(lambda x: fourier_disc(x, denoiser.low_pass))
    compared = None
    if not chosen.no_torch:
        compared = torch_network(jax.device_get(variables["params"]), network.kernels, chosen.cores)
    rows = []
    print("frames   pixels   network Mpx/s   low-pass / network   PyTorch Mpx/s   ratio")
    for frames in chosen.frames:
        for pixels in chosen.pixels:
            movie = np.random.default_rng(0).poisson(0.45, (frames, pixels, pixels)).astype(np.float32)
            x = jax.device_put(jnp.asarray(movie)[None, ..., None])
            y = jax.block_until_ready(run(x))
            calls = {
                "network": lambda x=x: run(x).block_until_ready(),
                "low_pass": lambda y=y: low_pass(y).block_until_ready(),
            }
            calls["low_pass"]()
            if compared:
                theirs = compared(movie)
                error = float(np.abs(np.asarray(y)[0, ..., 0] - theirs).max() / np.abs(theirs).max())
                if not error < 1e-5:
                    raise SystemExit(f"the networks differ by {error:.1e} of the largest value: nothing was timed")
                calls["torch"] = lambda movie=movie: compared(movie)
            if pixels in chosen.udvd:
                calls["udvd"] = lambda x=x: run_udvd(x[:, :5]).block_until_ready()
                calls["udvd"]()
            seconds = measure(calls, chosen.repeats, chosen.seconds)
            made = {name: (1 if name == "udvd" else frames - 2) * pixels**2 / 1e6 for name in seconds}  # Mpx per call
            rate = {name: made[name] / statistics.median(values) for name, values in seconds.items()}
            row = {
                "frames": frames,
                "pixels": pixels,
                "seconds": {n: [round(s, 6) for s in v] for n, v in seconds.items()},
            }
            row |= {"mpx_per_s": {name: round(value, 3) for name, value in rate.items()}}
            row["low_pass_per_network"] = round(rate["network"] / rate["low_pass"], 3)
            text = f"{frames:6d}   {pixels:6d}   {rate['network']:13.2f}   {row['low_pass_per_network']:18.2f}"
            if compared:
                row |= {"times_torch": round(rate["network"] / rate["torch"], 3), "largest_difference": error}
                text += f"   {rate['torch']:13.2f}   {row['times_torch']:5.2f}"
            if pixels in chosen.udvd:
                text += f"   UDVD {rate['udvd']:.4f} Mpx/s"
            rows.append(row)
            print(text, flush=True)
    machine = describe_machine()
    if compared:
        import torch

        machine["torch"] = torch.__version__
    result = {
        "benchmark": "wcvd",
        "machine": machine,
        "cores": chosen.cores,
        "parameters": parameter_count(network),
        "comparison": "the plain network in PyTorch; reformulated as here it would gain too",
        "rows": rows,
    }
    if chosen.dry_run:
        return
    out = chosen.out or RESULT.with_name("wcvd.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    write_whole(out, lambda stream: stream.write(text.encode()))
    write_whole(out.with_suffix(".md"), lambda stream: stream.write(markdown(result).encode()))
    print(out)


if __name__ == "__main__":
    main()
