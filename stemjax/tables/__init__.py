"""Tables: pure functions of the records, the same bytes on every machine.

A table of one size is a file ``results/tables/<name>.<size>.md`` to read, with a ``.csv`` of the same figures and its
plots, ``results/figures/<name>.<size>.<plot>.png``. (Pictures of images are made by the experiments.)
"""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from stemjax import records
from stemjax.data.older_recipes import of_one_recipe, remark
from stemjax.files import write_whole
from stemjax.tables.ablation import ablation, shipped_network
from stemjax.tables.atoms import sbd_dose, sbd_figure_5_3, sbd_figure_5_4
from stemjax.tables.autoencoder import autoencoder_figure_4, autoencoder_figure_6
from stemjax.tables.generalisation import sbd_figure_3_1, sbd_figure_5_1, sbd_figure_5_9
from stemjax.tables.gradients import sbd_figure_3_2
from stemjax.tables.likelihood import sbd_figure_3_3
from stemjax.tables.n2v import n2v_table_s1
from stemjax.tables.n2v_ablation import n2v_ablation, n2v_figure_s4
from stemjax.tables.n2v_analysis import n2v_figure_1, n2v_figure_3, n2v_figure_4, n2v_figure_5
from stemjax.tables.n2v_chequerboards import n2v_figure_2
from stemjax.tables.n2v_sweep import n2v_figure_8
from stemjax.tables.n2v_transfer import n2v_figure_10
from stemjax.tables.noise2atom import noise2atom_figure_1, noise2atom_figure_4, noise2atom_figure_5
from stemjax.tables.noise_check import sbd_figure_4_1
from stemjax.tables.panels import sbd_figures_a
from stemjax.tables.quickstart import quickstart
from stemjax.tables.sbd import sbd_table_5_1
from stemjax.tables.sbd_movie import sbd_figure_5_8, sbd_movie
from stemjax.tables.sbd_table_3_1 import sbd_table_3_1
from stemjax.tables.simulation_check import n2v_simulation_check
from stemjax.tables.table import Table
from stemjax.tables.very_noisy import (
    autoencoder_figure_3,
    autoencoder_figure_7,
    autoencoder_figure_9,
    noise2atom_figure_3,
)
from stemjax.tables.wcvd import wcvd_figure_2
from stemjax.tables.wcvd_drift import wcvd_figure_s12
from stemjax.tables.wcvd_kernels import wcvd_figure_s3, wcvd_sweep

# Name of the experiment whose records make the table -> the function that makes it. A new table is one line here.
TABLES: dict[str, Callable[[list[dict], dict[str, list[dict]]], Table]] = {
    "sbd_table_5_1": sbd_table_5_1,
    "sbd_table_3_1": sbd_table_3_1,
    "sbd_figure_3_1": sbd_figure_3_1,
    "sbd_figure_5_1": sbd_figure_5_1,
    "sbd_figure_5_9": sbd_figure_5_9,
    "ablation": ablation,
    "sbd_figure_5_3": sbd_figure_5_3,
    "sbd_figure_5_4": sbd_figure_5_4,
    "sbd_dose": sbd_dose,
    "sbd_figure_3_2": sbd_figure_3_2,
    "sbd_figure_4_1": sbd_figure_4_1,
    "sbd_figures_a": sbd_figures_a,
    "sbd_figure_3_3": sbd_figure_3_3,
    "sbd_movie": sbd_movie,
    "sbd_figure_5_8": sbd_figure_5_8,
    "n2v_simulation_check": n2v_simulation_check,
    "n2v_table_s1": n2v_table_s1,
    "n2v_figure_8": n2v_figure_8,
    "n2v_ablation": n2v_ablation,
    "n2v_figure_2": n2v_figure_2,
    "n2v_figure_s4": n2v_figure_s4,
    "n2v_figure_1": n2v_figure_1,
    "n2v_figure_3": n2v_figure_3,
    "n2v_figure_4": n2v_figure_4,
    "n2v_figure_5": n2v_figure_5,
    "n2v_figure_10": n2v_figure_10,
    "wcvd_figure_2": wcvd_figure_2,
    "wcvd_sweep": wcvd_sweep,
    "wcvd_figure_s3": wcvd_figure_s3,
    "wcvd_figure_s12": wcvd_figure_s12,
    "noise2atom_figure_3": noise2atom_figure_3,
    "autoencoder_figure_3": autoencoder_figure_3,
    "autoencoder_figure_4": autoencoder_figure_4,
    "autoencoder_figure_6": autoencoder_figure_6,
    "autoencoder_figure_7": autoencoder_figure_7,
    "autoencoder_figure_9": autoencoder_figure_9,
    "noise2atom_figure_1": noise2atom_figure_1,
    "noise2atom_figure_4": noise2atom_figure_4,
    "noise2atom_figure_5": noise2atom_figure_5,
    "shipped_network": shipped_network,
    "quickstart": quickstart,
}


def render(results: str | Path, only: str = "") -> dict[Path, bytes]:
    """Every table and plot that the records in ``results/records`` make, or those of one name: path -> contents.

    The results of the checkout itself are the published ones: size `smoke` has no place there.
    """
    results = Path(results)
    everything = records.current(records.load(results / "records"))
    found = [record for record in everything if not records.is_submission(record)]
    is_published = results.resolve() == Path(__file__).resolve().parents[2] / "results"
    contents = {}
    for name, make in TABLES.items():
        if only not in ("", name):
            continue
        for size in records.SIZES:
            chosen = [record for record in found if (record["experiment"], record["size"]) == (name, size)]
            if chosen and not (is_published and size == "smoke"):
                kept = of_one_recipe(chosen)
                table = _made(name, make, kept, records.load_scores(results / "records", kept))
                if said := remark(kept, len(chosen) - len(kept)):
                    table = replace(table, notes=(said, *table.notes))
                contents[results / "tables" / f"{name}.{size}.md"] = table.markdown().encode()
                contents[results / "tables" / f"{name}.{size}.csv"] = table.csv().encode()
                for plot, draw in table.plots.items():
                    contents[results / "figures" / f"{name}.{size}.{plot}.png"] = draw()
                readme = results.parent / "README.md"
                text = (contents.get(readme) or readme.read_bytes()).decode() if is_published else ""
                if f"<!-- table {name}.{size}:" in text:
                    contents[readme] = _insert(text, f"{name}.{size}", table).encode()
    return contents


def _made(name: str, make: Callable, found: list[dict], scores: dict) -> Table:
    """A table.

    Raises
    ------
    ValueError
        If records that it needs are missing, as while its experiment is at work or after it was stopped.
    """
    try:
        return make(found, scores)
    except (LookupError, ValueError, StopIteration) as error:
        raise ValueError(f"table {name}: {error}; if its experiment was stopped, run it to the end") from error


def _insert(text: str, name: str, table: Table) -> str:
    """The text with a table's first grid between ``<!-- table NAME: COLUMN, ... -->`` and ``<!-- end of table -->``.

    A column is named by the start of its heading; only those named appear.
    """
    opening = re.search(rf"<!-- table {re.escape(name)}: (.*?) -->\n", text)
    end = text.index("<!-- end of table -->", opening.end())
    return text[: opening.end()] + table.grids[0].select(opening[1].split(", ")).markdown() + text[end:]


def write(results: str | Path, only: str = "") -> list[Path]:
    """Render every table and plot to its file, or those of one name; returns the files."""
    contents = render(results, only)
    for path, content in contents.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, lambda stream, content=content: stream.write(content))
    return list(contents)


def check(results: str | Path) -> list[str]:
    """Every table or plot that is not, byte by byte, what the records say, one line each; none means all is well."""
    results, contents = Path(results), render(results)
    problems = [
        f"{path}: {'differs from' if path.exists() else 'missing, though it is in'} the records; run `stemjax tables`"
        for path, content in contents.items()
        if not path.exists() or path.read_bytes() != content
    ]
    present = [path for path in sorted((results / "tables").glob("*")) if path.suffix in (".md", ".csv")]
    return problems + [f"{path}: no record makes this table; delete it" for path in present if path not in contents]
