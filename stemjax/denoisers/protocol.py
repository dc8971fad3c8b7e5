"""The whole contract of a denoiser on one page: what it may have, who asks for it, and when.

A denoiser is a frozen dataclass of any class; nothing is inherited from here. Its fields are its settings, by name in
configurations. Its public methods and class attributes are those below, and no others. All but `Denoiser` is optional:
who needs a member calls ``ask(denoiser, "frames")``, which gives the default of `OPTIONAL` where the method has none.

- **Arrays** are float32: images [B, H, W, C], movies [B, T, H, W, C], in counts (electrons per pixel) unless the method
  says otherwise. A denoised array has shape and unit of the noisy one.
- **Variables** are a dict of collections: `params`, what the optimiser moves; `normalisation`, what `prepare` stores;
  `batch_stats` or others that training carries along; `place`, where a tile lies in its image. A filter has none: {}.
- **Pure**: methods give new values and change nothing. JAX compiles `init`, `denoise`, `loss` and `update`, so they
  compute with `jax.numpy`; a filter that computes with NumPy or SciPy says so by `on_host`.
"""

from __future__ import annotations  # the command line asks, too, before JAX is loaded

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import jax
    import numpy as np

    Batch = Mapping[str, jax.Array]


class Denoiser(Protocol):
    """What every denoiser has."""

    @property
    def name(self) -> str:
        """A short name for messages, such as "gaussian"; mostly a ClassVar."""

    def denoise(self, variables: dict, noisy: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """Denoised images [B, H, W, C], each as if it were alone; of a denoiser with `frames`, movies [B, T, H, W, C].

        Called by `apply.inference` for every image, tile or window of frames, and by `training.validation`. A random
        method uses `key`, and without one always the same draws.
        """


class Filter(Protocol):
    """What a method without training may have."""

    tunable: dict[str, tuple]
    """Field -> values for `apply.evaluate.tune` to try on the validation images. {}: nothing to choose."""
    on_host: bool
    """True: `denoise` computes with NumPy or SciPy. It is given NumPy arrays, copies of its own, and not compiled."""
    requires: str
    """A package that stemjax does not install by itself; without it tables say "not run"."""


class Trainable(Protocol):
    """What a trained method has. `training.train` does the rest."""

    network: Any
    """A flax module (`stemjax.networks`) with `geometry()`, by which images are tiled. Filters have none."""
    self_supervised: bool
    """True: learns from noisy images alone. Then its checkpoints are chosen by `loss`, never by clean images."""

    def init(self, key: jax.Array, sample: jax.Array) -> dict:
        """Fresh variables, `params` among them, for arrays like `sample` [1, H, W, C] or [1, T, H, W, C]. Called once,
        before a training. Having it makes a method trainable."""

    def loss(self, variables: dict, batch: Batch, key: jax.Array) -> tuple[jax.Array, tuple[dict, dict]]:
        """``(loss, (new_state, measurements))``: a scalar; the collections that training changes beside `params`; and
        scalars for the log, "loss" among them. Called in every step, and differentiated by `params`.

        ``batch["noisy"]`` is always there; ``batch["clean"]`` where it is known; from movies also their normalisation.
        """


class OwnUpdate(Protocol):
    """For a training that is not one gradient of one loss (Noise2Atom), or that has to be watched (WCVD)."""

    def start(self, params: dict, init: Callable) -> Any:
        """The optimiser's state before the first step; ``init(params)`` gives that of some parameters."""

    def update(self, variables: dict, optimiser: Any, batch: Batch, key: jax.Array, descend: Callable) -> tuple:
        """One step: ``(variables, optimiser, measurements)``. Called instead of a gradient step along `loss`.

        ``descend(gradients, optimiser, params, updates_per_step=1)`` gives ``(params, optimiser)``.
        """

    def finished(self, measurements: dict[str, float]) -> bool:
        """Whether to end early, by the mean measurements since the last validation. Called after each, not compiled."""

    def revive(self, variables: dict, measurements: dict, means: dict, key: jax.Array) -> dict:
        """The variables, or others where a part of them learns nothing any more, by the last measurements and their
        means. Called after every validation in the first half of a training, not compiled."""


class WholeImage(Protocol):
    """For a method that needs to know the whole image, though it is applied to tiles; or a whole movie."""

    whole: bool
    """True: has a network, but is applied to whole images alone."""

    def prepare(self, variables: dict, noisy: jax.Array) -> dict:
        """The variables with a collection `normalisation`, from whole images [B, H, W, C]. Called before an image is
        cut in tiles. Where `denoise` finds no `normalisation`, it takes that of what it is given."""

    def prepare_movie(self, variables: dict, frames: Iterable[np.ndarray]) -> dict:
        """As `prepare`, once for a movie of any length, whose frames [H, W, C] come one by one and are then denoised
        one by one."""

    def warnings(self, variables: dict, noisy: jax.Array, denoised: jax.Array) -> list[str]:
        """What a user should know of denoised images [B, H, W, C], such as inverted contrast: printed by
        `stemjax denoise` for the first frame."""


class OfMovies(Protocol):
    """For a method that sees each frame with its neighbours. Having `frames` makes it one: it takes movies."""

    frames: tuple[int, int]
    """Frames that it looks at before and after the one that it denoises."""
    memory_channels: int
    """float32 values that `denoise` holds for each pixel, which limits the window; default: the network's width."""

    def denoise_valid(self, variables: dict, noisy: jax.Array) -> jax.Array:
        """Of movies [B, T, H, W, C] the frames that have all neighbours, [B, T - before - after, H, W, C]. Called by
        `apply.live` for frames as they come; without it `denoise` is called, and only the frame in the middle kept."""


OPTIONAL: Mapping[str, Any] = MappingProxyType(
    {
        **{"tunable": MappingProxyType({}), "on_host": False, "requires": ""},
        **{"network": None, "self_supervised": False, "init": None, "loss": None},
        **{"start": None, "update": None, "finished": None, "revive": None},
        **{"whole": False, "prepare": None, "prepare_movie": None, "warnings": None},
        **{"frames": None, "memory_channels": None, "denoise_valid": None},
    }
)
"""Every optional member, and what holds for a method without it; None stands for a method that is not there."""


def ask(denoiser: Any, name: str) -> Any:
    """An optional member of a denoiser or of its class, or the default.

    Raises
    ------
    KeyError
        If the page above does not know the name.

    Examples
    --------
    >>> from stemjax.denoisers.gaussian import Gaussian
    >>> ask(Gaussian(), "on_host"), ask(Gaussian(), "init")
    (False, None)
    """
    return getattr(denoiser, name, OPTIONAL[name])


def is_trainable(denoiser: Any) -> bool:
    """Whether it is trained before it is used."""
    return ask(denoiser, "init") is not None


def takes_movies(denoiser: Any) -> bool:
    """Whether it takes movies [B, T, H, W, C]; otherwise images [B, H, W, C]."""
    return ask(denoiser, "frames") is not None


@contextmanager
def compiling(denoiser: Any) -> Iterator[None]:
    """Where JAX compiles a denoiser: what it says of NumPy code becomes a line that says what to write.

    Raises
    ------
    ValueError
        If the method computes with NumPy or SciPy.
    """
    from jax import errors

    try:
        yield
    except Exception as error:
        by_jax = isinstance(error, errors.JAXTypeError | errors.JAXIndexError)
        if not by_jax and not any(sign in str(error) for sign in ("Tracer", "item assignment")):
            raise
        name = type(denoiser).__name__
        raise ValueError(
            f"{name}.denoise runs NumPy, SciPy or Python code on pixels, which JAX cannot compile: write "
            f"`on_host: ClassVar[bool] = True` in the class {name}, or compute with jax.numpy"
        ) from error
