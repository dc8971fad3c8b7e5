"""What all that writes large folders needs: one writer at a time, and progress."""

import fcntl
import sys
import time
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(folder: Path):
    """Make the folder if it is missing, and be its only writer.

    Raises
    ------
    OSError
        If another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError(f"{folder}: another process is writing here; wait for it or choose another folder") from None
        for leftover in folder.rglob(".*.tmp"):
            leftover.unlink()  # of a killed run
        yield


@contextmanager
def reporter(what: str, done: int, total: int, progress: bool):
    """Yields report(done): a bar on a terminal, a line every 10 s elsewhere, nothing without `progress`."""
    if not progress:
        yield lambda done: None
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(stderr=True)) as bar:
            task = bar.add_task(what, total=total, completed=done)
            yield lambda done: bar.update(task, completed=done)
    else:
        start = last = time.monotonic()

        def report(done):
            nonlocal last
            if done == total or time.monotonic() - last > 10:
                last = time.monotonic()
                print(f"{done}/{total} {what}, {last - start:.0f} s", file=sys.stderr, flush=True)

        yield report
