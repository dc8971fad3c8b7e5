"""What a run, a record and a file say about how they were made: dataclasses as JSON and back, and settings by name.

A configuration is plain JSON: ``{"class": "supervised.Supervised", "network": {"class": "unet.UNet", ...}}`` with the
fields that differ from their defaults, so a new field with its default changes neither a configuration nor its hash.
Where a method was mended, that must not be so: a field marked `WRITTEN` is in every configuration, and one without it
is of the method as it was before, and refused.

The tag of a class is written down here and never changes, wherever the class moves: it is in the hash of every run.
"""

import dataclasses
import importlib
from collections.abc import Iterator, Sequence

# Where the class of each tag is now. The tag's last part is the name of the class.
PLACES = {
    "stemjax.data.atoms": ("stills.Stills", "stills.StillImaging", "stills.StillCrops"),
    "stemjax.data.au_graphene": ("movies.GrapheneImaging",),
    "stemjax.physics.camera": ("camera.Camera",),
    "stemjax.data.crops": ("movies.MovieCrops", "hrtem_movies.ClipCrops", "hrtem_movies.FrameCrops"),
    "stemjax.data.glyphs": ("glyphs.Glyphs", "glyphs.GlyphImaging", "glyphs.ClippedUniform"),
    "stemjax.data.haadf_pt": ("haadf.HaadfImaging",),
    "stemjax.data.hrtem_movies": ("hrtem_movies.HrtemImaging",),
    "stemjax.data.image_folder": ("image_folder.RecordedPatches",),
    "stemjax.data.images": ("movies.Frames", "few_images.OneMovie"),
    "stemjax.data.lattice": ("synthetic.LatticeImaging",),
    "stemjax.data.micrographs": (
        *("batches.Imaging", "batches.Crops", "datasets.Selection", "few_images.FewImages"),
        "few_images.RecordedStills",
    ),
    "stemjax.physics.noise": (
        *("noise.Poisson", "noise.Gaussian", "noise.FixedGaussian", "noise.UniformGaussian", "noise.Dose"),
        "noise.PoissonGaussian",
    ),
    "stemjax.physics.optics": ("optics.Optics",),
    "stemjax.data.photographs": (
        *("photographs.EveryPhotograph", "photographs.PhotographImaging", "photographs.PhotographCrops"),
    ),
    "stemjax.data.recordings": (
        *("recordings.RecordedFrames", "recordings.RecordedClips", "recordings.RecordedMovie"),
        "recordings.RecordedImaging",
    ),
    "stemjax.physics.gaussian_atoms": ("render_atoms.GaussianAtoms", "render_atoms.Lattice"),
    "stemjax.training.train": ("train.Run", "train.Optimiser"),
    "stemjax.denoisers.autoencoder": ("autoencoder.MultiResolutionAutoencoder",),
    "stemjax.denoisers.blind": ("blind.Blind",),
    "stemjax.denoisers.bm3d": ("bm3d.BM3D",),
    "stemjax.denoisers.constant": ("constant.Constant",),
    "stemjax.denoisers.gaussian": ("gaussian.Gaussian",),
    "stemjax.denoisers.laine": ("laine.Laine",),
    "stemjax.denoisers.low_pass": ("low_pass.LowPass",),
    "stemjax.denoisers.movie_autoencoder": ("movie_autoencoder.MovieAutoencoder",),
    "stemjax.denoisers.noise2atom": ("noise2atom.Noise2Atom",),
    "stemjax.denoisers.noise2self": ("noise2self.Noise2Self",),
    "stemjax.denoisers.noise2void": ("noise2void.Noise2Void",),
    "stemjax.denoisers.non_local_means": ("non_local_means.NonLocalMeans",),
    "stemjax.denoisers.per_channel": ("per_channel.PerChannel",),
    "stemjax.denoisers.pgure_svt": ("pgure_svt.PgureSvt",),
    "stemjax.denoisers.pure_let": ("pure_let.PureLet",),
    "stemjax.denoisers.self2self": ("self2self.Self2Self",),
    "stemjax.denoisers.space_time_gaussian": ("space_time_gaussian.SpaceTimeGaussian",),
    "stemjax.denoisers.supervised": ("supervised.Supervised",),
    "stemjax.denoisers.time_average": ("time_average.TimeAverage",),
    "stemjax.denoisers.total_variation": ("total_variation.TotalVariation",),
    "stemjax.denoisers.udvd": ("udvd.UDVD",),
    "stemjax.denoisers.wcvd": ("wcvd.WCVD",),
    "stemjax.denoisers.wiener": ("wiener.Wiener",),
    "stemjax.networks.autoencoder": ("autoencoder.Autoencoder",),
    "stemjax.networks.bottleneck": ("bottleneck.BottleneckAutoencoder",),
    "stemjax.networks.dncnn": ("dncnn.DnCNN",),
    "stemjax.networks.durr": ("durr.DURR",),
    "stemjax.networks.laine": ("laine.LaineNetwork",),
    "stemjax.networks.noise2atom": ("noise2atom.Generator", "noise2atom.Critic"),
    "stemjax.networks.noise2void": ("noise2void.N2VUNet",),
    "stemjax.networks.self2self": ("self2self.Self2SelfUNet",),
    "stemjax.networks.udvd": ("udvd.UDVDNetwork",),
    "stemjax.networks.unet": ("unet.UNet",),
    "stemjax.networks.wcvd": ("wcvd.BlindEnsemble",),
    "stemjax.leaderboard.submissions": ("submissions.Card",),
}
_PLACE = {tag: place for place, tags in PLACES.items() for tag in tags}
_TAG = {(place, tag.rpartition(".")[2]): tag for tag, place in _PLACE.items()}
# Records name the classes of imaging without their modules.
_BARE = {
    tag.rpartition(".")[2]: tag
    for tag, place in _PLACE.items()
    if not place.startswith(("stemjax.denoisers", "stemjax.networks"))
}
WRITTEN = {"written": True}  # metadata of a field that a configuration always names
_FLAX_FIELDS = ("parent", "name")


# ---------------------------------------------------------------------------------------------------- JSON
def to_config(thing, complete: bool = False) -> dict:
    """The JSON form of a dataclass: its tag, and the fields that differ from their defaults.

    Parameters
    ----------
    complete : bool
        Every field, and the class by its bare name: readable without the code, as records describe images.

    Raises
    ------
    TypeError
        If a class of stemjax has no tag.
    """
    config = {"class": type(thing).__name__ if complete else _tag(type(thing))}
    for field in dataclasses.fields(thing):
        value = getattr(thing, field.name)
        if field.name in _FLAX_FIELDS and _is_module(thing) or not (field.init or complete):
            continue
        if not complete and value == _default(field) and not _is_written(field):
            continue
        config[field.name] = _to_plain(value, complete)
    return config


def is_tagged(thing) -> bool:
    """Whether the class of an object is one of stemjax's that configurations name."""
    return (type(thing).__module__, type(thing).__name__) in _TAG


def _tag(cls: type) -> str:
    if (cls.__module__, cls.__name__) in _TAG:
        return _TAG[cls.__module__, cls.__name__]
    if cls.__module__.startswith("stemjax."):
        raise TypeError(f"{cls.__module__}.{cls.__name__} has no tag in stemjax.config.PLACES: write one there")
    return f"{cls.__module__}.{cls.__qualname__}"  # of the user's own


def _to_plain(value, complete: bool):
    if dataclasses.is_dataclass(value):
        return to_config(value, complete)
    return [_to_plain(part, complete) for part in value] if isinstance(value, tuple) else value


def from_config(config: dict):
    """The dataclass that `to_config` described, in either form.

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


def _from_plain(value):
    if isinstance(value, dict):
        return from_config(value)
    return tuple(_from_plain(part) for part in value) if isinstance(value, list) else value


def class_of(config: dict) -> type:
    """The class of a configuration, one of `PLACES`.

    Raises
    ------
    ValueError
        If there is none of that name here.
    """
    tag = _BARE.get(config["class"], config["class"])
    if tag not in _PLACE:
        raise ValueError(f"unknown method or network {tag!r}; this version of stemjax does not have it")
    return getattr(importlib.import_module(_PLACE[tag]), tag.rpartition(".")[2])


# ---------------------------------------------------------------------------------------------------- settings
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
        name, equals, text = setting.partition("=")
        if not equals or name not in known:
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


def _is_written(field: dataclasses.Field) -> bool:
    return field.metadata.get("written", False)


def _default(field: dataclasses.Field):
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default
