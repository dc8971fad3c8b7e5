"""SBD, Figures 1.1, 5.5 to 5.7, 5.9 (d, e) and C.3: a movie of 40 aligned frames of a Pt particle that stands still.

    stemjax experiment run sbd_movie --size cpu

The frames of simulated movies at three defoci, denoised by filters tuned on a fourth; by networks that learnt from
simulated images with the clean ones beside them (SBD); and by networks that learnt from the noisy frames of one of the
movies: Laine's blind-spot network, with early stopping by the loss on held-out frames and with its last weights, UDVD,
Self2Self and WCVD. Scored against the truth, against the time average, which is all that an experiment has, and by
uPSNR; with pictures of a frame, of the profile along the surface columns and of the likelihood ratios. On a scene that
stands still expect at size `cpu` 30 dB of a Gaussian filter in space and time that is as long as the movie, against 20
dB of one on single frames and 15 to 18 dB of the bare time average, in which noise is left. In the paper, which has no
truth and prints no figures here, SBD keeps the surface columns and the others blur or lose them.

Reference: Mohan et al., arXiv:2010.12970, Figures 1.1, 5.5 to 5.7, 5.9 (d, e) and C.3.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from experiments import surface_profiles
from experiments.hrtem import EVERY, PAPER_FILTERS, denoise_of, learnt, rows_of_movies, window_of
from experiments.movie_methods import BLANK, NOISY, Method, Trained
from experiments.recorder import Recorder
from experiments.regions import draw_maps, sort_regions
from experiments.sbd_figure_5_9 import TARGET
from experiments.sbd_table_5_1 import WHITE
from experiments.surface_profiles import SurfaceRow, surface_row
from experiments.trained import tuned_network
from experiments.workspace import Workspace
from stemjax import figures, tables
from stemjax.apply.evaluate import ImageSet, fitted_scores, image_set, tune
from stemjax.data import datasets
from stemjax.data.crops import ClipCrops
from stemjax.data.hrtem_movies import IMAGING, HrtemImaging
from stemjax.data.images import OneMovie
from stemjax.denoisers.constant import Constant
from stemjax.denoisers.space_time_gaussian import SpaceTimeGaussian
from stemjax.denoisers.time_average import TimeAverage
from stemjax.metrics.image import contracts
from stemjax.metrics.unsupervised import umse
from stemjax.models import presets
from stemjax.tables.sbd_movie import AVERAGE, EARLY, LAST, SBD, SBD_NARROW, SBD_OTHERS, SPACE_TIME
from stemjax.tables.wcvd import SIGMA_3, WINDOW_3
from stemjax.training import checkpoint, parallel, recipes
from stemjax.training.train import Run, initial_state

NAME = "sbd_movie"
TIMES = {"smoke": "3 min", "cpu": "12 min on one core, after trainings of 20 min", "gpu": "not measured"}
FILTERS = {
    "Gaussian filter": "gaussian",
    "Low-pass filter": "low-pass",
    "Adaptive Wiener filter": "wiener",
    "Total variation": "tv",
    "VST + NLM": "nlm",
    "PURE-LET": "pure-let",
}
SMOKE_FILTERS = ("Gaussian filter", "Adaptive Wiener filter")  # the others compile longer than size smoke may take
TUNED_ON = 4  # frames of the validation movie, for filters of single frames
LENGTHS = (*SpaceTimeGaussian.tunable["sigma_time"], 32.0)  # frames; the longest is nearly the time average
HELD_OUT = {"smoke": 0, "cpu": 5, "gpu": 5}  # frames; 5 of 40 in the paper
# Simulated images of all structures but those without defect, to which the particle of the movie belongs.
OTHERS = replace(WHITE, defect=("D1", "D2", "Dh", "Ds"))
CHANGES = {
    "laine": {"gpu": {"early_stopping": 0}},
    "wcvd": {"cpu": {"crops": ClipCrops(size=256, frames=5)}},
}
PICTURED = (SBD, SBD_OTHERS)  # in the likelihood maps


def run(size: str, workspace: Workspace) -> None:
    """Train, tune, score and record every row, then render the table and the pictures."""
    parallel.enable_compilation_cache()
    data, imaging = workspace.movies("sbd", size), imaging_of(size)
    test = image_set(data, EVERY, "test", 0, imaging)
    rows, average = Recorder(NAME, size, workspace, data, test), TimeAverage()
    reference = Method(AVERAGE, average).denoise(test)
    surface = [surface_row(data, test, index) for index in range(len(test))]
    shown, at = {}, int(np.flatnonzero(test.images.unit == learnt_movie(data))[0])
    for method, conditions in methods(size, workspace, data, imaging):
        denoised = method.denoise(test)
        method.record(rows, denoised, _extra(method, denoised, test, reference, surface), conditions=conditions)
        shown[method.label] = denoised[at, ..., 0]
    tables.write(workspace.results, NAME)
    _draw(rows, shown, surface[at], at)


def train(size: str, workspace: Workspace) -> None:
    """Train whatever of its networks is not trained yet, for `experiments.zoo`."""
    for _ in networks(size, workspace, workspace.movies("sbd", size), imaging_of(size)):
        pass


def imaging_of(size: str) -> HrtemImaging:
    """Frames of the dose that the SBD networks of this size were trained at."""
    return replace(IMAGING["sbd"], counts=recipes.SBD_TRAINING[size]["imaging"].counts)


def learnt_movie(data: datasets.DataSet) -> str:
    """The test movie whose noisy frames networks learn from: the middle one."""
    test = [item["id"] for item in data.items if item["split"] == "test"]
    return test[len(test) // 2]


# ---------------------------------------------------------------------------------------------------- methods
def methods(
    size: str, workspace: Workspace, data: datasets.DataSet, imaging: HrtemImaging
) -> Iterator[tuple[Method, dict]]:
    """Every row of the table, tuned and trained, with what it learnt from."""
    nothing = {"trained_on": "nothing"}
    validation = image_set(data, EVERY, "validation", 0, imaging)
    few = image_set(data, EVERY, "validation", TUNED_ON, imaging)
    tuned = {"trained_on": f"tuned on {', '.join(dict.fromkeys(validation.images.unit.tolist()))}"}
    yield Method(NOISY), nothing
    yield Method(BLANK, Constant()), nothing
    for label, name in FILTERS.items():
        if size == "smoke" and label not in SMOKE_FILTERS:
            continue
        denoiser, how = tune(presets.PRESETS[name].denoiser, few)
        yield Method(label, denoiser, {}, how or None), tuned
    tunable = {"sigma_time": LENGTHS, "sigma": SpaceTimeGaussian.tunable["sigma"]}
    denoiser, how = tune(SpaceTimeGaussian(1.0, 0.0), validation, tunable=tunable, denoise=denoise_of(validation))
    yield Method(SPACE_TIME, denoiser, {}, how), tuned
    for label in (SIGMA_3["3-D"], WINDOW_3["3-D"]):
        yield Method(label, PAPER_FILTERS[label]), nothing
    yield Method(AVERAGE, TimeAverage()), nothing
    yield from networks(size, workspace, data, imaging)


def networks(
    size: str, workspace: Workspace, data: datasets.DataSet, imaging: HrtemImaging
) -> Iterator[tuple[Method, dict]]:
    """Networks that learnt from simulated images, then those that learnt from noisy frames of one movie alone."""
    simulated = workspace.pt_ceo2(size)
    broad, *found, _ = tuned_network("sbd-unet-4x64", size, workspace, simulated)
    yield learnt(SBD, Trained(broad, *found)), _learnt_from(broad, simulated, data)
    for label, selection in ((SBD_NARROW, TARGET), (SBD_OTHERS, OTHERS)):
        narrow = replace(broad, selection=selection)
        network = Trained(narrow, *workspace.trained(narrow, simulated, label))
        yield learnt(label, network), _learnt_from(narrow, simulated, data)

    movie, held_out = learnt_movie(data), HELD_OUT[size]
    whole = OneMovie(movie, held_out=held_out)
    count = len(whole.images(data, "train"))
    told = {
        "trained_on": f"frames 1 to {count} of {movie}" + f", {held_out} held out" * bool(held_out),
        "movie": movie,
        "learnt_frames": count,
    }

    def trained(label: str, preset: str, selection: OneMovie) -> Trained:
        found, common = presets.find_preset(preset), {"imaging": imaging, "selection": selection}
        changes = common | CHANGES.get(preset, {}).get(size, {})
        run = found.recipe(found.at(size), size, data.recipe_hash, **changes)
        return Trained(run, *workspace.trained(run, data, label))

    blind = trained(EARLY, "laine", whole)
    yield learnt(EARLY, blind), told
    yield learnt(LAST, last_weights(blind)), told
    yield learnt("UDVD", trained("UDVD", "udvd", whole)), told
    yield learnt("WCVD", trained("WCVD", "wcvd", whole)), told
    single = {"trained_on": f"frame 1 of {movie}", "movie": movie, "learnt_frames": 1}
    yield learnt("Self2Self", trained("Self2Self", "self2self", OneMovie(movie, learnt=1))), single


def last_weights(network: Trained) -> Trained:
    """The same training without early stopping: its weights after the last step instead of the best ones."""
    folder = checkpoint.Checkpointer(network.outcome.folder / "checkpoints", read_only=True)
    step, state, _ = folder.restore(initial_state(network.run))
    variables = state["variables"]
    return replace(
        network, variables=variables, info=network.info | {"step": step, "digest": checkpoint.digest(variables)}
    )


def _learnt_from(run: Run, simulated: datasets.DataSet, movies: datasets.DataSet) -> dict:
    """Conditions of a network that learnt from simulated images: how many, and whether the particle is among them."""
    images, movie = run.selection.images(simulated, "train"), learnt_movie(movies)
    item = next(item for item in movies.items if item["id"] == movie)
    defect = movies.manifest["recipe"]["scenes"][movie]["states"][0]["structure"]["defect"]
    names = ("particle", "support", "thickness_angstrom", "tilt_deg")
    known = [simulated.items[index] for index in dict.fromkeys(images.item.tolist())]
    same = any(one["defect"] == defect and all(one[name] == item[name] for name in names) for one in known)
    told = f"{len(images):,} simulated images, {'also' if same else 'none'} of this structure"
    return {"trained_on": told, "knows_structure": int(same)}


# ---------------------------------------------------------------------------------------------------- scores
def _extra(
    method: Method, denoised: np.ndarray, test: ImageSet, average: np.ndarray, surface: list[SurfaceRow]
) -> list[dict]:
    """Of every frame: PSNR fitted and to the time average, correlation of the profile; of its movie: uPSNR's needs."""
    ranges = [contract["data_range"] for contract in contracts(test.imaging.contract(), test.clean, test.images.unit)]
    found = fitted_scores(denoised, test)
    for index, row in enumerate(found):
        row["profile_correlation"] = surface[index].correlation(test.clean[index, ..., 0], denoised[index, ..., 0])
        if method.label != AVERAGE:
            row["average_psnr_db"] = _psnr_db(average[index], denoised[index], ranges[index])
    for rows in rows_of_movies(test):
        noisy, frames, clean = (images[rows, ..., 0] for images in (test.noisy, denoised, test.clean))
        scores = {"mse": float(np.mean((frames - clean) ** 2, dtype=float)), "peak": float(noisy.max())}
        try:
            scores["umse"] = umse(noisy, frames, window_of(method.denoiser)).umse
        except ValueError as error:  # the method sees so many frames that none are left to compare with
            if "insufficient frames" not in str(error):
                raise
        for row in rows:
            found[row] |= scores
    return found


def _psnr_db(true: np.ndarray, test: np.ndarray, data_range: float) -> float:
    return float(10 * np.log10(data_range**2 / np.mean((true - test) ** 2, dtype=float)))


# ---------------------------------------------------------------------------------------------------- pictures
def _draw(rows: Recorder, shown: dict[str, np.ndarray], surface: SurfaceRow, at: int) -> None:
    """A frame as every method has it, its profiles along the surface columns, and maps of likelihood ratios."""
    test, folder = rows.test, rows.workspace.results / "figures"
    clean = test.clean[at, ..., 0]
    span = float(np.ptp(test.clean[test.images.unit == test.images.unit[at]]))
    panels = [figures.Panel("Clean", clean)]
    panels += [
        figures.Panel(label, image, _psnr_db(clean, image, span), is_noisy=label == NOISY)
        for label, image in shown.items()
        if label != BLANK
    ]
    path = folder / f"{NAME}.{rows.size}.frame.png"
    figures.strip(panels, path, sampling=surface.sampling, zoom_box=surface.box(), columns=6)
    profiled = {label: image for label, image in shown.items() if label != BLANK}
    surface_profiles.draw(surface, clean, profiled, folder / f"{NAME}.{rows.size}.profiles.png")
    scene = surface_profiles.scene(rows.data, test, at)
    maps = {label: (scene, shown[label], sort_regions(scene, shown[label])) for label in PICTURED}
    draw_maps(maps, folder / f"{NAME}.{rows.size}.likelihood.png")
