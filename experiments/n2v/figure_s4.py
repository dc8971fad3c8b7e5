"""Noise2Void for STEM, Figure S4 and section 2.7: one network for both channels against one network for each.

    stemjax experiment run n2v_figure_s4 --size cpu

The network for two channels differs from the others in its first and last layer alone, so the pair has twice the
parameters. All see the same places of the same frames, with the same noise and the same mask, so that the losses of the
pair, added up, can be held against that of the dual network. In the paper's Figure S4 the single network of BF has not
converged by the end of its training; it takes the dual network, which is as good or better, and about twice as fast (22
or 23 against 43 ms a frame). Times are measured in `benchmarks/` alone. One seed: it does not show the spread of
trainings.

Expect at size `cpu` (Channel, Dual - single [dB]): ADF: +1.69 [+1.52, +1.86]; BF: +0.22 [+0.11, +0.33].

Reference: Thornley et al., "Noise2Void for Denoising Atomic Resolution Scanning Transmission Electron Microscopy
Images", section 2.7 and Figure S4.
"""

from experiments import n2v
from experiments.movie_methods import Trained
from experiments.n2v import CHANNELS, PUBLISHED, SOURCE
from experiments.n2v.methods import record_bars
from experiments.n2v.notes import ONE_SEED, ablation_caption, few_movies, signed
from experiments.recorder import Recorder
from experiments.workspace import Workspace
from stemjax import figures
from stemjax.apply.evaluate import denoise_movies
from stemjax.metrics import bootstrap
from stemjax.models import presets
from stemjax.tables import wording
from stemjax.tables.rows import Row, gather
from stemjax.tables.table import Grid, Table

TIMES = {
    "smoke": "1 min",
    "cpu": "1 min on 2 cores, and 2 trainings of 3 min beside that of n2v_table_s1",
    "gpu": "not measured",
}
PSNR_DB = 7.0
SINGLE = {"adf": "Single network, ADF", "bf": "Single network, BF"}


def run(size: str, workspace: Workspace) -> None:
    """Train, score and record the three networks."""
    data, imaging = workspace.au_graphene(size), n2v.imaging_of(PSNR_DB)
    test = n2v.unseen(data, size, imaging)
    rows = Recorder(size, workspace, data, test)
    both = {"channels": " + ".join(imaging.channels)}
    record_bars(rows, conditions=both)
    dual, *single = networks(size, workspace)
    _add(rows, "Dual network", dual, both)
    for number, (channel, learnt) in enumerate(zip(imaging.channels, single, strict=True)):
        # the channel cut from the same test frames: as frames of one channel they would have other noise
        alone = Recorder(size, workspace, data, n2v.only(test, number))
        _add(alone, SINGLE[channel], learnt, {"channels": channel})


def networks(size: str, workspace: Workspace) -> list[Trained]:
    """The network of both channels, then that of each."""
    data = workspace.au_graphene(size)
    both = n2v.imaging_of(PSNR_DB)
    denoiser = presets.find_preset("noise2void-single").at(size)
    trained = [n2v.trained(size, workspace, data, both, "Dual network")]
    for channel in both.channels:
        imaging = n2v.imaging_of(PSNR_DB, (channel,))
        trained.append(n2v.trained(size, workspace, data, imaging, SINGLE[channel], denoiser))
    return trained


def _add(rows: Recorder, method: str, learnt: Trained, conditions: dict) -> None:
    denoised = denoise_movies(learnt.run.denoiser, learnt.variables, rows.test)
    rows.add_trained(
        method, learnt.run, learnt.variables, learnt.info, learnt.outcome, denoised=denoised, conditions=conditions
    )


# ---------------------------------------------------------------------------------------------------- the table
SPEED = PUBLISHED["speed_ms_per_frame_512_a5000"]
# Of a network that knows no more than the mean of a movie: its frames are divided by 4 standard deviations.
CONSTANT_LOSS = len(CHANNELS) / 16


def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """The dual network against the pair of single ones: parameters, quality, and the loss of their trainings."""
    parts: dict[str, list[dict]] = {}
    for record in records:
        parts.setdefault(record["conditions"]["channels"], []).append(record)
    together = gather(parts.pop(" + ".join(CHANNELS)), scores)
    single = {channel: next(iter(gather(parts[channel], scores).values())) for channel in CHANNELS}
    dual = together["Dual network"]
    data = [
        _of_channels(name, {channel: (row, f"{channel}_") for channel in CHANNELS}) for name, row in together.items()
    ]
    data.append(_of_channels("Two single networks", {channel: (row, "") for channel, row in single.items()}))
    compared = []
    for channel, row in single.items():
        estimate = bootstrap.difference(dual.scores[f"{channel}_psnr_db"], row.scores["psnr_db"], row.units)
        mean, *ends = estimate or (dual.mean(f"{channel}_psnr_db") - row.mean("psnr_db"), "", "")
        compared.append({"channel": channel, "dual_minus_single_db": mean, "low_db": ends[0], "high_db": ends[1]})
    columns = ("Network", "Parameters", *(f"{c} {s}" for c in CHANNELS.values() for s in ("PSNR [dB]", "SSIM")))
    grids = (
        Grid((*columns, "Validation loss"), tuple(_printed_pair(line) for line in data)),
        Grid(
            ("Channel", "Dual - single [dB]"),
            tuple((CHANNELS[line["channel"]], signed(*list(line.values())[1:])) for line in compared),
        ),
    )
    notes = (
        f"{dual.records[0]['learning_curve'][-1]['crops']:,} crops for every network: the same places of the same "
        "frames, with the same noise and mask.",
        "Validation loss: lowest of the training, squared error at masked pixels of noisy validation frames, in units "
        "of the normalised movie, added over channels. Most of it is noise that nothing can predict: "
        f"a constant has {CONSTANT_LOSS:g}.",
        "In brackets: 95 % interval over movies, of paired differences."
        if compared[0]["low_db"] != ""
        else few_movies(dual),
        ONE_SEED,
        "The paper, in its Figure S4: the single network of BF has not converged; the dual network takes "
        f"{SPEED['n2v_dual']} ms a frame, two single ones {SPEED['n2v_two_mono']} ms. How long trainings and inference "
        "take here is measured in benchmarks alone.",
    )
    plots = {
        "loss": lambda: _draw_curves(dual, single, "validation_loss", "Validation loss, both channels"),
        "psnr": lambda: _draw_curves(dual, single, "validation_psnr_db", "Validation PSNR, mean of both channels [dB]"),
    }
    title = wording.title("Figure S4", SOURCE, records)
    return Table(title, ablation_caption(records), grids, notes, tuple(data), plots)


def _of_channels(name: str, sources: dict[str, tuple[Row, str]]) -> dict:
    """Figures of one line; each channel's from a row, whose names of scores begin with a prefix."""
    distinct = {row.method: row.records[0] for row, _ in sources.values()}.values()
    figures_of = {"network": name, "parameters": sum(record["parameters"] for record in distinct)}
    for channel, (row, prefix) in sources.items():
        for score in ("psnr_db", "ssim"):
            figures_of[f"{channel}_{score}"] = round(row.mean(prefix + score), 6)
    curves = [record["learning_curve"] for record in distinct]
    lowest = [min(point["validation_loss"] for point in curve) for curve in curves if curve]
    figures_of["validation_loss"] = round(sum(lowest), 6) if lowest else ""
    return figures_of | {"records": wording.record_ids(distinct)}


def _printed_pair(line: dict) -> tuple[str, ...]:
    loss = line["validation_loss"]
    cells = [line["network"], wording.count(line["parameters"])]
    cells += [
        f"{line[f'{channel}_{score}']:.{n}f}" for channel in CHANNELS for score, n in (("psnr_db", 2), ("ssim", 3))
    ]
    return (*cells, f"{loss:.4f}" if loss != "" else "")


def _draw_curves(dual: Row, single: dict[str, Row], name: str, label: str) -> bytes:
    """A quantity of the validations over the crops seen: the dual network's, and the two others' sum or mean."""
    curves = [row.records[0]["learning_curve"] for row in (dual, *single.values())]
    crops = [point["crops"] for point in curves[0]]
    values = [[point[name] for point in curve] for curve in curves]
    weight = 1.0 if name == "validation_loss" else 1 / len(single)
    pair = [weight * sum(points) for points in zip(*values[1:], strict=True)]
    series = {"Dual network": figures.Line(crops, values[0]), "Two single networks": figures.Line(crops, pair)}
    level = ("a constant", CONSTANT_LOSS) if name == "validation_loss" else None
    return figures.lines(series, "Crops seen", label, level=level)
