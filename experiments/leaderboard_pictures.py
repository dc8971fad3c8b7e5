"""The small pictures that the leaderboard compares: one test image of a track as every competing method shows it.

    python -m experiments.leaderboard_pictures --size cpu

Each method is rebuilt from its record (its first training), denoises the image anew, and must reach the score that the
record has for this very image: then its crop is written, with residual and Fourier transform, to
results/figures/leaderboard. Nothing is trained here; it takes a minute on 2 cores.
"""

import hashlib
import json
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from typing import Literal

import numpy as np

from experiments import graphene, sbd_table_5_1
from experiments.graphene_rows import displayed
from experiments.workspace import Workspace
from stemjax import leaderboard, recipes, records
from stemjax.evaluate import ImageSet, image_set, scores
from stemjax.files import write_whole
from stemjax.leaderboard import benchmark, pictures
from stemjax.leaderboard.entries import Entry, Ranking, competing, rankings
from stemjax.records.rebuild import denoised_by, method_of, some_of

CROP = 192  # px, at most
TOLERANCE_DB = 0.02  # machines differ in last digits
GRAPHENE = {"adf-7": 7.0, "bf-7": 7.0, "adf-16": 16.0, "bf-16": 16.0}


def run(size: str, workspace: Workspace) -> None:
    """Make every picture of a size, and keep those of other sizes."""
    folder = workspace.results / pictures.FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    listing = folder / "pictures.json"
    kept = [one for one in _load(listing) if one["size"] != size]
    found = records.current(records.load(workspace.results / "records"))
    definition = benchmark.read(workspace.results)
    candidates = competing(definition, found)
    values = records.load_scores(workspace.results / "records", candidates)
    made = []
    for ranking in rankings(definition, candidates, values):
        name = (ranking.track.id, ranking.board.id)
        if ranking.size != size or not ranking.entries:
            continue
        if name == ("pt-ceo2", "psnr"):
            imaging, data = recipes.SBD_TRAINING[size]["imaging"], workspace.pt_ceo2(size)
            test = image_set(data, sbd_table_5_1.WHITE, "test", sbd_table_5_1.IMAGES_PER_UNIT[size], imaging)
            made.append(_set(ranking, test, values, workspace, 0))
        elif name[0] == "graphene" and name[1] in GRAPHENE:
            test = graphene.unseen(workspace.au_graphene(size), size, graphene.imaging_of(GRAPHENE[name[1]]))
            made.append(_set(ranking, test, values, workspace, int(ranking.board.channel == "bf")))
    text = json.dumps([*kept, *made], ensure_ascii=False, indent=1) + "\n"
    write_whole(listing, lambda stream: stream.write(text.encode()))
    _clear(folder, [*kept, *made])
    leaderboard.write(workspace.results)


def _set(ranking: Ranking, test: ImageSet, values: dict, workspace: Workspace, channel: int) -> dict:
    """One image of a board, by every method: pictures written, their description returned."""
    index, sampling = test.images.typical, float(test.imaging.sampling)
    clean = test.clean[index, ..., channel]
    crop = _crop(clean.shape)
    name, stem = test.name[index], f"{ranking.track.id}-{ranking.board.id}-{ranking.size}"
    folder = workspace.results / pictures.FOLDER
    shown = partial(displayed, channel=test.imaging.channels[channel])
    rows = [_row(folder, f"{stem}-clean", "Clean", None, None, clean[crop], clean[crop], shown)]
    for number, (entry, denoised) in enumerate(_denoised(ranking, test, index, workspace)):
        record = entry.records[0]
        stored = next(row for row in values[record["id"]] if row["image"] == name)[ranking.score]
        one = some_of(test, [index])
        found = scores(denoised[None], one, clamp=bool(record["denoiser"]))[0][ranking.score]
        if abs(found - stored) > TOLERANCE_DB:
            text = f"{found:.3f} dB here and {stored:.3f} dB in record {record['id'][:16]}"
            raise ValueError(f"{entry.method}: {text}; its picture would not be that of the record")
        image = denoised[crop][..., channel]
        rows.append(_row(folder, f"{stem}-{number:02d}", entry.method, record["id"], stored, image, clean[crop], shown))
        print(f"{stem:24s} {entry.method:32s} {found:6.2f} dB", flush=True)
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


def _denoised(ranking: Ranking, test: ImageSet, index: int, workspace: Workspace) -> Iterator[tuple[Entry, np.ndarray]]:
    """The image as every method has it [P, P, C]; a movie's frames are denoised together."""
    movie = np.flatnonzero(test.images.unit == test.images.unit[index]) if test.clean.shape[-1] > 1 else [index]
    part, place = some_of(test, movie), list(movie).index(index)
    for entry in ranking.entries:
        denoiser, variables, _ = method_of(entry.records[0], workspace.runs)
        yield entry, denoised_by(denoiser, variables, part)[place]


def _crop(shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The upper middle, where particle and vacuum meet; the whole of a smaller image."""
    side = min(CROP, *shape)
    left = (shape[1] - side) // 2
    top = min((shape[0] - side) // 6, shape[0] - side)
    return slice(top, top + side), slice(left, left + side)


def _row(folder, stem: str, method: str, record, psnr_db, image: np.ndarray, clean: np.ndarray, shown) -> dict:
    """The pictures of one method, written; and what the page needs to know."""
    from PIL import Image

    made, row = (
        pictures.panels(image, clean, shown),
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


def main(size: Literal["cpu", "gpu"] = "cpu") -> None:
    """Make the pictures of the leaderboard at one size."""
    run(size, Workspace.for_size(size))


if __name__ == "__main__":
    import tyro

    tyro.cli(main)
