"""UDVD: a network learns from a noisy movie alone to predict each pixel from all others near it in space and time.

    minimise  mean over pixels p of  (f(noisy)[p] - noisy[p])^2

f never sees the pixel that it predicts, nor that at the same place in the neighbouring frames. With noise that is
independent from pixel to pixel the best it can predict is the expected movie.

References
----------
Sheth, Mohan, Vincent, Manzorro, Crozier, Khapra, Simoncelli, Fernandez-Granda, "Unsupervised deep video denoising",
ICCV 2021.
"""

from dataclasses import dataclass, field
from typing import ClassVar

import jax
import jax.numpy as jnp

from stemjax.denoisers.time_ends import reflect_in_time
from stemjax.networks.noise2void import keep_signal
from stemjax.networks.udvd import UDVDNetwork


@dataclass(frozen=True)
class UDVD:
    """A blind network on movies of counts; nothing is normalised.

    Parameters
    ----------
    network : UDVDNetwork
        With 5 frames UDVD itself; with 3 its smaller form, with 1 the blind-spot network for single frames.
    strong_start : bool
        Begin with weights that keep the signal instead of PyTorch's, which let it fade; see `keep_signal`. For short
        trainings.

    Notes
    -----
    Missing frames at the ends of a movie are reflected: the frame before the first is the second. The authors repeat
    the nearest one, which shows a blind network the very pixel that it must not see. They train on the ends too, here
    only frames that have all their neighbours count. Their loss is half the sum of squares of each image.
    """

    network: UDVDNetwork = field(default_factory=UDVDNetwork)
    strong_start: bool = False

    self_supervised: ClassVar[bool] = True

    @property
    def memory_channels(self) -> int:
        """Values that are held for each pixel, seen from four sides, in units of `inference.BYTES_PER_CHANNEL`."""
        return 4 * self.network.width

    @property
    def name(self) -> str:
        return "udvd" if self.network.frames > 1 else "blind-spot"

    @property
    def frames(self) -> tuple[int, int]:
        """Frames that it looks at, before and after the one that it denoises."""
        return (self.network.frames // 2,) * 2

    def init(self, key: jax.Array, sample: jax.Array) -> dict:
        """Variables (the collection `params`) for movies of as many channels as `sample` [B, T, H, W, C] has."""
        params = self.network.init(key, jnp.zeros((1, self.network.frames, 8, 8, sample.shape[-1])))["params"]
        return {"params": keep_signal(params) if self.strong_start else params}

    def denoise(self, variables: dict, noisy: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """Denoised movies [B, T, H, W, C] in the unit of the noisy ones, all frames.

        Raises
        ------
        ValueError
            If a movie has too few frames to be reflected.
        """
        return self.denoise_valid(variables, reflect_in_time(noisy, self.frames, self.name))

    def denoise_valid(self, variables: dict, noisy: jax.Array) -> jax.Array:
        """Of movies [B, T, H, W, C] the denoised frames that have all their neighbours.

        Raises
        ------
        ValueError
            If the network is for another number of channels.
        """
        if noisy.shape[-1] != self.network.channels_out:
            raise ValueError(
                f"a network of {self.network.channels_out} channels was given movies of {noisy.shape[-1]}: choose "
                "the network's channels_out accordingly"
            )
        return self.network.apply({"params": variables["params"]}, noisy)

    def loss(self, variables: dict, batch: dict, key: jax.Array) -> tuple[jax.Array, tuple[dict, dict]]:
        """Mean squared error [counts²] on the frames of ``batch["noisy"]`` [B, T, H, W, C] that have all neighbours.

        Returns
        -------
        (loss, (new_state, measurements))
        """
        noisy, (before, after) = batch["noisy"], self.frames
        if noisy.shape[1] <= before + after:
            needed = f"at least {before + after + 1} frames to learn from"
            raise ValueError(f"{self.name} needs {needed}, not {noisy.shape[1]}: give longer movies or clips")
        error = self.denoise_valid(variables, noisy) - noisy[:, before : noisy.shape[1] - after]
        loss = jnp.mean(error**2)
        return loss, ({}, {"loss": loss})
