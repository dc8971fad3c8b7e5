"""Frames of a movie put in place before it is denoised, and how good a denoised movie is without clean frames.

The drift is measured on filtered frames, and the noisy ones are moved by whole pixels alone, so that their noise stays
independent from pixel to pixel. The quality, uPSNR, needs no clean frames; see `metrics.unsupervised`.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from stemjax.physics.drift import MEAN, TYPICAL_DISAGREEMENT, Drift, JumpError, RegistrationError, register

PREFILTERS = (1.5, 3.0, 6.0)  # px, of which the one after which a frame's halves agree best is taken


@dataclass(frozen=True)
class Registered:
    """A movie whose frames are in place.

    Parameters
    ----------
    movie : float32 [T, H, W, C]
        Without the margin that not every frame has.
    drift : Drift
        Its path [px], and how far halves of the frames disagree about it.
    gaussian_px : float
        Of the filter that the drift was measured after.
    """

    movie: np.ndarray
    drift: Drift
    gaussian_px: float

    @property
    def is_doubtful(self) -> bool:
        """Whether frames may be whole lattice spacings off: neighbours by themselves disagree with the path."""
        return self.drift.neighbours > TYPICAL_DISAGREEMENT


def put_in_place(movie: np.ndarray, reach: float | None = None) -> Registered:
    """Measure the drift of a movie [T, H, W, C] and move its frames by whole pixels.

    Parameters
    ----------
    reach : float, optional
        Largest drift looked for [px]; by default a quarter of the frame.

    Raises
    ------
    ValueError
        If it is no movie of two frames or more, or cannot be registered; the message says why.
    """
    movie = np.asarray(movie, np.float32)
    if movie.ndim != 4 or len(movie) < 2:
        raise ValueError("--register is for movies of two frames or more")
    mean, best, refused = movie.mean(axis=-1), None, None
    for sigma in PREFILTERS:
        try:
            fitted = register(mean, lambda m, s=sigma: gaussian_filter(m, (0, s, s)), MEAN, reach)
        except JumpError as error:  # a wider filter would only hide it
            raise ValueError(str(error)) from error
        except RegistrationError as error:
            refused = refused or error
            continue
        if best is None or fitted.disagreement < best[0].disagreement:
            best = fitted, sigma
    if best is None:
        raise ValueError(str(refused)) from refused
    drift, sigma = best
    placed = np.stack([drift.undo(movie[..., channel], whole=True) for channel in range(movie.shape[-1])], axis=-1)
    rows, columns = drift.margin()
    return Registered(placed[:, rows, columns], drift, sigma)
