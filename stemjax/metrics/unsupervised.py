"""Quality of a denoised movie without a clean one: uMSE and uPSNR from the noisy frames themselves, and CSS.

With frames a, b, c of the same scene whose noise is independent of each other and of what the denoiser saw for frame t,

    uMSE_t = mean (a - f)² - mean (b - c)² / 2        E uMSE_t = mean (x - f)²,        uPSNR = 10 log10(M² / uMSE),

f being the denoised frame, x its expectation without noise and M the largest value of the noisy movie. A frame that the
denoiser saw for f, frame t itself above all, must not be among a, b and c: a method that copies it would seem perfect.
So they are taken from outside the `window` = (before, after) of the method. Where the scene moves between frames, uMSE
measures the motion too: its bias is mean (x_a - f)² - mean (x_b - x_c)² / 2 - mean (x - f)². With frames from both
sides b and c are further apart than a and t, so that steady motion makes it negative, and every method seem too good.

References
----------
Marcos-Morales et al., "Evaluating unsupervised denoising requires unsupervised metrics", ICML 2023.
Lee et al. use uPSNR for movies; which frames they take is not stated. Here the nearest ones outside the window are a, b
and c, and the roles of a and b are exchanged once, which takes the same frames twice.
Wang et al. 2020 ("Noise2Atom") for CSS.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

DRAWS = 2000
TILE = 32  # px
FEWEST = 4  # tiles along a side, for the bootstrap to have something to draw from


@dataclass(frozen=True)
class Estimate:
    """An estimate with its 95 % interval.

    Parameters
    ----------
    umse, umse_low, umse_high : float
        In the square of the movie's unit.
    upsnr_db, upsnr_low_db, upsnr_high_db : float
        NaN where the uMSE in question is not above 0, which noise can bring about.
    peak : float
        M, the largest value of the noisy movie.
    frames : int
        That the estimate is a mean of.
    """

    umse: float
    umse_low: float
    umse_high: float
    upsnr_db: float
    upsnr_low_db: float
    upsnr_high_db: float
    peak: float
    frames: int

    @property
    def verdict(self) -> str:
        """ "" or, where the estimate cannot be told from no error at all, that the frames do not suffice."""
        if self.umse_low > 0:
            return ""
        return f"insufficient frames: with {self.frames} of them the error cannot be told from 0"


def references(frames: int, window: tuple[int, int], overlap: bool = False) -> list[tuple[int, int, int, int]]:
    """Frames (t, a, b, c) for every frame t of a movie that has three others outside the denoiser's window.

    The nearest ones are taken, at equal distance the later one first: in the middle of a movie a = t + after + 1,
    b = t - before - 1 and c = t + after + 2 for a symmetric window.

    Parameters
    ----------
    frames : int
        Length of the movie.
    window : (int, int)
        Frames before and after t that the denoiser sees; (0, 0) for one that sees frame t alone.
    overlap : bool
        Take the nearest frames but t itself, seen or not. This is wrong, and here to show by how much.

    Raises
    ------
    ValueError
        If no frame has three others.
    """
    before, after = (0, 0) if overlap else window
    quadruples = []
    for t in range(frames):
        others = [s for s in range(frames) if not -before <= s - t <= after]
        nearest = sorted(others, key=lambda s: (max(s - t - after, t - before - s), s < t))[:3]
        if len(nearest) == 3:
            quadruples.append((t, *nearest))
    if not quadruples:
        least = 3 + 1 + min(before, after)
        seen = f"the denoiser sees {before} before and {after} after each, and uMSE needs three that it does not see"
        raise ValueError(f"insufficient frames: {frames} of them, but {seen}; give at least {least}")
    return quadruples


def umse(
    noisy: np.ndarray,
    denoised: np.ndarray,
    window: tuple[int, int] = (0, 0),
    *,
    overlap: bool = False,
    region: np.ndarray | None = None,
    tile: int = TILE,
    seed: int = 0,
) -> Estimate:
    """uMSE and uPSNR of a denoised movie.

    Parameters
    ----------
    noisy, denoised : float [T, H, W]
        In one unit. The noise must be independent from frame to frame.
    window, overlap
        See `references`.
    region : bool [H, W], optional
        Pixels that count, in all frames; by default every one. It must not be chosen by the noisy frames a, b and c:
        pixels that are high in them by chance would stay in it. The peak M is that of the whole movie all the same.
    tile : int
        Side of the squares [px] that the bootstrap draws, each through all frames. They have to be wider than the
        denoised noise is correlated; in a frame of less than four tiles across they are smaller.

    Returns
    -------
    Estimate
        The interval is for other noise on this movie, not for other movies, and does not hold the bias by motion.

    Raises
    ------
    ValueError
        If there are too few frames, some are copies of each other, the movies or the region do not fit together, or
        the region holds no pixel.
    """
    errors, frames = _errors(noisy, denoised, window, overlap, tile, region)
    low, high = map(float, np.percentile(_resampled(errors, seed), [2.5, 97.5]))
    mean, peak = _mean(errors), float(np.max(noisy))
    return Estimate(mean, low, high, _psnr(peak, mean), _psnr(peak, high), _psnr(peak, low), peak, frames)


def upsnr_difference(
    noisy: np.ndarray, one: np.ndarray, other: np.ndarray, window: tuple[int, int], *, tile: int = TILE, seed: int = 0
) -> tuple[float, float, float]:
    """How much better `one` is than `other` in uPSNR: (difference, low, high) [dB], 95 % interval.

    Both are held against the same frames, so that the noise of a, b and c, which is most of the error of each uPSNR,
    is in both and hardly in their difference.

    Parameters
    ----------
    noisy, one, other : float [T, H, W]
    window : (int, int)
        That covers the windows of both denoisers.

    Returns
    -------
    (float, float, float)
        NaN where a uMSE is not above 0.
    """
    pair = [_errors(noisy, denoised, window, False, tile)[0] for denoised in (one, other)]
    estimates = [(_mean(errors), _resampled(errors, seed)) for errors in pair]
    with np.errstate(invalid="ignore", divide="ignore"):
        differences = 10 * np.log10(estimates[1][1] / estimates[0][1])
        difference = 10 * np.log10(estimates[1][0] / estimates[0][0])
    low, high = np.percentile(differences, [2.5, 97.5])  # NaN where any is
    return float(difference), float(low), float(high)


def css(frames: np.ndarray) -> float:
    """Cross structural similarity: the mean SSIM of neighbouring frames [T, H, W], each taken as one window.

        SSIM(x, y) = (2 mx my + C1) (2 sxy + C2) / ((mx² + my² + C1) (sx² + sy² + C2)),   C1 = 1e-4, C2 = 9e-4

    Raises
    ------
    ValueError
        If there is one frame alone, or a value outside [0, 1].

    Warnings
    --------
    A constant output scores 1, the best there is, and so does any movie that stands still: CSS says that neighbouring
    frames are alike, not that they are right. Give it beside a score against the truth.
    """
    frames = np.asarray(frames, np.float64)
    if len(frames) < 2:
        raise ValueError("CSS compares neighbouring frames: give at least two")
    if frames.min() < 0 or frames.max() > 1:
        raise ValueError(f"CSS is for frames in [0, 1], not {frames.min():g} to {frames.max():g}: scale the movie")
    x, y = frames[:-1].reshape(len(frames) - 1, -1), frames[1:].reshape(len(frames) - 1, -1)
    mx, my = x.mean(1), y.mean(1)
    covariance = (x * y).mean(1) - mx * my
    luminance = (2 * mx * my + 1e-4) / (mx**2 + my**2 + 1e-4)
    return float(np.mean(luminance * (2 * covariance + 9e-4) / (x.var(1) + y.var(1) + 9e-4)))


# ---------------------------------------------------------------------------------------------------- sums over tiles
def _errors(noisy, denoised, window, overlap: bool, tile: int, region=None) -> tuple[np.ndarray, int]:
    """Sum of the squared errors and number of pixels of each tile, [tiles, 2], and how many frames they are from."""
    noisy, denoised = np.asarray(noisy, np.float64), np.asarray(denoised, np.float64)
    if noisy.shape != denoised.shape or noisy.ndim != 3:
        raise ValueError(f"noisy {noisy.shape} and denoised {denoised.shape} must have one shape, [T, H, W]")
    counted = np.ones(noisy.shape[1:], bool) if region is None else np.asarray(region)
    if counted.shape != noisy.shape[1:] or counted.dtype != bool or not counted.any():
        given = f"{counted.dtype} {counted.shape} with {np.count_nonzero(counted)} pixels"
        raise ValueError(f"a region is True in some pixels of a frame {noisy.shape[1:]}; this one is {given}")
    chosen = references(len(noisy), window, overlap)
    _refuse_copies(noisy)
    total = np.zeros(noisy.shape[1:])
    for t, *others in chosen:
        a, b, c = noisy[others]
        error = (a - denoised[t]) ** 2 + (b - denoised[t]) ** 2 - ((b - c) ** 2 + (a - c) ** 2) / 2
        total += error / 2 / len(chosen)
    tile = min(tile, max(min(total.shape) // FEWEST, 1))
    starts = [np.arange(0, side, tile) for side in total.shape]
    sums, pixels = (
        np.add.reduceat(np.add.reduceat(x, starts[0], 0), starts[1], 1) for x in (total * counted, counted * 1.0)
    )
    tiles = np.stack([sums.ravel(), pixels.ravel()], -1)
    return tiles[tiles[:, 1] > 0], len(chosen)


def _refuse_copies(noisy: np.ndarray) -> None:
    """Raise ValueError if two frames [T, H, W] are the same, noise and all; frames of one value say nothing."""
    first: dict[bytes, int] = {}
    for number, frame in enumerate(noisy):
        if np.ptp(frame) and (other := first.setdefault(sha256(frame.tobytes()).digest(), number)) != number:
            raise ValueError(
                f"frames {other} and {number} are copies of each other, but it needs noise that is independent from "
                "frame to frame: give the movie as it was recorded"
            )


def _mean(errors: np.ndarray) -> float:
    return float(errors[:, 0].sum() / errors[:, 1].sum())


def _resampled(errors: np.ndarray, seed: int) -> np.ndarray:
    """Means of as many tiles drawn with replacement, [DRAWS]; the same tiles for every denoiser."""
    chosen = np.random.default_rng(seed).integers(len(errors), size=(DRAWS, len(errors)))
    return errors[chosen, 0].sum(1) / errors[chosen, 1].sum(1)


def _psnr(peak: float, error: float) -> float:
    return float(10 * np.log10(peak**2 / error)) if error > 0 else float("nan")


def common_window(windows: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The smallest window that covers all of them, to hold several methods against the same frames."""
    return max(before for before, _ in windows), max(after for _, after in windows)
