"""SBD, Figure 5.3: an atom too many or too few, which PSNR and SSIM do not see and the atom metrics do.

    stemjax experiment run sbd_figure_5_3 --size cpu

Clean images of a particle with and without a column of a single atom at its surface, at 11 sites, under Gaussian noise
of standard deviation 2/255; no denoiser has a part in it. Expect PSNR within 0.1 dB and SSIM within 0.001 of each
other, and surface F1 1, 0.94, 0.94. At 8 of the 11 sites precision, recall, F1 and Jaccard are those that the paper
prints, 0.933 and 0.875: the added atom covers a column beneath it, which the alpha shape then takes for bulk.

Reference: Mohan et al., arXiv:2010.12970, Figure 5.3.
"""

from dataclasses import replace

import numpy as np

from experiments.recorder import Recorder
from experiments.surface_atoms import DEFOCI, Panel, Reference, draw_columns, surface_images
from experiments.workspace import Workspace
from stemjax import tables
from stemjax.apply.evaluate import ImageSet
from stemjax.data.micrographs import VACUUM_COUNTS
from stemjax.metrics import atoms
from stemjax.metrics.image import score
from stemjax.physics.noise import FixedGaussian
from stemjax.training import recipes

NAME = "sbd_figure_5_3"
TIMES = {"smoke": "1 min", "cpu": "1 min on 2 cores", "gpu": "not measured"}
NOISE = FixedGaussian(2 / 255)
SHOWN = "top3_plus1"


def run(size: str, workspace: Workspace) -> None:
    """Score the three cases, then render the table and the picture."""
    data = workspace.pt_ceo2_surface(size)
    imaging = replace(recipes.SBD_TRAINING[size]["imaging"], counts=VACUUM_COUNTS, noise=NOISE)
    every = surface_images(data, imaging, DEFOCI[:2] if size == "smoke" else DEFOCI)
    more, bare = with_and_without(every)
    reference = Reference.of(data, more)
    clean_bare = reference.find(bare.clean, reference.finder.threshold_clean)
    found_bare, found_more = (reference.find(images.noisy) for images in (bare, more))
    cases = {  # label -> what it is compared with, its columns; what is shown, its columns
        "All atoms preserved": (bare, clean_bare, bare, found_bare),
        "One extra atom": (bare, clean_bare, more, found_more),
        "One missing atom": (more, reference.clean, bare, found_bare),
    }
    shown = next(index for index, name in enumerate(more.name) if SHOWN in name)
    panels = []
    for case, (truth, clean, test, found) in cases.items():
        scores = [atoms.compare(*pair, reference.finder.tolerance) for pair in zip(clean, found, strict=True)]
        Recorder(NAME, size, workspace, data, truth).add(case, None, test.noisy, extra=scores)
        image, view = test.noisy[shown, ..., 0], reference.views[shown]
        of_image = score(truth.clean[shown, ..., 0], image, "sbd") | scores[shown]
        note = "PSNR {psnr_db:.2f} dB, SSIM {ssim:.3f}\nsurface F1 {surface_f1:.3f}, Jaccard {surface_jaccard:.3f}"
        panels.append(Panel(case, note.format(**of_image), image, view, found[shown], clean[shown]))
    tables.write(workspace.results, NAME)
    limits = tuple(np.percentile(more.clean[shown], [0.1, 99.9]))
    draw_columns(panels, workspace.results / "figures" / f"{NAME}.{size}.png", limits)


def with_and_without(every: ImageSet) -> tuple[ImageSet, ImageSet]:
    """Images of the structures with an added atom, and of the particle without it, with the same noise.

    The particle without any defect is the median, pixel by pixel, of all structures of the surface set at that defocus:
    all but a few agree at every pixel.
    """
    chosen = np.array(["plus1" in name for name in every.name])
    images = every.images.part(chosen)
    names = [name for name, is_chosen in zip(every.name, chosen, strict=True) if is_chosen]
    more = ImageSet(every.clean[chosen], every.noisy[chosen], images, names, every.imaging)
    medians = {c10: np.median(every.clean[every.images.defocus == c10], axis=0) for c10 in set(images.defocus.tolist())}
    perfect = np.stack([medians[c10] for c10 in images.defocus.tolist()])
    return more, replace(more, clean=perfect, noisy=more.noisy - more.clean + perfect)
