"""The dose at which a curve reaches a level."""

import numpy as np
import pytest

from experiments.sbd.dose import _dose_text
from stemjax.metrics.dose import dose_reaching
from stemjax.tables.rows import Row

DOSES = [100, 200, 400]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.90, 0.95, 0.99], 200),
        ([0.90, 0.94, 0.96], 200 * 2**0.5),  # half way between 200 and 400 on the logarithm
        ([0.90, 0.96, 0.93], 100 * 2 ** (5 / 6)),  # the first time, though it falls again
        ([0.96, 0.97, 0.98], 0),
        ([0.10, 0.20, 0.94], np.inf),
    ],
)
def test_the_dose_that_a_level_takes(values, expected):
    """Linear in the logarithm of the dose; of one curve as of many."""
    assert dose_reaching(DOSES, values) == pytest.approx(expected)
    assert dose_reaching(DOSES, [[0.90, 0.95, 0.99], values]) == pytest.approx([200, expected])


@pytest.mark.parametrize(
    ("rising", "spread", "expected"),
    [
        ((0.90, 0.94, 0.96), 0.0, "283"),  # structures alike: nothing to resample
        ((0.90, 0.94, 0.96), 0.03, "283 [{}, > 400]"),
        ((0.96, 0.97, 0.98), 0.05, "<= 100 [<= 100, {}]"),
        ((0.10, 0.20, 0.30), 0.03, "not reached"),
    ],
)
def test_the_dose_has_an_interval_over_structures(rising, spread, expected):
    of_structures = np.linspace(-spread, spread, 12) * (-1) ** np.arange(12)
    of_structures -= of_structures.mean()
    units = tuple(f"structure {index}" for index in range(12))
    rows = {
        dose: Row("UNet", (), {"f1": value + of_structures}, units, (), np.zeros((1, 12)))
        for dose, value in zip(DOSES, rising, strict=True)
    }
    text = _dose_text(rows, "f1")
    before, _, after = expected.partition("{}")
    assert text.startswith(before) and text.endswith(after)
    assert expected == text or 100 < float(text[len(before) : len(text) - len(after)]) < 400
