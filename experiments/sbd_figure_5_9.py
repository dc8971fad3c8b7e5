"""SBD, Figure 5.9 (b, c): is it better to train on many conditions, or only on those of the experiment?

    stemjax experiment run sbd_figure_5_9 --size cpu

The networks of Table 5.1, trained on every image of white contrast, against the same networks trained on the few images
of the target conditions alone (PtNp2, 40 to 60 Å thick, 50 to 100 Å of defocus: 236 + 15 images in the paper), both
tested on the target conditions and on all white images of structures that no training saw. In the paper, which has
pictures of its experiment, the narrow training does better there. Expect the narrow training to win on its own
conditions by 0.1 to 0.2 dB, and to lose 0.3 to 0.4 dB elsewhere.

Reference: Mohan et al., arXiv:2010.12970, Figure 5.9 (b, c).
"""

from dataclasses import replace

from experiments.recorder import Recorder
from experiments.sbd_table_5_1 import IMAGES_PER_UNIT, NETWORKS, WHITE
from experiments.trained import tuned_network
from experiments.workspace import Workspace
from stemjax import tables
from stemjax.apply.evaluate import image_set
from stemjax.data import datasets
from stemjax.data.micrographs import Selection
from stemjax.training import parallel

NAME = "sbd_figure_5_9"
TIMES = {
    "smoke": "2 min",
    "cpu": "2 min on 2 cores after its zoo, which takes 15 min beside that of Table 5.1",
    "gpu": "not measured",
}
TARGET = Selection(contrast=(), particle=("PtNp2",), thickness=(40, 50, 60), defocus=(50.0, 100.0))
SETS = {"all white images": WHITE, "target conditions": TARGET}


def run(size: str, workspace: Workspace) -> None:
    """Train, score and record every network on both sets, then render the table and a strip of images."""
    parallel.enable_compilation_cache()
    data = workspace.pt_ceo2(size)
    trained = trained_networks(size, workspace, data)
    imaging = next(iter(trained.values()))[0].imaging
    for tested_on, selection in SETS.items():
        test = image_set(data, selection, "test", IMAGES_PER_UNIT[size], imaging)
        rows = Recorder(NAME, size, workspace, data, test)
        for (method, trained_on), network in trained.items():
            count = len(network[0].selection.images(data, "train"))
            conditions = {"trained_on": trained_on, "tested_on": tested_on, "training_images": count}
            rows.add_trained(f"{method}, trained on {trained_on}", *network, conditions=conditions)
        if tested_on == "target conditions":
            rows.draw_strip(columns=4)
    tables.write(workspace.results, NAME)


def train(size: str, workspace: Workspace) -> None:
    """Train whatever of its networks is not trained yet, for `experiments.zoo`."""
    trained_networks(size, workspace, workspace.pt_ceo2(size))


def trained_networks(size: str, workspace: Workspace, data: datasets.DataSet) -> dict[tuple[str, str], tuple]:
    """Every network with either training: (method, trained on) -> (run, variables, info, outcome)."""
    trained = {}
    for method, name in NETWORKS.items():
        broad, *found, _ = tuned_network(name, size, workspace, data)
        narrow = replace(broad, selection=TARGET)
        trained[method, "all white images"] = broad, *found
        trained[method, "target conditions"] = narrow, *workspace.trained(narrow, data, f"{method}, target conditions")
    return trained
