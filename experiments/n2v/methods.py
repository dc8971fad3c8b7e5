"""Gold on graphene: every method at one noise level, ready to denoise, and the rows that they make in a table."""

from collections.abc import Iterator, Sequence

import numpy as np

from experiments import n2v
from experiments.movie_methods import BLANK, NOISY, Method, Trained
from experiments.recorder import Recorder
from experiments.workspace import Workspace
from stemjax.apply.evaluate import ImageSet, denoise_movies, image_set
from stemjax.data import datasets
from stemjax.data.au_graphene import GrapheneImaging, read_motion
from stemjax.denoisers.constant import Constant
from stemjax.metrics.lattice import Lattice

LEVELS = (16.4, 7.0)  # dB: as noisy as the paper's experiment (ADF 16.4, BF 16.2), and as its Table S1
FRAMES_PER_MOVIE = {"smoke": 4, "cpu": 0, "gpu": 20}  # 0: all


def methods_at(psnr_db: float, size: str, workspace: Workspace, data: datasets.DataSet) -> list[Method]:
    """The noisy frames, their means, each filter at the paper's settings and tuned, and the network, in that order."""
    imaging = n2v.imaging_of(psnr_db)
    network = _trained(psnr_db, size, workspace, data)
    filters = [Method(label, denoiser) for label, denoiser in n2v.PAPER_FILTERS.items()]
    validation = n2v.unseen(data, size, imaging, "validation")
    filters += [Method(label, denoiser, {}, how) for label, denoiser, how in n2v.tuned_filters(validation)]
    filters.sort(key=lambda method: method.label)
    learnt = Method("Noise2Void", network.run.denoiser, network.variables, trained=network)
    return [Method(NOISY), Method(BLANK, Constant()), *filters, learnt]


def networks_of_levels(size: str, workspace: Workspace) -> Iterator[Trained]:
    """The networks of `sweep`."""
    for level in LEVELS:
        yield _trained(level, size, workspace, workspace.au_graphene(size))


def _trained(psnr_db: float, size: str, workspace: Workspace, data: datasets.DataSet) -> Trained:
    return n2v.trained(size, workspace, data, n2v.imaging_of(psnr_db), f"Noise2Void at {psnr_db:g} dB")


def sweep(size: str, workspace: Workspace, data: datasets.DataSet) -> Iterator[tuple[float, Recorder, list[Method]]]:
    """Each noise level [dB] with a recorder on the unseen movies, all their frames, and the methods."""
    for level in LEVELS:
        test = all_frames(data, size, n2v.imaging_of(level))
        yield level, Recorder(size, workspace, data, test), methods_at(level, size, workspace, data)


def all_frames(data: datasets.DataSet, size: str, imaging: GrapheneImaging, split: str = "test") -> ImageSet:
    """Every frame of the movies of session a that no training saw (at size gpu: 20 of each)."""
    return image_set(data, n2v.EVERY, split, FRAMES_PER_MOVIE[size], imaging)


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


# ---------------------------------------------------------------------------------------------------- rows
def record_bars(rows: Recorder, **facts) -> dict[str, np.ndarray]:
    """Record the noisy frames and their means, which every method has to beat: row -> frames [M, H, W, C]."""
    constant = denoise_movies(Constant(), {}, rows.test)
    rows.add("Noisy", None, rows.test.noisy, is_raw=True, **facts)
    rows.add("Constant", Constant(), constant, **facts)
    return {"Noisy": rows.test.noisy, "Constant": constant}


def record_filters(rows: Recorder, validation: ImageSet, **facts) -> dict[str, np.ndarray]:
    """Record both filters, at the paper's settings and tuned on validation movies: row -> frames [M, H, W, C]."""
    published = [(label, denoiser, None) for label, denoiser in n2v.PAPER_FILTERS.items()]
    denoised = {}
    for label, denoiser, tuning in sorted([*published, *n2v.tuned_filters(validation)], key=lambda row: row[0]):
        denoised[label] = denoise_movies(denoiser, {}, rows.test)
        rows.add(label, denoiser, denoised[label], tuning=tuning, **facts)
    return denoised


def record_networks(rows: Recorder, networks: Sequence[Trained], **facts) -> dict[str, np.ndarray]:
    """Record every seed of a network: the row's name -> the frames [M, H, W, C] of the first one."""
    denoised = [denoise_movies(network.run.denoiser, network.variables, rows.test) for network in networks]
    for network, frames in zip(networks, denoised, strict=True):
        parts = network.run, network.variables, network.info, network.outcome
        rows.add_trained("Noise2Void", *parts, denoised=frames, **facts)
    return {"Noise2Void": denoised[0]}
