"""Table S1 of the Noise2Void paper, and what the other tables of filters and Noise2Void share with it."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from stemjax.metrics import bootstrap
from stemjax.tables.rows import Row, gather
from stemjax.tables.table import Grid, Table

PUBLISHED = json.loads((Path(__file__).parents[1] / "published.json").read_text("utf-8"))["n2v_stem"]
SOURCE = PUBLISHED["citation"].partition(",")[0]
PAPER_PARAMETERS = 31_446_018
CHANNELS, SCORES = ("adf", "bf"), ("psnr", "ssim", "nrmse")
NETWORK = "Noise2Void"
BARS = ("Noisy", "Constant")
# Row -> its name in the published table, or None.
ROWS = {
    "Noisy": "input",
    "Constant": None,
    "Gaussian filter, paper's": "gaussian",
    "Gaussian filter, tuned": None,
    "Total variation, paper's": "tv",
    "Total variation, tuned": None,
    NETWORK: "n2v",
}


# --------------------------------------------------------------------------------------------------- Table S1
def n2v_table_s1(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Unseen movies, channel by channel and level by level; then the frames that the training saw."""
    parts = by_conditions(found, scores, "input_psnr_db", "frames")
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
        *common_notes(unseen, found),
    )
    title = f"Table S1 of {SOURCE}, regenerated at size {found[0]['size']}"
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
    ahead = _ahead(network, row, channel) if row is not network else ("", None, None)
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
    return {"method": row.method} | rounded | facts | {"records": " ".join(r["id"][:16] for r in row.records)}


def _channel_grid(heading: str, chosen: list[dict]) -> Grid:
    published = any("published_psnr" in figure for figure in chosen)
    lines = []
    for figure in chosen:
        cells = [printed(figure, "psnr_db", ".2f"), f"{figure['ssim']:.3f}", printed(figure, "nrmse", ".3f")]
        cells += [printed(figure, "network_ahead_db", "+.2f"), _seeds(figure)]
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


# --------------------------------------------------------------------------------------------------- shared
def by_conditions(found: list[dict], scores: dict, *names: str) -> dict[tuple, dict[str, Row]]:
    """Rows of the records that agree in some of their conditions, in the order of `ROWS`."""
    parts: dict[tuple, list[dict]] = {}
    for record in found:
        parts.setdefault(tuple(record["conditions"][name] for name in names), []).append(record)
    gathered = {key: gather(part, scores) for key, part in parts.items()}
    return {key: {name: rows[name] for name in ROWS if name in rows} for key, rows in gathered.items()}


def estimate(values, units) -> tuple[float, float | None, float | None]:
    """Mean over movies and the ends of its interval; without ends where there are too few movies."""
    found = bootstrap.interval(values, units)
    return found or (float(np.mean(list(bootstrap.unit_means(values, units).values()))), None, None)


def _ahead(network: Row, row: Row, channel: str) -> tuple[float, float | None, float | None]:
    """How much better the network is on the same frames [dB]."""
    return estimate(network.scores[f"{channel}_psnr_db"] - row.scores[f"{channel}_psnr_db"], row.units)


def printed(figure: dict, name: str, form: str) -> str:
    """A figure with its interval where it has one."""
    value, low, high = (figure.get(f"{name}{end}") for end in ("", "_low", "_high"))
    if value in ("", None):
        return ""
    return format(value, form) + (f" [{low:{form}}, {high:{form}}]" if low not in ("", None) else "")


def _seeds(figure: dict) -> str:
    if figure["seeds"] in ("", 1):
        return str(figure["seeds"])
    return f"{figure['seeds']}: {figure['seed_lowest_db']:.2f} to {figure['seed_highest_db']:.2f}"


def verdicts_of(place: str, rows: dict[str, Row], channel: str) -> Iterator[str]:
    """Whether the network is better than every row, beyond the interval over movies, and no seed is below a bar.

    A trained network that does not beat the noisy frames and their mean has learnt nothing worth a figure.
    """
    network = rows[NETWORK]
    ahead = {name: _ahead(network, row, channel) for name, row in rows.items() if name != NETWORK}
    lowest = min(record["scores"][f"{channel}_psnr_db"] for record in network.records)
    under = [name for name in BARS if lowest <= rows[name].mean(f"{channel}_psnr_db")]
    behind = [name for name, (mean, low, _) in ahead.items() if (mean if low is None else low) <= 0]
    if under:
        yield f"{place}: fails the gate, its lowest seed ({lowest:.2f} dB) is not above {' and '.join(under)}."
    if behind:
        texts = (f"{name} ({_difference(ahead[name])})" for name in behind)
        yield f"{place}: {NETWORK} does not beat {'; '.join(texts)}."
    if not under and not behind:
        closest = min(ahead, key=lambda name: ahead[name][0])
        yield f"{place}: {NETWORK} beats every other row; {closest} comes nearest ({_difference(ahead[closest])})."


def _difference(ahead: tuple) -> str:
    return printed(dict(zip(("d", "d_low", "d_high"), ahead, strict=True)), "d", "+.2f") + " dB"


def caption(rows: dict[str, Row], noise: str = "in each channel") -> str:
    """What was scored, and by which contract."""
    record, row = rows[NETWORK].records[0], rows[NETWORK]
    few = len(set(row.units)) < bootstrap.FEWEST_UNITS
    return (
        f"Data set {record['data_set']['name']}, recipe {record['data_set']['recipe_hash']}; unseen: {len(row.units)} "
        f"frames of {len(set(row.units))} movies that no method saw. Gaussian noise {noise}. Scores by protocol "
        f"`{record['protocol']}`: each channel by itself, unclamped, its data range the maximum minus the minimum of "
        "the clean frame; NRMSE is the root mean square error over the root mean square of the clean frame. Means over "
        "movies" + ("; fewer than 10 movies: no intervals." if few else " with 95 % intervals.")
    )


def common_notes(rows: dict[str, Row], found: list[dict], tuned: bool = True) -> Iterable[str]:
    """How networks and filters came to their settings; with `tuned`, every choice of the filters."""
    record = rows[NETWORK].records[0]
    if record["parameters"] < PAPER_PARAMETERS:
        yield f"The network has {record['parameters']:,} parameters, the paper's {PAPER_PARAMETERS:,}."
    crops = {r["learning_curve"][-1]["crops"] for r in found if r["learning_curve"]}
    if crops:
        counts = f"{crops.pop():,}" if len(crops) == 1 else f"{min(crops):,} to {max(crops):,}"
        yield f"Every network saw {counts} crops; it is scored by its checkpoint of the least loss on held-out movies."
    yield (
        "The paper's filters: Gaussian of 1 px; total variation of weight 1.0 (ADF) and 0.75 (BF), every noisy frame "
        "and channel scaled to [0, 1]. Tuned: the best PSNR on validation movies, by channel and level."
    )
    if tuned:
        chosen = {
            f"{r['conditions']['input_psnr_db']:g} dB, {r['method'].removesuffix(', tuned')} {field} "
            f"{tried['chosen']:.3g}{' (at an end of the values tried)' * bool(tried.get('at_an_end'))}": None
            for r in sorted(found, key=lambda r: (r["conditions"]["input_psnr_db"], r["method"]))
            for field, tried in (r["tuning"] or {}).items()
        }
        if chosen:
            yield f"Chosen: {'; '.join(chosen)}."
        if any(tried["chosen"] == max(tried["values"]) for r in found for tried in (r["tuning"] or {}).values()):
            yield (
                "Both filters approach the Constant as they widen: the widest tried, where chosen, is on its way. "
                "Tuned, total variation runs until it has converged; at the paper's settings it stops before that, by "
                "scikit-image's rule."
            )
