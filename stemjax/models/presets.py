"""Named models: each published network, as its method at the paper's size and at sizes that a laptop trains.

A new method is one file in `denoisers/`, the tag of its class in `stemjax.config` and one line here; then
``python -m stemjax.models.catalogue`` puts it on the list, and the contract tests find it.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from stemjax.config import from_config
from stemjax.denoisers import missing_package
from stemjax.denoisers.autoencoder import MultiResolutionAutoencoder
from stemjax.denoisers.blind import Blind
from stemjax.denoisers.bm3d import BM3D
from stemjax.denoisers.constant import Constant
from stemjax.denoisers.gaussian import Gaussian
from stemjax.denoisers.laine import Laine
from stemjax.denoisers.low_pass import LowPass
from stemjax.denoisers.movie_autoencoder import MovieAutoencoder
from stemjax.denoisers.noise2atom import Noise2Atom
from stemjax.denoisers.noise2self import Noise2Self
from stemjax.denoisers.noise2void import Noise2Void
from stemjax.denoisers.non_local_means import NonLocalMeans
from stemjax.denoisers.pgure_svt import PgureSvt
from stemjax.denoisers.protocol import is_trainable
from stemjax.denoisers.pure_let import PureLet
from stemjax.denoisers.self2self import Self2Self
from stemjax.denoisers.space_time_gaussian import SpaceTimeGaussian
from stemjax.denoisers.supervised import Supervised
from stemjax.denoisers.total_variation import TotalVariation
from stemjax.denoisers.udvd import UDVD
from stemjax.denoisers.wcvd import WCVD
from stemjax.denoisers.wiener import Wiener
from stemjax.files import write_whole
from stemjax.models.catalogue import WEIGHTS, refuse_untrained, unknown
from stemjax.networks import DURR, BlindEnsemble, DnCNN, N2VUNet, UNet
from stemjax.networks.autoencoder import Autoencoder
from stemjax.networks.bottleneck import BottleneckAutoencoder
from stemjax.networks.laine import LaineNetwork
from stemjax.networks.noise2atom import Critic, Generator
from stemjax.networks.self2self import Self2SelfUNet
from stemjax.networks.udvd import UDVDNetwork
from stemjax.training.checkpoint import digest
from stemjax.training.recipes import (
    atoms_run,
    autoencoder_run,
    clip_run,
    fine_run,
    n2v_run,
    noise2atom_run,
    sbd_run,
    wcvd_run,
)
from stemjax.training.train import Run, load_run

SHIPPED = "sbd-unet-small"
SBD = "Mohan et al. 2020, arXiv:2010.12970"
N2V = "Thornley et al., Noise2Void for STEM"
LEE = "Lee et al., WCID/WCVD for HRTEM movies"


@dataclass(frozen=True)
class Preset:
    """A named method.

    Parameters
    ----------
    denoiser : at the paper's size
    about, paper : str
    cpu : the same method at the width that size `cpu` trains; None for methods that are not trained
    recipe : how it is trained; see `stemjax.training.recipes`
    """

    denoiser: Any
    about: str
    paper: str
    cpu: Any = None
    recipe: Callable[..., Run] = sbd_run

    def at(self, size: str):
        """The denoiser that `size` uses: the paper's for `gpu`, the narrow one for `cpu` and `smoke`."""
        return self.denoiser if size == "gpu" or self.cpu is None else self.cpu

    def run(self, size: str, recipe_hash: str, seed: int = 0, **changes) -> Run:
        """Its training at a size on a data set, with `changes` to the fields of `Run`."""
        return self.recipe(self.at(size), size, recipe_hash, seed, **changes)


def _narrow(network) -> Supervised:
    """Sizes below the paper's start from a centred, damped network: in a short training it makes all the difference."""
    return Supervised(network.clone(last_layer_scale=0.1), centre=True)


def _dense(channels: int) -> Noise2Void:
    """Noise2Void for a short training: one pixel in 4 is masked, where the paper masks one in 676.

    Few masked pixels say little in every step: at an input PSNR of 7 dB trainings with one in 16 can stay at the mean
    for a thousand steps before they find the lattice.
    """
    network = N2VUNet(depth=3, width=16, channels_out=channels)
    return Noise2Void(network, pitch=2, jitter=0, window=5, strong_start=True)


# The kind of data that each recipe is for; see `stemjax.data.kinds`.
LEARNS_FROM = {
    sbd_run: "pt-ceo2",
    fine_run: "pt-ceo2",
    atoms_run: "atoms",
    n2v_run: "au-graphene",
    wcvd_run: "movies-pt",
    clip_run: "movies-pt",
    autoencoder_run: "haadf-pt",
    noise2atom_run: "haadf-pt",
}
# Widths at size `cpu` are a quarter of the paper's.
PRESETS = {
    "constant": Preset(Constant(), "Mean of the noisy image: the row that every method must beat", "-"),
    "gaussian": Preset(Gaussian(), "Gaussian filter", "-"),
    "low-pass": Preset(LowPass(), "Radial low-pass filter", SBD),
    "wiener": Preset(Wiener(), "Adaptive Wiener filter", SBD),
    "tv": Preset(TotalVariation(), "Total variation", "Rudin, Osher, Fatemi 1992; Chambolle 2004"),
    "nlm": Preset(NonLocalMeans(), "Non-local means, variance-stabilised", "Buades et al. 2005; Makitalo, Foi 2011"),
    "bm3d": Preset(BM3D(), "BM3D, variance-stabilised (non-commercial)", "Dabov et al. 2007; Makitalo, Foi 2011"),
    "pure-let": Preset(PureLet(), "PURE-LET, Haar wavelets", "Luisier, Vonesch, Blu, Unser 2010; 2011"),
    "sbd-dncnn": Preset(
        Supervised(DnCNN(bias=True)), "DnCNN, 20 layers, supervised", SBD, cpu=_narrow(DnCNN(width=16, bias=True))
    ),
    "sbd-small-unet": Preset(Supervised(DURR()), "Small UNet (DURR), supervised", SBD, cpu=_narrow(DURR(width=8))),
    "sbd-unet-4x32": Preset(Supervised(UNet(scales=4, width=32)), "UNet, 4 scales, 32 base channels, supervised", SBD),
    "sbd-unet-4x64": Preset(
        Supervised(UNet(scales=4, width=64, bias=True)),
        "UNet, 4 scales, 64 base channels, supervised",
        SBD,
        cpu=_narrow(UNet(scales=4, width=16)),
    ),
    "sbd-unet-6x128": Preset(
        Supervised(UNet(scales=6, width=128)),
        "UNet, 6 scales, 128 base channels, supervised: the paper's best",
        SBD,
        cpu=_narrow(UNet(scales=6, width=32)),
    ),
    "sbd-unet-fine": Preset(
        Supervised(N2VUNet(depth=4, width=16, first_kernel=3, channels_out=1), centre=True),
        "UNet whose channels double at every scale, on counts summed 4 x 4, trained for hours, supervised",
        SBD,
        recipe=fine_run,
    ),
    "atoms": Preset(
        Blind(N2VUNet(depth=4, width=16, first_kernel=3, channels_out=1)),
        "One network for images of atoms of any kind, dose and unit; takes the noise from the image, supervised",
        "-",
        recipe=atoms_run,
    ),
    "noise2void": Preset(
        Noise2Void(N2VUNet()), "Noise2Void, two channels together, self-supervised", N2V, _dense(2), n2v_run
    ),
    "noise2void-single": Preset(
        Noise2Void(N2VUNet(channels_out=1)), "Noise2Void, one channel, self-supervised", N2V, _dense(1), n2v_run
    ),
    "wcvd": Preset(WCVD(), "WCVD, blind ensemble over three frames, self-supervised", LEE, recipe=wcvd_run),
    "wcid": Preset(
        WCVD(BlindEnsemble(frames=1)), "WCID, blind ensemble on single frames, self-supervised", LEE, recipe=wcvd_run
    ),
    "udvd": Preset(
        UDVD(UDVDNetwork(square=False)),
        "UDVD, blind-spot network over five frames, self-supervised",
        "Sheth et al. 2021",
        UDVD(UDVDNetwork(width=12, square=False), strong_start=True),
        clip_run,
    ),
    "laine": Preset(
        Laine(),
        "Blind-spot network for single frames of counts, posterior mean, self-supervised",
        "Laine et al. 2019",
        Laine(LaineNetwork(width=12, depth=2, last_layer_scale=0.1)),
        clip_run,
    ),
    "self2self": Preset(
        Self2Self(),
        "Self2Self, trained on the image that it denoises",
        "Quan et al. 2020",
        Self2Self(Self2SelfUNet(width=12), passes=20),
        clip_run,
    ),
    "movie-autoencoder": Preset(
        MovieAutoencoder(),
        "Autoencoder with 3 blocks, trained to give back noisy frames",
        LEE,
        MovieAutoencoder(Autoencoder(width=8)),
        clip_run,
    ),
    "noise2self": Preset(
        Noise2Self(N2VUNet(channels_out=1)),
        "Noise2Self, one channel, self-supervised",
        "Batson, Royer 2019",
        Noise2Self(N2VUNet(depth=3, width=16, channels_out=1)),
        n2v_run,
    ),
    # The paper's 64 channels, and not its absolute error: of few counts that draws black.
    "autoencoder": Preset(
        MultiResolutionAutoencoder(BottleneckAutoencoder(64), objective="mse"),
        "Autoencoder with a bottleneck of 64 channels, drawing at four resolutions, squared error, self-supervised",
        "Wang et al. 2021",
        MultiResolutionAutoencoder(
            BottleneckAutoencoder(64, (4, 4, 8, 16, 16), trunk=32, residuals=4, last_layer_scale=0.1, from_mean=True),
            objective="mse",
        ),
        autoencoder_run,
    ),
    "noise2atom": Preset(
        Noise2Atom(restart=True),
        "Noise2Atom, cycle of generative networks between noisy images and drawn atoms, one channel, unsupervised",
        "Wang et al. 2020",
        Noise2Atom(Generator(width=16, residuals=2), Critic(width=16), restart=True),
        noise2atom_run,
    ),
    "space-time-gaussian": Preset(SpaceTimeGaussian(), "Gaussian filter in space and time", LEE),
    "pgure-svt": Preset(
        PgureSvt(), "PGURE-SVT, singular values of patches through time", "Furnival, Leary, Midgley 2017"
    ),
    SHIPPED: Preset(_narrow(UNet(scales=4, width=32)), "The network that ships with stemjax", SBD),
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
    refuse_untrained(model)
    return read_weights(WEIGHTS / model)


# ---------------------------------------------------------------------------------------------------- shipped weights
def write_weights(path: Path, denoiser_config: dict, variables: dict, info: dict) -> None:
    """Store variables as float16 in `path`.npz beside `path`.json (denoiser, digest, where they come from)."""
    leaves = {"/".join(keys): np.asarray(leaf, np.float16) for keys, leaf in _flatten(variables)}
    meta = {"denoiser": denoiser_config, "digest": digest(leaves), **info}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path.with_suffix(".npz"), lambda stream: np.savez_compressed(stream, **leaves))
    text = json.dumps(meta, indent=1, sort_keys=True) + "\n"
    write_whole(path.with_suffix(".json"), lambda stream: stream.write(text.encode()))


def read_weights(path: Path) -> tuple[Any, dict, dict]:
    """(denoiser, variables, info) of a file that `write_weights` made.

    Raises
    ------
    OSError
        If the arrays are not the ones that were written.
    """
    info = json.loads(path.with_suffix(".json").read_text())
    try:
        with np.load(path.with_suffix(".npz"), allow_pickle=False) as stored:
            leaves = {name: stored[name] for name in sorted(stored.files)}
        sound = digest(leaves) == info["digest"]
    except Exception:  # noqa: BLE001  a damaged archive raises errors of many kinds
        sound = False
    if not sound:
        raise OSError(f"{path.with_suffix('.npz')}: missing or damaged; install stemjax again")
    variables: dict = {}
    for name, leaf in leaves.items():
        *parents, last = name.split("/")
        node = variables
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = jnp.asarray(leaf, jnp.float32)
    return from_config(info.pop("denoiser")), variables, info


def _flatten(tree: dict, above: tuple = ()):
    for name in sorted(tree):
        value = tree[name]
        yield from _flatten(value, (*above, name)) if isinstance(value, dict) else [((*above, name), value)]
