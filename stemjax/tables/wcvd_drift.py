"""The table of the WCVD paper's Figure S12: drift, by what a movie went through before it was registered."""

from collections.abc import Iterator

from stemjax.tables.n2v import estimate, printed
from stemjax.tables.rows import Row, gather
from stemjax.tables.table import Grid, Table
from stemjax.tables.wcvd import KINDS, READINGS, SOURCE, caption


def wcvd_figure_s12(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Distance from the true path after every pre-filter, and how many movies were registered."""
    data, parts = [], {}
    for record in found:
        parts.setdefault((record["conditions"]["kind"], record["conditions"]["reference"]), []).append(record)
    gathered = {key: gather(part, scores) for key, part in parts.items()}
    for (kind, reference), rows in gathered.items():
        for name, row in rows.items():
            ends = zip(("", "_low", "_high"), estimate(row.scores["drift_error_px"], row.units), strict=True)
            figures = {f"drift_error_px{end}": "" if value is None else round(value, 6) for end, value in ends}
            movies = len(set(row.units))
            counted = {"registered": round(row.mean("registered") * movies), "movies": movies}
            data.append({"kind": kind, "reference": reference, "method": name} | figures | counted)
    kinds = list(dict.fromkeys(kind for kind, _ in gathered))
    grids = []
    for kind in kinds:
        lines = []
        for name in next(rows for (k, _), rows in gathered.items() if k == kind):
            of = {f["reference"]: f for f in data if (f["kind"], f["method"]) == (kind, name)}
            cells = [cell for figures in of.values() for cell in _path(figures)]
            lines.append((name, *cells))
        headings = [f"{reference}: {what}" for reference in of for what in ("off the true path [px]", "registered")]
        grids.append(Grid((KINDS[kind].partition(",")[0], *headings), tuple(lines)))
    first = {kind: next(rows for (k, _), rows in gathered.items() if k == kind) for kind in kinds}
    notes = (
        "Root mean square distance from the true path, both less their means; a movie that is refused counts as one "
        "that does not drift.",
        "Running: against the mean of all frames before. Cumulative: against the frame before, the steps added up. "
        "Mean: against the mean of all other frames, round by round.",
        "WCVD mixes the noise of neighbouring frames, so that what it gives should not be registered.",
    )
    notes += tuple(
        f"{KINDS[kind].partition(',')[0]}: no registration frame by frame can be nearer than "
        f"{printed(_bound(rows), 'bound', '.2f')} px, even to a clean image (Cramér-Rao bound)."
        for kind, rows in first.items()
        if any("drift_bound_px" in row.scores for row in rows.values())
    )
    notes += tuple(_left_by_filters(gathered))
    title = f"Figure S12 of {SOURCE}, regenerated at size {found[0]['size']}"
    return Table(title, caption(first), tuple(grids), notes, tuple(data))


def _left_by_filters(gathered: dict[tuple[str, str], dict[str, Row]]) -> Iterator[str]:
    """Whether a filter in space and time leaves more drift than one in the plane, paired over movies; by reading."""
    for reading, (_, mixed) in READINGS.items():
        plane = mixed.replace("3-D, ", "")  # as the rows in the plane are named here
        told = []
        for (kind, reference), rows in gathered.items():
            if plane in rows and mixed in rows:
                more = rows[mixed].scores["drift_error_px"] - rows[plane].scores["drift_error_px"]
                mean, low, high = estimate(more, rows[plane].units)
                low, high = (mean if end is None else end for end in (low, high))
                word = "shows" if low > 0 else "fails" if high < 0 else "open"
                text = printed({"more": mean, "more_low": low, "more_high": high}, "more", "+.2f")
                told.append(f"{kind}, {reference}: {word} ({text} px)")
        if told:
            yield (
                "The paper's Figure S12, a Gaussian filter in space and time leaves drift that one in the plane does "
                f"not, its size 3 read as {reading}: {'; '.join(told)}."
            )


def _bound(rows: dict[str, Row]) -> dict:
    """The bound of the noisy movies, the same whatever they go through."""
    row = next(row for row in rows.values() if "drift_bound_px" in row.scores)
    ends = zip(("", "_low", "_high"), estimate(row.scores["drift_bound_px"], row.units), strict=True)
    return {f"bound{end}": value for end, value in ends}


def _path(figures: dict) -> tuple[str, str]:
    return printed(figures, "drift_error_px", ".2f"), f"{figures['registered']} of {figures['movies']}"
