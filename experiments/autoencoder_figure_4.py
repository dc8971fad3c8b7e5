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
strokes, which Noise2Self can. Expect at size `cpu`, where a small network goes 5 times through the characters instead
of 200 times, 9.3 dB of the autoencoder, 9.1 of the one without heads, 12.8 of Noise2Self and 10.7 of a tuned Gaussian:
it draws the outline of a character, and of the strokes no more.

Reference: Wang, Henninen, Keller, Erni, "Self-supervised denoising for massive noisy images", 2021, Figures 4 and 5.
"""

from dataclasses import replace

from experiments import calibrated
from experiments.movie_methods import BLANK, Method, Trained
from experiments.recorder import Recorder
from experiments.workspace import Workspace
from stemjax import tables
from stemjax.apply.evaluate import image_set
from stemjax.data.crops import MovieCrops
from stemjax.data.glyphs import STROKES, GlyphImaging, Glyphs, glyphs_of_size
from stemjax.data.photographs import Photographs
from stemjax.denoisers.autoencoder import MultiResolutionAutoencoder
from stemjax.denoisers.constant import Constant
from stemjax.figures import Panel
from stemjax.figures.montage import montage
from stemjax.models import presets
from stemjax.networks.bottleneck import BottleneckAutoencoder
from stemjax.training import parallel, recipes
from stemjax.training.train import Run

NAME = "autoencoder_figure_4"
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
    """Train, calibrate, score and record every row on both kinds of pictures, then render the table and the montage."""
    parallel.enable_compilation_cache()
    data = glyphs_of_size(size, workspace.font)
    networks = [
        Method(label, network.run.denoiser, network.variables, trained=network)
        for label, seeds in trained_networks(size, workspace, data).items()
        for network in seeds
    ]
    validation = image_set(data, Glyphs(), "validation", 0, GlyphImaging())
    methods = (Method(BLANK, Constant()), calibrated.tuned_gaussian(validation), *networks)
    montage_rows: dict[str, list[Panel]] = {}
    for pictures, split in PICTURES.items():
        test = image_set(data, Glyphs(), split, 0, GlyphImaging())
        rows = Recorder(NAME, size, workspace, data, test)
        shown = calibrated.record_rows(rows, validation, methods, conditions={"pictures": pictures})
        some = range(1 if pictures == STROKES else min(SHOWN, len(test)))
        montage_rows |= calibrated.panels(test, shown, some)
    path = workspace.results / "figures" / f"{NAME}.{size}.png"
    montage(montage_rows, path, sampling=None)
    tables.write(workspace.results, NAME)


def train(size: str, workspace: Workspace) -> None:
    """Train whatever of its networks is not trained yet, for `experiments.zoo`."""
    trained_networks(size, workspace, glyphs_of_size(size, workspace.font))


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
