"""Simulation-based denoising (SBD): a network trained on simulated pairs of clean and noisy images.

    minimise  E || f(noisy) - clean ||^2   over simulated images and fresh noise

References
----------
Mohan et al., "Deep Denoising for Scientific Discovery: A Case Study in Electron Microscopy", arXiv:2010.12970.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

OBJECTIVES = {"mse": lambda error: jnp.mean(error**2), "mae": lambda error: jnp.mean(jnp.abs(error))}


@dataclass(frozen=True)
class Supervised:
    """A network that maps a noisy image to the clean one.

    Parameters
    ----------
    network : flax.linen.Module
        float32 [B, H, W, C] -> [B, H, W, C].
    centre : bool
        Subtract the mean of each noisy image before the network and add it afterwards. The network then learns the
        contrast alone; a bias-free one stays homogeneous. Off for published weights, which were trained without.
    objective : {"mse", "mae"}
        Mean squared error, as in the paper, or mean absolute error.
    precision : {"float32", "bfloat16"}
        Type that the network computes in; parameters, batch statistics and the loss stay in float32.
    counts_per_unit : float
        Electrons per pixel that one unit of the image stands for; the network sees electrons. 1 for images in counts,
        the dose of a pixel for STEM images in fractions of the beam.

    Notes
    -----
    The loss is the mean over pixels, where the authors' code has the sum over the batch divided by 8; Adam does not
    notice. The paper's plain network is ``centre=False``.
    """

    network: Any
    centre: bool = False
    objective: str = "mse"
    precision: str = "float32"
    counts_per_unit: float = 1.0

    name: ClassVar[str] = "supervised"

    def init(self, key: jax.Array, sample: jax.Array) -> dict:
        """Variables (collections `params` and, with normalisation layers, `batch_stats`) for images like `sample`."""
        return dict(self.network.init(key, sample))

    def prepare(self, variables: dict, noisy: jax.Array) -> dict:
        """Store the mean of each whole image [B, H, W, C], so that its tiles are centred alike."""
        if not self.centre:
            return variables
        return variables | {"normalisation": {"offset": self._mean(noisy)}}

    def denoise(self, variables: dict, noisy: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """Denoised images [B, H, W, C], in the unit of the noisy ones."""
        offset = variables.get("normalisation", {}).get("offset")
        if offset is None:
            offset = self._mean(noisy) if self.centre else 0.0
        output = self.network.apply(_network_variables(variables), self._cast((noisy - offset) * self.counts_per_unit))
        return output.astype(noisy.dtype) / self.counts_per_unit + offset

    def loss(self, variables: dict, batch: dict, key: jax.Array) -> tuple[jax.Array, tuple[dict, dict]]:
        """Mean squared [counts²] or absolute [counts] error on ``batch["noisy"], batch["clean"]``.

        Returns
        -------
        (loss, (new_state, measurements))
            new_state holds the collections that training updates beside the parameters.
        """
        noisy, clean = (self.counts_per_unit * batch[name] for name in ("noisy", "clean"))
        offset = self._mean(noisy) if self.centre else 0.0
        output, new_state = self.network.apply(
            _network_variables(variables), self._cast(noisy - offset), train=True, mutable=["batch_stats"]
        )
        loss = OBJECTIVES[self.objective](output.astype(jnp.float32) + offset - clean)
        return loss, (dict(new_state), {"loss": loss})

    def _cast(self, x: jax.Array) -> jax.Array:
        return x if self.precision == "float32" else x.astype(self.precision)

    @staticmethod
    def _mean(noisy: jax.Array) -> jax.Array:
        return jnp.mean(noisy, axis=(1, 2, 3), keepdims=True)


def _network_variables(variables: dict) -> dict:
    return {name: variables[name] for name in ("params", "batch_stats", "place") if name in variables}
