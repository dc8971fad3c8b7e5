"""`stemjax leaderboard`: render the public leaderboard from the records; see its sub-verbs for one's own methods."""

import sys
from pathlib import Path
from typing import Annotated

from stemjax.cli.arguments import Flag, named
from stemjax.cli.leaderboard_exchange import export_track, score, submit
from stemjax.cli.leaderboard_papers import cards, export


def render(results: Annotated[Path, named("FOLDER")] = Path("results"), check: Flag = False) -> int:
    """Render the leaderboard of a results folder from its records: index.html, data.json, data.csv, a page per track.

    Args:
        results: Folder that holds `benchmark.json` and `records`. Default: results.
        check: Write nothing; exit 1 if a file differs from what the records say, or a record from what its scores say.
    """
    from stemjax import leaderboard as library
    from stemjax import records

    if check:
        problems = [*library.check(results), *records.audit(results / "records")]
        for problem in problems:
            print(f"error: {problem}", file=sys.stderr)
        if not problems:
            print(f"{results}: the leaderboard is what the records say")
        return 1 if problems else 0
    for path in library.write(results):
        print(path)
    return 0


leaderboard = {
    "": render,
    "export-track": export_track,
    "score": score,
    "submit": submit,
    "export": export,
    "cards": cards,
}
