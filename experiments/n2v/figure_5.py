"""Noise2Void, Figure 5: spectra of the denoised frames, and how the lattice stands out in them.

    stemjax experiment run n2v_figure_5 --size cpu

Of every frame of the unseen movies the signal-to-noise ratio of the lattice spots; of every movie how much of the clean
spectrum is passed on at the six (11-20) spots and between them, and the six-fold anisotropy 1 - between / at: 0 for a
filter without directions, 1 for one that passes the lattice alone. The picture has the mean magnitude of the spectra of
one movie, whole and as its six-fold polar reduction. In the paper the ratio of the (11-20) spots of a bright-field
frame is 9.0 in the raw frame, 8.2 after the Gaussian filter, 10.7 after total variation and 16.0 after Noise2Void.

Reference: Thornley et al., "Noise2Void for Denoising Atomic Resolution STEM Images", Figure 5.
"""

import numpy as np

from experiments.movie_methods import BLANK, one_movie
from experiments.n2v.methods import lattices, networks_of_levels, planes, sweep
from experiments.n2v.score_table import Column, score_table
from experiments.recorder import Recorder
from experiments.workspace import Workspace
from stemjax.apply.evaluate import ImageSet
from stemjax.figures import lattice as figures_lattice
from stemjax.metrics.lattice import FAMILIES, Lattice
from stemjax.metrics.spectrum import anisotropy, power_spectrum, six_fold, spot_snr, transfer
from stemjax.tables.table import Table

TIMES = {"smoke": "1 min", "cpu": "5 min on 2 cores, beside the trainings", "gpu": "not measured"}
networks = networks_of_levels
FAMILY = "11-20"
RADII, ANGLES = np.linspace(0.15, 1.05, 91), np.linspace(0, 60, 61)  # 1/Å, degrees


def run(size: str, workspace: Workspace) -> None:
    """Score and record the spectra of every method at both noise levels; draw the pictures."""
    data = workspace.au_graphene(size)
    for level, rows, methods in sweep(size, workspace, data):
        lattice_of = lattices(data, rows.test)
        clean = [
            {f"clean_{name}": value for name, value in row.items()}
            for row in _snr(rows.test.clean, rows.test, lattice_of)
        ]
        panels = {
            channel: [_panel("Clean", rows.test.clean, rows, lattice_of, c)] for c, channel in _channels(rows.test)
        }
        for method in methods:
            denoised = method.denoise(rows.test)
            parts = zip(
                _snr(denoised, rows.test, lattice_of), _transfers(denoised, rows.test, lattice_of), clean, strict=True
            )
            extra = [one | two | three for one, two, three in parts]
            method.record(rows, denoised, extra, conditions={"input_psnr_db": level})
            if method.label != BLANK:
                for c, channel in _channels(rows.test):
                    panels[channel].append(_panel(method.label, denoised, rows, lattice_of, c))
        lattice = lattice_of[rows.test.images.typical]
        marks = {f"({name})": (FAMILIES[name][1] / lattice.a, FAMILIES[name][0]) for name in FAMILIES}
        path = workspace.picture(size, f"{level:g}db")
        half = 1 / (2 * lattice.sampling)
        figures_lattice.spectra(panels, path, highest=half, radii=RADII, marks=marks)


def _channels(test: ImageSet) -> list[tuple[int, str]]:
    return [(number, channel.upper()) for number, channel in enumerate(test.imaging.channels)]


def _snr(frames: np.ndarray, test: ImageSet, lattices: list[Lattice]) -> list[dict]:
    """Signal-to-noise ratios of the spots of every frame."""
    return [
        {
            f"{channel}_spot_snr_{family.replace('-', '')}": spot_snr(plane, lattice, family)
            for channel, plane in planes(frame, test.imaging)
            for family in FAMILIES
        }
        for frame, lattice in zip(frames, lattices, strict=True)
    ]


def _transfers(frames: np.ndarray, test: ImageSet, lattices: list[Lattice]) -> list[dict]:
    """What is passed on of the spectrum, for every frame that of its whole movie."""
    scores: list[dict] = [{} for _ in frames]
    for movie in dict.fromkeys(test.images.unit.tolist()):
        rows = np.flatnonzero(test.images.unit == movie)
        for number, channel in enumerate(test.imaging.channels):
            clean, denoised = (images[rows, ..., number] for images in (test.clean, frames))
            at, between = transfer(clean, denoised, lattices[rows[0]], FAMILY)
            for row in rows:
                scores[row] |= {f"{channel}_transfer_at": at, f"{channel}_transfer_between": between}
                scores[row] |= {f"{channel}_anisotropy": anisotropy(at, between)}
    return scores


def _panel(label: str, frames: np.ndarray, rows: Recorder, lattices: list[Lattice], channel: int):
    """Mean spectrum of the movie that is shown, and the mean of its polar reductions."""
    movie = one_movie(rows.test)
    images, lattice = frames[movie, ..., channel], lattices[movie[0]]
    magnitude = np.mean([np.fft.fftshift(np.sqrt(power_spectrum(image))) for image in images], axis=0)
    polar = np.mean([six_fold(image, lattice, RADII, ANGLES) for image in images], axis=0)
    snr = np.mean([spot_snr(image, lattice, FAMILY) for image in images])
    return figures_lattice.SpectrumPanel(label, magnitude, polar, f"({FAMILY}) SNR {snr:.1f}")


# ---------------------------------------------------------------------------------------------------- the table
def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Lattice spots in the spectrum, and the six-fold anisotropy of the transfer."""
    published = {"bf_spot_snr_1120": "fft_bf_11_20_spot_snr"}
    spots = [
        Column(
            name := f"{channel}_spot_snr_{family}",
            f"{channel.upper()} SNR of ({family[:2]}-{family[2:]})",
            ".1f",
            published.get(name, ""),
            True,
        )
        for channel in ("bf", "adf")
        for family in ("1120", "1010")
    ]
    headings = {"transfer_at": "transfer at spots", "transfer_between": "between", "anisotropy": "anisotropy"}
    passed = [
        Column(f"{channel}_{name}", f"{channel.upper()} {heading}")
        for channel in ("bf", "adf")
        for name, heading in headings.items()
    ]
    notes = (
        "SNR: the mean magnitude at the six spots over that of the ring around them, less one, over the ring's "
        "scatter; noise alone has 0 ± 1. Whatever empties the ring scores high, an invented lattice too.",
        "Transfer: the part of the clean spectrum that is passed on, at the (11-20) spots and half-way between them on "
        "the same ring, all frames of a movie at once. Anisotropy: 1 - between / at, each movie by itself; where less "
        "than 0.01 is passed on it is a ratio of noise.",
        "Published figures are of recordings; the paper does not say how it measures the ratio.",
    )
    return score_table("Figure 5", records, scores, [("", spots), ("", passed)], notes)
