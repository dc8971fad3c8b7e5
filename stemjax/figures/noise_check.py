"""A check of the noise as a picture: histogram of the readings, and variance over mean."""

from collections.abc import Mapping

import numpy as np

from stemjax import figures
from stemjax.metrics.noise_check import NoiseCheck


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
    counted = check.observed > 0
    total, width = check.observed.sum(), 0.85 * (check.levels[1] - check.levels[0])
    label = "measured" if len(check.expected) else "measured; no test"
    axes.bar(check.levels[counted], check.observed[counted] / total, width, color=figures.COLOURS[6], label=label)
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
