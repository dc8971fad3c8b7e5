"""Named models: each published network, as its method at the paper's size and at sizes that a laptop trains.

A preset is a configuration with a name, as `stemjax.config` reads them: the table below imports no method, so the
command line can judge a name and list the models at once. A method is imported when its preset is built.

A new method is one file in `denoisers/` and one line here; the contract tests find it.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stemjax.config import from_config
from stemjax.denoisers import missing_package

if TYPE_CHECKING:
    from stemjax.training.train import Run

WEIGHTS = Path(__file__).parent / "weights"
SHIPPED = "sbd-unet-small"
SBD = "Mohan et al. 2020, arXiv:2010.12970"
N2V = "Thornley et al., Noise2Void for STEM"
LEE = "Lee et al., WCID/WCVD for HRTEM movies"
# The kind of data that each recipe is for; see `stemjax.data.kinds`.
LEARNS_FROM = {
    "sbd_run": "pt-ceo2",
    "fine_run": "pt-ceo2",
    "atoms_run": "atoms",
    "n2v_run": "au-graphene",
    "wcvd_run": "movies-pt",
    "clip_run": "movies-pt",
    "autoencoder_run": "haadf-pt",
    "noise2atom_run": "haadf-pt",
}


@dataclass(frozen=True)
class Size:
    """What a network measures: its trainable parameters, as the papers count them, and its field of view [px].

    Written down, since to count them takes seconds; a test counts them.
    """

    parameters: int
    field_of_view: int


@dataclass(frozen=True)
class Preset:
    """A named method.

    Parameters
    ----------
    config : dict
        The denoiser at the paper's size.
    about, paper : str
    size : Size
        Of its network; None for filters, which have none and are not trained.
    cpu_config : dict
        The same method at the width that size `cpu` trains; None where that is the paper's.
    training : str
        How it is trained: a function of `stemjax.training.recipes`.
    """

    config: dict
    about: str
    paper: str
    size: Size | None = None
    cpu_config: dict | None = None
    training: str = "sbd_run"

    @property
    def denoiser(self) -> Any:
        """The denoiser at the paper's size."""
        return from_config(self.config)

    @property
    def cpu(self) -> Any:
        """The denoiser at the width that size `cpu` trains; None where that is the paper's."""
        return self.cpu_config and from_config(self.cpu_config)

    @property
    def is_trained(self) -> bool:
        """Whether it is trained before it is used."""
        return self.size is not None

    @property
    def recipe(self) -> "Callable[..., Run]":
        """The function that makes its training; see `stemjax.training.recipes`."""
        return getattr(importlib.import_module("stemjax.training.recipes"), self.training)

    @property
    def learns_from(self) -> str:
        """The kind of data that it is trained on."""
        return LEARNS_FROM[self.training]

    def at(self, size: str) -> Any:
        """The denoiser that `size` uses: the paper's for `gpu`, the narrow one for `cpu` and `smoke`."""
        return self.denoiser if size == "gpu" or self.cpu_config is None else self.cpu

    def run(self, size: str, recipe_hash: str, seed: int = 0, **changes) -> "Run":
        """Its training at a size on a data set, with `changes` to the fields of `Run`."""
        return self.recipe(self.at(size), size, recipe_hash, seed, **changes)


def _of(tag: str, **fields) -> dict:
    """The configuration of a class of `stemjax.config.PLACES`, with the fields that differ from their defaults."""
    return {"class": tag, **fields}


def _supervised(network: dict) -> dict:
    return _of("supervised.Supervised", network=network)


def _narrow(network: dict) -> dict:
    """Sizes below the paper's start from a centred, damped network: in a short training it makes all the difference."""
    return _of("supervised.Supervised", network=network | {"last_layer_scale": 0.1}, centre=True)


def _n2v_unet(**fields) -> dict:
    return _of("noise2void.N2VUNet", **fields)


def _noise2atom(**fields) -> dict:
    return _of("noise2atom.Noise2Atom", adversarial=5.0, cycle=1.0, low_frequency=1.0, restart=True, **fields)


def _autoencoder(**fields) -> dict:
    """With the paper's 64 channels, and not its absolute error: of few counts that draws black."""
    network = _of("bottleneck.BottleneckAutoencoder", bottleneck=64, **fields)
    return _of("autoencoder.MultiResolutionAutoencoder", network=network, objective="mse")


def _dense(channels: int) -> dict:
    """Noise2Void for a short training: one pixel in 4 is masked, where the paper masks one in 676.

    Few masked pixels say little in every step: at an input PSNR of 7 dB trainings with one in 16 can stay at the mean
    for a thousand steps before they find the lattice.
    """
    network = _n2v_unet(depth=3, width=16, channels_out=channels)
    return _of("noise2void.Noise2Void", network=network, pitch=2, jitter=0, window=5, strong_start=True)


# Widths at size `cpu` are a quarter of the paper's.
PRESETS = {
    "constant": Preset(
        _of("constant.Constant"), "Mean of the noisy image: the row that every method must beat", "-"
    ),
    "gaussian": Preset(_of("gaussian.Gaussian"), "Gaussian filter", "-"),
    "low-pass": Preset(_of("low_pass.LowPass"), "Radial low-pass filter", SBD),
    "wiener": Preset(_of("wiener.Wiener"), "Adaptive Wiener filter", SBD),
    "tv": Preset(
        _of("total_variation.TotalVariation"), "Total variation", "Rudin, Osher, Fatemi 1992; Chambolle 2004"
    ),
    "nlm": Preset(
        _of("non_local_means.NonLocalMeans"),
        "Non-local means, variance-stabilised",
        "Buades et al. 2005; Makitalo, Foi 2011",
    ),
    "bm3d": Preset(
        _of("bm3d.BM3D"), "BM3D, variance-stabilised (non-commercial)", "Dabov et al. 2007; Makitalo, Foi 2011"
    ),
    "pure-let": Preset(
        _of("pure_let.PureLet"), "PURE-LET, Haar wavelets", "Luisier, Vonesch, Blu, Unser 2010; 2011"
    ),
    "sbd-dncnn": Preset(
        _supervised(_of("dncnn.DnCNN", bias=True)),
        "DnCNN, 20 layers, supervised",
        SBD,
        Size(668_225, 41),
        _narrow(_of("dncnn.DnCNN", width=16, bias=True)),
    ),
    "sbd-small-unet": Preset(
        _supervised(_of("durr.DURR")),
        "Small UNet (DURR), supervised",
        SBD,
        Size(233_440, 45),
        _narrow(_of("durr.DURR", width=8)),
    ),
    "sbd-unet-4x32": Preset(
        _supervised(_of("unet.UNet", scales=4, width=32)),
        "UNet, 4 scales, 32 base channels, supervised",
        SBD,
        Size(352_000, 221),
    ),
    "sbd-unet-4x64": Preset(
        _supervised(_of("unet.UNet", scales=4, width=64, bias=True)),
        "UNet, 4 scales, 64 base channels, supervised",
        SBD,
        Size(1_405_889, 221),
        _narrow(_of("unet.UNet", scales=4, width=16)),
    ),
    "sbd-unet-6x128": Preset(
        _supervised(_of("unet.UNet", scales=6, width=128)),
        "UNet, 6 scales, 128 base channels, supervised: the paper's best",
        SBD,
        Size(70_504_960, 893),
        _narrow(_of("unet.UNet", scales=6, width=32)),
    ),
    "sbd-unet-fine": Preset(
        _supervised(_n2v_unet(depth=4, width=16, first_kernel=3, channels_out=1)) | {"centre": True},
        "UNet whose channels double at every scale, on counts summed 4 x 4, trained for hours, supervised",
        SBD,
        Size(1_962_337, 221),
        training="fine_run",
    ),
    "atoms": Preset(
        _of("blind.Blind", network=_n2v_unet(depth=4, width=16, first_kernel=3, channels_out=1)),
        "One network for images of atoms of any kind, dose and unit; takes the noise from the image, supervised",
        "-",
        Size(1_962_337, 221),
        training="atoms_run",
    ),
    "noise2void": Preset(
        _of("noise2void.Noise2Void", network=_n2v_unet()),
        "Noise2Void, two channels together, self-supervised",
        N2V,
        Size(31_446_018, 225),
        _dense(2),
        "n2v_run",
    ),
    "noise2void-single": Preset(
        _of("noise2void.Noise2Void", network=_n2v_unet(channels_out=1)),
        "Noise2Void, one channel, self-supervised",
        N2V,
        Size(31_444_353, 225),
        _dense(1),
        "n2v_run",
    ),
    "wcvd": Preset(
        _of("wcvd.WCVD"),
        "WCVD, blind ensemble over three frames, self-supervised",
        LEE,
        Size(867, 7),
        training="wcvd_run",
    ),
    "wcid": Preset(
        _of("wcvd.WCVD", network=_of("wcvd.BlindEnsemble", frames=1)),
        "WCID, blind ensemble on single frames, self-supervised",
        LEE,
        Size(369, 7),
        training="wcvd_run",
    ),
    "udvd": Preset(
        _of("udvd.UDVD", network=_of("udvd.UDVDNetwork", square=False)),
        "UDVD, blind-spot network over five frames, self-supervised",
        "Sheth et al. 2021",
        Size(2_123_664, 287),
        _of("udvd.UDVD", network=_of("udvd.UDVDNetwork", width=12, square=False), strong_start=True),
        "clip_run",
    ),
    "laine": Preset(
        _of("laine.Laine"),
        "Blind-spot network for single frames of counts, posterior mean, self-supervised",
        "Laine et al. 2019",
        Size(1_265_858, 575),
        _of("laine.Laine", network=_of("laine.LaineNetwork", width=12, depth=2, last_layer_scale=0.1)),
        "clip_run",
    ),
    "self2self": Preset(
        _of("self2self.Self2Self"),
        "Self2Self, trained on the image that it denoises",
        "Quan et al. 2020",
        Size(988_609, 257),
        _of("self2self.Self2Self", network=_of("self2self.Self2SelfUNet", width=12), passes=20),
        "clip_run",
    ),
    "movie-autoencoder": Preset(
        _of("movie_autoencoder.MovieAutoencoder"),
        "Autoencoder with 3 blocks, trained to give back noisy frames",
        LEE,
        Size(1_055_041, 77),
        _of("movie_autoencoder.MovieAutoencoder", network=_of("autoencoder.Autoencoder", width=8)),
        "clip_run",
    ),
    "noise2self": Preset(
        _of("noise2self.Noise2Self", network=_n2v_unet(channels_out=1)),
        "Noise2Self, one channel, self-supervised",
        "Batson, Royer 2019",
        Size(31_444_353, 225),
        _of("noise2self.Noise2Self", network=_n2v_unet(depth=3, width=16, channels_out=1)),
        "n2v_run",
    ),
    "autoencoder": Preset(
        _autoencoder(),
        "Autoencoder with a bottleneck of 64 channels, drawing at four resolutions, squared error, self-supervised",
        "Wang et al. 2021",
        Size(7_439_564, 3701),
        _autoencoder(widths=(4, 4, 8, 16, 16), trunk=32, residuals=4, last_layer_scale=0.1, from_mean=True),
        "autoencoder_run",
    ),
    "noise2atom": Preset(
        _noise2atom(),
        "Noise2Atom, cycle of generative networks between noisy images and drawn atoms, one channel, unsupervised",
        "Wang et al. 2020",
        Size(13_780_111, 889),
        _noise2atom(
            network=_of("noise2atom.Generator", width=16, residuals=2), critic=_of("noise2atom.Critic", width=16)
        ),
        "noise2atom_run",
    ),
    "space-time-gaussian": Preset(
        _of("space_time_gaussian.SpaceTimeGaussian"), "Gaussian filter in space and time", LEE
    ),
    "pgure-svt": Preset(
        _of("pgure_svt.PgureSvt"),
        "PGURE-SVT, singular values of patches through time",
        "Furnival, Leary, Midgley 2017",
    ),
    SHIPPED: Preset(
        _narrow(_of("unet.UNet", scales=4, width=32)), "The network that ships with stemjax", SBD, Size(352_000, 221)
    ),
}


def find_preset(name: str) -> Preset:
    """The preset of that name.

    Raises
    ------
    ValueError
        If there is none; the message lists them.
    """
    if name not in PRESETS:
        raise unknown(name)
    return PRESETS[name]


def load_model(model: str) -> tuple[Any, dict, dict]:
    """A model ready to use: (denoiser, variables, info), from a preset's name or a run's folder.

    Raises
    ------
    ValueError
        If the preset has no weights here.
    OSError
        If the folder holds no sound run.
    """
    if model and model not in PRESETS and Path(model).exists():
        run, variables, info = load_run(model)
        return run.denoiser, variables, info | {"imaging": run.imaging}
    preset = find_preset(model)
    if package := missing_package(preset.denoiser):
        hint = f"pip install -e '.[{package}]' (mind its licence)"
        raise ValueError(f"{model} needs the package {package}, which is not installed: {hint}")
    if not is_trainable(preset.denoiser):
        return preset.denoiser, {}, {}
    if not has_weights(model):
        raise ValueError(
            f"{model} has no weights of its own; train it (`stemjax train {model}`, in Python stemjax.train({model!r}, "
            "data)) and give the run's folder"
        )
    return read_weights(WEIGHTS / model)
