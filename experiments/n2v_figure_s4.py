"""Noise2Void for STEM, Figure S4 and section 2.7: one network for both channels against one network for each.

    stemjax experiment run n2v_figure_s4 --size cpu

The network for two channels differs from the others in its first and last layer alone, so the pair has twice the
parameters. All see the same places of the same frames, with the same noise and the same mask, so that the losses of the
pair, added up, can be held against that of the dual network. In the paper's Figure S4 the single network of BF has not
converged by the end of its training; it takes the dual network, which is as good or better, and about twice as fast (22
or 23 against 43 ms a frame). Times are measured in `benchmarks/` alone. One seed: it does not show the spread of
trainings. Expect at size `cpu` that the dual network is 1.7 dB better in ADF and 0.2 dB in BF.

Reference: Thornley et al., "Noise2Void for Denoising Atomic Resolution Scanning Transmission Electron Microscopy
Images", section 2.7 and Figure S4.
"""

from experiments import graphene
from experiments.graphene_rows import record_bars
from experiments.movie_methods import Trained, denoise_movies
from experiments.recorder import Recorder
from experiments.workspace import Workspace
from stemjax import tables
from stemjax.data import datasets
from stemjax.models import presets
from stemjax.training import parallel

NAME = "n2v_figure_s4"
TIMES = {
    "smoke": "1 min",
    "cpu": "1 min on 2 cores, and 2 trainings of 3 min beside that of n2v_table_s1",
    "gpu": "not measured",
}
PSNR_DB = 7.0
SINGLE = {"adf": "Single network, ADF", "bf": "Single network, BF"}


def run(size: str, workspace: Workspace) -> None:
    """Train, score and record the three networks, then render table and learning curves."""
    parallel.enable_compilation_cache()
    data, imaging = workspace.au_graphene(size), graphene.imaging_of(PSNR_DB)
    test = graphene.unseen(data, size, imaging)
    rows = Recorder(NAME, size, workspace, data, test)
    both = {"channels": " + ".join(imaging.channels)}
    record_bars(rows, conditions=both)
    dual, *single = _trained(size, workspace, data)
    _add(rows, "Dual network", dual, both)
    for number, (channel, learnt) in enumerate(zip(imaging.channels, single, strict=True)):
        # the channel cut from the same test frames: as frames of one channel they would have other noise
        alone = Recorder(NAME, size, workspace, data, graphene.only(test, number))
        _add(alone, SINGLE[channel], learnt, {"channels": channel})
    tables.write(workspace.results, NAME)


def train(size: str, workspace: Workspace) -> None:
    """Train whatever of its networks is not trained yet, for `experiments.zoo`."""
    _trained(size, workspace, workspace.au_graphene(size))


def _trained(size: str, workspace: Workspace, data: datasets.DataSet) -> list[Trained]:
    """The network of both channels, then that of each."""
    both = graphene.imaging_of(PSNR_DB)
    denoiser = presets.find_preset("noise2void-single").at(size)
    found = [graphene.trained(size, workspace, data, both, "Dual network")]
    for channel in both.channels:
        imaging = graphene.imaging_of(PSNR_DB, (channel,))
        found.append(graphene.trained(size, workspace, data, imaging, SINGLE[channel], denoiser))
    return found


def _add(rows: Recorder, method: str, learnt: Trained, conditions: dict) -> None:
    denoised = denoise_movies(learnt.run.denoiser, learnt.variables, rows.test)
    rows.add_trained(
        method, learnt.run, learnt.variables, learnt.info, learnt.outcome, denoised=denoised, conditions=conditions
    )
