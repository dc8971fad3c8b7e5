"""A track's noisy images as numbered files for any program, and a folder of predictions back.

DIR/manifest.json       what the files are: unit, pixel size, contract, sha256 of each
DIR/card.json           the method card to fill in
DIR/PART/0000.tif ...   one file per image, float32; predictions have the same names
"""

import hashlib
import json
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import tifffile

from stemjax.datasets import file_digest
from stemjax.evaluate import ImageSet
from stemjax.files import read_image, write_whole
from stemjax.leaderboard.benchmark import Benchmark, Track
from stemjax.leaderboard.parts import Part, sampling_of

MANIFEST, CARD = "manifest.json", "card.json"
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
) -> dict:
    """Write the noisy images of a track and their manifest, which comes last; returns the manifest.

    Parameters
    ----------
    digest : str
        sha256 of the definition.
    root : path
        Folder of data sets.
    kind : {"tif", "npy"}

    Raises
    ------
    ValueError
        If the folder holds something else.
    """
    out = Path(out)
    if out.exists() and any(out.iterdir()) and not (out / MANIFEST).is_file():
        raise ValueError(f"{out}: not empty, and not a whole exported track; empty it or choose a new folder")
    (out / MANIFEST).unlink(missing_ok=True)  # until all is there again
    described = [_export_part(part, root, out, FORMATS[kind][0]) for part in parts]
    manifest = {
        "format": "stemjax track",
        "format_version": 1,
        "benchmark_version": definition.version,
        "definition_sha256": digest,
        "track": track.id,
        "title": track.title,
        "size": parts[0].record["size"],
        "split": track.split,
        "protocol": track.protocol,
        "contract": track.contract,
        "predictions": "one file for each of these, in the same folder structure, of the same name, shape and unit",
        "parts": described,
    }
    _write(out / CARD, EMPTY_CARD)
    _write(out / MANIFEST, manifest)
    return manifest


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
    files = []
    for index, (image, name, unit) in enumerate(zip(images.noisy, images.name, images.images.unit, strict=True)):
        path = folder / f"{index:04d}{ending}"
        content = _encoded(image, sampling, ending)
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
        "shape": list(images.noisy.shape[1:]),
        "axes": "height, width, channel",
        "unit": part.unit(),
        "sampling_angstrom": round(sampling, 6),
        "imaging": part.record["imaging"],
        "images": files,
    }


def _encoded(image: np.ndarray, sampling: float, ending: str) -> bytes:
    """An image [H, W, C] as a calibrated TIFF with a page for each channel, or as `.npy`; without the axis of one."""
    stream = BytesIO()
    if ending == ".npy":
        np.save(stream, image[..., 0] if image.shape[-1] == 1 else image, allow_pickle=False)
        return stream.getvalue()
    pages = np.ascontiguousarray(np.moveaxis(image, -1, 0))
    pages, axes = (pages[0], "YX") if len(pages) == 1 else (pages, "CYX")
    calibration = {"resolution": (10 / sampling, 10 / sampling), "metadata": {"axes": axes, "unit": "nm"}}
    tifffile.imwrite(stream, pages, imagej=True, **calibration)
    return stream.getvalue()


def _write(path: Path, content: dict) -> None:
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    write_whole(path, lambda stream: stream.write(text.encode()))


# ---------------------------------------------------------------------------------------------------- back
def check_files(folder: str | Path, counts: dict[str, int]) -> dict[str, list[Path]]:
    """The files of a folder of predictions, part by part.

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
            found = [path for ending in ENDINGS if (path := stem.with_suffix(ending)).is_file()]
            if not found:
                raise OSError(f"{stem}.tif: missing; the track needs a prediction for each of {count} images in {part}")
            if len(found) > 1:
                raise ValueError(f"{found[1]}: a second prediction of one image beside {found[0].name}; keep one")
            wanted[part] += found
    known = {path for paths in wanted.values() for path in paths} | {folder / MANIFEST, folder / CARD}
    surplus = sorted(path for path in folder.rglob("*") if path.is_file() and path not in known)
    if surplus:
        raise ValueError(f"{surplus[0]}: belongs to no image of this track ({len(surplus)} such files); take it out")
    return wanted


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
        prediction = channels_last(read_image(path).data, shape)
        if prediction.shape != shape:
            found, wanted = (" x ".join(map(str, size)) for size in (prediction.shape, shape))
            raise ValueError(f"{path}: {found} instead of {wanted} (height x width x channels)")
        if bad := int((~np.isfinite(prediction)).sum()):
            raise ValueError(f"{path}: {bad} values are NaN or infinite; scores need a number in every pixel")
        if not allow_constant and (prediction.min(axis=(0, 1)) == prediction.max(axis=(0, 1))).any():
            raise ValueError(f"{path}: constant; if your method gives just that, say so: --allow-constant")
        predictions[index] = prediction
    return predictions


def channels_last(data: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """An image of several pages, read as frames or rows, as [H, W, C]; anything else as it is."""
    pages = data[..., 0] if data.ndim == 4 and data.shape[-1] == 1 else data
    height, width, channels = shape
    return np.moveaxis(pages, 0, -1) if pages.shape == (channels, height, width) != shape else data


def doubt_about_unit(predictions: np.ndarray, images: ImageSet) -> str:
    """A warning where predictions are far brighter or darker than the noisy images; empty if all is well."""
    ours, theirs = images.noisy.mean(axis=(0, 1, 2)), predictions.mean(axis=(0, 1, 2))
    for channel, noisy, found in zip(images.imaging.channels, ours, theirs, strict=True):
        if noisy > 0 and not noisy / 2 < found < 2 * noisy:
            return f"channel {channel}: mean {found:.4g}, of the noisy images {noisy:.4g}; is it the manifest's unit?"
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
    try:
        manifest = json.loads(path.read_text("utf-8"))
        exported = {part["part"]: part["recipe_hash"] for part in manifest["parts"]}
        facts = {"track": manifest["track"], "size": manifest["size"]}
        same_definition = manifest["definition_sha256"] == digest
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not the manifest of an exported track; take it out") from error
    for name, wanted in {"track": track.id, "size": parts[0].record["size"]}.items():
        if facts[name] != wanted:
            raise ValueError(f"{path}: of {name} {facts[name]}, not {wanted}; give the predictions of this {name}")
    for part in parts:
        wanted = part.validation_of or part.record["data_set"]["recipe_hash"]
        if exported.get(part.name) != wanted:
            raise ValueError(f"{path}: {part.name} was exported from another data set; export the track again")
    return "" if same_definition else "the definition of the benchmark has changed since this track was exported"


def digest_of(wanted: dict[str, list[Path]]) -> str:
    """sha256 over the digests of all predictions."""
    lines = [f"{part}/{path.name} {file_digest(path)['sha256']}" for part, paths in wanted.items() for path in paths]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
