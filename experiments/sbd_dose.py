"""SBD: the dose that it takes to find the atoms of a surface, which the paper does not have.

    stemjax experiment run sbd_dose --size cpu

Recall and F1 of the surface columns of the 44 defect structures at 5 doses, a quarter to four times that of the
training, for the UNet trained at one dose (188 e/Å² at size `cpu`), the same UNet trained at doses drawn log-uniformly
from that range, and a Gaussian filter tuned at each dose on the validation structures, as is each method's threshold
for columns; with the dose at which each reaches a surface F1 of 0.95. Matched one to one with the atomic model, expect
the UNet of one dose to lead below its own dose (0.81 against 0.73 and 0.72 at 94 e/Å²), all three to be alike above it,
and 0.95 at 300 to 350 e/Å² for each, with intervals over structures that overlap; by the paper's metric at 360 to 490.

Reference: Mohan et al., arXiv:2010.12970, section 5.3, for the metrics.
"""

from dataclasses import replace
from functools import partial

from experiments.recorder import Recorder
from experiments.sbd_table_5_1 import IMAGES_PER_UNIT, WHITE
from experiments.surface_atoms import ALIKE, DEFOCI, Reference, add_both, surface_images, tune_threshold
from experiments.trained import tuned_network
from experiments.workspace import Workspace
from stemjax import tables
from stemjax.apply.evaluate import denoise_all, image_set, tune
from stemjax.data import datasets
from stemjax.models import presets
from stemjax.training import parallel, recipes

NAME = "sbd_dose"
TIMES = {"smoke": "1 min", "cpu": "8 min on 2 cores after the training of Table 5.1", "gpu": "not measured"}
DOSES = {"smoke": (0.5, 2.0), "cpu": (0.25, 0.5, 1.0, 2.0, 4.0), "gpu": (0.25, 0.5, 1.0, 2.0, 4.0)}  # of the training's
TRAINED_DOSES = (0.25, 4.0)
DEFOCI_OF = {"smoke": (80.0,), "cpu": (80.0,), "gpu": DEFOCI}  # Å


def run(size: str, workspace: Workspace) -> None:
    """Train at doses from the whole range, score every method at every dose, and render the table and its plots."""
    parallel.enable_compilation_cache()
    data, surface = workspace.pt_ceo2(size), workspace.pt_ceo2_surface(size)
    imaging = recipes.SBD_TRAINING[size]["imaging"]
    networks, tuning = trained_networks(size, workspace, data)
    for dose in DOSES[size]:
        dosed = replace(imaging, counts=dose * imaging.counts)
        condition = {"dose_e_per_angstrom2": round(dosed.dose())}
        print(f"{dosed.dose():.0f} e/Å²", flush=True)
        test = surface_images(surface, dosed, DEFOCI_OF[size])
        reference = Reference.of(surface, test)
        rows = Recorder(NAME, size, workspace, surface, test)
        validation, alike = (
            image_set(data, selection, "validation", IMAGES_PER_UNIT[size], dosed) for selection in (WHITE, ALIKE)
        )
        gaussian, chosen = tune(presets.PRESETS["gaussian"].denoiser, validation)
        methods = {"Gaussian filter": (gaussian, {}, partial(rows.add, "Gaussian filter", gaussian), chosen)}
        for method, (learnt, variables, *rest) in networks.items():
            add = partial(rows.add_trained, method, learnt, variables, *rest)
            methods[method] = learnt.denoiser, variables, add, tuning
        for denoiser, variables, add, how in methods.values():
            threshold = tune_threshold(data, alike, denoiser, variables)
            denoised = denoise_all(denoiser, variables, test.noisy)
            add_both(add, denoised, reference, threshold, how, **condition)
    tables.write(workspace.results, NAME)


def train(size: str, workspace: Workspace) -> None:
    """Train whatever of its networks is not trained yet, for `experiments.zoo`."""
    trained_networks(size, workspace, workspace.pt_ceo2(size))


def trained_networks(size: str, workspace: Workspace, data: datasets.DataSet) -> tuple[dict[str, tuple], dict | None]:
    """Both networks, label -> (run, variables, info, outcome), and how the first was tuned."""
    fixed, *trained, tuning = tuned_network("sbd-unet-4x64", size, workspace, data)
    ranging = replace(fixed, crops=replace(fixed.crops, counts_range=TRAINED_DOSES))
    label = "UNet, log-uniform dose"
    return {"UNet, one dose": (fixed, *trained), label: (ranging, *workspace.trained(ranging, data, label))}, tuning
