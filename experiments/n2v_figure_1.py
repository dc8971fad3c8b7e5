"""Noise2Void, Figure 1b: gold adatoms found before and after denoising.

    stemjax experiment run n2v_figure_1 --size cpu

Adatoms are maxima of the Laplacian of Gaussian of the dark-field frame. Every method, the noisy frames among them, has
a threshold of its own, the one with the best F1 on the validation movies; what is found in unseen movies is then
compared, one to one, with where the adatoms are. The paper counts 89 % more adatoms after denoising, in a recording
whose raw adatoms have a signal-to-noise ratio of 2, and does not know the true ones. Expect at size `cpu` that at 16.4
dB, where the ratio is 6 (`n2v_figure_4`), nearly all are found with any method, in the noisy frames too; at 7 dB an F1
of 0.69 after Noise2Void, 0.43 after the paper's Gaussian filter and 0.27 before, and 120 % more of the true adatoms.

Reference: Thornley et al., "Noise2Void for Denoising Atomic Resolution STEM Images", Figure 1b.
"""

import numpy as np

from experiments import graphene_methods
from experiments.graphene_methods import adatoms, all_frames, sweep
from experiments.graphene_rows import displayed
from experiments.movie_methods import BLANK
from experiments.recorder import Recorder
from experiments.workspace import Workspace
from stemjax import tables
from stemjax.apply.evaluate import unit_mean
from stemjax.figures import lattice as figures_lattice
from stemjax.metrics.adatoms import AdatomFinder, best_threshold, compare_adatoms, inside
from stemjax.metrics.atoms import match
from stemjax.training import parallel

NAME = "n2v_figure_1"
TIMES = {"smoke": "1 min", "cpu": "2 min on 2 cores, beside the trainings", "gpu": "not measured"}
FINDER = AdatomFinder()
TOLERANCE, MARGIN = 1.0, 2.0  # Å


def run(size: str, workspace: Workspace) -> None:
    """Find, score and record the adatoms of every method at both noise levels, then render table and pictures."""
    parallel.enable_compilation_cache()
    data = workspace.au_graphene(size)
    for level, rows, methods in sweep(NAME, size, workspace, data):
        validation = all_frames(data, size, rows.test.imaging, "validation")
        known, truth = adatoms(data, validation), adatoms(data, rows.test)
        finding = rows.test.clean.shape[1:3], rows.test.imaging.sampling, TOLERANCE, MARGIN
        panels = [_panel("Clean", rows.test.clean, None, rows, truth)]
        for method in methods:
            candidates = _candidates(method.denoise(validation), finding[1])
            threshold = best_threshold(candidates, known, *finding)
            at_best = [
                _compare(true, c, threshold, finding)["adatom_f1"] for true, c in zip(known, candidates, strict=True)
            ]
            f1 = unit_mean(np.array(at_best), validation.images.unit)
            chosen = {"threshold": {"values": [threshold], "validation_adatom_f1": [round(f1, 6)], "chosen": threshold}}
            denoised = method.denoise(rows.test)
            candidates = _candidates(denoised, finding[1])
            extra = [_compare(true, c, threshold, finding) for true, c in zip(truth, candidates, strict=True)]
            method.record(rows, denoised, extra, chosen, conditions={"input_psnr_db": level})
            if method.label != BLANK:
                panels.append(_panel(method.label, denoised, threshold, rows, truth))
        path = workspace.results / "figures" / f"{NAME}.{size}.{level:g}db.png"
        figures_lattice.found({"ADF, square root": panels}, path, sampling=finding[1])
    tables.write(workspace.results, NAME)


def train(size: str, workspace: Workspace) -> None:
    """Train whatever of its networks is not trained yet, for `experiments.zoo`."""
    graphene_methods.train(size, workspace)


def _candidates(frames: np.ndarray, sampling: float) -> list[tuple[np.ndarray, np.ndarray]]:
    return [FINDER.find(frame[..., 0], sampling) for frame in frames]


def _compare(truth: np.ndarray, candidates: tuple[np.ndarray, np.ndarray], threshold: float, finding: tuple) -> dict:
    places, response = candidates
    return compare_adatoms(truth, places[response >= threshold], *finding)


def _panel(label: str, frames: np.ndarray, threshold: float | None, rows: Recorder, truths: list[np.ndarray]):
    """The frame that is shown, with what was found in it; no threshold: with all adatoms."""
    index, sampling = rows.test.images.typical, rows.test.imaging.sampling
    frame, truth = frames[index, ..., 0], truths[index]
    found, note = truth, "true positions"
    if threshold is not None:
        places, response = FINDER.find(frame, sampling)
        found = places[response >= threshold]
    pairs = match(truth, found, TOLERANCE)
    right, missed = truth[pairs[:, 0]], np.delete(truth, pairs[:, 0], axis=0)
    wrong = np.delete(found, pairs[:, 1], axis=0)
    # What is counted: see `compare_adatoms`.
    right, wrong, missed = (p[inside(p, frame.shape, sampling, MARGIN)] for p in (right, wrong, missed))
    if threshold is not None:
        note = f"{len(right)} found, {len(missed)} missed, {len(wrong)} wrong"
    return figures_lattice.FoundPanel(
        label, displayed(frame, "adf"), right / sampling, wrong / sampling, missed / sampling, note
    )
