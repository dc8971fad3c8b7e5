"""SBD, Figure 5.1: how a network trained on one kind of image does on the others.

    stemjax experiment run sbd_figure_5_1 --size cpu

Three matrices: trained on one contrast (black, intermediate, white), one particle (PtNp1 to PtNp4) or one defect (D0,
D1, D2, Dh, Ds) and tested on each of them, on structures that no training saw. The training subsets of a matrix hold
equally many images. As in the paper every network is trained from scratch, not fine-tuned from one that has seen every
kind, which would blur what the matrix measures. All see the same number of crops; at size `cpu` half as many as in
Table 5.1, and they are half as wide. Expect the largest loss off the diagonal for black contrast: 33.6 dB on its own
kind and 23.1 on white, as in the paper; particles and defects hardly matter.

Reference: Mohan et al., arXiv:2010.12970, Figure 5.1.
"""

from collections.abc import Iterator
from dataclasses import replace

from experiments.ablation import Cell
from experiments.recorder import Recorder
from experiments.workspace import Workspace
from stemjax import tables
from stemjax.apply.evaluate import image_set
from stemjax.data import datasets
from stemjax.data.micrographs import Selection
from stemjax.training import parallel

NAME = "sbd_figure_5_1"
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
    """Train, score and record every cell of the matrices, then render tables and plot."""
    parallel.enable_compilation_cache()
    data = workspace.pt_ceo2(size)
    for matrix, present, trained_on, images, run, trained in networks(size, workspace, data):
        for tested_on in present:
            test = image_set(data, _selection(matrix, tested_on), "test", IMAGES_PER_UNIT[size], run.imaging)
            conditions = {"matrix": matrix, "trained_on": trained_on, "tested_on": tested_on, "images": images}
            rows = Recorder(NAME, size, workspace, data, test)
            rows.add_trained(f"trained on {trained_on}", run, *trained, conditions=conditions)
    tables.write(workspace.results, NAME)


def train(size: str, workspace: Workspace) -> None:
    """Train whatever of its networks is not trained yet, for `experiments.zoo`."""
    for _ in networks(size, workspace, workspace.pt_ceo2(size)):
        pass


def networks(size: str, workspace: Workspace, data: datasets.DataSet) -> Iterator[tuple]:
    """The network of every row, trained if it is not yet.

    Yields (matrix, kinds in it, kind trained on, training images, run, (variables, info, outcome)).
    """
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
