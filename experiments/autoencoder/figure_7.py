"""Autoencoder with multi-resolution decoder, Figures 7 and 8: does the size of the crops matter?

    stemjax experiment run autoencoder_figure_7 --size cpu

The autoencoder learns from small and from large crops, as many pixels in all, of a distorted crystal lattice (in the
place of the paper's SmCo movies) and of atoms and clusters on carbon, and is tested on unseen movies of the same kind.
In the paper, which prints no figures, the long range of a lattice wants large crops (of 1024 px rather than 128), and
neighbouring atoms want small ones. Recorded so far at size `cpu` with a bottleneck of 16 channels, where crops and the
number of steps are small: of the lattice 16.2 dB from crops of 64 px, drawn in some places and only its rows in others,
15.6 from 128 px, one set of rows, and 13.2 from 32 px, drawn too strong in whole frames; a constant has 14.8 and a
tuned Gaussian filter 21.7. Of the atoms the clusters alone, 24.2 dB from crops of 64 px and 23.9 from 128 px; a
Gaussian filter has 29.0 dB.

Reference: Wang, Henninen, Keller, Erni, "Self-supervised denoising for massive noisy images", 2021, Figures 7 and 8.
"""

from collections.abc import Iterator
from dataclasses import replace

from experiments import very_noisy
from experiments.autoencoder import SOURCE, calibrated
from experiments.movie_methods import BLANK, NOISY, Method, Trained, learnt
from experiments.recorder import Recorder
from experiments.very_noisy.film_table import film_table
from experiments.workspace import Workspace
from stemjax.apply.evaluate import denoise_movies, image_set, tune
from stemjax.data.crops import MovieCrops
from stemjax.data.images import Frames
from stemjax.data.lattice import LatticeImaging
from stemjax.denoisers.constant import Constant
from stemjax.denoisers.space_time_gaussian import SpaceTimeGaussian
from stemjax.figures.montage import montage
from stemjax.models import presets
from stemjax.tables.table import Table
from stemjax.training.train import Optimiser

TIMES = {"smoke": "2 min", "cpu": "25 min on one core after autoencoder_figure_3", "gpu": "not measured"}
CROPS = {
    "smoke": (MovieCrops(32, 4), MovieCrops(64, 1)),
    "cpu": (MovieCrops(32, 32), MovieCrops(64, 8), MovieCrops(128, 2)),
    "gpu": (MovieCrops(128, 64), MovieCrops(256, 16), MovieCrops(512, 4)),
}
# Of a lattice. At 2e-3, the rate for atoms, narrow networks come to draw the mean and stay with it, even if there is no
# noise.
SLOWLY = {
    "smoke": {},
    "cpu": {
        "steps": 2400,
        "validate_every": 200,
        "optimiser": Optimiser(learning_rate=5e-4, schedule="cosine", warmup=20),
    },
    "gpu": {},
}


def run(size: str, workspace: Workspace) -> None:
    """Train, score and record a network for every size of crop; draw the picture."""
    pictures, samplings = {}, set()
    for scene, (data, imaging, session, changes) in scenes(size, workspace).items():
        selection = Frames(session=(session,))
        test = image_set(data, selection, "test", very_noisy.FRAMES_PER_MOVIE[size], imaging)
        validation = image_set(data, selection, "validation", very_noisy.FRAMES_PER_MOVIE[size], imaging)
        denoise = lambda d, v, noisy, to=validation: denoise_movies(d, v, replace(to, noisy=noisy))  # noqa: E731
        tunable = {"sigma": SpaceTimeGaussian.tunable["sigma"]}
        gaussian, how = tune(SpaceTimeGaussian(1.0, 0.0), validation, tunable=tunable, denoise=denoise)
        bars = [Method(NOISY), Method(BLANK, Constant()), Method("Gaussian filter, tuned", gaussian, {}, how)]
        rows, frames_of = Recorder(size, workspace, data, test), {}
        for method in (*bars, *_of_scene(size, workspace, data, imaging, session, changes)):
            denoised = method.denoise(test)
            method.record(rows, denoised, [{}] * len(test), conditions={"scene": scene})
            if method.label != BLANK:
                frames_of[method.label] = denoised
        (pictures[scene],) = calibrated.panels(test, frames_of, [test.images.typical]).values()
        samplings.add(data.manifest["frame"]["sampling_angstrom"])
    sampling = samplings.pop() if len(samplings) == 1 else None  # one scale bar is for all rows
    montage(pictures, workspace.picture(size, "montage"), sampling=sampling)


def networks(size: str, workspace: Workspace) -> Iterator[Method]:
    """Those of every scene."""
    for scene in scenes(size, workspace).values():
        yield from _of_scene(size, workspace, *scene)


def scenes(size: str, workspace: Workspace) -> dict[str, tuple]:
    """The data set, imaging and session of each kind of scene, and changes to the training on it."""
    return {
        "lattice": (workspace.lattice(size), LatticeImaging(), "lattice", SLOWLY[size]),
        "atoms": (workspace.haadf_pt(size), very_noisy.IMAGING, very_noisy.LEARNT_FROM, very_noisy.SHORT[size]),
    }


def _of_scene(size: str, workspace: Workspace, data, imaging, session: str, changes: dict) -> Iterator[Method]:
    """The network of every size of crop; at the standard one, of atoms, it is that of 64 channels in Figure 3."""
    preset = presets.find_preset("autoencoder")
    for crops in CROPS[size]:
        label = f"Autoencoder, crops of {crops.size} px"
        run = preset.recipe(
            preset.at(size),
            size,
            data.recipe_hash,
            imaging=imaging,
            selection=Frames(session=(session,)),
            crops=crops,
            **changes,
        )
        yield learnt(label, Trained(run, *workspace.trained(run, data, f"{label}, {session}")))


# ---------------------------------------------------------------------------------------------------- the table
def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """The autoencoder by the size of the crops that it learns from, on a lattice and on atoms."""
    scenes_shown = {"lattice": "Distorted lattice", "atoms": "Atoms and clusters, 20 nm of carbon"}
    notes = (
        "Every training sees the same number of pixels, so larger crops come in smaller batches.",
        "The paper says, of pictures: large crops suit the long range of a lattice, small ones neighbouring atoms.",
    )
    return film_table("Figures 7 and 8", SOURCE, records, scores, "scene", scenes_shown, notes)
