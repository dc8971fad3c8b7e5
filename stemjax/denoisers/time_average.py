"""Time average: every frame becomes the mean of all frames of its movie, the best there is where nothing moves."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp


@dataclass(frozen=True)
class TimeAverage:
    """``denoised[t] = mean over s of noisy[s]``; nothing to tune, and no use for a scene that moves."""

    name: ClassVar[str] = "time-average"
    tunable: ClassVar[dict[str, tuple]] = {}
    frames: ClassVar[tuple[int, int]] = (1_000_000,) * 2  # all there are, on either side
    memory_channels: ClassVar[int] = 1

    def denoise(self, variables: dict, noisy: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """Replace every frame of `noisy` [B, T, H, W, C] by the mean over T."""
        return jnp.broadcast_to(jnp.mean(noisy, axis=1, keepdims=True), noisy.shape)
