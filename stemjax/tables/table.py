"""A table as text: Markdown to read, CSV to compute with."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Grid:
    """Printed cells: the headings, and rows of as many texts."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def select(self, headings: list[str]) -> "Grid":
        """The grid of those columns, each named by the start of its heading.

        Raises
        ------
        ValueError
            If there is no such column.
        """
        chosen = []
        for heading in headings:
            matching = [index for index, column in enumerate(self.columns) if column.startswith(heading)]
            if not matching:
                raise ValueError(f"no column {heading!r}; there are {', '.join(self.columns)}")
            chosen.append(matching[0])
        return Grid(tuple(self.columns[i] for i in chosen), tuple(tuple(row[i] for i in chosen) for row in self.rows))

    def markdown(self) -> str:
        """The grid in Markdown, its columns aligned: text to the left, figures to the right."""
        lines = [[cell.replace("|", "\\|") for cell in row] for row in (self.columns, *self.rows)]
        widths = [max(3, *map(len, column)) for column in zip(*lines, strict=True)]
        rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
        padded = [[row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in lines]
        return "".join(f"| {' | '.join(row)} |\n" for row in (padded[0], rule, *padded[1:]))


@dataclass(frozen=True)
class Table:
    """A table to read (`grids`, with what to know about them) and to compute with (`data`, one dict per row).

    `plots` are the pictures drawn from the same records: the suffix of a file's name -> a function that gives its PNG.
    """

    title: str
    caption: str
    grids: tuple[Grid, ...]
    notes: tuple[str, ...]
    data: tuple[dict, ...]
    plots: dict[str, Callable[[], bytes]] = field(default_factory=dict)

    def markdown(self) -> str:
        """The whole table in Markdown."""
        notes = "".join(f"- {note}\n" for note in self.notes)
        return "\n".join([f"# {self.title}\n", f"{self.caption}\n", *(grid.markdown() for grid in self.grids), notes])

    def csv(self) -> str:
        """The figures as CSV; an empty cell is a missing value."""
        stream = io.StringIO()
        names = dict.fromkeys(name for row in self.data for name in row)
        writer = csv.DictWriter(stream, list(names), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.data)
        return stream.getvalue()
