"""Tables of the papers of Wang et al. on very noisy HAADF movies: against the truth, in likeness, in atoms."""

from collections.abc import Iterable

from stemjax.metrics import bootstrap
from stemjax.tables.autoencoder import PUBLISHED, channels_of
from stemjax.tables.n2v import estimate, printed
from stemjax.tables.noise2atom import older_weights, restarts
from stemjax.tables.rows import Row, gather, ranks
from stemjax.tables.table import Grid, Table

PAPERS = {"noise2atom": "Wang et al. 2020 (Noise2Atom)", "autoencoder": "Wang et al. 2021 (autoencoder)"}
FILMS = {"film-20nm": "20 nm of carbon, as in training", "film-50nm": "50 nm of carbon"}
THICK = "film-50nm"
BARS = ("Noisy", "Constant")
GAUSSIAN = "Gaussian filter, tuned"
SWEPT = "Bottleneck of "  # rows of Figure 3 of the autoencoder, named by their channels
ATOMS = {"adatom_precision": "precision", "adatom_recall": "recall", "adatom_f1": "F1"}
NEAR, FAR = "recall_near", "recall_far"


# ---------------------------------------------------------------------------------------------------- the tables
def noise2atom_figure_3(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Every method on both films."""
    notes = (
        "VGG19 as an encoder and PPN2V, which the papers also tried, are not run: they need weights or a model of the "
        "noise that are not given.",
        "PGURE-SVT has each movie for itself and estimates its noise from it; the filters are tuned on validation "
        "movies of the same film (of 20 nm at size smoke); the networks learnt from 20 nm alone.",
    )
    return _table("Figure 3", "noise2atom", found, scores, "film", FILMS, notes)


def autoencoder_figure_3(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """The autoencoder by the channels of its bottleneck."""
    notes = (
        "The paper, in pictures: more channels converge faster and draw finer detail.",
        "Trained alike, one seed each. The learning curves are in the records: validation over crops seen, in the "
        "place of the paper's epochs.",
        "From which response on a maximum is an atom is decided on validation movies of the same film.",
    )
    return _table("Figure 3", "autoencoder", found, scores, "film", FILMS, notes)


def autoencoder_figure_7(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """The autoencoder by the size of the crops that it learns from, on a lattice and on atoms."""
    scenes = {"lattice": "Distorted lattice", "atoms": "Atoms and clusters, 20 nm of carbon"}
    notes = (
        "As many pixels are seen in every training, so that larger crops come in smaller batches.",
        "The paper, in pictures: the long range of a lattice wants large crops, neighbouring atoms want small ones.",
    )
    return _table("Figures 7 and 8", "autoencoder", found, scores, "scene", scenes, notes)


def autoencoder_figure_9(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Single atoms beside clusters and far from them."""
    notes = (
        "Near: the recall of single atoms 2.5 to 6 Å from the next column of a cluster; far: of those 10 Å or "
        "more from it. Frames without such atoms are left out of either.",
    )
    return _table("Figures 9 and 10", "autoencoder", found, scores, "film", FILMS, notes)


# ---------------------------------------------------------------------------------------------------- shared
def _table(
    figure: str,
    paper: str,
    found: list[dict],
    scores: dict[str, list[dict]],
    condition: str,
    parts: dict[str, str],
    notes: Iterable[str],
) -> Table:
    """One grid per value of a condition."""
    gathered = {
        value: gather(chosen, scores)
        for value in parts
        if (chosen := [record for record in found if record["conditions"][condition] == value])
    }
    data = tuple({condition: value} | _figures(row, rows) for value, rows in gathered.items() for row in rows.values())
    grids = tuple(
        _grid(parts[value], rows, [line for line in data if line[condition] == value])
        for value, rows in gathered.items()
    )
    verdicts = [text for value, rows in gathered.items() for text in _verdicts(parts[value], rows)]
    title = f"{figure} of {PAPERS[paper]}, regenerated at size {found[0]['size']}"
    every = (*verdicts, *notes, *_common(found, gathered))
    return Table(title, _caption(parts, gathered), grids, every, data)


def _figures(row: Row, rows: dict[str, Row]) -> dict:
    figures = {}
    values = {"psnr_db": row.psnr_db.mean(0)}
    if row.method != GAUSSIAN and GAUSSIAN in rows:
        values["ahead_db"] = row.psnr_db.mean(0) - rows[GAUSSIAN].psnr_db.mean(0)
    if "adatom_f1" in row.scores:
        values["adatom_f1"] = row.scores["adatom_f1"]
    for name, of_images in values.items():
        ends = zip(("", "_low", "_high"), estimate(of_images, row.units), strict=True)
        figures |= {f"{name}{end}": "" if value is None else round(value, 6) for end, value in ends}
    for name in ("fitted_psnr_db", "ssim", "css", "adatom_precision", "adatom_recall"):
        if name in row.scores:
            figures[name] = round(row.mean(name), 6)
    for name in (NEAR, FAR):
        if f"{name}_count" in row.scores:
            count = row.scores[f"{name}_count"]
            figures[name] = round(float((row.scores[name] * count).sum() / max(count.sum(), 1)), 6)
            figures[f"{name}_atoms"] = int(count.sum())
    facts = {"parameters": row.records[0]["parameters"], "movies": len(set(row.units))}
    return {"method": row.method} | figures | facts | {"records": " ".join(r["id"][:16] for r in row.records)}


def _grid(heading: str, rows: dict[str, Row], chosen: list[dict]) -> Grid:
    """PSNR and what the records have beside it."""
    placed = ranks(rows)
    ahead, lines = any("ahead_db" in line for line in chosen), []
    columns = [heading, "PSNR [dB]", *["better than the Gaussian by [dB]"] * ahead, "Rank (tied)", "SSIM"]
    optional = {
        "fitted_psnr_db": "PSNR, fitted [dB]",
        "css": "CSS",
        "adatom_precision": "Atoms: precision",
        "adatom_recall": "recall",
        "adatom_f1": "F1",
    }
    optional |= {NEAR: "Recall near clusters", FAR: "far from them"}
    present = [name for name in optional if any(name in line for line in chosen)]
    for line in chosen:
        place = "" if placed is None else "{} {}".format(*placed[line["method"]])
        cells = [_label(rows[line["method"]]), printed(line, "psnr_db", ".2f")]
        cells += [*[printed(line, "ahead_db", "+.2f")] * ahead, place, f"{line['ssim']:.3f}"]
        for name in present:
            cells.append(printed(line, name, ".2f") if name in line else "")
        lines.append((*cells, f"{line['parameters']:,}" if line["parameters"] else ""))
    return Grid((*columns, *(optional[name] for name in present), "Parameters"), tuple(lines))


def _label(row: Row) -> str:
    """The method, and of an autoencoder the channels of its bottleneck where they are not its name."""
    channels = channels_of(row.records[0])
    return row.method if channels is None or row.method.startswith(SWEPT) else f"{row.method}, {channels} channels"


def _verdicts(name: str, rows: dict[str, Row]) -> list[str]:
    """Which networks do not pass the gate: better than the noisy frames and than their means."""
    bars = [rows[bar] for bar in BARS if bar in rows]
    failing = []
    for row in rows.values():
        by = row.mean("psnr_db") - max(bar.mean("psnr_db") for bar in bars)
        if row.records[0]["seed"] is None or by > 0:
            continue
        text = f"{row.method} ({by:+.2f} dB"
        if "fitted_psnr_db" in row.scores:
            fitted = row.mean("fitted_psnr_db") - max(bar.mean("fitted_psnr_db") for bar in bars)
            text += f", {fitted:+.2f} dB fitted"
        failing.append(f"{text})")
    return [f"{name}: not above both Noisy and Constant, so they fail the gate: {', '.join(failing)}."] * bool(failing)


def _caption(parts: dict[str, str], gathered: dict[str, dict[str, Row]]) -> str:
    said = []
    for value, rows in gathered.items():
        row = next(iter(rows.values()))
        data, movies = row.records[0]["data_set"], len(set(row.units))
        said.append(
            f"{parts[value]}: data set {data['name']}, recipe {data['recipe_hash']}, {len(row.units)} frames of "
            f"{movies} movies that no network saw."
        )
    few = any(len(set(next(iter(rows.values())).units)) < bootstrap.FEWEST_UNITS for rows in gathered.values())
    return "\n\n".join(said) + (
        "\n\nProtocol `stem`: unclamped, data range the maximum minus the minimum of the clean frame. Means over movies"
        + ("; fewer than 10: neither intervals nor ranks." if few else " with 95 % intervals.")
    )


MEDIAN = (
    "Autoencoder: with a squared error in the place of the paper's absolute one, unless its row says otherwise. The "
    "absolute one asks for the median, which is 0 where most counts are 0, and draws black."
)
SIZES = {  # of the networks of size gpu
    "Autoencoder": "7,421,587 parameters and 17,977 in the heads at coarser resolutions",
    "Noise2Atom": "13,780,111 parameters in each generator",
}


def _common(found: list[dict], gathered: dict[str, dict[str, Row]]) -> list[str]:
    rows = [row for part in gathered.values() for row in part.values()]
    notes = older_weights(found)
    notes += [MEDIAN] * any(row.method.startswith(("Autoencoder", SWEPT)) for row in rows)
    standard, paper = [r for r in found if not r["method"].startswith(SWEPT)], PUBLISHED["bottleneck_channels"]
    if narrow := {channels_of(record) for record in standard} - {None, paper["default"]}:
        channels = " or ".join(map(str, sorted(narrow)))
        notes.append(
            f"Autoencoder with {channels} channels at its bottleneck: the paper has {paper['default']} by default. "
            "To be recorded anew."
        )
    notes += [f"{name} at full size: {SIZES[name]}." for name in SIZES if any(row.method == name for row in rows)]
    notes += restarts(found)
    if any("css" in row.scores for row in rows):
        notes.append(
            "CSS is the likeness of neighbouring frames, each movie scaled to [0, 1] by its own extremes: 1 for one "
            "that stands still, so that alone it says nothing. The constant has a mean of its own for each frame."
        )
    if any("fitted_psnr_db" in row.scores for row in rows):
        notes.append(
            "Fitted: after one gain, not below 0, and one offset for each movie that bring it nearest to the noisy "
            "frames; for methods whose range is not that of the counts."
        )
    if any("adatom_f1" in row.scores for row in rows):
        notes.append(
            "Atoms: single Pt atoms 2 Å or more inside the frame, found within 1 Å as maxima of the Laplacian of "
            "Gaussian above the threshold with the best F1 on validation movies, for every method its own; what lies "
            "within 2.5 Å of a cluster's column is not counted. PSNR is ruled by the clusters, which are brightest."
        )
    crops = {r["learning_curve"][-1]["crops"] for r in found if r["learning_curve"]}
    if crops:
        seen = " to ".join(f"{count:,}" for count in sorted({min(crops), max(crops)}))
        notes.append(f"The networks saw {seen} crops; one seed each: it does not show the spread of trainings.")
    chosen = {
        f"{record['method'].removesuffix(', tuned')}{' on 50 nm' * (record['conditions'].get('film') == THICK)}, "
        f"{field} {tried['chosen']:.3g}{' (at an end of the values tried)' * bool(tried.get('at_an_end'))}": None
        for record in found
        for field, tried in (record["tuning"] or {}).items()
        if field != "threshold"
    }
    if chosen:
        notes.append(f"Tuned for PSNR on validation movies: {'; '.join(chosen)}.")
    return notes
