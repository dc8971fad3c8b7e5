"""Where frames come from while they are recorded: a folder that files come into, or standard input."""

import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

import numpy as np

from stemjax import files
from stemjax.files import READABLE, RESULT, natural

LOOK_S = 0.1  # between two looks at the folder
REST_S = 0.2  # for so long a file must have kept its size and its time of change before it is read
PATIENCE_S = 2.0  # for so long a file at rest that cannot be read is tried again
AHEAD = 16  # frames from standard input that are read before their turn; then whoever sends them has to wait


@dataclass(frozen=True)
class Arrival:
    """An image or a movie that has come.

    Parameters
    ----------
    path, target : Path
        What messages call it, and where its result goes.
    read : callable
        Returns it as `files.Image`.
    came : float or None
        When it was there as a whole [s of `time.monotonic`]; None if it was there from the start.
    """

    path: Path
    target: Path
    read: Callable[[], Any]
    came: float | None


@dataclass(frozen=True)
class _Pending:
    """A file that is not read yet: its size and time of change, since when they are seen, when it changed."""

    state: tuple[int, int]
    since: float
    came: float | None


class Folder:
    """The files of a folder that have no result yet, in the order of their names, numbers in them by value.

    A file is read when its size and its time of change have rested for a moment. One that still cannot be read is tried
    again for a while, and those after it wait, so that the frames stay in order. Hidden files and results are passed
    over, and what is in folders inside.

    Parameters
    ----------
    redo : bool
        Take files that have a result already, too.
    """

    def __init__(self, folder: Path, axes: str | None, out: Path, format: str, redo: bool = False):
        self.folder, self.axes, self.out, self.format = folder, axes, out, format
        self.over, self.fault = False, None
        self.pending: dict[str, _Pending] = {}
        self.ready: deque[str] = deque()
        self.looked: float | None = None
        self.gone = set() if redo else {name for name in os.listdir(folder) if self._target(name).exists()}
        self._look()

    def __str__(self) -> str:
        there = f"{len(self.pending)} there already"
        return f"watching {self.folder} ({there}{', more with results' if any(map(self._is_input, self.gone)) else ''})"

    def next(self) -> Arrival | None:
        """What comes next; None, after a moment, if nothing is ready."""
        if not self.ready:
            self._look()
        if not self.ready:
            time.sleep(LOOK_S)
            return None
        name = self.ready.popleft()
        path = self.folder / name
        read = lambda: files.read_image(path, self.axes, mapped=True)
        return Arrival(path, self._target(name), read, self.pending[name].came)

    def unchanged(self, arrival: Arrival) -> bool:
        """Whether the file is still as it was when it was found at rest."""
        try:
            return _state(os.stat(arrival.path)) == self.pending[arrival.path.name].state
        except FileNotFoundError:
            return False

    def again(self, arrival: Arrival) -> bool:
        """Whether a file that could not be read may become readable: if so, after a moment it comes again."""
        rested = time.monotonic() - self.pending[arrival.path.name].since
        if rested > REST_S + PATIENCE_S and self.unchanged(arrival):
            return False
        self.ready.clear()
        time.sleep(LOOK_S)
        return True

    def handled(self, arrival: Arrival) -> None:
        """Never give this file again."""
        self.gone.add(arrival.path.name)
        self.pending.pop(arrival.path.name, None)

    def _look(self) -> None:
        now, before, pending = time.monotonic(), self.looked, {}
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.name in self.gone or not self._is_input(entry.name):
                    continue
                try:
                    status = entry.stat()
                    if not entry.is_file():
                        continue
                except FileNotFoundError:  # gone between two glances, as a temporary name
                    continue
                known = self.pending.get(entry.name)
                if known is None or known.state != _state(status):
                    # It changed between the last look and this one; its time says when, if the clocks agree.
                    came = before and min(max(now - (time.time() - status.st_mtime), before), now)
                    known = _Pending(_state(status), now, came)
                pending[entry.name] = known
        self.pending, self.looked = pending, now
        for name in sorted(pending, key=natural):
            if now - pending[name].since < REST_S:
                break
            self.ready.append(name)

    def _is_input(self, name: str) -> bool:
        path = Path(name)
        return path.suffix.lower() in READABLE and not name.startswith(".") and not path.stem.endswith(RESULT)

    def _target(self, name: str) -> Path:
        return self.out / f"{Path(name).stem}{RESULT}.{self.format}"


def _state(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns


class StandardInput:
    """Arrays in the format .npy, one after the other, from a stream: each a frame, or a short movie.

    A thread reads them, so that each has the time at which it was there. After what is not such an array nothing can be
    read any more.
    """

    pending = ()  # files that may become readable: none here

    def __init__(self, stream: Any, axes: str | None, out: Path, format: str):
        self.stream, self.axes, self.out, self.format = stream, axes, out, format
        self.over, self.fault = False, None
        self.arrays: Queue = Queue(AHEAD)
        Thread(target=self._read_all, daemon=True).start()

    def __str__(self) -> str:
        return "reading frames from standard input"

    def next(self) -> Arrival | None:
        """What comes next; None, after a moment, if nothing is there."""
        try:
            index, array, came = self.arrays.get(timeout=LOOK_S)
        except Empty:
            return None
        if array is None or isinstance(array, Exception):
            self.over = True
            if array is not None:
                self.fault = f"standard input: frame {index}: not a sound .npy array ({array}); send numpy.save's bytes"
            return None
        path = Path(f"frame_{index:06d}")
        return Arrival(path, self.out / f"{path}{RESULT}.{self.format}", lambda: self._image(path, array), came)

    def unchanged(self, arrival: Arrival) -> bool:
        return True

    def again(self, arrival: Arrival) -> bool:
        return False

    def handled(self, arrival: Arrival) -> None:
        pass

    def _image(self, path: Path, array: Any) -> Any:
        try:
            return files.Image(files.arrange(array, self.axes), dtype=str(array.dtype), path=path)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    def _read_all(self) -> None:
        index = 0
        try:
            while (array := _read_array(self.stream)) is not None:
                self.arrays.put((index, array, time.monotonic()))
                index += 1
            self.arrays.put((index, None, 0.0))
        except Exception as error:  # noqa: BLE001  whatever it is, the main thread tells the user
            self.arrays.put((index, error, 0.0))


def _read_array(stream: Any) -> Any:
    """The next .npy array of a stream; None at its end."""

    class Whole:
        """The stream, of which a pipe gives less at a time than was asked for."""

        def __init__(self):
            self.head = self._read(1)

        def read(self, count: int) -> bytes:
            head, self.head = self.head[:count], self.head[count:]
            return head + self._read(count - len(head))

        def _read(self, count: int) -> bytes:
            parts = []
            while count and (part := stream.read(count)):
                parts.append(part)
                count -= len(part)
            return b"".join(parts)

    whole = Whole()
    return np.lib.format.read_array(whole, allow_pickle=False) if whole.head else None
