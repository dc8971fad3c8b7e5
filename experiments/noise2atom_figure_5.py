"""Noise2Atom, Figures 5 and 6: how often a training ends with inverted contrast, and what a background gradient does.

    stemjax experiment run noise2atom_figure_5 --size cpu

The same training from several seeds, without the restarts of the preset; nothing in its objective says that atoms are
the bright ones, and the paper counts one inverted training in ten. Then some seeds on movies whose background rises by
its own mean across a frame, as they are and with the plane that fits best taken from every image first; the paper names
such a gradient as what makes the method fail. A training failed where the low-passed noisy and denoised frames of the
unseen movies are anticorrelated (below -0.2); which says nothing of those that learnt nothing, for which PSNR stands
beside it. Seeds are trained in turn, not in one `vmap`: convolutions with a kernel for each seed are grouped ones,
which XLA computes slowly on CPUs, and a run of each seed can be resumed and shared.

Here is also seen what a correction did. The cycle once weighed five times as much as the low-frequency cycle; the paper
weighs them alike. Records have the weights as their condition `cycles`, "1 : 1"; those from before have no such
condition and stay in the table, as "5 : 1". Those, at size `cpu`: after 1000 steps 4 of 5 trainings learnt nothing, 2
of them inverted, and one finds atoms (25.1 dB, F1 0.56), which has 23.0 dB with the gradient and learns nothing of
flattened images (22.2 dB). The seeds on the gradient were chosen by them: one that learnt nothing on an even background
and the one that found atoms. With "1 : 1" nothing is recorded yet.

Reference: Wang, Henninen, Keller, Erni, "Noise2Atom: unsupervised denoising for scanning transmission electron
microscopy images", Applied Microscopy 50:23, 2020, Figures 5 and 6.
"""

from collections.abc import Iterator
from dataclasses import replace

from experiments import noise2atom, very_noisy
from experiments.movie_methods import Trained
from experiments.recorder import Recorder
from experiments.workspace import Workspace
from stemjax import figures, tables
from stemjax.figures.montage import montage
from stemjax.training import parallel

NAME = "noise2atom_figure_5"
TIMES = {"smoke": "4 min", "cpu": "2 h on one core, 9 trainings", "gpu": "not measured"}
LEVEL, GRADIENT, FLATTENED = "level", "gradient", "flattened"
SEEDS = {
    "smoke": {LEVEL: (0, 1), FLATTENED: (0,)},  # flattened after a gradient
    "cpu": {LEVEL: range(5), GRADIENT: (0, 3), FLATTENED: (0, 3)},
    "gpu": {LEVEL: range(10), GRADIENT: range(3), FLATTENED: range(3)},
}
RISE = 1.0  # of the background across a frame, in parts of its mean


def run(size: str, workspace: Workspace) -> None:
    """Train, score and record every seed on every background, then render table and pictures."""
    parallel.enable_compilation_cache()
    data = workspace.haadf_pt(size)
    for background in SEEDS[size]:
        imaging = _imaging(background)
        test, validation = (
            very_noisy.frames(data, size, very_noisy.LEARNT_FROM, split, imaging) for split in ("test", "validation")
        )
        rows, shown = Recorder(NAME, size, workspace, data, test), test.images.typical
        conditions = _conditions(size, background)
        for method in noise2atom.bars():
            noise2atom.record(rows, method, data, validation, conditions)
        panels = [figures.Panel("Clean", test.clean[shown, ..., 0]), figures.Panel("Noisy", test.noisy[shown, ..., 0])]
        for network in _trained(size, workspace, background):
            method = very_noisy.learnt(noise2atom.LABEL, network)
            denoised = noise2atom.record(rows, method, data, validation, conditions)
            panels.append(figures.Panel(f"Seed {network.run.seed}", denoised[shown, ..., 0]))
        path = workspace.results / "figures" / f"{NAME}.{size}.{background}.png"
        montage({background: panels}, path, sampling=data.manifest["frame"]["sampling_angstrom"])
    tables.write(workspace.results, NAME)


def train(size: str, workspace: Workspace) -> None:
    """Train whatever of its networks is not trained yet, for `experiments.zoo`."""
    for background in SEEDS[size]:
        for _ in _trained(size, workspace, background):
            pass


def _conditions(size: str, background: str) -> dict:
    """Of every record on a background: that, and the weights of the cycles, which older records do not name."""
    denoiser = noise2atom.left_alone(size)
    return {"background": background, "cycles": f"{denoiser.cycle:g} : {denoiser.low_frequency:g}"}


def _imaging(background: str):
    return replace(very_noisy.IMAGING, gradient=0.0 if background == LEVEL else RISE)


def _trained(size: str, workspace: Workspace, background: str) -> Iterator[Trained]:
    denoiser = replace(noise2atom.left_alone(size), flatten=background == FLATTENED)
    for seed in SEEDS[size][background]:
        changes = {"imaging": _imaging(background)} | noise2atom.SHORT[size]
        yield noise2atom.trained(size, workspace, seed, denoiser, **changes)
