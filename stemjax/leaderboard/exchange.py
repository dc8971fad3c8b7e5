"""A track's noisy images as numbered files for any program, and a folder of predictions back.

DIR/manifest.json       what the files are: unit, pixel size, contract, sha256 of each
DIR/card.json           the method card to fill in
DIR/PART/0000.tif ...   one file per image, float32; predictions have the same names
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import tifffile

from stemjax.apply.evaluate import ImageSet
from stemjax.data.datasets import file_digest
from stemjax.files import read_image, write_whole
from stemjax.leaderboard.benchmark import Benchmark, Track
from stemjax.leaderboard.parts import Part, sampling_of

MANIFEST, CARD, UNFINISHED = "manifest.json", "card.json", ".unfinished"
LITTER = ("thumbs.db", "desktop.ini", "__macosx")  # that desktops leave; what begins with a dot is, too
FORMATS = {"tif": (".tif", ".tiff"), "npy": (".npy",)}
ENDINGS = tuple(ending for endings in FORMATS.values() for ending in endings)


# ---------------------------------------------------------------------------------------------------- out
def export_track(
    definition: Benchmark,
    digest: str,
    track: Track,
    parts: Sequence[Part],
    root: str | Path,
    out: str | Path,
    kind: str,
    log: Callable[[str], None] = print,
) -> dict:
    """Write the noisy images of a track and their manifest, which comes last; returns the manifest.

    The folder is not touched before every image is made. It may hold the same export, which is written again, but for
    a card that was filled in.

    Parameters
    ----------
    digest : str
        sha256 of the definition.
    root : path
        Folder of data sets.
    kind : {"tif", "npy"}
    log : callable
        Takes a line about a card that is kept.

    Raises
    ------
    OSError
        If a data set is missing.
    ValueError
        If the folder holds something else.
    """
    out, is_new = Path(out), not Path(out).exists()
    _refuse_other_contents(out, track, parts, root, kind)
    try:
        shutil.rmtree(out / UNFINISHED, ignore_errors=True)  # of an export that was killed
        described = [_export_part(part, root, out / UNFINISHED, FORMATS[kind][0]) for part in parts]
        for entry in (entry for part in described for entry in part["images"]):
            (out / entry["file"]).parent.mkdir(exist_ok=True)
            os.replace(out / UNFINISHED / entry["file"], out / entry["file"])
    finally:
        shutil.rmtree(out / UNFINISHED, ignore_errors=True)
        if is_new and out.is_dir() and not any(out.iterdir()):
            out.rmdir()
    manifest = {
        "format": "stemjax track",
        "format_version": 2,  # 1 stated the shape of an image in memory, not in its file
        "benchmark_version": definition.version,
        "definition_sha256": digest,
        "track": track.id,
        "title": track.title,
        "size": parts[0].record["size"],
        "split": track.split,
        "protocol": track.protocol,
        "contract": track.contract,
        "predictions": "one file for each of these, in the same folder structure, of the same name, shape and unit; "
        "channels may come first or last",
        "parts": described,
    }
    if _is_filled_in(out / CARD):
        log(f"{out / CARD}: filled in, so kept as it is")
    else:
        _write(out / CARD, EMPTY_CARD)
    _write(out / MANIFEST, manifest)
    return manifest


def _refuse_other_contents(out: Path, track: Track, parts: Sequence[Part], root: str | Path, kind: str) -> None:
    """Raise a ValueError if a folder holds anything but the same export, an OSError if data are missing."""
    files = {f"{part.name}/{index:04d}{FORMATS[kind][0]}" for part in parts for index in range(part.count(root))}
    if not out.exists() or all(_is_litter(path, out) for path in out.iterdir()):
        return
    if not (out / MANIFEST).is_file():
        raise ValueError(f"{out}: not empty, and not an exported track; choose another folder")
    manifest, size = _read_manifest(out / MANIFEST), parts[0].record["size"]
    exported = [entry["file"] for part in manifest["parts"] for entry in part["images"]]
    before = [manifest["track"], manifest["size"], Path(exported[0]).suffix[1:] if exported else "nothing"]
    if before != [track.id, size, kind]:
        held, wanted = (", ".join(facts) for facts in (before, (track.id, size, kind)))
        raise ValueError(f"{out}: holds an export of {held}; choose another folder for {wanted}")
    if set(exported) != files or _recipes(manifest) != {part.name: _recipe_of(part) for part in parts}:
        raise ValueError(f"{out}: holds an export of another version of the track's images; choose another folder")


def _is_litter(path: Path, folder: Path) -> bool:
    """Whether a file below a folder is none of the user's, but of the desktop."""
    return any(name.startswith(".") or name.lower() in LITTER for name in path.relative_to(folder).parts)


def _is_filled_in(card: Path) -> bool:
    """Whether there is a card that a user has changed."""
    try:
        return json.loads(card.read_text("utf-8")) != EMPTY_CARD
    except FileNotFoundError:
        return False
    except ValueError:  # being written, and not readable yet
        return True


EMPTY_CARD = {
    "name": "",
    "authors": "",
    "family": "network, filter or reference",
    "supervision": "supervised, self-supervised or none",
    "parameters": 0,
    "code": "address of the code, or: not public",
    "licence": "",
    "trained_on": "data set and split, or: nothing",
    "rules": "fixed or tuned",
    "settings": 0,
}


def _export_part(part: Part, root: str | Path, out: Path, ending: str) -> dict:
    data, images = part.images(root)
    sampling, folder = sampling_of(data, images), out / part.name
    folder.mkdir(parents=True, exist_ok=True)
    files, stored = [], None
    for index, (image, name, unit) in enumerate(zip(images.noisy, images.name, images.images.unit, strict=True)):
        path = folder / f"{index:04d}{ending}"
        stored, axes = _stored(image, ending)
        content = _encoded(stored, axes, sampling, ending)
        path.write_bytes(content)  # not synced one by one, which takes minutes: the manifest has their digests
        digest = hashlib.sha256(content).hexdigest()
        files.append({"file": f"{part.name}/{path.name}", "image": name, "unit": str(unit), "sha256": digest})
    use = "choose the threshold of the column finder, by `score`" if part.validation_of else "scored"
    return {
        "part": part.name,
        "use": use,
        "data_set": data.name,
        "recipe_hash": data.recipe_hash,
        "channels": list(images.imaging.channels),
        "shape": list(stored.shape),
        "axes": ", ".join({"Y": "height", "X": "width", "C": "channel"}[letter] for letter in axes),
        "unit": part.unit(),
        "sampling_angstrom": round(sampling, 6),
        "imaging": part.record["imaging"],
        "images": files,
    }


def _stored(image: np.ndarray, ending: str) -> tuple[np.ndarray, str]:
    """An image [H, W, C] as its file holds it, and the letters of the axes: a TIFF has a page for each channel."""
    if image.shape[-1] == 1:
        return image[..., 0], "YX"
    return (image, "YXC") if ending == ".npy" else (np.moveaxis(image, -1, 0), "CYX")


def _encoded(stored: np.ndarray, axes: str, sampling: float, ending: str) -> bytes:
    """The content of a calibrated TIFF, or of a `.npy`."""
    stream = BytesIO()
    if ending == ".npy":
        np.save(stream, stored, allow_pickle=False)
        return stream.getvalue()
    calibration = {"resolution": (10 / sampling, 10 / sampling), "metadata": {"axes": axes, "unit": "nm"}}
    tifffile.imwrite(stream, np.ascontiguousarray(stored), imagej=True, **calibration)
    return stream.getvalue()


def _write(path: Path, content: dict) -> None:
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    write_whole(path, lambda stream: stream.write(text.encode()))


# ---------------------------------------------------------------------------------------------------- back
def check_files(folder: str | Path, counts: dict[str, int]) -> dict[str, list[Path]]:
    """The files of a folder of predictions, part by part; what a desktop has left there is passed over.

    Parameters
    ----------
    counts : dict
        Part -> how many images it has.

    Raises
    ------
    OSError
        If the folder or a prediction is missing.
    ValueError
        If a file is there twice, or belongs to no image.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise OSError(f"{folder}: no such folder; give the one that holds the predictions")
    wanted: dict[str, list[Path]] = {}
    for part, count in counts.items():
        wanted[part] = []
        for index in range(count):
            stem = folder / part / f"{index:04d}"
            present = [path for ending in ENDINGS if (path := stem.with_suffix(ending)).is_file()]
            if not present:
                raise OSError(f"{stem}.tif: missing; {_advice(folder, part, counts)}")
            if len(present) > 1:
                raise ValueError(f"{present[1]}: a second prediction of one image beside {present[0].name}; keep one")
            wanted[part] += present
    known = {path for paths in wanted.values() for path in paths} | {folder / MANIFEST, folder / CARD}
    files = (path for path in folder.rglob("*") if path.is_file() and not _is_litter(path, folder))
    if surplus := sorted(set(files) - known):
        raise ValueError(f"{surplus[0]}: belongs to no image of this track ({len(surplus)} such files); take it out")
    return wanted


def _advice(folder: Path, part: str, counts: dict[str, int]) -> str:
    """What to do about a missing prediction: the folders that are there may be those of another track."""
    there = sorted(path.name for path in folder.iterdir() if path.is_dir() and not _is_litter(path, folder))
    if not (folder / part).is_dir() and (strange := [name for name in there if name not in counts]):
        reason = f"the folder has {', '.join(strange)}, which this track does not have at this size"
        return f"{reason}: are these predictions of another --track or --size?"
    return f"the track needs a prediction for each of {counts[part]} images in {part}"


def read_predictions(paths: Sequence[Path], images: ImageSet, allow_constant: bool = False) -> np.ndarray:
    """Predictions [M, H, W, C] of the images of a part.

    Raises
    ------
    ValueError
        If one has another shape than the image, is not finite, or is constant by mistake; the message names it.
    """
    predictions = np.empty_like(images.noisy)
    for index, path in enumerate(paths):
        shape = images.noisy.shape[1:]
        axes = "THW" if shape[-1] > 1 else None  # as pages: their order is seen from the shape
        prediction = channels_last(read_image(path, axes).data, shape)
        if prediction.shape != shape:
            size, wanted = (" x ".join(map(str, sides)) for sides in (prediction.shape, shape))
            raise ValueError(f"{path}: {size} instead of {wanted} (height x width x channels, or channels first)")
        if bad := int((~np.isfinite(prediction)).sum()):
            raise ValueError(f"{path}: {bad} values are NaN or infinite; scores need a number in every pixel")
        if not allow_constant and (prediction.min(axis=(0, 1)) == prediction.max(axis=(0, 1))).any():
            raise ValueError(f"{path}: constant; if your method gives just that, say so: --allow-constant")
        predictions[index] = prediction
    return predictions


def channels_last(data: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """An image [H, W, C] or [C, H, W] as [H, W, C], also where the reader took it for the frames of a movie.

    Anything else stays as it is, and so does an image that could be either.
    """
    pages = data[..., 0] if data.ndim == 4 and data.shape[-1] == 1 else data
    height, width, channels = shape
    return np.moveaxis(pages, 0, -1) if pages.shape == (channels, height, width) != shape else pages


def doubt_about_unit(predictions: np.ndarray, images: ImageSet) -> str:
    """A warning where predictions are far brighter or darker than the noisy images; empty if all is well."""
    ours, theirs = images.noisy.mean(axis=(0, 1, 2)), predictions.mean(axis=(0, 1, 2))
    for channel, noisy, mean in zip(images.imaging.channels, ours, theirs, strict=True):
        if noisy > 0 and not noisy / 2 < mean < 2 * noisy:
            return f"channel {channel}: mean {mean:.4g}, of the noisy images {noisy:.4g}; is it the manifest's unit?"
    return ""


def check_manifest(folder: str | Path, track: Track, parts: Sequence[Part], digest: str) -> str:
    """What is doubtful about the manifest that lies with the predictions, if there is one; empty if all is well.

    Raises
    ------
    ValueError
        If it is of another track, size or data set.
    """
    path = Path(folder) / MANIFEST
    if not path.is_file():
        return ""
    manifest = _read_manifest(path)
    for name, wanted in {"track": track.id, "size": parts[0].record["size"]}.items():
        if manifest[name] != wanted:
            raise ValueError(f"{path}: of {name} {manifest[name]}, not {wanted}; give the predictions of this {name}")
    exported = _recipes(manifest)
    for part in parts:
        if exported.get(part.name) != _recipe_of(part):
            raise ValueError(f"{path}: {part.name} was exported from another data set; export the track again")
    same_definition = manifest["definition_sha256"] == digest
    return "" if same_definition else "the definition of the benchmark has changed since this track was exported"


def _read_manifest(path: Path) -> dict:
    """The manifest of an exported track, with the fields that are looked at."""
    try:
        manifest = json.loads(path.read_text("utf-8"))
        texts = [manifest[name] for name in ("track", "size", "definition_sha256")]
        texts += [text for part in manifest["parts"] for text in (part["part"], part["recipe_hash"])]
        texts += [entry["file"] for part in manifest["parts"] for entry in part["images"]]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("not texts")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not the manifest of an exported track; take it out") from error
    return manifest


def _recipes(manifest: dict) -> dict[str, str]:
    """Part -> recipe hash of the data set that it was exported from."""
    return {part["part"]: part["recipe_hash"] for part in manifest["parts"]}


def _recipe_of(part: Part) -> str:
    return part.validation_of or part.record["data_set"]["recipe_hash"]


def digest_of(wanted: dict[str, list[Path]]) -> str:
    """sha256 over the digests of all predictions."""
    lines = [f"{part}/{path.name} {file_digest(path)['sha256']}" for part, paths in wanted.items() for path in paths]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
