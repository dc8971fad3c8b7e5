"""Movies: ways to denoise them, trained and not, and their rows in a table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from experiments.recorder import Recorder
from stemjax.apply.evaluate import ImageSet, denoise_movies
from stemjax.data.images import Frames
from stemjax.denoisers.protocol import ask
from stemjax.training.train import Outcome, Run

NOISY = "Noisy"
BLANK = "Constant"  # the row with nothing to see in a picture
EVERY = Frames(session=())  # of any session


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


def learnt(label: str, network: Trained) -> Method:
    """The row of a trained network."""
    return Method(label, network.run.denoiser, network.variables, trained=network)


def denoise_of(images: ImageSet):
    """The function (denoiser, variables, noisy) -> denoised frames, the frames of a movie together."""
    return lambda denoiser, variables, noisy: denoise_movies(denoiser, variables, replace(images, noisy=noisy))


def window_of(denoiser) -> tuple[int, int]:
    """Frames before and after the one it denoises that a denoiser sees."""
    return ask(denoiser, "frames") or (0, 0)


def rows_of_movies(images: ImageSet) -> Iterator[np.ndarray]:
    """The rows of each movie."""
    for movie in dict.fromkeys(images.images.unit.tolist()):
        yield np.flatnonzero(images.images.unit == movie)
