"""The tuned networks of Table 5.1, for every experiment that looks at them more closely."""

from collections.abc import Iterator

from experiments import sbd_table_5_1
from experiments.workspace import Workspace
from stemjax.data import datasets
from stemjax.training.train import Outcome, Run


def tuned_networks(
    name: str, size: str, workspace: Workspace, data: datasets.DataSet
) -> Iterator[tuple[Run, dict, dict, Outcome, dict | None]]:
    """Every seed of a preset's network as Table 5.1 has it: (run, variables, info, outcome, tuning).

    It is trained first if it is not yet, with its search for batch size and learning rate.
    """
    for _, run, result, tuning in sbd_table_5_1.trained_networks(size, workspace, data, only=name):
        yield run, *result, tuning


def tuned_network(name: str, size: str, workspace: Workspace, data: datasets.DataSet, seed: int = 0):
    """One seed of a preset's network: see `tuned_networks`."""
    return next(found for found in tuned_networks(name, size, workspace, data) if found[0].seed == seed)
