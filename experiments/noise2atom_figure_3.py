"""Noise2Atom, Figure 3: every method on very noisy HAADF movies of platinum atoms and clusters on carbon.

    stemjax experiment run noise2atom_figure_3 --size cpu

Networks learn from noisy movies on 20 nm of carbon at half an electron per pixel, and denoise unseen movies on the
same film and on one of 50 nm, beside Gaussian filters tuned on validation movies of the same film, PGURE-SVT, which
is given each movie alone, and a supervised UNet that sees the clean frames. The paper has CSS alone, the likeness of
neighbouring frames, which is 1 for a movie that stands still, and has Noise2Atom above PGURE-SVT, Noise2Self and
Noise2Void, by CSS and by its looks, on three movies; here PSNR and SSIM against the truth and the precision and recall
of single atoms stand beside it. VGG19 as an encoder and PPN2V, which the papers also tried, need weights or a noise
model that are not given: not run.

Expect at size `cpu` on 20 nm 32.9 dB of the supervised UNet, 32.5 of Noise2Void, 31.7 of Noise2Self, 30.1 of a tuned
Gaussian in space and time, 29.1 of a tuned PGURE-SVT, 24.9 of the autoencoder (recorded with a bottleneck of 16
channels), which keeps clusters and loses single atoms, 23.4 of Noise2Atom (recorded with the cycle weighing five times
the low-frequency cycle), which draws atoms where there are none, and 22.3 of a constant.

Reference: Wang, Henninen, Keller, Erni, "Noise2Atom: unsupervised denoising for scanning transmission electron
microscopy images", Applied Microscopy 50:23, 2020, Figure 3.
"""

from experiments import very_noisy
from experiments.movie_methods import BLANK
from experiments.recorder import Recorder
from experiments.workspace import Workspace
from stemjax import tables
from stemjax.apply.evaluate import ImageSet
from stemjax.figures import Panel
from stemjax.figures.montage import montage
from stemjax.metrics.image import contracts, score
from stemjax.training import parallel

NAME = "noise2atom_figure_3"
TIMES = {"smoke": "10 min", "cpu": "10 min on one core, after 6 trainings of 1 h in all", "gpu": "not measured"}


def run(size: str, workspace: Workspace) -> None:
    """Train, tune, score and record every method on both films, then render table and picture."""
    parallel.enable_compilation_cache()
    data = workspace.haadf_pt(size)
    networks, pictures = list(very_noisy.networks(size, workspace)), {}
    for film in very_noisy.FILMS:
        test, validation = very_noisy.frames(data, size, film), very_noisy.tuned_on(data, size, film)
        rows, shown = Recorder(NAME, size, workspace, data, test), {}
        for method in (*very_noisy.filters(validation), *networks):
            best, chosen = very_noisy.threshold(method, data, validation)
            denoised = method.denoise(test)
            extra = very_noisy.scores(denoised, data, test, best)
            method.record(rows, denoised, extra, chosen, conditions={"film": film})
            if method.label != BLANK:
                shown[method.label] = denoised
        pictures[film.removeprefix("film-")] = _panels(test, shown)
    sampling = data.manifest["frame"]["sampling_angstrom"]
    montage(pictures, workspace.results / "figures" / f"{NAME}.{size}.montage.png", sampling=sampling)
    tables.write(workspace.results, NAME)


def train(size: str, workspace: Workspace) -> None:
    """Train whatever of its networks is not trained yet, for `experiments.zoo`."""
    for _ in very_noisy.networks(size, workspace):
        pass


def _panels(test: ImageSet, shown: dict) -> list[Panel]:
    """One frame, clean and as every method has it."""
    index = test.images.typical
    clean = test.clean[index, ..., 0]
    contract = contracts(test.imaging.contract(), test.clean, test.images.unit)[index]
    panels = [Panel("Clean", clean)]
    for label, frames in shown.items():
        image = frames[index, ..., 0]
        panels.append(Panel(label, image, score(clean, image, **contract)["psnr_db"], is_noisy=label == "Noisy"))
    return panels
