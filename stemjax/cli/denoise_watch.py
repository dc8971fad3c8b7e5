"""`stemjax denoise --watch`: frames are denoised as they come into a folder or through standard input."""

import signal
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stemjax.apply.job import Found, Job
from stemjax.cli import fail
from stemjax.cli.frame_sources import Arrival, Folder, StandardInput
from stemjax.denoisers.protocol import takes_movies
from stemjax.models.model import Model

REPORT_S = 5.0  # between two reports
STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}


def watch_and_denoise(
    watch: str, out: Path | None, format: str, job: Job, model: Model, lookahead: bool, until: int, idle: float | None
) -> int:
    """Denoise frames as they come, until a signal, `until` frames (0: no limit) or `idle` seconds without a new one.

    Returns the exit status: 130 or 143 after a signal, 2 where files were skipped.

    Raises
    ------
    ValueError or OSError
        If the source or the options cannot be used.
    """
    source = _source(watch, out, format, job)
    movie = takes_movies(model.denoiser)
    if lookahead and not movie:
        raise ValueError(f"{model.name} sees each frame by itself: leave out --lookahead")
    if movie and (job.tile or job.blend != "halo"):
        raise ValueError(f"{model.name} takes whole frames: leave out --tile and --blend")
    _say(f"{source}, with {model.name}; Ctrl-C ends it")
    session = Session(job, model, lookahead)
    with _signals() as caught:
        heard = time.monotonic()
        while not caught and not source.over and not (until and session.taken >= until):
            arrival = source.next()
            if arrival is not None and _take(arrival, source, session):
                heard = time.monotonic()
            elif idle is not None and not source.pending and time.monotonic() - heard > idle:
                break
            session.report()
        session.finish()
    session.report(last=True)
    if source.fault:
        session.failed += 1
        fail(source.fault)
    return STATUS[caught[0]] if caught else 2 if session.failed else 0


def _source(watch: str, out: Path | None, format: str, job: Job) -> Folder | StandardInput:
    if out is not None and (out.suffix.lower() in (".tif", ".tiff", ".npy") or (out.exists() and not out.is_dir())):
        raise ValueError(f"--out {out} must be a folder where frames are watched for")
    if watch == "-":
        if out is None:
            raise ValueError("frames from standard input need a place: add --out FOLDER")
        return StandardInput(sys.stdin.buffer.raw, job.axes, out, format)
    folder = Path(watch)
    if not folder.is_dir():
        raise NotADirectoryError(f"--watch {folder}: not a folder; give one, or - for frames from standard input")
    return Folder(folder, job.axes, out or folder, format, redo=job.overwrite)


def _take(arrival: Arrival, source: Folder | StandardInput, session: "Session") -> bool:
    """Denoise what has come; False where it shall be tried again, since it may still be written."""
    begin = time.monotonic()
    try:
        session.job.refuse_losses(arrival.path, arrival.target)
        found = session.job.look(arrival.read(), session.model)
        if not source.unchanged(arrival):
            raise OSError(f"{arrival.path}: still being written")
    except (OSError, ValueError, MemoryError) as error:
        if isinstance(error, OSError) and source.again(arrival):
            return False
        session.skip(arrival.path, error)
    else:
        session.take(arrival, found)
    source.handled(arrival)
    session.spent(begin)
    return True


@dataclass
class _Waiting:
    """An image or a movie whose frames are not all denoised yet."""

    arrival: Arrival
    found: Found
    count: int
    results: list = field(default_factory=list)


class Session:
    """Windows of frames, one for each part of the channels, and the files whose frames are in them.

    All files are one movie, until a frame has another shape.
    """

    def __init__(self, job: Job, model: Model, lookahead: bool):
        from stemjax.apply.live import Pace

        self.job, self.model, self.lookahead = job, model, lookahead
        self.pace, self.recent = Pace(), Pace()
        self.shape, self.windows = None, []
        self.waiting: deque[_Waiting] = deque()
        self.told: set[str] = set()
        self.taken = self.failed = 0

    def take(self, arrival: Arrival, found: Found) -> None:
        """Denoise the frames of a file, and write what is whole."""
        import numpy as np

        self._warn(arrival.path, found.warnings)
        frames = list(self.job.frames(found.movie))
        variables = [self.job.prepared(found.movie, part, self.model) for part in found.parts]
        if frames[0].shape != self.shape:
            self.finish()
        self.waiting.append(_Waiting(arrival, found, len(frames)))
        self.taken += len(frames)
        try:
            if frames[0].shape != self.shape:
                self._begin(frames[0], found.parts, variables)
            for frame in frames:
                each = zip(self.windows, variables, found.parts, strict=True)
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
        fail(text if text.startswith(str(path)) else f"{path}: {text}", error)

    def _drop(self, error: Exception) -> None:
        """Name the files that wait in the windows, and begin anew without them."""
        for file in self.waiting:
            self.skip(file.arrival.path, error)
        self.waiting.clear()
        self.shape, self.windows = None, []

    def spent(self, begin: float) -> None:
        """Count the time since `begin` as busy, without compilation."""
        for pace in (self.pace, self.recent):
            pace.busy_s += max(time.monotonic() - max(begin, pace.ready), 0)

    def report(self, last: bool = False) -> None:
        """Say how fast it goes, now and then and at the end."""
        from stemjax.apply.live import Pace

        if last:
            skipped = f"; {self.failed} skipped" if self.failed else ""
            _say(f"in all {self.pace.report()}{skipped}")
        elif time.monotonic() - self.recent.began > REPORT_S:
            if self.recent.frames:
                _say(self.recent.report())
            self.recent = Pace(ready=self.recent.ready)

    def _begin(self, frame, parts: list[slice], variables: list[dict]) -> None:
        """New windows, whose programs are compiled before any frame counts."""
        from stemjax.apply.live import LiveMovie

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
        _say(f"compiled for frames of {size} pixels in {end - begin:.1f} s, which do not count")

    def _collect(self, ready: list[list]) -> None:
        """Give the frames that are ready to the files that wait for them, oldest first, and write whole files."""
        import numpy as np

        for together in zip(*ready, strict=True):
            file = next(file for file in self.waiting if len(file.results) < file.count)
            file.results.append(np.concatenate(together, axis=-1))
        while self.waiting and len(self.waiting[0].results) == self.waiting[0].count:
            file = self.waiting.popleft()
            try:
                self.job.write(file.arrival.target, file.results, file.found, self.model)
                print(file.arrival.target, flush=True)
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
                print(f"warning: {path}: {warning}; said once", file=sys.stderr)
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


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@contextmanager
def _signals() -> Iterator[list]:
    """Collect SIGINT and SIGTERM, so that a frame in the making is finished; the second one breaks off."""
    caught: list = []

    def catch(number: int, frame: Any) -> None:
        caught.append(signal.Signals(number))
        if len(caught) > 1:
            raise KeyboardInterrupt

    previous = {number: signal.signal(number, catch) for number in STATUS}
    try:
        yield caught
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
