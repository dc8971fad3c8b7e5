"""What all that writes large folders needs: one writer at a time, markers of finished parts, progress, a command line.

A part is a shard `NAME.npy`; its marker `markers/NAME.json`, written after it, holds its digest and the recipe hash.
"""

import fcntl
import json
import signal
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from stemjax.data import datasets
from stemjax.files import write_whole


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


def write_part(out: Path, name: str, array: np.ndarray, identity: str, **facts) -> None:
    """Write a shard and then its marker, which also keeps the `facts`."""
    digest = datasets.write_array(out / f"{name}.npy", array)
    marker = json.dumps({"recipe_hash": identity, "file": digest} | facts, indent=1)
    write_whole(_marker_path(out, name), lambda stream: stream.write(marker.encode()))


def sound_marker(out: Path, name: str) -> dict | None:
    """The marker of a part, if it is readable and the shard is the one it describes."""
    marker, shard = _read_json(_marker_path(out, name)), out / f"{name}.npy"
    return marker if marker and shard.is_file() and datasets.file_digest(shard) == marker["file"] else None


def refuse_other_recipe(out: Path, identity: str) -> None:
    """Make sure that all that is in a folder is of one recipe.

    Raises
    ------
    ValueError
        If a manifest or a marker is of another.
    """
    for path in [out / "manifest.json", *sorted(out.glob("markers/*.json"))]:
        found = _read_json(path).get("recipe_hash", identity)
        if found != identity:
            fix = "choose another folder or delete this one"
            raise ValueError(f"{out}: holds data of another recipe ({found}, not {identity}); {fix}")


def package_version(package: str) -> str:
    """Version of an installed package.

    Raises
    ------
    OSError
        If it is not installed.
    """
    try:
        return version(package)
    except PackageNotFoundError:
        raise OSError(f"{package} is not installed; install the extra: pip install -e '.[simulation]'") from None


def _marker_path(out: Path, name: str) -> Path:
    return out / "markers" / f"{name}.json"


def _read_json(path: Path) -> dict:
    """A JSON file's value; empty if it is missing or damaged, since then what it describes is made again."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
