"""Blind-spot denoising of Laine et al.: what surrounds a pixel gives a prior, the pixel itself the rest.

The network sees all of an image but the pixel p and gives mean mu and variance A² of a normal prior of its clean value.
With noise of variance s the noisy value y is normal too:

    minimise  mean over pixels of  (y - mu)^2 / (A^2 + s) + log(A^2 + s)
    denoised = (y A^2 + mu s) / (A^2 + s),   the mean of the posterior

References
----------
Laine, Karras, Lehtinen, Aila, "High-quality self-supervised deep image denoising", NeurIPS 2019.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from stemjax.denoisers.noise2void import normalisation
from stemjax.networks.laine import LaineNetwork, NoiseNetwork

GAUSSIAN, POISSON = "gaussian", "poisson"
LEAST_MEAN = 1e-3  # counts; below, the variance of Poisson noise is that of so many


@dataclass(frozen=True)
class Laine:
    """Blind-spot network with Gaussian or Poisson noise, of known or unknown level, for images of one channel.

    Parameters
    ----------
    network : LaineNetwork
    noise : {"poisson", "gaussian"}
        Variance in proportion to mu, s = level max(mu, 1e-3), or the same everywhere, s = level².
    level : float, optional
        For Poisson noise the reading per electron, 1 for counts; for Gaussian noise the standard deviation in the unit
        of the image. None: a second network estimates it for each image.

    Notes
    -----
    The networks see images less their mean, over four standard deviations; what they give is taken back to the image's
    unit. The authors have images from 0 to 1 instead. So the mean and the scale of the whole image are all that the
    estimate mu knows of its own pixel.

    With an unknown level, a tenth of the noise's standard deviation (in the networks' unit) is taken off the loss, as
    by the authors: prior and noise explain the data equally well otherwise.
    """

    network: LaineNetwork = field(default_factory=LaineNetwork)
    noise: str = POISSON
    level: float | None = 1.0

    name: ClassVar[str] = "laine"
    self_supervised: ClassVar[bool] = True

    def __post_init__(self):
        if self.noise not in (GAUSSIAN, POISSON):
            raise ValueError(f"noise {self.noise!r} is not one of {POISSON!r}, {GAUSSIAN!r}")
        if self.level is not None and self.level <= 0:
            raise ValueError(f"a noise level of {self.level} is none: give one above 0, or None to estimate it")

    def init(self, key: jax.Array, sample: jax.Array) -> dict:
        """Variables (the collection `params`) for images like `sample` [B, H, W, 1]."""
        prior_key, noise_key = jax.random.split(key)
        tiny = jnp.zeros((1, 32, 32, sample.shape[-1]))
        params = {"prior": self.network.init(prior_key, tiny)["params"]}
        if self.level is None:
            params["noise"] = self._noise_network.init(noise_key, tiny)["params"]
        return {"params": params}

    def prepare(self, variables: dict, noisy: jax.Array) -> dict:
        """Store offset and scale of a whole image or of the frames of a movie [B, H, W, 1]."""
        return variables | {"normalisation": normalisation(noisy, axes=(0, 1, 2))}

    def denoise(self, variables: dict, noisy: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """Mean of the posterior [B, H, W, 1]; not prepared, each image has its own normalisation."""
        norm = variables.get("normalisation") or normalisation(noisy, axes=(1, 2))
        mean, prior, noise, _ = self._estimate(variables, noisy, norm)
        return (noisy * prior + mean * noise) / (prior + noise)

    def loss(self, variables: dict, batch: dict, key: jax.Array) -> tuple[jax.Array, tuple[dict, dict]]:
        """Twice the negative log-likelihood per pixel of ``batch["noisy"]`` [B, (T,) H, W, 1], less log(2 pi).

        ``batch["offset"]`` and ``batch["scale"]``, where there, are the normalisation of the movies.

        Returns
        -------
        (loss, (new_state, measurements))
        """
        noisy = batch["noisy"].reshape(-1, *batch["noisy"].shape[-3:])
        norm = batch if "scale" in batch else normalisation(noisy, axes=(1, 2))
        mean, prior, noise, level = self._estimate(variables, noisy, norm)
        variance = prior + noise
        loss = jnp.mean((noisy - mean) ** 2 / variance + jnp.log(variance))
        if self.level is None:
            loss -= 0.1 * jnp.mean(level)
        return loss, ({}, {"loss": loss})

    def _estimate(self, variables: dict, noisy: jax.Array, norm: dict) -> tuple[jax.Array, ...]:
        """What is known of noisy images [B, H, W, 1] without each pixel's own value.

        Returns
        -------
        mean, prior, noise : [B, H, W, 1]
            mu, A² and s, in the image's unit and its square.
        level : [B, 1, 1, 1] or float
            Of the noise: what was given, or the standard deviation (of a pixel of mean 1, for Poisson noise) that was
            estimated, in the network's unit.
        """
        if noisy.shape[-1] != 1:
            raise ValueError(f"{self.name} takes one channel, not {noisy.shape[-1]}: give each by itself")
        seen, params, scale = (noisy - norm["offset"]) / norm["scale"], variables["params"], norm["scale"]
        mean, factor = jnp.split(self.network.apply({"params": params["prior"]}, seen), 2, axis=-1)
        mean = mean * scale + norm["offset"]
        poisson, level = self.noise == POISSON, self.level
        if level is None:
            level = noise_level(self._noise_network.apply({"params": params["noise"]}, seen))
            unit = level**2 * (scale if poisson else scale**2)
        else:
            unit = level if poisson else level**2
        noise = unit * (jnp.maximum(mean, LEAST_MEAN) if poisson else jnp.ones_like(mean))
        return mean, (factor * scale) ** 2, noise, level

    @property
    def _noise_network(self) -> Any:
        return NoiseNetwork(self.network.width, self.network.depth)


def noise_level(output: jax.Array) -> jax.Array:
    """Standard deviation from the output of the noise network: above 1e-3, and about 0.02 at the start."""
    return jax.nn.softplus(output - 4) + 1e-3
