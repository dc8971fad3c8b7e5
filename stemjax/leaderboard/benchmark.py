"""The definition of the benchmark: which records compete, on what, under which rules. `results/benchmark.json`.

A published version is frozen: its digest stands in `FROZEN`, and a definition that differs from it is refused. What
turns out to be wrong later is said in an errata file beside it, and mended in the next version.
"""

import json
from dataclasses import dataclass, field, fields
from pathlib import Path

from stemjax import records
from stemjax.data.datasets import canonical_json
from stemjax.records.schema import digest as sha256

NAME = "benchmark.json"
FROZEN: dict[int, str] = {}  # version -> digest of its definition, added on the day it is published


@dataclass(frozen=True)
class Board:
    """One ranking of a track at every size: the records of an experiment under some conditions.

    Parameters
    ----------
    where : dict
        Conditions that a record must have; it may have others beside.
    channel : str
        Where given, scores named ``adf_...`` in the track are those of this channel.
    published : str
        Figures of the papers that stand below it, unranked; see `published.py`.
    images : dict
        Of a board of movies: fields of `images.Frames` that choose its images, so that it can be exported and scored
        before it has any record. Its sizes then have one data set and a whole `imaging`.
    """

    id: str
    title: str
    experiment: str
    where: dict
    channel: str = ""
    published: str = ""
    images: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Track:
    """One question with its data, noise, metric contract, split and rules.

    Parameters
    ----------
    score : dict
        ``name`` in the records, ``label``, ``unit``, whether ``higher`` or ``lower`` is ``better``, ``digits``; with
        ``reaches`` and ``over``, the row's value is the point of the axis ``over`` where the score reaches that level.
    also : list
        Scores shown beside it.
    bars : list
        Rows that every method must beat.
    sizes : dict
        Size -> its ``data`` (name -> recipe hash, null while there is none) and what its records' imaging must hold;
        ``images`` adds to those of its boards. ``scored`` pins the noisy images of every board and point
        (`entries.images_digest`): a record of others is left out. A size without any record yet has none.
    methods : list
        Rows that are expected; one without records is listed as missing.
    swept, times : dict
        What its plots have for their axis, or nothing.
    """

    id: str
    title: str
    question: str
    score: dict
    also: list
    contract: str
    protocol: str
    split: str
    unit: str
    noise: dict
    methods: list
    sizes: dict
    boards: tuple[Board, ...]
    bars: tuple = ()
    headline: bool = False
    swept: dict | None = None
    times: dict | None = None


@dataclass(frozen=True)
class Benchmark:
    """A version of the benchmark, a draft until it has a day on which it was `published`."""

    benchmark: str
    version: int
    published: str | None
    accepts: list
    errata: str
    statistics: dict
    rules: dict
    held_out: dict
    tracks: tuple[Track, ...]

    @property
    def budget(self) -> int:
        """How many values a tuned method may try."""
        return self.rules["tuned"]["budget"]["settings"]


def read(results: str | Path) -> Benchmark:
    """The definition in a results folder, checked.

    Raises
    ------
    OSError
        If there is none.
    ValueError
        If it is not a definition, or a published version was edited.
    """
    path = Path(results) / NAME
    if not path.is_file():
        what = "missing; a leaderboard needs the definition of the benchmark"
        raise OSError(f"{path}: {what}: copy the project's, or give --results, its folder")
    try:
        plain = json.loads(path.read_text("utf-8"))
        tracks = tuple(
            _made(Track, track | {"boards": tuple(_made(Board, board) for board in track["boards"])})
            for track in plain["tracks"]
        )
        definition = _made(Benchmark, plain | {"tracks": tracks})
        problems = list(_problems(definition))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not a definition of a benchmark: {error!s}") from error
    if definition.published or definition.version in FROZEN:
        if FROZEN.get(definition.version) != digest(plain):
            problems.append(
                f"version {definition.version} is not as it was published (its digest is {digest(plain)}): bring back "
                f"the committed file, and say what was wrong in {definition.errata}"
            )
    if problems:
        raise ValueError(f"{path}: {'; '.join(problems)}")
    return definition


def digest(plain: dict) -> str:
    """sha256 of a definition's canonical JSON."""
    return sha256(canonical_json(plain))


def read_errata(results: str | Path, definition: Benchmark) -> list[dict]:
    """What was found to be wrong after publication: ``date``, ``track`` and ``text`` of each."""
    path = Path(results) / definition.errata
    errata = json.loads(path.read_text("utf-8")) if path.is_file() else []
    if not all(set(erratum) == {"date", "track", "text"} for erratum in errata):
        raise ValueError(f"{path}: each erratum has a date, a track and a text")
    return errata


def _made(cls, plain: dict):
    """An instance from JSON; the name of an unknown or missing field is in the error."""
    known = {field.name for field in fields(cls)}
    if unknown := sorted(set(plain) - known):
        raise ValueError(f"unknown field {unknown[0]!r} of a {cls.__name__.lower()}")
    return cls(**plain)


def _problems(definition: Benchmark):
    names = [track.id for track in definition.tracks]
    if len(set(names)) < len(names):
        yield "two tracks have one id"
    for track in definition.tracks:
        scores = [track.score["name"], *track.also]
        if unknown := [name for name in scores if name not in records.RANGES]:
            yield f"track {track.id}: no score {unknown[0]!r}"
        if track.protocol not in records.PROTOCOLS:
            yield f"track {track.id}: no protocol {track.protocol!r}"
        if unknown := sorted(set(track.sizes) - set(records.SIZES)):
            yield f"track {track.id}: no size {unknown[0]!r}"
        if track.score["better"] not in ("higher", "lower"):
            yield f"track {track.id}: better is 'higher' or 'lower'"
        boards = [board.id for board in track.boards]
        if len(set(boards)) < len(boards):
            yield f"track {track.id}: two boards have one id"
