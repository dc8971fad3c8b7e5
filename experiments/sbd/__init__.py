"""Mohan et al., "Deep Denoising for Scientific Discovery" (SBD), arXiv:2010.12970: what its tables share.

The networks of Table 5.1 with their tuning, at which many figures look more closely, and the images that they are
tested on.
"""

from collections.abc import Iterator
from dataclasses import replace

from experiments.movie_methods import Trained
from experiments.tuning import Search, tune_run
from experiments.workspace import Workspace
from stemjax.data import datasets
from stemjax.data.micrographs import Selection
from stemjax.models import presets
from stemjax.tables.published import PAPERS, authors
from stemjax.training import checkpoint
from stemjax.training.train import Outcome, Run, initial_state

PUBLISHED, SOURCE = PAPERS["sbd"], authors("sbd")
SBD = "SBD + UNet"
EARLY, LAST = "Blind-spot network, early stopping", "Blind-spot network, last weights"
NETWORKS = {"SBD + DnCNN": "sbd-dncnn", "SBD + Small UNet": "sbd-small-unet", SBD: "sbd-unet-4x64"}
LARGEST = {"SBD + UNet, 6 scales, 128 base channels": "sbd-unet-6x128"}  # needs a large GPU
SEEDS = {"smoke": (0,), "cpu": (0, 1, 2), "gpu": (0,)}
# The same for every network. At full size one setting, the paper's, is all that a lease has time for.
SEARCH = {"smoke": None, "cpu": Search((2, 8), (2e-3, 4e-3, 8e-3), short_crops=1000), "gpu": None}
IMAGES_PER_UNIT = {"smoke": 1, "cpu": 6, "gpu": 20}
WHITE = Selection(contrast=("white",))
# The conditions of the paper's experiment.
TARGET = Selection(contrast=(), particle=("PtNp2",), thickness=(40, 50, 60), defocus=(50.0, 100.0))


# ---------------------------------------------------------------------------------------------------- Table 5.1
def trained_networks(size: str, workspace: Workspace, data: datasets.DataSet, only: str = "") -> Iterator[tuple]:
    """Every network and seed of a size, trained if it is not yet: (method, run, (variables, info, outcome), tuning).

    With `only`, the methods whose preset has that name.
    """
    for method, name in (NETWORKS | LARGEST if size == "gpu" else NETWORKS).items():
        if only not in ("", name):
            continue
        start = presets.sbd_run(presets.find_preset(name).at(size), size, data.recipe_hash)
        tuned, tuning = tune_run(method, start, SEARCH[size], workspace, data)
        for seed in SEEDS[size]:
            run = replace(tuned, seed=seed)
            yield method, run, workspace.trained(run, data, f"{method}, seed {seed}"), tuning


def tuned_networks(
    name: str, size: str, workspace: Workspace, data: datasets.DataSet
) -> Iterator[tuple[Run, dict, dict, Outcome, dict | None]]:
    """Every seed of a preset's network as Table 5.1 has it: (run, variables, info, outcome, tuning).

    It is trained first if it is not yet, with its search for batch size and learning rate.
    """
    for _, run, result, tuning in trained_networks(size, workspace, data, only=name):
        yield run, *result, tuning


def tuned_network(name: str, size: str, workspace: Workspace, data: datasets.DataSet, seed: int = 0):
    """One seed of a preset's network: see `tuned_networks`."""
    return next(network for network in tuned_networks(name, size, workspace, data) if network[0].seed == seed)


# ---------------------------------------------------------------------------------------------------- last weights
def last_weights(network: Trained) -> Trained:
    """The same training without early stopping: its weights after the last step instead of the best ones."""
    folder = checkpoint.Checkpointer(network.outcome.folder / "checkpoints", read_only=True)
    step, state, _ = folder.restore(initial_state(network.run))
    variables = state["variables"]
    return replace(
        network, variables=variables, info=network.info | {"step": step, "digest": checkpoint.digest(variables)}
    )
