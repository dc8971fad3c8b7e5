"""The network that ships with stemjax, beside a tuned Gaussian filter, on structures that it never saw.

    stemjax experiment run shipped_network --size cpu

`stemjax denoise` uses this network unless told otherwise. It was trained for a range of pixel sizes, doses and
contrasts (`python -m experiments.zoo --ship`), so on the conditions of Table 5.1 alone it is no better than a network
trained for them.

Expect at size `cpu` (Method, PSNR [dB], 95 % interval): Constant: 22.74 [22.68, 22.81]; Gaussian filter: 29.10
[29.05, 29.15]; sbd-unet-small: 31.11 [31.05, 31.17].

Reference: Mohan et al., arXiv:2010.12970, for method and network.
"""

from experiments.recorder import Recorder
from experiments.sbd import IMAGES_PER_UNIT, WHITE
from experiments.workspace import Workspace
from stemjax.apply.evaluate import denoise_all, image_set, tune
from stemjax.metrics.field_of_view import field_of_view
from stemjax.models import presets
from stemjax.networks.weights import parameter_count
from stemjax.tables import field_of_view as fields
from stemjax.tables.rows import gather
from stemjax.tables.table import Grid, Table
from stemjax.training import recipes

TIMES = {"smoke": "1 min", "cpu": "2 min on 2 cores", "gpu": "not measured"}


def run(size: str, workspace: Workspace) -> None:
    """Score and record the network, the filter and the constant."""
    data, imaging = workspace.pt_ceo2(size), recipes.SBD_TRAINING["cpu"]["imaging"]
    test, validation = (
        image_set(data, WHITE, split, IMAGES_PER_UNIT[size], imaging) for split in ("test", "validation")
    )
    rows = Recorder(size, workspace, data, test)
    constant = presets.find_preset("constant").denoiser
    rows.add("Constant", constant, denoise_all(constant, {}, test.noisy))
    gaussian, tuning = tune(presets.find_preset("gaussian").denoiser, validation)
    rows.add("Gaussian filter", gaussian, denoise_all(gaussian, {}, test.noisy), tuning=tuning)
    denoiser, variables, info = presets.load_model(presets.SHIPPED)
    rows.add(
        presets.SHIPPED,
        denoiser,
        denoise_all(denoiser, variables, test.noisy),
        seed=info["seed"],
        run=info["run"],
        checkpoint=info["digest"],
        parameters=parameter_count(denoiser.network),
        field_of_view=field_of_view(denoiser.network.geometry()),
    )


# ---------------------------------------------------------------------------------------------------- the table
def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """The network that ships with stemjax, a filter and the constant."""
    rows = fields.by_field_of_view(gather(records, scores))
    data = tuple(fields.figures_of(row) for row in rows)
    columns = ("Method", "Parameters", "Field of view [px]", "PSNR [dB], 95 % interval", "SSIM")
    grid = Grid(columns, tuple(fields.printed(figures)[: len(columns)] for figures in data))
    notes = ("The filter is tuned on the validation structures. Means over structures.",)
    title = f"The network that ships with stemjax, at size {records[0]['size']}"
    return Table(title, fields.conditions_of(records), (grid,), notes, data)
