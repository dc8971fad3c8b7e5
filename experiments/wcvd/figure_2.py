"""WCVD, Figures 2 to 4, S5 and S9 to S11: trained on one movie, tested on others, of other samples and intensities.

    stemjax experiment run wcvd_figure_2 --size cpu

Networks learn from movies of Pt on CeO2 with values of 0 to 255 and denoise unseen movies of Pt (in distribution), of
gold on carbon with counts of 0 to 5 and of Co on CeO2 with values of 100 to 1000 (out of distribution). What WCVD makes
of gold and Co when it learnt from such movies stands beside that (not in the paper). Gaussian filters, in the plane and
in space and time, stand at the paper's size 3 in both readings, a standard deviation of 3 and a window of 3 taps, and
tuned on validation movies of the kind they are tested on; WCVD and WCID at the low-pass divisor 3 of the authors' code,
and with one tuned in the same way. PSNR against the truth stands as it is and after one gain and offset per movie,
which parts a wrong level from a wrong shape; beside it uPSNR, which needs no truth, of the whole frame and of the
region of the particle alone (within 2 Å of a true metal column: Figure S11); and the Michelson contrast of a profile
along a row of columns beside that of the clean movie, averaged over 25 px across it or half the distance of columns
where that is less. Line scans 25 px wide through one frame of each kind are drawn, noisy, clean and as every method has
them (Figures 3 and S9). In the paper, which has bars and no table, WCVD has the highest uPSNR on all three kinds,
U-Nets and autoencoders fail out of distribution, the Michelson contrast after WCVD is about twice that after the
Gaussian filter in space and time on gold and Co, and the Bragg peaks stand out more.

Expect at size `cpu` (Pt on CeO2, the kind that networks learnt from, PSNR [dB]): Constant: 15.71 [15.05, 16.32];
Gaussian filter, 3-D, tuned: 21.90 [21.14, 22.67]; UDVD: 18.02 [17.39, 18.68]; WCVD: 11.38 [10.57, 12.20]; WCVD,
low-pass tuned: 16.76 [15.99, 17.53].

Expect at size `cpu` (Au on carbon, PSNR [dB]): Gaussian filter, 3-D, tuned: 22.83 [22.31, 23.35]; UDVD: 5.53
[5.28, 5.75]; WCVD: 17.60 [17.36, 17.80]; WCVD, learnt from this kind: 20.43 [20.19, 20.64]; WCVD, learnt from this
kind, low-pass tuned: 21.56 [21.31, 21.77].

Expect at size `cpu` (Co on CeO2, PSNR [dB]): Gaussian filter, 3-D, tuned: 26.15 [25.45, 26.75]; UDVD: 0.81
[0.28, 1.38]; WCVD: 14.52 [14.13, 14.95]; WCVD, learnt from this kind: 25.08 [24.68, 25.44]; WCVD, learnt from this
kind, low-pass tuned: 25.18 [24.77, 25.55].

Reference: Lee et al., Figures 2 to 4, S5 and S9 to S11.
"""

from collections.abc import Iterator

import numpy as np

from experiments import wcvd
from experiments.movie_methods import BLANK, NOISY, Method, rows_of_movies, window_of
from experiments.pictures import panels
from experiments.recorder import Recorder
from experiments.wcvd import HEADINGS, SOURCE, WCVD, WINDOW_3, caption
from experiments.wcvd.line_scans import contrast_along, draw_scans, find_line
from experiments.wcvd.upsnr import REGION, about_region, highest_upsnr, misranked, trust_grid, upsnr_of_movies
from experiments.workspace import Workspace
from stemjax import figures
from stemjax.apply.evaluate import ImageSet, fitted_scores
from stemjax.data import datasets
from stemjax.figures.montage import montage
from stemjax.metrics.spectrum import frequency_scan, power_spectrum
from stemjax.metrics.unsupervised import umse
from stemjax.tables import wording
from stemjax.tables.rows import Row, gather
from stemjax.tables.table import Grid, Table
from stemjax.tables.wording import FITTED, FITTED_NOTE, estimate, printed

TIMES = {"smoke": "5 min", "cpu": "1 h on one core, after trainings of as long", "gpu": "not measured"}
SPOTS = (0.25, 1.0)  # 1/Å: where Bragg spots are looked for, and where a scan of the spectrum ends
POINTS = 97  # of a scan
SCANNED = ("Noisy", "Gaussian filter, 3-D, tuned", "Noise2Void", "UDVD", "WCVD", "WCVD, low-pass tuned")


def run(size: str, workspace: Workspace) -> None:
    """Train, tune, score and record every method on every kind of movie; draw the pictures."""
    common = list(wcvd.networks(size, workspace))
    montage_rows: dict[str, list[figures.Panel]] = {}
    for kind, name in wcvd.KINDS.items():
        data, test = wcvd.movies(kind, size, workspace)
        records = Recorder(size, workspace, data, test)
        lines = [find_line(data, test, wcvd.METAL[kind], row) for row in range(len(test))]
        clean = [contrast_along(frame, line) for frame, line in zip(test.clean[..., 0], lines, strict=True)]
        movies = rows_of_movies(test)
        regions = {str(test.images.unit[rows[0]]): wcvd.particle(data, test, kind, rows) for rows in movies}
        pictures, scanned = {}, {}
        validation = wcvd.movies(kind, size, workspace, "validation")[1]
        anew = list(wcvd.networks_of(kind, size, workspace))
        learnt = [*common, *anew]
        filtered = [wcvd.with_tuned_low_pass(m, validation) for m in learnt if hasattr(m.denoiser, "low_pass")]
        for method in (*wcvd.filters(validation), *learnt, *filtered):
            denoised = method.denoise(test)
            extra = _of_movies(method, denoised, test, regions)
            extra = [one | two for one, two in zip(extra, fitted_scores(denoised, test), strict=True)]
            for row, (line, contrast) in enumerate(zip(lines, clean, strict=True)):
                contrasts = {"contrast": contrast_along(denoised[row, ..., 0], line), "clean_contrast": contrast}
                extra[row] = extra[row] | contrasts
            method.record(records, denoised, extra, conditions={"tested_on": kind})
            if method.label != BLANK:
                scanned[method.label] = denoised
            if method.label != BLANK and not method.label.startswith(tuple(m.label for m in anew)):  # in every row
                pictures[method.label] = denoised
        montage_rows[name] = panels(test, pictures, 0)
        _histogram(test, workspace, size, kind)
        _spectra(data, test, pictures, workspace, size, kind)
        path = workspace.picture(size, f"scan_{kind}")
        draw_scans(data, test, wcvd.METAL[kind], scanned, path)
    # the scale bar stands in the first image
    sampling = workspace.movies(wcvd.LEARNT_FROM, size).manifest["frame"]["sampling_angstrom"]
    montage(montage_rows, workspace.picture(size, "montage"), sampling=sampling)


def networks(size: str, workspace: Workspace) -> Iterator[Method]:
    """Those that learnt from movies of Pt, and those that learnt from the kind that they are tested on."""
    yield from wcvd.networks(size, workspace)
    for kind in wcvd.KINDS:
        yield from wcvd.networks_of(kind, size, workspace)


def _of_movies(method: Method, denoised: np.ndarray, test: ImageSet, regions: dict[str, np.ndarray]) -> list[dict]:
    """uMSE of a movie beside the mean squared error against the truth, for every frame those of its whole movie.

    Once as it should be, once in the region of the particle alone, and once against the nearest frames, seen or not,
    which flatters those that copy them. No uMSE where the method sees so many frames that none are left to compare
    with.

    Parameters
    ----------
    regions : dict
        Movie -> bool [H, W].
    """
    of_frames: list[dict] = [{} for _ in range(len(test))]
    for rows in rows_of_movies(test):
        region, window = regions[str(test.images.unit[rows[0]])], window_of(method.denoiser)
        noisy, frames, clean = (images[rows, ..., 0] for images in (test.noisy, denoised, test.clean))
        squared = (frames - clean) ** 2
        scores = {"mse": float(np.mean(squared, dtype=float)), "peak": float(noisy.max())}
        scores |= {"region_mse": float(np.mean(squared[:, region], dtype=float)), "region_part": float(region.mean())}
        try:
            scores["umse"] = umse(noisy, frames, window).umse
            scores["region_umse"] = umse(noisy, frames, window, region=region).umse
            scores["umse_overlap"] = umse(noisy, frames, window, overlap=True).umse
        except ValueError as error:
            if "insufficient frames" not in str(error):
                raise
        for row in rows:
            of_frames[row] = scores
    return of_frames


# ---------------------------------------------------------------------------------------------------- pictures
def _histogram(test: ImageSet, workspace: Workspace, size: str, kind: str) -> None:
    """Figure S5: how often each reading occurs in a noisy movie; exported to 0 to 255, each has readings of its own."""
    values = test.noisy[next(iter(rows_of_movies(test)))].ravel()
    unit = np.unique(values)
    bins = unit if len(unit) < 64 else np.linspace(values.min(), values.max(), 64)
    step = np.diff(bins).min()
    count, edges = np.histogram(values, np.append(bins - step / 2, bins[-1] + step / 2))
    line = figures.Line(((edges[:-1] + edges[1:]) / 2).tolist(), (count / len(values)).tolist())
    picture = figures.lines({wcvd.KINDS[kind]: line}, "Reading", "Part of the pixels")
    path = workspace.picture(size, f"histogram_{kind}")
    figures.write(picture, path)


def _spectra(
    data: datasets.DataSet, test: ImageSet, frames_of: dict, workspace: Workspace, size: str, kind: str
) -> None:
    """Spectra of the first movie along the line through the strongest Bragg spot of its clean frames."""
    rows, sampling = next(iter(rows_of_movies(test))), data.manifest["frame"]["sampling_angstrom"]
    power = np.mean([power_spectrum(frame) for frame in test.clean[rows, ..., 0]], axis=0)
    y, x = (np.fft.fftfreq(n, sampling) for n in power.shape)
    y, x = np.meshgrid(y, x, indexing="ij")
    distance = np.hypot(y, x)
    spot = np.argmax(np.where((distance > SPOTS[0]) & (distance < SPOTS[1]), power, 0))
    angle = float(np.rad2deg(np.arctan2(y.flat[spot], x.flat[spot])))
    series = {}
    for label, frames in {"Clean": test.clean, **{name: frames_of[name] for name in SCANNED}}.items():
        scans = [frequency_scan(frame, sampling, angle, SPOTS[1], POINTS) for frame in frames[rows, ..., 0]]
        magnitude = np.sqrt(np.mean([values**2 for _, values in scans], axis=0))[1:]
        series[label] = figures.Line(scans[0][0][1:].tolist(), np.log10(np.maximum(magnitude, 1e-12)).tolist())
    picture = figures.lines(series, "Spatial frequency [1/Å]", "log10 of the magnitude")
    path = workspace.picture(size, f"bragg_{kind}")
    figures.write(picture, path)


# ---------------------------------------------------------------------------------------------------- the table
def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """One grid per kind of movie: every method against the truth, against the noisy frames, and in contrast."""
    parts = {
        kind: gather([r for r in records if r["conditions"]["tested_on"] == kind], scores)
        for kind in HEADINGS
        if any(r["conditions"]["tested_on"] == kind for r in records)
    }
    data = tuple(
        {"tested_on": kind, "method": name} | _figures(row, rows[NOISY])
        for kind, rows in parts.items()
        for name, row in rows.items()
    )
    grids = [_grid(kind, [figures for figures in data if figures["tested_on"] == kind]) for kind in parts]
    grids += [trust_grid(kind, rows) for kind, rows in parts.items()]
    title = wording.title("Figures 2 to 4 and S9 to S11", SOURCE, records)
    return Table(title, caption(parts), tuple(grids), tuple(_notes(parts, records)), data)


def _figures(row: Row, noisy: Row) -> dict:
    gain = row.scores["psnr_db"] - noisy.scores["psnr_db"]
    figures = {}
    for name, values in {"psnr_db": row.scores["psnr_db"], "gain_db": gain}.items():
        figures |= wording.estimated(name, values, row.units)
    if "fitted_psnr_db" in row.scores:
        figures["fitted_psnr_db"] = round(row.mean("fitted_psnr_db"), 6)
    figures |= {"ssim": round(row.mean("ssim"), 6), "contrast": round(row.mean("contrast"), 6)}
    figures |= {"clean_contrast": round(row.mean("clean_contrast"), 6)}
    figures |= _upsnr(row, "upsnr", "umse", "mse")
    if REGION[1] in row.scores:
        figures |= _upsnr(row, "region_upsnr", *REGION)
    facts = {"parameters": row.records[0]["parameters"], "movies": len(set(row.units))}
    return figures | facts | {"records": wording.record_ids(row.records)}


def _upsnr(row: Row, name: str, umse: str, mse: str) -> dict:
    """uPSNR over those movies that have one, how many these are, and what it would be with the truth."""
    estimated, true = upsnr_of_movies(row, umse, mse)
    usable, figures = np.isfinite(estimated), wording.with_ends(f"{name}_db", (None,) * 3)
    if usable.any():
        figures = wording.estimated(f"{name}_db", estimated[usable], np.flatnonzero(usable))
    return figures | {f"{name}_movies": int(usable.sum()), f"{name}_from_truth_db": round(float(true.mean()), 6)}


def _grid(kind: str, data: list[dict]) -> Grid:
    """The figures of one kind of movie; the columns of later scores where a record has them."""
    is_fitted, has_region = any("fitted_psnr_db" in f for f in data), any("region_upsnr_db" in f for f in data)
    columns = ("PSNR [dB]", *[FITTED] * is_fitted, "gain [dB]", "SSIM", "uPSNR [dB]")
    columns += ("with the truth [dB]", *["uPSNR of the particle [dB]", "with the truth [dB]"] * has_region)
    columns += ("contrast", "Parameters")
    return Grid((HEADINGS[kind], *columns), tuple(_printed(figures, is_fitted, has_region) for figures in data))


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
        wording.count(figures["parameters"]),
    )


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
        name: wording.printed_estimate(estimate(values, fitted[WCVD].units), "+.2f")
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


def _notes(parts: dict[str, dict[str, Row]], records: list[dict]):
    for kind, rows in parts.items():
        bars = {name: rows[name].mean("psnr_db") for name in (NOISY, BLANK)}
        below = [
            name
            for name, row in rows.items()
            if row.records[0]["seed"] is not None and row.mean("psnr_db") <= max(bars.values())
        ]
        if below:
            yield f"{kind}: {'; '.join(below)} not above {max(bars, key=bars.get)}: they fail the gate there."
        apart = misranked(rows)
        yield (
            f"{kind}: mean uPSNR puts two methods in the wrong order that are {apart:.2f} dB apart; it does not rank "
            "methods that are nearer to each other than that."
            if apart
            else f"{kind}: mean uPSNR puts no two methods in the wrong order."
        )
        yield f"{kind}: the contrast of the clean movies is {rows[NOISY].mean('clean_contrast'):.3f}; noise adds to it."
    for kind in ("au", "co"):
        yield from _level_and_shape(kind, parts.get(kind, {}))
    if any("fitted_psnr_db" in row.scores for rows in parts.values() for row in rows.values()):
        yield FITTED_NOTE
    yield from highest_upsnr(parts)
    yield from about_region(parts)
    if any(name in rows for rows in parts.values() for name in WINDOW_3.values()):
        yield (
            "Gaussian filter, window 3: 3 taps along every axis, with a standard deviation of 0.8, by OpenCV's formula "
            "for a window alone."
        )
    yield (
        "uPSNR compares a denoised frame with noisy frames that its method did not see; its peak is the largest value "
        'of the noisy movie. "With the truth": the same, computed from the clean movie. A movie has no uPSNR where '
        "fewer than three frames are left to compare with, or where the error is estimated as 0 or less. Motion makes "
        "uPSNR too high where frames before and after are left, and too low where only distant frames on one side are."
    )
    chosen = {
        f"{r['conditions']['tested_on']}, {r['method'].removesuffix(', tuned')}: {field} {wording.chosen(tried)}": None
        for r in records
        for field, tried in (r["tuning"] or {}).items()
    }
    if chosen:
        yield f"Tuned for PSNR on validation movies of the kind they are tested on: {'; '.join(chosen)}."
    yield (
        "The paper does not say which frames uPSNR compares with. The last tables show what a method that copies "
        "neighbouring frames gains when those are among them."
    )
    yield "Networks are narrower than the paper's where they have fewer parameters; UDVD of full width is not run."
