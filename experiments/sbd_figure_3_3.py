"""SBD, Figures 3.3 and 3.4: do the counts support the columns that a network shows?

    stemjax experiment run sbd_figure_3_3 --size cpu

Every region of the denoised image above the support gets the log-likelihood ratio of "column" against "vacuum". Their
distributions for true columns, spurious and missed ones; the ROC area between the first two; a probability calibrated
on validation structures and judged on test structures; and, which the paper leaves open, control of the false
discovery rate by thinned counts, beside the naive test on the same counts. Expect a ROC area of 0.8 for the ratio as
the paper takes it and above 0.9 for the one that looks at a column's whole profile, a Brier skill above 0, and false
discoveries at most at the nominal rate with thinned counts, but in nine of ten vacuum images without.

Reference: Mohan et al., arXiv:2010.12970, section 3.4, Figures 3.3 and 3.4.
"""

import numpy as np

from experiments.regions import MISSED, PLANTED, SPURIOUS, TRUE, Scene, discoveries, draw_maps, scenes_of, sort_regions
from experiments.sbd_table_5_1 import IMAGES_PER_UNIT, WHITE
from experiments.trained import tuned_network
from experiments.workspace import Workspace
from stemjax import records, tables
from stemjax.apply.evaluate import denoise_all, image_set
from stemjax.metrics.field_of_view import field_of_view
from stemjax.networks.weights import parameter_count
from stemjax.training import parallel, recipes

NAME = "sbd_figure_3_3"
TIMES = {"smoke": "1 min", "cpu": "4 min on 2 cores after the training of Table 5.1", "gpu": "not measured"}
VACUUM_IMAGES = {"smoke": 12, "cpu": 300, "gpu": 1000}
THINNED, NAIVE = "Thinned counts", "Same counts"


def run(size: str, workspace: Workspace) -> None:
    """Score and record the regions of both splits, check the false discovery rate, render table, plots and maps."""
    parallel.enable_compilation_cache()
    data = workspace.pt_ceo2(size)
    imaging = recipes.SBD_TRAINING[size]["imaging"]
    network, variables, info, _, tuning = tuned_network("sbd-unet-4x64", size, workspace, data)
    facts = {
        "experiment": NAME,
        "size": size,
        "denoiser": network.denoiser,
        "data_set": data,
        "imaging": imaging,
        "protocol": "sbd",
        "seed": network.seed,
        "run": network.hash,
        "checkpoint": info["digest"],
        "parameters": parameter_count(network.denoiser.network),
        "field_of_view": field_of_view(network.denoiser.network.geometry()),
        "tuning": tuning,
    }

    def record(method: str, rows: list[dict], **more) -> None:
        print(f"{method}: {len(rows)} rows {more}", flush=True)
        if rows:  # a network may miss no column
            new = records.new_record(method=method, scores=rows, **facts | more)
            records.append(workspace.results / "records", new, rows)

    for split in ("validation", "test"):
        images = image_set(data, WHITE, split, IMAGES_PER_UNIT[size], imaging)
        denoised = denoise_all(network.denoiser, variables, images.noisy)[..., 0]
        scenes = scenes_of(data, images)
        classes = [sort_regions(*pair) for pair in zip(scenes, denoised, strict=True)]
        for method in (TRUE, SPURIOUS, PLANTED, MISSED):
            record(method, [row for found in classes for row in found[method].rows], split=split)
    empty = [Scene.vacuum_only(imaging, seed) for seed in range(VACUUM_IMAGES[size])]
    for kind, group in (("vacuum", empty), ("particles", scenes)):
        for method in (THINNED, NAIVE):
            rows = [discoveries(scene, network.denoiser, variables, is_thinned=method == THINNED) for scene in group]
            record(method, rows, conditions={"images": kind})
    tables.write(workspace.results, NAME)
    order = np.argsort([len(found[SPURIOUS].rows) for found in classes], kind="stable")
    panels = {
        scenes[index].name.replace("-defocus", ", C10 ") + " Å": (scenes[index], denoised[index], classes[index])
        for index in (order[len(order) // 2], order[-1])  # a usual number of false positives, and the most
    }
    draw_maps(panels, workspace.results / "figures" / f"{NAME}.{size}.png")
