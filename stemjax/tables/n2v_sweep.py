"""Figures 8, 9, S3 and S5 to S7 of the Noise2Void paper: quality over the noise of the recording."""

from collections.abc import Iterator

from stemjax import figures
from stemjax.tables.n2v import (
    BARS,
    CHANNELS,
    NETWORK,
    PUBLISHED,
    ROWS,
    SOURCE,
    by_conditions,
    caption,
    common_notes,
    estimate,
    printed,
    verdicts_of,
)
from stemjax.tables.rows import Row
from stemjax.tables.table import Grid, Table

EXPERIMENT = {"adf": 16.4, "bf": 16.2}  # dB: the noise of the paper's own recordings
FILTERS = tuple(name for name in ROWS if name not in (*BARS, NETWORK))


def n2v_figure_8(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Output PSNR and gain of every method at every level of noise, channel by channel."""
    parts = {level: rows for (level,), rows in sorted(by_conditions(found, scores, "input_psnr_db").items())}
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
            | {"records": " ".join(record["id"][:16] for record in swept[level][name].records)}
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
        *common_notes(first, found, tuned=False),
    )
    title = f"Figures 8, 9, S3 and S5 to S7 of {SOURCE}, regenerated at size {found[0]['size']}"
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
