"""Scores of a record: one row per image, from which its means and intervals are taken.

A row is ``{"image": name, "unit": structure or movie, "psnr_db": ..., "ssim": ..., ...}``.
"""

import csv
import io

import numpy as np

from stemjax.metrics import bootstrap

# Scores that a record may hold, and the range beyond which a value is a mistake. A new metric is one line here.
RANGES = {"psnr_db": (-100.0, 100.0), "ssim": (-1.0, 1.0), "nrmse": (0.0, 1e6)}


def rounded(scores: list[dict]) -> list[dict]:
    """The rows with plain strings and floats of six decimals, so that what is stored is what the means are taken of."""
    return [
        {name: round(float(value), 6) if name in RANGES else str(value) for name, value in row.items()}
        for row in scores
    ]


def scores_text(rows: list[dict]) -> str:
    """The rows as CSV."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def read_scores(text: str) -> list[dict]:
    """The rows that `scores_text` wrote."""
    rows = csv.DictReader(io.StringIO(text))
    return [{name: float(value) if name in RANGES else value for name, value in row.items()} for row in rows]


def means(rows: list[dict]) -> dict:
    """Mean over units of each unit's mean, of every score."""
    return {name: round(float(np.mean(list(_by_unit(rows, name).values()))), 6) for name in rows[0] if name in RANGES}


def intervals(rows: list[dict]) -> dict | None:
    """95 % interval over units of every score; None with too few units for one."""
    units = [row["unit"] for row in rows]
    found = {name: bootstrap.interval([row[name] for row in rows], units) for name in rows[0] if name in RANGES}
    if None in found.values():
        return None
    return {name: [round(low, 6), round(high, 6)] for name, (_, low, high) in found.items()}


def _by_unit(rows: list[dict], name: str) -> dict[str, float]:
    return bootstrap.unit_means([row[name] for row in rows], [row["unit"] for row in rows])
