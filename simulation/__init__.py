"""Simulated data sets: atomic models (ASE), exit waves (abTEM), folders of them. The only place that imports either."""

from importlib import import_module
from pathlib import Path

# Kind of data -> module here, its function, and what that is to make.
MAKERS = {
    "pt-ceo2": ("pt_ceo2", "make_pt_ceo2", {"name": "pt-ceo2"}),
    "pt-ceo2-surface": ("pt_ceo2", "make_pt_ceo2", {"name": "pt-ceo2-surface"}),
    "au-graphene": ("au_graphene", "make_au_graphene", {}),
    "haadf-pt": ("haadf_pt", "make_haadf_pt", {}),
    "lattice": ("lattice", "make_lattice", {}),
    **{f"movies-{kind}": ("hrtem_movies", "make_movies", {"kind": kind}) for kind in ("pt", "au", "co", "sbd")},
}


def make_data_set(name: str, folder: str | Path, size: str):
    """Make a data set of a kind at size "smoke", "cpu" or "gpu", or go on where that was stopped.

    Raises
    ------
    ValueError
        If the kind is not made here, or only from other data sets.
    """
    if name not in MAKERS:
        raise ValueError(f"no data set {name!r} is simulated by itself; there are {', '.join(MAKERS)}")
    module, function, options = MAKERS[name]
    return getattr(import_module(f"simulation.{module}"), function)(folder, size=size, **options)
