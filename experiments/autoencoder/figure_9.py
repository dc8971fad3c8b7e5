"""Autoencoder with multi-resolution decoder, Figures 9 and 10: single atoms beside clusters.

    stemjax experiment run autoencoder_figure_9 --size cpu

Are single atoms found as well beside a bright cluster as far from it, and does an atom that joins a cluster stay where
it is until then? The recall of single atoms near clusters and far from them, after every method of
`noise2atom_figure_3`, and pictures of neighbouring frames of a movie in which an atom reaches a cluster. The paper
shows such frames, in which single atoms beside clusters become visible, and prints no figures.

Expect at size `cpu` (20 nm of carbon, as in training, Recall near clusters): Gaussian filter, 3-D, tuned: 0.88;
Noise2Void: 0.71; Autoencoder, 16 channels: 0.01; Noise2Atom: 0.16; Supervised UNet: 0.88.

Expect at size `cpu` (20 nm of carbon, as in training, far from them): Gaussian filter, 3-D, tuned: 0.87; Noise2Void:
0.85; Autoencoder, 16 channels: 0.08; Noise2Atom: 0.12; Supervised UNet: 0.86.

Reference: Wang, Henninen, Keller, Erni, "Self-supervised denoising for massive noisy images", 2021, Figures 9 and 10.
"""

import numpy as np

from experiments import very_noisy
from experiments.autoencoder import SOURCE
from experiments.recorder import Recorder
from experiments.very_noisy.film_table import FAR, NEAR, film_table
from experiments.workspace import Workspace
from stemjax.apply.evaluate import ImageSet
from stemjax.data import datasets
from stemjax.figures import Panel
from stemjax.figures.montage import montage
from stemjax.metrics.adatoms import inside
from stemjax.metrics.atoms import match
from stemjax.tables.table import Table

TIMES = {
    "smoke": "1 min",
    "cpu": "10 min on one core, after noise2atom_figure_3",
    "gpu": "not measured",
}
RANGES = {NEAR: (very_noisy.BESIDE, 6.0), FAR: (10.0, np.inf)}  # Å to the next column of a cluster
networks = very_noisy.networks
SHOWN = ("Noisy", "Gaussian filter, 3-D, tuned", "PGURE-SVT", "Noise2Void", "Autoencoder", very_noisy.SUPERVISED)
SPAN, CUT = 5, 48  # frames, and pixels around the atom, that are shown


def run(size: str, workspace: Workspace) -> None:
    """Score and record every method; draw the picture."""
    data = workspace.haadf_pt(size)
    test = very_noisy.frames(data, size, very_noisy.LEARNT_FROM)
    validation = very_noisy.frames(data, size, very_noisy.LEARNT_FROM, "validation")
    rows, frames_of = Recorder(size, workspace, data, test), {"Clean": test.clean}
    for method in (*very_noisy.filters(validation), *networks(size, workspace)):
        best, chosen = very_noisy.threshold(method, data, validation)
        denoised = method.denoise(test)
        method.record(rows, denoised, _recalls(denoised, data, test, best), chosen, conditions={"film": "film-20nm"})
        if method.label in SHOWN:
            frames_of[method.label] = denoised
    _draw(frames_of, data, test, workspace.picture(size))


def _recalls(denoised: np.ndarray, data: datasets.DataSet, test: ImageSet, best: float) -> list[dict]:
    """Of every frame: how many of its single atoms are found, near clusters and far from them."""
    truth, sampling = very_noisy.atoms(data, test), data.manifest["frame"]["sampling_angstrom"]
    rows = []
    candidates = very_noisy.candidates(denoised, truth, sampling)
    for (singles, columns), (places, response) in zip(truth, candidates, strict=True):
        hit = np.zeros(len(singles), bool)
        hit[match(singles, places[response >= best], very_noisy.TOLERANCE)[:, 0]] = True
        distance = np.linalg.norm(singles[:, None] - columns, axis=-1).min(axis=1, initial=np.inf)
        counted = inside(singles, test.clean.shape[1:3], sampling, very_noisy.MARGIN)
        scores = {}
        for name, (nearest, farthest) in RANGES.items():
            of = counted & (distance >= nearest) & (distance < farthest)
            scores |= {name: float(hit[of].mean()) if of.any() else 0.0, f"{name}_count": float(of.sum())}
        rows.append(scores)
    return rows


def _draw(frames_of: dict[str, np.ndarray], data: datasets.DataSet, test: ImageSet, path) -> None:
    """Frames before and after a single atom, the last one of a movie to do so, is gone into a cluster."""
    truth, sampling = very_noisy.atoms(data, test), data.manifest["frame"]["sampling_angstrom"]
    side, at, place = test.clean.shape[1], 0, None
    for index in range(1, len(truth)):
        if test.images.unit[index] != test.images.unit[index - 1]:
            continue
        (before, columns), (after, _) = truth[index - 1], truth[index]
        if len(after) >= len(before) or not len(columns):
            continue
        gone = [
            one
            for one in before
            if np.linalg.norm(after - one, axis=-1).min(initial=np.inf) > 3
            and np.linalg.norm(columns - one, axis=-1).min() < 6
            and inside(one[None], (side, side), sampling, 6.0)[0]
        ]
        if gone:
            at, place = index, gone[0]
    if place is None:
        place = np.full(2, side * sampling / 2)
    cut = min(CUT, side)
    top, left = (int(np.clip(p / sampling - cut / 2, 0, side - cut)) for p in place)
    first = max(at - SPAN // 2, int(np.flatnonzero(test.images.unit == test.images.unit[at])[0]))
    last = int(np.flatnonzero(test.images.unit == test.images.unit[at])[-1])
    rows = {
        f"frame {test.images.frame[index]}": [
            Panel(label, frames[index, top : top + cut, left : left + cut, 0], is_noisy=label == "Noisy")
            for label, frames in frames_of.items()
        ]
        for index in range(first, min(first + SPAN, last + 1))
    }
    montage(rows, path, sampling=sampling)


# ---------------------------------------------------------------------------------------------------- the table
def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Single atoms beside clusters and far from them."""
    notes = (
        "Near: the recall of single atoms 2.5 to 6 Å from the next column of a cluster; far: of those 10 Å or "
        "more from it. Frames without such atoms are left out of either.",
    )
    return film_table("Figures 9 and 10", SOURCE, records, scores, "film", very_noisy.FILMS, notes)
