"""The leaderboard: a public benchmark as static pages, a pure function of its definition and the records.

results/benchmark.json               the definition: tracks, data, noise, contracts, rules
results/index.html                   the page; leaderboard/TRACK.html holds the records of a track in full
results/data.json, data.csv          every row of every ranking
"""

import json
from pathlib import Path

from stemjax import records
from stemjax.files import write_whole
from stemjax.leaderboard import benchmark, pictures
from stemjax.leaderboard.data import as_csv, as_json, plain_rows
from stemjax.leaderboard.entries import competing, rankings
from stemjax.leaderboard.page import index_page, record_page


def render(results: str | Path) -> dict[Path, bytes]:
    """Every file of the leaderboard of a results folder: path -> contents.

    Raises
    ------
    ValueError
        If a record was edited, copied or lost, if two of them claim one row, or if a frozen definition was edited; the
        message names it.
    OSError
        If there is no definition.
    """
    results = Path(results)
    definition, every = benchmark.read(results), records.load(results / "records")
    current = records.current(every)
    candidates = competing(definition, current)
    scores = records.load_scores(results / "records", candidates)
    ranked = list(rankings(definition, candidates, scores))
    rows, errata = list(plain_rows(ranked)), benchmark.read_errata(results, definition)
    picture_sets = pictures.read(results, {record["id"] for record in current}, records.origins(every))
    digest = benchmark.digest(json.loads((results / benchmark.NAME).read_text("utf-8")))
    contents = {
        results / "index.html": index_page(definition, ranked, errata, picture_sets, results),
        results / "data.json": as_json(definition, digest, rows),
        results / "data.csv": as_csv(rows),
    }
    for track in definition.tracks:
        of_track = [ranking for ranking in ranked if ranking.track.id == track.id]
        contents[results / "leaderboard" / f"{track.id}.html"] = record_page(track, of_track, scores)
    return contents


def write(results: str | Path) -> list[Path]:
    """Render every file; returns the files."""
    contents = render(results)
    for path, content in contents.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, lambda stream, content=content: stream.write(content))
    return list(contents)


def check(results: str | Path) -> list[str]:
    """Every file that is not, byte by byte, what the records say, one line each; none means all is well.

    A record that is on the page and no longer among the records, or the other way round, is named.
    """
    results, contents = Path(results), render(results)
    problems = [
        f"{path}: {'differs from' if path.exists() else 'missing, though it is in'} the records; `stemjax leaderboard`"
        for path, content in contents.items()
        if not path.exists() or path.read_bytes() != content
    ]
    before, after = _ids(results / "data.json"), _ids(contents[results / "data.json"])
    problems += [f"record {name[:16]} is on the page, but no longer competes" for name in sorted(before - after)]
    problems += [f"record {name[:16]} is not on the page yet" for name in sorted(after - before)]
    pages = sorted((results / "leaderboard").glob("*.html"))
    return problems + [f"{path}: no track has this page; delete it" for path in pages if path not in contents]


def _ids(source: Path | bytes) -> set[str]:
    """Ids of all records in a `data.json`."""
    try:
        text = source if isinstance(source, bytes) else source.read_bytes()
        return {name for row in json.loads(text)["rows"] for name in row.get("records", ())}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return set()  # the comparison of bytes says what is wrong
