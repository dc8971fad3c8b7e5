"""Denoising methods: one file, one frozen dataclass each.

A denoiser has a pure method ``denoise(variables, noisy, key=None) -> denoised`` on float32 [B, H, W, C] in counts.
Trainable ones add ``init(key, sample) -> variables`` and ``loss(variables, batch, key) -> (loss, (new_state,
measurements))``; a trainable one that needs statistics of a whole image takes them in ``prepare(variables, noisy) ->
variables``, before the image is cut in tiles. Classical filters have no variables, and a class attribute `tunable` with
the values to try on the validation split. One that needs a package which stemjax does not install by itself names it in
a class attribute `requires`.

A configuration is plain JSON: ``{"class": "supervised.Supervised", "network": {"class": "unet.UNet", ...}}`` with the
fields that differ from their defaults, so a new field with its default changes neither a configuration nor its hash.
Where a method was mended, that must not be so: a field marked `WRITTEN` is in every configuration, and one without it
is of the method as it was before, and refused.
"""

import dataclasses
import importlib
import importlib.util
from collections.abc import Iterator, Sequence

_PACKAGES = ("stemjax.denoisers", "stemjax.networks", "stemjax")
_FLAX_FIELDS = ("parent", "name")
WRITTEN = {"written": True}  # metadata of a field that a configuration always names


def to_config(denoiser) -> dict:
    """The JSON form of a denoiser or network: its class and the fields that differ from their defaults."""
    module = type(denoiser).__module__.rpartition(".")[2]
    config = {"class": f"{module}.{type(denoiser).__name__}"}
    for field in dataclasses.fields(denoiser):
        value = getattr(denoiser, field.name)
        if field.name in _FLAX_FIELDS or not field.init:
            continue
        if value == _default(field) and not _is_written(field):
            continue
        config[field.name] = _to_plain(value)
    return config


def _to_plain(value):
    if dataclasses.is_dataclass(value):
        return to_config(value)
    return [_to_plain(part) for part in value] if isinstance(value, tuple) else value


def _from_plain(value):
    if isinstance(value, dict):
        return from_config(value)
    return tuple(_from_plain(part) for part in value) if isinstance(value, list) else value


def from_config(config: dict):
    """The denoiser or network that `to_config` described.

    Raises
    ------
    ValueError
        If the class or one of its fields is unknown here, or the configuration is of a method that was mended since;
        the message names it.
    """
    cls, fields = class_of(config), {name: value for name, value in config.items() if name != "class"}
    unknown = set(fields) - {field.name for field in dataclasses.fields(cls)}
    if unknown:
        raise ValueError(f"{config['class']} has no field {sorted(unknown)[0]!r} in this version of stemjax")
    if missing := [field.name for field in dataclasses.fields(cls) if _is_written(field) and field.name not in fields]:
        raise ValueError(f"{config['class']} without {missing[0]!r} is from before it was mended: train anew")
    return cls(**{name: _from_plain(value) for name, value in fields.items()})


def class_of(config: dict) -> type:
    """The class of a configuration.

    Raises
    ------
    ValueError
        If there is none of that name here.
    """
    module_name, _, class_name = config["class"].rpartition(".")
    cls = next((c for p in _PACKAGES if (c := _find(f"{p}.{module_name}", class_name))), None)
    if cls is None:
        raise ValueError(f"unknown method or network {config['class']!r}; this version of stemjax does not have it")
    return cls


def with_settings(chosen, settings: Sequence[str]):
    """A denoiser, or a way of imaging, with some of its fields set.

    Parameters
    ----------
    settings : sequence of str
        Each "FIELD=VALUE", the value a number, a word, or true or false, as the field has one; a field of a part, such
        as its network, is "network.FIELD".

    Raises
    ------
    ValueError
        If there is no such field, or the value is not one for it.
    """
    known, changes = dict(_plain_fields(chosen)), {}
    for setting in settings:
        name, found, text = setting.partition("=")
        if not found or name not in known:
            fields = ", ".join(f"{field}={str(value).lower()}" for field, value in known.items()) or "none"
            owner = getattr(chosen, "name", type(chosen).__name__)
            raise ValueError(f"{owner} has no setting {setting!r}; it has {fields}")
        try:
            changes[name] = _parsed(text, type(known[name]))
        except ValueError:
            kind = {bool: "true or false", int: "a whole number", float: "a number"}[type(known[name])]
            raise ValueError(f"{setting}: {name} is {kind}") from None
    return _replaced(chosen, changes)


def _plain_fields(thing, above: str = "") -> Iterator[tuple[str, bool | int | float | str]]:
    """Fields that one word can set, those of the parts after their own."""
    own = [field.name for field in dataclasses.fields(thing)]
    values = {name: getattr(thing, name) for name in own if not (_is_module(thing) and name in _FLAX_FIELDS)}
    yield from ((above + name, v) for name, v in values.items() if isinstance(v, bool | int | float | str))
    for name, value in values.items():
        if dataclasses.is_dataclass(value):
            yield from _plain_fields(value, f"{above}{name}.")


def _replaced(thing, changes: dict):
    """With fields changed, also those of parts: "part.field"."""
    own = {name: value for name, value in changes.items() if "." not in name}
    for part in dict.fromkeys(name.partition(".")[0] for name in changes if "." in name):
        of_part = {name.partition(".")[2]: value for name, value in changes.items() if name.startswith(f"{part}.")}
        own[part] = _replaced(getattr(thing, part), of_part)
    return thing.clone(**own) if _is_module(thing) else dataclasses.replace(thing, **own)


def _is_module(thing) -> bool:
    """Whether it is a Flax module, which has fields of its own beside ours."""
    return hasattr(thing, "clone")


def _parsed(text: str, kind: type):
    if kind is not bool:
        return kind(text)
    if text not in ("true", "false"):
        raise ValueError
    return text == "true"


def missing_package(denoiser) -> str:
    """The package that a denoiser `requires` and that is not installed here; empty if there is none."""
    package = getattr(denoiser, "requires", "")
    return package if package and importlib.util.find_spec(package) is None else ""


def _find(module: str, name: str):
    if not module.rpartition(".")[2].isidentifier() or importlib.util.find_spec(module) is None:
        return None
    return getattr(importlib.import_module(module), name, None)


def _is_written(field: dataclasses.Field) -> bool:
    return field.metadata.get("written", False)


def _default(field: dataclasses.Field):
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default
