"""The dose at which a curve reaches a level."""

import pytest

from stemjax.tables.atoms import dose_reaching


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.90, 0.95, 0.99], "200"),
        ([0.90, 0.94, 0.96], "283"),  # half way between 200 and 400 on the logarithm
        ([0.90, 0.96, 0.93], "178"),  # 5/6 of an octave; the first time, though it falls again
        ([0.96, 0.97, 0.98], "<= 100"),
        ([0.10, 0.20, 0.94], "not reached"),
    ],
)
def test_the_dose_that_a_level_takes(values, expected):
    """Linear in the logarithm of the dose."""
    assert dose_reaching([100, 200, 400], values) == expected
