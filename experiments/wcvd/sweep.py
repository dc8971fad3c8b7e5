"""WCVD: how many pointwise layers and features its subnets need.

    stemjax experiment run wcvd_sweep --size cpu

WCVD with 1, 2, 4 and 8 pointwise layers of 1 to 4 features, trained alike (at size `cpu` 100 steps of 20 frames of 128
px) on movies of Pt on CeO2 and scored on unseen ones of the same kind, without the low-pass filter that follows it,
which would hide what the network itself leaves. The authors try the same numbers and take 4 layers of 3 features; they
print no figures.

Expect at size `cpu` (Pt on CeO2, unseen, PSNR [dB]): Constant: 15.71 [15.05, 16.32]; 1 layer of 1 feature: 10.43
[9.61, 11.25]; 4 layers of 3 features: 10.11 [9.29, 10.93]; 8 layers of 1 feature: -1.83 [-2.66, -0.99]; 8 layers of 3
features: 10.46 [9.65, 11.28].

Reference: Lee et al., the WCID/WCVD pipeline, choice of N_L and C.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from experiments import wcvd
from experiments.movie_methods import BLANK, NOISY, Method, Trained
from experiments.recorder import Recorder
from experiments.wcvd import SOURCE, caption, swept
from experiments.workspace import Workspace
from stemjax.apply.evaluate import fitted_scores
from stemjax.denoisers.constant import Constant
from stemjax.denoisers.wcvd import WCVD
from stemjax.networks import BlindEnsemble
from stemjax.tables import wording
from stemjax.tables.rows import gather
from stemjax.tables.table import Grid, Table
from stemjax.tables.wording import FITTED, FITTED_NOTE, printed

TIMES = {"smoke": "1 min", "cpu": "20 min on 2 cores, 16 trainings", "gpu": "not measured"}
LAYERS = {"smoke": (1, 4), "cpu": (1, 2, 4, 8), "gpu": (1, 2, 4, 8)}
FEATURES = {"smoke": (1, 3), "cpu": (1, 2, 3, 4), "gpu": (1, 2, 3, 4)}


def run(size: str, workspace: Workspace) -> None:
    """Train, score and record every network."""
    data, test = wcvd.movies(wcvd.LEARNT_FROM, size, workspace)
    rows = Recorder(size, workspace, data, test)
    for method in (Method(NOISY), Method(BLANK, Constant())):
        denoised = method.denoise(test)
        method.record(rows, denoised, fitted_scores(denoised, test))
    for label, layers, features, learnt in networks(size, workspace):
        method = Method(label, replace(learnt.run.denoiser, low_pass=0), learnt.variables, trained=learnt)
        conditions = {"layers": layers, "features": features, "low_pass_divisor": 0}
        denoised = method.denoise(test)
        method.record(rows, denoised, fitted_scores(denoised, test), conditions=conditions)


def networks(size: str, workspace: Workspace) -> Iterator[tuple[str, int, int, Trained]]:
    """Every network, trained if it is not yet: (label, layers, features, network)."""
    for layers, features in product(LAYERS[size], FEATURES[size]):
        label = f"{layers} layers of {features} features"
        denoiser = WCVD(BlindEnsemble(features=features, layers=layers))
        yield label, layers, features, wcvd.trained("wcvd", size, workspace, label, denoiser, **wcvd.SHORT[size])


# ---------------------------------------------------------------------------------------------------- the table
def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """PSNR by layers and features of the subnets."""
    rows = gather(records, scores)
    data = tuple(swept(row) for row in rows.values())
    is_fitted = any("fitted_psnr_db" in figures for figures in data)
    columns = ("Pt on CeO2, unseen", "Parameters", "PSNR [dB]", *[FITTED] * is_fitted, "SSIM", "subnets drawn again")
    lines = tuple(
        (
            _subnets(figures),
            wording.count(figures["parameters"]),
            printed(figures, "psnr_db", ".2f"),
            *[printed(figures, "fitted_psnr_db", ".2f")] * is_fitted,
            f"{figures['ssim']:.3f}",
            format(figures["redrawn"], "" if figures["redrawn"] == "" else ".0f"),
        )
        for figures in data
    )
    notes = (
        "Without the low-pass filter. One seed each, so the spread between trainings is not known.",
        "Subnets that gave 0 everywhere, at the beginning or in the first half of the training, are drawn again.",
        *[FITTED_NOTE] * is_fitted,
    )
    title = f"Layers and features of WCVD, {SOURCE}, at size {records[0]['size']}"
    return Table(title, caption({"pt": rows}), (Grid(columns, lines),), notes, data)


def _subnets(figures: dict) -> str:
    """What a row is of: "1 layer of 3 features"."""
    if "layers" not in figures:
        return figures["method"]
    layers, features = figures["layers"], figures["features"]
    return f"{layers} layer{'s' * (layers > 1)} of {features} feature{'s' * (features > 1)}"
