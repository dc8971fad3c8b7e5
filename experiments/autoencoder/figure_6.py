"""Autoencoder, Figures 6 and 11: noisy images of one's own, with clean ones (Tribolium) or without (astronomy).

    stemjax experiment run autoencoder_figure_6 --size cpu --images FOLDER
    stemjax experiment run autoencoder_figure_6 --size cpu --images FOLDER --axes HWC

FOLDER holds `noisy`, images or stacks of one size, and, where they are known, `clean` under the same names. Of every
five files two are to learn from, one to validate with and two to test on; a unit is a file. Noise2Void and the
autoencoder, which has the paper's absolute error, learn from as many crops of the noisy images alone. As in the CARE
paper, exposures differ in scale, so that every method is given one gain and one offset: here fitted on the validation
pairs, there on each image that is tested.

Without clean images (Figure 11) nothing can be scored, nor a filter tuned: there is a picture, and no record or table.

The paper has a SSIM of 0.13 for the noisy Tribolium images, 0.19 for Noise2Void, 0.66 for the autoencoder and 0.75 for
CARE, which learns from pairs. These images are the "Denoising Tribolium" data of Weigert et al., "Content-aware image
restoration", Nature Methods 15, 1090 (2018), doi 10.1038/s41592-018-0216-7; its section on data availability says where
they are. Size smoke makes pairs of its own, frames of a distorted lattice.

Reference: Wang, Henninen, Keller, Erni, "Self-supervised denoising for massive noisy images", 2021, Figures 6 and 11.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np

from experiments.autoencoder import AUTHORS, NETWORK, PUBLISHED, calibrated
from experiments.autoencoder.calibrated import BARS, bottleneck, figures_of, gates, grid_of
from experiments.movie_methods import BLANK, NOISY, Method, Trained
from experiments.recorder import Recorder
from experiments.workspace import Workspace
from stemjax.apply.evaluate import ImageSet
from stemjax.apply.inference import denoise_image
from stemjax.data.crops import MovieCrops
from stemjax.data.image_folder import CLEAN, ImagePairs, open_image_pairs
from stemjax.data.image_folder import NOISY as NOISY_FOLDER
from stemjax.data.recordings import RecordedImaging, read_images
from stemjax.denoisers.constant import Constant
from stemjax.figures import Panel
from stemjax.figures.montage import montage
from stemjax.metrics import bootstrap
from stemjax.models import presets
from stemjax.physics.gaussian_atoms import Lattice
from stemjax.physics.noise import Dose
from stemjax.tables import wording
from stemjax.tables.rows import gather
from stemjax.tables.table import Table
from stemjax.training import recipes

TIMES = {
    "smoke": "2 min, on images of its own",
    "cpu": "needs --images; 2 trainings, not measured",
    "gpu": "needs --images; not measured",
}
USES_IMAGES = True  # `--images` gives them
NETWORKS = {"Noise2Void": "noise2void", "Autoencoder": "autoencoder"}  # label -> preset
OBJECTIVE = {"Autoencoder": {"objective": "mae"}}  # the paper's, whose figure this is; the preset's is another
# At size smoke, since others take long to compile.
SMALLER = {
    "Noise2Void": {"depth": 1, "width": 8},
    "Autoencoder": {"widths": (4, 4, 4), "trunk": 8, "residuals": 1},
}
# Equal crops for both. A crop that is larger than the images is cut down to them.
CROPS = {"smoke": MovieCrops(32, 4), "cpu": MovieCrops(64, 8), "gpu": MovieCrops(512, 16)}
STEPS = {"smoke": 20, "cpu": 3000, "gpu": 11_250}
IMAGES = {"smoke": 10, "cpu": 40, "gpu": 400}  # of a split that are looked at, at most, spread evenly
SHOWN = 3  # images in the picture
OWN_FILES, OWN_SIDE, SAMPLING = 10, 64, 0.25  # of size smoke: files, px, Å/px


def run(size: str, workspace: Workspace) -> None:
    """Train, calibrate, score and record every row; draw the montage."""
    data = open_images(size, workspace)
    networks = list(learnt(size, workspace, data))
    name = re.sub(r"[^\w.-]+", "-", data.name)
    picture = workspace.picture(size, name)
    if data.clean is None:
        print(f"{data.noisy.path}: no clean images beside it, so there are no scores, only a picture")
        montage(_unscored(data, networks, size), picture, sampling=data.noisy.sampling)
        return
    validation, test = (_image_set(data, split, size) for split in ("validation", "test"))
    methods = (Method(BLANK, Constant()), calibrated.tuned_gaussian(validation, denoise_image), *networks)
    rows = Recorder(size, workspace, data, test)
    frames_of = calibrated.record_rows(rows, validation, methods, denoise_image, conditions={"folder": data.name})
    montage(calibrated.panels(test, frames_of, range(min(SHOWN, len(test)))), picture, sampling=data.noisy.sampling)


def open_images(size: str, workspace: Workspace) -> ImagePairs:
    """The images that were given, or at size smoke some of its own.

    Raises
    ------
    ValueError
        If there are none.
    """
    if workspace.images:
        return open_image_pairs(workspace.images, workspace.axes)
    if size != "smoke":
        raise ValueError(
            f"{workspace.experiment} needs images: give --images FOLDER with {NOISY_FOLDER}/ and, if there are any, "
            f"{CLEAN}/ of the same names; the paper's are 'Denoising Tribolium' of Weigert et al. 2018, doi "
            "10.1038/s41592-018-0216-7"
        )
    return open_image_pairs(own_pairs(workspace.data / "image-pairs-smoke"))


def own_pairs(folder: Path) -> Path:
    """Write pairs of a distorted lattice: noisy ones of few electrons, clean ones of another gain and offset."""
    key, noise = jax.random.key(0), Dose(4.0)
    for part in (NOISY_FOLDER, CLEAN):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for number in range(OWN_FILES):
        crystal, draw = jax.random.split(jax.random.fold_in(key, number))
        clean = Lattice().frames(crystal, np.zeros((1, 2), np.float32), OWN_SIDE, SAMPLING)[0]
        np.save(folder / NOISY_FOLDER / f"lattice_{number}.npy", noise.sample(draw, clean)[..., 0])
        np.save(folder / CLEAN / f"lattice_{number}.npy", 20 * clean[..., 0] + 100)
    return folder


def learnt(size: str, workspace: Workspace, data: ImagePairs) -> Iterator[Method]:
    """The networks, trained on the noisy images of the training files if they are not yet."""
    noisy = data.recording("train")
    for label, preset in NETWORKS.items():
        denoiser = presets.find_preset(preset).at(size)
        smaller = SMALLER[label] if size == "smoke" else {}
        network = denoiser.network.clone(channels_out=noisy.movie.shape[-1], **smaller)
        denoiser = replace(denoiser, network=network, **OBJECTIVE.get(label, {}))
        changes = {"crops": CROPS[size], "steps": STEPS[size], "early_stopping": 0}
        run = recipes.recorded_run(denoiser, size, noisy, **changes)
        network = Trained(run, *workspace.trained(run, noisy, f"{label}, seed {run.seed}"))
        yield Method(label, run.denoiser, network.variables, trained=network)


def _image_set(data: ImagePairs, split: str, size: str) -> ImageSet:
    """Clean and noisy images of a split."""
    images = data.images(split, IMAGES[size])
    clean, noisy = read_images(data.clean, images), read_images(data.noisy, images)
    channels = recipes.recorded_channels(data.noisy)
    return ImageSet(clean, noisy, images, data.names(images), RecordedImaging(channels, data.noisy.sampling))


def _unscored(data: ImagePairs, networks: list[Method], size: str) -> dict[str, list[Panel]]:
    """Some images to test on as the networks have them: rows of a montage."""
    images = data.images("test", IMAGES[size])
    noisy, names = read_images(data.noisy, images)[:SHOWN], data.names(images)[:SHOWN]
    label = f"{NOISY}, own grey scale"
    panels = {n: [Panel(label, i.mean(-1), is_noisy=True)] for n, i in zip(names, noisy, strict=True)}
    for method in networks:
        for name, image in zip(names, denoise_image(method.denoiser, method.variables, noisy), strict=True):
            panels[name].append(Panel(method.label, image.mean(-1)))
    return panels


# ---------------------------------------------------------------------------------------------------- the table
ON_IMAGES = (*BARS, "Gaussian, tuned", "Noise2Void", NETWORK)


def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Every folder of pairs that was given."""
    folders, parts = dict.fromkeys(record["conditions"]["folder"] for record in records), {}
    for folder in folders:
        rows = gather([record for record in records if record["conditions"]["folder"] == folder], scores)
        parts[folder] = {name: rows[name] for name in ON_IMAGES}
    data = tuple(
        {"folder": folder} | figures_of(row, rows[NETWORK]) for folder, rows in parts.items() for row in rows.values()
    )
    grids = tuple(
        grid_of(folder, rows, [line for line in data if line["folder"] == folder]) for folder, rows in parts.items()
    )
    sentences, few = [], False
    for folder, rows in parts.items():
        row = rows[NETWORK]
        few |= len(set(row.units)) < bootstrap.FEWEST_UNITS
        sentences.append(
            f"{folder}: {row.records[0]['data_set']['recipe_hash']} by its contents, {len(row.units)} images of "
            f"{len(set(row.units))} files that no network saw."
        )
    caption = " ".join(sentences) + (
        " Protocol `stem`: unclamped, data range the maximum minus the minimum of the clean image. "
        + wording.means_over("files", few, " of a folder: neither intervals nor ranks.")
    )
    published = PUBLISHED["figure_6_tribolium_ssim"]
    notes = (
        *(text for folder, rows in parts.items() for text in gates(rows, ("Noise2Void", NETWORK), f"{folder}: ")),
        "Clean and noisy images differ in scale: every row but the first is given one gain and one offset, fitted on "
        "the validation pairs, where the filter is tuned too. The networks never see a clean image.",
        f"Published SSIM, of the Tribolium pairs of the CARE paper: {published['input']} noisy, "
        f"{published['noise2void']} Noise2Void, {published['autoencoder']} autoencoder, "
        f"{published['care_supervised']} CARE, which learns from pairs and is not run here. With which scaling and "
        "data range is not said; for other images they say nothing.",
        *bottleneck([rows[NETWORK] for rows in parts.values()], "default"),
        "The networks saw equally many crops, one seed each, so the spread between trainings is not known.",
    )
    title = f"Figure 6 of {AUTHORS}, on images that were given, at size {records[0]['size']}"
    return Table(title, caption, grids, notes, data)
