"""Movies: ways to denoise them, trained and not, and their rows in a table."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from experiments.recorder import Recorder
from stemjax.apply.evaluate import ImageSet, denoise_movies
from stemjax.training.train import Outcome, Run

__all__ = ["BLANK", "NOISY", "Method", "Trained", "denoise_movies", "one_movie"]

NOISY = "Noisy"
BLANK = "Constant"  # the row with nothing to see in a picture


@dataclass(frozen=True)
class Trained:
    """A trained network."""

    run: Run
    variables: dict
    info: dict
    outcome: Outcome


@dataclass(frozen=True)
class Method:
    """A row of a table: a way to denoise, and what is to be recorded of it.

    Parameters
    ----------
    label : str
    denoiser : optional
        None for the noisy frames as they are.
    variables : dict
    tuning : dict, optional
        Of a filter; see `evaluate.tune`.
    trained : Trained, optional
        Of a network.
    """

    label: str
    denoiser: Any = None
    variables: dict = field(default_factory=dict)
    tuning: dict | None = None
    trained: Trained | None = None

    def denoise(self, images: ImageSet) -> np.ndarray:
        """Frames [M, H, W, C] as this method has them."""
        if self.denoiser is None:
            return images.noisy
        return denoise_movies(self.denoiser, self.variables, images)

    def record(self, rows: Recorder, denoised: np.ndarray, extra: Sequence[dict], chosen: dict | None = None, **facts):
        """Record its row with further scores of every frame, `chosen` beside its own tuning."""
        tuning = (self.tuning or {}) | (chosen or {}) or None
        if self.trained is None:
            is_raw = self.denoiser is None
            rows.add(self.label, self.denoiser, denoised, is_raw=is_raw, extra=extra, tuning=tuning, **facts)
        else:
            parts = self.trained.run, self.trained.variables, self.trained.info, self.trained.outcome, tuning
            rows.add_trained(self.label, *parts, denoiser=self.denoiser, denoised=denoised, extra=extra, **facts)


def one_movie(images: ImageSet) -> np.ndarray:
    """Rows of the movie that is shown."""
    return np.flatnonzero(images.images.unit == images.images.unit[images.images.typical])
