"""The rows of the table of the movie: filters, and networks that learnt from simulated images or from the movie."""

from collections.abc import Iterator
from dataclasses import replace

from experiments.movie_methods import BLANK, EVERY, NOISY, Method, Trained, denoise_of, learnt
from experiments.sbd import EARLY, LAST, SBD, TARGET, WHITE, last_weights, tuned_network
from experiments.wcvd import PAPER_FILTERS, SIGMA_3, WINDOW_3
from experiments.workspace import Workspace
from stemjax.apply.evaluate import image_set, tune
from stemjax.data import datasets
from stemjax.data.crops import ClipCrops
from stemjax.data.hrtem_movies import IMAGING, HrtemImaging
from stemjax.data.images import OneMovie
from stemjax.denoisers.constant import Constant
from stemjax.denoisers.space_time_gaussian import SpaceTimeGaussian
from stemjax.denoisers.time_average import TimeAverage
from stemjax.models import presets
from stemjax.training import recipes
from stemjax.training.train import Run

SBD_NARROW, SBD_OTHERS = "SBD + UNet, target conditions", "SBD + UNet, other structures"
AVERAGE, SPACE_TIME = "Time average", "Gaussian filter, space and time"
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
    yield from networks(size, workspace)


def networks(size: str, workspace: Workspace) -> Iterator[tuple[Method, dict]]:
    """Networks that learnt from simulated images, then those that learnt from noisy frames of one movie alone."""
    data, imaging, simulated = workspace.movies("sbd", size), imaging_of(size), workspace.pt_ceo2(size)
    broad, *network, _ = tuned_network("sbd-unet-4x64", size, workspace, simulated)
    yield learnt(SBD, Trained(broad, *network)), _learnt_from(broad, simulated, data)
    for label, selection in ((SBD_NARROW, TARGET), (SBD_OTHERS, OTHERS)):
        narrow = replace(broad, selection=selection)
        network = Trained(narrow, *workspace.trained(narrow, simulated, label))
        yield learnt(label, network), _learnt_from(narrow, simulated, data)

    movie, held_out = learnt_movie(data), HELD_OUT[size]
    whole = OneMovie(movie, held_out=held_out)
    count = len(whole.images(data, "train"))
    conditions = {
        "trained_on": f"frames 1 to {count} of {movie}" + f", {held_out} held out" * bool(held_out),
        "movie": movie,
        "learnt_frames": count,
    }

    def trained(label: str, preset: str, selection: OneMovie) -> Trained:
        chosen, common = presets.find_preset(preset), {"imaging": imaging, "selection": selection}
        changes = common | CHANGES.get(preset, {}).get(size, {})
        run = chosen.recipe(chosen.at(size), size, data.recipe_hash, **changes)
        return Trained(run, *workspace.trained(run, data, label))

    blind = trained(EARLY, "laine", whole)
    yield learnt(EARLY, blind), conditions
    yield learnt(LAST, last_weights(blind)), conditions
    yield learnt("UDVD", trained("UDVD", "udvd", whole)), conditions
    yield learnt("WCVD", trained("WCVD", "wcvd", whole)), conditions
    single = {"trained_on": f"frame 1 of {movie}", "movie": movie, "learnt_frames": 1}
    yield learnt("Self2Self", trained("Self2Self", "self2self", OneMovie(movie, learnt=1))), single


def _learnt_from(run: Run, simulated: datasets.DataSet, movies: datasets.DataSet) -> dict:
    """Conditions of a network that learnt from simulated images: how many, and whether the particle is among them."""
    images, movie = run.selection.images(simulated, "train"), learnt_movie(movies)
    item = next(item for item in movies.items if item["id"] == movie)
    defect = movies.manifest["recipe"]["scenes"][movie]["states"][0]["structure"]["defect"]
    names = ("particle", "support", "thickness_angstrom", "tilt_deg")
    known = [simulated.items[index] for index in dict.fromkeys(images.item.tolist())]
    same = any(one["defect"] == defect and all(one[name] == item[name] for name in names) for one in known)
    source = f"{len(images):,} simulated images, {'also' if same else 'none'} of this structure"
    return {"trained_on": source, "knows_structure": int(same)}
