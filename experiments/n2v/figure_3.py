"""Noise2Void, Figure 3: the graphene lattice along a line, clean, noisy and denoised.

    stemjax experiment run n2v_figure_3 --size cpu

In every frame of the unseen movies one profile along [10-10], one pixel wide and four periods of 4.26 Å long: of 100
lines at random places that stay 3 Å clear of the adatoms, the one along which the clean lattice is strongest. Scored
are the correlation with the clean profile and the ratio of the standard deviations, both of the intensities; the
picture shows the square root of ADF, as the paper does. There are no published figures to compare with.

Expect at size `cpu` (Noise of 16.4 dB, ADF correlation): Gaussian filter, paper's: 0.230 [0.201, 0.257]; Noise2Void:
0.987 [0.985, 0.989].

Expect at size `cpu` (Noise of 7 dB, ADF correlation): Gaussian filter, paper's: 0.081 [0.053, 0.109]; Noise2Void: 0.780
[0.709, 0.839].

Reference: Thornley et al., "Noise2Void for Denoising Atomic Resolution STEM Images", Figure 3.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree

from experiments.movie_methods import BLANK
from experiments.n2v.methods import adatoms, lattices, networks_of_levels, planes, sweep
from experiments.n2v.score_table import Column, score_table
from experiments.pictures import displayed
from experiments.recorder import Recorder
from experiments.workspace import Workspace
from stemjax.apply.evaluate import ImageSet
from stemjax.figures import lattice as figures_lattice
from stemjax.metrics.lattice import Lattice, polar_vector
from stemjax.metrics.profiles import line_profile
from stemjax.tables.table import Table

TIMES = {"smoke": "1 min", "cpu": "2 min on 2 cores, beside the trainings", "gpu": "not measured"}
networks = networks_of_levels
LENGTH, CLEAR, TRIED = 4 * 2.46 * np.sqrt(3), 3.0, 100  # Å, Å, lines


@dataclass(frozen=True)
class Line:
    """Where a profile begins, (y, x) [Å], and its direction [degrees]."""

    start: np.ndarray
    angle: float

    def along(self, image: np.ndarray, sampling: float) -> tuple[np.ndarray, np.ndarray]:
        """Distances [Å] and values."""
        return line_profile(image, sampling, self.start, self.angle, LENGTH)


def run(size: str, workspace: Workspace) -> None:
    """Score and record the profiles of every method at both noise levels; draw the pictures."""
    data = workspace.au_graphene(size)
    for level, rows, methods in sweep(size, workspace, data):
        lines = list(_lines(rows.test, adatoms(data, rows.test), lattices(data, rows.test)))
        drawn = {}
        for method in methods:
            denoised = method.denoise(rows.test)
            extra = [_scores(rows.test, denoised, index, line) for index, line in enumerate(lines)]
            method.record(rows, denoised, extra, conditions={"input_psnr_db": level})
            drawn[method.label] = denoised[rows.test.images.typical], extra[rows.test.images.typical]
        _draw(rows, lines[rows.test.images.typical], drawn, level)


def _lines(test: ImageSet, atoms: list[np.ndarray], lattices: list[Lattice]) -> Iterator[Line]:
    """The line of every frame."""
    sampling = test.imaging.sampling
    for index, (positions, lattice) in enumerate(zip(atoms, lattices, strict=True)):
        generator = np.random.default_rng(index)
        yield _strongest(test.clean[index], positions, lattice, sampling, generator)


def _strongest(clean: np.ndarray, positions: np.ndarray, lattice: Lattice, sampling: float, generator) -> Line:
    """Of random lines that are clear of adatoms, the one with the strongest clean lattice in both channels.

    Raises
    ------
    ValueError
        If there is no such line.
    """
    last = (np.array(clean.shape[:2]) - 1) * sampling
    distance, best, most = np.arange(0, LENGTH, 0.2), None, 0.0
    tree = KDTree(positions) if len(positions) else None
    for _ in range(TRIED):
        line = Line(generator.uniform(0, last), lattice.direction("10-10") + 60 * generator.integers(6))
        places = line.start + polar_vector(distance, line.angle)
        end = line.start + polar_vector(LENGTH, line.angle)
        if (end < 0).any() or (end > last).any() or (tree and tree.query(places)[0].min() < CLEAR):
            continue
        # Each channel against its own scatter, so that neither decides alone.
        strength = sum(np.std(line.along(plane, sampling)[1]) / plane.std() for plane in np.moveaxis(clean, -1, 0))
        if strength > most:
            best, most = line, strength
    if best is None:
        raise ValueError(f"none of {TRIED} lines of {LENGTH:.0f} Å stays {CLEAR:g} Å clear of the adatoms: allow less")
    return best


def _scores(test: ImageSet, denoised: np.ndarray, index: int, line: Line) -> dict:
    """Correlation and ratio of amplitudes with the clean profile, of each channel."""
    scores, sampling = {}, test.imaging.sampling
    pairs = zip(planes(test.clean[index], test.imaging), planes(denoised[index], test.imaging), strict=True)
    for (channel, true), (_, image) in pairs:
        clean, values = (line.along(plane, sampling)[1] for plane in (true, image))
        covariance = np.mean((clean - clean.mean()) * (values - values.mean()))
        flat = values.std() < 1e-6 * clean.std()
        scores[f"{channel}_profile_correlation"] = 0.0 if flat else covariance / (clean.std() * values.std())
        scores[f"{channel}_profile_amplitude"] = values.std() / clean.std()
    return scores


def _draw(rows: Recorder, line: Line, drawn: dict[str, tuple], level: float) -> None:
    test, index = rows.test, rows.test.images.typical
    sampling = test.imaging.sampling
    ends = tuple((line.start + polar_vector(length, line.angle)) / sampling for length in (0.0, LENGTH))
    parts = {}
    for number, channel in enumerate(test.imaging.channels):
        panels = []
        frames = {"Clean": (test.clean[index], None)} | {
            name: drawing for name, drawing in drawn.items() if name != BLANK
        }
        for label, (frame, scores) in frames.items():
            image = displayed(frame[..., number], channel)
            distance, values = line.along(frame[..., number], sampling)
            note = "" if scores is None else f"correlation {scores[f'{channel}_profile_correlation']:.2f}"
            values = displayed(values, channel)
            panels.append(figures_lattice.ProfilePanel(label, image, ends, distance, values, note))
        parts[channel.upper() + ", square root" * (channel == "adf")] = panels
    path = rows.picture(f"{level:g}db")
    figures_lattice.profiles(parts, path, sampling=sampling)


# ---------------------------------------------------------------------------------------------------- the table
def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Profiles of the lattice: correlation and amplitude."""
    columns = [
        Column(f"{channel}_profile_{name}", f"{channel.upper()} {heading}", ".3f")
        for channel in ("adf", "bf")
        for name, heading in (("correlation", "correlation"), ("amplitude", "amplitude ratio"))
    ]
    notes = (
        "One profile per frame along [10-10], 1 px wide and 17 Å long, clear of adatoms, where the clean lattice is "
        "strongest. Correlation with the clean profile, 0 for a flat one; ratio of its standard deviation to the "
        "clean one's. Both of intensities; the pictures show the square root of ADF.",
    )
    return score_table("Figure 3", records, scores, [("", columns)], notes)
