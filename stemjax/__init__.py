"""stemjax: benchmarks for denoising atomic-resolution electron microscopy, in JAX.

    import stemjax

    movie = stemjax.read("movie.tif")                 # an Image: data, pixel size, metadata
    model = stemjax.train("noise2void", movie)        # or stemjax.load_model("sbd-unet-small"), or a run's folder
    result = stemjax.denoise(movie, model)            # an Image; an array in, an array out
    stemjax.score(result, clean=truth)                # or without truth: uPSNR with its interval
    stemjax.write(result, "movie_denoised.tif")

`stemjax.denoise(x, MyMethod())` takes an object with a method ``denoise(variables, noisy)``, and
`stemjax.benchmark(MyMethod(), "pt-ceo2")` shows where it would stand on a leaderboard.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from stemjax.apply.denoise import denoise, score
    from stemjax.apply.learning import train
    from stemjax.files import Image, read, write
    from stemjax.leaderboard.trial import benchmark
    from stemjax.models.catalogue import list_models
    from stemjax.models.model import Model, load_model

_HOMES = {
    "stemjax.files": ("Image", "read", "write"),
    "stemjax.models.catalogue": ("list_models",),
    "stemjax.models.model": ("Model", "load_model"),
    "stemjax.apply.denoise": ("denoise", "score"),
    "stemjax.apply.learning": ("train",),
    "stemjax.leaderboard.trial": ("benchmark",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Image",
    "Model",
    "benchmark",
    "denoise",
    "list_models",
    "load_model",
    "read",
    "score",
    "train",
    "write",
]


def __getattr__(name: str):
    """The public functions, imported when they are asked for: `import stemjax` loads nothing heavy."""
    if name not in _HOME:
        raise AttributeError(f"module 'stemjax' has no attribute {name!r}")
    public = getattr(import_module(_HOME[name]), name)
    return public if isinstance(public, type) else import_module("stemjax.apply.words").speaks_python(public)


def __dir__() -> list[str]:
    return ["__version__", *__all__]
