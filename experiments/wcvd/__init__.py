"""Lee et al., WCID and WCVD: what its tables share; HRTEM movies, filters and trained networks.

Networks learn from the movies of Pt on CeO2 alone, exported to 0 to 255 as in the paper, and meet three kinds of test
movies: more of Pt, Au on carbon in counts, and Co on CeO2 in the units of an integrating camera.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from experiments.movie_methods import BLANK, EVERY, NOISY, Method, Trained, denoise_of, learnt
from experiments.workspace import Workspace
from stemjax.apply.evaluate import ImageSet, denoise_movies, image_set, tune
from stemjax.data import datasets
from stemjax.data.crops import ClipCrops, FrameCrops
from stemjax.data.hrtem_movies import EIGHT_BIT, IMAGING, HrtemImaging
from stemjax.denoisers.constant import Constant
from stemjax.denoisers.movie_autoencoder import MovieAutoencoder
from stemjax.denoisers.space_time_gaussian import SpaceTimeGaussian
from stemjax.models import presets
from stemjax.networks.autoencoder import Autoencoder
from stemjax.tables import wording
from stemjax.tables.rows import Row
from stemjax.training.train import Run

SOURCE = "Lee et al. (WCID/WCVD)"
WCVD = "WCVD"
# The two readings of the size (3, 3, 3) of the paper's Gaussian filters, and the rows of each.
SIGMA_3 = {dimensions: f"Gaussian filter, {dimensions}, sigma 3" for dimensions in ("2-D", "3-D")}
WINDOW_3 = {dimensions: f"Gaussian filter, {dimensions}, window 3" for dimensions in ("2-D", "3-D")}
READINGS = {
    "a standard deviation of 3 pixels and frames": tuple(SIGMA_3.values()),
    "a window of 3 pixels and frames": tuple(WINDOW_3.values()),
}
KINDS = {"pt": "Pt on CeO2", "au": "Au on carbon", "co": "Co on CeO2"}
LEARNT_FROM = "pt"
HEADINGS = KINDS | {"pt": "Pt on CeO2, the kind that networks learnt from"}  # of the tables
METAL = {"pt": b"Pt", "au": b"Au", "co": b"Co"}  # of the particles, as in the truth
REGION = 2.0  # Å around a metal column: neighbours are 2.1 to 2.9 Å apart, so that a particle has no holes
# The paper's Gaussian filters have a "kernel size" of (3, 3, 3), "to match the WCVD model", which sees 3 frames; its
# Figure S3 has a "filter size (sigma)" of 3. So these are standard deviations in pixels and frames, or windows of 3
# taps, whose standard deviation is then not told: here it is 0.8, by OpenCV's formula for a window alone, which leaves
# 0.52 to the middle tap and 0.24 to either side. (SciPy, which the paper names, ends a kernel at 4 sigma: it has 3 taps
# only below a standard deviation of 0.375, and filters next to nothing there.)
WINDOW = 3  # taps
WINDOW_SIGMA = 0.3 * ((WINDOW - 1) / 2 - 1) + 0.8
PAPER_FILTERS = {
    SIGMA_3["2-D"]: SpaceTimeGaussian(sigma=3.0, sigma_time=0.0),
    SIGMA_3["3-D"]: SpaceTimeGaussian(sigma=3.0, sigma_time=3.0),
    WINDOW_3["2-D"]: SpaceTimeGaussian(WINDOW_SIGMA, 0.0, WINDOW),
    WINDOW_3["3-D"]: SpaceTimeGaussian(WINDOW_SIGMA, WINDOW_SIGMA, WINDOW),
}
TUNED_FILTERS = {
    "Gaussian filter, 2-D, tuned": ("sigma",),
    "Gaussian filter, 3-D, tuned": ("sigma_time", "sigma"),
}
DIVISORS = (2.0, 3.0, 5.0, 7.0, 10.0, 14.0, 20.0, 28.0)  # of the low-pass filter after WCVD
BLOCKS = (2, 3, 4)  # of the autoencoder
NETWORKS = {"Noise2Void": "noise2void-single", "UDVD": "udvd", "WCID": "wcid", "WCVD": "wcvd"}  # row -> preset
# Where many networks are compared, each learns from less: short runs of WCVD, the same for all.
SHORT = {
    "smoke": {},
    "cpu": {"crops": ClipCrops(size=128, frames=20), "steps": 100, "validate_every": 10},
    "gpu": {},
}
FRAME_CROPS = {"smoke": FrameCrops(32, 4), "cpu": FrameCrops(64, 8), "gpu": FrameCrops(64, 128)}  # for Noise2Void


def imaging_of(kind: str) -> HrtemImaging:
    """How the movies of a kind were recorded; those of Pt are exported to 0 to 255, as the paper's."""
    return replace(IMAGING[kind], units=EIGHT_BIT) if kind == LEARNT_FROM else IMAGING[kind]


def movies(kind: str, size: str, workspace: Workspace, split: str = "test") -> tuple[datasets.DataSet, ImageSet]:
    """The data set of a kind, and all frames of its movies of a split."""
    data = workspace.movies(kind, size)
    return data, image_set(data, EVERY, split, 0, imaging_of(kind))


def trained(
    preset: str,
    size: str,
    workspace: Workspace,
    label: str,
    denoiser=None,
    seed: int = 0,
    kind: str = LEARNT_FROM,
    **changes,
) -> Trained:
    """A network trained on the movies of a kind by the recipe of its preset, `changes` made to fields of its `Run`."""
    data, chosen = workspace.movies(kind, size), presets.find_preset(preset)
    common = {"imaging": imaging_of(kind), "selection": EVERY}
    run: Run = chosen.recipe(denoiser or chosen.at(size), size, data.recipe_hash, seed, **common | changes)
    return Trained(run, *workspace.trained(run, data, f"{label}, seed {seed}"))


def networks(size: str, workspace: Workspace) -> Iterator[Method]:
    """Every network of the paper, trained if it is not yet."""
    for label, preset in NETWORKS.items():
        changes = {"crops": FRAME_CROPS[size]} if label == "Noise2Void" else {}
        yield learnt(label, trained(preset, size, workspace, label, **changes))
        if label == "Noise2Void":
            for blocks in BLOCKS:
                name, small = f"Autoencoder, {blocks} blocks", presets.find_preset("movie-autoencoder").at(size)
                denoiser = MovieAutoencoder(Autoencoder(blocks=blocks, width=small.network.width))
                yield learnt(name, trained("movie-autoencoder", size, workspace, name, denoiser))


def networks_of(kind: str, size: str, workspace: Workspace) -> Iterator[Method]:
    """WCVD trained on movies of the kind that it is tested on, where that is not the one of `networks`."""
    if kind != LEARNT_FROM:
        yield learnt("WCVD, learnt from this kind", trained("wcvd", size, workspace, f"WCVD on {kind}", kind=kind))


def filters(validation: ImageSet) -> Iterator[Method]:
    """The noisy frames, the constant, and Gaussian filters: the paper's in both readings, and those tuned."""
    yield Method(NOISY)
    yield Method(BLANK, Constant())
    for label, denoiser in PAPER_FILTERS.items():
        yield Method(label, denoiser)
    for label, fields in TUNED_FILTERS.items():
        start = SpaceTimeGaussian(sigma=1.0, sigma_time=0.0)
        tunable = {field: SpaceTimeGaussian.tunable[field] for field in fields}
        denoiser, how = tune(start, validation, tunable=tunable, denoise=denoise_of(validation))
        yield Method(label, denoiser, {}, how)


def with_tuned_low_pass(method: Method, validation: ImageSet) -> Method:
    """A trained WCVD or WCID followed by the low-pass filter that suits movies of the kind it is tested on best."""
    variables = method.variables
    denoise = lambda denoiser, _, noisy: denoise_movies(denoiser, variables, replace(validation, noisy=noisy))
    denoiser, how = tune(method.denoiser, validation, tunable={"low_pass": DIVISORS}, denoise=denoise)
    return replace(method, label=f"{method.label}, low-pass tuned", denoiser=denoiser, tuning=how)


def particle(data: datasets.DataSet, images: ImageSet, kind: str, rows: np.ndarray) -> np.ndarray:
    """The signal region of a movie, bool [H, W]: within `REGION` of a true metal column in any of its frames.

    By the truth, since a region that is chosen by the noisy frames holds the pixels that are high in them by chance,
    and uMSE takes those very frames to compare with.

    Parameters
    ----------
    rows : int [T]
        Of the movie's frames in `images`.
    """
    sampling, truth = data.manifest["frame"]["sampling_angstrom"], np.asarray(data.truth)
    truth = truth[(truth["item"] == images.images.item[rows[0]]) & (truth["species"] == METAL[kind])]
    truth = truth[np.isin(truth["frame"], images.images.frame[rows])]
    columns = np.stack([truth["y_angstrom"], truth["x_angstrom"]], axis=-1).astype(float)
    pixels = np.stack(np.indices(images.clean.shape[1:3]), axis=-1) * sampling
    return cKDTree(columns).query(pixels, distance_upper_bound=REGION)[0] <= REGION


# ---------------------------------------------------------------------------------------------------- tables
def caption(parts: dict[str, dict[str, Row]]) -> str:
    """What was scored, kind by kind, and by which contract."""
    sentences = []
    for kind, rows in parts.items():
        row = next(iter(rows.values()))
        record, movies = row.records[0], len(set(row.units))
        sentences.append(
            f"{kind}: {wording.data_set(record, 'data set')}, {len(row.units)} frames of {movies} movies that no "
            "method saw."
        )
    few = any(wording.too_few(next(iter(rows.values())).units) for rows in parts.values())
    return (
        "\n\n".join(sentences)
        + "\n\nProtocol `movie`: every frame by itself, its data range the maximum minus the minimum of its clean "
        f"movie. {wording.means_over('movies', few)}"
    )


def swept(row: Row) -> dict:
    """The figures of one network of a sweep."""
    record = row.records[0]
    figures = wording.estimated("psnr_db", row.scores["psnr_db"], row.units)
    if "fitted_psnr_db" in row.scores:
        figures["fitted_psnr_db"] = round(row.mean("fitted_psnr_db"), 6)
    redrawn = record["learning_curve"][-1].get("redrawn", "") if record["learning_curve"] else ""
    facts = {"parameters": record["parameters"], "ssim": round(row.mean("ssim"), 6), "redrawn": redrawn}
    return {"method": row.method} | record["conditions"] | facts | figures | {"records": wording.record_ids([record])}
