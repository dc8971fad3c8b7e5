"""Tables whose columns are scores of the denoised frames: Figures 1, 3, 4 and 5."""

from collections.abc import Iterable
from dataclasses import dataclass

from experiments.n2v import PUBLISHED, ROWS, SOURCE
from experiments.n2v.notes import by_conditions, caption, common_notes
from stemjax.tables import wording
from stemjax.tables.rows import Row
from stemjax.tables.table import Grid, Table
from stemjax.tables.wording import printed

AS_IN_PAPER = 16.4  # dB: the noise level whose rows have the published figures, of an experiment, beside them


@dataclass(frozen=True)
class Column:
    """A score of a grid.

    Parameters
    ----------
    name, heading, form : str
        In the records, in the table, and the format.
    published : str
        Where in `PUBLISHED` the paper's figures are.
    has_clean : bool
        Whether the records have that of the clean frames too, ``clean_<name>``.
    """

    name: str
    heading: str
    form: str = ".2f"
    published: str = ""
    has_clean: bool = False


def score_table(
    figure: str, records: list[dict], scores: dict, parts: Iterable[tuple[str, list[Column]]], notes: Iterable[str]
) -> Table:
    """One grid for every part and noise level: rows are methods.

    Parameters
    ----------
    parts : sequence of (str, list of Column)
        Value of the condition ``frames``, "" where there is none, and the columns.
    """
    grids, data, first = [], {}, None
    for frames, columns in parts:
        chosen = [record for record in records if record["conditions"].get("frames", "") == frames]
        for (level,), rows in sorted(by_conditions(chosen, scores, "input_psnr_db").items(), reverse=True):
            first = first or rows
            figures = [_figures(row, level, frames, columns) for row in rows.values()]
            grids.append(_grid(level, frames, figures, columns))
            for figure_ in figures:
                data.setdefault((frames, level, figure_["method"]), {}).update(figure_)
    title = wording.title(figure, SOURCE, records)
    every = (*notes, *common_notes(first, records))
    return Table(title, caption(first, noise="as stated"), tuple(grids), every, tuple(data.values()))


def _figures(row: Row, level: float, frames: str, columns: Iterable[Column]) -> dict:
    figures = {"input_psnr_db": level} | ({"frames": frames} if frames else {}) | {"method": row.method}
    for column in columns:
        figures |= wording.estimated(column.name, row.scores[column.name], row.units)
        if column.published:
            published = PUBLISHED[column.published].get(ROWS[row.method]) if level == AS_IN_PAPER else None
            figures[f"published_{column.name}"] = "" if published is None else published
        if column.has_clean:
            figures[f"clean_{column.name}"] = round(row.mean(f"clean_{column.name}"), 6)
    return figures | {"records": wording.record_ids(row.records)}


def _grid(level: float, frames: str, figures: list[dict], columns: Iterable[Column]) -> Grid:
    """Methods with their scores; what is true of the clean frames comes first, as a row of its own."""
    headings, lines = [], [[figure["method"]] for figure in figures]
    clean = ["Clean"]
    for column in columns:
        headings.append(column.heading)
        clean.append(format(figures[0][f"clean_{column.name}"], column.form) if column.has_clean else "")
        for line, figure in zip(lines, figures, strict=True):
            line.append(printed(figure, column.name, column.form))
        if column.published and level == AS_IN_PAPER:
            headings.append("Published")
            clean.append("")
            for line, figure in zip(lines, figures, strict=True):
                line.append(str(figure[f"published_{column.name}"]))
    place = f"Noise of {level:g} dB" + f", {frames}" * bool(frames)
    return Grid((place, *headings), tuple(map(tuple, [clean] * any(clean[1:]) + lines)))
