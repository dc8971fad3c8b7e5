"""Where a text quotes a table: the figures are filled in from it, so that none is typed by hand.

The README quotes columns, each named by the start of its heading:

    <!-- table NAME.SIZE: COLUMN, COLUMN -->
    ...
    <!-- end of table -->

The docstring of an experiment quotes rows, of the first grid with these headings, in a paragraph of its own:

    Expect at size `cpu` (FIRST HEADING, COLUMN): ROW: 31.5 [31.2, 31.8]; ROW: 28.9 [28.5, 29.3].

A row is named by its first cell, or by the first two where several have the same first one.
"""

import re
import textwrap

from stemjax.tables.table import Grid, Table

WIDTH = 120  # of a line of code
PARAGRAPH = re.compile(
    r"^Expect at size `(?P<size>\w+)`\s"
    r"\((?P<column>(?:[^()]|\([^()]*\))*)\):\s"  # parentheses within it, as in "r (Pt)", are in pairs
    r"(?P<rows>.*?)\.\n(?=\n|\"\"\")",
    re.MULTILINE | re.DOTALL,
)


def in_readme(text: str, name: str, table: Table) -> str:
    """The README with the table NAME.SIZE, its first grid, where it quotes it; as it is where it does not."""
    opening = re.search(rf"<!-- table {re.escape(name)}: (.*?) -->\n", text)
    if opening is None:
        return text
    end = text.index("<!-- end of table -->", opening.end())
    return text[: opening.end()] + table.grids[0].select(opening[1].split(", ")).markdown() + text[end:]


def in_docstring(text: str, size: str, table: Table) -> str:
    """The source of an experiment with the figures of its table of a size, where its docstring quotes them.

    Raises
    ------
    ValueError
        If a paragraph names a column or a row that the table has not, or not once.
    """
    return PARAGRAPH.sub(lambda match: _paragraph(match, table) if match["size"] == size else match[0], text)


def _paragraph(match: re.Match, table: Table) -> str:
    column = " ".join(match["column"].split())
    grid, index = _grid_with(column, table)
    rows = [_row(" ".join(row.split()), grid, index) for row in match["rows"].split(";")]
    text = f"Expect at size `{match['size']}` ({column}): {'; '.join(rows)}."
    whole = re.sub(r"\[.*?\]", lambda interval: interval[0].replace(" ", "\0"), text)  # an interval stays on one line
    lines = textwrap.wrap(whole, WIDTH, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines).replace("\0", " ") + "\n"


def _grid_with(column: str, table: Table) -> tuple[Grid, int]:
    """The first grid with "FIRST HEADING, COLUMN", and the number of that column."""
    headings = [
        (f"{grid.columns[0]}, {heading}", grid, index)
        for grid in table.grids
        for index, heading in enumerate(grid.columns[1:], 1)
    ]
    for text, grid, index in headings:
        if text == column:
            return grid, index
    raise ValueError(f"{table.title}: no column {column!r}; there are {'; '.join(text for text, _, _ in headings)}")


def _row(quoted: str, grid: Grid, index: int) -> str:
    """The row's label and figure; `quoted` is the label, with an older figure behind it or without."""
    labelled = [(label, row) for row in grid.rows for label in (row[0], f"{row[0]}, {row[1]}")]
    named = [(label, row) for label, row in labelled if f"{quoted}:".startswith(f"{label}:")]
    if len(named) != 1:
        labels = "; ".join(row[0] for row in grid.rows)
        raise ValueError(f"{quoted!r} names {len(named)} rows of {grid.columns[0]!r}; there are {labels}")
    label, row = named[0]
    return f"{label}: {row[index]}"
