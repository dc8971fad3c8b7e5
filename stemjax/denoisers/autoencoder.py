"""Autoencoder with a multi-resolution decoder: what passes through a narrow middle is drawn at four resolutions.

    minimise  sum over k = 0..3 of  mean over pixels of  |f_k(noisy) - means over 2^k x 2^k pixels of noisy|

Nothing keeps the network from drawing the noise but the width of its middle and that all images share one network:
there is room for what they have in common. Pixels of the coarser pictures have less noise, so that these are found
first and lead the finest one.

References
----------
Wang, Henninen, Keller, Erni, "Self-supervised denoising for massive noisy images", 2021.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.denoisers.self2self import extent
from stemjax.denoisers.supervised import OBJECTIVES
from stemjax.networks.bottleneck import BottleneckAutoencoder
from stemjax.networks.noise2void import average_pool


@dataclass(frozen=True)
class MultiResolutionAutoencoder:
    """A network without skips that is trained to give back noisy images at several resolutions.

    Parameters
    ----------
    network : BottleneckAutoencoder
    objective : {"mae", "mse"}
        Absolute error, as in the paper, or squared error, which asks for the mean; the preset has that.

    Notes
    -----
    Images are scaled to [0, 1], which is what the network can draw, by the smallest and the largest value of their
    movie (of the image, where there is no movie), in training and afterwards alike. The authors' script divides by the
    largest value in training, and subtracts the smallest too afterwards: the same where that is zero.

    The absolute error asks for the median, the paper says L1: of counts that are mostly zero the finest picture is
    zero, too dark where noise is skewed. Compare shapes there, not intensities.

    Adam's epsilon is optax's 1e-8, not the 1e-7 of Keras.
    """

    network: BottleneckAutoencoder = field(default_factory=BottleneckAutoencoder)
    objective: str = "mae"

    name: ClassVar[str] = "autoencoder"
    self_supervised: ClassVar[bool] = True
    whole: ClassVar[bool] = True  # the joint normalisation sees the whole array

    def __post_init__(self):
        if self.objective not in OBJECTIVES:
            raise ValueError(f"objective {self.objective!r} is not one of {', '.join(map(repr, OBJECTIVES))}")

    def init(self, key: jax.Array, sample: jax.Array) -> dict:
        """Variables (the collection `params`) for images of as many channels as `sample` [..., C] has."""
        side = self.network.factor
        return {"params": self.network.init(key, jnp.zeros((1, side, side, sample.shape[-1])))["params"]}

    def prepare(self, variables: dict, noisy: jax.Array) -> dict:
        """Store the range [1, 1, 1, C] of a whole image or of the frames of a movie [B, H, W, C]."""
        return variables | {"normalisation": extent(noisy, axes=(0, 1, 2))}

    def prepare_movie(self, variables: dict, frames: Iterable[np.ndarray]) -> dict:
        """As `prepare`, for a movie of any length whose frames [H, W, C] come one by one."""
        ends = [(frame.min((0, 1)), frame.max((0, 1))) for frame in frames]
        return self.prepare(variables, jnp.asarray(np.array(ends))[:, :, None])

    def denoise(self, variables: dict, noisy: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """Denoised images [B, H, W, C], in the unit of the noisy ones; not prepared, each has its own range.

        Images whose sides are no multiples of the network's factor are continued by reflection, and cropped afterwards.
        """
        norm = variables.get("normalisation") or extent(noisy, axes=(1, 2))
        height, width = noisy.shape[1:3]
        margins = [(0, -n % self.network.factor) for n in (height, width)]
        images = jnp.pad((noisy - norm["low"]) / norm["span"], [(0, 0), *margins, (0, 0)], mode="symmetric")
        drawn = self.network.apply({"params": variables["params"]}, images)[:, :height, :width]
        return drawn * norm["span"] + norm["low"]

    def warnings(self, variables: dict, noisy: jax.Array, denoised: jax.Array) -> list[str]:
        """What a user should know of denoised images [B, H, W, C]."""
        lowest = float((noisy == noisy.min((1, 2), keepdims=True)).mean())
        if self.objective != "mae" or lowest <= 0.5:
            return []
        return [
            f"{lowest:.0%} of the pixels have the lowest value, which an absolute error draws everywhere: train with "
            "objective=mse"
        ]

    def loss(self, variables: dict, batch: dict, key: jax.Array) -> tuple[jax.Array, tuple[dict, dict]]:
        """Sum of the mean errors of all pictures of ``batch["noisy"]`` [B, H, W, C], in units of the range.

        ``batch["low"]`` and ``batch["span"]`` are the movies' ranges; without them each image has its own. Sides are
        multiples of the network's factor.

        ``batch["targets"]``, pixels held out, have no meaning for a network that is shown what it is to give back.

        Returns
        -------
        (loss, (new_state, measurements))
            measurements holds the finest picture's part of the loss too, ``finest``, which networks with and without
            the other heads can be compared by.
        """
        norm = batch if "span" in batch else extent(batch["noisy"], axes=(1, 2))
        images = target = (batch["noisy"] - norm["low"]) / norm["span"]
        pictures, errors = self.network.apply({"params": variables["params"]}, images, pyramid=True), []
        for picture in pictures:
            target = average_pool(target) if errors else target
            errors.append(OBJECTIVES[self.objective](picture - target))
        loss = sum(errors)
        return loss, ({}, {"loss": loss, "finest": errors[0]})
