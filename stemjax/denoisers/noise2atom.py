"""Noise2Atom: noisy images learn to look like simulated atoms, and back, without a pair of the two.

Generators G: noisy -> clean and F: clean -> noisy, a critic D of clean images, a fixed low-pass filter L. An update is,
with one batch of noisy images s and one of drawn atoms c,

    5 times:  D minimises  mean -D(c) + mean D(G(s)) + 10 mean (1 - |dD/di|)²,   i = u c + (1 - u) G(s)
    once:     G minimises  5 mean -D(G(s))
    once:     G and F minimise  mean |c - G(F(c))| + mean |L(F(G(s))) - L(s)|

each by an optimiser of its own. The last two terms are the cycle and the low-frequency cycle: an image may lose its
noise on the way, but not what is left of it after a Gaussian filter. The paper's equation 8 weighs the adversarial term
by 5 and both cycles by 1; its optimiser of its own, RMSprop, does not notice the 5.

References
----------
Wang, Henninen, Keller, Erni, "Noise2Atom: unsupervised denoising for scanning transmission electron microscopy images",
Applied Microscopy 50, 23 (2020).
Gulrajani et al., "Improved training of Wasserstein GANs", NeurIPS 2017.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.config import WRITTEN
from stemjax.denoisers.self2self import extent
from stemjax.metrics.low_frequency import contrast, low_pass, relative_slope, remove_background
from stemjax.networks.noise2atom import Critic, Generator, initial
from stemjax.physics.gaussian_atoms import GaussianAtoms

PENALTY = 10.0
INVERTED = -0.2  # correlation below which the contrast is inverted beyond doubt
EPSILON = 1e-12  # added where a square root or a ratio is taken of what may be 0
STEEP = 0.5  # slope of the background, relative to its mean, that deserves a warning


@dataclass(frozen=True)
class Noise2Atom:
    """A cycle of generative networks between noisy images and images of atoms, for one channel.

    A movie is scaled by its smallest and largest value to [-1, 1].

    Parameters
    ----------
    network : Generator
        Of G and, with other weights, of F.
    critic : Critic
    atoms : GaussianAtoms
        The clean images; their size is that of the crops.
    adversarial, cycle, low_frequency : float
        Weights of the generator's three losses. Configurations from before these names are refused: in them the cycle
        weighed five times as much as the low-frequency cycle.
    critic_steps : int
        Updates of the critic in each step.
    flatten : bool
        Take the plane of its background from each image, crops in training included, before the network. The paper
        names a background gradient as what makes the method fail.
    restart : bool
        In the first half of a training, draw both generators anew at a validation before which the contrast was
        negative on average. The critic stays.
    stop_at : (float, float)
        Cycle and low-frequency cycle below both of which the training ends; (0.05, 0.1) in the paper, zeros never.

    Notes
    -----
    **Failure.** Nothing in the objective says that atoms are bright: dark holes serve the critic's purpose as long as
    F paints them back. The paper counts one training in ten; `experiments/noise2atom/figure_5.py` counts here, with
    the weights of the paper and with those that stood here before, 5 : 1 for the two cycles.
    `contrast` finds it; it stands in the log of a training (``contrast``), in the loss, and `warnings` says so of an
    image. The presets `restart`.

    **Departures.** Corrected slips of the authors' program: the two domains are the right way round; the low-pass
    filter is the Gaussian of the paper instead of a quarter of a disc with scrambled values. Of the paper: the critic's
    loss has the clean images in its real part and is differentiated by its input. Crops are drawn one by one, not one
    place of adjacent frames. Paper and program disagree about the batch (6; 3). The two cycles are one update, as in
    the program. Where the filter reaches beyond the image there are zeros, as in the program. The paper has no
    restarts; after one the optimisers go on as they were.

    **Unit.** The clean domain has no counts: the brightest atom of an image is 1, the background 0. So each denoised
    image is given the gain and offset that bring it nearest to its noisy one, which needs no truth; noise that a
    network leaves in it is in both, and draws the gain towards 1. The gain has no sign: inverted contrast stays
    inverted, to be seen and found. The authors compare shapes alone and have no such step.
    """

    network: Any = field(default_factory=Generator)
    critic: Any = field(default_factory=Critic)
    atoms: GaussianAtoms = field(default_factory=GaussianAtoms)
    adversarial: float = field(default=5.0, metadata=WRITTEN)
    cycle: float = field(default=1.0, metadata=WRITTEN)
    low_frequency: float = field(default=1.0, metadata=WRITTEN)
    critic_steps: int = 5
    flatten: bool = False
    restart: bool = False
    stop_at: tuple[float, float] = (0.0, 0.0)

    name: ClassVar[str] = "noise2atom"
    self_supervised: ClassVar[bool] = True
    whole: ClassVar[bool] = True  # the joint normalisation sees the whole array

    def init(self, key: jax.Array, sample: jax.Array) -> dict:
        """Variables for crops like `sample`: ``params`` of generator, degrader and critic, and ``seeding``."""
        if sample.shape[-1] != 1:
            raise ValueError(f"noise2atom takes one channel, not {sample.shape[-1]}: give each by itself")
        networks = {"generator": self.network, "degrader": self.network, "critic": self.critic}
        keys = jax.random.split(key, len(networks))
        params = {name: initial(networks[name], sample, k) for name, k in zip(networks, keys, strict=True)}
        return {"params": params, "seeding": {"restarts": jnp.zeros((), jnp.float32)}}

    # ------------------------------------------------------------------------------------------------ training
    def start(self, params: dict, init: Callable) -> dict:
        """The states of the three optimisers; `init` gives that of some parameters."""
        both = {name: params[name] for name in ("generator", "degrader")}
        return {"critic": init(params["critic"]), "adversary": init(params["generator"]), "cycle": init(both)}

    def update(
        self, variables: dict, optimisers: dict, batch: dict, key: jax.Array, descend: Callable
    ) -> tuple[dict, dict, dict]:
        """One step on ``batch["noisy"]`` [B, H, H, 1].

        Parameters
        ----------
        optimisers : dict
            As `start` gives them.
        descend : callable
            (gradients, optimiser, params, updates per step) -> (params, optimiser).

        Returns
        -------
        (variables, optimisers, measurements)
            Measured are the critic's ``distance`` mean D(c) - mean D(G(s)) and ``penalty``, ``cycle`` and
            ``low_frequency``, ``contrast``, ``restarts``, and the ``loss`` as in `loss`.
        """
        params, noisy = variables["params"], self._scaled(batch)
        draw, critic_key, adversary_key = jax.random.split(key, 3)
        clean = self._draw(draw, noisy)
        # G is the same until its own update: its gradient there is the critic's, pulled back
        fake, pull_back = jax.vjp(lambda generator: self._generate(generator, noisy), params["generator"])

        def train_critic(carry, key):
            gradients, measured = jax.grad(self._critic_loss, has_aux=True)(carry[0], clean, fake, key)
            return descend(gradients, carry[1], carry[0], self.critic_steps), measured

        critic = params["critic"], optimisers["critic"]
        keys = jax.random.split(critic_key, self.critic_steps)
        # Unrolled: on a CPU convolutions are far slower in a loop (github.com/jax-ml/jax/issues/12868).
        critic, measured = jax.lax.scan(train_critic, critic, keys, unroll=True)
        measured = jax.tree.map(jnp.mean, measured)

        adversary_loss = lambda images: -self.adversarial * self._judge(critic[0], images, adversary_key).mean()
        uphill = jax.grad(adversary_loss)(fake)
        generator = descend(*pull_back(uphill), optimisers["adversary"], params["generator"])

        both = {"generator": generator[0], "degrader": params["degrader"]}
        gradients, more = jax.grad(self._cycles, has_aux=True)(both, noisy, clean)
        both, cycle = descend(gradients, optimisers["cycle"], both)

        measured |= {"loss": judgement(**more), "restarts": variables["seeding"]["restarts"]} | more
        optimisers = {"critic": critic[1], "adversary": generator[1], "cycle": cycle}
        return variables | {"params": both | {"critic": critic[0]}}, optimisers, measured

    def loss(self, variables: dict, batch: dict, key: jax.Array) -> tuple[jax.Array, tuple[dict, dict]]:
        """What a checkpoint is judged by, on ``batch["noisy"]``: see `judgement`. `update` descends another way."""
        noisy = self._scaled(batch)
        _, measured = self._cycles(variables["params"], noisy, self._draw(key, noisy))
        loss = judgement(**measured)
        return loss, ({}, {"loss": loss} | measured)

    def finished(self, measurements: dict) -> bool:
        """Whether the losses since the last validation are below `stop_at`."""
        return measurements["cycle"] < self.stop_at[0] and measurements["low_frequency"] < self.stop_at[1]

    def revive(self, variables: dict, measurements: dict, means: dict, key: jax.Array) -> dict:
        """The variables with generators drawn anew, if that is asked for and the contrast was negative on average of
        the batches since the last validation."""
        if not self.restart or means["contrast"] > 0:
            return variables
        fresh = self.init(key, jnp.zeros((1, 16, 16, 1)))["params"] | {"critic": variables["params"]["critic"]}
        return variables | {"params": fresh, "seeding": {"restarts": variables["seeding"]["restarts"] + 1}}

    def _cycles(self, params: dict, noisy: jax.Array, clean: jax.Array) -> tuple[jax.Array, dict]:
        """The weighted sum of the cycles, and each by itself beside the contrast."""
        # G sees both of its inputs in one call, which is a quarter less to compile.
        both = self._generate(params["generator"], jnp.concatenate([noisy, self._generate(params["degrader"], clean)]))
        denoised, cleaned = jnp.split(both, 2)
        noisy_again = self._generate(params["degrader"], denoised)
        cycle = jnp.abs(clean - cleaned).mean()
        low_frequency = jnp.abs(low_pass(noisy_again) - low_pass(noisy)).mean()
        measured = {"cycle": cycle, "low_frequency": low_frequency, "contrast": contrast(noisy, denoised).mean()}
        return self.cycle * cycle + self.low_frequency * low_frequency, measured

    def _critic_loss(self, critic: dict, clean: jax.Array, fake: jax.Array, key: jax.Array) -> tuple[jax.Array, dict]:
        mixing, *dropping = jax.random.split(key, 3)
        share = jax.random.uniform(mixing, clean.shape)
        real, faked = jnp.split(self._judge(critic, jnp.concatenate([clean, fake]), dropping[0]), 2)
        slope = jax.grad(lambda x: self._judge(critic, x, dropping[1]).sum())(share * clean + (1 - share) * fake)
        penalty = ((1 - jnp.sqrt((slope**2).sum((1, 2, 3)) + EPSILON)) ** 2).mean()
        distance = real.mean() - faked.mean()
        return PENALTY * penalty - distance, {"distance": distance, "penalty": penalty}

    def _judge(self, critic: dict, images: jax.Array, key: jax.Array) -> jax.Array:
        return self.critic.apply({"params": critic}, images, rngs={"dropout": key})

    def _draw(self, key: jax.Array, noisy: jax.Array) -> jax.Array:
        """As many clean images in [-1, 1] as there are noisy ones, of their size."""
        return 2 * replace(self.atoms, size=noisy.shape[1]).sample(key, len(noisy)) - 1

    # ------------------------------------------------------------------------------------------------ use
    def prepare(self, variables: dict, noisy: jax.Array) -> dict:
        """Store the range [1, 1, 1, 1] of a whole image or of the frames of a movie [B, H, W, 1]."""
        return variables | {"normalisation": extent(noisy, axes=(0, 1, 2))}

    def prepare_movie(self, variables: dict, frames: Iterable[np.ndarray]) -> dict:
        """As `prepare`, for a movie of any length whose frames [H, W, 1] come one by one."""
        ends = [(frame.min((0, 1)), frame.max((0, 1))) for frame in frames]
        return self.prepare(variables, jnp.asarray(np.array(ends))[:, :, None])

    def denoise(self, variables: dict, noisy: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """Denoised images [B, H, W, 1] in the unit of the noisy ones; not prepared, each is scaled by its own range."""
        norm = variables.get("normalisation") or extent(noisy, axes=(1, 2))
        drawn = self._generate(variables["params"]["generator"], self._scaled({"noisy": noisy} | norm))
        return nearest(drawn, remove_background(noisy) if self.flatten else noisy)

    def warnings(self, variables: dict, noisy: jax.Array, denoised: jax.Array) -> list[str]:
        """What a user should know of denoised images [B, H, W, 1]."""
        correlation, slope = float(contrast(noisy, denoised).mean()), float(relative_slope(noisy).mean())
        texts = []
        if correlation < INVERTED:
            fix = "train with another seed" + ", or restart=true" * (not self.restart)
            texts.append(f"the contrast is inverted (correlation {correlation:.2f}): {fix}")
        if slope > STEEP and not self.flatten:
            texts.append(f"the background rises by {slope:.0%} of its mean: train with flatten=true")
        return texts

    def _scaled(self, batch: dict) -> jax.Array:
        """Noisy images in [-1, 1], by the range of their movies where the batch has it."""
        norm = batch if "span" in batch else extent(batch["noisy"], axes=(1, 2))
        scaled = 2 * (batch["noisy"] - norm["low"]) / norm["span"] - 1
        return remove_background(scaled) if self.flatten else scaled

    def _generate(self, params: dict, images: jax.Array) -> jax.Array:
        return _apply(self.network, params, images)


@partial(jax.jit, static_argnums=0)
def _apply(network, params: dict, images: jax.Array) -> jax.Array:
    """A generator's images. As a jitted function it is traced once for all calls with images of one shape."""
    return network.apply({"params": params}, images)


def nearest(drawn: jax.Array, noisy: jax.Array) -> jax.Array:
    """Images [B, H, W, 1] after the gain, without its sign, and offset of each that bring it nearest to a noisy one."""
    mean, level = (images.mean((1, 2), keepdims=True) for images in (drawn, noisy))
    covariance = ((drawn - mean) * (noisy - level)).mean((1, 2), keepdims=True)
    gain = jnp.abs(covariance) / jnp.maximum(drawn.var((1, 2), keepdims=True), EPSILON)
    return gain * (drawn - mean) + level


def judgement(cycle: jax.Array, low_frequency: jax.Array, contrast: jax.Array) -> jax.Array:
    """cycle + low_frequency, and 4, which is the largest that these can be, where the contrast is inverted."""
    return cycle + low_frequency + jnp.where(contrast < INVERTED, 4.0, 0.0)
