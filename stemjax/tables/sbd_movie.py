"""Tables of the SBD paper's movie (Figures 5.5 to 5.7) and of blind-spot networks with few images (Figure 5.8)."""

from collections.abc import Iterator

import numpy as np

from stemjax import figures
from stemjax.metrics import bootstrap
from stemjax.tables.n2v import estimate, printed
from stemjax.tables.rows import Row, gather
from stemjax.tables.sbd import PUBLISHED
from stemjax.tables.table import Grid, Table
from stemjax.tables.wcvd import FITTED, FITTED_NOTE, SIGMA_3, WINDOW_3

SOURCE = PUBLISHED["citation"].partition(",")[0]
NOISY, CONSTANT, AVERAGE = "Noisy", "Constant", "Time average"
SPACE_TIME = "Gaussian filter, space and time"
SBD, SBD_NARROW, SBD_OTHERS = "SBD + UNet", "SBD + UNet, target conditions", "SBD + UNet, other structures"
OVER_TIME = (SPACE_TIME, SIGMA_3["3-D"], WINDOW_3["3-D"], AVERAGE, "UDVD", "WCVD")  # that look at several frames
EARLY, LAST = "Blind-spot network, early stopping", "Blind-spot network, last weights"


# --------------------------------------------------------------------------------------------------- the movie
def sbd_movie(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """The movie that networks learnt from; every movie by itself; and networks on the frames that they know or not."""
    rows = gather(found, scores)
    units = tuple(dict.fromkeys(rows[NOISY].units))
    own = next(c["movie"] for row in rows.values() if "movie" in (c := row.records[0]["conditions"]))
    data = tuple(_figures(row, movie) for row in rows.values() for movie in units)
    of = {(figure["method"], figure["movie"]): figure for figure in data}
    is_fitted = any("fitted_psnr_db" in figure for figure in data)
    columns = ("Learnt from", "PSNR [dB]", *[FITTED] * is_fitted, "SSIM", "PSNR to the time average [dB]", "uPSNR [dB]")
    columns += ("with the truth [dB]", "Surface r", "Parameters")
    grids = [Grid((f"Movie {own}", *columns), tuple(_printed(of[name, own], is_fitted) for name in rows))]
    if len(units) > 1:
        names = {"psnr_db": ("PSNR [dB]", ".2f"), "ssim": ("SSIM", ".3f"), "profile_correlation": ("Surface r", ".2f")}
        lines = (
            (method, *(format(of[method, movie][name], form) for name, (_, form) in names.items() for movie in units))
            for method in rows
        )
        headings = (f"{heading} of {movie}" for heading, _ in names.values() for movie in units)
        grids.append(Grid(("Each movie", *headings), tuple(lines)))
    grids.append(_seen_grid(rows))
    record = rows[NOISY].records[0]
    imaging, count = record["imaging"], len(rows[NOISY].units) // len(units)
    caption = (
        f"Data set {record['data_set']['name']}, recipe {record['data_set']['recipe_hash']}; {len(units)} "
        f"movie{'s' * (len(units) > 1)} of {count} frames of a particle that stands still, at one defocus each; "
        f"{imaging['counts']:g} electrons per pixel and frame of vacuum. Protocol `movie`: every frame by itself, its "
        "data range the maximum minus the minimum of its clean movie. Fewer than 10 movies: the values of each, no "
        "intervals and no ranks."
    )
    title = f"Figures 1.1, 5.5 to 5.7, 5.9 (d, e) and C.3 of {SOURCE}, regenerated at size {found[0]['size']}"
    return Table(title, caption, tuple(grids), tuple(_notes(rows, of, own)), data)


def _figures(row: Row, movie: str) -> dict:
    """The figures of one method on one movie, an empty text where there is none."""
    chosen = np.array(row.units) == movie
    mean = {name: float(values[chosen].mean()) for name, values in row.scores.items()}
    record = row.records[0]
    figure = {"method": row.method, "movie": movie, "learnt_from": record["conditions"]["trained_on"]}
    for name in ("psnr_db", "ssim", "average_psnr_db", "profile_correlation"):
        figure[name] = round(mean[name], 6) if name in mean else ""
    if "fitted_psnr_db" in mean:
        figure["fitted_psnr_db"] = round(mean["fitted_psnr_db"], 6)
    umse, peak = mean.get("umse", 0.0), mean["peak"]
    figure["upsnr_db"] = round(10 * np.log10(peak**2 / umse), 6) if umse > 0 else ""
    figure["upsnr_from_truth_db"] = round(10 * np.log10(peak**2 / mean["mse"]), 6)
    return figure | {"parameters": record["parameters"], "records": record["id"][:16]}


def _printed(figure: dict, is_fitted: bool) -> tuple[str, ...]:
    def text(name: str, form: str, missing: str = "") -> str:
        return missing if figure.get(name, "") == "" else format(figure[name], form)

    return (
        figure["method"],
        figure["learnt_from"],
        text("psnr_db", ".2f"),
        *[text("fitted_psnr_db", ".2f")] * is_fitted,
        text("ssim", ".3f"),
        text("average_psnr_db", ".2f", "itself"),
        text("upsnr_db", ".2f", "none"),
        text("upsnr_from_truth_db", ".2f"),
        text("profile_correlation", ".2f"),
        f"{figure['parameters']:,}" if figure["parameters"] else "",
    )


def _seen_grid(rows: dict[str, Row]) -> Grid:
    """PSNR of the networks that learnt from a movie: on those frames, on its others, and on other movies."""
    lines = []
    for method, row in rows.items():
        conditions = row.records[0]["conditions"]
        if "movie" in conditions:
            own = np.array(row.units) == conditions["movie"]
            position = np.cumsum(own) - 1  # in the movie learnt from
            known = own & (position < conditions["learnt_frames"])
            parts = (row.scores["psnr_db"][chosen] for chosen in (known, own & ~known, ~own))
            lines.append((method, *(f"{part.mean():.2f}" if len(part) else "" for part in parts)))
    columns = ("PSNR [dB] on", "the frames learnt from", "other frames of the movie", "other movies")
    return Grid(columns, tuple(lines))


def _notes(rows: dict[str, Row], of: dict, own: str) -> Iterator[str]:
    here = {method: of[method, own]["psnr_db"] for method in rows}
    best, single = max(rows, key=here.get), max((name for name in rows if name not in OVER_TIME), key=here.get)
    tuning = rows[SPACE_TIME].records[0]["tuning"]
    yield (
        f"The scene stands still: nothing is lost by looking at many frames. Best on {own} is {best} "
        f"({here[best]:.2f} dB). {SPACE_TIME}, sigma {tuning['sigma_time']['chosen']:.3g} frames and "
        f"{tuning['sigma']['chosen']:.3g} px, has {here[SPACE_TIME]:.2f} dB, the bare time average "
        f"{here[AVERAGE]:.2f} dB, and {single}, the best of those that look at one frame alone, {here[single]:.2f} dB."
    )
    yield (
        "The time average is no truth: every pixel keeps the noise of its frames, of which each frame is one. A PSNR "
        f"to it cannot be much above its own PSNR ({here[AVERAGE]:.2f} dB on {own}), so it does not rank methods that "
        "are better than that."
    )
    knowing = [name for name, row in rows.items() if row.records[0]["conditions"].get("knows_structure")]
    if knowing:
        yield (
            f"The particle of the movie, at this thickness and tilt, is among the clean images that {_list(knowing)} "
            f"learnt from, which no experiment can offer; {SBD_OTHERS} learnt from particles with defects alone, "
            "none of them this one."
        )
    if EARLY in rows and LAST in rows:
        yield (
            f"Early stopping: on {own} the weights of least loss on held-out noisy frames score "
            f"{here[EARLY]:.2f} dB, the last ones of the same training {here[LAST]:.2f} dB ({_steps(rows)})."
        )
    bars = {name: here[name] for name in (NOISY, CONSTANT)}
    below = [n for n, r in rows.items() if r.records[0]["seed"] is not None and here[n] <= max(bars.values())]
    if below:
        yield f"Not above {max(bars, key=bars.get)} on {own}, so that they fail the gate: {_list(below)}."
    pairs = [figure for figure in of.values() if figure["upsnr_db"] != "" and figure["method"] != NOISY]
    if pairs:
        worst = max(pairs, key=lambda f: abs(f["upsnr_db"] - f["upsnr_from_truth_db"]))
        difference = worst["upsnr_db"] - worst["upsnr_from_truth_db"]
        yield (
            "uPSNR holds a denoised frame against noisy ones that the method did not look at for it, with the largest "
            'reading of the movie for its peak; "with the truth" is the same from the clean movie. Nothing moves, so '
            f"that only noise parts them: by {difference:+.2f} dB at most ({worst['method']}, {worst['movie']}). "
            '"None": too few frames are left, or the estimate is not above 0.'
        )
    yield (
        "Surface r: correlation with the clean profile along the topmost row of Pt columns. Blind-spot network: Laine "
        "et al., mean of the posterior. A frame that Self2Self did not learn from is as strange to it as another movie."
    )
    if any("fitted_psnr_db" in figure for figure in of.values()):
        yield FITTED_NOTE
    chosen = [
        f"{name} {field} {tried['chosen']:.3g}{' (at an end of the values tried)' * bool(tried.get('at_an_end'))}"
        for name, row in rows.items()
        if row.records[0]["seed"] is None
        for field, tried in (row.records[0]["tuning"] or {}).items()
    ]
    if chosen:
        yield f"Tuned for PSNR on the validation movie: {'; '.join(chosen)}."
    yield "The paper's movie has no clean reference, and no figure is published for it. One training each, seed 0."


def _steps(rows: dict[str, Row]) -> str:
    curve = rows[EARLY].records[0]["learning_curve"]
    best = min(curve, key=lambda event: event["validation_loss"])
    return f"step {best['step']:,} of {curve[-1]['step']:,}"


def _list(names: list[str]) -> str:
    """Names that may hold commas."""
    return "; ".join(names)


# --------------------------------------------------------------------------------------------------- Figure 5.8
def sbd_figure_5_8(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Blind-spot networks by the number of noisy images that they learnt from, beside the supervised UNet."""
    rows = gather([record | {"method": _row_name(record)} for record in found], scores)
    data = tuple(_figures_5_8(row, rows[SBD]) for row in rows.values())
    columns = ("Images learnt from", "PSNR [dB]", f"above {SBD} [dB]", "SSIM", "Parameters")
    columns += ("Published PSNR [dB]", "PSNR - published [dB]")
    lines = []
    for figure in data:
        published = figure["published_psnr_db"]
        cells = [str(figure["training_images"]), printed(figure, "psnr_db", ".2f")]
        cells += ["" if figure["row"] == SBD else printed(figure, "above_db", "+.2f"), f"{figure['ssim']:.3f}"]
        cells.append(f"{figure['parameters']:,}" if figure["parameters"] else "")
        cells += ["", ""] if published == "" else [f"{published:.2f}", f"{figure['psnr_db'] - published:+.2f}"]
        lines.append((figure["row"], *cells))
    grids, units = [Grid(("Method", *columns), tuple(lines))], tuple(dict.fromkeys(rows[SBD].units))
    if len(units) < bootstrap.FEWEST_UNITS:
        means = {name: bootstrap.unit_means(row.scores["psnr_db"], row.units) for name, row in rows.items()}
        values = tuple((name, *(f"{of[unit]:.2f}" for unit in units)) for name, of in means.items())
        grids.append(Grid(("PSNR [dB] of each structure", *units), values))
    record = rows[SBD].records[0]
    caption = (
        f"Data set {record['data_set']['name']}, recipe {record['data_set']['recipe_hash']}; {len(rows[SBD].units)} "
        f"images of {len(units)} structures that no training saw, {record['imaging']['counts']:g} electrons per pixel "
        f"of vacuum, as in Table 5.1. Scores by protocol `{record['protocol']}`. Means over structures"
        + (" with 95 % intervals." if len(units) >= bootstrap.FEWEST_UNITS else "; fewer than 10: no intervals.")
    )
    title = f"Figure 5.8 of {SOURCE}, regenerated at size {found[0]['size']}"
    return Table(title, caption, tuple(grids), tuple(_notes_5_8(rows)), data, {"psnr": lambda: _plot_5_8(data)})


def _row_name(record: dict) -> str:
    count = record["conditions"].get("training_images")
    if record["method"] not in (EARLY, LAST):
        return record["method"]
    return f"{record['method']}, {count} image{'s' * (count > 1)}"


def _figures_5_8(row: Row, supervised: Row) -> dict:
    record = row.records[0]
    count = record["conditions"].get("training_images", "")
    figure = {"row": row.method, "method": row.method.rpartition(", ")[0] if count else row.method}
    if row is supervised:
        figure["method"] = SBD
    figure["training_images"] = count
    differences = row.scores["psnr_db"] - supervised.scores["psnr_db"]
    for name, values in {"psnr_db": row.scores["psnr_db"], "above_db": differences}.items():
        ends = zip(("", "_low", "_high"), estimate(values, row.units), strict=True)
        figure |= {f"{name}{end}": "" if value is None else round(value, 6) for end, value in ends}
    figure |= {"ssim": round(row.mean("ssim"), 6), "parameters": record["parameters"]}
    networks = {entry["model"]: entry["psnr"] for entry in PUBLISHED["table_3_1_tem"]}
    raw = next(entry["psnr"] for entry in PUBLISHED["table_5_1"] if entry["method"] == "Raw")
    published = {SBD: networks["UNet, 4 scales, 64 base channels"], "Raw": raw}
    figure["published_psnr_db"] = published.get(row.method, "")
    return figure | {"records": " ".join(found["id"][:16] for found in row.records)}


def _notes_5_8(rows: dict[str, Row]) -> Iterator[str]:
    blind = {name: row for name, row in rows.items() if name.startswith((EARLY, LAST))}
    crops = {record["learning_curve"][-1]["crops"] for row in blind.values() for record in row.records}
    counts = " or ".join(f"{count:,}" for count in sorted(crops))
    yield (
        f"Every blind-spot network saw {counts} crops of the images that it learnt from, each recorded once with its "
        "noise; one training each. Early stopping takes the weights of least loss on noisy images of other structures "
        "(the same for all), the other row the last weights of the same training."
    )
    bar = max(("Raw", "Constant"), key=lambda name: rows[name].mean("psnr_db"))
    below = [name for name, row in blind.items() if row.mean("psnr_db") <= rows[bar].mean("psnr_db")]
    if below:
        yield f"Not above {bar}, so that they fail the gate: {'; '.join(below)}."
    yield (
        f"{SBD}: supervised, fresh noise in every step, its batch size and learning rate tuned; the networks of Table "
        "5.1, mean over their seeds. Of the blind-spot networks the scale of the last layer at the start (1 or 0.1) "
        "was chosen by hand on validation images, with their truth. The paper's Figure 5.8 is a curve without figures "
        "that reaches the supervised network once there are enough images; figures published for the other rows are of "
        "other images and a lower dose."
    )


def _plot_5_8(data: tuple[dict, ...]) -> bytes:
    series = {}
    for method in (EARLY, LAST):
        points = sorted((f for f in data if f["method"] == method), key=lambda f: f["training_images"])
        ends = [[f[f"psnr_db_{end}"] for f in points] for end in ("low", "high")]
        counts, values = [f["training_images"] for f in points], [f["psnr_db"] for f in points]
        series[method] = figures.Line(counts, values, *(ends if "" not in ends[0] else ()))
    supervised = next(f for f in data if f["method"] == SBD)
    level = f"{SBD}, supervised, {supervised['training_images']:,} images", supervised["psnr_db"]
    return figures.lines(series, "Noisy images learnt from", "PSNR [dB]", log_x=True, level=level)
