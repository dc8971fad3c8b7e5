"""Wang et al. 2020, "Noise2Atom": what its tables share; trainings and scores for the figures that look at it alone."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from experiments import very_noisy
from experiments.movie_methods import BLANK, NOISY, Method, Trained
from experiments.recorder import Recorder
from experiments.workspace import Workspace
from stemjax.apply.evaluate import ImageSet
from stemjax.data import datasets
from stemjax.data.crops import MovieCrops
from stemjax.denoisers.constant import Constant
from stemjax.denoisers.noise2atom import Noise2Atom
from stemjax.metrics.low_frequency import contrast
from stemjax.models import presets
from stemjax.tables.published import PAPERS

PUBLISHED, SOURCE = PAPERS["noise2atom"], "Wang et al. 2020 (Noise2Atom)"
LABEL = very_noisy.NOISE2ATOM
# Where one training is compared with others, of which there are many, each `left_alone`: at size cpu as many steps as
# of the preset, of smaller batches.
SHORT = {
    "smoke": {},
    "cpu": {"crops": MovieCrops(size=64, count=2), "steps": 1000, "validate_every": 100},
    "gpu": {"steps": 16_384},
}


def trained(size: str, workspace: Workspace, seed: int = 0, denoiser=None, **changes) -> Trained:
    """Noise2Atom by the recipe of its preset, `changes` made to the fields of its `Run`."""
    return very_noisy.trained("noise2atom", size, workspace, LABEL, denoiser, seed, **changes)


def left_alone(size: str) -> Noise2Atom:
    """The denoiser of its preset without restarts, for figures that ask how a training ends."""
    return replace(presets.find_preset("noise2atom").at(size), restart=False)


def bars() -> Iterator[Method]:
    """The rows that every network has to beat."""
    yield Method(NOISY)
    yield Method(BLANK, Constant())


def record(
    rows: Recorder, method: Method, data: datasets.DataSet, validation: ImageSet, conditions: dict | None = None
) -> np.ndarray:
    """Record a row with all scores of Noise2Atom; returns its frames [M, H, W, 1]."""
    best, chosen = very_noisy.threshold(method, data, validation)
    denoised = method.denoise(rows.test)
    extra = [
        of_frame | {"low_pass_correlation": correlation}
        for of_frame, correlation in zip(
            very_noisy.scores(denoised, data, rows.test, best),
            np.asarray(contrast(rows.test.noisy, denoised)).tolist(),
            strict=True,
        )
    ]
    method.record(rows, denoised, extra, chosen, conditions=conditions)
    return denoised
