"""Figures 1, 4, 5 and 6 of the Noise2Atom paper: its losses, its need of images, its failures."""

import json
from collections.abc import Iterator
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
# Weights of the cycle and of the low-frequency cycle in records from before the correction to those of the paper; they
# have neither the weights in their configuration nor a condition `cycles`.
FORMERLY = "5 : 1"
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
    """One row for every seed on every background and with both weights of the cycles, and how many of them failed."""
    lines, data, ended, first = [], [], {}, None
    for background in dict.fromkeys(record["conditions"]["background"] for record in found):
        chosen = [record for record in found if record["conditions"]["background"] == background]
        for cycles in dict.fromkeys(map(cycles_of, chosen)):
            rows = gather([record for record in chosen if cycles_of(record) == cycles], scores)
            first = first or rows
            for name, row in rows.items():
                line = (f"{name}, {background}", "", *_cells(_figures(row)), "")
                if name != LABEL and line not in lines:  # the same frames: no training is in these rows
                    lines.append(line)
                    data.append({"background": background, "cycles": "", "method": name, "seed": ""} | _figures(row))
            nothing = rows[CONSTANT].mean("fitted_psnr_db") + LEARNT
            for record in rows[LABEL].records:
                values = {name: record["scores"][name] for name in SCORES}
                fails = values["low_pass_correlation"] < INVERTED
                ended.setdefault((background, cycles), []).append((fails, values["fitted_psnr_db"] < nothing))
                texts = (format(values[name], form) for name, (_, form) in SCORES.items())
                lines.append((f"Seed {record['seed']}, {background}", cycles, *texts, "inverted" if fails else ""))
                of = {"background": background, "cycles": cycles, "method": LABEL, "seed": record["seed"]}
                data.append(of | values)
    notes = _with_each_weight(ended, found)
    notes += [f"Background {background}, cycles {cycles}: {_ended(of)}." for (background, cycles), of in ended.items()]
    notes.append(f"Learnt nothing: a fitted PSNR less than {LEARNT:g} dB above that of the constant.")
    notes.append("Trainings are left alone, without the restarts of the preset.")
    notes.append('"Flattened": with the same gradient, and the plane of its background taken from every image first.')
    notes.append(f"The paper: {PUBLISHED['published_failure']}. A few seeds say little of a rate like that.")
    headings = ("Training, background", "Cycles", *(heading for heading, _ in SCORES.values()), "Failure")
    notes += _notes(found, says_weights=False)
    return _table("Figures 5 and 6", first, (Grid(headings, tuple(lines)),), tuple(notes), data)


def cycles_of(record: dict) -> str:
    """Weights of the cycle and the low-frequency cycle with which a record of Figure 5 was made."""
    return record["conditions"].get("cycles", FORMERLY)


def _ended(trainings: list[tuple[bool, bool]]) -> str:
    """How trainings ended, each (inverted, learnt nothing), in words."""
    count, (inverted, blank) = len(trainings), map(sum, zip(*trainings, strict=True))
    return f"{inverted} of {count} training{'s' * (count > 1)} inverted, {blank} learnt nothing"


def _with_each_weight(ended: dict[tuple[str, str], list], found: list[dict]) -> list[str]:
    """How the trainings ended with each weight of the cycles, all backgrounds together."""
    together: dict[str, list] = {}
    for (_, cycles), trainings in ended.items():
        together.setdefault(cycles, []).extend(trainings)
    if list(together) == [FORMERLY]:
        return older_weights(found)
    said = "; ".join(f"with {cycles} {_ended(trainings)}" for cycles, trainings in together.items())
    before = f"; they stood {FORMERLY} before a correction" * (FORMERLY in together)
    return [
        f"Cycles: weights of the cycle and of the low-frequency cycle. The paper weighs them alike{before}. On all "
        f"backgrounds together: {said}."
    ]


# ---------------------------------------------------------------------------------------------------- parts
def older_weights(found: list[dict]) -> list[str]:
    """A note on records of Noise2Atom from before the weights of its cycles were those of the paper, if there are."""
    networks = [record for record in found if record["method"] == LABEL]
    older = [record for record in networks if "adversarial" not in record["denoiser"]]
    some = f", in {len(older)} of {len(networks)} records," * (len(older) < len(networks))
    text = (
        f"{LABEL}{some} was trained before a correction: the cycle weighed five times as much as the low-frequency "
        "cycle; the paper weighs them alike. To be recorded anew."
    )
    return [text] * bool(older)


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


def _notes(found: list[dict], says_weights: bool = True) -> Iterator[str]:
    if says_weights:
        yield from older_weights(found)
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
