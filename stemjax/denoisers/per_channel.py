"""A filter of its own for each channel of an image."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from stemjax.denoisers.gaussian import Gaussian
from stemjax.denoisers.protocol import ask


@dataclass(frozen=True)
class PerChannel:
    """Filters side by side: channels as unlike as dark field and bright field need different settings.

    Parameters
    ----------
    filters : tuple of denoisers without variables
        One for each channel; the last one serves the channels that are left.
    """

    filters: tuple[Any, ...] = (Gaussian(),)

    name: ClassVar[str] = "per-channel"

    @property
    def on_host(self) -> bool:
        """Whether any of the filters computes with NumPy."""
        return any(ask(one, "on_host") for one in self.filters)

    def denoise(self, variables: dict, noisy: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """Filter `noisy` [..., H, W, C]."""
        channels = range(noisy.shape[-1])
        chosen = [self.filters[min(channel, len(self.filters) - 1)] for channel in channels]
        return jnp.concatenate(
            [f.denoise({}, noisy[..., c : c + 1]) for c, f in zip(channels, chosen, strict=True)], -1
        )
