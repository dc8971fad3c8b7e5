"""WCVD: how many pointwise layers and features its subnets need.

    stemjax experiment run wcvd_sweep --size cpu

WCVD with 1, 2, 4 and 8 pointwise layers of 1 to 4 features, trained alike (at size `cpu` 100 steps of 20 frames of 128
px) on movies of Pt on CeO2 and scored on unseen ones of the same kind, without the low-pass filter that follows it,
which would hide what the network itself leaves. The authors try the same numbers and take 4 layers of 3 features; they
print no figures. Expect at size `cpu` between 7.6 and 10.7 dB, with the fewest features below the others, and -1.8 dB
of 8 layers of one feature.

Reference: Lee et al., the WCID/WCVD pipeline, choice of N_L and C.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from experiments import hrtem
from experiments.movie_methods import BLANK, NOISY, Method, Trained
from experiments.recorder import Recorder
from experiments.workspace import Workspace
from stemjax import tables
from stemjax.apply.evaluate import fitted_scores
from stemjax.denoisers.constant import Constant
from stemjax.denoisers.wcvd import WCVD
from stemjax.networks import BlindEnsemble
from stemjax.training import parallel

NAME = "wcvd_sweep"
TIMES = {"smoke": "1 min", "cpu": "20 min on 2 cores, 16 trainings", "gpu": "not measured"}
LAYERS = {"smoke": (1, 4), "cpu": (1, 2, 4, 8), "gpu": (1, 2, 4, 8)}
FEATURES = {"smoke": (1, 3), "cpu": (1, 2, 3, 4), "gpu": (1, 2, 3, 4)}


def run(size: str, workspace: Workspace) -> None:
    """Train, score and record every network, then render the table and its plot."""
    parallel.enable_compilation_cache()
    data, test = hrtem.movies(hrtem.LEARNT_FROM, size, workspace)
    rows = Recorder(NAME, size, workspace, data, test)
    for method in (Method(NOISY), Method(BLANK, Constant())):
        denoised = method.denoise(test)
        method.record(rows, denoised, fitted_scores(denoised, test))
    for label, layers, features, learnt in _trained(size, workspace):
        method = Method(label, replace(learnt.run.denoiser, low_pass=0), learnt.variables, trained=learnt)
        conditions = {"layers": layers, "features": features, "low_pass_divisor": 0}
        denoised = method.denoise(test)
        method.record(rows, denoised, fitted_scores(denoised, test), conditions=conditions)
    tables.write(workspace.results, NAME)


def train(size: str, workspace: Workspace) -> None:
    """Train whatever of its networks is not trained yet, for `experiments.zoo`."""
    for _ in _trained(size, workspace):
        pass


def _trained(size: str, workspace: Workspace) -> Iterator[tuple[str, int, int, Trained]]:
    """Every network, trained if it is not yet: (label, layers, features, network)."""
    for layers, features in product(LAYERS[size], FEATURES[size]):
        label = f"{layers} layers of {features} features"
        denoiser = WCVD(BlindEnsemble(features=features, layers=layers))
        yield label, layers, features, hrtem.trained("wcvd", size, workspace, label, denoiser, **hrtem.SHORT[size])
