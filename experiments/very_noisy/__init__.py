"""Very noisy HAADF movies of Pt on carbon: the frames, methods and scores that the papers of Wang et al. share.

Self-supervised networks learn from the noisy training movies on 20 nm of carbon. They are tested on unseen movies on
the same film and on one of 50 nm, whose haze none of them has met.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np

from experiments.movie_methods import BLANK, NOISY, Method, Trained, learnt
from experiments.workspace import Workspace
from stemjax.apply.evaluate import ImageSet, denoise_movies, fitted_scores, image_set, tune, unit_mean
from stemjax.config import from_config
from stemjax.data import datasets
from stemjax.data.haadf_pt import HaadfImaging
from stemjax.data.images import Frames
from stemjax.denoisers.autoencoder import MultiResolutionAutoencoder
from stemjax.denoisers.constant import Constant
from stemjax.denoisers.pgure_svt import PgureSvt
from stemjax.denoisers.space_time_gaussian import SpaceTimeGaussian
from stemjax.denoisers.supervised import Supervised
from stemjax.metrics.adatoms import AdatomFinder, best_threshold, compare_adatoms
from stemjax.metrics.unsupervised import css
from stemjax.models import presets
from stemjax.training.recipes import N2V_TRAINING
from stemjax.training.train import Run

FILMS = {"film-20nm": "20 nm of carbon, as in training", "film-50nm": "50 nm of carbon"}
LEARNT_FROM = "film-20nm"
FRAMES_PER_MOVIE = {"smoke": 0, "cpu": 0, "gpu": 20}  # 0: all
IMAGING = HaadfImaging()
FINDER = AdatomFinder(sigma=0.45, separation=1.8)  # columns of a cluster are 2.3 Å apart at least
TOLERANCE, MARGIN = 1.0, 2.0  # Å
BESIDE = 2.5  # Å from a column of a cluster, within which a find is none of a single atom
NOISE2ATOM = "Noise2Atom"
ABSOLUTE = "Autoencoder, absolute error"  # the paper's objective: at half an electron per pixel it draws black
NETWORKS = {
    "Noise2Void": "noise2void-single",
    "Noise2Self": "noise2self",
    ABSOLUTE: "autoencoder",
    "Autoencoder": "autoencoder",
    NOISE2ATOM: "noise2atom",
}
# Trainings of the autoencoder where several are compared.
SHORT = {"smoke": {}, "cpu": {"steps": 1200, "validate_every": 100}, "gpu": {}}
SUPERVISED = "Supervised UNet"  # sees the clean frames that no experiment has: the upper reference


def frames(data: datasets.DataSet, size: str, film: str, split: str = "test", imaging=IMAGING) -> ImageSet:
    """Frames of the movies of a split on a film."""
    return image_set(data, Frames(session=(film,)), split, FRAMES_PER_MOVIE[size], imaging)


def tuned_on(data: datasets.DataSet, size: str, film: str) -> ImageSet:
    """Validation movies on the same film; at size smoke, which has none on 50 nm, those on the film learnt from."""
    has_own = any(item["session"] == film and item["split"] == "validation" for item in data.items)
    return frames(data, size, film if has_own else LEARNT_FROM, "validation")


# ---------------------------------------------------------------------------------------------------- methods
def trained(
    preset: str, size: str, workspace: Workspace, label: str, denoiser=None, seed: int = 0, **changes
) -> Trained:
    """A network trained on the noisy movies by the recipe of its preset, `changes` made to the fields of its `Run`."""
    data, chosen = workspace.haadf_pt(size), presets.find_preset(preset)
    common = {"imaging": IMAGING, "selection": Frames(session=(LEARNT_FROM,))}
    run: Run = chosen.recipe(denoiser or chosen.at(size), size, data.recipe_hash, seed, **common | changes)
    return Trained(run, *workspace.trained(run, data, f"{label}, seed {seed}"))


def with_absolute_error(size: str) -> MultiResolutionAutoencoder:
    """The autoencoder with the objective of its paper; that of the preset is a squared error."""
    return replace(presets.find_preset("autoencoder").at(size), objective="mae")


def supervised(size: str, workspace: Workspace) -> Trained:
    """The UNet of the SBD paper, trained on as many crops of the same movies with the clean ones beside them."""
    data = workspace.haadf_pt(size)
    network: Supervised = presets.find_preset("sbd-unet-4x64").at(size)
    denoiser = replace(network, counts_per_unit=IMAGING.noise.electrons_per_pixel)
    run = Run(
        denoiser=denoiser,
        recipe_hash=data.recipe_hash,
        imaging=IMAGING,
        selection=Frames(session=(LEARNT_FROM,)),
        validation_per_unit=2,
        **N2V_TRAINING[size],
    )
    return Trained(run, *workspace.trained(run, data, f"{SUPERVISED}, seed 0"))


def networks(size: str, workspace: Workspace) -> Iterator[Method]:
    """Every network, trained if it is not yet."""
    for label, preset in NETWORKS.items():
        denoiser = with_absolute_error(size) if label == ABSOLUTE else None
        yield learnt(label, trained(preset, size, workspace, label, denoiser))
    yield learnt(SUPERVISED, supervised(size, workspace))


def filters(validation: ImageSet) -> Iterator[Method]:
    """The noisy frames, the constant, Gaussian filters tuned on movies of the same film, and PGURE-SVT."""
    yield Method(NOISY)
    yield Method(BLANK, Constant())
    denoise = lambda denoiser, variables, noisy: denoise_movies(denoiser, variables, replace(validation, noisy=noisy))
    for label, fields in {"Gaussian filter": ("sigma",), "Gaussian filter, 3-D": ("sigma_time", "sigma")}.items():
        tunable = {field: SpaceTimeGaussian.tunable[field] for field in fields}
        denoiser, how = tune(SpaceTimeGaussian(1.0, 0.0), validation, tunable=tunable, denoise=denoise)
        yield Method(f"{label}, tuned", denoiser, {}, how)
    yield Method("PGURE-SVT", PgureSvt())
    denoiser, how = tune(PgureSvt(), validation, denoise=denoise)
    yield Method("PGURE-SVT, tuned", denoiser, {}, how)


# ---------------------------------------------------------------------------------------------------- scores
def atoms(data: datasets.DataSet, images: ImageSet) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each frame the single atoms [n, 2] and the columns of clusters [m, 2], (y, x) in Å."""
    truth, places_of = np.asarray(data.truth), []
    for item in dict.fromkeys(images.images.item.tolist()):
        of_item = truth[truth["item"] == item]
        for frame in images.images.frame[images.images.item == item].tolist():
            rows = of_item[of_item["frame"] == frame]
            places = np.stack([rows["y_angstrom"], rows["x_angstrom"]], axis=-1).astype(float)
            places_of.append((places[rows["surface"]], places[~rows["surface"]]))
    return places_of


def candidates(frames: np.ndarray, truth: list[tuple[np.ndarray, np.ndarray]], sampling: float) -> list[tuple]:
    """What may be single atoms in frames [M, H, W, 1]: places (y, x) [n, 2] in Å and responses [n], clusters left out.

    Where clusters are is known here: the score is for single atoms alone.
    """
    maxima = []
    for frame, (_, columns) in zip(frames[..., 0], truth, strict=True):
        places, response = FINDER.find(frame, sampling)
        distance = np.linalg.norm(places[:, None] - columns, axis=-1).min(axis=1, initial=np.inf)
        maxima.append((places[distance > BESIDE], response[distance > BESIDE]))
    return maxima


def threshold(method: Method, data: datasets.DataSet, validation: ImageSet) -> tuple[float, dict]:
    """The response from which a maximum is an atom: the one with the best F1 on validation movies; as a tuning, too."""
    truth, sampling = atoms(data, validation), data.manifest["frame"]["sampling_angstrom"]
    finding = validation.clean.shape[1:3], sampling, TOLERANCE, MARGIN
    maxima, singles = candidates(method.denoise(validation), truth, sampling), [single for single, _ in truth]
    best = best_threshold(maxima, singles, *finding)
    f1 = [
        compare_adatoms(single, places[response >= best], *finding)["adatom_f1"]
        for single, (places, response) in zip(singles, maxima, strict=True)
    ]
    f1 = unit_mean(np.array(f1), validation.images.unit)
    return best, {"threshold": {"values": [best], "validation_adatom_f1": [round(f1, 6)], "chosen": best}}


def scores(denoised: np.ndarray, data: datasets.DataSet, test: ImageSet, best: float) -> list[dict]:
    """Of every frame: its single atoms against the true ones; CSS of its movie, scaled to [0, 1]; `fitted_scores`."""
    truth, sampling = atoms(data, test), data.manifest["frame"]["sampling_angstrom"]
    finding = test.clean.shape[1:3], sampling, TOLERANCE, MARGIN
    of_frames = [
        compare_adatoms(single, places[response >= best], *finding)
        for (single, _), (places, response) in zip(truth, candidates(denoised, truth, sampling), strict=True)
    ]
    for movie in dict.fromkeys(test.images.unit.tolist()):
        rows = np.flatnonzero(test.images.unit == movie)
        one = denoised[rows, ..., 0].astype(float)
        span = np.ptp(one)
        value = css((one - one.min()) / span if span else np.zeros_like(one)) if len(rows) > 1 else 1.0
        for row in rows:
            of_frames[row]["css"] = value
    return [of_frame | more for of_frame, more in zip(of_frames, fitted_scores(denoised, test), strict=True)]


# ---------------------------------------------------------------------------------------------------- notes of tables
CLASS = "autoencoder.MultiResolutionAutoencoder"


def channels_of(record: dict) -> int | None:
    """Channels at the bottleneck of a record's autoencoder; None where its method is another."""
    config = record["denoiser"]
    return from_config(config).network.bottleneck if config.get("class") == CLASS else None


def older_weights(records: list[dict]) -> list[str]:
    """A note on records of Noise2Atom from before the weights of its cycles were those of the paper, if there are."""
    networks = [record for record in records if record["method"] == NOISE2ATOM]
    older = [record for record in networks if "adversarial" not in record["denoiser"]]
    some = f", in {len(older)} of {len(networks)} records," * (len(older) < len(networks))
    text = (
        f"{NOISE2ATOM}{some} was trained before a correction: the cycle weighed five times as much as the "
        "low-frequency cycle; the paper weighs them alike. To be recorded anew."
    )
    return [text] * bool(older)


def restarts(records: list[dict]) -> list[str]:
    """A note on the generators that trainings have drawn anew, if they have."""
    curves = [record["learning_curve"] for record in records if record["method"] == NOISE2ATOM]
    when = {b["step"]: None for curve in curves for b, a in pairwise(curve) if a["restarts"] > b["restarts"]}
    steps = ", ".join(map(str, sorted(when)))
    return [f"Noise2Atom began anew after step {steps}, where its contrast was inverted on average."] if when else []
