"""Ablations: every combination of networks, widths, crop sizes and losses, trained alike, scored and tabled.

    stemjax ablate --networks unet-2 unet-4 unet-6 --widths 8 16 --out ablations/scales

Every network sees the same number of crops with the same optimiser; only the axes of the grid differ. The table gives
parameters, measured field of view, PSNR and SSIM, the plot PSNR against field of view.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from experiments import table_of
from experiments.cells import Cell
from experiments.recorder import Recorder
from experiments.sbd import IMAGES_PER_UNIT, WHITE
from experiments.workspace import Workspace
from stemjax import tables
from stemjax.apply.evaluate import denoise_all, image_set
from stemjax.models import presets
from stemjax.tables import field_of_view as fields
from stemjax.tables.rows import Row, gather
from stemjax.tables.table import Grid, Table

NAME = "ablation"


def ablate(cells: tuple[Cell, ...], seeds: tuple[int, ...], size: str, workspace: Workspace) -> None:
    """Train, score and record every cell and seed on the test structures of Pt/CeO2, then render table and plot."""
    workspace = replace(workspace, experiment=NAME)
    data = workspace.pt_ceo2(size)
    imaging = presets.sbd_run(None, size, data.recipe_hash).imaging
    rows = Recorder(size, workspace, data, image_set(data, WHITE, "test", IMAGES_PER_UNIT[size], imaging))
    constant = presets.PRESETS["constant"].denoiser
    rows.add("Constant", constant, denoise_all(constant, {}, rows.test.noisy))
    for cell, run, trained in trainings(cells, seeds, size, workspace, data):
        rows.add_trained(cell.label, run, *trained, conditions=cell.conditions | {"crop_px": run.crops.size})
    tables.write(workspace.results, table_of, NAME)


def trainings(cells, seeds, size: str, workspace: Workspace, data) -> Iterator[tuple]:
    """Every cell and seed, trained if it is not yet: (cell, run, (variables, info, outcome))."""
    for cell, seed in product(cells, seeds):
        run = cell.run(size, data.recipe_hash, seed)
        yield cell, run, workspace.trained(run, data, f"{cell.label}, seed {seed}")


# ---------------------------------------------------------------------------------------------------- the table
def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """The networks of one ablation by field of view and parameters, with the plot of PSNR against field of view."""
    rows = fields.by_field_of_view(gather(records, scores))
    data = tuple(fields.figures_of(row) for row in rows)
    columns = ("Network", "Parameters", "Field of view [px]", "PSNR [dB], 95 % interval", "SSIM", "Seeds: PSNR [dB]")
    grid = Grid(columns, tuple(fields.printed(figures) for figures in data))
    title = f"Ablation at size {records[0]['size']}"
    return Table(title, fields.conditions_of(records), (grid,), fields.notes_of(rows), data, _plots(rows))


def _plots(rows: list[Row]) -> dict:
    networks = [row for row in rows if row.records[0]["field_of_view"]]
    return {"field_of_view": lambda: fields.draw(networks)} if networks else {}
