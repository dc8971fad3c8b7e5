"""Noise2Void, Figure 10: a network of one session of the microscope on movies of another.

    stemjax experiment run n2v_figure_10 --size cpu

The sessions differ in defocus, spherical aberration, rotation and blur. Four networks denoise test movies of session b:
the one that learnt from session a, as it is; the same, fine-tuned on half of b's training movies; a fresh one that
learnt from that half; and a fresh one that learnt from all of them. The last three see equally many crops. They are
validated by their own loss on the frames between those that they learn from, since b has no validation movies. The
paper compares the same four on recorded movies, without figures, and concludes that retraining is not required: the old
network serves. Here, at size `cpu`, expect another outcome: the network of session a loses 2 to 11 dB against the fresh
one that saw all of b (in BF at 7 dB it is below the constant), half of b costs 0.4 to 1.1 dB, and fine-tuning, at the
learning rate of a fresh training, is not better than that.

Reference: Thornley et al., "Noise2Void for Denoising Atomic Resolution STEM Images", Figure 10.
"""

from collections.abc import Iterator
from dataclasses import replace

from experiments import graphene
from experiments.graphene_rows import panels, record_bars
from experiments.movie_methods import Trained, denoise_movies
from experiments.recorder import Recorder
from experiments.workspace import Workspace
from stemjax import tables
from stemjax.data import datasets
from stemjax.data.au_graphene import GrapheneImaging
from stemjax.data.images import Frames
from stemjax.figures.montage import montage
from stemjax.tables.n2v_transfer import FINE_TUNED, FRESH, HALF, OLD
from stemjax.training import parallel

NAME = "n2v_figure_10"
TIMES = {
    "smoke": "1 min",
    "cpu": "1 min on 2 cores, and 6 trainings of 3 min beside those of Table S1",
    "gpu": "not measured",
}
LEVELS = {"smoke": (7.0,), "cpu": (7.0, 16.0), "gpu": (7.0, 16.0)}  # dB
LEARNT = Frames(session=("b",), stride=2, held_out=True)


def run(size: str, workspace: Workspace) -> None:
    """Train, score and record the networks at every noise level, then render the table and the pictures."""
    parallel.enable_compilation_cache()
    data = workspace.au_graphene(size)
    for level in LEVELS[size]:
        imaging = graphene.imaging_of(level)
        test = graphene.unseen(data, size, imaging, session="b")
        rows, conditions = Recorder(NAME, size, workspace, data, test), {"input_psnr_db": level}
        shown = record_bars(rows, conditions=conditions)
        for method, network in networks(size, workspace, data, imaging):
            parts = network.run, network.variables, network.info, network.outcome
            shown[method] = denoise_movies(network.run.denoiser, network.variables, test)
            rows.add_trained(method, *parts, denoised=shown[method], conditions=conditions)
        path = workspace.results / "figures" / f"{NAME}.{size}.{level:g}db.png"
        pictures = {"ADF, square root": panels(test, shown, 0), "BF": panels(test, shown, 1)}
        montage(pictures, path, sampling=imaging.sampling)
    tables.write(workspace.results, NAME)


def train(size: str, workspace: Workspace) -> None:
    """Train whatever of its networks is not trained yet, for `experiments.zoo`."""
    data = workspace.au_graphene(size)
    for level in LEVELS[size]:
        for _ in networks(size, workspace, data, graphene.imaging_of(level)):
            pass


def networks(
    size: str, workspace: Workspace, data: datasets.DataSet, imaging: GrapheneImaging
) -> Iterator[tuple[str, Trained]]:
    """The four networks of a noise level, trained if they are not yet."""
    level = imaging.noise.psnr_db
    old = graphene.trained(size, workspace, data, imaging, f"Noise2Void at {level:g} dB")
    yield OLD, old
    half = replace(LEARNT, movies=max(training_movies(data) // 2, 1))
    tuned = replace(old.run, selection=half, initial=old.info["digest"])
    label = f"Noise2Void at {level:g} dB, fine-tuned"
    yield FINE_TUNED, Trained(tuned, *workspace.trained(tuned, data, label, old.variables))
    for method, selection in ((HALF, half), (FRESH, LEARNT)):
        label = f"Noise2Void at {level:g} dB, {method[0].lower()}{method[1:]}"
        yield method, graphene.trained(size, workspace, data, imaging, label, selection=selection)


def training_movies(data: datasets.DataSet) -> int:
    """How many training movies session b has."""
    return sum((item["session"], item["split"]) == ("b", "train") for item in data.items)
