"""SBD, Figures 1.1, 5.5 to 5.7, 5.9 (d, e) and C.3: a movie of 40 aligned frames of a Pt particle that stands still.

    stemjax experiment run sbd_movie --size cpu

The frames of simulated movies at three defoci, denoised by filters tuned on a fourth; by networks that learnt from
simulated images with the clean ones beside them (SBD); and by networks that learnt from the noisy frames of one of the
movies: Laine's blind-spot network, with early stopping by the loss on held-out frames and with its last weights, UDVD,
Self2Self and WCVD. Scored against the truth, against the time average, which is all that an experiment has, and by
uPSNR; with pictures of a frame, of the profile along the surface columns and of the likelihood ratios. On a scene that
stands still expect at size `cpu` 30 dB of a Gaussian filter in space and time that is as long as the movie, against 20
dB of one on single frames and 15 to 18 dB of the bare time average, in which noise is left. In the paper, which has no
truth and prints no figures here, SBD keeps the surface columns and the others blur or lose them.

Reference: Mohan et al., arXiv:2010.12970, Figures 1.1, 5.5 to 5.7, 5.9 (d, e) and C.3.
"""

from collections.abc import Iterator

import numpy as np

from experiments.movie_methods import BLANK, EVERY, NOISY, Method, rows_of_movies, window_of
from experiments.recorder import Recorder
from experiments.sbd import EARLY, LAST, SBD, SOURCE, movie_networks, surface_profiles
from experiments.sbd.movie_networks import AVERAGE, SBD_OTHERS, SPACE_TIME, imaging_of, learnt_movie, methods
from experiments.sbd.regions import draw_maps, sort_regions
from experiments.sbd.surface_profiles import SurfaceRow, surface_row
from experiments.wcvd import SIGMA_3, WINDOW_3
from experiments.workspace import Workspace
from stemjax import figures
from stemjax.apply.evaluate import ImageSet, fitted_scores, image_set
from stemjax.denoisers.time_average import TimeAverage
from stemjax.metrics.image import contracts
from stemjax.metrics.unsupervised import umse
from stemjax.tables import wording
from stemjax.tables.rows import Row, gather
from stemjax.tables.table import Grid, Table
from stemjax.tables.wording import FITTED, FITTED_NOTE

TIMES = {"smoke": "3 min", "cpu": "12 min on one core, after trainings of 20 min", "gpu": "not measured"}
networks = movie_networks.networks
PICTURED = (SBD, SBD_OTHERS)  # in the likelihood maps


def run(size: str, workspace: Workspace) -> None:
    """Train, tune, score and record every row; draw the pictures."""
    data, imaging = workspace.movies("sbd", size), imaging_of(size)
    test = image_set(data, EVERY, "test", 0, imaging)
    rows, average = Recorder(size, workspace, data, test), TimeAverage()
    reference = Method(AVERAGE, average).denoise(test)
    surface = [surface_row(data, test, index) for index in range(len(test))]
    image_of, at = {}, int(np.flatnonzero(test.images.unit == learnt_movie(data))[0])
    for method, conditions in methods(size, workspace, data, imaging):
        denoised = method.denoise(test)
        method.record(rows, denoised, _extra(method, denoised, test, reference, surface), conditions=conditions)
        image_of[method.label] = denoised[at, ..., 0]
    _draw(rows, image_of, surface[at], at)


# ---------------------------------------------------------------------------------------------------- scores
def _extra(
    method: Method, denoised: np.ndarray, test: ImageSet, average: np.ndarray, surface: list[SurfaceRow]
) -> list[dict]:
    """Of every frame: PSNR fitted and to the time average, correlation of the profile; of its movie: uPSNR's needs."""
    ranges = [contract["data_range"] for contract in contracts(test.imaging.contract(), test.clean, test.images.unit)]
    of_frames = fitted_scores(denoised, test)
    for index, row in enumerate(of_frames):
        row["profile_correlation"] = surface[index].correlation(test.clean[index, ..., 0], denoised[index, ..., 0])
        if method.label != AVERAGE:
            row["average_psnr_db"] = _psnr_db(average[index], denoised[index], ranges[index])
    for rows in rows_of_movies(test):
        noisy, frames, clean = (images[rows, ..., 0] for images in (test.noisy, denoised, test.clean))
        scores = {"mse": float(np.mean((frames - clean) ** 2, dtype=float)), "peak": float(noisy.max())}
        try:
            scores["umse"] = umse(noisy, frames, window_of(method.denoiser)).umse
        except ValueError as error:  # the method sees so many frames that none are left to compare with
            if "insufficient frames" not in str(error):
                raise
        for row in rows:
            of_frames[row] |= scores
    return of_frames


def _psnr_db(true: np.ndarray, test: np.ndarray, data_range: float) -> float:
    return float(10 * np.log10(data_range**2 / np.mean((true - test) ** 2, dtype=float)))


# ---------------------------------------------------------------------------------------------------- pictures
def _draw(rows: Recorder, image_of: dict[str, np.ndarray], surface: SurfaceRow, at: int) -> None:
    """A frame as every method has it, its profiles along the surface columns, and maps of likelihood ratios."""
    test = rows.test
    clean = test.clean[at, ..., 0]
    span = float(np.ptp(test.clean[test.images.unit == test.images.unit[at]]))
    panels = [figures.Panel("Clean", clean)]
    panels += [
        figures.Panel(label, image, _psnr_db(clean, image, span), is_noisy=label == NOISY)
        for label, image in image_of.items()
        if label != BLANK
    ]
    path = rows.picture("frame")
    figures.strip(panels, path, sampling=surface.sampling, zoom_box=surface.box(), columns=6)
    profiled = {label: image for label, image in image_of.items() if label != BLANK}
    surface_profiles.draw(surface, clean, profiled, rows.picture("profiles"))
    scene = surface_profiles.scene(rows.data, test, at)
    maps = {label: (scene, image_of[label], sort_regions(scene, image_of[label])) for label in PICTURED}
    draw_maps(maps, rows.picture("likelihood"))


# ---------------------------------------------------------------------------------------------------- the table
OVER_TIME = (SPACE_TIME, SIGMA_3["3-D"], WINDOW_3["3-D"], AVERAGE, "UDVD", "WCVD")  # that look at several frames


def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """The movie that networks learnt from; every movie by itself; and networks on the frames that they know or not."""
    rows = gather(records, scores)
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
        f"{wording.data_set(record)}; {len(units)} "
        f"movie{'s' * (len(units) > 1)} of {count} frames of a particle that stands still, at one defocus each; "
        f"{imaging['counts']:g} electrons per pixel and frame of vacuum. Protocol `movie`: every frame by itself, its "
        "data range the maximum minus the minimum of its clean movie. Fewer than 10 movies: the values of each, no "
        "intervals and no ranks."
    )
    title = wording.title("Figures 1.1, 5.5 to 5.7, 5.9 (d, e) and C.3", SOURCE, records)
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
    return figure | {"parameters": record["parameters"], "records": wording.record_ids([record])}


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
        wording.count(figure["parameters"]),
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
            f"learnt from; in an experiment it would not be. {SBD_OTHERS} learnt from particles with defects alone, "
            "none of them this one."
        )
    if EARLY in rows and LAST in rows:
        yield (
            f"Early stopping: on {own} the weights of least loss on held-out noisy frames score "
            f"{here[EARLY]:.2f} dB, the last ones of the same training {here[LAST]:.2f} dB ({_steps(rows)})."
        )
    bars = {name: here[name] for name in (NOISY, BLANK)}
    below = [n for n, r in rows.items() if r.records[0]["seed"] is not None and here[n] <= max(bars.values())]
    if below:
        yield f"Not above {max(bars, key=bars.get)} on {own}, so they fail the gate: {_list(below)}."
    pairs = [figure for figure in of.values() if figure["upsnr_db"] != "" and figure["method"] != NOISY]
    if pairs:
        worst = max(pairs, key=lambda f: abs(f["upsnr_db"] - f["upsnr_from_truth_db"]))
        difference = worst["upsnr_db"] - worst["upsnr_from_truth_db"]
        yield (
            "uPSNR compares a denoised frame with noisy frames that the method did not see for it; its peak is the "
            'largest value of the movie. "With the truth": the same, computed from the clean movie. Nothing moves, so '
            f"only noise makes them differ: by {difference:+.2f} dB at most ({worst['method']}, {worst['movie']}). "
            '"None": too few frames are left, or the error is estimated as 0 or less.'
        )
    yield (
        "Surface r: correlation with the clean profile along the topmost row of Pt columns. Blind-spot network: Laine "
        "et al., mean of the posterior. Self2Self learns from one frame: all others are new to it."
    )
    if any("fitted_psnr_db" in figure for figure in of.values()):
        yield FITTED_NOTE
    chosen = [
        f"{name} {field} {wording.chosen(tried)}"
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
