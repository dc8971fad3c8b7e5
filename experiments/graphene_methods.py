"""Gold on graphene: every method at one noise level, ready to denoise, for what its frames are then used for."""

from collections.abc import Iterator

import numpy as np

from experiments import graphene
from experiments.movie_methods import BLANK, NOISY, Method, Trained
from experiments.recorder import Recorder
from experiments.workspace import Workspace
from stemjax.apply.evaluate import ImageSet, image_set
from stemjax.data import datasets
from stemjax.data.au_graphene import GrapheneImaging, read_motion
from stemjax.denoisers.constant import Constant
from stemjax.metrics.lattice import Lattice

LEVELS = (16.4, 7.0)  # dB: as noisy as the paper's experiment (ADF 16.4, BF 16.2), and as its Table S1
FRAMES_PER_MOVIE = {"smoke": 4, "cpu": 0, "gpu": 20}  # 0: all


def methods_at(psnr_db: float, size: str, workspace: Workspace, data: datasets.DataSet) -> list[Method]:
    """The noisy frames, their means, each filter at the paper's settings and tuned, and the network, in that order."""
    imaging = graphene.imaging_of(psnr_db)
    network = _trained(psnr_db, size, workspace, data)
    filters = [Method(label, denoiser) for label, denoiser in graphene.PAPER_FILTERS.items()]
    validation = graphene.unseen(data, size, imaging, "validation")
    filters += [Method(label, denoiser, {}, how) for label, denoiser, how in graphene.tuned_filters(validation)]
    filters.sort(key=lambda method: method.label)
    learnt = Method("Noise2Void", network.run.denoiser, network.variables, trained=network)
    return [Method(NOISY), Method(BLANK, Constant()), *filters, learnt]


def train(size: str, workspace: Workspace) -> None:
    """Train the networks of `sweep` that are not trained yet, for `experiments.zoo`."""
    for level in LEVELS:
        _trained(level, size, workspace, workspace.au_graphene(size))


def _trained(psnr_db: float, size: str, workspace: Workspace, data: datasets.DataSet) -> Trained:
    return graphene.trained(size, workspace, data, graphene.imaging_of(psnr_db), f"Noise2Void at {psnr_db:g} dB")


def sweep(
    name: str, size: str, workspace: Workspace, data: datasets.DataSet
) -> Iterator[tuple[float, Recorder, list[Method]]]:
    """Each noise level [dB] with a recorder on the unseen movies, all their frames, and the methods."""
    for level in LEVELS:
        test = all_frames(data, size, graphene.imaging_of(level))
        yield level, Recorder(name, size, workspace, data, test), methods_at(level, size, workspace, data)


def all_frames(data: datasets.DataSet, size: str, imaging: GrapheneImaging, split: str = "test") -> ImageSet:
    """Every frame of the movies of session a that no training saw (at size gpu: 20 of each)."""
    return image_set(data, graphene.EVERY, split, FRAMES_PER_MOVIE[size], imaging)


# ---------------------------------------------------------------------------------------------------- the truth
def adatoms(data: datasets.DataSet, images: ImageSet) -> list[np.ndarray]:
    """Adatoms (y, x) [n, 2] in and around each frame [Å]."""
    positions, present, _ = read_motion(data, images.images)
    return [place[there] for place, there in zip(positions, present, strict=True)]


def lattices(data: datasets.DataSet, images: ImageSet) -> list[Lattice]:
    """The graphene lattice of each frame."""
    return [Lattice(images.imaging.sampling, data.items[item]["rotation_deg"]) for item in images.images.item]


def planes(images: np.ndarray, imaging: GrapheneImaging) -> Iterator[tuple[str, np.ndarray]]:
    """Channel by channel: its name, and its planes [..., H, W]."""
    for number, channel in enumerate(imaging.channels):
        yield channel, images[..., number]
