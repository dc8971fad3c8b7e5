"""Tables of the WCVD paper: movies without a clean reference, and how far uPSNR can be trusted."""

import numpy as np

from stemjax.metrics import bootstrap
from stemjax.tables.n2v import estimate, printed
from stemjax.tables.rows import Row, gather
from stemjax.tables.table import Grid, Table

SOURCE = "Lee et al. (WCID/WCVD)"
KINDS = {"pt": "Pt on CeO2, the kind that networks learnt from", "au": "Au on carbon", "co": "Co on CeO2"}
NOISY, CONSTANT = "Noisy", "Constant"


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
    figures["upsnr_db"] = round(float(estimated[usable].mean()), 6) if usable.any() else ""
    figures["upsnr_movies"] = int(usable.sum())
    figures["upsnr_from_truth_db"] = round(float(true.mean()), 6)
    facts = {"parameters": row.records[0]["parameters"], "movies": len(set(row.units))}
    return figures | facts | {"records": " ".join(record["id"][:16] for record in row.records)}


def upsnr_of_movies(row: Row) -> tuple[np.ndarray, np.ndarray]:
    """uPSNR of each movie, and what it would be with the truth [dB]; NaN where it is not defined."""
    mse, peak = (_of_movies(row, name) for name in ("mse", "peak"))
    umse = _of_movies(row, "umse") if "umse" in row.scores else np.full(len(mse), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        estimated = np.where(umse > 0, 10 * np.log10(peak**2 / umse), np.nan)
        true = 10 * np.log10(peak**2 / mse)
    return estimated, true


def _of_movies(row: Row, name: str) -> np.ndarray:
    return np.array(list(bootstrap.unit_means(row.scores[name], row.units).values()))


def _printed(figures: dict) -> tuple[str, ...]:
    upsnr = "none" if figures["upsnr_db"] == "" else f"{figures['upsnr_db']:.2f}"
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
        row = rows[NOISY]
        record, movies = row.records[0], len(set(row.units))
        said.append(
            f"{kind}: data set {record['data_set']['name']}, recipe {record['data_set']['recipe_hash']}, "
            f"{len(row.units)} frames of {movies} movies that no method saw."
        )
    few = any(len(set(rows[NOISY].units)) < bootstrap.FEWEST_UNITS for rows in parts.values())
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
            yield f"{kind}: {', '.join(below)} not above {max(bars, key=bars.get)}: they fail the gate there."
        yield f"{kind}: the contrast of the clean movies is {rows[NOISY].mean('clean_contrast'):.3f}; noise adds to it."
    yield (
        "uPSNR holds a denoised frame against noisy ones that its method did not see, and has the largest reading of "
        'the noisy movie for its peak; "with the truth" is the same from the clean movie. "None": the method sees so '
        "many frames that no three are left. Motion makes uPSNR too high where it moves the scene by much of a column."
    )
    chosen = {
        f"{r['conditions']['tested_on']}, {r['method'].removesuffix(', tuned')}: {field} {tried['chosen']:.3g}"
        f"{' (at an end of the values tried)' * bool(tried.get('at_an_end'))}": None
        for r in found
        for field, tried in (r["tuning"] or {}).items()
    }
    if chosen:
        yield f"Tuned for PSNR on validation movies of the kind they are tested on: {'; '.join(chosen)}."
    yield "Networks are narrower than the paper's where they have fewer parameters; UDVD of full width is not run."
