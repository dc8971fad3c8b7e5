"""SBD, Figure 5.8: how many noisy images does a blind-spot network need?

    stemjax experiment run sbd_figure_5_8 --size cpu

Laine's blind-spot network learns from 1, 5, 20, 80 and 320 noisy images of simulated structures, each recorded once,
with as many crops of the same size whatever their number; with early stopping by the loss on noisy images of other
structures, and with its last weights. All are tested on the unseen structures of Table 5.1, beside its supervised UNet.
In the paper the PSNR grows with the number of images and reaches that of the supervised network once there are enough,
for which the 40 frames of its movie are far too few. Expect at size `cpu` 29.4 dB from 1 image (28.7 with the last
weights) and 31.2 to 31.6 dB from 5 and more, where the supervised network has 31.5 dB.

Reference: Mohan et al., arXiv:2010.12970, Figure 5.8.
"""

from collections.abc import Iterator

from experiments.movie_methods import Trained
from experiments.recorder import Recorder
from experiments.sbd_movie import last_weights
from experiments.sbd_table_5_1 import IMAGES_PER_UNIT, WHITE
from experiments.trained import tuned_networks
from experiments.workspace import Workspace
from stemjax import tables
from stemjax.apply.evaluate import denoise_all, image_set, tune
from stemjax.data import datasets
from stemjax.data.micrographs import FewImages, RecordedStills
from stemjax.denoisers.constant import Constant
from stemjax.models import presets
from stemjax.tables.sbd_movie import EARLY, LAST, SBD
from stemjax.training import parallel, recipes

NAME = "sbd_figure_5_8"
TIMES = {"smoke": "1 min", "cpu": "20 min on one core, 5 trainings", "gpu": "not measured"}
IMAGES = {"smoke": (1, 5), "cpu": (1, 5, 20, 80, 320), "gpu": (1, 5, 20, 80, 320, 1280)}
CHANGES = {"smoke": {}, "cpu": {"steps": 1000}, "gpu": {"early_stopping": 0}}


def run(size: str, workspace: Workspace) -> None:
    """Train, score and record every network, then render the table and its plot."""
    parallel.enable_compilation_cache()
    data, imaging = workspace.pt_ceo2(size), recipes.SBD_TRAINING[size]["imaging"]
    test = image_set(data, WHITE, "test", IMAGES_PER_UNIT[size], imaging)
    rows = Recorder(NAME, size, workspace, data, test)
    rows.add("Raw", None, test.noisy, is_raw=True)
    rows.add("Constant", Constant(), denoise_all(Constant(), {}, test.noisy))
    validation = image_set(data, WHITE, "validation", IMAGES_PER_UNIT[size], imaging)
    gaussian, how = tune(presets.PRESETS["gaussian"].denoiser, validation)
    rows.add("Gaussian filter", gaussian, denoise_all(gaussian, {}, test.noisy), tuning=how)
    for method, network, count in networks(size, workspace, data):
        parts = network.run, network.variables, network.info, network.outcome
        rows.add_trained(method, *parts, conditions={"training_images": count})
    for learnt, variables, info, outcome, tuning in tuned_networks("sbd-unet-4x64", size, workspace, data):
        count = len(learnt.selection.images(data, "train"))
        rows.add_trained(SBD, learnt, variables, info, outcome, tuning, conditions={"training_images": count})
    tables.write(workspace.results, NAME)


def train(size: str, workspace: Workspace) -> None:
    """Train whatever of its networks is not trained yet, for `experiments.zoo`."""
    for _ in networks(size, workspace, workspace.pt_ceo2(size)):
        pass


def networks(size: str, workspace: Workspace, data: datasets.DataSet) -> Iterator[tuple[str, Trained, int]]:
    """Every blind-spot network, its best and its last weights, with the number of images that it learnt from."""
    conditions, found = recipes.SBD_TRAINING[size]["imaging"], presets.find_preset("laine")
    recorded = RecordedStills(counts=conditions.counts, sampling=conditions.sampling, margin=conditions.margin)
    for count in IMAGES[size]:
        learnt = FewImages(contrast=WHITE.contrast, total=count)
        changes = {"imaging": recorded, "selection": learnt} | CHANGES[size]
        run = found.recipe(found.at(size), size, data.recipe_hash, **changes)
        network = Trained(run, *workspace.trained(run, data, f"Blind-spot network, {count} noisy images"))
        yield EARLY, network, count
        yield LAST, last_weights(network), count
