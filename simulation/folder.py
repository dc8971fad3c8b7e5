"""What all that writes large folders needs: one writer at a time, progress, and the end of a command line."""

import fcntl
import signal
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

from stemjax.data import datasets


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


def run_command(make: Callable[[], datasets.DataSet | Path], what: str = "") -> int:
    """Run what a command line asks for and print what it made, or its error in one line; returns the exit status.

    `what` are the items of a data set.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        made = make()
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; run the same command again to continue", file=sys.stderr)
        return 130
    print(f"{made.folder}: {len(made.items)} {what}, recipe {made.recipe_hash}" if what else made)
    return 0
