"""Images that are compared with clean ones after one gain and one offset, since they are not in the unit of those.

So it is where noise is clipped (`autoencoder_figure_4`) or an image of short exposure is compared with one of long
(`autoencoder_figure_6`). Gain and offset are fitted on the validation images, once for every method: what is tested on
never fits itself.
"""

from collections.abc import Callable, Iterable

import numpy as np

from experiments.movie_methods import NOISY, Method
from experiments.recorder import Recorder
from stemjax.apply.evaluate import ImageSet, denoise_all, tune
from stemjax.denoisers.gaussian import Gaussian
from stemjax.figures import Panel
from stemjax.metrics.image import score

CALIBRATED = f"{NOISY}, calibrated"
Denoise = Callable[[object, dict, np.ndarray], np.ndarray]  # (denoiser, variables, noisy) -> denoised, [M, H, W, C]


def calibration(denoised: np.ndarray, images: ImageSet) -> tuple[float, float]:
    """Gain and offset that bring denoised images [M, H, W, C] nearest to the clean ones, one of each for all."""
    mean, clean_mean = denoised.mean(dtype=float), images.clean.mean(dtype=float)
    gain = np.mean((denoised - mean) * (images.clean - clean_mean), dtype=float) / max(denoised.var(dtype=float), 1e-12)
    return float(gain), float(clean_mean - gain * mean)


def tuned_gaussian(validation: ImageSet, denoise: Denoise = denoise_all) -> Method:
    """The Gaussian filter that is best on validation images, calibrated on them."""

    def fitted(denoiser, variables: dict, noisy: np.ndarray) -> np.ndarray:
        denoised = denoise(denoiser, variables, noisy)
        gain, offset = calibration(denoised, validation)
        return gain * denoised + offset

    gaussian, tuning = tune(Gaussian(), validation, denoise=fitted)
    return Method("Gaussian, tuned", gaussian, {}, tuning)


def record_rows(
    rows: Recorder, validation: ImageSet, methods: Iterable[Method], denoise: Denoise = denoise_all, **facts
) -> dict[str, np.ndarray]:
    """Record the noisy images as they are, calibrated, and as every method has them, calibrated.

    Returns
    -------
    dict
        Label -> images to show: the noisy ones, then those of the first record of each method.
    """
    rows.add(NOISY, None, rows.test.noisy, is_raw=True, **facts)
    shown = {NOISY: rows.test.noisy}
    for method in (Method(CALIBRATED), *methods):
        parts = validation.noisy, rows.test.noisy
        if method.denoiser is not None:
            parts = tuple(denoise(method.denoiser, method.variables, noisy) for noisy in parts)
        gain, offset = calibration(parts[0], validation)
        denoised = gain * parts[1] + offset
        method.record(rows, denoised, [{"gain": gain, "offset": offset}] * len(denoised), **facts)
        if method.denoiser is not None:
            shown.setdefault(method.label, denoised)
    return shown


def panels(test: ImageSet, shown: dict[str, np.ndarray], rows: Iterable[int]) -> dict[str, list[Panel]]:
    """Some images, clean and as every method has them, each with its PSNR: rows of a montage. Colours turn grey."""
    found = {}
    for row in rows:
        clean = test.clean[row]
        found[test.name[row]] = [Panel("Clean", clean.mean(-1))]
        for label, images in shown.items():
            psnr_db = score(clean, images[row], **test.imaging.contract())["psnr_db"]
            found[test.name[row]].append(Panel(label, images[row].mean(-1), psnr_db, is_noisy=label == NOISY))
    return found
