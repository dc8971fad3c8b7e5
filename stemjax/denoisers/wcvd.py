"""WCVD and WCID: three blind kernels learn from a noisy movie alone to predict each pixel from its surroundings.

    minimise  mean over pixels p of  (f(noisy)[p] - noisy[p])^2,   f(noisy)[p] independent of noisy[p]
    denoised = low-pass(f(noisy))

The network never sees the pixel that it predicts, so nothing has to be masked: with noise that is independent from
pixel to pixel, the best it can give is the expected image.

References
----------
Lee et al., the WCID/WCVD pipeline for HRTEM movies, whose code is CFN-ETEM/HRTEM_denoising_model.
"""

from dataclasses import dataclass, field
from typing import ClassVar

import jax
import jax.numpy as jnp

from stemjax.denoisers.low_pass import fourier_disc
from stemjax.denoisers.time_ends import reflect_in_time
from stemjax.networks.wcvd import BlindEnsemble

DRAWS = 64  # of initial weights, of which the first that are alive are taken


@dataclass(frozen=True)
class WCVD:
    """An ensemble of blind networks on raw counts, for movies of one channel; nothing is normalised.

    Parameters
    ----------
    network : BlindEnsemble
        Over three frames it is WCVD, over one WCID.
    low_pass : float
        Divisor of the low-pass filter after the network, see `low_pass.fourier_disc`: 3 as in the authors' code, 7 as
        in their paper; 0 leaves it out. It has no part in training.

    Notes
    -----
    **Dead subnets.** A subnet ends with a ReLU. Where all that comes before is negative it gives 0 everywhere, learns
    nothing, and takes its share of the ensemble all the same. So `init` draws a subnet's weights again until its
    response to a uniform image is positive, and `revive`, which `train` calls after every validation in the first half
    of a run, draws anew one that gave 0 everywhere since. How often that happened is kept with the variables and
    written with each line of the log (``redrawn``), beside the part of the pixels at which each subnet is not 0
    (``alive_3`` for that with kernel 3). The authors take what they draw.

    **Ends of a movie.** Missing frames are reflected: the frame before the first is the second. An edge frame that is
    repeated would show a blind network the very pixel that it must not see.
    """

    network: BlindEnsemble = field(default_factory=BlindEnsemble)
    low_pass: float = 3.0

    self_supervised: ClassVar[bool] = True
    memory_channels: ClassVar[int] = 9  # float32 values for each pixel, in units of `inference.BYTES_PER_CHANNEL`

    def __post_init__(self):
        if self.low_pass and self.low_pass < 1:
            raise ValueError(f"low_pass {self.low_pass} keeps more than there is: choose 1 or more, or 0 for none")

    @property
    def name(self) -> str:
        return "wcvd" if self.network.frames > 1 else "wcid"

    @property
    def frames(self) -> tuple[int, int]:
        """Frames that it looks at, before and after the one that it denoises."""
        return (self.network.frames // 2,) * 2

    def init(self, key: jax.Array, sample: jax.Array | None = None) -> dict:
        """Variables. They do not depend on the movie, of which other methods take a `sample` here.

        Returns
        -------
        dict
            ``params``, and ``seeding`` with ``redrawn`` float32 [subnets]: draws thrown away for each subnet.
        """
        draw = lambda key: self.network.init_with_output(key, method="responses")
        responses, drawn = jax.lax.map(draw, jax.random.split(key, DRAWS))
        first, drawn = jnp.argmax(responses > 0, axis=0), drawn["params"]
        params = {"mix_weights": drawn["mix_weights"][0]}
        for i, name in enumerate(self._subnets()):
            params[name] = jax.tree.map(lambda weights, i=i: weights[first[i]], drawn[name])
        return {"params": params, "seeding": {"redrawn": first.astype(jnp.float32)}}

    def revive(self, variables: dict, measurements: dict, means: dict, key: jax.Array) -> dict:
        """The variables with new weights for subnets that were 0 everywhere, by what `loss` measured last."""
        for i, (name, kernel) in enumerate(zip(self._subnets(), self.network.kernels, strict=True)):
            if float(measurements[f"alive_{kernel}"]) > 0:
                continue
            fresh = self.init(jax.random.fold_in(key, i), None)
            more = fresh["seeding"]["redrawn"][i] + 1
            redrawn = variables["seeding"]["redrawn"].at[i].add(more)
            params = variables["params"] | {name: fresh["params"][name]}
            variables = variables | {"params": params, "seeding": {"redrawn": redrawn}}
        return variables

    def denoise(self, variables: dict, noisy: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """Denoised movies [B, T, H, W, 1] in the unit of the noisy ones, all frames.

        Raises
        ------
        ValueError
            If a movie has too few frames, or several channels.
        """
        return self.denoise_valid(variables, reflect_in_time(noisy, self.frames, self.name))

    def denoise_valid(self, variables: dict, noisy: jax.Array) -> jax.Array:
        """Of movies [B, T, H, W, 1] the denoised frames that have all their neighbours."""
        y = self._apply(variables, noisy, "fast")
        return fourier_disc(y, self.low_pass) if self.low_pass else y

    def loss(self, variables: dict, batch: dict, key: jax.Array) -> tuple[jax.Array, tuple[dict, dict]]:
        """Mean squared error [counts²] on the frames of ``batch["noisy"]`` [B, T, H, W, 1] that have all neighbours.

        Returns
        -------
        (loss, (new_state, measurements))
        """
        noisy, (before, after) = batch["noisy"], self.frames
        if noisy.shape[1] <= before + after:
            needed = f"{before + after + 1} frames to learn from"
            raise ValueError(f"{self.name} needs at least {needed}, not {noisy.shape[1]}: give more frames or use wcid")
        each = self._apply(variables, noisy, "fast_each")
        y = each @ jax.nn.softmax(variables["params"]["mix_weights"])[:, None]
        loss = jnp.mean((y - noisy[:, before : noisy.shape[1] - after]) ** 2)
        measured = {f"alive_{kernel}": (each[..., i] > 0).mean() for i, kernel in enumerate(self.network.kernels)}
        if "seeding" in variables:
            measured["redrawn"] = variables["seeding"]["redrawn"].sum()
        return loss, ({}, {"loss": loss} | measured)

    def _apply(self, variables: dict, movies: jax.Array, method: str) -> jax.Array:
        """The network's output on the frames that have all neighbours."""
        if movies.shape[-1] != 1:
            raise ValueError(f"{self.name} takes one channel, not {movies.shape[-1]}: give each by itself")
        return self.network.apply({"params": variables["params"]}, movies, method=method)

    def _subnets(self) -> list[str]:
        return [f"subnets_{i}" for i in range(len(self.network.kernels))]
