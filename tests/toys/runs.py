"""A training of a few steps on the toy micrographs."""

from stemjax.data import micrographs
from stemjax.denoisers.supervised import Supervised
from stemjax.networks import DnCNN
from stemjax.training import train

IMAGING = micrographs.Imaging(sampling=0.2, counts=1.8, margin=1.0)

CROPS = micrographs.Crops(size=32, count=8, render=128)


def small_run(data, **changes) -> train.Run:
    fields = {
        "denoiser": Supervised(DnCNN(depth=3, width=4)),  # compiles sooner than a UNet
        "imaging": IMAGING,
        "crops": CROPS,
        "optimiser": train.Optimiser(schedule="cosine", warmup=2),
        "steps": 12,
        "validate_every": 4,
        "validation_per_unit": 1,
    }
    return train.Run(recipe_hash=data.recipe_hash, **fields | changes)
