"""SBD, Table 5.1: denoisers of simulated Pt/CeO2 micrographs at 0.45 electrons per pixel.

    stemjax experiment run sbd_table_5_1 --size cpu

Every filter is tuned on the validation structures, every network sees the same number of crops in the same order and
picks its learning rate from the same list, and all are scored on structures that none of them saw. Expect at size
`cpu`: constant 23, Gaussian filter and total variation 29, the networks 31 to 32 dB.

Reference: Mohan et al., arXiv:2010.12970, Table 5.1.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from experiments.recorder import Recorder
from experiments.workspace import Workspace
from stemjax import datasets, parallel, presets, tables
from stemjax.evaluate import denoise_all, image_set, tune
from stemjax.train import Optimiser

NAME = "sbd_table_5_1"
TIMES = {"smoke": "1 min", "cpu": "40 min on 2 cores", "gpu": "not measured"}
FILTERS = {
    "Constant": "constant",
    "Low-pass filter": "low-pass",
    "Adaptive Wiener filter": "wiener",
    "Gaussian filter": "gaussian",
    "Total variation": "tv",
}
NETWORKS = {"SBD + DnCNN": "sbd-dncnn", "SBD + Small UNet": "sbd-small-unet", "SBD + UNet": "sbd-unet-4x64"}
LARGEST = {"SBD + UNet, 6 scales, 128 base channels": "sbd-unet-6x128"}  # needs a large GPU
SEEDS = {"smoke": (0,), "cpu": (0, 1, 2), "gpu": (0,)}
LEARNING_RATES = {"smoke": (2e-3,), "cpu": (1e-3, 2e-3, 4e-3), "gpu": (1e-3,)}
SHORT_STEPS = 100  # length of the short runs that choose a learning rate
IMAGES_PER_UNIT = {"smoke": 1, "cpu": 6, "gpu": 20}
WHITE = datasets.Selection(contrast=("white",))


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
        denoiser, tuning = tune(presets.PRESETS[name].denoiser, validation)
        rows.add(method, denoiser, denoise_all(denoiser, {}, test.noisy), tuning=tuning or None)
    for method, learnt, trained, tuning in trained_networks(size, workspace, data):
        rows.add_trained(method, learnt, *trained, tuning)
    tables.write(workspace.results)
    rows.draw_strip(columns=5)
    rows.draw_strip("overview", ("Raw", "Gaussian filter", "SBD + UNet"))
    rows.draw_learning_curves()


def trained_networks(size: str, workspace: Workspace, data: datasets.DataSet) -> Iterator[tuple]:
    """Every network and seed of a size, trained if it is not yet: (method, run, (variables, info, outcome), tuning)."""
    for method, name in (NETWORKS | LARGEST if size == "gpu" else NETWORKS).items():
        denoiser = presets.find_preset(name).at(size)
        optimiser, tuning = _choose_learning_rate(method, denoiser, size, workspace, data)
        for seed in SEEDS[size]:
            run = presets.sbd_run(denoiser, size, data.recipe_hash, seed, optimiser=optimiser)
            yield method, run, workspace.trained(run, data, f"{method}, seed {seed}"), tuning


def _choose_learning_rate(
    method: str, denoiser, size: str, workspace: Workspace, data
) -> tuple[Optimiser, dict | None]:
    """Every network picks from the same learning rates, by one short run of each: (optimiser, tuning)."""
    optimiser, rates = presets.SBD_TRAINING[size]["optimiser"], LEARNING_RATES[size]
    if len(rates) == 1:
        return replace(optimiser, learning_rate=rates[0]), None
    found = []
    for rate in rates:
        short = presets.sbd_run(
            denoiser,
            size,
            data.recipe_hash,
            optimiser=replace(optimiser, learning_rate=rate),
            steps=SHORT_STEPS,
            validate_every=SHORT_STEPS,
        )
        _, info, _ = workspace.trained(short, data, f"{method}, learning rate {rate:g}")
        found.append(info["validation_psnr_db"])
    best = int(np.argmax(found))
    tuning = {
        "values": list(rates),
        "validation_psnr_db": [round(value, 3) for value in found],
        "chosen": rates[best],
        "at_an_end": best in (0, len(rates) - 1),
        "steps": SHORT_STEPS,
    }
    return replace(optimiser, learning_rate=rates[best]), {"learning_rate": tuning}
