"""Noise2Void, Table S1 with Figures 6 and 7: filters and Noise2Void on simulated movies of gold on graphene.

    stemjax experiment run n2v_table_s1 --size cpu

Gaussian noise of 7 dB in each channel, the paper's, and of 16 dB. The network learns from every other frame of the
training movies, noise as recorded, and is scored on movies it never saw, on frames it learnt from, and on these with
their noise drawn again. Each filter stands twice: at the paper's settings (Gaussian of 1 px; total variation of weight
1.0 for ADF and 0.75 for BF on frames scaled to [0, 1]) and tuned on the validation movies. In the paper Noise2Void
reaches 23 dB (ADF) and 21 dB (BF), total variation 22 and 20, the Gaussian filter 18 and 17.

Expect at size `cpu` (ADF, noise of 7 dB, PSNR [dB]): Constant: 27.93 [27.50, 28.31]; Gaussian filter, tuned: 27.85
[27.44, 28.21]; Total variation, tuned: 27.76 [27.38, 28.11]; Noise2Void: 30.64 [30.22, 31.02].

Expect at size `cpu` (ADF, noise of 16 dB, PSNR [dB]): Constant: 27.95 [27.52, 28.34]; Gaussian filter, tuned: 28.17
[27.90, 28.42]; Total variation, tuned: 30.71 [30.50, 30.91]; Noise2Void: 39.76 [39.25, 40.25].

Expect at size `cpu` (BF, noise of 16 dB, PSNR [dB]): Constant: 21.31 [20.97, 21.67]; Gaussian filter, tuned: 22.73
[22.54, 22.93]; Total variation, tuned: 22.42 [22.20, 22.65]; Noise2Void: 33.67 [33.22, 34.08].

Reference: Thornley et al., "Noise2Void for Denoising Atomic Resolution STEM Images", Table S1, Figures 6 and 7.
"""

from collections.abc import Iterator

import numpy as np

from experiments import n2v
from experiments.movie_methods import Trained
from experiments.n2v import BARS, CHANNELS, NETWORK, PUBLISHED, ROWS, SOURCE
from experiments.n2v.methods import record_bars, record_filters, record_networks
from experiments.n2v.notes import by_conditions, caption, common_notes, lead, verdicts_of
from experiments.pictures import panels
from experiments.recorder import Recorder
from experiments.workspace import Workspace
from stemjax.data import datasets
from stemjax.figures.montage import montage
from stemjax.metrics import bootstrap
from stemjax.tables import wording
from stemjax.tables.rows import Row
from stemjax.tables.table import Grid, Table
from stemjax.tables.wording import estimate, printed

TIMES = {"smoke": "1 min", "cpu": "2 min on 2 cores, and 6 trainings of 3 min", "gpu": "not measured"}
SEEN = {"trained on, as recorded": True, "trained on, noise drawn again": False}  # whether the noise is the recording's


def run(size: str, workspace: Workspace) -> None:
    """Train, tune, score and record every row at both noise levels; draw the pictures."""
    data = workspace.au_graphene(size)
    for level, seeds in networks(size, workspace):
        _record_level(level, seeds, size, workspace, data)


def networks(size: str, workspace: Workspace) -> Iterator[tuple[float, list[Trained]]]:
    """Every seed of the network of each noise level [dB]."""
    data = workspace.au_graphene(size)
    for level in n2v.LEVELS:
        imaging, label = n2v.imaging_of(level), f"Noise2Void at {level:g} dB"
        yield level, [n2v.trained(size, workspace, data, imaging, label, seed=seed) for seed in n2v.SEEDS[size]]


def _record_level(level: float, seeds: list[Trained], size: str, workspace: Workspace, data: datasets.DataSet) -> None:
    imaging, conditions = n2v.imaging_of(level), {"input_psnr_db": level}
    test = n2v.unseen(data, size, imaging)
    rows = Recorder(size, workspace, data, test)
    facts = {"conditions": conditions | {"frames": "unseen"}}
    frames_of = record_bars(rows, **facts)
    frames_of |= record_filters(rows, n2v.unseen(data, size, imaging, "validation"), **facts)
    frames_of |= record_networks(rows, seeds, **facts)
    pictures = {
        "ADF, square root": panels(test, frames_of, 0),
        "BF": panels(test, frames_of, 1),
    }
    path = workspace.picture(size, f"{level:g}db")
    montage(pictures, path, sampling=imaging.sampling)
    for frames, as_recorded in SEEN.items():
        rows = Recorder(size, workspace, data, n2v.trained_on(data, size, imaging, as_recorded))
        facts = {"conditions": conditions | {"frames": frames}, "split": "train"}
        record_bars(rows, **facts)
        record_networks(rows, seeds, **facts)


# ---------------------------------------------------------------------------------------------------- the table
SCORES = ("psnr", "ssim", "nrmse")


def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Unseen movies, channel by channel and level by level; then the frames that the training saw."""
    parts = by_conditions(records, scores, "input_psnr_db", "frames")
    levels = sorted({level for level, _ in parts})
    data = tuple(
        {"input_psnr_db": level, "frames": frames, "channel": channel} | _figures(row, channel, rows[NETWORK])
        for (level, frames), rows in sorted(parts.items(), key=lambda part: (part[0][0], part[0][1] != "unseen"))
        for channel in CHANNELS
        for row in rows.values()
    )
    for figure in data:  # the published table is of noise of 7 dB
        if figure["input_psnr_db"] == 7 and figure["frames"] == "unseen" and ROWS[figure["method"]]:
            published = PUBLISHED["table_s1"][figure["channel"]][ROWS[figure["method"]]]
            figure |= {f"published_{name}": value for name, value in published.items()}
    grids, verdicts = [], []
    for level in levels:
        for channel in CHANNELS:
            chosen = [f for f in data if (f["input_psnr_db"], f["frames"], f["channel"]) == (level, "unseen", channel)]
            grids.append(_channel_grid(f"{channel.upper()}, noise of {level:g} dB", chosen))
            verdicts += verdicts_of(f"{level:g} dB, {channel.upper()}", parts[level, "unseen"], channel)
            grids += _movies_grid(f"{channel.upper()}, noise of {level:g} dB", parts[level, "unseen"], channel)
        grids.append(_frames_grid(level, [f for f in data if f["input_psnr_db"] == level]))
    unseen = parts[levels[0], "unseen"]
    notes = (
        *verdicts,
        "Published figures are of other movies, with BF frames of 6 dB.",
        _nrmse_note(unseen),
        *common_notes(unseen, records),
    )
    title = wording.title("Table S1", SOURCE, records)
    return Table(title, caption(unseen), tuple(grids), notes, data)


def _nrmse_note(rows: dict[str, Row]) -> str:
    """What NRMSE adds to PSNR: the range of the clean frames over their root mean square, here and as published."""
    published, here = [], []
    for channel in CHANNELS:
        of_channel = PUBLISHED["table_s1"][channel].values()
        ratios = [figure["nrmse"] / 10 ** (-figure["psnr"] / 20) for figure in of_channel]
        published.append(f"{min(ratios):.2f} to {max(ratios):.2f} in {channel.upper()}")
        if f"{channel}_nrmse" in (noisy := rows["Noisy"].scores):
            ratio = np.mean(noisy[f"{channel}_nrmse"] / 10 ** (-noisy[f"{channel}_psnr_db"] / 20))
            here.append(f"{ratio:.2f} in {channel.upper()}")
    note = (
        "NRMSE over 10^(-PSNR/20) is the range of a clean frame over its root mean square, which depends on how bright "
        f"the background is: {' and '.join(published)} in the published table"
    )
    return f"{note}, {' and '.join(here)} here." if here else f"{note}."


def _figures(row: Row, channel: str, network: Row) -> dict:
    """The figures of one row and channel by name, an empty text where there is none."""
    psnr, *ends = estimate(row.scores[f"{channel}_psnr_db"], row.units)
    of_seeds = [record["scores"][f"{channel}_psnr_db"] for record in row.records]
    trained = row.records[0]["seed"] is not None
    ahead = lead(network, row, channel) if row is not network else ("", None, None)
    values = {
        "psnr_db": psnr,
        "psnr_db_low": ends[0],
        "psnr_db_high": ends[1],
        **{name: row.mean_or_blank(f"{channel}_{name}") for name in ("ssim", "nrmse")},
        "network_ahead_db": ahead[0],
        "network_ahead_db_low": ahead[1],
        "network_ahead_db_high": ahead[2],
        "seed_lowest_db": min(of_seeds) if trained else "",
        "seed_highest_db": max(of_seeds) if trained else "",
    }
    rounded = {name: round(value, 6) if isinstance(value, float) else "" for name, value in values.items()}
    facts = {"seeds": len(of_seeds) if trained else "", "movies": len(set(row.units))}
    return {"method": row.method} | rounded | facts | {"records": wording.record_ids(row.records)}


def _channel_grid(heading: str, chosen: list[dict]) -> Grid:
    published = any("published_psnr" in figure for figure in chosen)
    lines = []
    for figure in chosen:
        cells = [printed(figure, "psnr_db", ".2f"), f"{figure['ssim']:.3f}", printed(figure, "nrmse", ".3f")]
        cells += [printed(figure, "network_ahead_db", "+.2f"), wording.seeds(figure)]
        if published:
            cells += [f"{figure[name]:g}" if (name := f"published_{score}") in figure else "" for score in SCORES]
        lines.append((figure["method"], *cells))
    columns = ("PSNR [dB]", "SSIM", "NRMSE", f"{NETWORK} better by [dB]", "Seeds: PSNR [dB]")
    columns += ("Published PSNR", "Published SSIM", "Published NRMSE") * published
    return Grid((heading, *columns), tuple(lines))


def _frames_grid(level: float, chosen: list[dict]) -> Grid:
    """The network on movies that it saw and on those that it did not, beside the bars of the same frames."""
    lines = []
    for frames in dict.fromkeys(figure["frames"] for figure in chosen):
        of = {(f["method"], f["channel"]): f for f in chosen if f["frames"] == frames}
        line = [f"{frames[0].upper()}{frames[1:]}"]
        for channel in CHANNELS:
            own = of[NETWORK, channel]
            line += [f"{of[bar, channel]['psnr_db']:.2f}" for bar in BARS]
            line += [printed(own, "psnr_db", ".2f"), f"{own['ssim']:.3f}", printed(own, "nrmse", ".3f")]
        lines.append(tuple(line))
    names = ("noisy [dB]", "constant [dB]", "PSNR [dB]", "SSIM", "NRMSE")
    columns = (f"{NETWORK} on frames, noise of {level:g} dB", *(f"{c.upper()} {n}" for c in CHANNELS for n in names))
    return Grid(columns, tuple(lines))


def _movies_grid(heading: str, rows: dict[str, Row], channel: str) -> list[Grid]:
    """The PSNR of every movie, where there are too few for an interval."""
    units = tuple(dict.fromkeys(rows[NETWORK].units))
    if len(units) >= bootstrap.FEWEST_UNITS:
        return []
    means = {name: bootstrap.unit_means(row.scores[f"{channel}_psnr_db"], row.units) for name, row in rows.items()}
    lines = tuple((name, *(f"{of[unit]:.2f}" for unit in units)) for name, of in means.items())
    return [Grid((f"{heading}: PSNR [dB] of movie", *units), lines)]
