"""Noise2Self: a network learns from noisy images alone, as the part of it that cannot see the pixel it predicts.

    minimise  mean over the pixels p of one phase J of a grid of  (f(noisy, J replaced by neighbours)[p] - noisy[p])^2
    denoised[p] = f(noisy, J(p) replaced by neighbours)[p],   J(p) the phase that holds p

Such a function is J-invariant: if the noise of p is independent of that of the other pixels, its squared error to the
noisy image is that to the clean one plus a constant.

References
----------
Batson, Royer, "Noise2Self: blind denoising by self-supervision", ICML 2019.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.denoisers.noise2void import movie_normalisation, normalisation


@dataclass(frozen=True)
class Noise2Self:
    """A network trained on the masked pixels of a grid, and applied to all phases of the grid, one after the other.

    Images are normalised per channel: their mean is subtracted, the rest divided by four standard deviations.

    Parameters
    ----------
    network : flax.linen.Module
        float32 [B, H, W, C] -> [B, H, W, C].
    width : int
        Pitch of the grid [px]; it has width² phases.
    neighbours : {4, 8}
        How many of a masked pixel's neighbours are averaged to replace it; outside the image there are none.

    Notes
    -----
    The paper's grid is 4 wide; neighbours 4 or 8, see its code. The result is J-invariant where the normalisation is
    given, as by `prepare`; an image that is normalised by its own mean and deviation sees each pixel through these.
    """

    network: Any
    width: int = 4
    neighbours: int = 4

    name: ClassVar[str] = "noise2self"
    self_supervised: ClassVar[bool] = True

    def __post_init__(self):
        if self.neighbours not in (4, 8) or self.width < 2:
            raise ValueError(
                f"neighbours {self.neighbours}, width {self.width}: choose 4 or 8 neighbours and a width of 2 or more"
            )

    def init(self, key: jax.Array, sample: jax.Array) -> dict:
        """Variables (the collection `params`) for images like `sample`."""
        return {"params": self.network.init(key, sample)["params"]}

    def prepare(self, variables: dict, noisy: jax.Array) -> dict:
        """Store offset and scale per channel, [1, 1, 1, C], of images or the frames of a movie [B, H, W, C]."""
        return variables | {"normalisation": normalisation(noisy, axes=(0, 1, 2))}

    def prepare_movie(self, variables: dict, frames: Iterable[np.ndarray]) -> dict:
        """As `prepare`, for a movie of any length whose frames [H, W, C] come one by one."""
        return variables | {"normalisation": movie_normalisation(frames)}

    def denoise(self, variables: dict, noisy: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """Denoised images [B, H, W, C], in the unit of the noisy ones; not prepared, each has its own normalisation."""
        norm = variables.get("normalisation") or normalisation(noisy, axes=(1, 2))
        images = (noisy - norm["offset"]) / norm["scale"]

        def add(phase: jax.Array, total: jax.Array) -> jax.Array:
            masked, mask = self._masked(images, phase)
            return jnp.where(mask, self._predict(variables, masked), total)

        return jax.lax.fori_loop(0, self.width**2, add, images) * norm["scale"] + norm["offset"]

    def loss(self, variables: dict, batch: dict, key: jax.Array) -> tuple[jax.Array, tuple[dict, dict]]:
        """Squared error at the masked pixels of ``batch["noisy"]`` [B, H, W, C], in units of the scale squared.

        ``batch["offset"]`` and ``batch["scale"]`` are the movies' normalisation; without them each image has its own.
        Where there is ``batch["targets"]`` [B, H, W, 1], only its pixels count.

        Returns
        -------
        (loss, (new_state, measurements))
        """
        norm = batch if "scale" in batch else normalisation(batch["noisy"], axes=(1, 2))
        images = (batch["noisy"] - norm["offset"]) / norm["scale"]
        masked, mask = self._masked(images, jax.random.randint(key, (), 0, self.width**2))
        counted = mask & jnp.asarray(batch.get("targets", True), bool) & jnp.ones(images.shape, bool)
        squared = jnp.where(counted, (self._predict(variables, masked) - images) ** 2, 0)
        loss = squared.sum() / jnp.maximum(counted.sum(), 1)
        return loss, ({}, {"loss": loss})

    def _masked(self, images: jax.Array, phase: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The images [B, H, W, C] with the pixels of one phase (0 to width² - 1) replaced, and their mask [H, W, 1]."""
        height, width = images.shape[1:3]
        rows = jnp.arange(height) % self.width == phase // self.width
        columns = jnp.arange(width) % self.width == phase % self.width
        mask = (rows[:, None] & columns)[..., None]
        around = self._sum(images) / self._sum(jnp.ones((1, height, width, 1), images.dtype))
        return jnp.where(mask, around, images), mask

    def _sum(self, images: jax.Array) -> jax.Array:
        """Sum of the neighbours of every pixel that lie inside the image."""
        height, width = images.shape[1:3]
        padded = jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
        places = [(y, x) for y in range(3) for x in range(3) if (y, x) != (1, 1)]
        chosen = [(y, x) for y, x in places if self.neighbours == 8 or 1 in (y, x)]
        return sum(padded[:, y : y + height, x : x + width] for y, x in chosen)

    def _predict(self, variables: dict, images: jax.Array) -> jax.Array:
        output = self.network.apply({"params": variables["params"]}, images)
        if output.shape != images.shape:
            raise ValueError(
                f"a network of {output.shape[-1]} channels was given images of {images.shape[-1]}: choose "
                "the network's channels_out and the channels of the imaging alike"
            )
        return output
