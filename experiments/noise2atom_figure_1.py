"""Noise2Atom, Figure 1: the losses of a training, and where the paper's stopping rule would end it.

    stemjax experiment run noise2atom_figure_1 --size cpu

One training on the noisy movies on 20 nm of carbon. At every validation: both cycles, the critic's distance between
drawn and denoised images, the correlation of low-passed noisy and denoised images, which is negative where the contrast
is inverted, and the PSNR on validation movies, which no part of the training sees. The paper stops where the cycle is
below 0.05 and the low-frequency cycle below 0.1; both are in units of half the range of the movie. The network is
scored on unseen movies. Where that correlation is negative in the first half, the generators are drawn anew, as the
preset asks for. Recorded so far at size `cpu` with the cycle weighing five times the low-frequency cycle (see
`noise2atom_figure_5`): two such restarts, after steps 50 and 100, the rule met at step 500, and after 1000 steps 23.4
dB against 22.3 of a constant.

Reference: Wang, Henninen, Keller, Erni, "Noise2Atom: unsupervised denoising for scanning transmission electron
microscopy images", Applied Microscopy 50:23, 2020, Figure 1.
"""

from experiments import noise2atom, very_noisy
from experiments.recorder import Recorder
from experiments.workspace import Workspace
from stemjax import tables
from stemjax.training import parallel

NAME = "noise2atom_figure_1"
TIMES = {"smoke": "1 min", "cpu": "3 min on one core, after noise2atom_figure_3", "gpu": "not measured"}


def run(size: str, workspace: Workspace) -> None:
    """Train, score and record, then render table and loss curves."""
    parallel.enable_compilation_cache()
    data = workspace.haadf_pt(size)
    test, validation = (very_noisy.frames(data, size, very_noisy.LEARNT_FROM, s) for s in ("test", "validation"))
    rows = Recorder(NAME, size, workspace, data, test)
    network = noise2atom.trained(size, workspace)
    for method in (*noise2atom.bars(), very_noisy.learnt(noise2atom.LABEL, network)):
        noise2atom.record(rows, method, data, validation)
    tables.write(workspace.results, NAME)


def train(size: str, workspace: Workspace) -> None:
    """Train its network if it is not trained yet, for `experiments.zoo`."""
    noise2atom.trained(size, workspace)
