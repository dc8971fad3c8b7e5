"""Validation: what chooses the best checkpoint of a run (`stemjax.training.train.Run`) and drives its schedule."""

from collections.abc import Callable
from dataclasses import replace

import jax
import numpy as np

from stemjax.data.images import VALIDATION_NOISE, clean_and_noisy
from stemjax.denoisers.protocol import ask, takes_movies
from stemjax.metrics.image import contracts, score

BATCHES = 8  # that a self-supervised method's loss is taken of


def validation(run, data) -> Callable[[dict], dict[str, float]]:
    """The function variables -> what is measured on the validation images.

    ``validation_psnr_db`` where clean images are known, and ``validation_loss``, its own, where the method is
    self-supervised: it must not choose its checkpoint by the truth.
    """
    parts = {}
    if hasattr(run.imaging, "clean_images"):
        of_images = _movie_psnr if takes_movies(run.denoiser) else _validation_psnr
        parts["validation_psnr_db"] = of_images(run, data)
    if ask(run.denoiser, "self_supervised"):
        parts["validation_loss"] = _validation_loss(run, data)
    return lambda variables: {name: part(variables) for name, part in parts.items()}


def judged(validated: dict[str, float]) -> float:
    """What the best checkpoint and the schedule go by, the larger the better: PSNR [dB], or minus the loss.

    A loss may be below zero, as minus the logarithm of a likelihood is.
    """
    loss = validated.get("validation_loss")
    return validated["validation_psnr_db"] if loss is None else -loss


def _validation_psnr(run, data) -> Callable[[dict], float]:
    """The function variables -> mean PSNR [dB] over the validation images, on fixed noise."""
    imaging, chosen = run.imaging, replace(run.selection, per_unit=run.validation_per_unit)
    images = chosen.images(data, "validation")
    clean, noisy = clean_and_noisy(data, images, imaging, VALIDATION_NOISE)
    each = contracts(imaging.contract(), clean, images.unit)
    denoise = jax.jit(run.denoiser.denoise)

    def validate(variables: dict) -> float:
        variables = jax.device_get(variables)
        scores = [
            score(c[0], np.asarray(denoise(variables, n))[0], **contract)["psnr_db"]
            for c, n, contract in zip(np.split(clean, len(clean)), np.split(noisy, len(noisy)), each, strict=True)
        ]
        return float(np.mean(scores))

    return validate


def _movie_psnr(run, data) -> Callable[[dict], float]:
    """The function variables -> mean PSNR [dB] over the middle frames of the validation movies, with their noise."""
    images, contract = run.selection.images(data, "validation"), run.imaging.contract()
    noisy = np.asarray(run.imaging.device_arrays(data, images)["noisy"])
    clean = run.imaging.clean_images(data, images).reshape(noisy.shape)
    spans = [float(np.ptp(true)) for true in clean]
    # the frames that count, and those around them that the method sees
    (before, after), length = run.denoiser.frames, noisy.shape[1]
    counted = min(run.validation_per_unit, length)
    first = (length - counted) // 2
    start, end = max(first - before, 0), min(first + counted + after, length)
    noisy, middle = noisy[:, start:end], slice(first - start, first - start + counted)
    clean = clean[:, start:end]
    denoise = jax.jit(run.denoiser.denoise)

    def validate(variables: dict) -> float:
        variables, scores = jax.device_get(variables), []
        for true, movie, data_range in zip(clean, noisy, spans, strict=True):
            span = {"data_range": data_range} if contract["protocol"] == "movie" else {}
            denoised = np.asarray(denoise(variables, movie[None]))[0]
            pairs = zip(true[middle, ..., 0], denoised[middle, ..., 0], strict=True)
            scores += [score(*pair, **contract, **span)["psnr_db"] for pair in pairs]
        return float(np.mean(scores))

    return validate


def _validation_loss(run, data) -> Callable[[dict], float]:
    """The function variables -> mean loss over fixed crops of the validation images."""
    arrays = run.imaging.device_arrays(data, run.selection.images(data, "validation"))
    key = jax.random.key(VALIDATION_NOISE)

    @jax.jit
    def loss(variables, arrays, step):
        batch = run.crops.batch(arrays, key, step, data.band, run.imaging)
        return run.denoiser.loss(variables, batch, jax.random.fold_in(key, step))[0]

    def validate(variables: dict) -> float:
        variables = jax.device_get(variables)
        return float(np.mean([loss(variables, arrays, step) for step in range(BATCHES)]))

    return validate
