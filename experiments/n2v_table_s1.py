"""Noise2Void, Table S1 with Figures 6 and 7: filters and Noise2Void on simulated movies of gold on graphene.

    stemjax experiment run n2v_table_s1 --size cpu

Gaussian noise of 7 dB in each channel, the paper's, and of 16 dB. The network learns from every other frame of the
training movies, noise as recorded, and is scored on movies it never saw, on frames it learnt from, and on these with
their noise drawn again. Each filter stands twice: at the paper's settings (Gaussian of 1 px; total variation of weight
1.0 for ADF and 0.75 for BF on frames scaled to [0, 1]) and tuned on the validation movies. In the paper Noise2Void
reaches 23 dB (ADF) and 21 dB (BF), total variation 22 and 20, the Gaussian filter 18 and 17. Expect at size `cpu` 30.6
and 24.7 dB on unseen movies at 7 dB, where no tuned filter is better than the constant (27.9 and 21.3), and 39.8 and
33.7 dB at 16 dB, where the best tuned filters have 30.7 and 22.7.

Reference: Thornley et al., "Noise2Void for Denoising Atomic Resolution STEM Images", Table S1, Figures 6 and 7.
"""

from experiments import graphene
from experiments.graphene_rows import panels, record_bars, record_filters, record_networks
from experiments.movie_methods import Trained
from experiments.recorder import Recorder
from experiments.workspace import Workspace
from stemjax import tables
from stemjax.data import datasets
from stemjax.figures.montage import montage
from stemjax.training import parallel

NAME = "n2v_table_s1"
TIMES = {"smoke": "1 min", "cpu": "2 min on 2 cores, and 6 trainings of 3 min", "gpu": "not measured"}
LEVELS = (7.0, 16.0)  # dB
SEEDS = {"smoke": (0,), "cpu": (0, 1, 2), "gpu": (0,)}
SEEN = {"trained on, as recorded": True, "trained on, noise drawn again": False}  # whether the noise is the recording's


def run(size: str, workspace: Workspace) -> None:
    """Train, tune, score and record every row at both noise levels, then render the table and the pictures."""
    parallel.enable_compilation_cache()
    data = workspace.au_graphene(size)
    for level in LEVELS:
        _record_level(level, size, workspace, data)
    tables.write(workspace.results, NAME)


def train(size: str, workspace: Workspace) -> None:
    """Train whatever of its networks is not trained yet, for `experiments.zoo`."""
    for level in LEVELS:
        _trained(level, size, workspace, workspace.au_graphene(size))


def _trained(level: float, size: str, workspace: Workspace, data: datasets.DataSet) -> list[Trained]:
    """Every seed of the network of a noise level [dB]."""
    return [
        graphene.trained(size, workspace, data, graphene.imaging_of(level), f"Noise2Void at {level:g} dB", seed=seed)
        for seed in SEEDS[size]
    ]


def _record_level(level: float, size: str, workspace: Workspace, data: datasets.DataSet) -> None:
    imaging, conditions = graphene.imaging_of(level), {"input_psnr_db": level}
    networks = _trained(level, size, workspace, data)
    test = graphene.unseen(data, size, imaging)
    rows = Recorder(NAME, size, workspace, data, test)
    facts = {"conditions": conditions | {"frames": "unseen"}}
    shown = record_bars(rows, **facts)
    shown |= record_filters(rows, graphene.unseen(data, size, imaging, "validation"), **facts)
    shown |= record_networks(rows, networks, **facts)
    pictures = {
        "ADF, square root": panels(test, shown, 0),
        "BF": panels(test, shown, 1),
    }
    path = workspace.results / "figures" / f"{NAME}.{size}.{level:g}db.png"
    montage(pictures, path, sampling=imaging.sampling)
    for frames, as_recorded in SEEN.items():
        rows = Recorder(NAME, size, workspace, data, graphene.trained_on(data, size, imaging, as_recorded))
        facts = {"conditions": conditions | {"frames": frames}, "split": "train"}
        record_bars(rows, **facts)
        record_networks(rows, networks, **facts)
