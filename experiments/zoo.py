"""The zoo: the networks that experiments share or that take long to train, and the one that ships with stemjax.

    python -m experiments.zoo --size cpu                  train what is missing; stopped, the same command goes on
    python -m experiments.zoo --only sbd_table_3_1        those of one experiment, so that shells share the work
    python -m experiments.zoo --ship                      train the shipped network and write its weights
    python -m experiments.zoo --ship-run runs/HASH --as sbd-unet-fine   write those of a long training, as they are now

They are trained one by one, those of every experiment with a function `networks`. An experiment that needs a
network trains it when it is run; one that finds its runs in `runs/` trains nothing.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import jax

import experiments
from experiments.workspace import Workspace
from stemjax.config import to_config
from stemjax.data import micrographs
from stemjax.data.micrographs import Selection
from stemjax.models import presets
from stemjax.training import memory
from stemjax.training.compilation_cache import enable_compilation_cache
from stemjax.training.train import Run, load_run

# The shipped network meets any contrast, half to twice the dose, and pixels a third smaller or larger.
SHIPPED_CROPS = micrographs.Crops(size=128, count=8, render=512, scale=(0.75, 1.35), counts_range=(0.5, 2.0))
SHIPPED_STEPS = 500
SHIPS = (presets.SHIPPED, "sbd-unet-fine", "atoms")  # networks whose weights ship with stemjax


def shipped_run(recipe_hash: str) -> Run:
    """The training of the network that ships with stemjax."""
    return presets.sbd_run(
        presets.find_preset(presets.SHIPPED).denoiser,
        "cpu",
        recipe_hash,
        crops=SHIPPED_CROPS,
        selection=Selection(contrast=()),
        steps=SHIPPED_STEPS,
        validate_every=SHIPPED_STEPS // 4,
    )


def ship(workspace: Workspace) -> None:
    """Train the network that people meet first and write its weights into the package."""
    data = workspace.pt_ceo2("cpu")
    run = shipped_run(data.recipe_hash)
    workspace.trained(run, data, presets.SHIPPED)
    ship_run(presets.SHIPPED, workspace.runs / run.hash)


def ship_run(name: str, folder: Path) -> None:
    """Write the best weights of a run so far into the package, as those of a preset; the training may go on.

    Raises
    ------
    ValueError
        If the run is not a training of that preset.
    """
    run, variables, info = load_run(folder)
    preset = presets.find_preset(name)
    if run.denoiser not in (preset.denoiser, preset.cpu):
        raise ValueError(f"{folder}: a training of another method than {name}")
    about = {
        "run": run.hash,
        "seed": run.seed,
        "step": info["step"],
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(variables["params"])),
        "validation_psnr_db": round(info["validation_psnr_db"], 3),
        "data_set": {"name": presets.LEARNS_FROM[preset.recipe], "recipe_hash": run.recipe_hash},
        "imaging": {key: getattr(run.imaging, key) for key in ("sampling", "counts") if hasattr(run.imaging, key)},
        "training": to_config(run),
    }
    presets.write_weights(presets.WEIGHTS / name, to_config(run.denoiser), variables, about)
    print(f"{name}: {about['parameters']:,} parameters, {about['validation_psnr_db']} dB on validation images")


def train(size: str, workspace: Workspace, names: Sequence[str]) -> None:
    """Train the networks of the experiments named, where they have any to share.

    Raises
    ------
    ValueError
        If a single one is named that has none.
    """
    having = [one for one in map(experiments.load, names) if one.has_networks]
    if len(names) == 1 and not having:
        raise ValueError(
            f"{names[0]} has no networks in the zoo: `stemjax experiment run {names[0]}` trains what it needs"
        )
    for experiment in having:
        print(f"== {experiment.name}", flush=True)
        experiment.train(size, workspace)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", choices=("smoke", "cpu", "gpu"), default="cpu")
    parser.add_argument("--time-limit", type=float, metavar="SECONDS", help="save and stop after so long")
    parser.add_argument("--only", default="", metavar="NAME", help="the networks of one experiment alone")
    parser.add_argument("--ship", action="store_true", help="train the network that ships with stemjax instead")
    parser.add_argument("--ship-run", type=Path, metavar="FOLDER", help="write the best weights of this run so far")
    parser.add_argument("--as", dest="name", choices=SHIPS, help="the preset that --ship-run is a training of")
    options = parser.parse_args()
    memory.keep_freed_memory()  # before any data set is made or opened: JAX may begin there
    enable_compilation_cache()
    workspace = Workspace.for_size(options.size, options.time_limit)
    try:
        if options.ship:
            ship(workspace)
        elif options.ship_run:
            ship_run(options.name or parser.error("--ship-run needs --as NAME"), options.ship_run)
        else:
            train(options.size, workspace, [options.only] if options.only else experiments.NAMES)
    except TimeoutError as stopped:
        print(stopped)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
