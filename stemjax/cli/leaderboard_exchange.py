"""`stemjax leaderboard export-track`, `score` and `submit`: other people's methods on a track."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro

from stemjax.cli.arguments import Flag, Folder, named

Track = Annotated[str, named("NAME")]
Size = Literal["cpu", "gpu"]
Data = Annotated[Path, named("FOLDER")]
Results = Annotated[Path, named("FOLDER")]
Predictions = Annotated[Path, tyro.conf.Positional, named("DIR")]


def export_track(
    name: Annotated[str, tyro.conf.Positional, named("NAME")],
    out: Folder,
    size: Size = "cpu",
    format: Literal["tif", "npy"] = "tif",
    data: Data = Path("data"),
    results: Results = Path("results"),
) -> None:
    """Write the noisy test images of a track as numbered files, for any program in any framework.

    Args:
        name: Track, as `stemjax leaderboard` names it: pt-ceo2, surface, graphene, movies, haadf or dose.
        out: Folder of the images; manifest.json says what each is, card.json is the method card to fill in.
        size: Size of the track. Default: cpu.
        format: Calibrated float32 TIFF, or NumPy's .npy. Default: tif.
        data: Folder of simulated data sets, data/NAME-SIZE. Default: data.
        results: Folder with the benchmark and its records. Default: results.
    """
    from stemjax.leaderboard import exchange

    definition, digest, track, parts, _, _ = _opened(results, name, size)
    manifest = exchange.export_track(definition, digest, track, parts, data, out, format)
    for part in manifest["parts"]:
        shape = " x ".join(map(str, part["shape"]))
        print(f"{out / part['part']}: {len(part['images'])} images of {shape}, {part['unit']}, {part['use']}")
    print(f"then: stemjax leaderboard score PREDICTIONS --track {name} --size {size}")


def score(
    folder: Predictions,
    /,
    track: Track,
    size: Size = "cpu",
    data: Data = Path("data"),
    results: Results = Path("results"),
    allow_constant: Flag = False,
) -> None:
    """Score a folder of predictions under a track's contract, and say where they would stand.

    Args:
        folder: Predictions, named as the exported images.
        track: Name of the track.
        size: Size of the track. Default: cpu.
        data: Folder of simulated data sets; the clean images are made from them. Default: data.
        results: Folder with the benchmark and its records. Default: results.
        allow_constant: Accept predictions without any contrast.
    """
    from stemjax.leaderboard import submissions

    card = submissions.Card(
        name=f"Predictions in {folder.name}",
        authors="you",
        family="filter",
        supervision="none",
        parameters=0,
        code="",
        licence="",
        trained_on="",
        rules="fixed",
        settings=0,
    )
    definition, _, found_track, parts, found, scores = _opened(results, track, size, folder)
    scored, _ = submissions.score_folder(folder, parts, data, allow_constant, log=_log)
    added = list(submissions.drafts(found_track, scored, card))
    _print_standing(submissions.standing(definition, found_track, found, scores, added), added)


def submit(
    folder: Predictions,
    /,
    track: Track,
    card: Annotated[Path, named("FILE")],
    out: Annotated[Path, named("FOLDER")] = Path("my-results"),
    size: Size = "cpu",
    data: Data = Path("data"),
    results: Results = Path("results"),
    allow_constant: Flag = False,
) -> None:
    """Score predictions and write their record with its method card into a results folder of your own.

    Args:
        folder: Predictions, named as the exported images.
        track: Name of the track.
        card: Method card, a JSON file; `export-track` writes one to fill in.
        out: Your results folder, begun as a copy of the project's. Default: my-results.
        size: Size of the track. Default: cpu.
        data: Folder of simulated data sets; the clean images are made from them. Default: data.
        results: Folder with the benchmark and its records. Default: results.
        allow_constant: Accept predictions without any contrast.
    """
    from dataclasses import replace

    from stemjax.leaderboard import submissions

    definition, _, found_track, parts, found, scores = _opened(results, track, size, folder)
    filled = submissions.read_card(card, definition.budget)
    scored, digest = submissions.score_folder(folder, parts, data, allow_constant, log=_log)
    added = list(submissions.drafts(found_track, scored, replace(filled, predictions=digest)))
    placed = submissions.standing(definition, found_track, found, scores, added)
    ids = submissions.submit(results, out, added)
    _print_standing(placed, added)
    for record_id in ids:
        print(f"record {record_id[:16]} in {out / 'records'}")
    print(f"to see it among the others: stemjax leaderboard --results {out}, then open {out / 'index.html'}")


def _opened(results: Path, name: str, size: str, predictions: Path | None = None) -> tuple:
    """(definition, its digest, track, parts, current records that compete, their scores)."""
    import json

    from stemjax import records
    from stemjax.leaderboard import benchmark, entries, exchange, parts

    definition = benchmark.read(results)
    digest = benchmark.digest(json.loads((results / benchmark.NAME).read_text("utf-8")))
    found = entries.competing(definition, records.current(records.load(results / "records")))
    scores = records.load_scores(results / "records", found)
    track, listed = parts.parts_of(definition, name, size, found, scores)
    if predictions is not None and (doubt := exchange.check_manifest(predictions, track, listed, digest)):
        _log(f"warning: {doubt}")
    return definition, digest, track, listed, found, scores


def _log(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _print_standing(placed: list, added: list) -> None:
    """A line for every ranking: mean, interval, rank and the rows next to it."""
    from stemjax.leaderboard.boards import value_text

    for ranking, entry in placed:
        ends = ""
        if entry.low is not None:
            ends = f" [{value_text(ranking, entry.low)}, {value_text(ranking, entry.high)}]"
        unit = f" {ranking.track.score['unit']}" * bool(ranking.track.score["unit"])
        label = f"{ranking.board.title}: {ranking.track.score['label']} {value_text(ranking, entry.value)}{unit}{ends}"
        more = "".join(f", {name} {value:.3f}" for name, value in entry.also.items())
        print(f"{label}{more}\n  {_place(ranking, entry)}")
    shown = {record["id"] for ranking, entry in placed for record in entry.records}
    if not shown:
        for record, _ in added:
            values = ", ".join(f"{name} {value:.4g}" for name, value in record["scores"].items())
            print(f"{record['experiment']} {record['conditions']}: {values}; in no ranking of this benchmark")


def _place(ranking, entry) -> str:
    from stemjax.leaderboard.boards import value_text

    index = ranking.entries.index(entry)
    if len(ranking.entries) == 1:
        place = "the first row here, nothing to be ranked with"
    elif entry.rank is None:
        place = f"not ranked: {len(ranking.units)} {ranking.track.unit}s are too few"
    else:
        span = f" (95 %: {entry.rank.low} to {entry.rank.high})" * (entry.rank.low < entry.rank.high)
        place = f"would be rank {entry.rank.rank} of {len(ranking.entries)}{span}"
        tied = [e.method for e in ranking.entries if e is not entry and set(e.rank.letters) & set(entry.rank.letters)]
        place += f", not told apart from {', '.join(tied)}" * bool(tied)
    around = {"next above:": index - 1, "next below:": index + 1}
    near = [
        f"{word} {ranking.entries[at].method} ({value_text(ranking, ranking.entries[at].value)})"
        for word, at in around.items()
        if 0 <= at < len(ranking.entries)
    ]
    return "; ".join([place, *near])
