"""Plots of several groups side by side: points with bars, box plots, profiles."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stemjax.figures import COLOURS, encode, log_ticks, open_axes

SYMBOLS = ("o", "s", "^", "D", "v", "P")


@dataclass(frozen=True)
class Point:
    """One point of a plot, in the symbol of one group and the colour of another, with a bar over `low` to `high`."""

    x: float
    y: float
    symbol: str
    colour: str
    low: float
    high: float


def points(places: Sequence[Point], xlabel: str, ylabel: str, bar: str) -> bytes:
    """Points over a logarithmic axis, as PNG; colours stand side by side where they share a place.

    Parameters
    ----------
    bar : str
        What the bars are.
    """
    kinds = list(dict.fromkeys(point.symbol for point in sorted(places, key=lambda point: point.x)))
    groups = list(dict.fromkeys(point.colour for point in places))
    if len(kinds) > len(SYMBOLS):
        raise ValueError(f"{len(kinds)} kinds for {len(SYMBOLS)} symbols; draw fewer")
    figure, axes = open_axes(xlabel, ylabel, len(groups))
    figure.set_figwidth(7.2)
    symbols, colours = dict(zip(kinds, SYMBOLS, strict=False)), dict(zip(groups, COLOURS, strict=False))
    for point in places:
        shared = [group for group in groups if any((p.x, p.colour) == (point.x, group) for p in places)]
        x = point.x * 1.035 ** (shared.index(point.colour) - (len(shared) - 1) / 2)
        style = {"color": colours[point.colour], "marker": symbols[point.symbol], "markersize": 5, "capsize": 3}
        ends = [[point.y - point.low], [point.high - point.y]] if point.low < point.high else None
        axes.errorbar(x, point.y, ends, linestyle="", elinewidth=1.2, **style)
    log_ticks(axes, {point.x for point in places})
    handles = [axes.plot([], [], symbols[kind], color="#777777", label=kind)[0] for kind in kinds]
    handles += [axes.plot([], [], color=colours[group], linewidth=5, label=group)[0] for group in groups]
    handles.append(axes.errorbar([], [], [], fmt="none", ecolor="#777777", capsize=3, label=bar))
    figure.legend(handles=handles, loc="outside right upper", frameon=False, fontsize=8, handlelength=1.2)
    return encode(figure)


def boxes(groups: dict[str, dict[str, Sequence[float]]], ylabel: str) -> bytes:
    """Box plots: group (a place on the axis) -> method (a colour) -> values; whiskers at the 5 and 95 percentiles."""
    methods = list(dict.fromkeys(method for group in groups.values() for method in group))
    figure, axes = open_axes("", ylabel, len(methods))
    width = 0.8 / len(methods)
    for index, (colour, method) in enumerate(zip(COLOURS, methods, strict=False)):
        places = [place + (index - (len(methods) - 1) / 2) * width for place in range(len(groups))]
        drawn = axes.boxplot(
            [groups[group][method] for group in groups],
            positions=places,
            widths=0.8 * width,
            whis=(5, 95),
            patch_artist=True,
            flierprops={"marker": ".", "markersize": 3, "markeredgecolor": colour},
            medianprops={"color": colour, "linewidth": 2},
        )
        for part in ("boxes", "whiskers", "caps"):
            for artist in drawn[part]:
                artist.set_color(colour)
        for box in drawn["boxes"]:
            box.set_facecolor("white")
        axes.plot([], [], color=colour, linewidth=2, label=method)
    axes.set_xticks(range(len(groups)), [textwrap.fill(group, 14) for group in groups], fontsize=8)
    figure.legend(loc="outside upper center", ncols=min(len(methods), 2), frameon=False, fontsize=8)
    return encode(figure)


def profiles(
    place: np.ndarray,
    true: np.ndarray,
    profile_of: dict[str, np.ndarray],
    xlabel: str,
    ylabel: str,
    *,
    marks: Sequence[float] = (),
    columns: int = 4,
) -> bytes:
    """A small plot for every method, its profile over the clean one and on its scale, as PNG.

    A profile whose mean lies beyond the clean one, since the level of its method is wrong, has a scale of its own, to
    the right and in its colour.

    Parameters
    ----------
    place, true : float [n]
        Along the profile, and the clean profile there.
    shown : dict
        Title -> the profile [n] that a method has. Peaks far beyond the clean one are cut off.
    marks : sequence of float
        Places marked by grey lines.
    columns : int
        Plots in a row.
    """
    from matplotlib.figure import Figure

    rows = -(-len(profile_of) // columns)
    figure = Figure(figsize=(2.5 * columns, 1.55 * rows + 0.5), dpi=150, layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, squeeze=False)
    reach = np.array([true.min(), true.max()]) + np.array([-0.8, 0.8]) * np.ptp(true)
    for axes, (title, profile) in zip(grid.flat, profile_of.items(), strict=False):
        axes.vlines(marks, *reach, color="#cccccc", linewidth=0.8, zorder=0)
        axes.plot(place, true, color=COLOURS[2], linewidth=1.0, label="clean")
        axes.plot([], [], color=COLOURS[1], linewidth=1.2, label="the method")
        axes.set(ylim=reach)
        drawn = axes
        if not true.min() <= profile.mean() <= true.max():
            drawn, room = axes.twinx(), max(0.8 * np.ptp(profile), 0.01 * np.ptp(true))
            drawn.set(ylim=(profile.min() - room, profile.max() + room))
            drawn.tick_params(labelsize=6, colors=COLOURS[1])
            drawn.spines[["top", "right"]].set_visible(False)
        drawn.plot(place, profile, color=COLOURS[1], linewidth=1.2)
        axes.set_title(title, fontsize=7)
        axes.tick_params(labelsize=6)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in list(grid.flat)[len(profile_of) :]:
        axes.set_visible(False)
    figure.supxlabel(xlabel, fontsize=8)
    figure.supylabel(ylabel, fontsize=8)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=2, frameon=False, fontsize=8)
    return encode(figure)
