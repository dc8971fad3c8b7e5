"""Noise2Atom with networks that compile at once, and a training of a few steps on the toy movies."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from stemjax.data.au_graphene import GrapheneImaging
from stemjax.data.crops import MovieCrops
from stemjax.data.images import Frames
from stemjax.denoisers.noise2atom import Noise2Atom
from stemjax.training import train

SIDE = 16


class PlainGenerator(nn.Module):
    """A generator that compiles at once."""

    channels_out: int = 1

    @nn.compact
    def __call__(self, x):
        kernel = self.param("kernel", nn.initializers.normal(0.2), (3, 3, 1, 1))
        bias = self.param("bias", nn.initializers.zeros, ())
        numbers = ("NHWC", "HWIO", "NHWC")
        return jnp.tanh(jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=numbers) + bias)


class LinearCritic(nn.Module):
    """A critic whose gradient is its kernel."""

    @nn.compact
    def __call__(self, x, deterministic: bool = False):
        return jnp.einsum("bhwc,hwc->b", x, self.param("kernel", nn.initializers.normal(0.1), x.shape[1:]))


DENOISER = Noise2Atom(PlainGenerator(), LinearCritic())


def small_run(data, **changes) -> train.Run:
    fields = {
        "denoiser": DENOISER,
        "imaging": GrapheneImaging(channels=("adf",)),
        "crops": MovieCrops(size=SIDE, count=4),
        "selection": Frames(),
        "optimiser": train.Optimiser(learning_rate=1e-3, factor=1.0, rule="rmsprop"),
        "steps": 6,
        "validate_every": 2,
    }
    return train.Run(recipe_hash=data.recipe_hash, **fields | changes)
