"""Gold on graphene: the rows that every table of Noise2Void has, and their pictures."""

from collections.abc import Sequence

import numpy as np

from experiments.graphene import PAPER_FILTERS, tuned_filters
from experiments.movie_methods import Trained, denoise_movies
from experiments.recorder import Recorder
from stemjax.apply.evaluate import ImageSet
from stemjax.denoisers.constant import Constant
from stemjax.figures import Panel
from stemjax.metrics.image import contracts, score


def record_bars(rows: Recorder, **facts) -> dict[str, np.ndarray]:
    """Record the noisy frames and their means, which every method has to beat: row -> frames [M, H, W, C]."""
    constant = denoise_movies(Constant(), {}, rows.test)
    rows.add("Noisy", None, rows.test.noisy, is_raw=True, **facts)
    rows.add("Constant", Constant(), constant, **facts)
    return {"Noisy": rows.test.noisy, "Constant": constant}


def record_filters(rows: Recorder, validation: ImageSet, **facts) -> dict[str, np.ndarray]:
    """Record both filters, at the paper's settings and tuned on validation movies: row -> frames [M, H, W, C]."""
    published = [(label, denoiser, None) for label, denoiser in PAPER_FILTERS.items()]
    denoised = {}
    for label, denoiser, tuning in sorted([*published, *tuned_filters(validation)], key=lambda row: row[0]):
        denoised[label] = denoise_movies(denoiser, {}, rows.test)
        rows.add(label, denoiser, denoised[label], tuning=tuning, **facts)
    return denoised


def record_networks(rows: Recorder, networks: Sequence[Trained], **facts) -> dict[str, np.ndarray]:
    """Record every seed of a network: the row's name -> the frames [M, H, W, C] of the first one."""
    denoised = [denoise_movies(network.run.denoiser, network.variables, rows.test) for network in networks]
    for network, frames in zip(networks, denoised, strict=True):
        parts = network.run, network.variables, network.info, network.outcome
        rows.add_trained("Noise2Void", *parts, denoised=frames, **facts)
    return {"Noise2Void": denoised[0]}


def panels(test: ImageSet, denoised: dict[str, np.ndarray], channel: int) -> list[Panel]:
    """One channel of one frame, clean and as each row has it, with its PSNR."""
    index, name = test.images.typical, test.imaging.channels[channel]
    clean = test.clean[index, ..., channel]
    contract = contracts(test.imaging.contract(), test.clean, test.images.unit)[index]
    found = [Panel("Clean", displayed(clean, name))]
    for label, frames in denoised.items():
        image = frames[index, ..., channel]
        psnr_db = score(clean, image, **contract)["psnr_db"]
        found.append(Panel(label, displayed(image, name), psnr_db, is_noisy=label == "Noisy"))
    return found


def displayed(image: np.ndarray, channel: str) -> np.ndarray:
    """A frame as the paper shows it: the square root of the dark field, since carbon is so much dimmer than gold."""
    return np.sqrt(np.clip(image, 0, None)) if channel == "adf" else image
