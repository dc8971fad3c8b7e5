"""Where a method would stand on a track: its images denoised and scored, its row among those of the records."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from stemjax import records
from stemjax.apply.evaluate import ImageSet
from stemjax.leaderboard import benchmark as definitions
from stemjax.leaderboard import entries, submissions
from stemjax.leaderboard.boards import value_text
from stemjax.leaderboard.entries import Entry, Ranking
from stemjax.leaderboard.parts import Part, parts_of
from stemjax.models.model import load_model
from stemjax.records.rebuild import denoised_by


@dataclass(frozen=True)
class Standing:
    """The rankings that a method would stand in; as text, its mean, interval and rank and the rows next to it.

    Parameters
    ----------
    placed : list of (Ranking, Entry)
        Rankings with the method in them, and its row.
    added : list of (record, rows)
        What was scored; ``rows`` are the scores of every image.
    """

    placed: list[tuple[Ranking, Entry]]
    added: Sequence[tuple[dict, list[dict]]]

    def __str__(self) -> str:
        lines = [line for ranking, entry in self.placed for line in _lines(ranking, entry)]
        if not lines:
            for record, _ in self.added:
                values = ", ".join(f"{name} {value:.4g}" for name, value in record["scores"].items())
                place = f"{record['experiment']} {record['conditions']}"
                lines.append(f"{place}: {values}; in no ranking of this benchmark")
        return "\n".join(lines)

    __repr__ = __str__


@dataclass(frozen=True)
class OpenTrack:
    """A track of the benchmark with the records that compete on it.

    Parameters
    ----------
    digest : str
        Of the benchmark's definition.
    parts : list of Part
        Its sets of images.
    found, scores
        Current records, and their scores by id.
    """

    definition: definitions.Benchmark
    digest: str
    track: definitions.Track
    parts: list[Part]
    found: list[dict]
    scores: dict[str, list[dict]]

    def standing(self, added: Sequence[tuple[dict, list[dict]]]) -> Standing:
        """Where records that are not among the others yet would stand."""
        placed = submissions.standing(self.definition, self.track, self.found, self.scores, added)
        return Standing(placed, added)


def open_track(results: str | Path, name: str, size: str) -> OpenTrack:
    """A track at a size, of a results folder.

    Raises
    ------
    OSError
        If there is no benchmark.
    ValueError
        If there is no such track or size.
    """
    results = Path(results)
    definition = definitions.read(results)
    digest = definitions.digest(json.loads((results / definitions.NAME).read_text("utf-8")))
    current = entries.competing(definition, records.current(records.load(results / "records")))
    scores = records.load_scores(results / "records", current)
    return OpenTrack(definition, digest, *parts_of(definition, name, size, current, scores), current, scores)


def benchmark(
    method: Any,
    track: str = "pt-ceo2",
    *,
    settings: Sequence[str] | dict = (),
    size: str = "cpu",
    data: str | Path = "data",
    results: str | Path = "results",
    name: str = "",
) -> Standing:
    """Score a method on the test images of a track, and say where it would stand; nothing is recorded.

    Parameters
    ----------
    method : str, path, Model or denoiser
        As `stemjax.denoise` takes it.
    track : str
        As `stemjax leaderboard` names it: pt-ceo2, surface, graphene, movies, haadf or dose.
    settings : sequence of str, or dict
        Of the method.
    size : {"cpu", "gpu"}
        Of the track.
    data : path
        Folder of simulated data sets, data/NAME-SIZE.
    results : path
        Folder with the benchmark and its records.
    name : str
        Of the row; by default that of the method.

    Returns
    -------
    Standing
        Prints as a table.

    Raises
    ------
    OSError
        If the data set is not there; the message has the command that makes it.
    ValueError
        If there is no such track, or the method does not give images of the right shape.
    """
    model = load_model(method).with_settings(settings)
    opened = open_track(results, track, size)

    def predict(part: Part, images: ImageSet) -> np.ndarray:
        noisy = [images.noisy[..., channels] for channels in model.parts(images.noisy.shape[-1])]
        one = [denoised_by(model.denoiser, model.variables, replace(images, noisy=channels)) for channels in noisy]
        return np.concatenate(one, axis=-1)

    card = submissions.trial_card(name or f"{model.name} (yours)")
    scored = submissions.score_parts(opened.parts, data, predict)
    return opened.standing(list(submissions.drafts(opened.track, scored, card)))


def _lines(ranking: Ranking, entry: Entry) -> list[str]:
    """Mean and interval; rank and neighbours."""
    ends = ""
    if entry.low is not None:
        ends = f" [{value_text(ranking, entry.low)}, {value_text(ranking, entry.high)}]"
    unit = f" {ranking.track.score['unit']}" * bool(ranking.track.score["unit"])
    label = f"{ranking.board.title}: {ranking.track.score['label']} {value_text(ranking, entry.value)}{unit}{ends}"
    more = "".join(f", {name} {value:.3f}" for name, value in entry.also.items())
    return [f"{label}{more}", f"  {_place(ranking, entry)}"]


def _place(ranking, entry) -> str:
    index = ranking.entries.index(entry)
    if len(ranking.entries) == 1:
        place = "the first row here, nothing to be ranked with"
    elif entry.rank is None:
        place = f"not ranked: {len(ranking.units)} {ranking.track.unit}s are too few"
    else:
        span = f" (95 %: {entry.rank.low} to {entry.rank.high})" * (entry.rank.low < entry.rank.high)
        place = f"would be rank {entry.rank.rank} of {len(ranking.entries)}{span}"
        tied = [e.method for e in ranking.entries if e is not entry and set(e.rank.letters) & set(entry.rank.letters)]
        place += f", not told apart from {', '.join(tied)}" * bool(tied)
    around = {"next above:": index - 1, "next below:": index + 1}
    near = [
        f"{word} {ranking.entries[at].method} ({value_text(ranking, ranking.entries[at].value)})"
        for word, at in around.items()
        if 0 <= at < len(ranking.entries)
    ]
    return "; ".join([place, *near])
