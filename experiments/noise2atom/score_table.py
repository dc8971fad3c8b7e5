"""Tables of Noise2Atom alone, with all its scores: Figures 1, 4 and 5."""

from collections.abc import Iterator

from experiments.noise2atom import LABEL, SOURCE
from experiments.very_noisy import older_weights
from stemjax.tables import wording
from stemjax.tables.rows import Row
from stemjax.tables.table import Table
from stemjax.tables.wording import printed

INVERTED = -0.2  # low-pass correlation, below which the contrast is inverted
LEARNT = 0.1  # dB above a constant, from which on something was learnt
SCORES = {  # of a row: name -> heading, format
    "psnr_db": ("PSNR [dB]", ".2f"),
    "fitted_psnr_db": ("PSNR [dB], fitted", ".2f"),
    "ssim": ("SSIM", ".3f"),
    "css": ("CSS", ".3f"),
    "adatom_f1": ("F1 of single atoms", ".3f"),
    "low_pass_correlation": ("Low-pass correlation", ".3f"),
}


def figures_of(row: Row) -> dict:
    """Every score of a row with its interval, by name."""
    figures = {}
    for name in SCORES:
        figures |= wording.estimated(name, row.scores[name], row.units)
    return figures | {"records": wording.record_ids(row.records)}


def cells(figures: dict) -> list[str]:
    """The scores of a row, printed."""
    return [printed(figures, name, form) for name, (_, form) in SCORES.items()]


def notes_of(records: list[dict], says_weights: bool = True) -> Iterator[str]:
    """How the networks were trained, and what their scores mean."""
    if says_weights:
        yield from older_weights(records)
    networks = [record for record in records if record["method"] == LABEL]
    last = [record["learning_curve"][-1] for record in networks]
    steps = sorted({point["step"] for point in last})
    batches = sorted({round(point["crops"] / point["step"]) for point in last})
    sizes = sorted({record["parameters"] for record in networks})
    yield (
        f"Generators of {' and '.join(f'{count:,}' for count in sizes)} parameters (the paper's has 13,780,111), "
        f"trained for {' or '.join(f'{count:,}' for count in steps)} steps of {' or '.join(map(str, batches))} crops "
        "(the paper: 65,536 steps of 6)."
    )
    yield (
        "The output of Noise2Atom has a range of its own. Each frame is scaled and shifted so that it comes nearest "
        'to the noisy one; an inverted frame stays inverted. "Fitted": after one more gain (0 or more) and offset per '
        "movie, so that an inverted movie becomes a constant. CSS: of movies scaled to [0, 1]; frames that do not "
        "differ have 1."
    )
    yield (
        "Low-pass correlation: of the noisy and the denoised frame after a Gaussian filter of variance 15 px²; below "
        f"{INVERTED:g} the contrast is inverted."
    )


def score_table(figure: str, rows: dict[str, Row], grids, notes, data, plots=None) -> Table:
    """A table of grids made of such rows."""
    row = next(iter(rows.values()))
    record = row.records[0]
    caption = (
        f"{wording.data_set(record)}: {len(row.units)} frames "
        f"of {len(set(row.units))} movies that no training saw. Protocol `stem`. Means over movies, with 95 % "
        "intervals where there are enough of them."
    )
    title = wording.title(figure, SOURCE, [record])
    return Table(title, caption, grids, notes, tuple(data), plots or {})
