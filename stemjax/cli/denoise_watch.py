"""`stemjax denoise --watch`: frames are denoised as they come into a folder or through standard input."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stemjax.apply.frame_sources import Folder, StandardInput
from stemjax.apply.job import Job
from stemjax.apply.watch import Session
from stemjax.cli import fail
from stemjax.models.model import Model

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
    session = Session(
        job, model, lookahead, _say, lambda path: print(path, flush=True), lambda _, why, error: fail(why, error)
    )
    _say(f"{source}, with {model.name}; Ctrl-C ends it")
    with _signals() as caught:
        session.run(source, until, idle, stopped=lambda: bool(caught))
    if source.fault:
        fail(source.fault)
    return STATUS[caught[0]] if caught else 2 if session.failed or source.fault else 0


def _source(watch: str, out: Path | None, format: str, job: Job) -> Folder | StandardInput:
    if out is not None and (out.suffix.lower() in (".tif", ".tiff", ".npy") or (out.exists() and not out.is_dir())):
        raise ValueError(f"--out {out} must be a folder where frames are watched for")
    if watch == "-":
        if out is None:
            raise ValueError("frames from standard input need a place: add --out FOLDER")
        return StandardInput(sys.stdin.buffer.raw, job.axes, out, format)
    folder = Path(watch)
    return Folder(folder, job.axes, out or folder, format, redo=job.overwrite)


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
