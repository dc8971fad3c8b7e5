"""Figures 1, 4, 5 and 6 of the Noise2Atom paper: its losses, its need of images, its failures."""

import json
from itertools import pairwise
from pathlib import Path

from stemjax import figures
from stemjax.tables.n2v import estimate, printed
from stemjax.tables.rows import Row, gather
from stemjax.tables.table import Grid, Table

PUBLISHED = json.loads((Path(__file__).parents[1] / "published.json").read_text())["noise2atom"]
SOURCE = "Wang et al. 2020 (Noise2Atom)"
LABEL, CONSTANT, INVERTED = "Noise2Atom", "Constant", -0.2
LEARNT = 0.1  # dB above a constant, from which on something was learnt
SCORES = {  # of a row: name -> heading, format
    "psnr_db": ("PSNR [dB]", ".2f"),
    "fitted_psnr_db": ("PSNR [dB], fitted", ".2f"),
    "ssim": ("SSIM", ".3f"),
    "css": ("CSS", ".3f"),
    "adatom_f1": ("F1 of single atoms", ".3f"),
    "low_pass_correlation": ("Low-pass correlation", ".3f"),
}
CURVES = {  # of a loss curve: name -> heading, format
    "cycle": ("Cycle", ".4f"),
    "low_frequency": ("Low-frequency cycle", ".4f"),
    "distance": ("Critic's distance", ".3f"),
    "penalty": ("Penalty", ".4f"),
    "contrast": ("Low-pass correlation", ".3f"),
}


def noise2atom_figure_1(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """The loss curve, what the stopping rule says of it, and the scores on unseen movies."""
    rows = gather(found, scores)
    (record,) = rows[LABEL].records
    curve, limits = record["learning_curve"], PUBLISHED["stop_when"]
    limit = {"cycle": limits["cycle_loss_below"], "low_frequency": limits["low_frequency_cycle_loss_below"]}
    met = [point["step"] for point in curve if all(point[name] < value for name, value in limit.items())]
    rule = f"cycle below {limit['cycle']:g} and low-frequency cycle below {limit['low_frequency']:g}"
    said = f"first at step {met[0]}" if met else "at no validation of this training"
    lines = tuple((str(p["step"]), *(format(p[name], form) for name, (_, form) in CURVES.items())) for p in curve)
    losses = Grid(("Step", *(heading for heading, _ in CURVES.values())), lines)
    columns, data = ("Unseen movies", *(heading for heading, _ in SCORES.values())), []
    for name, row in rows.items():
        data.append({"method": name} | _figures(row))
    grid = Grid(columns, tuple((figure["method"], *_cells(figure)) for figure in data))
    notes = (
        f"The paper's rule, {rule}, is met {said}.",
        *restarts(found),
        "Losses are means over the steps since the last validation, in units of half the range of the movie.",
        *_notes(found),
    )
    data += [{"step": p["step"]} | {name: round(p[name], 6) for name in CURVES} for p in curve]
    steps = [point["step"] for point in curve]
    series = {CURVES[name][0]: figures.Line(steps, [p[name] for p in curve]) for name in ("cycle", "low_frequency")}
    plots = {"losses": lambda: figures.lines(series, "Step", "Loss", level=("paper's rule for the cycle", 0.05))}
    return _table("Figure 1", rows, (losses, grid), notes, data, plots)


def noise2atom_figure_4(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """One row for every number of training images."""
    published = {int(count): value for count, value in PUBLISHED["figure_4_css_by_training_images"].items()}
    parts = _by(found, scores, "training_images")
    lines, data = [], []
    for count, rows in parts.items():
        for name, row in rows.items():
            label = f"{LABEL}, {count} image{'s' * (count > 1)}" if name == LABEL else name
            nearest = min(published, key=lambda known: abs(known - count))
            paper = str(published[nearest]) if name == LABEL and abs(nearest - count) < 0.1 * nearest else ""
            data.append({"training_images": count, "method": name} | _figures(row) | {"published_css": paper})
            lines.append((label, *_cells(data[-1]), paper))
    bars = {line["method"]: line["psnr_db"] for line in data}
    weak = [line for line in data if line["method"] == LABEL and line["psnr_db"] < bars[CONSTANT] + LEARNT]
    counts = ", ".join(str(line["training_images"]) for line in weak)
    gate = [f"Less than {LEARNT:g} dB above the constant, so nothing was learnt: from {counts} images."] * bool(weak)
    grid = Grid(
        ("Noisy images to learn from", *(heading for heading, _ in SCORES.values()), "CSS, published"), tuple(lines)
    )
    return _table("Figure 4", next(iter(parts.values())), (grid,), (*gate, *_notes(found)), data)


def noise2atom_figure_5(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """One row for every seed on every background, and how many of them are inverted."""
    lines, data, notes, first = [], [], [], None
    for background, rows in _by(found, scores, "background").items():
        first = first or rows
        for name, row in rows.items():
            if name != LABEL:
                data.append({"background": background, "method": name, "seed": ""} | _figures(row))
                lines.append((f"{name}, {background}", *_cells(data[-1]), ""))
        inverted = 0
        for record in rows[LABEL].records:
            values = {name: record["scores"][name] for name in SCORES}
            fails = values["low_pass_correlation"] < INVERTED
            inverted += fails
            texts = (format(values[name], form) for name, (_, form) in SCORES.items())
            lines.append((f"Seed {record['seed']}, {background}", *texts, "inverted" if fails else ""))
            data.append({"background": background, "method": LABEL, "seed": record["seed"]} | values)
        seeds, nothing = len(rows[LABEL].records), rows[CONSTANT].mean("fitted_psnr_db") + LEARNT
        blank = sum(record["scores"]["fitted_psnr_db"] < nothing for record in rows[LABEL].records)
        notes.append(
            f"Background {background}: {inverted} of {seeds} training{'s' * (seeds > 1)} inverted; {blank} learnt "
            f"nothing: a fitted PSNR less than {LEARNT:g} dB above that of the constant."
        )
    notes.append("Trainings are left alone, without the restarts of the preset.")
    notes.append('"Flattened": with the same gradient, and the plane of its background taken from every image first.')
    notes.append(f"The paper: {PUBLISHED['published_failure']}. A few seeds say little of a rate like that.")
    grid = Grid(("Training, background", *(heading for heading, _ in SCORES.values()), "Failure"), tuple(lines))
    return _table("Figures 5 and 6", first, (grid,), (*notes, *_notes(found)), data)


# ---------------------------------------------------------------------------------------------------- parts
def restarts(found: list[dict]) -> list[str]:
    """A note on the generators that trainings have drawn anew, if they have."""
    curves = [record["learning_curve"] for record in found if record["method"] == LABEL]
    when = {b["step"]: None for curve in curves for b, a in pairwise(curve) if a["restarts"] > b["restarts"]}
    said = "The contrast of Noise2Atom was negative on average, so that its generators were drawn anew, after step"
    return [f"{said} {', '.join(map(str, sorted(when)))}."] if when else []


def _by(found: list[dict], scores: dict, condition: str) -> dict[str | int, dict[str, Row]]:
    """Rows for every value of a condition, in the order of the records."""
    values = dict.fromkeys(record["conditions"][condition] for record in found)
    return {v: gather([r for r in found if r["conditions"][condition] == v], scores) for v in values}


def _figures(row: Row) -> dict:
    figures = {}
    for name in SCORES:
        ends = zip(("", "_low", "_high"), estimate(row.scores[name], row.units), strict=True)
        figures |= {f"{name}{end}": "" if value is None else round(value, 6) for end, value in ends}
    return figures | {"records": " ".join(record["id"][:16] for record in row.records)}


def _cells(figures: dict) -> list[str]:
    return [printed(figures, name, form) for name, (_, form) in SCORES.items()]


def _notes(found: list[dict]):
    networks = [record for record in found if record["method"] == LABEL]
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
        "Noise2Atom draws atoms in a range of its own: each frame is given the gain, without its sign, and the offset "
        'that bring it nearest to the noisy one. "Fitted" is after one more gain, not below 0, and offset for each '
        "movie: an inverted one becomes a constant. CSS is of movies scaled to [0, 1]; one that stands still has 1."
    )
    yield (
        "Low-pass correlation: of the noisy and the denoised frame after a Gaussian filter of variance 15 px²; below "
        f"{INVERTED:g} the contrast is inverted."
    )


def _table(figure: str, rows: dict[str, Row], grids, notes, data, plots=None) -> Table:
    row = next(iter(rows.values()))
    record = row.records[0]
    caption = (
        f"Data set {record['data_set']['name']}, recipe {record['data_set']['recipe_hash']}: {len(row.units)} frames "
        f"of {len(set(row.units))} movies that no training saw. Protocol `stem`. Means over movies, with 95 % "
        "intervals where there are enough of them."
    )
    title = f"{figure} of {SOURCE}, regenerated at size {record['size']}"
    return Table(title, caption, grids, notes, tuple(data), plots or {})
