"""Tables of the WCVD paper: movies without a clean reference, and how far uPSNR can be trusted."""

from collections.abc import Iterator

import numpy as np

from stemjax.metrics import bootstrap
from stemjax.tables.n2v import estimate, printed
from stemjax.tables.rows import Row, gather
from stemjax.tables.table import Grid, Table

SOURCE = "Lee et al. (WCID/WCVD)"
KINDS = {"pt": "Pt on CeO2, the kind that networks learnt from", "au": "Au on carbon", "co": "Co on CeO2"}
NOISY, CONSTANT, WCVD = "Noisy", "Constant", "WCVD"
# The two readings of the size (3, 3, 3) of the paper's Gaussian filters, and the rows of each.
SIGMA_3 = {dimensions: f"Gaussian filter, {dimensions}, sigma 3" for dimensions in ("2-D", "3-D")}
WINDOW_3 = {dimensions: f"Gaussian filter, {dimensions}, window 3" for dimensions in ("2-D", "3-D")}
READINGS = {
    "a standard deviation of 3 pixels and frames": tuple(SIGMA_3.values()),
    "a window of 3 pixels and frames": tuple(WINDOW_3.values()),
}


def wcvd_figure_2(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """One grid per kind of movie: every method against the truth, against the noisy frames, and in contrast."""
    parts = {
        kind: gather([r for r in found if r["conditions"]["tested_on"] == kind], scores)
        for kind in KINDS
        if any(r["conditions"]["tested_on"] == kind for r in found)
    }
    data = tuple(
        {"tested_on": kind, "method": name} | _figures(row, rows[NOISY])
        for kind, rows in parts.items()
        for name, row in rows.items()
    )
    columns = ("PSNR [dB]", "gain [dB]", "SSIM", "uPSNR [dB]", "with the truth [dB]", "contrast", "Parameters")
    grids = [
        Grid((KINDS[kind], *columns), tuple(_printed(f) for f in data if f["tested_on"] == kind)) for kind in parts
    ]
    grids += [_trust(kind, rows) for kind, rows in parts.items()]
    title = f"Figures 2 to 4 and S9 to S11 of {SOURCE}, regenerated at size {found[0]['size']}"
    return Table(title, _caption(parts), tuple(grids), tuple(_notes(parts, found)), data)


def _figures(row: Row, noisy: Row) -> dict:
    gain = row.scores["psnr_db"] - noisy.scores["psnr_db"]
    figures = {}
    for name, values in {"psnr_db": row.scores["psnr_db"], "gain_db": gain}.items():
        ends = zip(("", "_low", "_high"), estimate(values, row.units), strict=True)
        figures |= {f"{name}{end}": "" if value is None else round(value, 6) for end, value in ends}
    figures |= {"ssim": round(row.mean("ssim"), 6), "contrast": round(row.mean("contrast"), 6)}
    figures |= {"clean_contrast": round(row.mean("clean_contrast"), 6)}
    estimated, true = upsnr_of_movies(row)
    usable = np.isfinite(estimated)
    if usable.any():
        ends = zip(("", "_low", "_high"), estimate(estimated[usable], np.flatnonzero(usable)), strict=True)
        figures |= {f"upsnr_db{end}": "" if value is None else round(value, 6) for end, value in ends}
    else:
        figures |= {"upsnr_db": "", "upsnr_db_low": "", "upsnr_db_high": ""}
    figures["upsnr_movies"] = int(usable.sum())
    figures["upsnr_from_truth_db"] = round(float(true.mean()), 6)
    facts = {"parameters": row.records[0]["parameters"], "movies": len(set(row.units))}
    return figures | facts | {"records": " ".join(record["id"][:16] for record in row.records)}


def _trust(kind: str, rows: dict[str, Row]) -> Grid:
    """How far uPSNR is from what it estimates, movie by movie, as it should be taken and with frames that were seen."""
    lines = []
    for name, row in rows.items():
        cells = []
        for score in ("umse", "umse_overlap"):
            estimated, true = upsnr_of_movies(row, score)
            off = (estimated - true)[np.isfinite(estimated)]
            cells.append(f"{off.mean():+.2f} ({off.min():+.2f} to {off.max():+.2f})" if len(off) else "none")
        lines.append((name, *cells))
    columns = ("uPSNR less its true value [dB]: mean (movies)", "against the nearest frames, seen or not")
    return Grid((KINDS[kind], *columns), tuple(lines))


def misranked(rows: dict[str, Row]) -> float:
    """The largest true difference [dB] of two methods that uPSNR puts in the wrong order, 0 if there is none.

    On the mean over those movies in which both have an estimate.
    """
    found, wrong = [upsnr_of_movies(row) for row in rows.values()], [0.0]
    for index, (estimated, true) in enumerate(found):
        for other_estimated, other_true in found[index + 1 :]:
            both = np.isfinite(estimated) & np.isfinite(other_estimated)
            if not both.any():
                continue
            told, really = (
                (one - other)[both].mean() for one, other in ((estimated, other_estimated), (true, other_true))
            )
            if told * really < 0:
                wrong.append(abs(really))
    return float(max(wrong))


def upsnr_of_movies(row: Row, score: str = "umse") -> tuple[np.ndarray, np.ndarray]:
    """uPSNR of each movie, and what it would be with the truth [dB]; NaN where it is not defined."""
    mse, peak = (_of_movies(row, name) for name in ("mse", "peak"))
    umse = _of_movies(row, score) if score in row.scores else np.full(len(mse), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        estimated = np.where(umse > 0, 10 * np.log10(peak**2 / umse), np.nan)
        true = 10 * np.log10(peak**2 / mse)
    return estimated, true


def _figure_4(parts: dict[str, dict[str, Row]]) -> Iterator[str]:
    """Whether WCVD has the highest uPSNR, as in the paper, under either reading of the size of its Gaussian filters."""
    for reading, filters in READINGS.items():
        begin = f"The paper's Figure 4, WCVD has the highest uPSNR, its Gaussian filters of size 3 read as {reading}: "
        if all(WCVD in rows and set(filters) <= set(rows) for rows in parts.values()):
            yield begin + "; ".join(f"{kind}, {_highest(rows, filters)}" for kind, rows in parts.items()) + "."
        else:
            yield begin + "untested, as long as these rows are not recorded for every kind."


def _highest(rows: dict[str, Row], filters: tuple[str, ...]) -> str:
    """Whether this kind "shows" or "fails" to show it, or leaves it "open", and which method comes nearest or is ahead.

    Methods of the paper, on the movies in which both have an estimate; with an interval over movies where it has one.
    """
    others = [*filters, "Noise2Void", "UDVD", "WCID", *(name for name in rows if name.startswith("Autoencoder"))]
    own, ahead, none = upsnr_of_movies(rows[WCVD])[0], {}, []
    for name in (name for name in others if name in rows):
        difference = upsnr_of_movies(rows[name])[0] - own
        usable = np.flatnonzero(np.isfinite(difference))
        if len(usable):
            ahead[name] = estimate(difference[usable], usable)
        else:
            none.append(name)
    if not ahead:
        return "untested: no other method has a uPSNR"
    best = max(ahead, key=lambda name: ahead[name][0])
    ends = [(mean if low is None else low, mean if high is None else high) for mean, low, high in ahead.values()]
    word = "fails" if any(low > 0 for low, _ in ends) else "shows" if all(high < 0 for _, high in ends) else "open"
    text = printed(dict(zip(("d", "d_low", "d_high"), ahead[best], strict=True)), "d", "+.2f")
    return f"{word} ({best} {text} dB from it" + f"; no uPSNR of {', '.join(none)}" * bool(none) + ")"


def _of_movies(row: Row, name: str) -> np.ndarray:
    return np.array(list(bootstrap.unit_means(row.scores[name], row.units).values()))


def _printed(figures: dict) -> tuple[str, ...]:
    upsnr = printed(figures, "upsnr_db", ".2f") or "none"
    if figures["upsnr_db"] != "" and figures["upsnr_movies"] < figures["movies"]:
        upsnr += f" ({figures['upsnr_movies']} of {figures['movies']} movies)"
    gain = "" if figures["method"] == NOISY else printed(figures, "gain_db", "+.2f")
    return (
        figures["method"],
        printed(figures, "psnr_db", ".2f"),
        gain,
        f"{figures['ssim']:.3f}",
        upsnr,
        f"{figures['upsnr_from_truth_db']:.2f}",
        f"{figures['contrast']:.3f}",
        f"{figures['parameters']:,}" if figures["parameters"] else "",
    )


def _caption(parts: dict[str, dict[str, Row]]) -> str:
    said = []
    for kind, rows in parts.items():
        row = next(iter(rows.values()))
        record, movies = row.records[0], len(set(row.units))
        said.append(
            f"{kind}: data set {record['data_set']['name']}, recipe {record['data_set']['recipe_hash']}, "
            f"{len(row.units)} frames of {movies} movies that no method saw."
        )
    few = any(len(set(next(iter(rows.values())).units)) < bootstrap.FEWEST_UNITS for rows in parts.values())
    return (
        "\n\n".join(said)
        + "\n\nProtocol `movie`: every frame by itself, its data range the maximum minus the minimum of its clean "
        "movie. Means over movies" + ("; fewer than 10: no intervals." if few else " with 95 % intervals.")
    )


def _notes(parts: dict[str, dict[str, Row]], found: list[dict]):
    for kind, rows in parts.items():
        bars = {name: rows[name].mean("psnr_db") for name in (NOISY, CONSTANT)}
        below = [
            name
            for name, row in rows.items()
            if row.records[0]["seed"] is not None and row.mean("psnr_db") <= max(bars.values())
        ]
        if below:
            yield f"{kind}: {'; '.join(below)} not above {max(bars, key=bars.get)}: they fail the gate there."
        apart = misranked(rows)
        yield (
            f"{kind}: two methods {apart:.2f} dB apart stand in the wrong order by their mean uPSNR; it does not rank "
            "what is nearer than that."
            if apart
            else f"{kind}: no two methods stand in the wrong order by their mean uPSNR."
        )
        yield f"{kind}: the contrast of the clean movies is {rows[NOISY].mean('clean_contrast'):.3f}; noise adds to it."
    yield from _figure_4(parts)
    if any(name in rows for rows in parts.values() for name in WINDOW_3.values()):
        yield (
            "Gaussian filter, window 3: 3 taps along every axis, with a standard deviation of 0.8, by OpenCV's formula "
            "for a window alone."
        )
    yield (
        "uPSNR holds a denoised frame against noisy ones that its method did not see, and has the largest reading of "
        'the noisy movie for its peak; "with the truth" is the same from the clean movie. A movie has none '
        "where the method sees so many frames that no three are left, or where the estimate of the error is not above "
        "0. Motion makes uPSNR too high where noisy frames before and after are left to compare with, and too low "
        "where the method sees so many that only those of one side are, far away."
    )
    chosen = {
        f"{r['conditions']['tested_on']}, {r['method'].removesuffix(', tuned')}: {field} {tried['chosen']:.3g}"
        f"{' (at an end of the values tried)' * bool(tried.get('at_an_end'))}": None
        for r in found
        for field, tried in (r["tuning"] or {}).items()
    }
    if chosen:
        yield f"Tuned for PSNR on validation movies of the kind they are tested on: {'; '.join(chosen)}."
    yield (
        "The paper does not say which frames it takes for uPSNR. Against frames that a method has seen, one that "
        "copies its neighbours gains what the last tables show."
    )
    yield "Networks are narrower than the paper's where they have fewer parameters; UDVD of full width is not run."


# ---------------------------------------------------------------------------------------------------- other experiments
def wcvd_sweep(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """PSNR by layers and features of the subnets."""
    rows = gather(found, scores)
    data = tuple(_swept(row) for row in rows.values())
    columns = ("Pt on CeO2, unseen", "Parameters", "PSNR [dB]", "SSIM", "subnets drawn again")
    lines = tuple(
        (
            _subnets(figures),
            f"{figures['parameters']:,}" if figures["parameters"] else "",
            printed(figures, "psnr_db", ".2f"),
            f"{figures['ssim']:.3f}",
            format(figures["redrawn"], "" if figures["redrawn"] == "" else ".0f"),
        )
        for figures in data
    )
    notes = (
        "Without the low-pass filter. One seed each: it does not show the spread of trainings.",
        "Subnets that gave 0 everywhere, at the beginning or in the first half of the training, are drawn again.",
    )
    title = f"Layers and features of WCVD, {SOURCE}, at size {found[0]['size']}"
    return Table(title, _caption({"pt": rows}), (Grid(columns, lines),), notes, data)


def _subnets(figures: dict) -> str:
    """What a row is of: "1 layer of 3 features"."""
    if "layers" not in figures:
        return figures["method"]
    layers, features = figures["layers"], figures["features"]
    return f"{layers} layer{'s' * (layers > 1)} of {features} feature{'s' * (features > 1)}"


def _swept(row: Row) -> dict:
    record = row.records[0]
    ends = zip(("", "_low", "_high"), estimate(row.scores["psnr_db"], row.units), strict=True)
    figures = {f"psnr_db{end}": "" if value is None else round(value, 6) for end, value in ends}
    redrawn = record["learning_curve"][-1].get("redrawn", "") if record["learning_curve"] else ""
    facts = {"parameters": record["parameters"], "ssim": round(row.mean("ssim"), 6), "redrawn": redrawn}
    return {"method": row.method} | record["conditions"] | facts | figures | {"records": record["id"][:16]}


def wcvd_figure_s3(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """PSNR of each kernel without and with the low-pass filters."""
    parts: dict[float, list[dict]] = {}
    for record in found:
        parts.setdefault(record["conditions"].get("low_pass_divisor", -1), []).append(record)
    gathered = {divisor: gather(part, scores) for divisor, part in parts.items()}
    divisors = sorted(divisor for divisor in gathered if divisor >= 0)
    names = list(gathered[divisors[0]])
    data = tuple(
        _swept(row) | {"low_pass_divisor": "" if divisor < 0 else divisor}
        for divisor, rows in sorted(gathered.items())
        for row in rows.values()
    )
    by = {(line["method"], line["low_pass_divisor"]): line for line in data}
    lines = [
        (name, printed(by[name, ""], "psnr_db", ".2f"), *[""] * (len(divisors) - 1)) for name in gathered.get(-1, {})
    ]
    lines += [(name, *(printed(by[name, divisor], "psnr_db", ".2f") for divisor in divisors)) for name in names]
    columns = tuple("no low-pass" if not divisor else f"divisor {divisor:g}" for divisor in divisors)
    notes = (
        "PSNR [dB]. A low-pass filter of divisor d keeps frequencies up to 1 / (2 d) cycles per pixel.",
        "One seed each: it does not show the spread of trainings.",
    )
    title = f"Figure S3 of {SOURCE}, regenerated at size {found[0]['size']}"
    grid = Grid(("Pt on CeO2, unseen", *columns), tuple(lines))
    return Table(title, _caption({"pt": gathered[divisors[0]]}), (grid,), notes, data)


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
    title = f"Figure S12 of {SOURCE}, regenerated at size {found[0]['size']}"
    return Table(title, _caption(first), tuple(grids), notes, tuple(data))


def _bound(rows: dict[str, Row]) -> dict:
    """The bound of the noisy movies, the same whatever they go through."""
    row = next(row for row in rows.values() if "drift_bound_px" in row.scores)
    ends = zip(("", "_low", "_high"), estimate(row.scores["drift_bound_px"], row.units), strict=True)
    return {f"bound{end}": value for end, value in ends}


def _path(figures: dict) -> tuple[str, str]:
    return printed(figures, "drift_error_px", ".2f"), f"{figures['registered']} of {figures['movies']}"
