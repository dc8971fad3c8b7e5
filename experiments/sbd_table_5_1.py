"""SBD, Table 5.1: denoisers of simulated Pt/CeO2 micrographs with few electrons per pixel (paper: 0.45; cpu: 1.8).

    stemjax experiment run sbd_table_5_1 --size cpu

Every filter is tuned on the validation structures; every network sees the same crops in the same order and picks its
batch size and learning rate by the same search (`experiments/tuning.py`); all are scored on structures that none of
them saw. In the paper every network beats every filter, the largest network, of 42.87 dB, all others of the table by 12
dB; the table says what the authors' own notebooks print for it. Expect at size `cpu`: constant 23, Gaussian filter and
total variation 29, PURE-LET 30.6, the networks 30.8 to 31.5 dB, where seeds of one network differ by up to 2 dB.

Reference: Mohan et al., arXiv:2010.12970, Table 5.1.
"""

from collections.abc import Iterator
from dataclasses import replace

from experiments.recorder import Recorder
from experiments.tuning import Search, tune_run
from experiments.workspace import Workspace
from stemjax import tables
from stemjax.apply.evaluate import denoise_all, image_set, tune
from stemjax.data import datasets
from stemjax.data.micrographs import Selection
from stemjax.denoisers import missing_package
from stemjax.models import presets
from stemjax.training import parallel

NAME = "sbd_table_5_1"
TIMES = {"smoke": "2 min", "cpu": "10 min on 2 cores after its zoo, which takes 80 min", "gpu": "not measured"}
FILTERS = {
    "Constant": "constant",
    "Low-pass filter": "low-pass",
    "Adaptive Wiener filter": "wiener",
    "VST + NLM": "nlm",
    "VST + BM3D": "bm3d",
    "PURE-LET": "pure-let",
    "Gaussian filter": "gaussian",
    "Total variation": "tv",
}
NETWORKS = {"SBD + DnCNN": "sbd-dncnn", "SBD + Small UNet": "sbd-small-unet", "SBD + UNet": "sbd-unet-4x64"}
LARGEST = {"SBD + UNet, 6 scales, 128 base channels": "sbd-unet-6x128"}  # needs a large GPU
SEEDS = {"smoke": (0,), "cpu": (0, 1, 2), "gpu": (0,)}
# The same for every network. At full size one setting, the paper's, is all that a lease has time for.
SEARCH = {"smoke": None, "cpu": Search((2, 8), (2e-3, 4e-3, 8e-3), short_crops=1000), "gpu": None}
IMAGES_PER_UNIT = {"smoke": 1, "cpu": 6, "gpu": 20}
WHITE = Selection(contrast=("white",))


def run(size: str, workspace: Workspace) -> None:
    """Train, tune, score and record every row, then render the table and the figures."""
    parallel.enable_compilation_cache()
    data = workspace.pt_ceo2(size)
    imaging = presets.sbd_run(None, size, data.recipe_hash).imaging
    validation = image_set(data, WHITE, "validation", IMAGES_PER_UNIT[size], imaging)
    test = image_set(data, WHITE, "test", IMAGES_PER_UNIT[size], imaging)
    rows = Recorder(NAME, size, workspace, data, test)

    rows.add("Raw", presets.PRESETS["constant"].denoiser, test.noisy, is_raw=True)
    for method, name in FILTERS.items():
        denoiser = presets.PRESETS[name].denoiser
        if package := missing_package(denoiser):
            print(f"{method:32s} not run: pip install -e '.[{package}]' (mind its licence)", flush=True)
            continue
        denoiser, tuning = tune(denoiser, validation)
        rows.add(method, denoiser, denoise_all(denoiser, {}, test.noisy), tuning=tuning or None)
    for method, learnt, trained, tuning in trained_networks(size, workspace, data):
        rows.add_trained(method, learnt, *trained, tuning)
    tables.write(workspace.results, NAME)
    rows.draw_strip(columns=5)
    rows.draw_strip("overview", ("Raw", "Gaussian filter", "SBD + UNet"))
    rows.draw_learning_curves()


def train(size: str, workspace: Workspace) -> None:
    """Train whatever of its networks is not trained yet, for `experiments.zoo`."""
    for _ in trained_networks(size, workspace, workspace.pt_ceo2(size)):
        pass


def trained_networks(size: str, workspace: Workspace, data: datasets.DataSet, only: str = "") -> Iterator[tuple]:
    """Every network and seed of a size, trained if it is not yet: (method, run, (variables, info, outcome), tuning).

    With `only`, the methods whose preset has that name.
    """
    for method, name in (NETWORKS | LARGEST if size == "gpu" else NETWORKS).items():
        if only not in ("", name):
            continue
        start = presets.sbd_run(presets.find_preset(name).at(size), size, data.recipe_hash)
        tuned, tuning = tune_run(method, start, SEARCH[size], workspace, data)
        for seed in SEEDS[size]:
            run = replace(tuned, seed=seed)
            yield method, run, workspace.trained(run, data, f"{method}, seed {seed}"), tuning
