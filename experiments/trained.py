"""The tuned networks of Table 5.1, for every experiment that looks at them more closely."""

from experiments import sbd_table_5_1
from experiments.workspace import Workspace
from stemjax import datasets
from stemjax.train import Outcome, Run


def tuned_network(
    name: str, size: str, workspace: Workspace, data: datasets.DataSet, seed: int = 0
) -> tuple[Run, dict, dict, Outcome, dict | None]:
    """One seed of a preset's network as Table 5.1 has it: (run, variables, info, outcome, tuning).

    It is trained first if it is not yet, with its search for batch size and learning rate.
    """
    trained = sbd_table_5_1.trained_networks(size, workspace, data, only=name)
    run, result, tuning = next((run, result, tuning) for _, run, result, tuning in trained if run.seed == seed)
    return run, *result, tuning
