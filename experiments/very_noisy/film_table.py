"""Tables of methods on both films: against the truth, in likeness, in atoms."""

from collections.abc import Iterable

from experiments.very_noisy import channels_of, older_weights, restarts
from stemjax.tables import wording
from stemjax.tables.published import PAPERS
from stemjax.tables.rows import Row, gather, ranks
from stemjax.tables.table import Grid, Table
from stemjax.tables.wording import printed

BARS = ("Noisy", "Constant")
GAUSSIAN = "Gaussian filter, tuned"
SWEPT = "Bottleneck of "  # rows of Figure 3 of the autoencoder, named by their channels
THICK = "film-50nm"
NEAR, FAR = "recall_near", "recall_far"
MEDIAN = (
    "Autoencoder: trained on the squared error, unless its row says otherwise. The paper's absolute error is least at "
    "the median of the counts, which is 0 where most of them are 0: the output is black."
)
SIZES = {  # of the networks of size gpu
    "Autoencoder": "7,421,587 parameters and 17,977 in the heads at coarser resolutions",
    "Noise2Atom": "13,780,111 parameters in each generator",
}


def film_table(
    figure: str,
    source: str,
    records: list[dict],
    scores: dict[str, list[dict]],
    condition: str,
    parts: dict[str, str],
    notes: Iterable[str],
) -> Table:
    """One grid per value of a condition."""
    gathered = {
        value: gather(chosen, scores)
        for value in parts
        if (chosen := [record for record in records if record["conditions"][condition] == value])
    }
    data = tuple({condition: value} | _figures(row, rows) for value, rows in gathered.items() for row in rows.values())
    grids = tuple(
        _grid(parts[value], rows, [line for line in data if line[condition] == value])
        for value, rows in gathered.items()
    )
    verdicts = [text for value, rows in gathered.items() for text in _verdicts(parts[value], rows)]
    title = wording.title(figure, source, records)
    every = (*verdicts, *notes, *_common(records, gathered))
    return Table(title, _caption(parts, gathered), grids, every, data)


def _figures(row: Row, rows: dict[str, Row]) -> dict:
    figures = {}
    values = {"psnr_db": row.psnr_db.mean(0)}
    if row.method != GAUSSIAN and GAUSSIAN in rows:
        values["ahead_db"] = row.psnr_db.mean(0) - rows[GAUSSIAN].psnr_db.mean(0)
    if "adatom_f1" in row.scores:
        values["adatom_f1"] = row.scores["adatom_f1"]
    for name, of_images in values.items():
        figures |= wording.estimated(name, of_images, row.units)
    for name in ("fitted_psnr_db", "ssim", "css", "adatom_precision", "adatom_recall"):
        if name in row.scores:
            figures[name] = round(row.mean(name), 6)
    for name in (NEAR, FAR):
        if f"{name}_count" in row.scores:
            count = row.scores[f"{name}_count"]
            figures[name] = round(float((row.scores[name] * count).sum() / max(count.sum(), 1)), 6)
            figures[f"{name}_atoms"] = int(count.sum())
    facts = {"parameters": row.records[0]["parameters"], "movies": len(set(row.units))}
    return {"method": row.method} | figures | facts | {"records": wording.record_ids(row.records)}


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
        lines.append((*cells, wording.count(line["parameters"])))
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
    return [f"{name}: not better than both Noisy and Constant, so they fail the gate: {', '.join(failing)}."] * bool(
        failing
    )


def _caption(parts: dict[str, str], gathered: dict[str, dict[str, Row]]) -> str:
    sentences = []
    for value, rows in gathered.items():
        row = next(iter(rows.values()))
        movies = len(set(row.units))
        sentences.append(
            f"{parts[value]}: {wording.data_set(row.records[0], 'data set')}, {len(row.units)} frames of "
            f"{movies} movies that no network saw."
        )
    few = any(wording.too_few(next(iter(rows.values())).units) for rows in gathered.values())
    return "\n\n".join(sentences) + (
        "\n\nProtocol `stem`: unclamped, data range the maximum minus the minimum of the clean frame. "
        + wording.means_over("movies", few, ": neither intervals nor ranks.")
    )


def _common(records: list[dict], gathered: dict[str, dict[str, Row]]) -> list[str]:
    rows = [row for part in gathered.values() for row in part.values()]
    notes = older_weights(records)
    notes += [MEDIAN] * any(row.method.startswith(("Autoencoder", SWEPT)) for row in rows)
    standard = [record for record in records if not record["method"].startswith(SWEPT)]
    paper = PAPERS["autoencoder"]["bottleneck_channels"]
    if narrow := {channels_of(record) for record in standard} - {None, paper["default"]}:
        channels = " or ".join(map(str, sorted(narrow)))
        notes.append(
            f"Autoencoder with {channels} channels at its bottleneck: the paper has {paper['default']} by default. "
            "To be recorded anew."
        )
    notes += [f"{name} at full size: {SIZES[name]}." for name in SIZES if any(row.method == name for row in rows)]
    notes += restarts(records)
    if any("css" in row.scores for row in rows):
        notes.append(
            "CSS: how alike neighbouring frames are, each movie scaled to [0, 1] by its own extremes. Frames that do "
            "not differ have 1, so that CSS alone says nothing about quality. The constant differs from frame to frame."
        )
    if any("fitted_psnr_db" in row.scores for row in rows):
        notes.append(
            "Fitted: scored after one gain (0 or more) and one offset per movie, those that bring it nearest to the "
            "noisy frames. This is for methods whose range is not that of the counts."
        )
    if any("adatom_f1" in row.scores for row in rows):
        notes.append(
            "Atoms: single Pt atoms at least 2 Å inside the frame. They are searched for as maxima of the Laplacian of "
            "Gaussian above a threshold, which for every method is the one of the best F1 on validation movies, and "
            "matched within 1 Å. Maxima within 2.5 Å of a cluster's column are left out. PSNR depends mostly on the "
            "clusters, which are brightest."
        )
    if crops := wording.crops_seen(records):
        notes.append(
            f"The networks saw {wording.span(crops)} crops; one seed each, so the spread between trainings is unknown."
        )
    chosen = {
        f"{record['method'].removesuffix(', tuned')}{' on 50 nm' * (record['conditions'].get('film') == THICK)}, "
        f"{field} {wording.chosen(tried)}": None
        for record in records
        for field, tried in (record["tuning"] or {}).items()
        if field != "threshold"
    }
    if chosen:
        notes.append(f"Tuned for PSNR on validation movies: {'; '.join(chosen)}.")
    return notes
