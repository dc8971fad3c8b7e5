"""Noise2Void, Figures 8, 9, S3 and S5 to S7: quality over the noise of the recording.

    stemjax experiment run n2v_figure_8 --size cpu

Gaussian noise of 7 to 20 dB in each channel; a network is trained at each level, the filters are tuned at each, and all
are scored on movies that none of them saw. The point that matches the paper's experiment is 16.4 dB in ADF and 16.2 dB
in BF: frames of both levels, one network trained at 16.4 dB. The plots are output PSNR and gain over input PSNR; the
montages have one row per level and one column per method. The paper's network brings ADF frames from 16.0 to 30.9 and
from 9.9 to 27.5 dB.

Expect at size `cpu` (ADF: at an input of, Gain of Noise2Void [dB]): 7 dB: 23.64 [23.22, 24.02]; 16 dB: 23.76
[23.25, 24.25]; 20 dB: 21.84 [21.19, 22.45].

Expect at size `cpu` (BF: at an input of, Gain of Noise2Void [dB]): 7 dB: 17.70 [17.23, 18.13]; 16 dB: 17.66
[17.22, 18.08]; 20 dB: 16.01 [15.61, 16.40].

Expect at size `cpu` (ADF: at an input of, Gain ratio to Gaussian filter, tuned): 7 dB: 1.13; 16 dB: 1.95; 20 dB: 2.33.

Reference: Thornley et al., "Noise2Void for Denoising Atomic Resolution STEM Images", Figures 8, 9, S3 and S5 to S7.
"""

from collections.abc import Iterator

from experiments import n2v
from experiments.movie_methods import Trained
from experiments.n2v import BARS, CHANNELS, NETWORK, PUBLISHED, ROWS, SOURCE
from experiments.n2v.methods import record_bars, record_filters, record_networks
from experiments.n2v.notes import by_conditions, caption, common_notes, verdicts_of
from experiments.pictures import panels
from experiments.recorder import Recorder
from experiments.workspace import Workspace
from stemjax import figures
from stemjax.data import datasets
from stemjax.figures import Panel
from stemjax.figures.montage import montage
from stemjax.tables import wording
from stemjax.tables.rows import Row
from stemjax.tables.table import Grid, Table
from stemjax.tables.wording import estimate, printed

TIMES = {
    "smoke": "1 min",
    "cpu": "7 min on 2 cores, and 4 trainings of 3 min beside those of n2v_table_s1",
    "gpu": "not measured",
}
ALL = (7.0, 10.0, 13.0, 16.0, 16.2, 16.4, 20.0)  # dB
LEVELS = {"smoke": (7.0, 16.2, 16.4), "cpu": ALL, "gpu": ALL}
TRAINED_AT = {16.2: 16.4}  # dB, where it is another level than that of the frames
EXPERIMENT = {"adf": 16.4, "bf": 16.2}  # dB, in the paper's own recordings


def run(size: str, workspace: Workspace) -> None:
    """Train, tune, score and record every method at every level; draw the montages."""
    data = workspace.au_graphene(size)
    montages: dict[str, dict[str, list[Panel]]] = {channel: {} for channel in EXPERIMENT}
    for level, seeds in networks(size, workspace):
        typical = _record_level(level, seeds, size, workspace, data)
        for channel, images in typical.items():
            if level not in set(EXPERIMENT.values()) - {EXPERIMENT[channel]}:
                montages[channel][f"{level:g} dB"] = images
    for channel, rows in montages.items():
        path = workspace.picture(size, f"montage_{channel}")
        montage(rows, path, sampling=n2v.imaging_of(level).sampling)


def networks(size: str, workspace: Workspace) -> Iterator[tuple[float, list[Trained]]]:
    """The networks that denoise frames of each noise level [dB]: every seed where Table S1 has them."""
    data = workspace.au_graphene(size)
    for level in LEVELS[size]:
        trained_at = TRAINED_AT.get(level, level)
        imaging, label = n2v.imaging_of(trained_at), f"Noise2Void at {trained_at:g} dB"
        seeds = n2v.SEEDS[size] if level in n2v.LEVELS else (0,)
        yield level, [n2v.trained(size, workspace, data, imaging, label, seed=seed) for seed in seeds]


def _record_level(
    level: float, seeds: list[Trained], size: str, workspace: Workspace, data: datasets.DataSet
) -> dict[str, list[Panel]]:
    """Record one level; channel -> one frame as every method shows it."""
    trained_at = TRAINED_AT.get(level, level)
    imaging = n2v.imaging_of(level)
    test = n2v.unseen(data, size, imaging)
    rows = Recorder(size, workspace, data, test)
    facts = {"conditions": {"input_psnr_db": level}}
    frames_of = record_bars(rows, **facts)
    frames_of |= record_filters(rows, n2v.unseen(data, size, imaging, "validation"), **facts)
    frames_of |= record_networks(rows, seeds, conditions={"input_psnr_db": level, "trained_at_psnr_db": trained_at})
    return {channel: panels(test, frames_of, number) for number, channel in enumerate(imaging.channels)}


# ---------------------------------------------------------------------------------------------------- the table
FILTERS = tuple(name for name in ROWS if name not in (*BARS, NETWORK))


def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Output PSNR and gain of every method at every level of noise, channel by channel."""
    parts = {level: rows for (level,), rows in sorted(by_conditions(records, scores, "input_psnr_db").items())}
    grids, data, plots, verdicts = [], [], {}, []
    for channel in CHANNELS:
        # The levels of the paper's experiment differ by channel; each belongs to its own.
        others = set(EXPERIMENT.values()) - {EXPERIMENT[channel]}
        swept = {level: rows for level, rows in parts.items() if level not in others}
        cells = {
            (level, name): _sweep(row, rows, channel) for level, rows in swept.items() for name, row in rows.items()
        }
        data += [
            {"channel": channel, "input_psnr_db": level, "method": name}
            | {key: round(value, 6) if isinstance(value, float) else "" for key, value in cell.items()}
            | {"records": wording.record_ids(swept[level][name].records)}
            for (level, name), cell in cells.items()
        ]
        grids += _sweep_grids(channel, list(swept), cells)
        plots |= _sweep_plots(channel, list(swept), cells)
        for level, rows in swept.items():
            verdicts += verdicts_of(f"{level:g} dB, {channel.upper()}", rows, channel)
    first = next(iter(parts.values()))
    points = ", ".join(f"{p['input_psnr']} to {p['n2v_psnr']} dB" for p in PUBLISHED["figure_8_adf"])
    seeds = ", ".join(f"{level:g} dB: {len(rows[NETWORK].records)}" for level, rows in parts.items())
    notes = (
        *verdicts,
        f"The paper prints two points of its curve, both of ADF: {points}.",
        f"A network is trained at each level (seeds averaged at {seeds}). {EXPERIMENT['adf']} dB (ADF) and "
        f"{EXPERIMENT['bf']} dB (BF) match the paper's experiment; one network, trained with "
        f"{EXPERIMENT['adf']} dB in both channels, serves both.",
        "Gain: PSNR of the output minus that of the noisy frame. Gain ratio: the mean gain of Noise2Void over that of "
        'the filter; "no gain" where the filter\'s own is not above zero beyond doubt.',
        *common_notes(first, records, tuned=False),
    )
    title = wording.title("Figures 8, 9, S3 and S5 to S7", SOURCE, records)
    return Table(title, caption(first, "of the level stated"), tuple(grids), notes, tuple(data), plots)


def _sweep(row: Row, rows: dict[str, Row], channel: str) -> dict:
    """Output PSNR and gain with their intervals, and the gain ratio of the network to this filter."""
    output = row.scores[f"{channel}_psnr_db"]
    gains = {
        name: rows[name].scores[f"{channel}_psnr_db"] - rows["Noisy"].scores[f"{channel}_psnr_db"] for name in rows
    }
    psnr, low, high = estimate(output, row.units)
    gain, gain_low, gain_high = estimate(gains[row.method], row.units)
    ratio = None
    if row.method in FILTERS and (gain if gain_low is None else gain_low) > 0:
        ratio = estimate(gains[NETWORK], row.units)[0] / gain
    return {
        "psnr_db": psnr,
        "psnr_db_low": low,
        "psnr_db_high": high,
        "gain_db": gain,
        "gain_db_low": gain_low,
        "gain_db_high": gain_high,
        "gain_ratio": ratio,
        **{name: row.mean_or_blank(f"{channel}_{name}") for name in ("ssim", "nrmse")},
    }


def _sweep_grids(channel: str, levels: list[float], cells: dict) -> Iterator[Grid]:
    names = [name for name in ROWS if (levels[0], name) in cells]
    lines = [(_level(channel, v), *(printed(cells[v, name], "psnr_db", ".2f") for name in names)) for v in levels]
    yield Grid((f"{channel.upper()}: output PSNR [dB] at an input of", *names), tuple(lines))
    lines = []
    for level in levels:
        ratios = [cells[level, name]["gain_ratio"] for name in FILTERS]
        texts = ("no gain" if ratio is None else f"{ratio:.2f}" for ratio in ratios)
        lines.append((_level(channel, level), printed(cells[level, NETWORK], "gain_db", ".2f"), *texts))
    columns = (
        f"{channel.upper()}: at an input of",
        f"Gain of {NETWORK} [dB]",
        *(f"Gain ratio to {f}" for f in FILTERS),
    )
    yield Grid(columns, tuple(lines))


def _level(channel: str, level: float) -> str:
    return f"{level:g} dB" + " (the experiment's)" * (level == EXPERIMENT[channel])


def _sweep_plots(channel: str, levels: list[float], cells: dict) -> dict:
    """Output PSNR and gain over the input PSNR; the noisy frames are the axis itself."""
    points = [(p["input_psnr"], p["n2v_psnr"]) for p in PUBLISHED["figure_8_adf"]] if channel == "adf" else []
    drawn = [name for name in ROWS if name != "Noisy" and (levels[0], name) in cells]
    plots = {}
    for key, label in (("psnr_db", "output PSNR [dB]"), ("gain_db", "gain in PSNR [dB]")):
        series = {}
        for name in drawn:
            values, low, high = (
                [cells[level, name][f"{key}{end}"] for level in levels] for end in ("", "_low", "_high")
            )
            series[name] = figures.Line(levels, values, *((low, high) if None not in low else (None, None)))
        if points:
            x, y = zip(*points, strict=True)
            published = y if key == "psnr_db" else tuple(b - a for a, b in points)
            series[f"{NETWORK}, published"] = figures.Line(x, published, joined=False)
        level = None if key == "psnr_db" else ("noisy", 0.0)
        plots[f"{key.removesuffix('_db')}_{channel}"] = lambda series=series, label=label, level=level: figures.lines(
            series, "Input PSNR [dB]", f"{channel.upper()}: {label}", level=level
        )
    return plots
