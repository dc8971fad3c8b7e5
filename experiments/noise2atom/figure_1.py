"""Noise2Atom, Figure 1: the losses of a training, and where the paper's stopping rule would end it.

    stemjax experiment run noise2atom_figure_1 --size cpu

One training on the noisy movies on 20 nm of carbon. At every validation: both cycles, the critic's distance between
drawn and denoised images, the correlation of low-passed noisy and denoised images, which is negative where the contrast
is inverted, and the PSNR on validation movies, which no part of the training sees. The paper stops where the cycle is
below 0.05 and the low-frequency cycle below 0.1; both are in units of half the range of the movie. The network is
scored on unseen movies. Where that correlation is negative in the first half, the generators are drawn anew, as the
preset asks for. Recorded so far at size `cpu` with the cycle weighing five times the low-frequency cycle (see
`noise2atom_figure_5`): two such restarts, after steps 50 and 100, the rule met at step 500, and after 1000 steps 23.4
dB against 22.3 of a constant.

Reference: Wang, Henninen, Keller, Erni, "Noise2Atom: unsupervised denoising for scanning transmission electron
microscopy images", Applied Microscopy 50:23, 2020, Figure 1.
"""

from experiments import noise2atom, very_noisy
from experiments.movie_methods import Trained, learnt
from experiments.noise2atom import LABEL, PUBLISHED
from experiments.noise2atom.score_table import SCORES, cells, figures_of, notes_of, score_table
from experiments.recorder import Recorder
from experiments.very_noisy import restarts
from experiments.workspace import Workspace
from stemjax import figures
from stemjax.tables.rows import gather
from stemjax.tables.table import Grid, Table

TIMES = {"smoke": "1 min", "cpu": "3 min on one core, after noise2atom_figure_3", "gpu": "not measured"}


def run(size: str, workspace: Workspace) -> None:
    """Train, score and record."""
    data = workspace.haadf_pt(size)
    test, validation = (very_noisy.frames(data, size, very_noisy.LEARNT_FROM, s) for s in ("test", "validation"))
    rows = Recorder(size, workspace, data, test)
    (network,) = networks(size, workspace)
    for method in (*noise2atom.bars(), learnt(LABEL, network)):
        noise2atom.record(rows, method, data, validation)


def networks(size: str, workspace: Workspace) -> list[Trained]:
    """The one that is looked at."""
    return [noise2atom.trained(size, workspace)]


# ---------------------------------------------------------------------------------------------------- the table
CURVES = {  # of a loss curve: name -> heading, format
    "cycle": ("Cycle", ".4f"),
    "low_frequency": ("Low-frequency cycle", ".4f"),
    "distance": ("Critic's distance", ".3f"),
    "penalty": ("Penalty", ".4f"),
    "contrast": ("Low-pass correlation", ".3f"),
}


def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """The loss curve, what the stopping rule says of it, and the scores on unseen movies."""
    rows = gather(records, scores)
    (record,) = rows[LABEL].records
    curve, limits = record["learning_curve"], PUBLISHED["stop_when"]
    limit = {"cycle": limits["cycle_loss_below"], "low_frequency": limits["low_frequency_cycle_loss_below"]}
    met = [point["step"] for point in curve if all(point[name] < value for name, value in limit.items())]
    rule = f"cycle below {limit['cycle']:g} and low-frequency cycle below {limit['low_frequency']:g}"
    when = f"first at step {met[0]}" if met else "at no validation of this training"
    lines = tuple((str(p["step"]), *(format(p[name], form) for name, (_, form) in CURVES.items())) for p in curve)
    losses = Grid(("Step", *(heading for heading, _ in CURVES.values())), lines)
    columns, data = ("Unseen movies", *(heading for heading, _ in SCORES.values())), []
    for name, row in rows.items():
        data.append({"method": name} | figures_of(row))
    grid = Grid(columns, tuple((figure["method"], *cells(figure)) for figure in data))
    notes = (
        f"The paper's rule, {rule}, is met {when}.",
        *restarts(records),
        "Losses are means over the steps since the last validation, in units of half the range of the movie.",
        *notes_of(records),
    )
    data += [{"step": p["step"]} | {name: round(p[name], 6) for name in CURVES} for p in curve]
    steps = [point["step"] for point in curve]
    series = {CURVES[name][0]: figures.Line(steps, [p[name] for p in curve]) for name in ("cycle", "low_frequency")}
    plots = {"losses": lambda: figures.lines(series, "Step", "Loss", level=("paper's rule for the cycle", 0.05))}
    return score_table("Figure 1", rows, (losses, grid), notes, data, plots)
