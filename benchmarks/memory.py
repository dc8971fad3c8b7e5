"""Memory that a training step of the SBD paper's largest network takes, known before anything runs.

    python -m benchmarks.memory            # some minutes, all of it compilation; no GPU is needed

The step is that of ``stemjax train sbd-unet-6x128 --size gpu``: 70.5 million parameters, crops of 400 px, with Adam.

- `kept_gib`: activations that the forward pass keeps for the gradient, which holds on any device.
- `arguments_gib`, `temporaries_gib`: XLA's buffers when the step is compiled for the CPU: parameters, Adam's moments
  and exit waves; activations and the work space of the convolutions. For the CPU XLA merges what rematerialisation
  computes twice, so that shows in `kept_gib` alone. On a GPU the library of convolutions adds its own work space.

The result goes to ``results/benchmarks/memory.json``.
"""

import argparse
import json
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import jax
import jax.numpy as jnp

from stemjax.files import write_whole
from stemjax.models import presets
from stemjax.physics.optics import Band
from stemjax.training import parallel
from stemjax.training.train import initial_state, make_step

RESULT = Path(__file__).resolve().parent.parent / "results" / "benchmarks" / "memory.json"
PRESET, BAND, WAVES = "sbd-unet-6x128", Band(cell=50.1), 400
GIB = 2.0**30


def measure(batch: int, precision: str, rematerialise: bool) -> dict:
    """Planned memory [GiB] of one training step with `batch` crops."""
    denoiser = presets.find_preset(PRESET).denoiser
    network = denoiser.network.clone(rematerialise=rematerialise)
    run = presets.sbd_run(replace(denoiser, network=network, precision=precision), "gpu", "0" * 16)
    run = replace(run, crops=replace(run.crops, count=batch))
    state = jax.eval_shape(lambda: initial_state(run))
    arrays = {
        "waves": jax.ShapeDtypeStruct((WAVES, len(BAND.indices)), jnp.complex64),
        "wave": jax.ShapeDtypeStruct((21 * WAVES,), jnp.int32),
        "defocus": jax.ShapeDtypeStruct((21 * WAVES,), jnp.float32),
    }
    step = make_step(run, BAND, parallel.batch_mesh(1)).lower(state, arrays, jax.random.key(0)).compile()
    planned = step.memory_analysis()
    return {
        "crops": batch,
        "crop_px": run.crops.size,
        "precision": precision,
        "rematerialise": rematerialise,
        "kept_gib": round(_kept_bytes(run, state) / GIB, 2),
        "arguments_gib": round(planned.argument_size_in_bytes / GIB, 2),
        "temporaries_gib": round(planned.temp_size_in_bytes / GIB, 2),
    }


def _kept_bytes(run, state: dict) -> int:
    """Size of what the forward pass of the loss hands to the backward pass."""
    images = jax.ShapeDtypeStruct((run.crops.count, run.crops.size, run.crops.size, 1), jnp.float32)
    params = state["variables"]["params"]
    rest = {name: value for name, value in state["variables"].items() if name != "params"}

    def backward(params, rest, images):
        batch = {"noisy": images, "clean": images}
        return jax.vjp(lambda p: run.denoiser.loss(rest | {"params": p}, batch, jax.random.key(0))[0], params)[1]

    return sum(
        leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(jax.eval_shape(backward, params, rest, images))
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--crops", type=int, nargs="+", default=[32, 8])
    options = parser.parse_args()
    rows = []
    for batch in options.crops:
        for precision in ("float32", "bfloat16"):
            for rematerialise in (False, True):
                rows.append(measure(batch, precision, rematerialise))
                print(rows[-1], flush=True)
    result = {"preset": PRESET, "rows": rows, "compiled_for": jax.default_backend()}
    result |= {"software": {name: version(name) for name in ("jax", "jaxlib", "flax")}}
    write_whole(RESULT, lambda stream: stream.write((json.dumps(result, indent=1) + "\n").encode()))


if __name__ == "__main__":
    main()
