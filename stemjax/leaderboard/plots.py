"""The plots of a track: its score against parameters, time and dose."""

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path

from stemjax.leaderboard.entries import Ranking
from stemjax.leaderboard.svg import Point, lines, scatter


def plots_html(rankings: Sequence[Ranking], results: Path) -> str:
    """Every plot that the records of a track and size allow; parameters need two networks to be compared."""
    filled = [ranking for ranking in rankings if ranking.entries]
    if not filled:
        return ""
    track, size = filled[0].track, filled[0].size
    figures = list(_swept(filled)) + [figure for ranking in filled for figure in _over_dose(ranking)]
    counts = {entry.parameters for entry in filled[0].entries if entry.parameters}
    if len(counts) > 1 and "reaches" not in track.score:
        figures.append(_over_parameters(filled[0]))
    figures += _over_time(filled, results)
    if not figures:
        return ""
    return f'<div class="plots" data-size="{size}">{"".join(figures)}</div>'


def _over_parameters(ranking: Ranking) -> str:
    points = [
        Point(entry.method, entry.parameters or None, entry.value, entry.low, entry.high, entry.family)
        for entry in ranking.entries
        if entry.method not in ranking.track.bars or entry.method == "Constant"
    ]
    label = _label(ranking)
    svg = scatter(points, "Parameters", label, f"{label} against parameters, {ranking.board.title}")
    left_out = "The noisy images themselves lie below." if len(points) < len(ranking.entries) else ""
    caption = (
        f"{ranking.board.title}: {ranking.track.score['label']} against parameters, with 95 % intervals. {left_out}"
    )
    return _figure(svg, caption)


def _over_dose(ranking: Ranking):
    """Score, and PSNR, against the axis that the headline is read from."""
    entries = [entry for entry in ranking.entries if entry.series]
    if not entries:
        return
    level = ranking.track.score.get("reaches")
    for name, label, mark in ((ranking.score, "Surface F1", level), ("psnr_db", "PSNR [dB]", None)):
        series = {e.method: [Point(e.method, x, *value) for x, value in e.series[name].items()] for e in entries}
        line = (f"F1 = {mark:g}", mark) if mark else None
        svg = lines(series, "Dose [e/Å²]", label, f"{label} against dose", log_x=True, level=line)
        yield _figure(svg, f"{label} against dose, size {ranking.size}, with 95 % bands.")


def _swept(rankings: Sequence[Ranking]):
    """The score of every board of a channel against the axis that the track sweeps."""
    swept = rankings[0].track.swept
    for channel in dict.fromkeys(ranking.board.channel for ranking in rankings if swept):
        boards = [ranking for ranking in rankings if ranking.board.channel == channel]
        names = dict.fromkeys(entry.method for ranking in boards for entry in ranking.entries)
        series = {
            name: [
                Point(name, ranking.board.where[swept["axis"]], entry.value, entry.low, entry.high)
                for ranking in boards
                for entry in ranking.entries
                if entry.method == name
            ]
            for name in names
        }
        channel_name = boards[0].board.title.partition(",")[0]
        label = f"{channel_name}: {_label(boards[0])}"
        svg = lines(series, swept["label"], label, f"{label} against {swept['label']}", log_x=False)
        yield _figure(svg, f"{channel_name}: output against input, with 95 % bands.")


def _over_time(rankings: Sequence[Ranking], results: Path) -> list[str]:
    """Score against measured time, where a benchmark has measured it: no record claims a time."""
    times, ranking = rankings[0].track.times, rankings[0]
    if not times or not (results / "benchmarks" / times["file"]).is_file():
        return []
    measured = json.loads((results / "benchmarks" / times["file"]).read_text("utf-8"))
    of = {row["method"]: row["median_ms_per_frame"] for row in measured["rows"] if row["batch"] == times["batch"]}
    points = [
        Point(entry.method, of[times["rows"][entry.method]], entry.value, entry.low, entry.high, entry.family)
        for entry in ranking.entries
        if times["rows"].get(entry.method) in of
    ]
    if len(points) < 2:
        return []
    label = _label(ranking)
    svg = scatter(points, times["label"], label, f"{label} against time, {ranking.board.title}")
    machine = f"{measured['machine']['cpu']}, {measured['machine']['cores']} cores"
    caption = f"{ranking.board.title}: against time, measured alone on {machine} (benchmarks/{times['file']})."
    return [_figure(svg, caption)]


def _label(ranking: Ranking) -> str:
    score = ranking.track.score
    return f"{score['label']} [{score['unit']}]" if score["unit"] else score["label"]


def _figure(svg: str, caption: str) -> str:
    return f'<figure class="wide">{svg}<figcaption>{escape(caption)}</figcaption></figure>'
