"""The kinds of data: training, evaluation, export, cards and the leaderboard ask them, and nothing else compares names
of data sets.

The folder is the list: a module with its way of imaging says at its end, in ``KINDS``, which kinds it has. To add one
takes that module, the tags of its classes in `stemjax.config`, and what makes it in `simulation`.
"""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from stemjax.data.kind import Kind


def _every() -> Iterator[Kind]:
    for module in iter_modules([str(Path(__file__).parent)]):
        if f"stemjax.data.{module.name}" != __name__:
            yield from getattr(import_module(f"stemjax.data.{module.name}"), "KINDS", ())


KINDS = {kind.name: kind for kind in _every()}


def kind_of(data) -> Kind:
    """The kind of a data set.

    Raises
    ------
    ValueError
        If it is of no kind that is known.
    """
    if data.name not in KINDS:
        raise ValueError(f"{data.folder}: a data set of the unknown kind {data.name}; there are {', '.join(KINDS)}")
    return KINDS[data.name]
