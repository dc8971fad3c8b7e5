"""Autoencoder with multi-resolution decoder, Figure 3: how many channels should the bottleneck have, and how long?

    stemjax experiment run autoencoder_figure_3 --size cpu

The autoencoder of Wang et al. with 1, 4, 16 and 64 channels at its bottleneck, trained alike on noisy HAADF movies of
platinum on 20 nm of carbon and tested on unseen ones of the same film and of 50 nm. The learning curves stand for the
paper's epochs. In the paper, which has pictures of 1, 4 and 16 channels and prints no figures, more channels converge
faster and draw finer detail; 64 are its default elsewhere. Clusters are drawn as discs, and single atoms are lost at
every width.

Expect at size `cpu` (20 nm of carbon, as in training, PSNR [dB]): Constant: 22.32 [20.04, 24.70]; Bottleneck of 1
channel: 23.41 [21.61, 25.36]; Bottleneck of 4 channels: 24.44 [22.72, 26.31]; Bottleneck of 16 channels: 24.15
[22.37, 26.08]; Bottleneck of 64 channels: 23.99 [22.11, 26.06].

Reference: Wang, Henninen, Keller, Erni, "Self-supervised denoising for massive noisy images", 2021, Figure 3.
"""

from collections.abc import Iterator
from dataclasses import replace

from experiments import very_noisy
from experiments.autoencoder import SOURCE
from experiments.movie_methods import BLANK, NOISY, Method, learnt
from experiments.recorder import Recorder
from experiments.very_noisy.film_table import film_table
from experiments.workspace import Workspace
from stemjax.denoisers.constant import Constant
from stemjax.models import presets
from stemjax.tables.table import Table

TIMES = {"smoke": "3 min", "cpu": "20 min on one core, 4 trainings", "gpu": "not measured"}
CHANNELS = {"smoke": (1, 16), "cpu": (1, 4, 16, 64), "gpu": (1, 4, 16, 64)}


def run(size: str, workspace: Workspace) -> None:
    """Train, score and record every network on both films."""
    data, learnt = workspace.haadf_pt(size), list(networks(size, workspace))
    for film in very_noisy.FILMS:
        validation = very_noisy.tuned_on(data, size, film)
        rows = Recorder(size, workspace, data, very_noisy.frames(data, size, film))
        for method in (Method(NOISY), Method(BLANK, Constant()), *learnt):
            best, chosen = very_noisy.threshold(method, data, validation)
            denoised = method.denoise(rows.test)
            extra = very_noisy.scores(denoised, data, rows.test, best)
            method.record(rows, denoised, extra, chosen, conditions={"film": film})
    rows.draw_learning_curves()


def networks(size: str, workspace: Workspace) -> Iterator[Method]:
    """The network of every width of the bottleneck."""
    standard = presets.find_preset("autoencoder").at(size)
    for channels in CHANNELS[size]:
        denoiser = replace(standard, network=standard.network.clone(bottleneck=channels))
        label = f"Bottleneck of {channels} channel{'s' * (channels > 1)}"
        changes = very_noisy.SHORT[size]
        yield learnt(label, very_noisy.trained("autoencoder", size, workspace, label, denoiser, **changes))


# ---------------------------------------------------------------------------------------------------- the table
def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """The autoencoder by the channels of its bottleneck."""
    notes = (
        "The paper says, of pictures: more channels converge faster and draw finer detail.",
        "Trained alike, one seed each. The learning curves are in the records: validation over crops seen, in the "
        "place of the paper's epochs.",
        "The response from which a maximum counts as an atom is chosen on validation movies of the same film.",
    )
    return film_table("Figure 3", SOURCE, records, scores, "film", very_noisy.FILMS, notes)
