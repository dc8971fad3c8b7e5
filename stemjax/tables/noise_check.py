"""Figure 4.1 of the SBD paper: what the check of the noise finds, as a table, and as a picture of any check."""

from collections.abc import Mapping

import numpy as np

from stemjax import figures
from stemjax.metrics.noise_check import NoiseCheck
from stemjax.tables.table import Grid, Table

TRUTH = {"Poisson": {"gain": 1.0, "offset": 0.0, "read_noise": 0.0}}  # what the class of a noise model leaves unsaid


def sbd_figure_4_1(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """One row per camera: how often its noise was called Poisson, and the moments found beside the true ones."""
    data = tuple(_figures(record, scores[record["id"]]) for record in found)
    columns = ("Camera", "Called Poisson", "Lowest p-value", "Variance / mean", "Gain", "Offset", "Read noise²")
    printed = tuple(
        (
            figures["method"],
            f"{figures['called_poisson']} of {figures['movies']}",
            "not counts" if figures["lowest_p_value"] == "" else f"{figures['lowest_p_value']:.2g}",
            *(_against_truth(figures, name) for name in ("dispersion", "gain", "offset", "read_variance")),
        )
        for figures in data
    )
    imaging, first = found[0]["imaging"], scores[found[0]["id"]]
    caption = (
        f"{len(first)} movies, one per structure of the test split, of {found[0]['conditions']['frames']} noisy draws "
        f"of one clean image each; {imaging['counts']:g} electrons per pixel of vacuum, pixels of "
        f"{imaging['sampling']:g} Å. In parentheses is what was put in."
    )
    notes = (
        "Poisson noise is refused when the histogram of its counts has a p-value below 0.01: in 1 of 100 movies.",
        "Means over structures"
        + (", with 95 % intervals (bootstrap over structures)." if found[0]["interval"] else "."),
        "Gain, offset and read noise come from the mean-variance line and the third moment; nothing is fitted to the "
        "clean image.",
    )
    return Table(
        f"Figure 4.1 of Mohan et al., regenerated at size {found[0]['size']}",
        caption,
        (Grid(columns, printed),),
        notes,
        data,
    )


def _figures(record: dict, rows: list[dict]) -> dict:
    noise = record["imaging"]["noise"]
    truth = TRUTH.get(noise["class"], {}) | {name: value for name, value in noise.items() if name != "class"}
    counts = np.mean([row["mean_counts"] for row in rows])
    p_values = [row["p_value"] for row in rows if "p_value" in row]
    figures = {
        "method": record["method"],
        "movies": len(rows),
        "called_poisson": int(sum(row["is_poisson"] for row in rows)),
        "lowest_p_value": min(p_values) if p_values else "",
        "true_gain": truth["gain"],
        "true_offset": truth["offset"],
        "true_read_variance": round(truth["read_noise"] ** 2, 6),
    }
    variance = truth["gain"] ** 2 * counts + truth["read_noise"] ** 2
    figures["true_dispersion"] = round(float(variance / (truth["gain"] * counts + truth["offset"])), 6)
    for name in ("dispersion", "gain", "offset", "read_variance"):
        low, high = record["interval"][name] if record["interval"] else ("", "")
        figures |= {name: record["scores"][name], f"{name}_low": low, f"{name}_high": high}
    return figures | {"record": record["id"][:16]}


def _against_truth(figures: dict, name: str) -> str:
    interval = f" [{figures[f'{name}_low']:.3f}, {figures[f'{name}_high']:.3f}]" if figures[f"{name}_low"] != "" else ""
    return f"{figures[name]:.3f}{interval} ({figures[f'true_{name}']:.3g})"


def picture(checks: Mapping[str, NoiseCheck]) -> bytes:
    """Histogram and mean-variance line of each check, side by side, as PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.6 * len(checks), 5.6), dpi=180, layout="constrained")
    grid = figure.subplots(2, len(checks), squeeze=False)
    for (upper, lower), (name, check) in zip(grid.T, checks.items(), strict=True):
        _histogram(upper, check)
        _line(lower, check)
        upper.set_title(f"{name}\n{check.verdict}", fontsize=9)
        for axes in (upper, lower):
            axes.spines[["top", "right"]].set_visible(False)
            axes.tick_params(labelsize=8)
            axes.xaxis.label.set_size(8)
            axes.yaxis.label.set_size(8)
            axes.legend(frameon=False, fontsize=7)
    return figures.encode(figure)


def _histogram(axes, check: NoiseCheck) -> None:
    shown = check.observed > 0
    total, width = check.observed.sum(), 0.85 * (check.levels[1] - check.levels[0])
    label = "measured" if len(check.expected) else "measured; no test"
    axes.bar(check.levels[shown], check.observed[shown] / total, width, color=figures.COLOURS[6], label=label)
    axes.set(xlabel="value", ylabel="part of all values", yscale="log", ylim=(0.3 / total, 2))
    if len(check.expected):
        seen = check.expected > 0.5
        label = f"Poisson, p = {check.p_value:.2g}"
        axes.plot(check.levels[seen], check.expected[seen] / total, "_", color="black", markersize=14, label=label)
    axes.xaxis.get_major_locator().set_params(integer=True)


def _line(axes, check: NoiseCheck) -> None:
    ends = np.array([check.group_means.min(), check.group_means.max()])
    axes.plot(
        check.group_means, check.group_variances, "o", color=figures.COLOURS[2], markersize=4, label="pixels, in groups"
    )
    if check.has_line:
        label = f"gain {check.gain.value:.2f}, offset {check.offset.value:.2f}"
        axes.plot(
            ends, check.intercept.value + check.gain.value * ends, color=figures.COLOURS[2], linewidth=1, label=label
        )
    axes.plot(ends, ends, color="#777777", linestyle="--", linewidth=1, label="Poisson: variance = mean")
    axes.set(xlabel="mean over frames", ylabel="variance over frames")
