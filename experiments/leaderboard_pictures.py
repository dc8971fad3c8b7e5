"""The small pictures that the leaderboard compares: one test image of a track as every competing method shows it.

    python -m experiments.leaderboard_pictures --size cpu

Each method is rebuilt from its record (its first training), denoises the image anew, and must reach the score that the
record has for this very image: then its crop is written, with residual and Fourier transform, to
results/figures/leaderboard. Nothing is trained here; it takes some minutes on 2 cores. The pictures of a ranking whose
records are those of the last time stay, unless `--again`.
"""

import hashlib
import json
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from typing import Literal

import numpy as np

from experiments.pictures import displayed
from experiments.workspace import Workspace
from stemjax import leaderboard, records
from stemjax.apply.evaluate import ImageSet, scores
from stemjax.files import write_whole
from stemjax.leaderboard import benchmark, pictures
from stemjax.leaderboard.entries import Entry, Ranking, competing, rankings
from stemjax.leaderboard.parts import sampling_of
from stemjax.records.rebuild import denoised_by, find_data, image_set, method_of, some_of

CROP = {"pt-ceo2": 192}  # px, at most
SMALL = 128  # of any other track: noise compresses badly
TOLERANCE_DB = 0.02  # machines differ in last digits
PICTURED = {
    "pt-ceo2": ("psnr",),
    "graphene": ("adf-7", "bf-7", "adf-16", "bf-16"),
    "movies": ("pt", "au", "co"),
    "haadf": ("20nm", "50nm"),
}


def run(size: str, workspace: Workspace, again: bool = False) -> None:
    """Make every picture of a size, and keep those of other sizes."""
    folder = workspace.results / pictures.FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    listing = folder / "pictures.json"
    before = _load(listing)
    kept = [one for one in before if one["size"] != size]
    every = records.load(workspace.results / "records")
    current, origins = records.current(every), records.origins(every)
    definition = benchmark.read(workspace.results)
    candidates = competing(definition, current)
    values = records.load_scores(workspace.results / "records", candidates)
    made = []
    for ranking in rankings(definition, [one for one in candidates if not records.is_submission(one)], values):
        wanted = ranking.board.id in PICTURED.get(ranking.track.id, ())
        if ranking.size != size or not ranking.entries or not wanted:
            continue
        old = None if again else _unchanged(before, ranking, origins)
        made.append(old or _set(ranking, values, workspace))
    text = json.dumps([*kept, *made], ensure_ascii=False, indent=1) + "\n"
    write_whole(listing, lambda stream: stream.write(text.encode()))
    _clear(folder, [*kept, *made])
    leaderboard.write(workspace.results)


def _unchanged(before: list[dict], ranking: Ranking, origins: dict[str, str]) -> dict | None:
    """The set that was made of the very records of a ranking, or of those that they were derived from."""
    place = (ranking.track.id, ranking.board.id, ranking.size)
    wanted = {None, *(origins[entry.records[0]["id"]] for entry in ranking.entries)}
    drawn = (one for one in before if (one["track"], one["board"], one["size"]) == place)
    return next((one for one in drawn if {origins.get(row["record"]) for row in one["rows"]} == wanted), None)


def _set(ranking: Ranking, values: dict, workspace: Workspace) -> dict:
    """One image of a board, by every method: pictures written, their description returned."""
    model, channel = ranking.entries[0].records[0], int(ranking.board.channel == "bf")
    data = find_data(model["data_set"]["name"], model["data_set"]["recipe_hash"], ranking.size, workspace.data)
    test = image_set(model, values[model["id"]], data)
    index, sampling = test.images.typical, sampling_of(data, test)
    clean = test.clean[index, ..., channel]
    crop = _crop(clean.shape, CROP.get(ranking.track.id, SMALL))
    name, stem = test.name[index], f"{ranking.track.id}-{ranking.board.id}-{ranking.size}"
    folder = workspace.results / pictures.FOLDER
    display = partial(displayed, channel=test.imaging.channels[channel])
    rows = [_row(folder, f"{stem}-clean", "Clean", None, None, clean[crop], clean[crop], display)]
    moves = test.images.frame is not None  # the frames of a movie are denoised and scored together
    part = some_of(test, np.flatnonzero(test.images.unit == test.images.unit[index]) if moves else [index])
    place = part.name.index(name)
    for number, (entry, frames) in enumerate(_denoised(ranking, part, workspace)):
        record = entry.records[0]
        stored = next(row for row in values[record["id"]] if row["image"] == name)[ranking.score]
        score = scores(frames, part, clamp=bool(record["denoiser"]))[place][ranking.score]
        if abs(score - stored) > TOLERANCE_DB:
            text = f"{score:.3f} dB here and {stored:.3f} dB in record {record['id'][:16]}"
            raise ValueError(f"{entry.method}: {text}; its picture would not be that of the record")
        image = frames[place][crop][..., channel]
        rows.append(
            _row(folder, f"{stem}-{number:02d}", entry.method, record["id"], stored, image, clean[crop], display)
        )
        print(f"{stem:24s} {entry.method:32s} {score:6.2f} dB", flush=True)
    pixels = clean[crop].shape[0]
    return {
        "track": ranking.track.id,
        "board": ranking.board.id,
        "size": ranking.size,
        "title": ranking.board.title,
        "says": f"{name}, the first training of each method, {pixels * sampling / 10:.1f} nm wide. All images have the "
        f"grey limits of the clean one{', of its square root' * (test.imaging.channels[channel] == 'adf')}; the values "
        "are the records' for the whole of this image.",
        "px": pixels,
        "bars": _bars(pixels, sampling),
        "rows": rows,
    }


def _denoised(ranking: Ranking, part: ImageSet, workspace: Workspace) -> Iterator[tuple[Entry, np.ndarray]]:
    """An image, or the frames of its movie, as every method has it [M, P, P, C]."""
    for entry in ranking.entries:
        denoiser, variables, _ = method_of(entry.records[0], workspace.runs)
        yield entry, denoised_by(denoiser, variables, part)


def _crop(shape: tuple[int, ...], most: int) -> tuple[slice, slice]:
    """The upper middle, where particle and vacuum meet; the whole of a smaller image."""
    side = min(most, *shape)
    left = (shape[1] - side) // 2
    top = min((shape[0] - side) // 6, shape[0] - side)
    return slice(top, top + side), slice(left, left + side)


def _row(folder, stem: str, method: str, record, psnr_db, image: np.ndarray, clean: np.ndarray, display) -> dict:
    """The pictures of one method, written; and what the page needs to know."""
    from PIL import Image

    made, row = (
        pictures.panels(image, clean, display),
        {"record": record, "method": method, "psnr_db": psnr_db, "sha256": {}},
    )
    for kind in pictures.KINDS:
        stream = BytesIO()
        Image.fromarray(getattr(made, kind)).save(stream, "png", optimize=True)
        row[kind] = f"{stem}-{kind}.png"
        content = stream.getvalue()
        row["sha256"][kind] = hashlib.sha256(content).hexdigest()
        write_whole(folder / row[kind], lambda file, content=content: file.write(content))
    return row


def _bars(pixels: int, sampling: float) -> dict:
    """Scale bars: length in percent of the picture's width, and what they say."""
    width = pixels * sampling  # Å
    length = next(length for length in (20, 10, 5, 2) if length <= width / 3)
    step = next(
        step for step in (2.0, 1.0, 0.5, 0.2, 0.1) if step * sampling <= 1 / 3
    )  # 1/Å of a width of 1 / sampling
    in_space = {"part": round(100 * length / width, 2), "label": f"{length / 10:g} nm"}
    return {
        "image": in_space,
        "residual": in_space,
        "spectrum": {"part": round(100 * step * sampling, 2), "label": f"{step:g} /Å"},
    }


def _load(listing) -> list[dict]:
    return json.loads(listing.read_text("utf-8")) if listing.is_file() else []


def _clear(folder, sets: list[dict]) -> None:
    """Remove pictures that no set names any more."""
    wanted = {row[kind] for one in sets for row in one["rows"] for kind in pictures.KINDS}
    for path in folder.glob("*.png"):
        if path.name not in wanted:
            path.unlink()


def main(size: Literal["cpu", "gpu"] = "cpu", again: bool = False) -> None:
    """Make the pictures of the leaderboard at one size; all of them anew if `again`."""
    run(size, Workspace.for_size(size), again)


if __name__ == "__main__":
    import tyro

    tyro.cli(main)
