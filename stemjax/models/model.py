"""A denoiser ready to use, whatever it comes from: a preset's name, a run's folder, or an object of one's own."""

import inspect
from dataclasses import dataclass, field, is_dataclass, replace
from pathlib import Path
from typing import Any

from stemjax.config import with_settings
from stemjax.denoisers.of_planes import OfPlanes
from stemjax.denoisers.protocol import is_trainable
from stemjax.models import presets


@dataclass(frozen=True)
class Model:
    """A denoiser with what it learnt.

    Parameters
    ----------
    name : str
        Of a preset, the folder of a run, or the class of an object of one's own.
    denoiser : a denoiser
        See `stemjax.denoisers`.
    variables : dict
        What it learnt; empty for a filter.
    info : dict
        Where that comes from: ``imaging``, ``digest``, ``validation_psnr_db`` and the like.
    """

    name: str
    denoiser: Any
    variables: dict = field(default_factory=dict, repr=False)
    info: dict = field(default_factory=dict, repr=False)

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels that it takes together; a single one where it takes each as an image of its own."""
        return getattr(self.info.get("imaging"), "channels", ("image",))

    @property
    def sampling(self) -> float | None:
        """Pixel size [Å] that it was trained at; None for filters."""
        imaging = self.info.get("imaging")
        return imaging.get("sampling") if isinstance(imaging, dict) else getattr(imaging, "sampling", None)

    def with_settings(self, settings) -> "Model":
        """The model with other settings of its denoiser: ("sigma=2",), or {"sigma": 2}."""
        if isinstance(settings, str):
            settings = (settings,)
        if not isinstance(settings, dict | list | tuple):
            raise ValueError(f"settings {settings!r}: give a dict, such as {{'sigma': 2}}")
        if isinstance(settings, dict):
            settings = [f"{name}={value}" for name, value in settings.items()]
        if not settings:
            return self
        if not is_dataclass(self.denoiser):
            raise ValueError(f"{self.name} has no settings: only a dataclass has")
        return replace(self, denoiser=with_settings(self.denoiser, settings))

    def parts(self, count: int) -> list[slice]:
        """The channels that go through it together, of an image that has so many.

        Raises
        ------
        ValueError
            If it needs another number.
        """
        together = len(self.channels)
        if together == 1:
            return [slice(channel, channel + 1) for channel in range(count)]
        if together != count:
            wanted = f"{self.name} denoises {together} together ({', '.join(self.channels)})"
            raise ValueError(
                f"{count} channel{'s' * (count > 1)}, but {wanted}: give all of them in one file, with --axes if need "
                "be, or train a model on this movie with --train"
            )
        return [slice(0, count)]


def load_model(model: Any = None) -> Model:
    """A model ready to use.

    Parameters
    ----------
    model : str, path, denoiser or Model, optional
        A name from `list_models`, the folder of a run, or a method of one's own: a function of an image [H, W], or an
        object with a method ``denoise(variables, noisy)`` on arrays [B, H, W, C]. By default the network that ships
        with stemjax.

    Raises
    ------
    ValueError
        If there is no such model, or it has no weights yet.
    OSError
        If the folder holds no sound run.

    Examples
    --------
    >>> load_model("gaussian").denoiser.name
    'gaussian'
    """
    if isinstance(model, Model):
        return model
    if isinstance(model, str | Path) or model is None:
        name = presets.SHIPPED if model is None else str(model)
        return Model(name, *presets.load_model(name))
    if isinstance(model, type):
        raise ValueError(f"{model.__name__} is a class: give an object of it, {model.__name__}()")
    if callable(model) and not hasattr(model, "denoise"):
        return Model(getattr(model, "__name__", "function"), OfPlanes(model))
    if not callable(getattr(model, "denoise", None)):
        raise ValueError(f"{type(model).__name__} is no denoiser: it has no method denoise(variables, noisy)")
    try:
        inspect.signature(model.denoise).bind({}, None)
    except TypeError as error:
        raise ValueError(f"{type(model).__name__}.denoise takes (variables, noisy, key=None): {error}") from error
    if is_trainable(model):
        raise ValueError(
            f"{type(model).__name__} learns: train it first, stemjax.train(denoiser, movie), and give what that returns"
        )
    return Model(getattr(model, "name", type(model).__name__), model)
