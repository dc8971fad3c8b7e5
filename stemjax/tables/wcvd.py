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
# The PSNR after one gain and offset per movie: its column, where the records of a table have it, and what it is.
FITTED = "PSNR, fitted [dB]"
FITTED_NOTE = (
    "Fitted: after the one gain and offset of each movie that bring it nearest to the noisy frames; a wrong level or "
    "range costs nothing there."
)
REGION = ("region_umse", "region_mse")  # of the particle
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
    grids = [_grid(kind, [figures for figures in data if figures["tested_on"] == kind]) for kind in parts]
    grids += [_trust(kind, rows) for kind, rows in parts.items()]
    title = f"Figures 2 to 4 and S9 to S11 of {SOURCE}, regenerated at size {found[0]['size']}"
    return Table(title, caption(parts), tuple(grids), tuple(_notes(parts, found)), data)


def _figures(row: Row, noisy: Row) -> dict:
    gain = row.scores["psnr_db"] - noisy.scores["psnr_db"]
    figures = {}
    for name, values in {"psnr_db": row.scores["psnr_db"], "gain_db": gain}.items():
        ends = zip(("", "_low", "_high"), estimate(values, row.units), strict=True)
        figures |= {f"{name}{end}": "" if value is None else round(value, 6) for end, value in ends}
    if "fitted_psnr_db" in row.scores:
        figures["fitted_psnr_db"] = round(row.mean("fitted_psnr_db"), 6)
    figures |= {"ssim": round(row.mean("ssim"), 6), "contrast": round(row.mean("contrast"), 6)}
    figures |= {"clean_contrast": round(row.mean("clean_contrast"), 6)}
    figures |= _upsnr(row, "upsnr", "umse", "mse")
    if REGION[1] in row.scores:
        figures |= _upsnr(row, "region_upsnr", *REGION)
    facts = {"parameters": row.records[0]["parameters"], "movies": len(set(row.units))}
    return figures | facts | {"records": " ".join(record["id"][:16] for record in row.records)}


def _upsnr(row: Row, name: str, umse: str, mse: str) -> dict:
    """uPSNR over those movies that have one, how many these are, and what it would be with the truth."""
    estimated, true = upsnr_of_movies(row, umse, mse)
    usable, figures = np.isfinite(estimated), dict.fromkeys((f"{name}_db", f"{name}_db_low", f"{name}_db_high"), "")
    if usable.any():
        ends = zip(figures, estimate(estimated[usable], np.flatnonzero(usable)), strict=True)
        figures = {end: "" if value is None else round(value, 6) for end, value in ends}
    return figures | {f"{name}_movies": int(usable.sum()), f"{name}_from_truth_db": round(float(true.mean()), 6)}


def _grid(kind: str, data: list[dict]) -> Grid:
    """The figures of one kind of movie; the columns of later scores where a record has them."""
    is_fitted, has_region = any("fitted_psnr_db" in f for f in data), any("region_upsnr_db" in f for f in data)
    columns = ("PSNR [dB]", *[FITTED] * is_fitted, "gain [dB]", "SSIM", "uPSNR [dB]")
    columns += ("with the truth [dB]", *["uPSNR of the particle [dB]", "with the truth [dB]"] * has_region)
    columns += ("contrast", "Parameters")
    return Grid((KINDS[kind], *columns), tuple(_printed(figures, is_fitted, has_region) for figures in data))


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


def upsnr_of_movies(row: Row, score: str = "umse", true_score: str = "mse") -> tuple[np.ndarray, np.ndarray]:
    """uPSNR of each movie, and what it would be with the truth [dB]; NaN where it is not defined."""
    mse, peak = (_of_movies(row, name) for name in (true_score, "peak"))
    umse = _of_movies(row, score) if score in row.scores else np.full(len(mse), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        estimated = np.where(umse > 0, 10 * np.log10(peak**2 / umse), np.nan)
        true = 10 * np.log10(peak**2 / mse)
    return estimated, true


def _figure_4(parts: dict[str, dict[str, Row]]) -> Iterator[str]:
    """Whether WCVD has the highest uPSNR, as in the paper, under either reading of the size of its Gaussian filters.

    And whether it has it in the region of the particle, where that is recorded.
    """
    for reading, filters in READINGS.items():
        begin = f"Figure 4 of the paper (WCVD has the highest uPSNR), with its Gaussian filters of {reading}: "
        if all(WCVD in rows and set(filters) <= set(rows) for rows in parts.values()):
            yield begin + "; ".join(f"{kind}, {_highest(rows, filters)}" for kind, rows in parts.items()) + "."
        else:
            yield begin + "untested, as long as these rows are not recorded for every kind."
    for reading, filters in READINGS.items():
        there = {kind: rows for kind, rows in parts.items() if WCVD in rows and set(filters) <= set(rows)}
        told = [f"{k}, {_highest(r, filters, REGION)}" for k, r in there.items() if REGION[1] in r[WCVD].scores]
        if told:
            yield f"The same in the region of the particle, with filters of {reading}: {'; '.join(told)}."


def _level_and_shape(kind: str, rows: dict[str, Row]) -> Iterator[str]:
    """What of WCVD's distance from the best row is a wrong level and what a wrong shape; paired over movies.

    With P the PSNR and F that after the fit, P* - P = [(F - P) - (F* - P*)] + (F* - F): level and shape.
    """
    fitted = {name: row for name, row in rows.items() if "fitted_psnr_db" in row.scores}
    if WCVD not in fitted or len(fitted) < 2:
        return
    best = max(fitted, key=lambda name: fitted[name].mean("psnr_db"))
    (plain, after), (p, f) = (
        [row.scores[name] for name in ("psnr_db", "fitted_psnr_db")] for row in (fitted[best], fitted[WCVD])
    )
    text = {
        name: _text(estimate(values, fitted[WCVD].units), "+.2f")
        for name, values in {"all": plain - p, "level": (f - p) - (after - plain), "shape": after - f}.items()
    }
    before_and_after = (f"{fitted[WCVD].mean(name):.2f} dB" for name in ("psnr_db", "fitted_psnr_db"))
    own = "{}: {} has {}, and {} fitted".format(kind, WCVD, *before_and_after)
    if best == WCVD:
        yield f"{own}; no row is better."
        return
    yield (
        f"{own}. {best}, the best row, is ahead by {text['all']} dB: {text['level']} dB of level, which a gain and an "
        f"offset per movie repair, and {text['shape']} dB of shape."
    )


def _text(mean_and_ends: tuple[float, float | None, float | None], form: str) -> str:
    return printed(dict(zip(("d", "d_low", "d_high"), mean_and_ends, strict=True)), "d", form)


def _highest(rows: dict[str, Row], filters: tuple[str, ...], scores: tuple[str, str] = ("umse", "mse")) -> str:
    """Whether this kind "shows" or "fails" to show it, or leaves it "open", and which method comes nearest or is ahead.

    Methods of the paper, on the movies in which both have an estimate. Where these are too few for an interval, their
    own values stand for it.
    """
    others = [*filters, "Noise2Void", "UDVD", "WCID", *(name for name in rows if name.startswith("Autoencoder"))]
    own, ahead, ends, none = upsnr_of_movies(rows[WCVD], *scores)[0], {}, [], []
    for name in (name for name in others if name in rows and scores[1] in rows[name].scores):
        difference = upsnr_of_movies(rows[name], *scores)[0] - own
        usable = np.flatnonzero(np.isfinite(difference))
        if len(usable):
            ahead[name] = _, low, high = estimate(difference[usable], usable)
            ends.append((np.min(difference[usable]), np.max(difference[usable])) if low is None else (low, high))
        else:
            none.append(name)
    if not ahead:
        return "untested: no other method has a uPSNR"
    best = max(ahead, key=lambda name: ahead[name][0])
    word = "fails" if any(low > 0 for low, _ in ends) else "shows" if all(high < 0 for _, high in ends) else "open"
    text = _text(ahead[best], "+.2f")
    return f"{word} ({best} less WCVD: {text} dB" + f"; none of {', '.join(none)}" * bool(none) + ")"


def _region(parts: dict[str, dict[str, Row]]) -> Iterator[str]:
    """What the region of the particle is, and how much of the frame."""
    part = {
        kind: rows[NOISY].mean("region_part") for kind, rows in parts.items() if "region_part" in rows[NOISY].scores
    }
    if part:
        yield (
            "Of the particle (Figure S11): pixels within 2 Å of a true metal column in any frame of the movie, "
            f"{', '.join(f'{value:.0%} of {kind}' for kind, value in part.items())}. By the truth, as a region chosen "
            "by the noisy frames holds what is high in them by chance; the peak is that of the whole movie."
        )


def _of_movies(row: Row, name: str) -> np.ndarray:
    return np.array(list(bootstrap.unit_means(row.scores[name], row.units).values()))


def _printed(figures: dict, is_fitted: bool, has_region: bool) -> tuple[str, ...]:
    """The cells of one row; those of later scores are empty where its record lacks them."""

    def upsnr(name: str) -> tuple[str, str]:
        if f"{name}_movies" not in figures:
            return "", ""
        text = printed(figures, f"{name}_db", ".2f") or "none"
        if figures[f"{name}_db"] != "" and figures[f"{name}_movies"] < figures["movies"]:
            text += f" ({figures[f'{name}_movies']} of {figures['movies']} movies)"
        return text, f"{figures[f'{name}_from_truth_db']:.2f}"

    gain = "" if figures["method"] == NOISY else printed(figures, "gain_db", "+.2f")
    return (
        figures["method"],
        printed(figures, "psnr_db", ".2f"),
        *[printed(figures, "fitted_psnr_db", ".2f")] * is_fitted,
        gain,
        f"{figures['ssim']:.3f}",
        *upsnr("upsnr"),
        *(upsnr("region_upsnr") if has_region else ()),
        f"{figures['contrast']:.3f}",
        f"{figures['parameters']:,}" if figures["parameters"] else "",
    )


def caption(parts: dict[str, dict[str, Row]]) -> str:
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
    for kind in ("au", "co"):
        yield from _level_and_shape(kind, parts.get(kind, {}))
    if any("fitted_psnr_db" in row.scores for rows in parts.values() for row in rows.values()):
        yield FITTED_NOTE
    yield from _figure_4(parts)
    yield from _region(parts)
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
