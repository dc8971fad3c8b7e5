"""The rows of every ranking as plain values: `data.json`, `data.csv`, and what the page's own rows carry."""

import csv
import io
import json
import math
from collections.abc import Iterator, Sequence

from stemjax.leaderboard.benchmark import Benchmark
from stemjax.leaderboard.entries import Entry, Ranking

COLUMNS = (
    *("track", "board", "size", "status", "method", "score", "value", "low", "high", "rank", "rank_low", "rank_high"),
    *("letters", "family", "supervision", "rules", "settings", "parameters", "field_of_view", "seeds", "units"),
    *("images", "data_set", "recipe_hash", "experiment", "reason", "source", "records"),
)


def plain_rows(rankings: Sequence[Ranking]) -> Iterator[dict]:
    """One dict per row: status ranked, unranked (too few units), missing, left out or published."""
    for ranking in rankings:
        for entry in ranking.entries:
            yield of_entry(ranking, entry)
        place = {"track": ranking.track.id, "board": ranking.board.id, "size": ranking.size, "score": ranking.score}
        yield from (place | {"status": "missing", "method": method} for method in ranking.missing)
        for record, reason in ranking.left_out:
            facts = {"method": record["method"], "reason": reason, "records": [record["id"]]}
            yield place | {"status": "left out"} | facts
        for row in ranking.published:
            facts = {"method": row.method, "value": row.value, "parameters": row.parameters, "source": row.source}
            yield place | {"status": "published"} | facts


def of_entry(ranking: Ranking, entry: Entry) -> dict:
    """A competing row; numbers of six decimals, an infinite one as text."""
    record, rank = entry.records[0], entry.rank
    row = {
        "track": ranking.track.id,
        "board": ranking.board.id,
        "size": ranking.size,
        "status": "ranked" if rank else "unranked",
        "method": entry.method,
        "score": ranking.score,
        "value": plain(entry.value),
        "low": plain(entry.low),
        "high": plain(entry.high),
        "family": entry.family,
        "supervision": entry.supervision,
        "rules": entry.rules,
        "settings": entry.settings,
        "parameters": entry.parameters,
        "field_of_view": record["field_of_view"],
        "seeds": seeds(entry),
        "units": len(ranking.units),
        "images": entry.images,
        "data_set": record["data_set"]["name"],
        "recipe_hash": record["data_set"]["recipe_hash"],
        "experiment": record["experiment"],
        "also": {name: plain(value) for name, value in entry.also.items()},
        "of_units": {unit: plain(value) for unit, value in entry.unit_values.items()},
        "of_seeds": list(entry.seed_values),
        "records": [record["id"] for record in entry.records],
    }
    if rank:
        row |= {"rank": rank.rank, "rank_low": rank.low, "rank_high": rank.high, "letters": rank.letters}
    return row


def seeds(entry: Entry) -> int:
    """How many trainings; 0 for a method that is not trained."""
    return len({record["seed"] for record in entry.records} - {None})


def plain(value: float | None) -> float | str | None:
    """A number that JSON can hold."""
    if value is None or math.isfinite(value):
        return None if value is None else round(value, 6)
    return "not reached"


def as_json(definition: Benchmark, digest: str, rows: Sequence[dict]) -> bytes:
    """All rows, with the version and digest of the definition."""
    head = {"benchmark": definition.benchmark, "version": definition.version, "published": definition.published}
    content = head | {"definition_sha256": digest, "rows": list(rows)}
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode()


def as_csv(rows: Sequence[dict]) -> bytes:
    """One line per row; the values of units, seeds and further scores are in the JSON."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n", restval="", extrasaction="ignore")
    writer.writeheader()
    for row in rows:
        filled = {name: "" if value is None else value for name, value in row.items()}
        writer.writerow(filled | {"records": " ".join(row.get("records", ()))})
    return stream.getvalue().encode()
