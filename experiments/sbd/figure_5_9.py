"""SBD, Figure 5.9 (b, c): is it better to train on many conditions, or only on those of the experiment?

    stemjax experiment run sbd_figure_5_9 --size cpu

The networks of Table 5.1, trained on every image of white contrast, against the same networks trained on the few images
of the target conditions alone (PtNp2, 40 to 60 Å thick, 50 to 100 Å of defocus: 236 + 15 images in the paper), both
tested on the target conditions and on all white images of structures that no training saw. In the paper, which has
pictures of its experiment, the narrow training does better there. The narrow training wins on its own conditions and
loses elsewhere.

Expect at size `cpu` (Network, PSNR [dB] on target conditions): SBD + UNet, trained on all white images: 31.49; SBD +
UNet, trained on target conditions: 31.69.

Expect at size `cpu` (Network, PSNR [dB] on all white images): SBD + UNet, trained on all white images: 31.82
[31.78, 31.85]; SBD + UNet, trained on target conditions: 31.55 [31.45, 31.65].

Reference: Mohan et al., arXiv:2010.12970, Figure 5.9 (b, c).
"""

from dataclasses import replace

from experiments.recorder import Recorder
from experiments.sbd import IMAGES_PER_UNIT, NETWORKS, SOURCE, TARGET, WHITE, tuned_network
from experiments.sbd.notes import caption, printed_psnr
from experiments.workspace import Workspace
from stemjax.apply.evaluate import image_set
from stemjax.tables import wording
from stemjax.tables.rows import by_conditions
from stemjax.tables.table import Grid, Table

TIMES = {
    "smoke": "2 min",
    "cpu": "2 min on 2 cores after its zoo, which takes 15 min beside that of Table 5.1",
    "gpu": "not measured",
}
SETS = {"all white images": WHITE, "target conditions": TARGET}


def run(size: str, workspace: Workspace) -> None:
    """Train, score and record every network on both sets; draw a strip of images."""
    data = workspace.pt_ceo2(size)
    trained = networks(size, workspace)
    imaging = next(iter(trained.values()))[0].imaging
    for tested_on, selection in SETS.items():
        test = image_set(data, selection, "test", IMAGES_PER_UNIT[size], imaging)
        rows = Recorder(size, workspace, data, test)
        for (method, trained_on), network in trained.items():
            count = len(network[0].selection.images(data, "train"))
            conditions = {"trained_on": trained_on, "tested_on": tested_on, "training_images": count}
            rows.add_trained(f"{method}, trained on {trained_on}", *network, conditions=conditions)
        if tested_on == "target conditions":
            rows.draw_strip(columns=4)


def networks(size: str, workspace: Workspace) -> dict[tuple[str, str], tuple]:
    """Every network with either training: (method, trained on) -> (run, variables, info, outcome)."""
    data, trained = workspace.pt_ceo2(size), {}
    for method, name in NETWORKS.items():
        broad, *trained_broad, _ = tuned_network(name, size, workspace, data)
        narrow = replace(broad, selection=TARGET)
        trained[method, "all white images"] = broad, *trained_broad
        trained[method, "target conditions"] = narrow, *workspace.trained(narrow, data, f"{method}, target conditions")
    return trained


# ---------------------------------------------------------------------------------------------------- the table
def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Each network trained on all white images and on the target conditions, tested on both."""
    parts = by_conditions(records, scores, "tested_on")
    tested = [name for (name,) in parts]
    first = next(iter(parts.values()))
    lines, data = [], []
    for method, row in first.items():
        conditions = row.records[0]["conditions"]
        cells = [parts[name,][method] for name in tested]
        lines.append((method, str(conditions["training_images"]), *(printed_psnr(cell) for cell in cells)))
        figures_of = {f"psnr_db on {name}": round(c.mean("psnr_db"), 6) for name, c in zip(tested, cells, strict=True)}
        data.append({"method": method, "training_images": conditions["training_images"]} | figures_of)
    units = {name: next(iter(rows.values())).units for (name,), rows in parts.items()}
    columns = ("Network", "Training images", *(f"PSNR [dB] on {name}" for name in tested))
    counts = "; ".join(f"{name}: {len(u)} images of {len(set(u))} structures" for name, u in units.items())
    notes = (
        f"Tested on {counts}. One seed; both trainings see the same number of crops, with the batch size and learning "
        "rate that were tuned on all white images.",
        "Fewer than 10 structures: no interval.",
    )
    title = wording.title("Figure 5.9 (b, c)", SOURCE, records)
    return Table(title, caption(records), (Grid(columns, tuple(lines)),), notes, tuple(data))
