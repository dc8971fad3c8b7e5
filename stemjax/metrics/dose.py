"""The dose that a score takes."""

from collections.abc import Sequence

import numpy as np

LEVEL = 0.95  # of the F1 of surface columns, that a dose is asked for


def dose_reaching(doses: Sequence[float], values: np.ndarray, level: float = LEVEL) -> np.ndarray:
    """The dose at which values [..., n_doses] first reach a level, linear in log dose.

    0 where the lowest dose does already, infinite where none does.

    Examples
    --------
    >>> float(dose_reaching([100, 400], [0.90, 1.00]).round())
    200.0
    """
    doses, values = np.asarray(doses, float), np.asarray(values, float)
    enough = values >= level
    after = enough.argmax(axis=-1)  # the first
    before = np.maximum(after - 1, 0)
    low, high = (np.take_along_axis(values, place[..., None], -1)[..., 0] for place in (before, after))
    part = np.divide(level - low, high - low, out=np.zeros_like(low), where=high > low)
    between = doses[before] * (doses[after] / doses[before]) ** part
    return np.where(enough.any(axis=-1), np.where(after == 0, 0.0, between), np.inf)
