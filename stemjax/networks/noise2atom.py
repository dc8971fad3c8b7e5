"""Generator and critic of Noise2Atom, from the layers of `stemjax.networks.bottleneck`."""

from __future__ import annotations

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from stemjax.networks.bottleneck import Down, Head, Mix, Pair, Trunk, Up

PERIOD = 8  # px: three halvings


class Generator(nn.Module):
    """Encoder and decoder of three halvings, with additions from each level to its counterpart, and 16 residual pairs.

    Attributes
    ----------
    width : int
        Features at the first three resolutions; the coarsest has twice as many, the residual pairs three times.
    residuals : int
    channels_out : int

    Notes
    -----
    An image whose sides are no multiples of 8 is continued by its last row and column, and cropped.
    """

    width: int = 64
    residuals: int = 16
    channels_out: int = 1

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Images [B, H, W, C] -> [B, H, W, channels_out] in [-1, 1]."""
        height, width = x.shape[1:3]
        x = jnp.pad(x, ((0, 0), (0, -height % PERIOD), (0, -width % PERIOD), (0, 0)), mode="edge")
        outer, inner = (1, 3, 5, 7), (3, 5)
        x = Mix(self.width, outer, name="mix0")(Pair(self.width, normalise=False, name="pair0")(x))
        skips = []
        for level, features in enumerate((self.width, self.width, 2 * self.width), 1):
            skips.append(x)
            x = Pair(features, name=f"pair{level}")(Down(features, name=f"down{level}")(x))
            x = Mix(features, inner, name=f"mix{level}")(x)
        x = Trunk(3 * self.width, self.residuals, name="trunk")(x)
        for level, skip in reversed(list(enumerate(skips))):
            x = Up(self.width, name=f"up{level}")(x) + skip
            x = Pair(self.width, name=f"up_pair{level}")(x)
            x = Mix(self.width, inner if level else outer, name=f"up_mix{level}")(x)
        return jnp.tanh(Head(9, self.channels_out, name="head")(x))[:, :height, :width]

    def geometry(self) -> tuple[tuple, ...]:
        """The layers as `metrics.field_of_view` reads them, but for the normalisation, through which all is seen."""
        # Larger by kernel - 1 and smaller again is one convolution of twice the reach.
        pair, mix = (("conv", 5),), (("conv", 9),)
        down = (("conv", 5), ("stride",), *pair, *mix)
        up = (("transposed",), ("conv", 3), *pair)
        trunk = pair * (1 + self.residuals)
        return (
            *(("mirror", PERIOD), *pair, ("conv", 13)),
            *(down * 3 + trunk + (*up, *mix) * 2),
            *(*up, ("conv", 13), ("conv", 17)),
        )


class Critic(nn.Module):
    """Four times two convolutions, the second of which halves, and one number: large for images of the clean domain.

    Attributes
    ----------
    width : int
        Features of the first half; the second half has twice as many.
    dropout : float
        Part of the features that are set to 0 after each halving, while it is trained or trains the generator.

    Notes
    -----
    The last layer takes the whole image: a critic is for images of one size.
    """

    width: int = 64
    dropout: float = 0.25

    @nn.compact
    def __call__(self, x: jax.Array, deterministic: bool = False) -> jax.Array:
        """Images [B, H, W, C] in [-1, 1] -> [B], without bounds."""
        for stage, features in enumerate((self.width, self.width, 2 * self.width, 2 * self.width)):
            x = Down(features, normalise=stage > 0, name=f"down{stage}")(x)
            x = nn.Dropout(self.dropout, deterministic=deterministic)(x)
        x = x.reshape(len(x), -1)
        return nn.Dense(1, kernel_init=nn.initializers.glorot_uniform(), name="score")(x)[:, 0]


def initial(network: nn.Module, sample: jax.Array, key: jax.Array) -> dict:
    """Parameters of a generator or critic for images like `sample`, as its own `init` would draw them: Glorot uniform.

    All weights are one draw. With a draw for each of its hundred layers, the program takes a minute to compile.
    """
    shapes = jax.eval_shape(network.init, {"params": key, "dropout": key}, sample)["params"]
    flat = flatten_dict(shapes)
    kernels = {path: array.shape for path, array in flat.items() if path[-1] == "kernel"}
    sizes = [math.prod(shape) for shape in kernels.values()]
    draws = jnp.split(jax.random.uniform(key, (sum(sizes),), minval=-1), np.cumsum(sizes)[:-1])
    params = {path: jnp.full(array.shape, path[-1] == "scale", jnp.float32) for path, array in flat.items()}
    for (path, shape), draw in zip(kernels.items(), draws, strict=True):
        fans = math.prod(shape[:-2]) * (shape[-2] + shape[-1])
        params[path] = math.sqrt(6 / fans) * draw.reshape(shape)
    return unflatten_dict(params)
