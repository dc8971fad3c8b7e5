"""Denoise frames as they come: from a source of frames through the windows of a model into files."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from stemjax.apply.frame_sources import Arrival, Folder, StandardInput
from stemjax.apply.job import Job, Work
from stemjax.apply.live import LiveMovie, Pace
from stemjax.denoisers.protocol import takes_movies
from stemjax.models.model import Model

REPORT_S = 5.0  # between two reports


@dataclass
class _Waiting:
    """An image or a movie whose frames are not all denoised yet."""

    arrival: Arrival
    found: Work
    count: int
    results: list = field(default_factory=list)


class Session:
    """Windows of frames, one for each part of the channels, and the files whose frames are in them.

    All files are one movie, until a frame has another shape.

    Parameters
    ----------
    job : Job
        What is done with each file; its `warn` takes each kind of warning once.
    model : Model
    lookahead : bool
        See `LiveMovie`.
    say : callable
        Takes a sentence on how it goes.
    wrote : callable
        Takes the path of each result, when it is written.
    skipped : callable
        Takes a path, why it has no result, and the error.

    Raises
    ------
    ValueError
        If the model cannot be used so.
    """

    def __init__(
        self,
        job: Job,
        model: Model,
        lookahead: bool,
        say: Callable[[str], None],
        wrote: Callable[[Path], None],
        skipped: Callable[[Path, str, Exception], None],
    ):
        movie = takes_movies(model.denoiser)
        if lookahead and not movie:
            raise ValueError(f"{model.name} sees each frame by itself: leave out --lookahead")
        if movie and (job.tile or job.blend != "halo"):
            raise ValueError(f"{model.name} takes whole frames: leave out --tile and --blend")
        self.job, self.model, self.lookahead = job, model, lookahead
        self.say, self.wrote, self.skipped = say, wrote, skipped
        self.pace, self.recent = Pace(), Pace()
        self.shape, self.windows = None, []
        self.waiting: deque[_Waiting] = deque()
        self.told: set[str] = set()
        self.taken = self.failed = 0

    def run(self, source: Folder | StandardInput, until: int, idle: float | None, stopped: Callable[[], bool]) -> None:
        """Take what comes until `stopped()`, `until` frames (0: no limit) or `idle` seconds [s] without a new one."""
        heard = time.monotonic()
        while not stopped() and not source.over and not (until and self.taken >= until):
            arrival = source.next()
            if arrival is not None and self._arrived(arrival, source):
                heard = time.monotonic()
            elif idle is not None and not source.pending and time.monotonic() - heard > idle:
                break
            self.report()
        self.finish()
        self.report(last=True)

    def _arrived(self, arrival: Arrival, source: Folder | StandardInput) -> bool:
        """Denoise what has come; False where it shall be tried again, since it may still be written."""
        begin = time.monotonic()
        try:
            self.job.refuse_losses(arrival.path, arrival.target)
            work = self.job.look(arrival.read(), self.model)
            if not source.unchanged(arrival):
                raise OSError(f"{arrival.path}: still being written")
        except (OSError, ValueError, MemoryError) as error:
            if isinstance(error, OSError) and source.again(arrival):
                return False
            self.skip(arrival.path, error)
        else:
            self.take(arrival, work)
        source.handled(arrival)
        self._spent(begin)
        return True

    def take(self, arrival: Arrival, work: Work) -> None:
        """Denoise the frames of a file, and write what is whole."""
        self._warn(arrival.path, work.warnings)
        frames = list(self.job.frames(work.movie))
        variables = [self.job.prepared(work.movie, part, self.model) for part in work.parts]
        if frames[0].shape != self.shape:
            self.finish()
        self.waiting.append(_Waiting(arrival, work, len(frames)))
        self.taken += len(frames)
        try:
            if frames[0].shape != self.shape:
                self._begin(frames[0], work.parts, variables)
            for frame in frames:
                each = zip(self.windows, variables, work.parts, strict=True)
                self._collect([window.push(own, np.ascontiguousarray(frame[..., part])) for window, own, part in each])
        except (ValueError, MemoryError) as error:
            self._drop(error)

    def finish(self) -> None:
        """Denoise and write what still waits for frames that will not come."""
        try:
            self._collect([window.finish(self.model.variables) for window in self.windows])
        except (ValueError, MemoryError) as error:
            self._drop(error)

    def skip(self, path: Path, error: Exception) -> None:
        """Name a file that cannot be denoised, or its result not be written."""
        self.failed += 1
        place, why = getattr(error, "filename", None), getattr(error, "strerror", None)
        text = f"{place}: {why}" if place and why else str(error) or "out of memory"
        self.skipped(path, text if text.startswith(str(path)) else f"{path}: {text}", error)

    def _drop(self, error: Exception) -> None:
        """Name the files that wait in the windows, and begin anew without them."""
        for file in self.waiting:
            self.skip(file.arrival.path, error)
        self.waiting.clear()
        self.shape, self.windows = None, []

    def _spent(self, begin: float) -> None:
        """Count the time since `begin` as busy, without compilation."""
        for pace in (self.pace, self.recent):
            pace.busy_s += max(time.monotonic() - max(begin, pace.ready), 0)

    def report(self, last: bool = False) -> None:
        """Say how fast it goes, now and then and at the end."""
        if last:
            skipped = f"; {self.failed} skipped" if self.failed else ""
            self.say(f"in all {self.pace.report()}{skipped}")
        elif time.monotonic() - self.recent.began > REPORT_S:
            if self.recent.frames:
                self.say(self.recent.report())
            self.recent = Pace(ready=self.recent.ready)

    def _begin(self, frame, parts: list[slice], variables: list[dict]) -> None:
        """New windows, whose programs are compiled before any frame counts."""
        movie, begin = takes_movies(self.model.denoiser), time.monotonic()
        self.windows = [
            LiveMovie(self.model.denoiser, self.lookahead) if movie else _Alone(self.job, self.model) for _ in parts
        ]
        for window, own, part in zip(self.windows, variables, parts, strict=True):
            window.warm_up(own, frame[..., part])
        self.shape, end = frame.shape, time.monotonic()
        for pace in (self.pace, self.recent):
            pace.pause(begin, end)
        size = " x ".join(map(str, frame.shape[:2]))
        self.say(f"compiled for frames of {size} pixels in {end - begin:.1f} s, which do not count")

    def _collect(self, ready: list[list]) -> None:
        """Give the frames that are ready to the files that wait for them, oldest first, and write whole files."""
        for together in zip(*ready, strict=True):
            file = next(file for file in self.waiting if len(file.results) < file.count)
            file.results.append(np.concatenate(together, axis=-1))
        while self.waiting and len(self.waiting[0].results) == self.waiting[0].count:
            file = self.waiting.popleft()
            try:
                self.job.write(file.arrival.target, file.results, file.found, self.model)
                self.wrote(file.arrival.target)
            except (OSError, ValueError) as error:
                self.skip(file.arrival.path, error)
                continue
            self.job.written.clear()  # a session may be long; what is there is seen on the disk
            for pace in (self.pace, self.recent):
                pace.written([file.arrival.came] * file.count, time.monotonic())

    def _warn(self, path: Path, warnings: list[str]) -> None:
        """Each warning once: frames of one microscope all have the same."""
        for warning in warnings:
            kind = "".join(letter for letter in warning if not letter.isdigit())
            if kind not in self.told:
                self.job.warn(path, f"{warning}; said once")
            self.told.add(kind)


@dataclass(frozen=True)
class _Alone:
    """The window of a model that sees each frame by itself."""

    job: Job
    model: Model

    def push(self, variables: dict, noisy: Any) -> list:
        return [self.job.one(noisy, variables, self.model)]

    def finish(self, variables: dict) -> list:
        return []

    def warm_up(self, variables: dict, noisy: Any) -> None:
        noisy = noisy.copy()
        noisy[0, 0] += 1  # a constant frame would come back without the network
        self.job.one(noisy, variables, self.model)
