"""`stemjax leaderboard export` and `cards`: rankings for papers and tools, and cards of the data sets."""

import sys
from pathlib import Path
from typing import Annotated, Literal

from stemjax.cli.arguments import named


def export(
    track: Annotated[str, named("NAME")],
    format: Literal["markdown", "latex", "benchopt"] = "markdown",
    size: Literal["cpu", "gpu"] = "cpu",
    board: Annotated[str, named("NAME")] = "",
    results: Annotated[Path, named("FOLDER")] = Path("results"),
) -> None:
    """Print the rankings of a track for a paper or another tool.

    Args:
        track: Name of the track.
        format: Markdown, LaTeX (booktabs), or records as CSV under benchopt's column names. Default: markdown.
        size: Size of the track. Default: cpu.
        board: One ranking of it alone, by its name in benchmark.json.
        results: Folder with the benchmark and its records. Default: results.
    """
    from dataclasses import replace

    from stemjax import records
    from stemjax.leaderboard import benchmark, entries, exports

    definition = benchmark.read(results)
    found = next((one for one in definition.tracks if one.id == track), None)
    if found is None:
        raise ValueError(f"no track named {track!r}; there are {', '.join(one.id for one in definition.tracks)}")
    definition = replace(definition, tracks=(found,))
    candidates = entries.competing(definition, records.current(records.load(results / "records")))
    scores = records.load_scores(results / "records", candidates)
    ranked = [r for r in entries.rankings(definition, candidates, scores) if r.size == size]
    if board and board not in {r.board.id for r in ranked}:
        raise ValueError(f"track {track} has no ranking {board!r}; it has {', '.join(r.board.id for r in ranked)}")
    print(exports.export([r for r in ranked if board in ("", r.board.id)], format), end="")


def cards(
    data: Annotated[Path, named("FOLDER")] = Path("data"),
    results: Annotated[Path, named("FOLDER")] = Path("results"),
) -> None:
    """Write a card and a Croissant description of every data set of the benchmark or of a record that is here.

    Args:
        data: Folder of simulated data sets, data/NAME-SIZE. Default: data.
        results: Folder with the benchmark; cards go to its folder cards. Default: results.
    """
    from stemjax import records
    from stemjax.leaderboard import benchmark
    from stemjax.leaderboard import cards as library

    definition = benchmark.read(results)
    current = records.current(records.load(results / "records"))
    found, missing = library.find_data_sets(definition, data, current)
    for path in library.write_cards(results, definition, found):
        print(path)
    for text in missing:
        print(text, file=sys.stderr)
