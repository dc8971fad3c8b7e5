"""Noise2Void, Figures 8, 9, S3 and S5 to S7: quality over the noise of the recording.

    stemjax experiment run n2v_figure_8 --size cpu

Gaussian noise of 7 to 20 dB in each channel; a network is trained at each level, the filters are tuned at each, and
all are scored on movies that none of them saw. The point that matches the paper's experiment is 16.4 dB in ADF and
16.2 dB in BF: frames of both levels, one network trained at 16.4 dB. The plots are output PSNR and gain over input
PSNR; the montages have one row per level and one column per method. The paper's network brings ADF frames from 16.0 to
30.9 and from 9.9 to 27.5 dB. Expect at size `cpu` a gain of 22 to 25 dB in ADF and of 16 to 18 dB in BF, at 16 dB
twice that of the best filters.

Reference: Thornley et al., "Noise2Void for Denoising Atomic Resolution STEM Images", Figures 8, 9, S3 and S5 to S7.
"""

from experiments import graphene, n2v_table_s1
from experiments.graphene_rows import panels, record_bars, record_filters, record_networks
from experiments.movie_methods import Trained
from experiments.recorder import Recorder
from experiments.workspace import Workspace
from stemjax import tables
from stemjax.data import datasets
from stemjax.figures import Panel
from stemjax.figures.montage import montage
from stemjax.training import parallel

NAME = "n2v_figure_8"
TIMES = {
    "smoke": "1 min",
    "cpu": "7 min on 2 cores, and 4 trainings of 3 min beside those of n2v_table_s1",
    "gpu": "not measured",
}
ALL = (7.0, 10.0, 13.0, 16.0, 16.2, 16.4, 20.0)  # dB
LEVELS = {"smoke": (7.0, 16.2, 16.4), "cpu": ALL, "gpu": ALL}
TRAINED_AT = {16.2: 16.4}  # dB, where it is another level than that of the frames
EXPERIMENT = {"adf": 16.4, "bf": 16.2}  # dB, in the paper's own recordings


def run(size: str, workspace: Workspace) -> None:
    """Train, tune, score and record every method at every level, then render the table, the plots and the montages."""
    parallel.enable_compilation_cache()
    data = workspace.au_graphene(size)
    montages: dict[str, dict[str, list[Panel]]] = {channel: {} for channel in EXPERIMENT}
    for level in LEVELS[size]:
        found = _record_level(level, size, workspace, data)
        for channel, images in found.items():
            if level not in set(EXPERIMENT.values()) - {EXPERIMENT[channel]}:
                montages[channel][f"{level:g} dB"] = images
    tables.write(workspace.results, NAME)
    for channel, rows in montages.items():
        path = workspace.results / "figures" / f"{NAME}.{size}.montage_{channel}.png"
        montage(rows, path, sampling=graphene.imaging_of(level).sampling)


def train(size: str, workspace: Workspace) -> None:
    """Train whatever of its networks is not trained yet, for `experiments.zoo`."""
    for level in LEVELS[size]:
        _trained(level, size, workspace, workspace.au_graphene(size))


def _trained(level: float, size: str, workspace: Workspace, data: datasets.DataSet) -> list[Trained]:
    """The networks that denoise frames of a noise level [dB]: every seed where Table S1 has them."""
    trained_at = TRAINED_AT.get(level, level)
    return [
        graphene.trained(
            size, workspace, data, graphene.imaging_of(trained_at), f"Noise2Void at {trained_at:g} dB", seed=seed
        )
        for seed in (n2v_table_s1.SEEDS[size] if level in n2v_table_s1.LEVELS else (0,))
    ]


def _record_level(level: float, size: str, workspace: Workspace, data: datasets.DataSet) -> dict[str, list[Panel]]:
    """Record one level; channel -> one frame as every method shows it."""
    trained_at = TRAINED_AT.get(level, level)
    networks = _trained(level, size, workspace, data)
    imaging = graphene.imaging_of(level)
    test = graphene.unseen(data, size, imaging)
    rows = Recorder(NAME, size, workspace, data, test)
    facts = {"conditions": {"input_psnr_db": level}}
    shown = record_bars(rows, **facts)
    shown |= record_filters(rows, graphene.unseen(data, size, imaging, "validation"), **facts)
    shown |= record_networks(rows, networks, conditions={"input_psnr_db": level, "trained_at_psnr_db": trained_at})
    return {channel: panels(test, shown, number) for number, channel in enumerate(imaging.channels)}
