"""What a run's best checkpoint goes by."""

import pytest

from stemjax.training.validation import judged


def test_a_method_with_a_loss_of_its_own_is_not_judged_by_the_truth():
    assert judged({"validation_psnr_db": 30.0}) == 30.0
    better, worse = ({"validation_psnr_db": psnr, "validation_loss": loss} for psnr, loss in ((20.0, 0.1), (30.0, 0.2)))
    assert judged(better) > judged(worse)


@pytest.mark.parametrize("better, worse", [(-2.0, -1.0), (-0.5, 0.5), (0.1, 0.2)])
def test_a_loss_below_zero_is_better_than_one_above(better, worse):
    assert judged({"validation_loss": better}) > judged({"validation_loss": worse})
