"""Scores of a method on the images of a split, and the choice of a filter's parameter on the validation split."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stemjax.apply.inference import denoise_image
from stemjax.data import datasets, micrographs
from stemjax.data.images import TEST_NOISE, VALIDATION_NOISE, Images, clean_and_noisy
from stemjax.data.micrographs import Selection
from stemjax.denoisers.protocol import ask
from stemjax.metrics.bootstrap import unit_means
from stemjax.metrics.image import contracts, score


@dataclass(frozen=True)
class ImageSet:
    """Clean and noisy images of one split, the same pixels for every method.

    Parameters
    ----------
    clean, noisy : float32 [M, P, P, 1]
        Counts.
    images : Images
        Item, defocus and split unit of each.
    name : list of str
        Item and defocus of each.
    imaging : micrographs.Imaging
    """

    clean: np.ndarray
    noisy: np.ndarray
    images: Images
    name: list[str]
    imaging: micrographs.Imaging

    def __len__(self) -> int:
        return len(self.images)


def image_set(
    data: datasets.DataSet, selection: Selection, split: str, per_unit: int, imaging: micrographs.Imaging
) -> ImageSet:
    """At most `per_unit` images of every structure of a split, with the fixed noise of that split."""
    images = dataclasses.replace(selection, per_unit=per_unit).images(data, split)
    seed = TEST_NOISE if split == "test" else VALIDATION_NOISE
    clean, noisy = clean_and_noisy(data, images, imaging, seed)
    return ImageSet(clean, noisy, images, images.names(data), imaging)


def denoise_all(denoiser, variables: dict, noisy: np.ndarray) -> np.ndarray:
    """Denoised images [M, P, P, C], one after the other."""
    return np.stack([denoise_image(denoiser, variables, image) for image in noisy])


def denoise_movies(denoiser, variables: dict, images: ImageSet) -> np.ndarray:
    """Denoised frames [M, H, W, C], the frames of a movie normalised together."""
    denoised = np.empty_like(images.noisy)
    for movie in dict.fromkeys(images.images.unit.tolist()):
        rows = images.images.unit == movie
        denoised[rows] = denoise_image(denoiser, variables, images.noisy[rows])
    return denoised


def scores(denoised: np.ndarray, images: ImageSet, clamp: bool = True) -> list[dict]:
    """PSNR, SSIM and NRMSE of each image under the contract of the imaging; `clamp` is off for the raw row alone.

    Returns
    -------
    list of dict
        One row per image, as `records.new_record` takes them: ``image``, ``unit`` and the scores; where images have
        several channels, also those of each, ``adf_psnr_db`` for one, and the plain ones are their means.
    """
    units, channels = images.images.unit, images.imaging.channels
    names = zip(images.name, units, contracts(images.imaging.contract(clamp), images.clean, units), strict=True)
    rows = []
    for (name, unit, contract), true, test in zip(names, images.clean, denoised, strict=True):
        each = [score(true[..., c], test[..., c], **contract) for c in range(len(channels))]
        row = {"image": name, "unit": str(unit)} | {key: float(np.mean([s[key] for s in each])) for key in each[0]}
        if len(channels) > 1:
            row |= {f"{c}_{key}": value for c, s in zip(channels, each, strict=True) for key, value in s.items()}
        rows.append(row)
    return rows


def fitted_scores(denoised: np.ndarray, movies: ImageSet) -> list[dict]:
    """PSNR [dB] of every frame after the gain and offset of its movie that bring it nearest to the noisy frames.

        fitted = g (f - mean f) + mean y,   g = max(cov(f, y) / var f, 0)

    with f the denoised and y the noisy frames of a whole movie: for methods whose level or range is not that of the
    recording, and whose shape may be right all the same. The fit does not see the truth.

    Parameters
    ----------
    denoised : float [M, H, W, C]
        In the unit of the noisy frames.
    movies : ImageSet
        Their frames, with the movie of each as its unit.

    Returns
    -------
    list of dict
        ``fitted_psnr_db`` of every frame.

    Notes
    -----
    The gain is not below 0, so that an inverted movie becomes a constant. Noise that a method copies from a pixel into
    the same pixel is in both: where noise is most of what is left, it draws the gain towards the weight of that pixel
    over the sum of the squared weights, about 2 for a Gaussian in the plane. So a plain filter can lose by the fit.
    """
    unit = movies.images.unit
    each, rows_of = contracts(movies.imaging.contract(), movies.clean, unit), [{} for _ in range(len(movies))]
    for movie in dict.fromkeys(unit.tolist()):
        rows = np.flatnonzero(unit == movie)
        mean, level = denoised[rows].mean(dtype=float), movies.noisy[rows].mean(dtype=float)
        covariance = np.mean((denoised[rows] - mean) * (movies.noisy[rows] - level), dtype=float)
        gain = max(covariance / max(denoised[rows].var(dtype=float), 1e-30), 0.0)
        for row in rows:
            fitted = gain * (denoised[row] - mean) + level
            rows_of[row]["fitted_psnr_db"] = score(movies.clean[row], fitted, **each[row])["psnr_db"]
    return rows_of


def psnr_db(denoised: np.ndarray, images: ImageSet) -> float:
    """Mean PSNR [dB] over structures."""
    return unit_mean(np.array([row["psnr_db"] for row in scores(denoised, images)]), images.images.unit)


def unit_mean(values: np.ndarray, units: np.ndarray) -> float:
    """Mean over units of the mean of each unit: a structure with more images does not weigh more."""
    return float(np.mean(list(unit_means(values, units).values())))


def tune(
    denoiser,
    validation: ImageSet,
    refinements: int = 2,
    tunable: dict[str, tuple] | None = None,
    denoise: Callable = denoise_all,
) -> tuple[object, dict]:
    """The value of a filter's tunable field with the best mean PSNR on the validation images.

    The candidates, the filter's own unless given in `tunable`, come first; then, `refinements` times, the geometric
    means between the best value so far and its neighbours (for fields that are real numbers). Several fields are tuned
    one after the other. A filter of movies needs another `denoise` (denoiser, variables, noisy) than image by image.

    Returns
    -------
    (denoiser, tuning)
        The tuned filter; and per field the values tried, their PSNR [dB], the choice, and whether it lies at an end of
        the values, so that a grid too narrow is seen.
    """
    tuning = {}
    for field, candidates in (ask(denoiser, "tunable") if tunable is None else tunable).items():
        tried: dict[float, float] = {}
        for _ in range(1 + refinements):
            for value in candidates:
                candidate = dataclasses.replace(denoiser, **{field: value})
                tried[value] = psnr_db(denoise(candidate, {}, validation.noisy), validation)
            values = sorted(tried)
            best = max(range(len(values)), key=lambda i: tried[values[i]])
            neighbours = values[max(best - 1, 0)], values[best], values[min(best + 1, len(values) - 1)]
            pairs = [(a, b) for a, b in zip(neighbours, neighbours[1:], strict=False) if a != b]
            candidates = [float(np.sqrt(a * b)) for a, b in pairs if isinstance(a, float)]
        denoiser = dataclasses.replace(denoiser, **{field: values[best]})
        tuning[field] = {
            "values": values,
            "validation_psnr_db": [round(tried[value], 3) for value in values],
            "chosen": values[best],
            "at_an_end": best in (0, len(values) - 1),
        }
    return denoiser, tuning
