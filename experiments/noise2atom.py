"""Noise2Atom on HAADF movies of Pt on carbon: its trainings and scores, for the figures that look at it alone."""

from collections.abc import Iterator

import numpy as np

from experiments import very_noisy
from experiments.movie_methods import BLANK, NOISY, Method, Trained
from experiments.recorder import Recorder
from experiments.workspace import Workspace
from stemjax import datasets
from stemjax.denoisers.constant import Constant
from stemjax.evaluate import ImageSet
from stemjax.metrics.image import contracts, score
from stemjax.metrics.low_frequency import contrast

LABEL = "Noise2Atom"


def trained(size: str, workspace: Workspace, seed: int = 0, denoiser=None, **changes) -> Trained:
    """Noise2Atom by the recipe of its preset, `changes` made to the fields of its `Run`."""
    return very_noisy.trained("noise2atom", size, workspace, LABEL, denoiser, seed, **changes)


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
        atoms | {"low_pass_correlation": correlation, "fitted_psnr_db": psnr_db}
        for atoms, correlation, psnr_db in zip(
            very_noisy.scores(denoised, data, rows.test, best),
            np.asarray(contrast(rows.test.noisy, denoised)).tolist(),
            fitted_psnr(denoised, rows.test),
            strict=True,
        )
    ]
    method.record(rows, denoised, extra, chosen, conditions=conditions)
    return denoised


def fitted_psnr(denoised: np.ndarray, test: ImageSet) -> list[float]:
    """PSNR [dB] of every frame after the gain and offset of its movie that bring it nearest to the noisy frames.

    Noise2Atom draws atoms in a range of its own. The fit does not see the truth; its gain is not below 0, so that an
    inverted movie becomes a constant.
    """
    each, found = contracts(test.imaging.contract(), test.clean, test.images.unit), np.zeros(len(test))
    for movie in dict.fromkeys(test.images.unit.tolist()):
        rows = np.flatnonzero(test.images.unit == movie)
        mean, level = denoised[rows].mean(dtype=float), test.noisy[rows].mean(dtype=float)
        covariance = np.mean((denoised[rows] - mean) * (test.noisy[rows] - level), dtype=float)
        gain = max(covariance / max(denoised[rows].var(dtype=float), 1e-30), 0.0)
        for row in rows:
            found[row] = score(test.clean[row], gain * (denoised[row] - mean) + level, **each[row])["psnr_db"]
    return found.tolist()
