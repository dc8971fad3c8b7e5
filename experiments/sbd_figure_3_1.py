"""SBD, Figure 3.1: PSNR against pixel size and against orientation, inside and outside the range of the training.

    stemjax experiment run sbd_figure_3_1 --size cpu

The networks of Table 5.1, trained on pixels of 0.957 to 1.046 times the usual size and orientations of up to 45 degrees
either way, tested on images rendered at other pixel sizes and orientations. The counts per pixel stay, as in the paper.
In the paper the PSNR falls outside of either range, for orientations significantly. Expect at size `cpu` a plateau
inside the range and a fall outside it: to 28 to 30 dB at 0.7 of the pixel size and to 26 at 1.5; and no more than 0.6
dB between orientations. The images are smaller than those of Table 5.1, their middles alone, and hold less vacuum:
their PSNR is lower.

Reference: Mohan et al., arXiv:2010.12970, Figure 3.1.
"""

from collections.abc import Iterator
from dataclasses import replace

import jax
import numpy as np

from experiments.recorder import Recorder
from experiments.sbd_table_5_1 import IMAGES_PER_UNIT, NETWORKS, WHITE
from experiments.trained import tuned_network
from experiments.workspace import Workspace
from stemjax import tables
from stemjax.apply.evaluate import ImageSet
from stemjax.data import micrographs
from stemjax.data.images import TEST_NOISE, noisy_images
from stemjax.models import presets
from stemjax.physics.optics import image
from stemjax.training import parallel

NAME = "sbd_figure_3_1"
TIMES = {"smoke": "1 min", "cpu": "4 min on 2 cores, beside what Table 5.1 trains", "gpu": "not measured"}
PIXEL_SIZES = (0.7, 0.8, 0.9, 0.957, 1.0, 1.046, 1.1, 1.2, 1.35, 1.5)  # of the usual one
ORIENTATIONS = (0, 15, 30, 45, 60, 75, 90)  # degrees
SIDE = {"smoke": 128, "cpu": 256, "gpu": 400}  # px: the largest pixels, and a square turned by 45 degrees, fit the cell
RENDER = 1024


def run(size: str, workspace: Workspace) -> None:
    """Score and record the networks at every pixel size and orientation, then render table and plots."""
    parallel.enable_compilation_cache()
    data = workspace.pt_ceo2(size)
    networks = {method: tuned_network(name, size, workspace, data) for method, name in NETWORKS.items()}
    imaging = presets.sbd_run(None, size, data.recipe_hash).imaging
    images = replace(WHITE, per_unit=max(IMAGES_PER_UNIT[size] // 2, 1)).images(data, "test")
    for conditions, scale, angle in _sweeps():
        test = _turned(data, images, imaging, scale, angle, SIDE[size])
        rows = Recorder(NAME, size, workspace, data, test)
        for method, network in networks.items():
            rows.add_trained(method, *network, conditions=conditions)
    tables.write(workspace.results, NAME)


def _sweeps() -> Iterator[tuple[dict, float, float]]:
    """(conditions, pixel size relative to the usual one, orientation [degrees])."""
    for scale in PIXEL_SIZES:
        yield {"sweep": "pixel size", "relative_pixel_size": scale}, scale, 0.0
    for angle in ORIENTATIONS:
        yield {"sweep": "orientation", "orientation_deg": angle}, 1.0, float(angle)


def _turned(data, images, imaging: micrographs.Imaging, scale: float, angle: float, side: int) -> ImageSet:
    """The middle of every cell, `side` pixels wide, at another pixel size and orientation."""
    imaging = replace(imaging, sampling=imaging.sampling * scale)
    clean = turned_clean(data, images, imaging, angle, side)
    noisy = noisy_images(clean, imaging, TEST_NOISE)
    return ImageSet(clean, noisy, images, images.names(data), imaging)


def turned_clean(data, images, imaging: micrographs.Imaging, angle: float, side: int) -> np.ndarray:
    """The clean images [M, side, side, 1] at the pixel size of the imaging, turned by an angle [degrees]."""

    @jax.jit
    def render(wave, defocus):
        intensity = image(wave, defocus, data.band, imaging.optics, RENDER)
        centre = (data.band.cell / 2, data.band.cell / 2)
        return micrographs.resample(intensity, data.band.cell, centre, imaging.sampling, np.deg2rad(angle), side)

    waves = data.waves(images.item)
    clean = [np.asarray(render(wave, defocus)) for wave, defocus in zip(waves, images.defocus, strict=True)]
    return imaging.counts * np.stack(clean)[..., None]
