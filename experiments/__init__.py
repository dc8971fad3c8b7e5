"""One module per published table or figure: the axes of a sweep and the table that it fills, nothing else.

A module has a docstring (what it regenerates, the command, the figure to expect), `TIMES` (size -> how long it takes on
two cores or one GPU, after the zoo where that trains its networks) and `run(size, workspace)`. One whose networks
belong to the zoo also has `train(size, workspace)`; see `experiments.zoo`.
"""

import importlib
from difflib import get_close_matches

NAMES = (
    "sbd_table_5_1",
    "sbd_table_3_1",
    "sbd_figure_3_1",
    "sbd_figure_3_2",
    "sbd_figure_3_3",
    "sbd_figure_4_1",
    "sbd_figure_5_1",
    "sbd_figure_5_3",
    "sbd_figure_5_4",
    "sbd_figure_5_9",
    "sbd_figures_a",
    "sbd_dose",
    "sbd_movie",
    "sbd_figure_5_8",
    "shipped_network",
    "n2v_simulation_check",
    "n2v_table_s1",
    "n2v_figure_8",
    "n2v_ablation",
    "n2v_figure_2",
    "n2v_figure_s4",
    "n2v_figure_1",
    "n2v_figure_3",
    "n2v_figure_4",
    "n2v_figure_5",
    "n2v_figure_10",
    "wcvd_figure_2",
    "wcvd_sweep",
    "wcvd_figure_s3",
    "wcvd_figure_s12",
    "noise2atom_figure_3",
    "autoencoder_figure_3",
    "autoencoder_figure_4",
    "autoencoder_figure_6",
    "autoencoder_figure_7",
    "autoencoder_figure_9",
    "noise2atom_figure_1",
    "noise2atom_figure_4",
    "noise2atom_figure_5",
)
QUICKSTART = "quickstart"


def load(name: str):
    """The experiment's module.

    Raises
    ------
    ValueError
        If there is none of that name; the message lists them.
    """
    if name not in (*NAMES, QUICKSTART):
        near = "".join(f": did you mean {one!r}?" for one in get_close_matches(name, NAMES, 1))
        raise ValueError(f"no experiment named {name!r}{near or ';'} there are {', '.join(NAMES)}")
    return importlib.import_module(f"experiments.{name}")
