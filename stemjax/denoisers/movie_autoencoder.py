"""Autoencoder of the WCVD paper: frames are squeezed through a narrow middle, where there is less room for noise.

    minimise  mean over pixels of  (f(noisy) - noisy)^2

Nothing keeps it from copying the noise but the width of its middle: a baseline.

References
----------
Lee et al., the WCID/WCVD pipeline for HRTEM movies, whose code is CFN-ETEM/HRTEM_denoising_model.
"""

from dataclasses import dataclass, field
from typing import ClassVar

import jax
import jax.numpy as jnp

from stemjax.networks.autoencoder import Autoencoder


@dataclass(frozen=True)
class MovieAutoencoder:
    """A network that is trained to give back the noisy frames that it is shown; not the autoencoder of Wang et al.

    Parameters
    ----------
    network : Autoencoder

    Notes
    -----
    It works on raw counts, and its batch normalisations keep the statistics of the movie that it was trained on: a
    movie of another intensity comes out wrong, as in the paper.
    """

    network: Autoencoder = field(default_factory=Autoencoder)

    name: ClassVar[str] = "movie-autoencoder"
    self_supervised: ClassVar[bool] = True

    def init(self, key: jax.Array, sample: jax.Array) -> dict:
        """Variables (collections `params`, `batch_stats`) for images of as many channels as `sample` [..., C] has."""
        side = 2**self.network.blocks
        return dict(self.network.init(key, jnp.zeros((1, side, side, sample.shape[-1]))))

    def denoise(self, variables: dict, noisy: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """Denoised images [B, H, W, C], in the unit of the noisy ones."""
        return self.network.apply({name: variables[name] for name in ("params", "batch_stats")}, noisy)

    def loss(self, variables: dict, batch: dict, key: jax.Array) -> tuple[jax.Array, tuple[dict, dict]]:
        """Mean squared error [counts²] of the frames ``batch["noisy"]`` [B, (T,) H, W, C].

        Returns
        -------
        (loss, (new_state, measurements))
            new_state holds the statistics of the normalisations.
        """
        noisy = batch["noisy"].reshape(-1, *batch["noisy"].shape[-3:])
        output, new_state = self.network.apply(variables, noisy, train=True, mutable=["batch_stats"])
        loss = jnp.mean((output - noisy) ** 2)
        return loss, (dict(new_state), {"loss": loss})
