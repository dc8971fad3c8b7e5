"""SBD, Table 3.1: what a large field of view is worth, on electron micrographs and on photographs.

    stemjax experiment run sbd_table_3_1 --size cpu
    stemjax experiment run sbd_table_3_1 --size cpu --photos DIV2K/

(a) The networks of the paper on simulated Pt/CeO2, and a sweep that it lacks: 2, 4 and 6 scales at two widths.
(b) UNets of 2, 4 and 6 scales on photographs with Gaussian noise of 0 to 100, tested at 30 and 70 (of 255).

Every network sees the same number of crops. Where the halves are compared, at the width of the photographs, each has
the best of four learning rates, and networks of 2 and 4 scales are also trained on four times the crops. At size `cpu`
widths are a quarter of the paper's, and crops of 128 px cannot show what 893 px are worth: compare 41 and 45 px with 49
and 221. The paper finds a gain of the larger fields of view on micrographs, and none on photographs; that its 42.87 dB
for 6 scales are far above what the authors' own notebooks print, the table says. At size `cpu` 221 px gain over 49,
after 4,000 crops, 0.2 dB on micrographs and 0.0 to 0.4 on photographs, less than seeds differ; after 16,000 crops 1.0
dB on micrographs and 0.8 to 1.1 on photographs: narrow networks profit from what more scales bring on either.

Reference: Mohan et al., arXiv:2010.12970, Table 3.1.
"""

from collections.abc import Iterator
from dataclasses import replace

from experiments.ablation import IMAGES_PER_UNIT, WHITE, Cell, grid
from experiments.recorder import Recorder
from experiments.trained import tuned_networks
from experiments.tuning import Search, tune_run
from experiments.workspace import Workspace
from stemjax import tables
from stemjax.apply.evaluate import denoise_all, image_set
from stemjax.data.photographs import EveryPhotograph, PhotographCrops, PhotographImaging, open_photographs
from stemjax.models import presets
from stemjax.physics.noise import UniformGaussian
from stemjax.training import parallel
from stemjax.training.train import Run

NAME = "sbd_table_3_1"
TIMES = {"smoke": "2 min", "cpu": "10 min on 2 cores after its zoo, which takes 2 h", "gpu": "not measured"}
USES_PHOTOGRAPHS = True  # `--photos` chooses them
SCALES = ("unet-2", "unet-4", "unet-6")
SWEEP = {"smoke": grid(SCALES[:2], (4,)), "cpu": grid(SCALES, (8, 16)), "gpu": grid(SCALES, (32, 64))}
# The rows of the paper that the sweep does not hold: 4 and 6 scales at its largest width.
WIDEST = {
    "smoke": (),
    "cpu": (Cell("unet-4", 32), Cell("unet-6", 32)),
    "gpu": (Cell("unet-4", 128), Cell("unet-6", 128)),
}
SMALL = {"SBD + DnCNN": ("sbd-dncnn", "dncnn"), "SBD + Small UNet": ("sbd-small-unet", "durr")}
PHOTOGRAPHS = {"smoke": grid(SCALES[:1], (4,)), "cpu": grid(SCALES, (8,)), "gpu": grid(SCALES, (32,))}
# Three seeds where micrographs and photographs are compared, at the width of the photographs.
SEEDS = {"smoke": (0,), "cpu": (0, 1, 2), "gpu": (0,)}
# Where micrographs and photographs are compared, every network chooses its learning rate on both.
SEARCH = {"smoke": None, "cpu": Search((2,), (5e-4, 1e-3, 2e-3, 4e-3), short_crops=1000), "gpu": None}
# The compared networks once more on so many times the crops, to see whether too few of them hide a gain.
LONGER_NETWORKS = ("unet-2", "unet-4")
LONGER = {"smoke": 2, "cpu": 4, "gpu": 1}  # size gpu trains as long as the paper from the start
LONGER_SEEDS = 2  # of those
SIGMAS = (30, 70)  # of 255
WINDOWS = 4  # of each photograph


def run(size: str, workspace: Workspace) -> None:
    """Train, score and record both halves, then render the table."""
    parallel.enable_compilation_cache()
    micrographs(size, workspace)
    photographs(size, workspace)
    tables.write(workspace.results, NAME)


def train(size: str, workspace: Workspace) -> None:
    """Train whatever of both halves is not trained yet, for `experiments.zoo`."""
    for _ in micrograph_networks(size, workspace, workspace.pt_ceo2(size)):
        pass
    for _ in photograph_networks(size, workspace, open_photographs(workspace.photos)):
        pass


def micrographs(size: str, workspace: Workspace) -> None:
    """Table 3.1 (a), with the sweep."""
    data = workspace.pt_ceo2(size)
    imaging = presets.sbd_run(None, size, data.recipe_hash).imaging
    rows = Recorder(NAME, size, workspace, data, image_set(data, WHITE, "test", IMAGES_PER_UNIT[size], imaging))
    _add_references(rows)
    for cell, times, run, trained, tuning in micrograph_networks(size, workspace, data):
        conditions = cell.conditions | {"crop_px": run.crops.size} | _times(times)
        rows.add_trained(cell.label, run, *trained, tuning, conditions=conditions)


def photographs(size: str, workspace: Workspace) -> None:
    """Table 3.1 (b): the training of (a), on photographs."""
    data = open_photographs(workspace.photos)
    sets = {
        sigma: image_set(
            data, EveryPhotograph(), "test", WINDOWS, PhotographImaging(UniformGaussian(sigma / 255, sigma / 255))
        )
        for sigma in SIGMAS
    }
    recorders = {sigma: Recorder(NAME, size, workspace, data, test) for sigma, test in sets.items()}
    for sigma, rows in recorders.items():
        _add_references(rows, sigma_255=sigma)
    for cell, times, run, trained, tuning in photograph_networks(size, workspace, data):
        for sigma, rows in recorders.items():
            conditions = cell.conditions | {"crop_px": run.crops.size, "sigma_255": sigma} | _times(times)
            rows.add_trained(cell.label, run, *trained, tuning, conditions=conditions)


def micrograph_networks(size: str, workspace: Workspace, data) -> Iterator[tuple]:
    """The networks of (a), trained if they are not yet.

    Yields (cell, times the crops, run, (variables, info, outcome), tuning).
    """
    for preset, network in SMALL.values():
        for run, variables, info, outcome, tuning in tuned_networks(preset, size, workspace, data):
            yield Cell(network, run.denoiser.network.width), 1, run, (variables, info, outcome), tuning
    for cell in (*SWEEP[size], *WIDEST[size]):
        first, compared = cell.run(size, data.recipe_hash, 0), cell in PHOTOGRAPHS[size]
        seeds, search = (SEEDS[size], SEARCH[size]) if compared else (SEEDS[size][:1], None)
        longer = LONGER[size] if compared and cell.network in LONGER_NETWORKS else 1
        for found in _tuned(cell.label, first, search, seeds, longer, workspace, data):
            yield cell, *found


def photograph_networks(size: str, workspace: Workspace, data) -> Iterator[tuple]:
    """The networks of (b), as those of `micrograph_networks`."""
    for cell in PHOTOGRAPHS[size]:
        run = cell.run(size, data.recipe_hash, seed=0)
        crops = PhotographCrops(run.crops.size, run.crops.count)
        run = replace(run, imaging=PhotographImaging(), crops=crops, selection=EveryPhotograph())
        longer = LONGER[size] if cell.network in LONGER_NETWORKS else 1
        label = f"{cell.label}, photographs"
        for found in _tuned(label, run, SEARCH[size], SEEDS[size], longer, workspace, data):
            yield cell, *found


def _tuned(
    label: str, run: Run, search: Search | None, seeds, longer: int, workspace: Workspace, data
) -> Iterator[tuple]:
    """Every seed of a run with the learning rate that the search chooses, and once more on `longer` times the crops.

    Yields (times the crops, run, (variables, info, outcome), tuning).
    """
    tuned, tuning = tune_run(label, run, search, workspace, data)
    for times in sorted({1, longer}):
        stretched = replace(tuned, steps=times * tuned.steps, validate_every=times * tuned.validate_every)
        for seed in seeds if times == 1 else seeds[:LONGER_SEEDS]:
            seeded = replace(stretched, seed=seed)
            name = f"{label}, {times} x the crops, seed {seed}" if times > 1 else f"{label}, seed {seed}"
            yield times, seeded, workspace.trained(seeded, data, name), tuning


def _times(times: int) -> dict:
    """The condition of a row that saw more crops than the others."""
    return {"times_crops": times} if times > 1 else {}


def _add_references(rows: Recorder, **conditions) -> None:
    """The noisy images themselves, and the constant that every network must beat."""
    constant = presets.PRESETS["constant"].denoiser
    rows.add("Raw", constant, rows.test.noisy, is_raw=True, conditions=conditions)
    rows.add("Constant", constant, denoise_all(constant, {}, rows.test.noisy), conditions=conditions)
