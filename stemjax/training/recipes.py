"""How the methods are trained: one recipe for each family, at each size.

A recipe is a function ``(denoiser, size, recipe_hash, seed=0, **changes) -> Run``.
"""

import math
from dataclasses import replace

from stemjax.data import micrographs
from stemjax.data.atoms import StillCrops, StillImaging, Stills
from stemjax.data.au_graphene import GrapheneImaging
from stemjax.data.crops import ClipCrops, MovieCrops
from stemjax.data.haadf_pt import HaadfImaging
from stemjax.data.hrtem_movies import IMAGING
from stemjax.data.image_folder import RecordedPatches
from stemjax.data.images import Frames
from stemjax.data.recordings import RecordedClips, RecordedFrames, RecordedImaging, RecordedMovie, Recording
from stemjax.denoisers.autoencoder import MultiResolutionAutoencoder
from stemjax.denoisers.laine import Laine
from stemjax.denoisers.movie_autoencoder import MovieAutoencoder
from stemjax.denoisers.noise2atom import Noise2Atom
from stemjax.denoisers.noise2self import Noise2Self
from stemjax.denoisers.noise2void import Noise2Void
from stemjax.denoisers.protocol import ask, takes_movies
from stemjax.denoisers.self2self import Self2Self
from stemjax.denoisers.udvd import UDVD
from stemjax.denoisers.wcvd import WCVD
from stemjax.metrics.field_of_view import pooling_period
from stemjax.training.train import Optimiser, Run

# At a tilt of 4 degrees the wrapped strip of a 60 Å thick model is wider than the 2 Å of the default.
_MARGIN = 4.5
# The paper's conditions are the defaults of the dataclasses: 0.45 counts on pixels of 0.0624 Å, 116 e/Å². Size cpu has
# the 188 e/Å² of the paper's images before it resizes them, on pixels of 0.098 Å: with 116 little is learnt in minutes.
# Half of a field of view of 41 px, 2.0 Å, stays below the Pt spacing of 2.44 Å; in the paper it is 1.3 Å.
_COARSE = micrographs.Imaging(sampling=0.0979, counts=1.8, margin=_MARGIN)
_COARSE_CROPS = micrographs.Crops(size=128, count=2, render=512)  # as the search of Table 5.1 chose for the UNet
_SHORT = Optimiser(learning_rate=2e-3, schedule="cosine", warmup=20)
SBD_TRAINING = {
    "gpu": {
        "imaging": micrographs.Imaging(margin=_MARGIN),
        "optimiser": Optimiser(learning_rate=1e-3),
        "steps": 40_000,
        "validate_every": 500,
        "early_stopping": 12,
    },
    "cpu": {
        "imaging": _COARSE,
        "crops": _COARSE_CROPS,
        "optimiser": _SHORT,
        "steps": 2000,
        "validate_every": 500,
        "validation_per_unit": 2,
    },
    "smoke": {
        "imaging": replace(_COARSE, sampling=2 * _COARSE.sampling, counts=4 * _COARSE.counts),
        "crops": micrographs.Crops(size=32, count=2, render=256),
        "optimiser": replace(_SHORT, warmup=2),
        "steps": 8,
        "validate_every": 4,
        "validation_per_unit": 1,
    },
}


def sbd_run(denoiser, size: str, recipe_hash: str, seed: int = 0, **changes) -> Run:
    """The training of a supervised denoiser at one of the sizes, with `changes` to the fields of `Run`."""
    return Run(denoiser=denoiser, recipe_hash=recipe_hash, seed=seed, **SBD_TRAINING[size] | changes)


# The paper's own conditions at the information limit: its images hold nothing beyond about 1/Å, so the counts of 4 x 4
# of its pixels are summed (0.25 Å, 7.2 counts). A crop of 128 px is 32 Å.
# Some batches have 200 times the usual gradient. Clipped at 0.2 the loss still jumps; the averaged weights do not.
_LIMIT = micrographs.Imaging(sampling=0.2496, counts=16 * micrographs.VACUUM_COUNTS, margin=_MARGIN, binning=4)
FINE_TRAINING = {
    "imaging": _LIMIT,
    "crops": micrographs.Crops(size=128, count=2, render=512),
    "optimiser": Optimiser(learning_rate=1e-3, schedule="cosine", warmup=500, clip=0.2),
    "steps": 75_000,
    "validate_every": 500,
    "validation_per_unit": 6,
    "averaging": 0.999,
}


def fine_run(denoiser, size: str, recipe_hash: str, seed: int = 0, **changes) -> Run:
    """The long training of a supervised denoiser under the paper's conditions, with `changes` to the fields of `Run`.

    150,000 crops: hours on a CPU. `size` is of the data alone: the 855 exit waves of size gpu are meant.
    """
    short = {} if size != "smoke" else SBD_TRAINING["smoke"] | {"imaging": _LIMIT}
    return Run(denoiser=denoiser, recipe_hash=recipe_hash, seed=seed, **FINE_TRAINING | short | changes)


ATOMS_TRAINING = FINE_TRAINING | {  # as long
    "imaging": StillImaging(),
    "selection": Stills(),
    "crops": StillCrops(size=128, count=2),
    "validation_per_unit": 16,
}


def atoms_run(denoiser, size: str, recipe_hash: str, seed: int = 0, **changes) -> Run:
    """The long training of a blind denoiser on images of atoms of any kind, with `changes` to the fields of `Run`.

    150,000 crops: hours on a CPU. `size` is of the data alone: the stills of size gpu are meant.
    """
    short = {"crops": StillCrops(size=32), "steps": 6, "validate_every": 3, "validation_per_unit": 1}
    return Run(denoiser, recipe_hash, seed=seed, **ATOMS_TRAINING | (short if size == "smoke" else {}) | changes)


# The paper trains on every other frame of its movies: Adam at 1e-5, 32 epochs of 8475 frames of 512 px. Its batch is
# not told; with 8 that makes 33,900 steps.
N2V_TRAINING = {
    "gpu": {
        "crops": MovieCrops(size=512, count=8),
        "optimiser": Optimiser(learning_rate=1e-5, schedule="cosine"),
        "steps": 33_900,
        "validate_every": 300,
    },
    "cpu": {
        "crops": MovieCrops(size=64, count=8),
        "optimiser": Optimiser(learning_rate=3e-3, schedule="cosine", warmup=20),
        "steps": 1200,
        "validate_every": 200,
    },
    "smoke": {
        "crops": MovieCrops(size=32, count=4),
        "optimiser": Optimiser(learning_rate=3e-3, schedule="cosine", warmup=2),
        "steps": 6,
        "validate_every": 3,
    },
}


def n2v_run(denoiser: Noise2Void | Noise2Self, size: str, recipe_hash: str, seed: int = 0, **changes) -> Run:
    """The training of Noise2Void, or of Noise2Self alike, at one of the sizes, with `changes` to the fields of `Run`.

    It learns from every other frame of the movies of one session, in as many of the channels (ADF, BF) as its network
    has.
    """
    channels = ("adf", "bf")[: denoiser.network.channels_out]
    common = {"imaging": GrapheneImaging(channels=channels), "selection": Frames(stride=2), "validation_per_unit": 2}
    return Run(denoiser=denoiser, recipe_hash=recipe_hash, seed=seed, **common | N2V_TRAINING[size] | changes)


# The paper trains on 20 frames of 1024 px for 300 epochs, Adam at 1e-3; its batch is not told. Here a step is one movie
# of two, so that 600 steps are 300 epochs. Size cpu has 100 epochs at ten times that rate.
WCVD_TRAINING = {
    "gpu": {
        "crops": ClipCrops(size=0),
        "optimiser": Optimiser(learning_rate=1e-3, factor=1.0),
        "steps": 600,
        "validate_every": 20,
    },
    "cpu": {
        "crops": ClipCrops(size=256, frames=20),
        "optimiser": Optimiser(learning_rate=1e-2, schedule="cosine"),
        "steps": 200,
        "validate_every": 10,
    },
    "smoke": {
        "crops": ClipCrops(size=32, frames=4, count=2),
        "optimiser": Optimiser(learning_rate=1e-2, schedule="cosine"),
        "steps": 6,
        "validate_every": 3,
    },
}


def wcvd_run(denoiser: WCVD, size: str, recipe_hash: str, seed: int = 0, **changes) -> Run:
    """The training of WCVD or WCID on the movies of Pt at one of the sizes, with `changes` to the fields of `Run`."""
    common = {"imaging": IMAGING["pt"], "selection": Frames(session=("pt",))}
    return Run(denoiser=denoiser, recipe_hash=recipe_hash, seed=seed, **common | WCVD_TRAINING[size] | changes)


# What the papers say: UDVD, batches of 8 crops of 128 px, Adam at 1e-4; Laine et al., 4 crops of 256 px, Adam at 3e-4;
# Self2Self, one whole image, Adam at 1e-4, 150,000 steps. Of the autoencoder they say nothing. The other numbers are
# ours, and those of size cpu were tried on toys alone. UDVD and Laine's network stop early by the loss on held-out
# movies, as in the SBD paper; Self2Self learns one image by heart, which is what it is for.
CLIP_TRAINING = {
    UDVD: {
        "gpu": {
            "crops": ClipCrops(size=128, frames=5, count=8, flip=True),
            "optimiser": Optimiser(learning_rate=1e-4, schedule="cosine"),
            "steps": 20_000,
            "validate_every": 500,
            "early_stopping": 12,
        },
        "cpu": {
            "crops": ClipCrops(size=128, frames=5, count=1, flip=True),
            "optimiser": Optimiser(learning_rate=3e-3, schedule="cosine", warmup=20),
            "steps": 200,
            "validate_every": 50,
        },
    },
    Laine: {
        "gpu": {
            "crops": ClipCrops(size=256, frames=1, count=4, flip=True),
            "optimiser": Optimiser(learning_rate=3e-4, schedule="cosine"),
            "steps": 50_000,
            "validate_every": 500,
            "early_stopping": 12,
        },
        "cpu": {
            "crops": ClipCrops(size=128, frames=1, count=1, flip=True),
            "optimiser": Optimiser(learning_rate=3e-3, schedule="cosine", warmup=20),
            "steps": 600,
            "validate_every": 100,
        },
    },
    Self2Self: {
        "gpu": {
            "crops": ClipCrops(size=0, frames=1),
            "optimiser": Optimiser(learning_rate=1e-4, factor=1.0),
            "steps": 150_000,
            "validate_every": 5000,
        },
        "cpu": {
            "crops": ClipCrops(size=128, frames=1),
            "optimiser": Optimiser(learning_rate=3e-3, schedule="cosine", warmup=20),
            "steps": 1000,
            "validate_every": 100,
        },
    },
    MovieAutoencoder: {
        "gpu": {
            "crops": ClipCrops(size=128, frames=1, count=16),
            "optimiser": Optimiser(learning_rate=1e-3, schedule="cosine"),
            "steps": 24_000,
            "validate_every": 500,
        },
        "cpu": {
            "crops": ClipCrops(size=64, frames=1, count=8),
            "optimiser": Optimiser(learning_rate=3e-3, schedule="cosine", warmup=20),
            "steps": 1000,
            "validate_every": 100,
        },
    },
}


def clip_run(denoiser, size: str, recipe_hash: str, seed: int = 0, **changes) -> Run:
    """The training of the methods above on the movies of Pt at one of the sizes, with `changes` to the fields of `Run`.

    Size smoke is that of cpu, cut short: crops of 32 px, 6 steps.
    """
    known = CLIP_TRAINING[type(denoiser)]
    recipe = known.get(size, known["cpu"])
    if size == "smoke":
        crops = recipe["crops"]
        crops = replace(crops, size=32, frames=min(crops.frames, 5), count=2)
        recipe = recipe | {"crops": crops, "steps": 6, "validate_every": 3}
    common = {"imaging": IMAGING["pt"], "selection": Frames(session=("pt",))}
    return Run(denoiser=denoiser, recipe_hash=recipe_hash, seed=seed, **common | recipe | changes)


# The authors' script: Adam at 1e-3, 200 times through 900 tiles of 512 px in batches of 16.
AUTOENCODER_TRAINING = {
    "gpu": {
        "crops": MovieCrops(size=512, count=16),
        "optimiser": Optimiser(learning_rate=1e-3, factor=1.0),
        "steps": 11_250,
        "validate_every": 250,
    },
    "cpu": {
        "crops": MovieCrops(size=64, count=8),
        "optimiser": Optimiser(learning_rate=2e-3, schedule="cosine", warmup=20),
        "steps": 3000,
        "validate_every": 300,
    },
    "smoke": {
        "crops": MovieCrops(size=32, count=4),
        "optimiser": Optimiser(learning_rate=2e-3, schedule="cosine", warmup=2),
        "steps": 6,
        "validate_every": 3,
    },
}


def autoencoder_run(denoiser: MultiResolutionAutoencoder, size: str, recipe_hash: str, seed: int = 0, **changes) -> Run:
    """The training of the autoencoder of Wang et al. on the movies of Pt on 20 nm of carbon at one of the sizes, with
    `changes` to the fields of `Run`."""
    common = {"imaging": HaadfImaging(), "selection": Frames(session=("film-20nm",)), "validation_per_unit": 2}
    return Run(denoiser=denoiser, recipe_hash=recipe_hash, seed=seed, **common | AUTOENCODER_TRAINING[size] | changes)


# The paper: RMSprop at a constant 5e-5, batches of 6 crops of 128 px (3 in the program), 1024 x 64 steps. Size cpu has
# the program's batch, a rate at which a thousand steps bring a narrow network somewhere, and a validation so often that
# a training with inverted contrast begins again before it has lost much.
NOISE2ATOM_TRAINING = {
    "gpu": {
        "crops": MovieCrops(size=128, count=6),
        "optimiser": Optimiser(learning_rate=5e-5, factor=1.0, rule="rmsprop"),
        "steps": 65_536,
        "validate_every": 1024,
    },
    "cpu": {
        "crops": MovieCrops(size=64, count=3),
        "optimiser": Optimiser(learning_rate=3e-4, factor=1.0, rule="rmsprop"),
        "steps": 1000,
        "validate_every": 50,
    },
    "smoke": {
        "crops": MovieCrops(size=32, count=2),
        "optimiser": Optimiser(learning_rate=3e-4, factor=1.0, rule="rmsprop"),
        "steps": 4,
        "validate_every": 2,
    },
}


def noise2atom_run(denoiser: Noise2Atom, size: str, recipe_hash: str, seed: int = 0, **changes) -> Run:
    """The training of Noise2Atom on the movies of Pt on carbon at one of the sizes, with `changes` to fields of `Run`.

    All frames of the training movies on the thinner film; checkpoints are judged by the cycles on held-out movies. Size
    smoke has networks of few layers and one update of the critic in a step, since more take minutes to compile.
    """
    if size == "smoke":
        small = denoiser.network.clone(width=4, residuals=1), denoiser.critic.clone(width=4)
        denoiser = replace(denoiser, network=small[0], critic=small[1], critic_steps=1)
    common = {"imaging": HaadfImaging(), "selection": Frames(session=("film-20nm",)), "validation_per_unit": 2}
    return Run(denoiser=denoiser, recipe_hash=recipe_hash, seed=seed, **common | NOISE2ATOM_TRAINING[size] | changes)


# On a recording; others that learn from single images are trained as Noise2Void is.
RECORDED_TRAINING = {MultiResolutionAutoencoder: AUTOENCODER_TRAINING, Noise2Atom: NOISE2ATOM_TRAINING}
PATIENCE = 5  # validations without a gain before the training on a recording ends
VALIDATIONS = 20  # of the training on a recording


def learns_from_clips(denoiser) -> bool:
    """Whether a self-supervised denoiser takes each channel of a recording as a movie by itself, or all together, as
    Noise2Void, Noise2Self and the autoencoder of Wang et al. do."""
    return takes_movies(denoiser) or type(denoiser) in CLIP_TRAINING


def holds_out_pixels(denoiser) -> bool:
    """Whether its loss can leave out pixels of an image, so that a single one is enough to learn and to validate."""
    return isinstance(denoiser, Noise2Void | Noise2Self)


def recorded_run(denoiser, size: str, data: Recording, seed: int = 0, **changes) -> Run:
    """The training of a self-supervised denoiser on a movie from a file: its recipe with crops that fit the movie.

    It stops early, but for WCVD, whose 867 parameters learn nothing by heart. Self2Self learns from all frames, as it
    is to denoise them; the others are judged by frames held out.

    Raises
    ------
    ValueError
        If the frames are smaller than the network's coarsest pixel, or too few.
    """
    if learns_from_clips(denoiser):
        return _recorded_clips(denoiser, size, data, seed, **changes)
    height, width = data.movie.shape[1:3]
    training = RECORDED_TRAINING.get(type(denoiser), N2V_TRAINING)[size]
    recipe, period = training | changes, pooling_period(denoiser.network)
    side = min(recipe["crops"].size, min(height, width) // period * period)
    if not side:
        raise ValueError(f"{data.path}: frames of {height} x {width} pixels, but the network needs {period} x {period}")
    fitted = {
        "imaging": RecordedImaging(recorded_channels(data), data.sampling),
        "selection": _selection(data, side),
        "validate_every": max(recipe["steps"] // VALIDATIONS, 1),
        "early_stopping": PATIENCE,
    }
    crops = {"crops": replace(recipe["crops"], size=side)}  # those of `changes` are fitted, too
    return Run(denoiser=denoiser, recipe_hash=data.recipe_hash, seed=seed, **training | fitted | changes | crops)


def recorded_channels(data: Recording) -> tuple[str, ...]:
    """Names for the channels of a recording."""
    count = data.movie.shape[-1]
    return ("image",) if count == 1 else tuple(f"channel {index}" for index in range(count))


def _selection(data: Recording, side: int) -> RecordedFrames | RecordedPatches:
    """Whole frames where all of them fit into their budget, else pieces for crops of that side."""
    whole = RecordedFrames()
    if 4 * math.prod(data.movie.shape) <= whole.budget:
        return whole
    return RecordedPatches(min(2 * side, *data.movie.shape[1:3]))


def _recorded_clips(denoiser, size: str, data: Recording, seed: int, **changes) -> Run:
    recipe = clip_run if type(denoiser) in CLIP_TRAINING else wcvd_run
    run = recipe(denoiser, size, data.recipe_hash, seed, **changes)
    before, after = ask(denoiser, "frames") or (0, 0)
    selection = RecordedClips(len(data.movie) if isinstance(denoiser, Self2Self) else before + 1 + after)
    frames = min(len(selection.images(data, split)) for split in ("train", "validation"))
    side = min(run.crops.size, *data.movie.shape[1:3])
    fitted = {
        "imaging": RecordedMovie(data.sampling),
        "selection": selection,
        "crops": replace(run.crops, size=side, frames=min(run.crops.frames, frames)),
        "validate_every": max(run.steps // VALIDATIONS, 1),
        "early_stopping": PATIENCE if recipe is clip_run else 0,
    }
    return replace(run, **fitted | changes)
