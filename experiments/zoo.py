"""The zoo: the networks of Table 5.1, which the other experiments share, and the one that ships with stemjax.

    python -m experiments.zoo --size cpu                  train what is missing; stopped, the same command goes on
    python -m experiments.zoo --ship                      train the shipped network and write its weights

They are trained one by one. An experiment that needs a network of its own trains it when it is run; one that finds its
runs in `runs/` trains nothing.
"""

import argparse
import sys

from experiments import sbd_table_5_1
from experiments.workspace import Workspace
from stemjax import batches, datasets, parallel, presets
from stemjax.denoisers import to_config
from stemjax.networks.weights import parameter_count
from stemjax.train import Run

# The shipped network meets any contrast, half to twice the dose, and pixels a third smaller or larger.
SHIPPED_CROPS = batches.Crops(size=128, count=8, render=512, scale=(0.75, 1.35), counts_range=(0.5, 2.0))
SHIPPED_STEPS = 500


def shipped_run(recipe_hash: str) -> Run:
    """The training of the network that ships with stemjax."""
    return presets.sbd_run(
        presets.find_preset(presets.SHIPPED).denoiser,
        "cpu",
        recipe_hash,
        crops=SHIPPED_CROPS,
        selection=datasets.Selection(contrast=()),
        steps=SHIPPED_STEPS,
        validate_every=SHIPPED_STEPS // 4,
    )


def ship(workspace: Workspace) -> None:
    """Train the shipped network and write its weights into the package."""
    data = workspace.pt_ceo2("cpu")
    run = shipped_run(data.recipe_hash)
    variables, info, _ = workspace.trained(run, data, presets.SHIPPED)
    network = run.denoiser.network
    about = {
        "run": run.hash,
        "seed": run.seed,
        "step": info["step"],
        "parameters": parameter_count(network),
        "validation_psnr_db": round(info["validation_psnr_db"], 3),
        "data_set": {"name": data.name, "recipe_hash": data.recipe_hash},
        "imaging": {"sampling": run.imaging.sampling, "counts": run.imaging.counts},
        "training": to_config(run),
    }
    presets.write_weights(presets.WEIGHTS / presets.SHIPPED, to_config(run.denoiser), variables, about)
    print(
        f"{presets.SHIPPED}: {about['parameters']:,} parameters, {about['validation_psnr_db']} dB on validation images"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", choices=("smoke", "cpu", "gpu"), default="cpu")
    parser.add_argument("--time-limit", type=float, metavar="SECONDS", help="save and stop after so long")
    parser.add_argument("--only", default="", metavar="NAME", help="one preset alone, so that shells share the work")
    parser.add_argument("--ship", action="store_true", help="train the network that ships with stemjax instead")
    options = parser.parse_args()
    parallel.enable_compilation_cache()
    workspace = Workspace.for_size(options.size, options.time_limit)
    try:
        if options.ship:
            ship(workspace)
        else:
            for method, run, _, _ in sbd_table_5_1.trained_networks(
                options.size, workspace, workspace.pt_ceo2(options.size), options.only
            ):
                print(f"{method}: {workspace.runs / run.hash} is trained")
    except TimeoutError as stopped:
        print(stopped)
    return 0


if __name__ == "__main__":
    sys.exit(main())
