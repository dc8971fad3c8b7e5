"""Noise2Void, Figure 10: a network of one session of the microscope on movies of another.

    stemjax experiment run n2v_figure_10 --size cpu

The sessions differ in defocus, spherical aberration, rotation and blur. Four networks denoise test movies of session b:
the one that learnt from session a, as it is; the same, fine-tuned on half of b's training movies; a fresh one that
learnt from that half; and a fresh one that learnt from all of them. The last three see equally many crops. They are
validated by their own loss on the frames between those that they learn from, since b has no validation movies. The
paper compares the same four on recorded movies, without figures, and concludes that retraining is not required: the old
network serves. Here, at size `cpu`, expect another outcome: the network of session a loses 2 to 11 dB against the fresh
one that saw all of b (in BF at 7 dB it is below the constant), half of b costs 0.4 to 1.1 dB, and fine-tuning, at the
learning rate of a fresh training, is not better than that.

Reference: Thornley et al., "Noise2Void for Denoising Atomic Resolution STEM Images", Figure 10.
"""

from collections.abc import Iterator
from dataclasses import replace

from experiments import n2v
from experiments.movie_methods import Trained
from experiments.n2v import CHANNELS, SOURCE
from experiments.n2v.methods import record_bars
from experiments.pictures import panels
from experiments.recorder import Recorder
from experiments.workspace import Workspace
from stemjax.apply.evaluate import denoise_movies
from stemjax.data import datasets
from stemjax.data.au_graphene import GrapheneImaging
from stemjax.data.images import Frames
from stemjax.figures.montage import montage
from stemjax.metrics import bootstrap
from stemjax.tables import wording
from stemjax.tables.rows import Row, by_conditions
from stemjax.tables.table import Grid, Table
from stemjax.tables.wording import estimate, printed

TIMES = {
    "smoke": "1 min",
    "cpu": "1 min on 2 cores, and 6 trainings of 3 min beside those of Table S1",
    "gpu": "not measured",
}
LEVELS = {"smoke": (7.0,), "cpu": (7.0, 16.0), "gpu": (7.0, 16.0)}  # dB
OLD, FINE_TUNED = "Trained on session a", "Fine-tuned on half of b"
HALF, FRESH = "Fresh on half of b", "Fresh on all of b"
ROWS = ("Noisy", "Constant", OLD, FINE_TUNED, HALF, FRESH)
LEARNT = Frames(session=("b",), stride=2, held_out=True)


def run(size: str, workspace: Workspace) -> None:
    """Train, score and record the networks at every noise level; draw the pictures."""
    data = workspace.au_graphene(size)
    for level, four in networks(size, workspace):
        imaging = n2v.imaging_of(level)
        test = n2v.unseen(data, size, imaging, session="b")
        rows, conditions = Recorder(size, workspace, data, test), {"input_psnr_db": level}
        frames_of = record_bars(rows, conditions=conditions)
        for method, network in four:
            parts = network.run, network.variables, network.info, network.outcome
            frames_of[method] = denoise_movies(network.run.denoiser, network.variables, test)
            rows.add_trained(method, *parts, denoised=frames_of[method], conditions=conditions)
        path = workspace.picture(size, f"{level:g}db")
        pictures = {"ADF, square root": panels(test, frames_of, 0), "BF": panels(test, frames_of, 1)}
        montage(pictures, path, sampling=imaging.sampling)


def networks(size: str, workspace: Workspace) -> Iterator[tuple[float, list[tuple[str, Trained]]]]:
    """The four networks of every noise level [dB]."""
    for level in LEVELS[size]:
        yield level, list(_trained(size, workspace, workspace.au_graphene(size), n2v.imaging_of(level)))


def _trained(
    size: str, workspace: Workspace, data: datasets.DataSet, imaging: GrapheneImaging
) -> Iterator[tuple[str, Trained]]:
    """The four networks of a noise level, trained if they are not yet."""
    level = imaging.noise.psnr_db
    old = n2v.trained(size, workspace, data, imaging, f"Noise2Void at {level:g} dB")
    yield OLD, old
    half = replace(LEARNT, movies=max(training_movies(data) // 2, 1))
    tuned = replace(old.run, selection=half, initial=old.info["digest"])
    label = f"Noise2Void at {level:g} dB, fine-tuned"
    yield FINE_TUNED, Trained(tuned, *workspace.trained(tuned, data, label, old.variables))
    for method, selection in ((HALF, half), (FRESH, LEARNT)):
        label = f"Noise2Void at {level:g} dB, {method[0].lower()}{method[1:]}"
        yield method, n2v.trained(size, workspace, data, imaging, label, selection=selection)


def training_movies(data: datasets.DataSet) -> int:
    """How many training movies session b has."""
    return sum((item["session"], item["split"]) == ("b", "train") for item in data.items)


# ---------------------------------------------------------------------------------------------------- the table
def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """One grid per noise level: every network on the test movies of session b, beside the one that saw all of b."""
    parts = {level: rows for (level,), rows in sorted(by_conditions(records, scores, "input_psnr_db").items())}
    data = tuple(
        {"input_psnr_db": level, "method": name} | _figures(rows[name], rows[FRESH])
        for level, rows in parts.items()
        for name in ROWS
    )
    grids = [_grid(level, [figures for figures in data if figures["input_psnr_db"] == level]) for level in parts]
    first = next(iter(parts.values()))[FRESH]
    movies, record = len(set(first.units)), first.records[0]
    few = movies < bootstrap.FEWEST_UNITS
    caption = (
        f"{wording.data_set(record)}; {len(first.units)} frames of "
        f"{movies} test movies of session b, which no network saw. Scores by protocol `{record['protocol']}`: each "
        "channel by itself, unclamped, its data range the maximum minus the minimum of the clean frame. Means over "
        "movies" + ("; fewer than 10 movies: no intervals." if few else " with 95 % intervals; differences are paired.")
    )
    crops = record["learning_curve"][-1]["crops"]
    notes = (
        f"{OLD}: as it is. The others saw {crops:,} crops of session b each, the fine-tuned one beginning with the "
        f"weights of the first, which had seen {crops:,} of session a.",
        "Fresh networks and the fine-tuned one are those of the least loss on frames of b between the ones they learnt "
        "from; the first, of the least loss on validation movies of a.",
        "The paper, by profiles in recordings: the old network serves a new recording, retraining is not required.",
    )
    title = wording.title("Figure 10", SOURCE, records)
    return Table(title, caption, tuple(grids), notes, data)


def _figures(row: Row, reference: Row) -> dict:
    """Scores of both channels, and how far they are above those of the reference [dB]."""
    figures = {}
    for channel in CHANNELS:
        psnr, all_of_b = (r.scores[f"{channel}_psnr_db"] for r in (row, reference))
        estimates = {"psnr_db": estimate(psnr, row.units)}
        if row is not reference:
            estimates["above_db"] = estimate(psnr - all_of_b, row.units)
        for name, values in estimates.items():
            figures |= wording.with_ends(f"{channel}_{name}", values)
        figures[f"{channel}_ssim"] = round(row.mean(f"{channel}_ssim"), 6)
    return figures | {"movies": len(set(row.units)), "records": wording.record_ids(row.records)}


def _grid(level: float, data: list[dict]) -> Grid:
    lines = []
    for figures in data:
        cells = [figures["method"]]
        for channel in CHANNELS:
            cells += [printed(figures, f"{channel}_psnr_db", ".2f"), printed(figures, f"{channel}_above_db", "+.2f")]
            cells.append(f"{figures[f'{channel}_ssim']:.3f}")
        lines.append(tuple(cells))
    names = ("PSNR [dB]", f"above {FRESH[0].lower()}{FRESH[1:]} [dB]", "SSIM")
    columns = (f"Noise of {level:g} dB", *(f"{c.upper()} {name}" for c in CHANNELS for name in names))
    return Grid(columns, tuple(lines))
