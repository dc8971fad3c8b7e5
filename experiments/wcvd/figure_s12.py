"""WCVD, Figure S12: the drift of a movie, by what its frames went through before they were registered.

    stemjax experiment run wcvd_figure_s12 --size cpu

The frames of unseen movies of Pt on CeO2 (0.12 electrons per pixel and frame), of gold on carbon and of Co on CeO2,
whose drift is known, registered as they are, after a Gaussian filter in the plane (in both readings of the paper's size
3, a window and a standard deviation, and wide), after one in space and time (in both readings), and denoised by WCID,
which sees one frame at a time. In the paper drift is left after a Gaussian filter in space and time, and none after
WCID or a Gaussian filter in the plane. They are registered against the mean of all frames before, against the frame
before, and against the mean of all others (not in the paper). A score is the root mean square distance from the true
path, both less their means; a movie that is refused counts as one that does not drift. A method that mixes frames, as a
filter in space and time and WCVD do, puts each frame's noise into its neighbours, where registration finds it again:
WCVD stands in the table to show that. What no registration can be better than, the Cramér-Rao bound, is noted for each
kind.

Expect at size `cpu` (Au on carbon, mean: off the true path [px]): As recorded: 0.53 [0.50, 0.57]; WCID: 0.15
[0.14, 0.16].

Expect at size `cpu` (Au on carbon, running: registered): As recorded: 0 of 10; WCID: 4 of 10.

On Pt, whose 256 x 256 pixels hold too few electrons, every movie is refused unless a filter in time has mixed its
frames.

Reference: Lee et al., Figure S12.
"""

from collections.abc import Iterator

import numpy as np

from experiments import wcvd
from experiments.movie_methods import Method, learnt, rows_of_movies
from experiments.recorder import Recorder
from experiments.wcvd import HEADINGS, READINGS, SIGMA_3, SOURCE, WINDOW_3, caption
from experiments.workspace import Workspace
from stemjax.apply.evaluate import ImageSet
from stemjax.data import datasets
from stemjax.denoisers.space_time_gaussian import SpaceTimeGaussian
from stemjax.physics.drift import CUMULATIVE, MEAN, RUNNING, RegistrationError, bound, register
from stemjax.tables import wording
from stemjax.tables.rows import Row, by_conditions
from stemjax.tables.table import Grid, Table
from stemjax.tables.wording import estimate, printed

TIMES = {"smoke": "1 min", "cpu": "15 min on one core, after the trainings of wcvd_figure_2", "gpu": "not measured"}
GAUSSIANS = {
    "Gaussian filter, window 3": wcvd.PAPER_FILTERS[WINDOW_3["2-D"]],
    "Gaussian filter, sigma 3": wcvd.PAPER_FILTERS[SIGMA_3["2-D"]],
    "Gaussian filter, sigma 8": SpaceTimeGaussian(8.0, 0.0),
    **{label: wcvd.PAPER_FILTERS[label] for label in (WINDOW_3["3-D"], SIGMA_3["3-D"])},
}
REACH = 1.0  # Å between neighbouring frames: less than half of a column's distance


def run(size: str, workspace: Workspace) -> None:
    """Register, score and record every movie after every pre-filter."""
    learnt = networks(size, workspace)
    filters = {label: Method(label, denoiser) for label, denoiser in GAUSSIANS.items()}
    for kind in wcvd.KINDS:
        data, test = wcvd.movies(kind, size, workspace)
        rows = Recorder(size, workspace, data, test)
        for method in (Method("As recorded"), *filters.values(), *learnt.values()):
            denoised = method.denoise(test)
            for reference in (RUNNING, CUMULATIVE, MEAN):
                extra = _registered(denoised, data, test, reference)
                method.record(rows, denoised, extra, conditions={"kind": kind, "reference": reference})


def networks(size: str, workspace: Workspace) -> dict[str, Method]:
    """The networks that denoise before registration."""
    return {
        label: learnt(label, wcvd.trained(preset, size, workspace, label))
        for label, preset in {"WCID": "wcid", "WCVD": "wcvd"}.items()
    }


def _registered(frames: np.ndarray, data: datasets.DataSet, test: ImageSet, reference: str) -> list[dict]:
    """How far the path of each movie is from the true one [px], for every frame that of its whole movie."""
    motion, sampling = np.asarray(data.array("frames.npy")), data.manifest["frame"]["sampling_angstrom"]
    scores: list[dict] = [{} for _ in frames]
    bounds = _bounds(test)
    for rows in rows_of_movies(test):
        own = motion[motion["item"] == test.images.item[rows[0]]]
        own = own[np.argsort(own["frame"])][test.images.frame[rows]]
        true = np.stack([own["drift_y_angstrom"], own["drift_x_angstrom"]], axis=-1).astype(float) / sampling
        try:
            path, registered = register(frames[rows, ..., 0], reference=reference, reach=REACH / sampling).path, 1.0
        except RegistrationError:
            path, registered = np.zeros_like(true), 0.0
        apart = (path - path.mean(0)) - (true - true.mean(0))
        error = float(np.sqrt(np.mean(np.sum(apart**2, axis=1))))
        for row in rows:
            scores[row] = {"drift_error_px": error, "registered": registered, "drift_bound_px": bounds[row]}
    return scores


def _bounds(test: ImageSet) -> np.ndarray:
    """The smallest error [px] for every frame, the root mean square of its movie; its noise from that very movie."""
    errors = np.zeros(len(test))
    for rows in rows_of_movies(test):
        clean, noisy = test.clean[rows, ..., 0].astype(float), test.noisy[rows, ..., 0]
        slope, offset = np.polyfit(clean.ravel(), (noisy - clean).ravel() ** 2, 1)  # variance of a reading
        errors[rows] = np.sqrt(np.mean(bound(clean, slope * clean + offset) ** 2))
    return errors


# ---------------------------------------------------------------------------------------------------- the table
def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Distance from the true path after every pre-filter, and how many movies were registered."""
    data, gathered = [], by_conditions(records, scores, "kind", "reference")
    for (kind, reference), rows in gathered.items():
        for name, row in rows.items():
            figures = wording.estimated("drift_error_px", row.scores["drift_error_px"], row.units)
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
        grids.append(Grid((HEADINGS[kind].partition(",")[0], *headings), tuple(lines)))
    first = {kind: next(rows for (k, _), rows in gathered.items() if k == kind) for kind in kinds}
    notes = (
        "Root mean square distance from the true path, both less their means; a movie that is refused counts as one "
        "that does not drift.",
        "Running: against the mean of all frames before. Cumulative: against the frame before, the steps added up. "
        "Mean: against the mean of all other frames, round by round.",
        "WCVD mixes the noise of neighbouring frames, so its output should not be registered.",
    )
    notes += tuple(
        f"{HEADINGS[kind].partition(',')[0]}: no frame-by-frame registration can have an error below "
        f"{_bound_of_kind(rows)} px, even against a clean image (Cramér-Rao bound)."
        for kind, rows in first.items()
        if any("drift_bound_px" in row.scores for row in rows.values())
    )
    notes += tuple(_left_by_filters(gathered))
    title = wording.title("Figure S12", SOURCE, records)
    return Table(title, caption(first), tuple(grids), notes, tuple(data))


def _left_by_filters(gathered: dict[tuple[str, str], dict[str, Row]]) -> Iterator[str]:
    """Whether a filter in space and time leaves more drift than one in the plane, paired over movies; by reading."""
    for reading, (_, mixed) in READINGS.items():
        plane = mixed.replace("3-D, ", "")  # as the rows in the plane are named here
        verdicts = []
        for (kind, reference), rows in gathered.items():
            if plane in rows and mixed in rows:
                more = rows[mixed].scores["drift_error_px"] - rows[plane].scores["drift_error_px"]
                mean, low, high = estimate(more, rows[plane].units)
                low, high = (mean if end is None else end for end in (low, high))
                word = "shows" if low > 0 else "fails" if high < 0 else "open"
                text = printed({"more": mean, "more_low": low, "more_high": high}, "more", "+.2f")
                verdicts.append(f"{kind}, {reference}: {word} ({text} px)")
        if verdicts:
            yield (
                "The paper's Figure S12 (a Gaussian filter in space and time leaves drift, one in the plane does not), "
                f"with its size 3 read as {reading}: {'; '.join(verdicts)}."
            )


def _bound_of_kind(rows: dict[str, Row]) -> str:
    """The bound of the noisy movies, the same whatever they go through."""
    row = next(row for row in rows.values() if "drift_bound_px" in row.scores)
    return wording.printed_estimate(estimate(row.scores["drift_bound_px"], row.units), ".2f")


def _path(figures: dict) -> tuple[str, str]:
    return printed(figures, "drift_error_px", ".2f"), f"{figures['registered']} of {figures['movies']}"
