"""Autoencoder, Figures 4 and 5: Chinese characters at -10 dB, with and without heads, and strokes that are none.

    stemjax experiment run autoencoder_figure_4 --size cpu
    stemjax experiment run autoencoder_figure_4 --size cpu --font "Noto Sans CJK SC"

Characters of 64 px in uniform noise that is clipped and rescaled (`stemjax.glyphs`). The autoencoder with a bottleneck
of 4 channels (4 x 4 pixels), the same without the heads at 1/2, 1/4 and 1/8 of the resolution, and Noise2Self learn
from as many noisy crops of the training characters, each recorded once; all are scored on characters that no training
saw. Clipping shifts and shrinks what the best self-supervised method can find, so every method is given one gain and
one offset, fitted on the validation characters; the noisy images stand in the table as they are too. Then the same
networks draw five even diagonal strokes. The paper prints no figures. It finds that the autoencoder draws legible
characters where Noise2Self does not, that heads make it converge faster, and that it cannot draw the strokes, which
Noise2Self can.

Reference: Wang, Henninen, Keller, Erni, "Self-supervised denoising for massive noisy images", 2021, Figures 4 and 5.
"""

from dataclasses import replace

import numpy as np

from experiments.movie_methods import Trained
from experiments.recorder import Recorder
from experiments.workspace import Workspace
from stemjax import parallel, presets, recipes, tables
from stemjax.denoisers.autoencoder import MultiResolutionAutoencoder
from stemjax.denoisers.constant import Constant
from stemjax.denoisers.gaussian import Gaussian
from stemjax.evaluate import ImageSet, denoise_all, image_set, tune
from stemjax.figures import Panel
from stemjax.figures_montage import montage
from stemjax.glyphs import STROKES, GlyphImaging, Glyphs, open_glyphs
from stemjax.metrics.image import score
from stemjax.movies import MovieCrops
from stemjax.networks.bottleneck import BottleneckAutoencoder
from stemjax.photographs import Photographs
from stemjax.train import Run

NAME = "autoencoder_figure_4"
TIMES = {"smoke": "2 min", "cpu": "not measured; 3 trainings", "gpu": "not measured"}
USES_FONT = True  # `--font` chooses it
CHARACTERS = {"smoke": 40, "cpu": 4000, "gpu": 20_902}  # the paper has 38,631
SEEDS = {"smoke": (0,), "cpu": (0,), "gpu": (0,)}
# The paper: 200 times through all characters, in batches of 16. Size cpu goes 5 times through its own.
CROPS = {"smoke": MovieCrops(64, 2), "cpu": MovieCrops(64, 8), "gpu": MovieCrops(64, 16)}
STEPS = {"smoke": 4, "cpu": 2000, "gpu": 209_000}
NETWORKS = {
    "smoke": BottleneckAutoencoder(4, (4, 4, 4, 4, 4), trunk=8, residuals=1),
    "cpu": BottleneckAutoencoder(4, (4, 4, 8, 16, 16), trunk=32, residuals=4),
    "gpu": BottleneckAutoencoder(4, (8, 16, 32, 64, 64)),
}
PICTURES = {"characters": "test", STROKES: STROKES}  # -> split
SHOWN = 3  # characters in the picture


def run(size: str, workspace: Workspace) -> None:
    """Train, calibrate, score and record every row on both kinds of pictures, then render the table and the montage."""
    parallel.enable_compilation_cache()
    data = open_glyphs(workspace.font, CHARACTERS[size])
    networks = trained_networks(size, workspace, data)
    validation = image_set(data, Glyphs(), "validation", 0, GlyphImaging())
    gaussian, tuning = tune(Gaussian(), validation, denoise=lambda *method: _fitted(*method[:2], validation))
    montage_rows: dict[str, list[Panel]] = {}
    for pictures, split in PICTURES.items():
        test = image_set(data, Glyphs(), split, 0, GlyphImaging())
        rows, facts = Recorder(NAME, size, workspace, data, test), {"conditions": {"pictures": pictures}}
        rows.add("Noisy", None, test.noisy, is_raw=True, **facts)
        shown = {"Noisy": test.noisy}
        gain, offset = calibration(validation.noisy, validation)
        rows.add(
            "Noisy, calibrated", None, gain * test.noisy + offset, is_raw=True, **_fit(test, gain, offset), **facts
        )
        for label, denoiser, chosen in (("Constant", Constant(), None), ("Gaussian, tuned", gaussian, tuning)):
            gain, offset = calibration(denoise_all(denoiser, {}, validation.noisy), validation)
            shown[label] = gain * denoise_all(denoiser, {}, test.noisy) + offset
            rows.add(label, denoiser, shown[label], tuning=chosen, **_fit(test, gain, offset), **facts)
        for label, seeds in networks.items():
            for network in seeds:
                denoiser, variables = network.run.denoiser, network.variables
                gain, offset = calibration(denoise_all(denoiser, variables, validation.noisy), validation)
                denoised = gain * denoise_all(denoiser, variables, test.noisy) + offset
                parts = network.run, variables, network.info, network.outcome
                rows.add_trained(label, *parts, denoised=denoised, **_fit(test, gain, offset), **facts)
                shown.setdefault(label, denoised)
        montage_rows |= _panels(test, shown, pictures)
    path = workspace.results / "figures" / f"{NAME}.{size}.png"
    montage(montage_rows, path, sampling=None)
    tables.write(workspace.results, NAME)


def train(size: str, workspace: Workspace) -> None:
    """Train whatever of its networks is not trained yet, for `experiments.zoo`."""
    trained_networks(size, workspace, open_glyphs(workspace.font, CHARACTERS[size]))


def trained_networks(size: str, workspace: Workspace, data: Photographs) -> dict[str, list[Trained]]:
    """Every seed of every network, trained first if it is not: label -> seeds."""
    runs = _runs(size, data)
    found: dict[str, list[Trained]] = {label: [] for label in runs}
    for seed in SEEDS[size]:
        for label, first in runs.items():
            run = replace(first, seed=seed)
            found[label].append(Trained(run, *workspace.trained(run, data, f"{label}, seed {seed}")))
    return found


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


def calibration(denoised: np.ndarray, images: ImageSet) -> tuple[float, float]:
    """Gain and offset that bring denoised images [M, H, W, 1] nearest to the clean ones, one of each for all."""
    mean, clean_mean = denoised.mean(dtype=float), images.clean.mean(dtype=float)
    gain = np.mean((denoised - mean) * (images.clean - clean_mean), dtype=float) / max(denoised.var(dtype=float), 1e-12)
    return float(gain), float(clean_mean - gain * mean)


def _fitted(denoiser, variables: dict, images: ImageSet) -> np.ndarray:
    """Images as a method denoises them, calibrated on themselves: how a filter is tuned."""
    denoised = denoise_all(denoiser, variables, images.noisy)
    gain, offset = calibration(denoised, images)
    return gain * denoised + offset


def _fit(test: ImageSet, gain: float, offset: float) -> dict:
    """The calibration as it stands in a record: beside the scores of each picture."""
    return {"extra": [{"gain": gain, "offset": offset}] * len(test)}


def _panels(test: ImageSet, denoised: dict[str, np.ndarray], pictures: str) -> dict[str, list[Panel]]:
    """Some pictures, clean and as every method has them, each with its PSNR."""
    rows = {}
    for index in range(1 if pictures == STROKES else min(SHOWN, len(test))):
        clean = test.clean[index, ..., 0]
        panels = [Panel("Clean", clean)]
        for label, images in denoised.items():
            image = images[index, ..., 0]
            psnr_db = score(clean, image, **test.imaging.contract())["psnr_db"]
            panels.append(Panel(label, image, psnr_db, is_noisy=label == "Noisy"))
        rows[test.name[index]] = panels
    return rows
