"""Noise2Void, Figure 1b: gold adatoms found before and after denoising.

    stemjax experiment run n2v_figure_1 --size cpu

Adatoms are maxima of the Laplacian of Gaussian of the dark-field frame. Every method, the noisy frames among them, has
a threshold of its own, the one with the best F1 on the validation movies; what is found in unseen movies is then
compared, one to one, with where the adatoms are. The paper counts 89 % more adatoms after denoising, in a recording
whose raw adatoms have a signal-to-noise ratio of 2, and does not know the true ones.

Expect at size `cpu` (Noise of 16.4 dB, F1): Noisy: 0.992 [0.986, 0.997]; Noise2Void: 1.000 [1.000, 1.000].

Expect at size `cpu` (Noise of 7 dB, F1): Noisy: 0.267 [0.237, 0.296]; Gaussian filter, paper's: 0.430 [0.385, 0.473];
Noise2Void: 0.693 [0.673, 0.711].

Reference: Thornley et al., "Noise2Void for Denoising Atomic Resolution STEM Images", Figure 1b.
"""

import numpy as np

from experiments.movie_methods import BLANK
from experiments.n2v import NETWORK, PUBLISHED
from experiments.n2v.methods import adatoms, all_frames, networks_of_levels, sweep
from experiments.n2v.notes import by_conditions
from experiments.n2v.score_table import Column, score_table
from experiments.pictures import displayed
from experiments.recorder import Recorder
from experiments.workspace import Workspace
from stemjax.apply.evaluate import unit_mean
from stemjax.figures import lattice as figures_lattice
from stemjax.metrics.adatoms import AdatomFinder, best_threshold, compare_adatoms, inside
from stemjax.metrics.atoms import match
from stemjax.tables.table import Table

TIMES = {"smoke": "1 min", "cpu": "2 min on 2 cores, beside the trainings", "gpu": "not measured"}
networks = networks_of_levels
FINDER = AdatomFinder()
TOLERANCE, MARGIN = 1.0, 2.0  # Å


def run(size: str, workspace: Workspace) -> None:
    """Find, score and record the adatoms of every method at both noise levels; draw the pictures."""
    data = workspace.au_graphene(size)
    for level, rows, methods in sweep(size, workspace, data):
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
        path = workspace.picture(size, f"{level:g}db")
        figures_lattice.found({"ADF, square root": panels}, path, sampling=finding[1])


def _candidates(frames: np.ndarray, sampling: float) -> list[tuple[np.ndarray, np.ndarray]]:
    return [FINDER.find(frame[..., 0], sampling) for frame in frames]


def _compare(truth: np.ndarray, candidates: tuple[np.ndarray, np.ndarray], threshold: float, finding: tuple) -> dict:
    places, response = candidates
    return compare_adatoms(truth, places[response >= threshold], *finding)


def _panel(label: str, frames: np.ndarray, threshold: float | None, rows: Recorder, truths: list[np.ndarray]):
    """The frame that is shown, with what was found in it; no threshold: with all adatoms."""
    index, sampling = rows.test.images.typical, rows.test.imaging.sampling
    frame, truth = frames[index, ..., 0], truths[index]
    adatoms, note = truth, "true positions"
    if threshold is not None:
        places, response = FINDER.find(frame, sampling)
        adatoms = places[response >= threshold]
    pairs = match(truth, adatoms, TOLERANCE)
    right, missed = truth[pairs[:, 0]], np.delete(truth, pairs[:, 0], axis=0)
    wrong = np.delete(adatoms, pairs[:, 1], axis=0)
    # What is counted: see `compare_adatoms`.
    right, wrong, missed = (p[inside(p, frame.shape, sampling, MARGIN)] for p in (right, wrong, missed))
    if threshold is not None:
        note = f"{len(right)} found, {len(missed)} missed, {len(wrong)} wrong"
    return figures_lattice.FoundPanel(
        label, displayed(frame, "adf"), right / sampling, wrong / sampling, missed / sampling, note
    )


# ---------------------------------------------------------------------------------------------------- the table
def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Adatoms found: precision, recall and F1."""
    names = {"precision": "Precision", "recall": "Recall", "f1": "F1"}
    columns = [Column(f"adatom_{name}", heading, ".3f") for name, heading in names.items()]
    columns.append(Column("adf_psnr_db", "ADF PSNR [dB]"))
    notes = (
        "Maxima of the Laplacian of Gaussian of ADF frames, matched one to one with the true positions within 1 Å; "
        "2 Å at the edges do not count. Every method has its own threshold, of the best F1 on validation movies.",
        "The search filter is matched to an adatom and so denoises by itself: a method has to beat the row Noisy.",
        f"The paper counts {PUBLISHED['figure_1_more_adatoms_percent']} % more adatoms after denoising a recording, "
        f"whose true ones it does not know. Here {NETWORK} finds of the true ones {_more_found(records, scores)}.",
    )
    return score_table("Figure 1b", records, scores, [("", columns)], notes)


def _more_found(records: list[dict], scores: dict) -> str:
    """How many more adatoms than in the noisy frames the network finds, by noise level, in words."""
    levels = sorted(by_conditions(records, scores, "input_psnr_db").items(), reverse=True)
    recalls = {level: [rows[name].mean("adatom_recall") for name in (NETWORK, "Noisy")] for (level,), rows in levels}
    return " and ".join(
        f"{100 * (after / before - 1):+.0f} % at {level:g} dB" if before else f"more than none at {level:g} dB"
        for level, (after, before) in recalls.items()
    )
