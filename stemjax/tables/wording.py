"""What every table says in the same words: where its figures come from, intervals, seeds, settings, records."""

from collections.abc import Iterable, Sequence

import numpy as np

from stemjax.metrics import bootstrap
from stemjax.tables.rows import Row

ENDS = ("", "_low", "_high")
# The PSNR after one gain and offset per movie: its column, where the records of a table have it, and what it is.
FITTED = "PSNR, fitted [dB]"
FITTED_NOTE = (
    "Fitted: after the one gain and offset of each movie that bring it nearest to the noisy frames; a wrong level or "
    "range costs nothing there. Where a method keeps part of a pixel's own noise (as a filter does, or a low-pass one "
    "behind a network), the fit follows that noise and can cost much."
)
Estimate = tuple[float, float | None, float | None]  # mean, and the ends of its interval or None


# ---------------------------------------------------------------------------------------------------- where from
def title(figure: str, source: str, records: Sequence[dict]) -> str:
    """The heading of a published table or figure."""
    return f"{figure} of {source}, regenerated at size {records[0]['size']}"


def data_set(record: dict, begin: str = "Data set") -> str:
    """The data set of a record, as a caption begins."""
    return f"{begin} {record['data_set']['name']}, recipe {record['data_set']['recipe_hash']}"


def record_ids(records: Iterable[dict]) -> str:
    """The records behind a row, for the CSV."""
    return " ".join(record["id"][:16] for record in records)


# ---------------------------------------------------------------------------------------------------- intervals
def estimate(values, units) -> Estimate:
    """Mean over units and the ends of its interval; without ends where there are too few units."""
    interval = bootstrap.interval(values, units)
    return interval or (float(np.mean(list(bootstrap.unit_means(values, units).values()))), None, None)


def rounded(value) -> float | str:
    """A figure of the CSV; an empty text for none."""
    return "" if value in ("", None) else round(float(value), 6)


def with_ends(name: str, estimate: Sequence[float | None]) -> dict:
    """A mean and the ends of its interval as figures of a row, an empty text where there is none."""
    return {f"{name}{end}": rounded(value) for end, value in zip(ENDS, estimate, strict=True)}


def estimated(name: str, values, units) -> dict:
    """The figures of `estimate` by name."""
    return with_ends(name, estimate(values, units))


def printed(figures: dict, name: str, form: str) -> str:
    """A figure with its interval where it has one; an empty text where it is missing."""
    value, low, high = (figures.get(f"{name}{end}") for end in ENDS)
    if value in ("", None):
        return ""
    return format(value, form) + (f" [{low:{form}}, {high:{form}}]" if low not in ("", None) else "")


def printed_estimate(estimate: Sequence[float | None], form: str) -> str:
    """A mean with its interval where it has one."""
    return printed(dict(zip(ENDS, estimate, strict=True)), "", form)


def too_few(units: Iterable) -> bool:
    """Whether there are too few units for intervals."""
    return len(set(units)) < bootstrap.FEWEST_UNITS


def means_over(what: str, few: bool, without: str = ": no intervals.") -> str:
    """The end of a caption: what means are over, and whether they have intervals or are too few for them."""
    return f"Means over {what}" + (
        f"; fewer than {bootstrap.FEWEST_UNITS}{without}" if few else " with 95 % intervals."
    )


# ---------------------------------------------------------------------------------------------------- cells
def count(number) -> str:
    """A number of parameters; an empty text for none."""
    return f"{number:,}" if number else ""


def seeds(figures: dict) -> str:
    """How many seeds, and where there are several their lowest and highest PSNR."""
    if figures["seeds"] in ("", 1):
        return str(figures["seeds"])
    return f"{figures['seeds']}: {figures['seed_lowest_db']:.2f} to {figures['seed_highest_db']:.2f}"


def seed_figures(row: Row, means: Sequence[float]) -> dict:
    """How many seeds a row has, and the lowest and highest of their means; empty texts where nothing was trained."""
    if row.records[0]["seed"] is None:
        return dict.fromkeys(("seeds", "seed_lowest_db", "seed_highest_db"), "")
    return {"seeds": len(row.records), "seed_lowest_db": rounded(min(means)), "seed_highest_db": rounded(max(means))}


# ---------------------------------------------------------------------------------------------------- notes
def chosen(tried: dict) -> str:
    """The value of a setting that a search chose, and whether it might have gone on."""
    return f"{tried['chosen']:.3g}{' (at an end of the values tried)' * bool(tried.get('at_an_end'))}"


def crops_seen(records: Iterable[dict]) -> list[int]:
    """How many crops the trained networks saw, each number once, rising."""
    return sorted({record["learning_curve"][-1]["crops"] for record in records if record["learning_curve"]})


def span(numbers: Sequence[int]) -> str:
    """Whole numbers by their ends: "4,000", or "4,000 to 16,000"."""
    return " to ".join(f"{number:,}" for number in sorted({min(numbers), max(numbers)}))
