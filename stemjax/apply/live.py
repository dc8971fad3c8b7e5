"""Denoise a movie while it is recorded: the window of frames that came last, and how fast that goes.

frame t comes -> y[t - before] ... y[t], and in place of the future  y[t + j] := y[t - j] -> denoised frame t
"""

import time
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.denoisers.protocol import ask, compiling

KEPT = 100_000  # latencies; of a longer session those of the last so many frames


class LiveMovie:
    """What a denoiser of movies makes of each frame when it comes, from the frames so far.

    Parameters
    ----------
    denoiser : a denoiser of movies
    lookahead : bool
        Let each frame wait for the `after` frames that follow, so that the result is that of the movie as a whole.

    Notes
    -----
    **Causal.** The frames after the newest are not there yet, so the movie so far is reflected about it, as
    `denoiser.denoise` reflects a movie at its end: the result for frame t is that for the last frame of the movie that
    ends with t. A blind network stays blind, as no frame but the newest has its pixels. Repeating the newest frame
    instead would show WCVD the very pixel that it must not see. The price is noise: where WCVD sees two neighbours of a
    frame, it then sees one of them twice.

    **The beginning.** A movie can be reflected about its first frame only when it has as many more as the denoiser
    looks back. The first frames wait for these, one for WCVD and two for UDVD, and come out together.
    """

    def __init__(self, denoiser: Any, lookahead: bool = False):
        self.denoiser = denoiser
        self.before, self.after = denoiser.frames
        self.delay = self.after if lookahead else 0
        self.frames: deque = deque(maxlen=self.before + self.after + 1)
        self.came = self.done = 0

    def push(self, variables: dict, noisy: np.ndarray) -> list[np.ndarray]:
        """Take in one frame, float32 [H, W, C]; what is ready, oldest first, is each a denoised frame [H, W, C]."""
        self.frames.append((noisy, jnp.asarray(noisy)))
        self.came += 1
        if self.came <= max(self.before, self.after):
            return []
        return self._up_to(variables, self.came - self.delay)

    def finish(self, variables: dict) -> list[np.ndarray]:
        """What still waits, at the end of the movie; the next frame begins another one.

        Raises
        ------
        ValueError
            If the denoiser needs more frames than there were.
        """
        try:
            if 0 < self.came <= max(self.before, self.after):
                movie = jnp.stack([frame for _, frame in self.frames])[None]
                movie = np.array(movie) if ask(self.denoiser, "on_host") else movie
                return list(np.asarray(self.denoiser.denoise(variables, movie)[0]))
            return self._up_to(variables, self.came)
        finally:
            self.frames.clear()
            self.came = self.done = 0

    def warm_up(self, variables: dict, noisy: np.ndarray) -> None:
        """Compile what frames of this shape need, and wait for it."""
        jax.block_until_ready(_middle(self.denoiser, variables, (jnp.asarray(noisy),) * self.frames.maxlen))

    def _up_to(self, variables: dict, end: int) -> list[np.ndarray]:
        results = []
        while self.done < end:
            results.append(self._denoised(variables, self.done))
            self.done += 1
        return results

    def _denoised(self, variables: dict, t: int) -> np.ndarray:
        noisy, _ = self._at(t)
        if noisy.min() == noisy.max():  # as from a beam that was off: comes back as it is
            return noisy.copy()
        window = tuple(self._at(s)[1] for s in range(t - self.before, t + self.after + 1))
        try:
            return np.asarray(_middle(self.denoiser, variables, window))
        except jax.errors.JaxRuntimeError as error:
            if "RESOURCE_EXHAUSTED" not in str(error):
                raise
            size = " x ".join(map(str, noisy.shape[:2]))
            what = f"{len(window)} frames of {size} pixels do not fit into memory"
            raise MemoryError(f"{what}: cut the frames") from error

    def _at(self, t: int) -> tuple[np.ndarray, jax.Array]:
        """Frame t of the movie so far, which goes on by reflection about its first and its newest frame."""
        last = self.came - 1
        t = abs(t)
        return self.frames[(2 * last - t if t > last else t) - self.came + len(self.frames)]


def _middle(denoiser, variables: dict, window: tuple[jax.Array, ...]) -> np.ndarray | jax.Array:
    """The denoised frame [H, W, C] in the middle of a window that has all its neighbours."""
    if ask(denoiser, "on_host"):
        return denoiser.denoise(variables, np.stack(window)[None])[0, denoiser.frames[0]]
    with compiling(denoiser):
        return _compiled_middle(denoiser, variables, window)


@partial(jax.jit, static_argnums=0)
def _compiled_middle(denoiser, variables: dict, window: tuple[jax.Array, ...]) -> jax.Array:
    movie = jnp.stack(window)[None]
    if denoise_valid := ask(denoiser, "denoise_valid"):
        return denoise_valid(variables, movie)[0, 0]
    return denoiser.denoise(variables, movie)[0, denoiser.frames[0]]


# ---------------------------------------------------------------------------------------------------- the clock
@dataclass
class Pace:
    """Counts frames and the time they take; all times in seconds of one clock, that of `time.monotonic`.

    Parameters
    ----------
    began, ended : float
        When counting began, and when the last frame was written.
    ready : float
        When the last compilation ended, before which no frame can be waited for.
    busy_s : float
        Time spent on reading, denoising and writing.
    latencies : deque of float
        From the moment when a frame was there as a whole to that when its result was.
    """

    began: float = field(default_factory=time.monotonic)
    ended: float = 0.0
    ready: float = 0.0
    frames: int = 0
    busy_s: float = 0.0
    latencies: deque = field(default_factory=lambda: deque(maxlen=KEPT))

    def pause(self, begin: float, end: float) -> None:
        """Leave out a time in which something was compiled, and before the first frame all time until then."""
        self.began = self.began + end - begin if self.frames else end
        self.ready = end

    def written(self, came: list[float | None], now: float) -> None:
        """Count frames that were there at the times `came`; None where that was before anybody looked."""
        self.frames += len(came)
        self.ended = now
        self.latencies.extend(now - max(time, self.ready) for time in came if time is not None)

    def report(self) -> str:
        """Frames per second, from the beginning to the last frame, and the latency's median and 99th percentile."""
        elapsed = self.ended - self.began
        if not self.frames or elapsed <= 0:
            return "0 frames"
        count = f"{self.frames} frame{'s' * (self.frames > 1)} in {elapsed:.1f} s"
        rate = f"{self.frames / elapsed:.3g} frames/s (busy {min(self.busy_s / elapsed, 1):.0%} of the time)"
        if not self.latencies:
            return f"{count}: {rate}, latency unknown: all were there from the start"
        p50, p99 = np.percentile(self.latencies, (50, 99)) * 1e3
        return f"{count}: {rate}, latency p50 {p50:.0f} ms, p99 {p99:.0f} ms"
