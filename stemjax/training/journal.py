"""The log of a run: one JSON line for each event."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from stemjax.files import write_whole


class Journal:
    """A run's log on disk: one JSON line per event. Lines later than the step resumed from are dropped.

    Parameters
    ----------
    path : path
    step : int
        Resumed from.
    also : callable
        Called with every event.
    """

    def __init__(self, path: Path, step: int, also: Callable[[dict], None]):
        self.path, self.also = path, also
        if path.exists():
            kept = [line for line in path.read_text().splitlines() if _step_of(line) <= step]
            write_whole(path, lambda s: s.write("".join(line + "\n" for line in kept).encode()))

    def write(self, event: dict) -> None:
        """Append an event."""
        with open(self.path, "a") as stream:
            stream.write(json.dumps(event) + "\n")
        self.also(event)


def read_journal(path: Path) -> list[dict]:
    """The events of a log; none if there is no such file."""
    lines = path.read_text().splitlines() if path.is_file() else []
    return [json.loads(line) for line in lines if _step_of(line) < np.inf]


def _step_of(line: str) -> float:
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError):
        return np.inf  # a line cut short by a kill
