"""`stemjax models`: the list of models, and the card of one."""

import sys
from pathlib import Path
from typing import Annotated

from stemjax.cli.arguments import named
from stemjax.models.catalogue import CATALOGUE, Entry, has_weights, refuse_unknown


def list_() -> None:
    """List the models: name, weights, parameters, field of view, paper.

    The column `weights` says what `stemjax denoise --model NAME` needs. "none needed" is a filter and "included" a
    trained network: both denoise at once. "train first" has no weights: train it on a data set (`stemjax train NAME
    --data FOLDER`, then `stemjax denoise FILE --model RUN`); or, if it learns from noisy images alone, on your movie
    (`stemjax denoise MOVIE --train --model NAME`). `stemjax models show NAME` shows one in detail.
    """
    header = ("model", "weights", "parameters", "field of view", "what it is", "paper")
    rows = [(name, _weights(name), *_size(entry), entry.about, entry.paper) for name, entry in CATALOGUE.items()]
    if not sys.stdout.isatty():
        widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
        for row in (header, *rows):
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*header, box=None, header_style="bold", pad_edge=False)
    for column in table.columns[2:4]:
        column.justify = "right"
    table.columns[0].no_wrap = True
    for row in rows:
        table.add_row(*row)
    Console().print(table)
    print("\nParameters and field of view are those of the paper's size.")


def _weights(name: str) -> str:
    """Whether `stemjax denoise` can use the model at once."""
    if not CATALOGUE[name].learns:
        return "none needed"
    return "included" if has_weights(name) else "train first"


def _size(entry: Entry) -> tuple[str, str]:
    """Parameters as the papers count them, and field of view."""
    return ("-", "-") if entry.parameters is None else (f"{entry.parameters:,}", f"{entry.field_of_view_px} px")


def show(
    name: Annotated[str, named("NAME|RUN")],
    /,
    results: Annotated[Path, named("FOLDER")] = Path("results"),
) -> None:
    """Show a model: layers, parameters, fields of view, training, scores from the records, licence.

    Args:
        name: Name from `stemjax models`, or folder of a run of `stemjax train`.
        results: Folder that holds `records`. Default: results.
    """
    refuse_unknown(name)
    from stemjax.cli.model_card import model_card

    for heading, lines in model_card(name, results).items():
        print(f"{heading}\n" + "".join(f"  {line}\n" for line in lines))


models = {"": list_, "show": show}
