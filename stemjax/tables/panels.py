"""Figures A.1, A.2, A.4 and A.5 of the SBD paper: the figures behind panels that come straight from the simulation."""

from stemjax import figures
from stemjax.tables.table import Grid, Table

REVERSAL = "Figure A.1"  # over the defocus
PRINTED = {
    "minimum_counts": ("Minimum [counts]", ".2f"),
    "maximum_counts": ("Maximum [counts]", ".2f"),
    "mean_counts": ("Mean [counts]", ".3f"),
    "contrast": ("Contrast", ".3f"),
    "ncc_pt": ("r (Pt)", "+.2f"),
    "ncc_ce": ("r (Ce)", "+.2f"),
}


def sbd_figures_a(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """One row per panel, in the order of the figures."""
    order = sorted(found, key=lambda record: record["method"])
    data = tuple(
        {"figure": record["method"], "panel": row["label"], "image": row["image"]}
        | {name: row[name] for name in PRINTED}
        | {"record": record["id"][:16]}
        for record in order
        for row in scores[record["id"]]
    )
    rows = tuple(
        (
            f"{row['figure']}: {row['panel']}",
            row["image"],
            *(format(row[name], form) for name, (_, form) in PRINTED.items()),
        )
        for row in data
    )
    columns = ("Panel", "Image", *(heading for heading, _ in PRINTED.values()))
    imaging = found[0]["imaging"]
    caption = (
        f"Clean images, pixels of {imaging['sampling']:g} Å, {imaging['counts']:g} electrons per pixel of vacuum; "
        "no denoiser has a part in them."
    )
    notes = (
        "r: normalised correlation with a map of the Pt (Ce) columns, the rule by which the images are called black "
        "(r of Pt below 0.20), white (r of Pt above 0.80 and of Ce above 0.88) or intermediate.",
        "Contrast: standard deviation over mean, around the particle. Minimum, maximum, mean: of the whole image.",
    )
    plots = {}
    if reversal := [scores[record["id"]] for record in found if record["method"] == REVERSAL]:
        plots["reversal"] = lambda: _reversal(reversal[0])
    return Table(
        "Figures A.1, A.2, A.4 and A.5 of Mohan et al., regenerated at size " + found[0]["size"],
        caption,
        (Grid(columns, rows),),
        notes,
        data,
        plots,
    )


def _reversal(rows: list[dict]) -> bytes:
    """Correlation with the columns over the defocus: contrast reverses where it changes sign."""
    defocus = [float(row["label"].split()[0]) for row in rows]
    series = {
        species: figures.Line(defocus, [row[name] for row in rows])
        for species, name in (("Pt columns", "ncc_pt"), ("Ce columns", "ncc_ce"))
    }
    return figures.lines(series, "Defocus [nm]", "Correlation with the columns", level=("contrast reverses", 0.0))
