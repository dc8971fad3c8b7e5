"""The rows of a ranking: the records that compete on one board at one size, and those that are missing or left out."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from stemjax.config import class_of
from stemjax.data.datasets import recipe_hash
from stemjax.denoisers.protocol import ask
from stemjax.leaderboard.benchmark import Benchmark, Board, Track
from stemjax.leaderboard.published import Published, published_rows
from stemjax.leaderboard.ranks import Rank, rank_drawn, rank_means
from stemjax.metrics import bootstrap
from stemjax.metrics.dose import dose_reaching
from stemjax.records import is_submission
from stemjax.tables.rows import Row, gather

FINDER = "threshold"  # of the finder of columns or atoms, in a record's tuning: part of the metric contract


@dataclass(frozen=True)
class Entry:
    """One method on one board.

    Parameters
    ----------
    value : float
        Mean over units, or what the score reaches; in the unit of the track's score.
    low, high : float or None
        95 % interval; None with too few units.
    unit_values : dict
        Unit -> its mean; empty for a statistic that no single unit has.
    also : dict
        Further scores -> their mean.
    series : dict
        For the track's plots: point of its axis -> (mean, low, high) of the score, and of PSNR under ``psnr_db``.
    family, supervision : str
        Reference, filter or network; how that learnt.
    rules : str
        Rule set: "fixed" or "tuned".
    settings : int
        How many values were tried.
    """

    method: str
    records: tuple[dict, ...]
    value: float
    low: float | None
    high: float | None
    unit_values: dict[str, float]
    images: int
    also: dict[str, float]
    seed_values: tuple[float, ...]
    series: dict
    family: str
    supervision: str
    rules: str
    settings: int
    rank: Rank | None = None

    @property
    def parameters(self) -> int:
        """Of the network; 0 for a method without one."""
        return self.records[0]["parameters"]


@dataclass(frozen=True)
class Ranking:
    """A board at one size: its rows, best first, and what is not among them.

    Parameters
    ----------
    missing : list of str
        Methods that are expected and have no record here.
    left_out : list of (record, reason)
        Records that do not measure what the definition says.
    """

    track: Track
    board: Board
    size: str
    score: str
    entries: tuple[Entry, ...]
    missing: tuple[str, ...]
    left_out: tuple[tuple[dict, str], ...]
    published: tuple[Published, ...]

    @property
    def units(self) -> tuple[str, ...]:
        """Structures or movies that were scored."""
        return tuple(self.entries[0].records[0]["units"]) if self.entries else ()

    @property
    def is_ranked(self) -> bool:
        """Whether there are units enough for ranks."""
        return any(entry.rank for entry in self.entries)


def rankings(definition: Benchmark, current: list[dict], scores: dict[str, list[dict]]) -> Iterator[Ranking]:
    """Every board of every track at every size, from current records and their scores."""
    for track in definition.tracks:
        for size in track.sizes:
            for board in track.boards:
                yield _ranking(definition, track, board, size, current, scores)


def competing(definition: Benchmark, current: list[dict]) -> list[dict]:
    """The records that any board looks at."""
    boards = [(board, size) for track in definition.tracks for board in track.boards for size in track.sizes]
    return [record for record in current if any(_belongs(record, board, size) for board, size in boards)]


def _ranking(definition: Benchmark, track: Track, board: Board, size: str, current: list, scores: dict) -> Ranking:
    name, accepted, left_out = _of_channel(track.score["name"], board), [], []
    for record, reason in _judged(definition, track, board, size, current, scores):
        left_out += [(record, reason)] * bool(reason)
        accepted += [record] * (not reason)
    entries = _entries(track, board, name, accepted, scores) if accepted else []
    expected = [method for method in track.methods if method not in {entry.method for entry in entries}]
    published = tuple(published_rows(board.published)) if entries else ()
    return Ranking(track, board, size, name, tuple(entries), tuple(expected), tuple(left_out), published)


def accepted_on(
    definition: Benchmark, track: Track, board: Board, size: str, current: list[dict], scores: dict[str, list[dict]]
) -> list[dict]:
    """The records that compete on a board at a size."""
    return [record for record, reason in _judged(definition, track, board, size, current, scores) if not reason]


def images_digest(record: dict, rows: list[dict]) -> str:
    """What pins the noisy images of a record: 16 digits of the sha256 of imaging, draw of the noise and names."""
    drawn = record["conditions"].get("noise_draw", 0)
    return recipe_hash([record["imaging"], drawn, [row["image"] for row in rows]])


def _judged(
    definition: Benchmark, track: Track, board: Board, size: str, current: list, scores: dict
) -> Iterator[tuple[dict, str]]:
    """Every record of a board, and why it may not compete (empty if it may)."""
    name, pinned = _of_channel(track.score["name"], board), track.sizes[size].get("scored")
    for record in current:
        if _belongs(record, board, size):
            reason = _why_not(definition, track, size, record, name)
            if not reason and pinned is not None and images_digest(record, scores[record["id"]]) not in pinned:
                reason = "of other images than the benchmark's"
            yield record, reason


def _belongs(record: dict, board: Board, size: str) -> bool:
    conditions = record["conditions"]
    of_board = (record["experiment"], record["size"]) == (board.experiment, size)
    return of_board and all(conditions.get(name) == value for name, value in board.where.items())


def _why_not(definition: Benchmark, track: Track, size: str, record: dict, name: str) -> str:
    """Why a record may not compete; empty if it may."""
    data, imaging = record["data_set"], track.sizes[size]["imaging"]
    differing = [key for key, value in imaging.items() if record["imaging"].get(key) != value]
    if record["benchmark_version"] not in definition.accepts:
        return f"of benchmark version {record['benchmark_version']}"
    if track.sizes[size]["data"].get(data["name"]) != data["recipe_hash"]:
        return f"of another data set, {data['name']} {data['recipe_hash']}"
    if record["protocol"] != track.protocol or record["split"] != track.split:
        return f"scored by protocol {record['protocol']} on split {record['split']}"
    if differing:
        return f"of images with another {differing[0]}"
    if name not in record["scores"]:
        return f"without the score {name}"
    if (settings := _settings(record)) > definition.budget:
        return f"tuned with {settings} settings, more than {definition.budget}"
    return ""


def _entries(track: Track, board: Board, name: str, accepted: list[dict], scores: dict) -> list[Entry]:
    higher = track.score["better"] == "higher"
    if "reaches" in track.score:
        return _reaching(track, name, accepted, scores)
    rows = gather(accepted, scores)
    also = [_of_channel(score, board) for score in track.also]
    values = {method: _of_seeds(row, name, scores) for method, row in rows.items()}
    entries = {}
    for method, row in rows.items():
        estimate = bootstrap.interval(values[method], row.units)
        units = bootstrap.unit_means(values[method].mean(axis=0), row.units)
        mean = float(np.mean(list(units.values())))
        low, high = estimate[1:] if estimate else (None, None)
        entries[method] = _entry(
            row, name, mean, low, high, units, {score: row.mean(score) for score in also if score in row.scores}, {}
        )
    ranks = rank_means(values, next(iter(rows.values())).units, higher) if len(rows) > 1 else None
    order = ranks or sorted(entries, key=lambda method: entries[method].value * (-1 if higher else 1))
    return [replace(entries[method], rank=ranks[method] if ranks else None) for method in order]


def _reaching(track: Track, name: str, accepted: list[dict], scores: dict) -> list[Entry]:
    """Rows whose value is the point of an axis where the score reaches a level: a dose."""
    axis, level = track.score["over"], track.score["reaches"]
    points = sorted({record["conditions"][axis] for record in accepted})
    parts = {point: gather([r for r in accepted if r["conditions"][axis] == point], scores) for point in points}
    methods = [method for method in parts[points[0]] if all(method in rows for rows in parts.values())]
    entries, drawn = {}, {}
    for stream, method in enumerate(methods):
        rows = [parts[point][method] for point in points]
        units = rows[0].units
        if any(row.units != units for row in rows):
            raise ValueError(f"{method}: other structures at another {axis}; run its experiment to the end")
        curves = [_of_seeds(row, name, scores) for row in rows]
        resampled = np.stack([bootstrap.resampled(curve, units, stream) for curve in curves], axis=-1)
        drawn[method] = dose_reaching(points, resampled, level)
        value = float(dose_reaching(points, np.array([row.mean(name) for row in rows]), level))
        has_interval = len(set(units)) >= bootstrap.FEWEST_UNITS
        ends = np.percentile(drawn[method], [2.5, 97.5], method="closest_observation") if has_interval else (None, None)
        series = {
            score: {
                point: _estimate(_of_seeds(row, score, scores), units) for point, row in zip(points, rows, strict=True)
            }
            for score in (name, "psnr_db")
        }
        whole = replace(rows[0], records=tuple(record for row in rows for record in row.records))
        low, high = (None if end is None else float(end) for end in ends)
        entries[method] = _entry(whole, name, value, low, high, {}, {}, series)
    values = {method: entry.value for method, entry in entries.items()}
    enough = len(entries) > 1 and all(entry.low is not None for entry in entries.values())
    ranks = rank_drawn(values, drawn) if enough else None
    return [replace(entries[m], rank=ranks[m] if ranks else None) for m in sorted(values, key=values.get)]


def _entry(row: Row, name: str, value: float, low, high, unit_values: dict, also: dict, series: dict) -> Entry:
    record = row.records[0]
    family, supervision = family_of(record)
    settings = max(map(_settings, row.records))
    seeds = dict.fromkeys(r["seed"] for r in row.records if r["seed"] is not None)
    seed_values = tuple(r["scores"][name] for r in row.records) if seeds and not series else ()
    rules = "tuned" if settings else "fixed"
    images = record["images"]
    facts = (unit_values, images, also, seed_values, series, family, supervision, rules, settings)
    return Entry(row.method, row.records, value, low, high, *facts)


def family_of(record: dict) -> tuple[str, str]:
    """Family and supervision of the method of a record."""
    config = record["denoiser"]
    if is_submission(record):
        return config["family"], config["supervision"]
    if not config or config["class"] == "constant.Constant":
        return "reference", "none"
    if record["seed"] is None:
        return "filter", "none"
    learns_alone = ask(class_of(config), "self_supervised")
    return "network", "self-supervised" if learns_alone else "supervised"


def _settings(record: dict) -> int:
    """How many values of the method were tried; a finder's threshold, chosen alike for every method, is none of it."""
    settings = record["denoiser"]["settings"] if is_submission(record) else 0
    tuning = record["tuning"] or {}
    return settings + sum(len(tried["values"]) for name, tried in tuning.items() if name != FINDER)


def _of_seeds(row: Row, name: str, scores: dict) -> np.ndarray:
    """A score of every image by seed, [n_seeds, n_images]."""
    return np.array([[image[name] for image in scores[record["id"]]] for record in row.records])


def _estimate(values: np.ndarray, units) -> tuple[float, float | None, float | None]:
    mean = float(np.mean(list(bootstrap.unit_means(values.mean(axis=0), units).values())))
    return bootstrap.interval(values, units) or (mean, None, None)


def _of_channel(score: str, board: Board) -> str:
    return f"{board.channel}_{score.removeprefix('adf_')}" if board.channel else score
