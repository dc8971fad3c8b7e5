"""SBD, Figure 3.1: PSNR against pixel size and against orientation, inside and outside the range of the training.

    stemjax experiment run sbd_figure_3_1 --size cpu

The networks of Table 5.1, trained on pixels of 0.957 to 1.046 times the usual size and orientations of up to 45 degrees
either way, tested on images rendered at other pixel sizes and orientations. The counts per pixel stay, as in the paper.
In the paper the PSNR falls outside of either range, for orientations significantly. The images are smaller than those
of Table 5.1, their middles alone, and hold less vacuum: their PSNR is lower.

Expect at size `cpu` (Pixel size, relative to the usual one, SBD + UNet): 0.7: 28.14 [27.37, 28.88]; 1 (inside): 30.60
[30.12, 31.05]; 1.5: 26.17 [25.54, 26.79].

Expect at size `cpu` (Orientation [degrees], SBD + UNet): 0 (inside): 30.60 [30.12, 31.05]; 60: 30.02 [29.62, 30.40];
90: 30.40 [30.05, 30.74].

Reference: Mohan et al., arXiv:2010.12970, Figure 3.1.
"""

from collections.abc import Iterator
from dataclasses import replace

import jax
import numpy as np

from experiments.recorder import Recorder
from experiments.sbd import IMAGES_PER_UNIT, NETWORKS, SOURCE, WHITE, tuned_network
from experiments.sbd.notes import caption, printed_psnr, psnr_of
from experiments.workspace import Workspace
from stemjax import figures
from stemjax.apply.evaluate import ImageSet
from stemjax.data import micrographs
from stemjax.data.images import TEST_NOISE, noisy_images
from stemjax.models import presets
from stemjax.physics.optics import image
from stemjax.tables import wording
from stemjax.tables.rows import by_conditions
from stemjax.tables.table import Grid, Table

TIMES = {"smoke": "1 min", "cpu": "4 min on 2 cores, beside what Table 5.1 trains", "gpu": "not measured"}
PIXEL_SIZES = (0.7, 0.8, 0.9, 0.957, 1.0, 1.046, 1.1, 1.2, 1.35, 1.5)  # of the usual one
ORIENTATIONS = (0, 15, 30, 45, 60, 75, 90)  # degrees
SIDE = {"smoke": 128, "cpu": 256, "gpu": 400}  # px: the largest pixels, and a square turned by 45 degrees, fit the cell
RENDER = 1024


def run(size: str, workspace: Workspace) -> None:
    """Score and record the networks at every pixel size and orientation."""
    data = workspace.pt_ceo2(size)
    networks = {method: tuned_network(name, size, workspace, data) for method, name in NETWORKS.items()}
    imaging = presets.sbd_run(None, size, data.recipe_hash).imaging
    images = replace(WHITE, per_unit=max(IMAGES_PER_UNIT[size] // 2, 1)).images(data, "test")
    for conditions, scale, angle in _sweeps():
        test = _turned(data, images, imaging, scale, angle, SIDE[size])
        rows = Recorder(size, workspace, data, test)
        for method, network in networks.items():
            rows.add_trained(method, *network, conditions=conditions)


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


# ---------------------------------------------------------------------------------------------------- the table
def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """PSNR at every pixel size and orientation, with a plot of each."""
    sweeps = {
        "pixel size": ("relative_pixel_size", "Pixel size, relative to the usual one", (0.957, 1.046)),
        "orientation": ("orientation_deg", "Orientation [degrees]", (0.0, 45.0)),
    }
    grids, data, plots = [], [], {}
    for sweep, (name, label, inside) in sweeps.items():
        parts = by_conditions([r for r in records if r["conditions"]["sweep"] == sweep], scores, name)
        values = sorted(value for (value,) in parts)
        methods = list(next(iter(parts.values())))
        lines = []
        for value in values:
            place = f"{value:g}" + " (inside)" * (inside[0] <= value <= inside[1])
            lines.append((place, *(printed_psnr(parts[value,][method]) for method in methods)))
        grids.append(Grid((label, *methods), tuple(lines)))
        series = {}
        for method in methods:
            estimates = [psnr_of(parts[value,][method]) for value in values]
            means, low, high = zip(*estimates, strict=True)
            series[method] = figures.Line(values, means, *((low, high) if None not in low else (None, None)))
            data += [
                {"sweep": sweep, name: value, "method": method, "psnr_db": round(mean, 6)}
                for value, mean in zip(values, means, strict=True)
            ]
        plots[sweep.replace(" ", "_")] = lambda series=series, label=label, inside=inside: figures.lines(
            series, label, "PSNR [dB]", inside=inside
        )
    notes = (
        "Inside: pixel sizes and orientations that the training covered. One seed; intervals over structures.",
        "Images are sampled bilinearly from a rendering of 1,024 px, as the training's crops are.",
    )
    title = wording.title("Figure 3.1", SOURCE, records)
    return Table(title, caption(records), tuple(grids), notes, tuple(data), plots)
