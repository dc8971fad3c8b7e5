"""Panels of a picture: one channel of one frame, clean and as every method has it."""

import numpy as np

from stemjax.apply.evaluate import ImageSet
from stemjax.figures import Panel
from stemjax.metrics.image import contracts, score


def panels(test: ImageSet, denoised: dict[str, np.ndarray], channel: int = 0) -> list[Panel]:
    """One channel of the typical frame, clean and as each row has it, with its PSNR."""
    index, name = test.images.typical, test.imaging.channels[channel]
    clean = test.clean[index, ..., channel]
    contract = contracts(test.imaging.contract(), test.clean, test.images.unit)[index]
    panels = [Panel("Clean", displayed(clean, name))]
    for label, frames in denoised.items():
        image = frames[index, ..., channel]
        psnr_db = score(clean, image, **contract)["psnr_db"]
        panels.append(Panel(label, displayed(image, name), psnr_db, is_noisy=label == "Noisy"))
    return panels


def displayed(image: np.ndarray, channel: str) -> np.ndarray:
    """A frame as the paper shows it: the square root of the dark field, since carbon is so much dimmer than gold."""
    return np.sqrt(np.clip(image, 0, None)) if channel == "adf" else image
