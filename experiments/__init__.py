"""The published tables and figures, one file each in the folder of its paper: `n2v/figure_8.py` makes `n2v_figure_8`.

A file has a docstring (what it regenerates, the command, the figure to expect), `TIMES` (size -> how long it takes on
two cores or one GPU, after the zoo where that trains its networks), `run(size, workspace)`, which measures and records,
and `table(records, scores)`, which says what the records say. One whose networks belong to the zoo also has
`networks(size, workspace)`: something to iterate over, that trains each network if it is not trained yet.

A folder's `__init__.py` has what the files of a paper share; so have its modules without a `table`.
"""

import importlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType

PAPERS = ("sbd", "n2v", "wcvd", "autoencoder", "noise2atom")
ABLATION, QUICKSTART = "ablation", "quickstart"  # of verbs of their own


def _modules() -> Iterator[tuple[str, str]]:
    """Every file that makes a table: (name, module); tables of a paper first, then its figures, then the rest."""
    here = Path(__file__).parent
    for paper in (*PAPERS, ""):
        for path in sorted((here / paper).glob("*.py"), key=lambda path: _place(path.stem)):
            if re.search(r"^def table\(", path.read_text("utf-8"), re.MULTILINE):
                parts = [paper, path.stem] if paper else [path.stem]
                yield "_".join(parts), ".".join(["experiments", *parts])


def _place(stem: str) -> tuple:
    """Where a file stands in its folder: figure_2 before figure_10."""
    kinds = ("table", "figure")
    kind = next((number for number, kind in enumerate(kinds) if stem.startswith(kind)), len(kinds))
    return kind, [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", stem)]


MODULES = dict(_modules())  # every table -> its module
NAMES = tuple(name for name in MODULES if name not in (ABLATION, QUICKSTART))


@dataclass(frozen=True)
class Experiment:
    """A published table or figure: the module of that name, and what is done for every one."""

    name: str
    module: ModuleType

    def run(self, size: str, workspace) -> None:
        """Measure and record, then render the table with its plots."""
        from stemjax import tables

        self.module.run(size, replace(workspace, experiment=self.name))
        tables.write(workspace.results, table_of, self.name)

    @property
    def has_networks(self) -> bool:
        """Whether its networks belong to the zoo."""
        return hasattr(self.module, "networks")

    def train(self, size: str, workspace) -> None:
        """Train its networks where they are not trained yet; run it if none of them belong to the zoo."""
        if not self.has_networks:
            return self.run(size, workspace)
        for _ in self.module.networks(size, workspace):
            pass


def load(name: str) -> Experiment:
    """An experiment.

    Raises
    ------
    ValueError
        If there is none of that name; the message lists them.
    """
    if name not in (*NAMES, QUICKSTART):
        near = "".join(f": did you mean {one!r}?" for one in get_close_matches(name, NAMES, 1))
        raise ValueError(f"no experiment named {name!r}{near or ';'} there are {', '.join(NAMES)}")
    return Experiment(name, importlib.import_module(MODULES[name]))


def table_of(name: str) -> Callable | None:
    """The function that makes a table of records and their scores; None for records that make no table."""
    return importlib.import_module(MODULES[name]).table if name in MODULES else None
