"""Tables: pure functions of the records, the same bytes on every machine.

A table of one size is a file ``results/tables/<name>.<size>.md`` to read, with a ``.csv`` of the same figures and its
plots, ``results/figures/<name>.<size>.<plot>.png``. (Pictures of images are made by the experiments.)
"""

import inspect
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from stemjax import records
from stemjax.data.older_recipes import of_one_recipe, remark
from stemjax.files import write_whole
from stemjax.tables import mentions
from stemjax.tables.table import Table

# The name of an experiment -> what makes a table of its records and their scores.
TableOf = Callable[[str], Callable[[list[dict], dict[str, list[dict]]], Table] | None]


def render(results: str | Path, table_of: TableOf, only: str = "") -> dict[Path, bytes]:
    """Every table and plot that the records in ``results/records`` make, or those of one name: path -> contents.

    The results of the checkout itself are the published ones: size `smoke` has no place there, and the README and the
    docstrings of the experiments quote them.

    Parameters
    ----------
    table_of
        The function that makes the table of an experiment; None for records that make none. See `experiments.table_of`.
    """
    results = Path(results)
    everything = records.current(records.load(results / "records"))
    own = [record for record in everything if not records.is_submission(record)]
    is_published = results.resolve() == Path(__file__).resolve().parents[2] / "results"
    contents = {}
    for name in dict.fromkeys(record["experiment"] for record in own):
        make = table_of(name) if only in ("", name) else None
        if make is None:
            continue
        for size in records.SIZES:
            chosen = [record for record in own if (record["experiment"], record["size"]) == (name, size)]
            if chosen and not (is_published and size == "smoke"):
                kept = of_one_recipe(chosen)
                table = _made(name, make, kept, records.load_scores(results / "records", kept))
                if note := remark(kept, len(chosen) - len(kept)):
                    table = replace(table, notes=(note, *table.notes))
                contents[results / "tables" / f"{name}.{size}.md"] = table.markdown().encode()
                contents[results / "tables" / f"{name}.{size}.csv"] = table.csv().encode()
                for plot, draw in table.plots.items():
                    contents[results / "figures" / f"{name}.{size}.{plot}.png"] = draw()
                if is_published and not only:  # an experiment at work does not edit the code that its records name
                    readme, source = results.parent / "README.md", Path(inspect.getfile(make))
                    text = {path: (contents.get(path) or path.read_bytes()).decode() for path in (readme, source)}
                    contents[readme] = mentions.in_readme(text[readme], f"{name}.{size}", table).encode()
                    contents[source] = mentions.in_docstring(text[source], size, table).encode()
    return contents


def _made(name: str, make: Callable, records: list[dict], scores: dict) -> Table:
    """A table.

    Raises
    ------
    ValueError
        If records that it needs are missing, as while its experiment is at work or after it was stopped.
    """
    try:
        return make(records, scores)
    except (LookupError, ValueError, StopIteration) as error:
        raise ValueError(f"table {name}: {error}; if its experiment was stopped, run it to the end") from error


def write(results: str | Path, table_of: TableOf, only: str = "") -> list[Path]:
    """Render every table and plot to its file, or those of one name; returns the files."""
    contents = render(results, table_of, only)
    for path, content in contents.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, lambda stream, content=content: stream.write(content))
    return list(contents)


def check(results: str | Path, table_of: TableOf) -> list[str]:
    """Every table or plot that is not, byte by byte, what the records say, one line each; none means all is well."""
    results, contents = Path(results), render(results, table_of)
    problems = [
        f"{path}: {'differs from' if path.exists() else 'missing, though it is in'} the records; run `stemjax tables`"
        for path, content in contents.items()
        if not path.exists() or path.read_bytes() != content
    ]
    present = [path for path in sorted((results / "tables").glob("*")) if path.suffix in (".md", ".csv")]
    return problems + [f"{path}: no record makes this table; delete it" for path in present if path not in contents]
