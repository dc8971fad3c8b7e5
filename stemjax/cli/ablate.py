"""`stemjax ablate`: a grid of networks, widths, crops and losses, with its table and plot."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from stemjax.cli.arguments import named, with_default
from stemjax.cli.experiment import from_checkout

# As `experiments.cells` has them, which a mistake in a name need not load.
Network = Literal["unet-2", "unet-4", "unet-6", "dncnn", "durr"]
Loss = Literal["mse", "mae"]


def ablate(
    networks: Annotated[tuple[Network, ...], with_default("NAME")] = ("unet-2", "unet-4", "unet-6"),
    widths: Annotated[tuple[int, ...], with_default("CHANNELS")] = (8,),
    crops: Annotated[tuple[int, ...], with_default("PIXELS")] = (0,),
    losses: Annotated[tuple[Loss, ...], with_default("NAME")] = ("mse",),
    seeds: Annotated[tuple[int, ...], with_default("SEED")] = (0,),
    size: Literal["smoke", "cpu", "gpu"] = "cpu",
    out: Annotated[Path, with_default("FOLDER")] = Path("ablation"),
    time_limit: Annotated[float | None, named("SECONDS")] = None,
) -> None:
    """Train every combination alike on Pt/CeO2, and make a table and a plot of PSNR against field of view.

    Args:
        networks: Networks to train: unet-2, unet-4, unet-6 (2, 4, 6 scales), dncnn, durr.
        widths: Base channels of every network.
        crops: Sides of the training crops; 0 stands for that of the size.
        losses: Losses to train with: mse, mae.
        seeds: Every combination is trained once with each.
        size: How long and on what to train; see `stemjax experiment run --help`.
        out: Folder of records, table and plot. Data sets and runs are shared with the experiments.
        time_limit: Seconds after which a training saves and stops; the same command goes on.
    """
    from_checkout()
    from dataclasses import replace

    from experiments import ablation
    from experiments.cells import grid
    from experiments.workspace import Workspace

    cells = grid(networks, widths, crops, losses)
    workspace = replace(Workspace.for_size(size, time_limit), results=out)
    refuse_impossible_crops(cells, size, workspace.pt_ceo2(size))
    try:
        ablation.ablate(cells, seeds, size, workspace)
    except TimeoutError as stopped:
        print(stopped)
        return
    print((out / "tables" / f"{ablation.NAME}.{size}.md").read_text())
    for path in sorted(out.glob(f"figures/{ablation.NAME}.{size}.*")):
        print(path)


def refuse_impossible_crops(cells: Sequence, size: str, data) -> None:
    """Make sure, before anything is trained, that every crop fits into the images and is large enough for its network.

    It has to fit turned and with pixels as large as the training makes them.

    Raises
    ------
    ValueError
        If one does not.
    """
    import jax
    import jax.numpy as jnp

    for cell in cells:
        run = cell.run(size, data.recipe_hash, seed=0)
        crops, angle = run.crops, math.radians(min(run.crops.rotation, 45))
        turned = run.imaging.sampling * crops.scale[1] * (math.cos(angle) + math.sin(angle))  # Å for one pixel
        largest = math.floor((data.band.cell - 2 * run.imaging.margin) / turned)
        if crops.size > largest:
            name = data.manifest["name"]
            raise ValueError(f"crops of {crops.size} px: images of {name} at size {size} hold {largest} px at most")
        sample = jnp.zeros((1, crops.size, crops.size, 1))
        try:
            jax.eval_shape(lambda key, run=run, sample=sample: run.denoiser.init(key, sample), jax.random.key(0))
        except ValueError as error:
            raise ValueError(f"crops of {crops.size} px for {cell.label}: {error}") from None
