"""How the methods are trained: one recipe for each family, at each size.

A recipe is a function ``(denoiser, size, recipe_hash, seed=0, **changes) -> Run``.
"""

from dataclasses import replace

from stemjax import batches
from stemjax.denoisers.noise2void import Noise2Void
from stemjax.inference import pooling_period
from stemjax.movies import Frames, GrapheneImaging, MovieCrops
from stemjax.recordings import RecordedFrames, RecordedImaging, Recording
from stemjax.train import Optimiser, Run

# At a tilt of 4 degrees the wrapped strip of a 60 Å thick model is wider than the 2 Å of the default.
_MARGIN = 4.5
# The paper's conditions are the defaults of the dataclasses: 0.45 counts on pixels of 0.0624 Å, 116 e/Å². Size cpu has
# the 188 e/Å² of the paper's images before it resizes them, on pixels of 0.098 Å: with 116 little is learnt in minutes.
# Half of a field of view of 41 px, 2.0 Å, stays below the Pt spacing of 2.44 Å; in the paper it is 1.3 Å.
_COARSE = batches.Imaging(sampling=0.0979, counts=1.8, margin=_MARGIN)
_COARSE_CROPS = batches.Crops(size=128, count=2, render=512)  # as the search of Table 5.1 chose for the UNet
_SHORT = Optimiser(learning_rate=2e-3, schedule="cosine", warmup=20)
SBD_TRAINING = {
    "gpu": {
        "imaging": batches.Imaging(margin=_MARGIN),
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
        "imaging": _COARSE,
        "crops": batches.Crops(size=64, count=4, render=512),
        "optimiser": _SHORT,
        "steps": 40,
        "validate_every": 20,
        "validation_per_unit": 1,
    },
}


def sbd_run(denoiser, size: str, recipe_hash: str, seed: int = 0, **changes) -> Run:
    """The training of a supervised denoiser at one of the sizes, with `changes` to the fields of `Run`."""
    return Run(denoiser=denoiser, recipe_hash=recipe_hash, seed=seed, **SBD_TRAINING[size] | changes)


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
        "optimiser": Optimiser(learning_rate=3e-3, schedule="cosine", warmup=5),
        "steps": 20,
        "validate_every": 10,
    },
}


def n2v_run(denoiser: Noise2Void, size: str, recipe_hash: str, seed: int = 0, **changes) -> Run:
    """The training of Noise2Void at one of the sizes, with `changes` to the fields of `Run`.

    It learns from every other frame of the movies of one session, in as many of the channels (ADF, BF) as its network
    has.
    """
    channels = ("adf", "bf")[: denoiser.network.channels_out]
    common = {"imaging": GrapheneImaging(channels=channels), "selection": Frames(stride=2), "validation_per_unit": 2}
    return Run(denoiser=denoiser, recipe_hash=recipe_hash, seed=seed, **common | N2V_TRAINING[size] | changes)


PATIENCE = 5  # validations without a gain before the training on a recording ends
VALIDATIONS = 20  # of the training on a recording


def recorded_run(denoiser: Noise2Void, size: str, data: Recording, seed: int = 0, **changes) -> Run:
    """The training of Noise2Void on a movie from a file: as `n2v_run`, with early stopping and crops that fit it.

    Raises
    ------
    ValueError
        If the frames are smaller than the network's coarsest pixel.
    """
    height, width, channels = data.movie.shape[1:]
    recipe, period = N2V_TRAINING[size] | changes, pooling_period(denoiser.network)
    side = min(recipe["crops"].size, min(height, width) // period * period)
    if not side:
        raise ValueError(f"{data.path}: frames of {height} x {width} pixels, but the network needs {period} x {period}")
    names = ("image",) if channels == 1 else tuple(f"channel {index}" for index in range(channels))
    fitted = {
        "imaging": RecordedImaging(names, data.sampling),
        "selection": RecordedFrames(),
        "crops": replace(recipe["crops"], size=side),
        "validate_every": max(recipe["steps"] // VALIDATIONS, 1),
        "early_stopping": PATIENCE,
    }
    return Run(denoiser=denoiser, recipe_hash=data.recipe_hash, seed=seed, **N2V_TRAINING[size] | fitted | changes)
