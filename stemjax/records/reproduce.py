"""Whether a record can be reproduced: its images and its method made again, its scores compared with those it has."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stemjax.records import rebuild
from stemjax.records.scores import RANGES, means, rounded

NEAR = 1e-3  # part of a value that two machines may differ by; what counts where a record has no interval


@dataclass(frozen=True)
class Agreement:
    """One score of a record and of its repetition.

    Parameters
    ----------
    recorded, found : float
        Means over units.
    low, high : float or None
        The record's 95 % interval; None with too few units for one.
    largest : float
        Largest difference of a single image.
    image : str
        That image.
    """

    score: str
    recorded: float
    found: float
    low: float | None
    high: float | None
    largest: float
    image: str

    @property
    def agrees(self) -> bool:
        """Whether the repetition lies within the interval; without one, whether it is the same but for last digits."""
        return self.is_near or (self.low is not None and self.low <= self.found <= self.high)

    @property
    def is_near(self) -> bool:
        """Whether it is the same but for last digits, as the same weights on the same images should be."""
        return abs(self.found - self.recorded) <= NEAR * abs(self.recorded)


@dataclass(frozen=True)
class Reproduction:
    """A repetition of a record.

    Parameters
    ----------
    agreements : list of Agreement
    left_out : tuple of str
        Scores that only the record's own experiment takes.
    weights : bool or None
        Whether the weights are bit for bit those of the record; None for a method without any.
    """

    agreements: list[Agreement]
    left_out: tuple[str, ...]
    weights: bool | None

    @property
    def agrees(self) -> bool:
        return all(one.agrees for one in self.agreements)


def reproduce(record: dict, rows: Sequence[dict], data, runs: str | Path = "runs") -> Reproduction:
    """Denoise and score the images of a record again.

    Parameters
    ----------
    rows : list of dict
        Its scores.
    data : datasets.DataSet
        See `rebuild.find_data`.
    """
    denoiser, variables, weights = rebuild.method_of(record, runs, same_weights=False)
    images = rebuild.image_set(record, rows, data)
    denoised = rebuild.denoised_by(denoiser, variables, images)
    again = rounded(rebuild.scored(record, denoised, images, data, rebuild.threshold_of(record)))
    same = None if weights is None else weights == record["checkpoint"]
    names = [name for name in record["scores"] if name in again[0]]
    left_out = tuple(name for name in record["scores"] if name not in names)
    return Reproduction(compare(record, rows, again, names), left_out, same)


def compare(record: dict, rows: Sequence[dict], again: Sequence[dict], names: Sequence[str]) -> list[Agreement]:
    """The scores of a record beside those found now, image by image."""
    now, agreements = means(again), []
    for name in (name for name in names if name in RANGES):
        apart = [abs(new[name] - old[name]) for new, old in zip(again, rows, strict=True)]
        worst = max(range(len(apart)), key=apart.__getitem__)
        low, high = (record["interval"] or {}).get(name, (None, None))
        image = rows[worst]["image"]
        agreements.append(Agreement(name, record["scores"][name], now[name], low, high, apart[worst], image))
    return agreements
