"""Thornley et al., "Noise2Void for Denoising Atomic Resolution STEM Images": what its tables share.

Gold on graphene: the rows of the tables with the paper's figures, the noise, the frames, the filters and the networks.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from experiments.movie_methods import Trained
from experiments.workspace import Workspace
from stemjax.apply.evaluate import ImageSet, image_set, tune
from stemjax.data import datasets
from stemjax.data.au_graphene import GrapheneImaging
from stemjax.data.images import TEST_NOISE, Frames, noisy_images
from stemjax.denoisers.gaussian import Gaussian as GaussianFilter
from stemjax.denoisers.per_channel import PerChannel
from stemjax.denoisers.total_variation import TotalVariation
from stemjax.models import presets
from stemjax.physics.noise import Gaussian
from stemjax.tables.published import PAPERS, authors

PUBLISHED, SOURCE = PAPERS["n2v_stem"], authors("n2v_stem")
CHANNELS = {"adf": "ADF", "bf": "BF"}
NETWORK, BARS = "Noise2Void", ("Noisy", "Constant")
# Row -> its name in the published table, or None.
ROWS = {
    "Noisy": "input",
    "Constant": None,
    "Gaussian filter, paper's": "gaussian",
    "Gaussian filter, tuned": None,
    "Total variation, paper's": "tv",
    "Total variation, tuned": None,
    NETWORK: "n2v",
}
TRAINED_ON = Frames(session=("a",), stride=2)  # every other frame, as in the paper
EVERY = Frames(session=("a",))
LEVELS = (7.0, 16.0)  # dB, of Table S1
SEEDS = {"smoke": (0,), "cpu": (0, 1, 2), "gpu": (0,)}  # at these levels
FRAMES_PER_MOVIE = {"smoke": 1, "cpu": 4, "gpu": 20}
WEIGHTS = tuple(np.geomspace(0.01, 8.0, 12).round(4).tolist())  # of total variation, in parts of the frame's range
SIGMAS = tuple(np.geomspace(0.4, 24.0, 13).round(3).tolist())  # px

# The paper's settings, on data scaled to [0, 1].
PAPER_FILTERS = {
    "Gaussian filter, paper's": PerChannel((GaussianFilter(1.0),)),
    "Total variation, paper's": PerChannel(
        (TotalVariation(1.0, unit_range=True), TotalVariation(0.75, unit_range=True))
    ),
}
TUNED_FILTERS = {
    "Gaussian filter, tuned": (GaussianFilter(), {"sigma": SIGMAS}),
    # scikit-image's stopping rule ends long before wide weights converge, at up to 0.8 dB less
    "Total variation, tuned": (TotalVariation(unit_range=True, tolerance=1e-5, iterations=1000), {"weight": WEIGHTS}),
}


def imaging_of(psnr_db: float, channels: tuple[str, ...] = ("adf", "bf")) -> GrapheneImaging:
    """Frames with Gaussian noise of a PSNR [dB] in each channel."""
    return GrapheneImaging(Gaussian(float(psnr_db)), channels)


def trained(
    size: str,
    workspace: Workspace,
    data: datasets.DataSet,
    imaging: GrapheneImaging,
    label: str = "Noise2Void",
    denoiser=None,
    seed: int = 0,
    **changes,
) -> Trained:
    """A Noise2Void network trained on every other frame of the training movies of session a, as recorded.

    Parameters
    ----------
    denoiser : optional
        By default that of the preset `noise2void` at this size.
    changes
        To fields of `train.Run`.
    """
    denoiser = denoiser or presets.find_preset("noise2void").at(size)
    run = presets.n2v_run(
        denoiser, size, data.recipe_hash, seed, **{"imaging": imaging, "selection": TRAINED_ON} | changes
    )
    return Trained(run, *workspace.trained(run, data, f"{label}, seed {seed}"))


def unseen(
    data: datasets.DataSet, size: str, imaging: GrapheneImaging, split: str = "test", session: str = "a"
) -> ImageSet:
    """Frames of movies that no training saw."""
    return image_set(data, replace(EVERY, session=(session,)), split, FRAMES_PER_MOVIE[size], imaging)


def trained_on(data: datasets.DataSet, size: str, imaging: GrapheneImaging, as_recorded: bool) -> ImageSet:
    """Frames that the training of `trained` saw, with the noise that it saw or with another draw."""
    images = replace(TRAINED_ON, per_unit=FRAMES_PER_MOVIE[size]).images(data, "train")
    clean = imaging.clean_images(data, images)
    if as_recorded:
        noisy = np.asarray(imaging.device_arrays(data, images)["noisy"])
    else:
        noisy = noisy_images(clean, imaging, TEST_NOISE)
    return ImageSet(clean, noisy, images, images.names(data), imaging)


def tuned_filters(validation: ImageSet) -> Iterator[tuple[str, PerChannel, dict]]:
    """Each filter with the best PSNR on the validation movies, channel by channel: (label, filter, tuning)."""
    for label, (bare, tunable) in TUNED_FILTERS.items():
        filters, tuning = [], {}
        for number, channel in enumerate(validation.imaging.channels):
            chosen, how = tune(bare, only(validation, number), tunable=tunable)
            filters.append(chosen)
            tuning |= {f"{channel}_{field}": value for field, value in how.items()}
        yield label, PerChannel(tuple(filters)), tuning


def only(images: ImageSet, channel: int) -> ImageSet:
    """One channel of an image set."""
    imaging = replace(images.imaging, channels=(images.imaging.channels[channel],))
    cut = slice(channel, channel + 1)
    return replace(images, clean=images.clean[..., cut], noisy=images.noisy[..., cut], imaging=imaging)
