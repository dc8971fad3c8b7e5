"""Rows of a table: the records of one method, put together and ranked."""

from dataclasses import dataclass

import numpy as np

from stemjax.metrics import bootstrap


@dataclass(frozen=True)
class Row:
    """What the records of one method say: every score of every image, averaged over the seeds of its training.

    Parameters
    ----------
    scores : dict
        Score -> float [n_images].
    units : tuple of str
        Structure or movie of each image.
    seed_means : tuple of float
        PSNR [dB] of each seed.
    psnr_db : float [n_seeds, n_images]
        That of every image, not averaged over the seeds.
    """

    method: str
    records: tuple[dict, ...]
    scores: dict
    units: tuple[str, ...]
    seed_means: tuple[float, ...]
    psnr_db: np.ndarray

    def mean(self, name: str) -> float:
        """Mean over units of a score."""
        return float(np.mean(list(bootstrap.unit_means(self.scores[name], self.units).values())))

    def mean_or_blank(self, name: str) -> float | str:
        """Mean over units of a score; an empty text where not every record of the row has it (`records.comparable`)."""
        return self.mean(name) if name in self.scores else ""


def gather(records: list[dict], scores: dict[str, list[dict]]) -> dict[str, Row]:
    """One row per method, from current records of one experiment and size.

    Raises
    ------
    ValueError
        If the records cannot stand in one table: other images or conditions, or two for the same method and seed.
    """
    groups: dict[str, list[dict]] = {}
    for record in records:
        groups.setdefault(record["method"], []).append(record)
    first = [(row["image"], row["unit"]) for row in scores[records[0]["id"]]]
    for record in records:
        for name in ("data_set", "imaging", "protocol", "split"):
            if record[name] != records[0][name]:
                raise ValueError(_unlike(records[0], record, f"of another {name.replace('_', ' ')}"))
        if [(row["image"], row["unit"]) for row in scores[record["id"]]] != first:
            raise ValueError(_unlike(records[0], record, "of other images"))
    return {method: _row(method, sorted(group, key=_seed), scores) for method, group in groups.items()}


def by_conditions(records: list[dict], scores: dict[str, list[dict]], *names: str) -> dict[tuple, dict[str, Row]]:
    """Rows of the records that agree in some of their conditions: their values -> method -> row."""
    parts: dict[tuple, list[dict]] = {}
    for record in records:
        parts.setdefault(tuple(record["conditions"][name] for name in names), []).append(record)
    return {values: gather(part, scores) for values, part in parts.items()}


def _row(method: str, group: list[dict], scores: dict[str, list[dict]]) -> Row:
    for one, other in zip(group, group[1:], strict=False):
        if _seed(one) == _seed(other):
            raise ValueError(_unlike(one, other, f"of the same method and seed ({method}, seed {one['seed']})"))
    common = [name for name in group[0]["scores"] if all(name in record["scores"] for record in group)]
    of_seeds = {name: np.array([[row[name] for row in scores[record["id"]]] for record in group]) for name in common}
    averaged = {name: values.mean(axis=0) for name, values in of_seeds.items()}
    seed_means = tuple(record["scores"]["psnr_db"] for record in group)
    units = tuple(row["unit"] for row in scores[group[0]["id"]])
    return Row(method, tuple(group), averaged, units, seed_means, of_seeds["psnr_db"])


def _seed(record: dict) -> int:
    return -1 if record["seed"] is None else record["seed"]


def _unlike(one: dict, other: dict, reason: str) -> str:
    names = f"records {one['id'][:16]} and {other['id'][:16]}"
    return f"{names} cannot stand in one table: {reason}; let a new record supersede the wrong one"


def ranks(rows: dict[str, Row]) -> dict[str, tuple[int, str]] | None:
    """Rank and tie letters of each method by PSNR; None with too few units to rank.

    The rank is one more than the number of methods that are better beyond doubt: of the units and of the seeds.
    """
    units = next(iter(rows.values())).units
    letters = bootstrap.tie_letters({method: row.psnr_db for method, row in rows.items()}, units)
    if letters is None:
        return None
    methods = list(letters)  # best first
    return {
        method: (
            1 + sum(not set(letters[better]) & set(letters[method]) for better in methods[:index]),
            letters[method],
        )
        for index, method in enumerate(methods)
    }
