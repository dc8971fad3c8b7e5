"""Noise2Atom, Figure 3: every method on very noisy HAADF movies of platinum atoms and clusters on carbon.

    stemjax experiment run noise2atom_figure_3 --size cpu

Networks learn from noisy movies on 20 nm of carbon at half an electron per pixel, and denoise unseen movies on the
same film and on one of 50 nm, beside Gaussian filters tuned on validation movies of the same film, PGURE-SVT, which
is given each movie alone, and a supervised UNet that sees the clean frames. The paper has CSS alone, the likeness of
neighbouring frames, which is 1 for a movie that stands still, and has Noise2Atom above PGURE-SVT, Noise2Self and
Noise2Void, by CSS and by its looks, on three movies; here PSNR and SSIM against the truth and the precision and recall
of single atoms stand beside it. VGG19 as an encoder and PPN2V, which the papers also tried, need weights or a noise
model that are not given: not run.

Expect at size `cpu` (20 nm of carbon, as in training, PSNR [dB]): Constant: 22.32 [20.04, 24.70]; Gaussian filter, 3-D,
tuned: 30.14 [28.43, 31.78]; PGURE-SVT, tuned: 29.08 [26.55, 31.23]; Noise2Void: 32.46 [30.17, 34.45]; Noise2Self: 31.72
[29.44, 33.71]; Autoencoder, 16 channels: 24.94 [23.21, 26.85]; Noise2Atom: 23.36 [21.09, 25.59]; Supervised UNet: 32.89
[30.29, 35.05].

Reference: Wang, Henninen, Keller, Erni, "Noise2Atom: unsupervised denoising for scanning transmission electron
microscopy images", Applied Microscopy 50:23, 2020, Figure 3.
"""

from experiments import very_noisy
from experiments.movie_methods import BLANK
from experiments.noise2atom import SOURCE
from experiments.pictures import panels
from experiments.recorder import Recorder
from experiments.very_noisy.film_table import film_table
from experiments.workspace import Workspace
from stemjax.figures.montage import montage
from stemjax.tables.table import Table

TIMES = {"smoke": "10 min", "cpu": "10 min on one core, after 6 trainings of 1 h in all", "gpu": "not measured"}
networks = very_noisy.networks


def run(size: str, workspace: Workspace) -> None:
    """Train, tune, score and record every method on both films; draw the picture."""
    data = workspace.haadf_pt(size)
    learnt, pictures = list(networks(size, workspace)), {}
    for film in very_noisy.FILMS:
        test, validation = very_noisy.frames(data, size, film), very_noisy.tuned_on(data, size, film)
        rows, frames_of = Recorder(size, workspace, data, test), {}
        for method in (*very_noisy.filters(validation), *learnt):
            best, chosen = very_noisy.threshold(method, data, validation)
            denoised = method.denoise(test)
            extra = very_noisy.scores(denoised, data, test, best)
            method.record(rows, denoised, extra, chosen, conditions={"film": film})
            if method.label != BLANK:
                frames_of[method.label] = denoised
        pictures[film.removeprefix("film-")] = panels(test, frames_of)
    sampling = data.manifest["frame"]["sampling_angstrom"]
    montage(pictures, workspace.picture(size, "montage"), sampling=sampling)


# ---------------------------------------------------------------------------------------------------- the table
def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Every method on both films."""
    notes = (
        "VGG19 as an encoder and PPN2V, which the papers also tried, are not run: they need weights or a model of the "
        "noise that are not given.",
        "PGURE-SVT has each movie for itself and estimates its noise from it; the filters are tuned on validation "
        "movies of the same film (of 20 nm at size smoke); the networks learnt from 20 nm alone.",
    )
    return film_table("Figure 3", SOURCE, records, scores, "film", very_noisy.FILMS, notes)
