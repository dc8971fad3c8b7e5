"""Self2Self: a network learns from one noisy image to fill in pixels that are taken from it at random.

    minimise  mean over missing pixels p of  (f(m noisy)[p] - noisy[p])^2,   m = 0 (missing) or 1 at random
    denoised = mean over draws of m and of the dropout of  f(m noisy)

Noise that is independent from pixel to pixel cannot be filled in. Each draw is another estimate with errors of its own,
which their mean evens out.

References
----------
Quan, Chen, Pang, Ji, "Self2Self with dropout: learning self-supervised denoising from single image", CVPR 2020.
"""

from dataclasses import dataclass, field
from typing import ClassVar

import jax
import jax.numpy as jnp

from stemjax.networks.self2self import Self2SelfUNet


@dataclass(frozen=True)
class Self2Self:
    """A network to be trained on the very images that it denoises: an image, or the frames of a movie.

    Parameters
    ----------
    network : Self2SelfUNet
    keep : float
        Part of the values that it is shown, each channel by itself.
    passes : int
        Draws whose mean is the result.

    Notes
    -----
    Images are taken to 0 to 1 by their smallest and their largest value. The partial convolutions are the usual ones,
    see `PartialConv`. Every image of a batch is denoised with the same draws.
    """

    network: Self2SelfUNet = field(default_factory=Self2SelfUNet)
    keep: float = 0.7
    passes: int = 100

    name: ClassVar[str] = "self2self"
    self_supervised: ClassVar[bool] = True

    def __post_init__(self):
        if not 0 < self.keep < 1 or self.passes < 1:
            raise ValueError(
                f"keep {self.keep}, passes {self.passes}: some pixels must be kept and some not, in one pass or more"
            )

    def init(self, key: jax.Array, sample: jax.Array) -> dict:
        """Variables (the collection `params`) for images of as many channels as `sample` [..., C] has."""
        return {"params": self.network.init(key, jnp.zeros((1, 32, 32, sample.shape[-1])))["params"]}

    def prepare(self, variables: dict, noisy: jax.Array) -> dict:
        """Store the range [1, 1, 1, C] of a whole image or of the frames of a movie [B, H, W, C]."""
        return variables | {"normalisation": extent(noisy, axes=(0, 1, 2))}

    def denoise(self, variables: dict, noisy: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """Mean of `passes` draws [B, H, W, C]; without a key always the same ones.

        Not prepared, each image has its own range.
        """
        norm = variables.get("normalisation") or extent(noisy, axes=(1, 2))
        images = (noisy - norm["low"]) / norm["span"]
        key = jax.random.key(0) if key is None else key

        def add(i: jax.Array, total: jax.Array) -> jax.Array:
            draw = lambda image: self._fill_in(variables, image[None], jax.random.fold_in(key, i))[0][0]
            return total + jax.vmap(draw)(images)

        total = jax.lax.fori_loop(0, self.passes, add, jnp.zeros_like(images))
        return total / self.passes * norm["span"] + norm["low"]

    def loss(self, variables: dict, batch: dict, key: jax.Array) -> tuple[jax.Array, tuple[dict, dict]]:
        """Squared error at the missing pixels of ``batch["noisy"]`` [B, (T,) H, W, C], in units of the range squared.

        Every image is mirrored at random in both directions.

        Returns
        -------
        (loss, (new_state, measurements))
        """
        draw_key, *flip_keys = jax.random.split(key, 3)
        noisy = batch["noisy"].reshape(-1, *batch["noisy"].shape[-3:])
        norm = extent(noisy, axes=(1, 2))
        images = (noisy - norm["low"]) / norm["span"]
        for axis, flip_key in zip((1, 2), flip_keys, strict=True):
            flipped = jax.random.bernoulli(flip_key, 0.5, (len(images), 1, 1, 1))
            images = jnp.where(flipped, jnp.flip(images, axis), images)
        filled, mask = self._fill_in(variables, images, draw_key)
        missing = 1 - mask
        loss = jnp.sum((filled - images) ** 2 * missing) / jnp.maximum(missing.sum(), 1)
        return loss, ({}, {"loss": loss})

    def _fill_in(self, variables: dict, images: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """One draw: the network's output [B, H, W, C], and 1 where it was shown a value."""
        mask_key, dropout_key = jax.random.split(key)
        mask = jax.random.bernoulli(mask_key, self.keep, images.shape).astype(images.dtype)
        params, rngs = {"params": variables["params"]}, {"dropout": dropout_key}
        return self.network.apply(params, images, mask, rngs=rngs), mask


def extent(noisy: jax.Array, axes: tuple[int, ...]) -> dict[str, jax.Array]:
    """``low``, the minimum, and ``span``, maximum less minimum (or 1 where these are equal), of images [B, H, W, C]."""
    low = noisy.min(axes, keepdims=True)
    span = noisy.max(axes, keepdims=True) - low
    return {"low": low, "span": jnp.where(span > 0, span, 1)}
