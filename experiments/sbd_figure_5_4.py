"""SBD, Figure 5.4: how many atomic columns survive denoising, at the surface of 44 defect structures and in the bulk.

    stemjax experiment run sbd_figure_5_4 --size cpu

308 clean images, 44 structures at 7 defoci, with 25 draws of the noise each at size `gpu` and one at `cpu`. Precision,
recall, F1 and Jaccard of the columns found in the denoised image against those of the clean one, and of the atomic
model one to one; for the UNet and for a Gaussian filter tuned on the validation structures; with the paper's threshold
for columns and with one chosen for each method on the validation structures. At size
`cpu` expect a surface F1 of 0.86 for the UNet with a tuned threshold, 0.84 for the Gaussian filter, and next to nothing
with the paper's threshold; the paper has medians of 1, 1, 0.95 and 0.95 at the surface, for a network of full size.

Why the paper's threshold, a response of 0.0145, finds no surface at size `cpu`: measured at 80 Å of defocus, the
response in the vacuum reaches 0.005 in clean images but 0.046 (standard deviation 0.011) in what the UNet leaves of the
noise. So 36 columns of noise stand beside the 44 of the particle, all of which are found; the noise, in the vacuum,
becomes the rim of the alpha shape, and 95 % of the particle's surface columns count as bulk. With the error of the
UNet's images scaled down to the 43 dB that the paper's network has, 4 such columns are left and the surface F1 is 0.76.

Reference: Mohan et al., arXiv:2010.12970, Figure 5.4.
"""

from functools import partial
from pathlib import Path

import numpy as np

from experiments.recorder import Recorder
from experiments.sbd_table_5_1 import IMAGES_PER_UNIT, WHITE
from experiments.surface_atoms import (
    ALIKE,
    DEFOCI,
    Panel,
    Reference,
    add_both,
    draw_columns,
    surface_images,
    tune_threshold,
)
from experiments.trained import tuned_network
from experiments.workspace import Workspace
from stemjax import tables
from stemjax.apply.evaluate import ImageSet, denoise_all, image_set, tune
from stemjax.data.images import TEST_NOISE
from stemjax.metrics import atoms
from stemjax.models import presets
from stemjax.training import parallel, recipes

NAME = "sbd_figure_5_4"
TIMES = {"smoke": "1 min", "cpu": "4 min on 2 cores after the training of Table 5.1", "gpu": "not measured"}
DRAWS = {"smoke": 1, "cpu": 1, "gpu": 25}
SHOWN = "top3_plus1"


def run(size: str, workspace: Workspace) -> None:
    """Denoise and score every draw of the noise, then render the table, its plots and a picture."""
    parallel.enable_compilation_cache()
    data, surface = workspace.pt_ceo2(size), workspace.pt_ceo2_surface(size)
    imaging = recipes.SBD_TRAINING[size]["imaging"]
    network, variables, info, outcome, tuning = tuned_network("sbd-unet-4x64", size, workspace, data)
    validation = image_set(data, WHITE, "validation", IMAGES_PER_UNIT[size], imaging)
    gaussian, chosen = tune(presets.PRESETS["gaussian"].denoiser, validation)
    methods = {"Gaussian filter": (gaussian, {}), "SBD + UNet": (network.denoiser, variables)}
    alike = image_set(data, ALIKE, "validation", IMAGES_PER_UNIT[size], imaging)
    thresholds = {method: tune_threshold(data, alike, *denoiser) for method, denoiser in methods.items()}
    reference = None
    for draw in range(DRAWS[size]):
        defoci = DEFOCI[:2] if size == "smoke" else DEFOCI
        test = surface_images(surface, imaging, defoci, noise_seed=TEST_NOISE + draw)
        reference = reference or Reference.of(surface, test)
        rows = Recorder(NAME, size, workspace, surface, test)
        adds = {
            "Gaussian filter": (partial(rows.add, "Gaussian filter", gaussian), chosen),
            "SBD + UNet": (partial(rows.add_trained, "SBD + UNet", network, variables, info, outcome), tuning),
        }
        panels = []
        for method, (add, how) in adds.items():
            denoised = denoise_all(*methods[method], test.noisy)
            found = add_both(add, denoised, reference, thresholds[method], how, noise_draw=draw)
            panels.append(_panel(method, test, reference, denoised, found))
        if draw == 0:
            _draw(panels, test, reference, workspace.results / "figures" / f"{NAME}.{size}.png")
    tables.write(workspace.results, NAME)


def _shown(test: ImageSet) -> int:
    """A particle with an added atom."""
    return next(index for index, name in enumerate(test.name) if SHOWN in name)


def _panel(method: str, test: ImageSet, reference: Reference, denoised: np.ndarray, found: list) -> Panel:
    """The columns that a method finds with its own threshold."""
    shown = _shown(test)
    clean, columns = reference.clean[shown], found[shown]
    note = f"surface F1 {atoms.compare(clean, columns)['surface_f1']:.3f}"
    return Panel(method, note, denoised[shown, ..., 0], reference.views[shown], columns, clean)


def _draw(panels: list[Panel], test: ImageSet, reference: Reference, path: Path) -> None:
    """Clean and noisy image before what the methods find."""
    shown = _shown(test)
    view, clean, noisy = reference.views[shown], test.clean[shown, ..., 0], test.noisy[shown, ..., 0]
    first = [
        Panel("Clean", f"defocus {test.images.defocus[shown] / 10:g} nm", clean, view, reference.clean[shown]),
        Panel("Noisy", f"{test.imaging.dose():.0f} e/Å², own grey scale", noisy, view),
    ]
    draw_columns([*first, *panels], path, tuple(np.percentile(clean, [0.1, 99.9])))
