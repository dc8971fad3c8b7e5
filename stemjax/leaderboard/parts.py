"""What a method must denoise to compete on a track: the noisy images that the records of its rankings name.

A track has one part for every set of images that it scores: one for a single noise level, several for a sweep.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stemjax.apply import columns
from stemjax.apply.evaluate import ImageSet, image_set
from stemjax.data import datasets
from stemjax.data.images import Frames
from stemjax.data.kinds import KINDS
from stemjax.leaderboard.benchmark import Benchmark, Board, Track
from stemjax.leaderboard.entries import accepted_on
from stemjax.records import rebuild

VALIDATION = "-validation"  # ending of a part's name


@dataclass(frozen=True)
class Part:
    """One set of images of a track.

    Parameters
    ----------
    record : dict
        A record that was scored on these very images; what is scored on them has its data set, imaging and split.
    rows : list of dict
        Its scores, which name the images; empty where the definition's `frames` say it in place of a record.
    targets : tuple of (experiment, conditions)
        The tables that scores on these images stand in.
    validation_of : str
        For images that only choose the threshold of the column finder: recipe hash of their data set.
    """

    name: str
    record: dict
    rows: Sequence[dict]
    targets: tuple[tuple[str, dict], ...]
    validation_of: str = ""
    frames: Frames | None = None

    @property
    def tunes_threshold(self) -> bool:
        """Whether scores are taken with a threshold chosen on validation images."""
        return any(conditions.get("threshold") == "tuned" for _, conditions in self.targets)

    def unit(self) -> str:
        """Of the intensities."""
        exported = self.record["imaging"].get("units") == "8-bit"
        return "readings exported to 0 to 255" if exported else KINDS[self.record["data_set"]["name"]].unit

    def images(self, root: str | Path) -> tuple[datasets.DataSet, ImageSet]:
        """The data set below `root`, and the images."""
        data, chosen = self._data(root), self._chosen()
        if not chosen:
            return data, rebuild.image_set(self.record, self.rows, data)
        return data, image_set(data, *chosen, rebuild.imaging_of(self.record))

    def count(self, root: str | Path) -> int:
        """How many images those are; none is made."""
        if not (chosen := self._chosen()):
            return len(self.rows)
        selection, split, per_unit = chosen
        return len(replace(selection, per_unit=per_unit).images(self._data(root), split))

    def _data(self, root: str | Path) -> datasets.DataSet:
        named = self.record["data_set"]
        name, recipe_hash = named["name"], named["recipe_hash"]
        if self.validation_of:
            name, recipe_hash = "pt-ceo2", self.validation_of
        return rebuild.find_data(name, recipe_hash, self.record["size"], root)

    def _chosen(self) -> tuple | None:
        """(selection, split, images of each unit) of images that no record names."""
        if self.validation_of:
            return columns.ALIKE, "validation", columns.VALIDATION_IMAGES[self.record["size"]]
        return (self.frames, self.record["split"], self.frames.per_unit) if self.frames else None


def parts_of(
    definition: Benchmark, name: str, size: str, current: list[dict], scores: dict
) -> tuple[Track, list[Part]]:
    """A track and its parts at a size, from the current records and their scores.

    Raises
    ------
    ValueError
        If there is no such track or size, or no record that says which images it has.
    """
    track = next((track for track in definition.tracks if track.id == name), None)
    if track is None:
        raise ValueError(f"no track named {name!r}; there are {', '.join(track.id for track in definition.tracks)}")
    if size not in track.sizes:
        raise ValueError(f"track {name} has no size {size!r}; it has {', '.join(track.sizes)}")
    grouped, declared = _grouped(definition, track, size, current, scores), []
    for board in track.boards:
        if board.images and not any(board is one for group in grouped.values() for one, _ in group):
            declared += [_declared(track, board, size)] * all(track.sizes[size]["data"].values())
    if not grouped and not declared:
        raise ValueError(_nothing_yet(definition, track, size, current, scores))
    parts = [*declared]
    for group in grouped.values():
        record, targets = group[0][1], []
        for board, one in group:
            target = (board.experiment, one["conditions"])
            targets += [target] * (target not in targets)
        part = Part(_name(track, *group[0]), record, scores[record["id"]], tuple(targets))
        parts.append(part)
        if part.tunes_threshold:
            source = next(track for track in definition.tracks if track.id == "pt-ceo2").sizes[size]["data"]["pt-ceo2"]
            parts.append(replace(part, name=part.name + VALIDATION, validation_of=source))
    return track, parts


def _grouped(definition: Benchmark, track: Track, size: str, current: list, scores: dict) -> dict[tuple, list]:
    """The boards of a track with a record each, those of the same images together."""
    grouped: dict[tuple, list[tuple[Board, dict]]] = {}
    for board in track.boards:
        for record in _references(definition, track, board, size, current, scores):
            images = tuple(row["image"] for row in scores[record["id"]])
            draw = record["conditions"].get("noise_draw", 0)
            key = (datasets.canonical_json([record["data_set"], record["imaging"], draw]), images)
            grouped.setdefault(key, []).append((board, record))
    return grouped


def _declared(track: Track, board: Board, size: str) -> Part:
    """The part of a board without any record, whose images the definition names."""
    of_size = track.sizes[size]
    ((name, recipe_hash),) = of_size["data"].items()
    fields = of_size.get("images", {}) | board.images
    frames = Frames(**{key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()})
    record = {
        "id": "",
        "experiment": board.experiment,
        "size": size,
        "split": track.split,
        "conditions": board.where,
        "data_set": {"name": name, "recipe_hash": recipe_hash},
        "imaging": of_size["imaging"],
        "scores": {},
    }
    return Part(board.id, record, (), ((board.experiment, board.where),), frames=frames)


def _nothing_yet(definition: Benchmark, track: Track, size: str, current: list, scores: dict) -> str:
    where = f"track {track.id} has no record at size {size} yet, so nothing says which images it is scored on"
    others = [
        other
        for other in track.sizes
        if _grouped(definition, track, other, current, scores)
        or any(board.images for board in track.boards)
        and all(track.sizes[other]["data"].values())
    ]
    return f"{where}; try --size {' or '.join(others)}" if others else where


def _references(
    definition: Benchmark, track: Track, board: Board, size: str, current: list[dict], scores: dict
) -> list[dict]:
    """For every point of a board one record, preferably one of a method that was not trained."""
    accepted = accepted_on(definition, track, board, size, current, scores)
    axis = track.score.get("over")
    points: dict = {}
    for record in sorted(accepted, key=lambda record: (bool(record["denoiser"]), record["seed"] is not None)):
        points.setdefault(record["conditions"].get(axis), record)
    return [points[point] for point in sorted(points, key=lambda point: (point is not None, point))]


def _name(track: Track, board: Board, record: dict) -> str:
    axis = track.score.get("over") or (track.swept or {}).get("axis")
    if axis and axis in record["conditions"]:
        return f"{axis.replace('_', '-')}-{record['conditions'][axis]:g}"
    return board.id


def sampling_of(data: datasets.DataSet, images: ImageSet) -> float:
    """Pixel size [Å]; that of an exit wave's image is rounded so that a whole number of pixels fits the cell."""
    if images.images.frame is not None:
        return float(data.manifest["frame"]["sampling_angstrom"])
    return float(data.band.cell / round(data.band.cell / images.imaging.sampling))
