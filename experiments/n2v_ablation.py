"""Noise2Void for STEM: the ablations of its architecture and of its mask, at an input PSNR of 7 dB.

    stemjax experiment run n2v_ablation --size cpu

Every network differs from the standard one of the size in one thing and sees the same crops in the same order. Frames
of movies that no training saw, with noise of their own. The paper gives no figures for its ablations, only an order:
depth 4 best of 2 to 4, average pooling better than max pooling, a first block of 5 x 5 better than 3 x 3, and worse
without the outer skip, with Xception blocks or with ASPP. One seed: it does not show the spread of trainings.

Reference: Thornley et al., "Noise2Void for Denoising Atomic Resolution Scanning Transmission Electron Microscopy
Images", section 2.1.2.
"""

from collections.abc import Iterator
from dataclasses import replace

from experiments import graphene
from experiments.graphene_rows import record_bars
from experiments.movie_methods import Trained, denoise_movies
from experiments.recorder import Recorder
from experiments.workspace import Workspace
from stemjax import tables
from stemjax.data import datasets
from stemjax.denoisers.noise2void import FILLS, Noise2Void
from stemjax.models import presets
from stemjax.training import parallel

NAME = "n2v_ablation"
TIMES = {"smoke": "1 min", "cpu": "50 min on 2 cores, 12 trainings", "gpu": "not measured"}
PSNR_DB = 7.0
DEPTHS = (2, 3, 4)
MASKS = ((4, 0), (24, 2))  # pitch and jitter [px]: a dense one, and the paper's
# The coarsest scale of a training crop has 8 x 8 pixels at size `cpu` and 32 x 32 at the paper's.
SMOKE = ("standard", "pooling", "pyramid", "mask")  # parts that size smoke changes; it takes seconds for each
DILATIONS = {"smoke": (1, 2), "cpu": (2, 4, 6), "gpu": (6, 12, 18)}


def run(size: str, workspace: Workspace) -> None:
    """Train, score and record the standard network and every variant, then render table and plot."""
    parallel.enable_compilation_cache()
    data, imaging = workspace.au_graphene(size), graphene.imaging_of(PSNR_DB)
    test = graphene.unseen(data, size, imaging)
    rows = Recorder(NAME, size, workspace, data, test)
    record_bars(rows)
    for part, method, learnt in _trained(size, workspace, data):
        denoised = denoise_movies(learnt.run.denoiser, learnt.variables, test)
        conditions = {"part": part, "crop_px": learnt.run.crops.size}
        rows.add_trained(
            method, learnt.run, learnt.variables, learnt.info, learnt.outcome, denoised=denoised, conditions=conditions
        )
    tables.write(workspace.results, NAME)


def train(size: str, workspace: Workspace) -> None:
    """Train whatever of its networks is not trained yet, for `experiments.zoo`."""
    for _ in _trained(size, workspace, workspace.au_graphene(size)):
        pass


def _trained(size: str, workspace: Workspace, data: datasets.DataSet) -> Iterator[tuple[str, str, Trained]]:
    """Every variant of a size, trained if it is not yet: (part that differs, method, network)."""
    for part, method, denoiser in variants(size):
        if size != "smoke" or part in SMOKE:
            imaging = graphene.imaging_of(PSNR_DB)
            yield part, method, graphene.trained(size, workspace, data, imaging, method, denoiser)


def variants(size: str) -> Iterator[tuple[str, str, Noise2Void]]:
    """The standard network and what differs from it in one thing: (part that differs, method, denoiser)."""
    standard = presets.find_preset("noise2void").at(size)
    yield "standard", "Standard", standard
    for depth in DEPTHS:
        if depth != standard.network.depth:
            yield "depth", f"Depth {depth}", _changed(standard, depth=depth)
    yield "pooling", "Max pooling", _changed(standard, pooling="max")
    yield "first block", "First block 3 x 3", _changed(standard, first_kernel=3)
    yield "skip", "No outer skip", _changed(standard, outer_skip=False)
    yield "blocks", "Xception blocks", _changed(standard, xception=True)
    yield "pyramid", "ASPP", _changed(standard, aspp=DILATIONS[size])
    yield "upsampling", "Transposed convolutions", _changed(standard, upsampling="transposed")
    for fill in FILLS:
        if fill != standard.fill:
            yield "fill", f"Fill: {fill}", replace(standard, fill=fill)
    for pitch, jitter in MASKS:
        if (pitch, jitter) != (standard.pitch, standard.jitter):
            yield "mask", f"Mask: pitch {pitch} + {jitter}", replace(standard, pitch=pitch, jitter=jitter)


def _changed(denoiser: Noise2Void, **changes) -> Noise2Void:
    return replace(denoiser, network=denoiser.network.clone(**changes))
