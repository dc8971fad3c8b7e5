"""What a record measured, made again: its images with their noise, its method, and its scores.

    record + data set      -> the same clean and noisy images
    record + runs/HASH     -> the same method, with whatever was tuned after its training

Everything comes from the record itself and the names of the images in its scores.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stemjax.apply import columns
from stemjax.apply.evaluate import ImageSet, denoise_all, denoise_movies, scores
from stemjax.config import from_config
from stemjax.data import datasets, glyphs, photographs
from stemjax.data.images import TEST_NOISE, VALIDATION_NOISE, Images, images_named, noisy_images
from stemjax.data.kinds import KINDS
from stemjax.training.train import load_run

# Conditions that say nothing about the images beyond what imaging, noise draw and names of images say. A record with
# others (turned images, single pixels) is made again by its experiment alone.
PLAIN = {"input_psnr_db", "trained_at_psnr_db", "frames", "threshold", "noise_draw", "dose_e_per_angstrom2"}
PLAIN |= {"tested_on", "trained_on", "training_images", "kind", "part", "film"}
PLAIN |= {"background", "cycles"}
PLAIN |= {"crop_px", "network", "width", "objective", "times_crops"}
PLAIN |= {"features", "layers", "low_pass_divisor", "reference"}
PLAIN |= {"pictures", "sigma_255", "scene"}
AS_RECORDED = "trained on, as recorded"  # the condition `frames` of images whose noise the training saw
COLUMNS = "strict_surface_f1"  # a record with this score has all those of atomic columns


# ---------------------------------------------------------------------------------------------------- data
def find_data(
    name: str, recipe_hash: str, size: str, root: str | Path = "data"
) -> datasets.DataSet | photographs.Photographs:
    """The data set of a record: ``ROOT/NAME-SIZE``, or the folder itself; one that needs no folder is made here.

    Raises
    ------
    OSError
        If it is not there; the message has the command that simulates it, or the font to install.
    ValueError
        If the folder holds a data set of another recipe.
    """
    kind = KINDS.get(name)
    if kind and kind.make:
        data = kind.make(size)
        if data.recipe_hash != recipe_hash:
            recipe = f"recipe {data.recipe_hash}, but {recipe_hash} is expected"
            raise ValueError(f"{name}: {recipe}; another version of the font or of scikit-image has other pictures")
        return data
    root = Path(root)
    folder = root if (root / "manifest.json").is_file() else root / f"{name}-{size}"
    if not (folder / "manifest.json").is_file():
        command = f"stemjax simulate {kind.simulate if kind else name} --size {size} --out {folder}"
        raise OSError(f"{folder}: no data set {name} here; make it first: {command}")
    return datasets.open_data_set(folder, recipe_hash)


# ---------------------------------------------------------------------------------------------------- images
def imaging_of(record: dict):
    """The imaging that a record describes, as the dataclass it was.

    Raises
    ------
    ValueError
        If this version has no such class, or not its fields.
    """
    try:
        return from_config(record["imaging"])
    except (ValueError, TypeError) as error:
        raise ValueError(_of_experiment(record, record["imaging"].get("class", "unknown"))) from error


def _of_experiment(record: dict, what: str) -> str:
    again = f"run its experiment: stemjax experiment run {record['experiment']} --size {record['size']}"
    return f"record {record['id'][:16]}: images of the kind {what!r} are not made from a record; {again}"


def images_of(record: dict, rows: Sequence[dict], data) -> Images:
    """The list of the images that a record's scores name.

    Raises
    ------
    ValueError
        If a name is of no image of the data set.
    """
    try:
        images = images_named(data, [row["image"] for row in rows])
    except ValueError as error:
        raise ValueError(f"record {record['id'][:16]}: {error}") from error
    if images.defocus is not None:
        exact = np.array([_defocus(value) for value in images.defocus.tolist()], np.float32)
        return dataclasses.replace(images, defocus=exact)
    return images


def _defocus(printed: float) -> float:
    """The defocus [Å] whose first six digits a name has: those of the surface set lie on a grid of sevenths."""
    return next((value for value in columns.DEFOCI if abs(value - printed) < 1e-3), printed)


def image_set(record: dict, rows: Sequence[dict], data: datasets.DataSet) -> ImageSet:
    """Clean and noisy images of a record, in the order of its scores: the very pixels that its method saw.

    Raises
    ------
    ValueError
        If the record's conditions ask for images that it does not describe.
    """
    imaging, conditions = imaging_of(record), record["conditions"]
    if unknown := sorted(set(conditions) - PLAIN) or [record["split"]] * (record["split"] == "any"):
        raise ValueError(_of_experiment(record, unknown[0]))
    images = images_of(record, rows, data)
    clean = imaging.clean_images(data, images)
    if hasattr(imaging, "noisy_images"):
        noisy = imaging.noisy_images(data, images)
    elif conditions.get("frames") == AS_RECORDED:
        noisy = np.asarray(imaging.device_arrays(data, images)["noisy"])
    else:
        drawn = record["split"] == "validation" or conditions.get("pictures") == glyphs.STROKES
        seed = VALIDATION_NOISE if drawn else TEST_NOISE  # as `evaluate.image_set` chooses
        noisy = noisy_images(clean, imaging, seed + conditions.get("noise_draw", 0))
    return ImageSet(clean, noisy, images, images.names(data), imaging)


def some_of(images: ImageSet, rows: Sequence[int]) -> ImageSet:
    """Some images of a set."""
    rows = np.asarray(rows)
    names = [images.name[row] for row in rows]
    return dataclasses.replace(
        images, clean=images.clean[rows], noisy=images.noisy[rows], images=images.images.part(rows), name=names
    )


# ---------------------------------------------------------------------------------------------------- method
def method_of(record: dict, runs: str | Path = "runs", same_weights: bool = True) -> tuple:
    """The method of a record: (denoiser, its variables, digest of its weights); None for the noisy images themselves.

    The denoiser is the record's, which may be a trained network with something tuned after it; the weights are its
    run's.

    Raises
    ------
    OSError
        If the run is not there.
    ValueError
        If it has other weights than the record says, unless these are not asked for.
    """
    if not record["denoiser"]:
        return None, {}, None
    denoiser = from_config(record["denoiser"])
    if not record["run"]:
        return denoiser, {}, None
    _, variables, info = load_run(Path(runs) / record["run"])
    if same_weights and info["digest"] != record["checkpoint"]:
        raise ValueError(f"run {record['run']} has other weights than record {record['id'][:16]}")
    return denoiser, variables, info["digest"]


def denoised_by(denoiser, variables: dict, images: ImageSet) -> np.ndarray:
    """Denoised images [M, H, W, C]; the frames of a movie are denoised together."""
    if denoiser is None:
        return images.noisy
    if images.images.frame is not None:
        return denoise_movies(denoiser, variables, images)
    return denoise_all(denoiser, variables, images.noisy)


# ---------------------------------------------------------------------------------------------------- scores
def scored(
    record: dict, denoised: np.ndarray, images: ImageSet, data: datasets.DataSet, threshold: float | None = None
) -> list[dict]:
    """Scores of denoised images as a record has them: of the image, and of atomic columns where it has those.

    `threshold` of the column finder is the paper's if None.
    """
    if "gain" in record["scores"]:  # fitted on the validation images, and the same for all that are tested on
        denoised = record["scores"]["gain"] * denoised + record["scores"]["offset"]
    of_images = scores(denoised, images, clamp=bool(record["denoiser"]))
    if COLUMNS in record["scores"]:
        reference = columns.Reference.of(data, images)
        more = reference.scores(reference.find(denoised, threshold))
        of_images = [row | extra for row, extra in zip(of_images, more, strict=True)]
    return of_images


def threshold_of(record: dict) -> float | None:
    """The threshold of the column finder that a record was scored with; None for the paper's."""
    tuned = record["conditions"].get("threshold") == "tuned"
    return record["tuning"]["threshold"]["chosen"] if tuned else None
