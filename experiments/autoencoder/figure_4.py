"""Autoencoder, Figures 4 and 5: Chinese characters at -10 dB, with and without heads, and strokes that are none.

    stemjax experiment run autoencoder_figure_4 --size cpu
    stemjax experiment run autoencoder_figure_4 --size cpu --font "Noto Sans CJK SC"

Characters of 64 px in uniform noise that is clipped and rescaled (`stemjax.data.glyphs`). The autoencoder with a
bottleneck of 4 channels (4 x 4 pixels), the same without the heads at 1/2, 1/4 and 1/8 of the resolution, and
Noise2Self learn from as many noisy crops of the training characters, each recorded once; all are scored on characters
that no training saw. Clipping shifts and shrinks what the best self-supervised method can find, so every method is
given one gain and one offset, fitted on the validation characters; the noisy images stand in the table as they are too.
Then the same networks draw five even diagonal strokes. The paper prints no figures. It finds that the characters of the
autoencoder are as legible as those of Noise2Self, that heads make it converge faster, and that it cannot draw the
strokes, which Noise2Self can. At size `cpu` a small network goes 5 times through the characters instead of 200 times:
it draws the outline of a character, and of the strokes no more.

Expect at size `cpu` (Characters, PSNR [dB]): Gaussian, tuned: 10.68 [10.63, 10.74]; Noise2Self: 12.78 [12.69, 12.86];
Autoencoder, one head: 9.13 [9.09, 9.17]; Autoencoder: 9.29 [9.25, 9.33].

Reference: Wang, Henninen, Keller, Erni, "Self-supervised denoising for massive noisy images", 2021, Figures 4 and 5.
"""

from dataclasses import replace

import numpy as np

from experiments.autoencoder import AUTHORS, BLIND, NETWORK, calibrated
from experiments.autoencoder.calibrated import BARS, bottleneck, figures_of, gates, grid_of
from experiments.movie_methods import BLANK, Method, Trained
from experiments.recorder import Recorder
from experiments.workspace import Workspace
from stemjax import figures
from stemjax.apply.evaluate import image_set
from stemjax.data.crops import MovieCrops
from stemjax.data.glyphs import STROKES, GlyphImaging, Glyphs, glyphs_of_size
from stemjax.data.photographs import Photographs
from stemjax.denoisers.autoencoder import MultiResolutionAutoencoder
from stemjax.denoisers.constant import Constant
from stemjax.figures import Panel
from stemjax.figures.montage import montage
from stemjax.metrics import bootstrap
from stemjax.models import presets
from stemjax.networks.bottleneck import BottleneckAutoencoder
from stemjax.tables import wording
from stemjax.tables.rows import Row, gather
from stemjax.tables.table import Table
from stemjax.training import recipes
from stemjax.training.train import Run

TIMES = {"smoke": "3 min", "cpu": "20 min on one core, 3 trainings", "gpu": "not measured"}
USES_FONT = True  # `--font` chooses it
SEEDS = {"smoke": (0,), "cpu": (0,), "gpu": (0,)}
# The paper: 200 times through all characters, in batches of 16. Size cpu goes 5 times through its own.
CROPS = {"smoke": MovieCrops(64, 2), "cpu": MovieCrops(64, 8), "gpu": MovieCrops(64, 16)}
STEPS = {"smoke": 4, "cpu": 2000, "gpu": 209_000}
NETWORKS = {
    "smoke": BottleneckAutoencoder(4, (4, 4, 4, 4, 4), trunk=8, residuals=1),
    "cpu": BottleneckAutoencoder(4, (4, 4, 8, 16, 16), trunk=32, residuals=4, last_layer_scale=0.1, from_mean=True),
    "gpu": BottleneckAutoencoder(4, (8, 16, 32, 64, 64)),
}
PICTURES = {"characters": "test", STROKES: STROKES}  # -> split
SHOWN = 3  # characters in the picture


def run(size: str, workspace: Workspace) -> None:
    """Train, calibrate, score and record every row on both kinds of pictures; draw the montage."""
    data = glyphs_of_size(size, workspace.font)
    learnt = [
        Method(label, network.run.denoiser, network.variables, trained=network)
        for label, seeds in networks(size, workspace).items()
        for network in seeds
    ]
    validation = image_set(data, Glyphs(), "validation", 0, GlyphImaging())
    methods = (Method(BLANK, Constant()), calibrated.tuned_gaussian(validation), *learnt)
    montage_rows: dict[str, list[Panel]] = {}
    for pictures, split in PICTURES.items():
        test = image_set(data, Glyphs(), split, 0, GlyphImaging())
        rows = Recorder(size, workspace, data, test)
        frames_of = calibrated.record_rows(rows, validation, methods, conditions={"pictures": pictures})
        some = range(1 if pictures == STROKES else min(SHOWN, len(test)))
        montage_rows |= calibrated.panels(test, frames_of, some)
    path = workspace.picture(size)
    montage(montage_rows, path, sampling=None)


def networks(size: str, workspace: Workspace) -> dict[str, list[Trained]]:
    """Every seed of every network, trained first if it is not: label -> seeds."""
    data = glyphs_of_size(size, workspace.font)
    runs = _runs(size, data)
    trained: dict[str, list[Trained]] = {label: [] for label in runs}
    for seed in SEEDS[size]:
        for label, first in runs.items():
            run = replace(first, seed=seed)
            trained[label].append(Trained(run, *workspace.trained(run, data, f"{label}, seed {seed}")))
    return trained


def _runs(size: str, data: Photographs) -> dict[str, Run]:
    """The trainings: equal crops for all, in the same order."""
    common = {
        "imaging": GlyphImaging(),
        "selection": Glyphs(),
        "crops": CROPS[size],
        "steps": STEPS[size],
        "validate_every": max(STEPS[size] // 20, 1),
    }
    network, noise2self = NETWORKS[size], presets.find_preset("noise2self").at(size)
    autoencoders = {"Autoencoder, one head": network.clone(heads=False), "Autoencoder": network}
    return {"Noise2Self": recipes.n2v_run(noise2self, size, data.recipe_hash, **common)} | {
        label: recipes.autoencoder_run(MultiResolutionAutoencoder(chosen), size, data.recipe_hash, **common)
        for label, chosen in autoencoders.items()
    }


# ---------------------------------------------------------------------------------------------------- the table
WITHOUT_HEADS = "Autoencoder, one head"
ORDER = (*BARS, "Gaussian, tuned", BLIND, WITHOUT_HEADS, NETWORK)


def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """The rows on characters, then those on strokes; the convergence of the networks as a plot."""
    parts = {}
    for pictures in PICTURES:
        chosen = [record for record in records if record["conditions"]["pictures"] == pictures]
        rows = gather(chosen, scores)
        parts[pictures] = {name: rows[name] for name in ORDER}
    data = tuple(
        {"pictures": pictures} | figures_of(row, parts[pictures][NETWORK])
        for pictures in PICTURES
        for row in parts[pictures].values()
    )
    grids = tuple(
        grid_of(pictures.capitalize(), parts[pictures], [f for f in data if f["pictures"] == pictures])
        for pictures in PICTURES
    )
    record, row = parts["characters"][NETWORK].records[0], parts["characters"][NETWORK]
    caption = (
        f"{wording.data_set(record)}: {len(row.units)} "
        "characters that no training saw, and five even diagonal strokes drawn several times. Uniform noise "
        "of -2 to 2, clipped below 0 and rescaled to [0, 1]. Scores by protocol `glyph`: data range 1, unclamped."
    )
    notes = (
        *_verdicts(parts),
        "Clipped noise is not centred: every row but the first is given one gain and one offset, fitted on the "
        "validation characters, where the filter is tuned too. The paper prints no figures for these: it finds the "
        "characters of both methods legible, and that the autoencoder cannot draw the strokes, which Noise2Self can.",
        *_training_notes(parts["characters"]),
        f"Strokes: {len(parts['strokes'][NETWORK].units)} draws of the noise on one picture, hence no interval.",
    )
    title = wording.title("Figures 4 and 5", AUTHORS, records)
    plots = {"convergence": lambda: _convergence(parts["characters"])}
    return Table(title, caption, grids, notes, data, plots)


def _verdicts(parts: dict[str, dict[str, Row]]) -> list[str]:
    """Whether each network passes the gate, and whether the paper's three findings show."""
    characters, strokes = parts["characters"], parts["strokes"]
    verdicts = gates(characters, (BLIND, WITHOUT_HEADS, NETWORK))
    for other, claim in ((BLIND, "on characters"), (WITHOUT_HEADS, "trained as long")):
        verdicts.append(f"{NETWORK} against {other}, {claim}: {_ahead(characters[NETWORK], characters[other])}.")
    loss = {name: characters[name].mean("psnr_db") - strokes[name].mean("psnr_db") for name in (NETWORK, BLIND)}
    verdicts.append(
        f"From characters to strokes {NETWORK} loses {loss[NETWORK]:.2f} dB, {BLIND} {loss[BLIND]:.2f} dB; on strokes "
        f"{NETWORK} has {strokes[NETWORK].mean('psnr_db'):.2f} dB, {BLIND} {strokes[BLIND].mean('psnr_db'):.2f} dB."
    )
    return verdicts


def _ahead(one: Row, other: Row) -> str:
    interval = bootstrap.difference(one.psnr_db, other.psnr_db, one.units)
    if interval is None:
        return f"{one.mean('psnr_db') - other.mean('psnr_db'):+.2f} dB (too few characters for an interval)"
    return f"{interval[0]:+.2f} [{interval[1]:+.2f}, {interval[2]:+.2f}] dB"


def _training_notes(rows: dict[str, Row]) -> list[str]:
    crops = {row.records[0]["learning_curve"][-1]["crops"] for row in rows.values() if row.records[0]["learning_curve"]}
    counts = " or ".join(f"{count:,}" for count in sorted(crops))
    return [
        *bottleneck([rows[WITHOUT_HEADS], rows[NETWORK]], "characters"),
        f"Every network saw {counts} crops of 64 px, the noise of each character recorded once; it is scored by its "
        "checkpoint of the least loss, its own, on validation characters.",
        "Convergence: PSNR of validation characters before any calibration: below the table's figures.",
    ]


def _convergence(rows: dict[str, Row]) -> bytes:
    """Validation PSNR over crops, mean over seeds, of the networks with and without heads."""
    series = {}
    for name in (WITHOUT_HEADS, NETWORK):
        curves = [record["learning_curve"] for record in rows[name].records]
        crops = [point["crops"] for point in curves[0]]
        values = np.array([[point["validation_psnr_db"] for point in curve] for curve in curves])
        ends = (values.min(0), values.max(0)) if len(curves) > 1 else (None, None)
        series[name] = figures.Line(crops, values.mean(0), *ends)
    return figures.lines(series, "Crops seen", "Validation PSNR, not calibrated [dB]")
