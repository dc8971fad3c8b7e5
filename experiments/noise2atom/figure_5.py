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
from experiments.movie_methods import BLANK, Trained, learnt
from experiments.noise2atom import LABEL, PUBLISHED
from experiments.noise2atom.score_table import INVERTED, LEARNT, SCORES, cells, figures_of, notes_of, score_table
from experiments.recorder import Recorder
from experiments.very_noisy import older_weights
from experiments.workspace import Workspace
from stemjax import figures
from stemjax.figures.montage import montage
from stemjax.tables.rows import gather
from stemjax.tables.table import Grid, Table

TIMES = {"smoke": "4 min", "cpu": "2 h on one core, 9 trainings", "gpu": "not measured"}
LEVEL, GRADIENT, FLATTENED = "level", "gradient", "flattened"
SEEDS = {
    "smoke": {LEVEL: (0, 1), FLATTENED: (0,)},  # flattened after a gradient
    "cpu": {LEVEL: range(5), GRADIENT: (0, 3), FLATTENED: (0, 3)},
    "gpu": {LEVEL: range(10), GRADIENT: range(3), FLATTENED: range(3)},
}
RISE = 1.0  # of the background across a frame, in parts of its mean


def run(size: str, workspace: Workspace) -> None:
    """Train, score and record every seed on every background; draw the pictures."""
    data = workspace.haadf_pt(size)
    for background in SEEDS[size]:
        imaging = _imaging(background)
        test, validation = (
            very_noisy.frames(data, size, very_noisy.LEARNT_FROM, split, imaging) for split in ("test", "validation")
        )
        rows, typical = Recorder(size, workspace, data, test), test.images.typical
        conditions = _conditions(size, background)
        for method in noise2atom.bars():
            noise2atom.record(rows, method, data, validation, conditions)
        panels = [
            figures.Panel("Clean", test.clean[typical, ..., 0]),
            figures.Panel("Noisy", test.noisy[typical, ..., 0]),
        ]
        for network in _trained(size, workspace, background):
            method = learnt(LABEL, network)
            denoised = noise2atom.record(rows, method, data, validation, conditions)
            panels.append(figures.Panel(f"Seed {network.run.seed}", denoised[typical, ..., 0]))
        path = workspace.picture(size, background)
        montage({background: panels}, path, sampling=data.manifest["frame"]["sampling_angstrom"])


def networks(size: str, workspace: Workspace) -> Iterator[Trained]:
    """Every seed on every background."""
    for background in SEEDS[size]:
        yield from _trained(size, workspace, background)


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


# ---------------------------------------------------------------------------------------------------- the table
# Weights of the cycle and of the low-frequency cycle in records from before the correction to those of the paper; they
# have neither the weights in their configuration nor a condition `cycles`.
FORMERLY = "5 : 1"


def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """One row for every seed on every background and with both weights of the cycles, and how many of them failed."""
    lines, data, ended, first = [], [], {}, None
    for background in dict.fromkeys(record["conditions"]["background"] for record in records):
        chosen = [record for record in records if record["conditions"]["background"] == background]
        for cycles in dict.fromkeys(map(cycles_of, chosen)):
            rows = gather([record for record in chosen if cycles_of(record) == cycles], scores)
            first = first or rows
            for name, row in rows.items():
                line = (f"{name}, {background}", "", *cells(figures_of(row)), "")
                if name != LABEL and line not in lines:  # the same frames: no training is in these rows
                    lines.append(line)
                    data.append({"background": background, "cycles": "", "method": name, "seed": ""} | figures_of(row))
            nothing = rows[BLANK].mean("fitted_psnr_db") + LEARNT
            for record in rows[LABEL].records:
                values = {name: record["scores"][name] for name in SCORES}
                fails = values["low_pass_correlation"] < INVERTED
                ended.setdefault((background, cycles), []).append((fails, values["fitted_psnr_db"] < nothing))
                texts = (format(values[name], form) for name, (_, form) in SCORES.items())
                lines.append((f"Seed {record['seed']}, {background}", cycles, *texts, "inverted" if fails else ""))
                of = {"background": background, "cycles": cycles, "method": LABEL, "seed": record["seed"]}
                data.append(of | values)
    notes = _with_each_weight(ended, records)
    notes += [f"Background {background}, cycles {cycles}: {_ended(of)}." for (background, cycles), of in ended.items()]
    notes.append(f"Learnt nothing: a fitted PSNR less than {LEARNT:g} dB above that of the constant.")
    notes.append("The restarts of the preset are off.")
    notes.append('"Flattened": with the same gradient, less a plane fitted to the background of each image.')
    notes.append(f"The paper: {PUBLISHED['published_failure']}. A few seeds cannot confirm such a rate.")
    headings = ("Training, background", "Cycles", *(heading for heading, _ in SCORES.values()), "Failure")
    notes += notes_of(records, says_weights=False)
    return score_table("Figures 5 and 6", first, (Grid(headings, tuple(lines)),), tuple(notes), data)


def cycles_of(record: dict) -> str:
    """Weights of the cycle and the low-frequency cycle with which a record of Figure 5 was made."""
    return record["conditions"].get("cycles", FORMERLY)


def _ended(trainings: list[tuple[bool, bool]]) -> str:
    """How trainings ended, each (inverted, learnt nothing), in words."""
    count, (inverted, blank) = len(trainings), map(sum, zip(*trainings, strict=True))
    return f"{inverted} of {count} training{'s' * (count > 1)} inverted, {blank} learnt nothing"


def _with_each_weight(ended: dict[tuple[str, str], list], records: list[dict]) -> list[str]:
    """How the trainings ended with each weight of the cycles, all backgrounds together."""
    together: dict[str, list] = {}
    for (_, cycles), trainings in ended.items():
        together.setdefault(cycles, []).extend(trainings)
    if list(together) == [FORMERLY]:
        return older_weights(records)
    outcomes = "; ".join(f"with {cycles} {_ended(trainings)}" for cycles, trainings in together.items())
    before = f"; they stood {FORMERLY} before a correction" * (FORMERLY in together)
    return [
        f"Cycles: weights of the cycle and of the low-frequency cycle. The paper weighs them alike{before}. On all "
        f"backgrounds together: {outcomes}."
    ]
