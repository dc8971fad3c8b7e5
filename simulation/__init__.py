"""Simulated data sets: atomic models (ASE), exit waves (abTEM), folders of them. The only place that imports either."""

from importlib import import_module
from pathlib import Path

from stemjax.data.kinds import KINDS


def make_data_set(name: str, folder: str | Path, size: str):
    """Make a data set of a kind at size "smoke", "cpu" or "gpu", or go on where that was stopped.

    Raises
    ------
    ValueError
        If the kind is not made here, or only from other data sets.
    """
    made = [kind.name for kind in KINDS.values() if kind.maker]
    if name not in made:
        raise ValueError(f"no data set {name!r} is simulated by itself; there are {', '.join(made)}")
    kind = KINDS[name]
    make = getattr(import_module(f"simulation.{kind.maker}"), f"make_{kind.maker}")
    return make(folder, size=size, **kind.options)
