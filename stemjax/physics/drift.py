"""Drift of a movie: where each frame lies relative to the first, to a fraction of a pixel, and frames put in place.

    d_t = argmax_s sum_r w(r) p_t(r + s) q(r),

where p_t is frame t after a filter that makes it fit to be registered, q a reference and w Hann's window. The maximum
is found on a fine grid around the best whole pixel, by the matrix product of Guizar-Sicairos et al., as in the WCVD
paper.

A lattice looks the same after a step from column to column, and scikit-image's `phase_cross_correlation`, which looks
everywhere, finds such steps in noisy frames. So the maximum is searched for around where the frame before lay, no
further than `reach`, and three neighbouring frames must agree: d(t, t + 2) = d(t, t + 1) + d(t + 1, t + 2).

Two frames of a few thousand electrons do not say how they lie to each other, but each can be compared with the mean of
all the others, which is found along with the path, round by round. There the left and the right half of each frame,
whose noise is independent, must agree.

Noisy counts are moved by whole pixels alone: interpolation would correlate their noise.

References
----------
Guizar-Sicairos, Thurman, Fienup, "Efficient subpixel image registration algorithms", Optics Letters 33, 2008.
Lee et al., the WCID/WCVD pipeline, for registration of denoised frames.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import fourier_shift

CUMULATIVE, RUNNING, MEAN = "cumulative", "running", "mean"
ROUNDS = 12  # of the mean of all frames, at most
PASSES = 2  # the second begins where the first has put the frame, so that the window cuts both alike
LARGEST_JUMP = 0.25  # of the shorter side of the frame, between neighbours
# px, by which three neighbours may disagree: the median over the movie, from which on its path means nothing, and any.
TYPICAL_DISAGREEMENT, LARGEST_DISAGREEMENT = 1.0, 3.0
NEIGHBOURHOOD = 1.5  # px around the best whole pixel that are looked at finely


class RegistrationError(ValueError):
    """The frames of a movie cannot be registered."""


class JumpError(RegistrationError):
    """Neighbouring frames agree with each other, but not everywhere."""


@dataclass(frozen=True)
class Drift:
    """The path of a scene.

    Parameters
    ----------
    path : float64 [T, 2]
        (y, x) of each frame relative to the first [px]: what is at r in the first is at r + path in this one.
    disagreement : float
        Median of |d(t, t + 1) + d(t + 1, t + 2) - d(t, t + 2)| [px], NaN with fewer than 3 frames; or, against the mean
        of all frames, of the distance between what the two halves of a frame say.
    neighbours : float
        The former [px], whatever the path was measured against. Where it is large the path rests on the mean alone, in
        which a lattice fits as well a spacing further on.
    """

    path: np.ndarray
    disagreement: float
    neighbours: float = float("nan")

    def undo(self, frames: np.ndarray, whole: bool) -> np.ndarray:
        """Frames [T, H, W] in place of the first one, their edges wrapped around.

        Parameters
        ----------
        whole : bool
            Move by whole pixels, which noisy frames need; else by the very path, in Fourier space.
        """
        if len(frames) != len(self.path):
            raise ValueError(f"a path of {len(self.path)} frames for {len(frames)} frames: register this movie")
        if whole:
            steps = np.rint(self.path).astype(int)
            return np.stack([np.roll(frame, -step, (0, 1)) for frame, step in zip(frames, steps, strict=True)])
        return np.stack([_moved(frame, -step) for frame, step in zip(frames, self.path, strict=True)])

    def margin(self) -> tuple[slice, slice]:
        """Rows and columns that `undo` fills from inside the frame for every frame."""
        low, high = np.floor(self.path.min(0)).astype(int), np.ceil(self.path.max(0)).astype(int)
        return tuple(slice(max(-a, 0), -b if b > 0 else None) for a, b in zip(low, high, strict=True))


def register(
    frames: np.ndarray,
    prefilter: Callable[[np.ndarray], np.ndarray] | None = None,
    reference: str = RUNNING,
    reach: float | None = None,
    upsample: int = 50,
) -> Drift:
    """The drift of a movie.

    Parameters
    ----------
    frames : float [T, H, W]
    prefilter : callable, optional
        The movie [T, H, W] as it is to be registered, of the same shape: Gaussian-filtered, or denoised by a method
        that sees one frame at a time. One that mixes frames puts each frame's noise into its neighbours, where it is
        found again without any drift.
    reference : {"running", "cumulative", "mean"}
        Against the mean of all frames before, put in place; against the frame before, the steps added up, and their
        errors with them; or against the mean of all other frames, for scenes that drift by less than `reach` in all, or
        whose neighbouring frames agree.
    reach : float, optional
        Largest step between neighbouring frames [px]; by default a quarter of the shorter side. Where the frame is
        full of a lattice, give less than half of its spacing.
    upsample : int
        Steps of a pixel.

    Raises
    ------
    RegistrationError
        If the frames do not agree with each other, jump further than the reach, or are constant.
    """
    frames = np.asarray(frames, np.float64)
    if frames.ndim != 3 or reference not in (CUMULATIVE, RUNNING, MEAN):
        raise ValueError(
            f"register takes frames [T, H, W], not {frames.shape}, and reference running, cumulative or mean"
        )
    fit = frames if prefilter is None else np.asarray(prefilter(frames), np.float64)
    if constant := [t for t, frame in enumerate(fit) if np.ptp(frame) == 0]:
        raise RegistrationError(f"frame {constant[0]} is constant: there is nothing to register; leave it out")
    reach = LARGEST_JUMP * min(fit.shape[1:]) if reach is None else reach
    disagreements = _disagreements(fit, reach, upsample)
    disagreement = float(np.median(disagreements)) if len(disagreements) else float("nan")
    if reference == MEAN:
        agree = disagreement <= TYPICAL_DISAGREEMENT and disagreements.max() <= LARGEST_DISAGREEMENT
        start = _running_path(fit, reach, upsample) if agree else np.zeros((len(fit), 2))
        drift = replace(_to_mean(fit, start, reach, upsample), neighbours=disagreement)
        if disagreement <= TYPICAL_DISAGREEMENT and not agree:
            t = int(disagreements.argmax())
            if not all(_holds_together(drift.undo(fit, whole=False), cut, reach, upsample) for cut in (t + 1, t + 2)):
                raise _jump(disagreements, reach)
        return drift
    if disagreement > TYPICAL_DISAGREEMENT:
        raise RegistrationError(
            f"the frames cannot be registered: three neighbours disagree by {disagreement:.1f} px (median); they hold "
            "too few counts, so denoise or filter them first, or bin the movie; or they show a lattice: give a reach "
            "below half its spacing"
        )
    if disagreements.max(initial=0) > LARGEST_DISAGREEMENT:
        raise _jump(disagreements, reach)
    path = (_running_path if reference == RUNNING else _cumulative_path)(fit, reach, upsample)
    steps = np.abs(np.diff(path, axis=0)).max(axis=1, initial=0)
    if steps.max(initial=0) > reach - 1:
        t = int(steps.argmax())
        raise RegistrationError(
            f"between frames {t} and {t + 1} the scene jumps by the reach of {reach:.0f} px or more: cut the movie "
            "there and register its parts, or give another reach"
        )
    return Drift(path, disagreement, disagreement)


def bound(clean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """What registration cannot be better than: the Cramér-Rao bound of each frame's place [px], float64 [T].

    With F = sum over pixels of grad x grad x^T / variance it is sqrt(trace F^-1), the root mean square distance from
    the true place of any unbiased estimate from that frame alone, of one that knows the clean image as well; infinite
    where a frame is the same in some direction.

    Parameters
    ----------
    clean, variance : float [T, H, W]
        Expected readings, and how much they scatter.
    """
    errors = []
    for frame, scatter in zip(np.asarray(clean, np.float64), np.asarray(variance, np.float64), strict=True):
        y, x = np.gradient(frame)
        yy, xx, yx = ((one / scatter).sum() for one in (y * y, x * x, y * x))
        determinant = yy * xx - yx**2
        errors.append(np.sqrt((yy + xx) / determinant) if determinant > 1e-12 * max(yy * xx, 1e-300) else np.inf)
    return np.array(errors)


def _jump(disagreements: np.ndarray, reach: float) -> JumpError:
    t = int(disagreements.argmax())
    return JumpError(
        f"frames {t} to {t + 2} disagree by {disagreements[t]:.1f} px, as at a jump beyond the reach of "
        f"{reach:.0f} px: cut the movie there and register its parts, or give another reach"
    )


def _running_path(frames: np.ndarray, reach: float, upsample: int) -> np.ndarray:
    """Each frame against the mean of all before it, put in place; [T, 2]."""
    path, mean = np.zeros((len(frames), 2)), frames[0]
    for t in range(1, len(frames)):
        path[t] = _shift(mean, frames[t], path[t - 1], reach, upsample)
        mean = (t * mean + _moved(frames[t], -path[t])) / (t + 1)
    return path


def _cumulative_path(frames: np.ndarray, reach: float, upsample: int) -> np.ndarray:
    """Each frame against the one before it; [T, 2]."""
    still = np.zeros(2)
    steps = [_shift(one, other, still, reach, upsample) for one, other in zip(frames, frames[1:], strict=False)]
    return np.cumsum([still, *steps], axis=0)


def _to_mean(frames: np.ndarray, path: np.ndarray, reach: float, upsample: int) -> Drift:
    """Each frame against the mean of all others, put in place, until the path stays where it is."""
    if len(frames) < 2:
        return Drift(path, float("nan"))
    for _ in range(ROUNDS):
        others = _means_of_others(frames, path)
        pairs = zip(others, frames, path, strict=True)
        shifts = np.stack([_shift(other, frame, guess, reach, upsample) for other, frame, guess in pairs])
        shifts -= shifts.mean(0)  # the mean lies where its frames lie on average
        change, path, reach = np.abs(shifts - path).max(), shifts, min(reach, 2 * NEIGHBOURHOOD)
        if change < 1 / upsample:
            break
    middle = frames.shape[2] // 2
    others = _means_of_others(frames, path)
    steps = [
        [_shift(other[:, half], frame[:, half], guess, reach, upsample) for half in (np.s_[:middle], np.s_[middle:])]
        for other, frame, guess in zip(others, frames, path, strict=True)
    ]
    apart = np.linalg.norm(np.diff(steps, axis=1)[:, 0], axis=1)
    if np.median(apart) > TYPICAL_DISAGREEMENT:
        raise RegistrationError(
            f"the frames cannot be registered: their halves disagree by {np.median(apart):.1f} px (median); they hold "
            "too few counts, so denoise or filter them first, or bin the movie; or they show a lattice: give a reach "
            "below half its spacing; or the scene turns, jumps or drifts too far"
        )
    return Drift(path - path[0], float(np.median(apart)))


def _holds_together(placed: np.ndarray, cut: int, reach: float, upsample: int) -> bool:
    """Whether what comes before a cut lies on what comes after it, in both halves of the frame."""
    one, other, middle = placed[:cut].mean(0), placed[cut:].mean(0), placed.shape[2] // 2
    halves = (np.s_[:, :middle], np.s_[:, middle:])
    off = [_shift(one[half], other[half], np.zeros(2), reach, upsample) for half in halves]
    return bool(np.abs(off).max() <= LARGEST_DISAGREEMENT)


def _means_of_others(frames: np.ndarray, path: np.ndarray) -> np.ndarray:
    """For each frame the mean of all others, put in place, [T, H, W]."""
    placed = np.stack([_moved(frame, -step) for frame, step in zip(frames, path, strict=True)])
    return (placed.sum(0) - placed) / (len(frames) - 1)


def _shift(reference: np.ndarray, frame: np.ndarray, guess: np.ndarray, reach: float, upsample: int) -> np.ndarray:
    """(y, x) by which the frame is displaced against the reference [px], no further than `reach` from a guess."""
    window = np.hanning(frame.shape[0] + 2)[1:-1, None] * np.hanning(frame.shape[1] + 2)[1:-1]
    fixed = np.fft.fft2(window * (reference - reference.mean()))
    for number in range(PASSES):
        whole = np.rint(guess).astype(int)
        moved = np.roll(frame, -whole, (0, 1))
        product = np.fft.fft2(window * (moved - moved.mean())) * fixed.conj()
        guess = whole + _peak(product, reach if number == 0 else 2 * NEIGHBOURHOOD, upsample)
    return guess


def _peak(product: np.ndarray, reach: float, upsample: int) -> np.ndarray:
    """Where the correlation whose transform is `product` is largest, no further than `reach` from 0 in y and x [px]."""
    frequency = [np.fft.fftfreq(n) for n in product.shape]
    place = np.array([0.0, 0.0])
    for span, step in ((np.floor(reach), 1.0), (NEIGHBOURHOOD, 1 / upsample)):
        grid = np.arange(-span, span + step / 2, step)
        rows, columns = (np.exp(2j * np.pi * np.outer(p + grid, f)) for p, f in zip(place, frequency, strict=True))
        correlation = (rows @ product @ columns.T).real
        place = place + grid[list(np.unravel_index(correlation.argmax(), correlation.shape))]
    return place


def _disagreements(frames: np.ndarray, reach: float, upsample: int) -> np.ndarray:
    """|d(t, t + 1) + d(t + 1, t + 2) - d(t, t + 2)| of all neighbouring frames, float64 [T - 2]."""
    still = np.zeros(2)
    steps = [_shift(one, other, still, reach, upsample) for one, other in zip(frames, frames[1:], strict=False)]
    double = [_shift(one, other, still, 2 * reach, upsample) for one, other in zip(frames, frames[2:], strict=False)]
    sums = [one + other for one, other in zip(steps, steps[1:], strict=False)]
    return np.array([np.linalg.norm(one - other) for one, other in zip(sums, double, strict=True)])


def _moved(frame: np.ndarray, step: np.ndarray) -> np.ndarray:
    """The frame moved by (y, x) [px], in Fourier space."""
    return np.fft.ifft2(fourier_shift(np.fft.fft2(frame), step)).real
