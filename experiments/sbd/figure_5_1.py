"""SBD, Figure 5.1: how a network trained on one kind of image does on the others.

    stemjax experiment run sbd_figure_5_1 --size cpu

Three matrices: trained on one contrast (black, intermediate, white), one particle (PtNp1 to PtNp4) or one defect (D0,
D1, D2, Dh, Ds) and tested on each of them, on structures that no training saw. The training subsets of a matrix hold
equally many images. As in the paper every network is trained from scratch, not fine-tuned from one that has seen every
kind, which would blur what the matrix measures. All see the same number of crops; at size `cpu` half as many as in
Table 5.1, and they are half as wide. The largest loss off the diagonal is that of black contrast, as in the paper;
particles and defects hardly matter.

Expect at size `cpu` (contrast (371 training images each): trained on, tested on white): black: 23.06 (27.93, -4.87);
white: 30.80 (36.26, -5.46).

Reference: Mohan et al., arXiv:2010.12970, Figure 5.1.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from experiments.cells import Cell
from experiments.recorder import Recorder
from experiments.sbd import PUBLISHED, SOURCE
from experiments.sbd.notes import caption
from experiments.workspace import Workspace
from stemjax import figures
from stemjax.apply.evaluate import image_set
from stemjax.data import datasets
from stemjax.data.micrographs import Selection
from stemjax.tables import wording
from stemjax.tables.rows import by_conditions
from stemjax.tables.table import Grid, Table

TIMES = {"smoke": "2 min", "cpu": "2 min on 2 cores after its zoo, which takes 15 min", "gpu": "not measured"}
MATRICES = {
    "contrast": ("black", "intermediate", "white"),
    "particle": ("PtNp1", "PtNp2", "PtNp3", "PtNp4"),
    "defect": ("D0", "D1", "D2", "Dh", "Ds"),
}
CELLS = {"smoke": Cell("unet-4", 4), "cpu": Cell("unet-4", 8), "gpu": Cell("unet-4", 64)}
PART_OF_CROPS = 2  # the trainings of Table 5.1 are so many times longer
IMAGES_PER_UNIT = {"smoke": 1, "cpu": 10, "gpu": 50}


def run(size: str, workspace: Workspace) -> None:
    """Train, score and record every cell of the matrices."""
    data = workspace.pt_ceo2(size)
    for matrix, present, trained_on, images, run, trained in networks(size, workspace):
        for tested_on in present:
            test = image_set(data, _selection(matrix, tested_on), "test", IMAGES_PER_UNIT[size], run.imaging)
            conditions = {"matrix": matrix, "trained_on": trained_on, "tested_on": tested_on, "images": images}
            rows = Recorder(size, workspace, data, test)
            rows.add_trained(f"trained on {trained_on}", run, *trained, conditions=conditions)


def networks(size: str, workspace: Workspace) -> Iterator[tuple]:
    """The network of every row, trained if it is not yet.

    Yields (matrix, kinds in it, kind trained on, training images, run, (variables, info, outcome)).
    """
    data = workspace.pt_ceo2(size)
    for matrix, kinds in MATRICES.items():
        splits = data.manifest["splits"]
        present = [kind for kind in kinds if all(_count(matrix, kind, data, split) for split in splits)]
        if len(present) < 2:
            print(f"{matrix}: left out, since the data set has fewer than two kinds in every split", flush=True)
            continue
        fewest = min(_count(matrix, kind, data, "train") for kind in present)
        for trained_on in present:
            yield matrix, present, trained_on, fewest, *_trained(matrix, trained_on, fewest, size, workspace, data)


def _trained(matrix: str, kind: str, images: int, size: str, workspace: Workspace, data: datasets.DataSet):
    """The network of one row: (run, (variables, info, outcome))."""
    run = CELLS[size].run(size, data.recipe_hash, seed=0)
    steps = run.steps // PART_OF_CROPS
    selection = replace(_selection(matrix, kind), total=images)
    run = replace(run, selection=selection, steps=steps, validate_every=min(run.validate_every, steps))
    return run, workspace.trained(run, data, f"trained on {kind}")


def _selection(matrix: str, kind: str) -> Selection:
    """Images of one kind; particles and defects are compared at white contrast."""
    return Selection(**{"contrast": ("white",)} | {matrix: (kind,)})


def _count(matrix: str, kind: str, data: datasets.DataSet, split: str) -> int:
    try:
        return len(_selection(matrix, kind).images(data, split))
    except ValueError:  # a small data set does not have every kind in every split
        return 0


# ---------------------------------------------------------------------------------------------------- the table
def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """The three matrices: trained on (rows), tested on (columns)."""
    parts = by_conditions(records, scores, "matrix", "tested_on")
    values: dict[str, dict[tuple[str, str], float]] = {}
    data = []
    for (matrix, tested_on), rows in parts.items():
        for row in rows.values():
            trained_on = row.records[0]["conditions"]["trained_on"]
            published = _published_cell(matrix, trained_on, tested_on)
            values.setdefault(matrix, {})[trained_on, tested_on] = row.mean("psnr_db")
            data.append(
                {
                    "matrix": matrix,
                    "trained_on": trained_on,
                    "tested_on": tested_on,
                    "training_images": row.records[0]["conditions"]["images"],
                    "psnr_db": round(row.mean("psnr_db"), 6),
                    "ssim": round(row.mean("ssim"), 6),
                    "structures": len(set(row.units)),
                    "published_psnr_db": published,
                    "difference_db": "" if published == "" else round(row.mean("psnr_db") - published, 6),
                    "records": wording.record_ids(row.records),
                }
            )
    grids, arrays = [], {}
    for matrix, cells in values.items():
        kinds = list(dict.fromkeys(trained_on for trained_on, _ in cells))
        array = np.array([[cells.get((one, other), np.nan) for other in kinds] for one in kinds])
        arrays[matrix] = (array, kinds, kinds)
        images = next(row["training_images"] for row in data if row["matrix"] == matrix)
        heading = f"{matrix} ({images} training images each): trained on"
        lines = []
        for kind, line in zip(kinds, array, strict=True):
            cells = [_with_published(value, matrix, kind, other) for value, other in zip(line, kinds, strict=True)]
            lines.append((kind, *cells))
        grids.append(Grid((heading, *(f"tested on {kind}" for kind in kinds)), tuple(lines)))
    notes = (
        f"{_training(records)} As in the paper, none begins with the weights of a network that was trained on more: it "
        "would have seen every kind.",
        "In parentheses: the PSNR in the result file of the authors' repository, of other images, and ours minus it. "
        "Its files for Dh and Ds are one.",
        "Particles and defects are compared at white contrast. Few test structures: no intervals.",
    )
    plots = {"matrices": lambda: figures.matrices(arrays)}
    title = wording.title("Figure 5.1", SOURCE, records)
    return Table(title, caption(records), tuple(grids), notes, tuple(data), plots)


def _training(records: list[dict]) -> str:
    """How the networks of the matrices came about, in a sentence."""
    ends = [record["learning_curve"][-1] for record in records]
    steps, crops = ({end[name] for end in ends} for name in ("step", "crops"))
    amounts = [f"{min(n):,}" if len(n) == 1 else f"{min(n):,} to {max(n):,}" for n in (steps, crops)]
    seeds = len({record["seed"] for record in records})
    return (
        "Every network is trained from scratch on its own subset, and those of a matrix hold equally many images: "
        f"{amounts[0]} steps, {amounts[1]} crops, {seeds} seed{'s' * (seeds > 1)}."
    )


def _published_cell(matrix: str, trained_on: str, tested_on: str):
    return PUBLISHED["figure_5_1_repository"][matrix].get(trained_on, {}).get(tested_on, "")


def _with_published(value: float, matrix: str, trained_on: str, tested_on: str) -> str:
    published = _published_cell(matrix, trained_on, tested_on)
    return f"{value:.2f}" + (f" ({published:.2f}, {value - published:+.2f})" if published != "" else "")
