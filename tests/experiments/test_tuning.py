"""The search for batch size and learning rate: what it tries, what it chooses, what it records."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from experiments.tuning import Search, tune_run
from stemjax.data import micrographs
from stemjax.training.train import Optimiser, Run

SEARCH = Search(batches=(2, 8), learning_rates=(1e-3, 2e-3, 4e-3), short_crops=16)
START = Run(denoiser=None, recipe_hash="", crops=micrographs.Crops(count=4), steps=40, optimiser=Optimiser(warmup=2))


@dataclass
class Trainings:
    """Stands in for a workspace: a score for every (batch, learning rate, crops), or a divergence."""

    score: object
    seen: list = field(default_factory=list)

    def trained(self, run, data, label):
        crops = run.steps * run.crops.count
        self.seen.append((run.crops.count, run.optimiser.learning_rate, crops))
        if self.score(*self.seen[-1]) is None:
            raise FloatingPointError("the loss is not finite")
        return {}, {"validation_psnr_db": self.score(*self.seen[-1])}, None


def test_the_rate_is_chosen_by_short_runs_and_the_batch_by_whole_ones():
    # Short runs favour small batches; whole ones the large batch; its best rate is its own.
    best_rate = {2: 1e-3, 8: 2e-3}
    trainings = Trainings(lambda batch, rate, crops: -abs(rate - best_rate[batch]) + (batch if crops > 16 else -batch))
    run, tuning = tune_run("m", START, SEARCH, trainings, None)
    assert run == replace(
        START,
        crops=micrographs.Crops(count=8),
        steps=20,
        validate_every=5,
        optimiser=Optimiser(learning_rate=2e-3, warmup=2),
    )
    assert [seen[2] for seen in trainings.seen] == [16, 16, 16, 160] * 2
    assert tuning["batch"]["chosen"] == 8 and tuning["batch"]["at_an_end"]
    assert tuning["learning rate at batches of 2"]["at_an_end"]
    assert tuning["learning rate at batches of 8"]["chosen"] == 2e-3
    assert not tuning["learning rate at batches of 8"]["at_an_end"]


def test_a_rate_that_diverges_is_recorded_and_not_chosen():
    trainings = Trainings(lambda batch, rate, crops: None if rate > 3e-3 else rate)
    run, tuning = tune_run("m", START, SEARCH, trainings, None)
    assert run.optimiser.learning_rate == 2e-3
    assert tuning["learning rate at batches of 2"]["validation_psnr_db"] == [0.001, 0.002, None]


def test_without_a_search_the_run_stays_as_it_is():
    assert tune_run("m", START, None, None, None) == (START, None)


@pytest.mark.parametrize("batch", SEARCH.batches)
def test_every_batch_size_sees_as_many_crops(batch):
    trainings = Trainings(lambda *_: float(np.pi))
    tune_run("m", START, SEARCH, trainings, None)
    assert {crops for count, _, crops in trainings.seen if count == batch} == {16, 160}
