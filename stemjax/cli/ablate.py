"""`stemjax ablate`: a grid of networks, widths, crops and losses, with its table and plot."""

from pathlib import Path
from typing import Annotated, Literal

from stemjax.cli.arguments import named
from stemjax.cli.experiment import from_checkout


def ablate(
    networks: Annotated[tuple[str, ...], named("NAME")] = ("unet-2", "unet-4", "unet-6"),
    widths: Annotated[tuple[int, ...], named("CHANNELS")] = (8,),
    crops: Annotated[tuple[int, ...], named("PIXELS")] = (0,),
    losses: Annotated[tuple[str, ...], named("NAME")] = ("mse",),
    seeds: Annotated[tuple[int, ...], named("SEED")] = (0,),
    size: Literal["smoke", "cpu", "gpu"] = "cpu",
    out: Annotated[Path, named("FOLDER")] = Path("ablation"),
    time_limit: Annotated[float | None, named("SECONDS")] = None,
) -> None:
    """Train every combination alike on Pt/CeO2, and make a table and a plot of PSNR against field of view.

    Args:
        networks: Of unet-2, unet-4, unet-6 (2, 4, 6 scales), dncnn, durr.
        widths: Base channels of every network.
        crops: Sides of the training crops; 0 is that of the size.
        losses: Of mse, mae.
        seeds: One training of every combination for each.
        size: How long and on what to train; see `stemjax experiment run --help`.
        out: Folder of records, table and plot. Data sets and runs are shared with the experiments.
        time_limit: Seconds after which a training saves and stops; the same command goes on.
    """
    from_checkout()
    from dataclasses import replace

    from experiments import ablation
    from experiments.workspace import Workspace

    cells = ablation.grid(networks, widths, crops, losses)
    workspace = replace(Workspace.for_size(size, time_limit), results=out)
    try:
        ablation.ablate(cells, seeds, size, workspace)
    except TimeoutError as stopped:
        print(stopped)
        return
    print((out / "tables" / f"{ablation.NAME}.{size}.md").read_text())
    for path in sorted(out.glob(f"figures/{ablation.NAME}.{size}.*")):
        print(path)
