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
    from stemjax.leaderboard import exchange, trial

    opened = trial.open_track(results, name, size)
    manifest = exchange.export_track(opened.definition, opened.digest, opened.track, opened.parts, data, out, format)
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

    card = submissions.trial_card(f"Predictions in {folder.name}")
    opened = _opened(results, track, size, folder)
    scored, _ = submissions.score_folder(folder, opened.parts, data, allow_constant, log=_log)
    print(opened.standing(list(submissions.drafts(opened.track, scored, card))))


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

    opened = _opened(results, track, size, folder)
    filled = submissions.read_card(card, opened.definition.budget)
    scored, digest = submissions.score_folder(folder, opened.parts, data, allow_constant, log=_log)
    added = list(submissions.drafts(opened.track, scored, replace(filled, predictions=digest)))
    standing = opened.standing(added)
    ids = submissions.submit(results, out, added)
    print(standing)
    for record_id in ids:
        print(f"record {record_id[:16]} in {out / 'records'}")
    print(f"to see it among the others: stemjax leaderboard --results {out}, then open {out / 'index.html'}")


def _opened(results: Path, track: str, size: str, predictions: Path):
    """The track, with a warning where predictions are of another export."""
    from stemjax.leaderboard import exchange, trial

    opened = trial.open_track(results, track, size)
    if doubt := exchange.check_manifest(predictions, opened.track, opened.parts, opened.digest):
        _log(f"warning: {doubt}")
    return opened


def _log(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
