"""The blind-spot network of Laine et al. for single images, and their network that estimates the noise."""

from __future__ import annotations

import math

import flax.linen as nn
import jax
import jax.numpy as jnp

from stemjax.networks.blind_spot import BlindConv, Head, blind_pool, double, from_all_sides
from stemjax.networks.layers import max_pool

GAIN = math.sqrt(2)


class LaineUNet(nn.Module):
    """UNet that halves `depth` times, seeing nothing below a pixel or, not `blind`, all around it.

    Sides are multiples of 2**depth. [N, H, W, C] -> [N, H, W, 2 width].
    """

    width: int
    blind: bool
    depth: int = 5

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        def conv(name: str, y: jax.Array, features: int) -> jax.Array:
            layer = BlindConv(features, bias=True, border="zero", blind=self.blind, gain=GAIN, name=name)
            return layer(y)

        pool = blind_pool if self.blind else max_pool
        skips, y = [x], conv("enc0", x, self.width)
        for level in range(1, self.depth + 1):
            y = pool(conv(f"enc{level}", y, self.width))
            skips.append(y)
        y = conv(f"enc{self.depth + 1}", y, self.width)
        for level in reversed(range(self.depth)):
            y = jnp.concatenate([double(y), skips[level]], -1)
            for part in "ab":
                y = conv(f"dec{level}{part}", y, 2 * self.width)
        return y


class LaineNetwork(nn.Module):
    """What a pixel should be, by all that surrounds it: of each pixel the mean and the factor A of the variance A².

    Attributes
    ----------
    width : int
        Features of the encoder, 48 in the paper; the decoder has twice as many.
    outputs : int
        Channels of the output.
    depth : int
        Halvings, 5 in the paper. The field of view, 575 px of them, should fit into the crops of the training: what
        has met the zeros around an image everywhere is lost in the middle of a larger one.
    last_layer_scale : float
        Of the initial weights of the last layer, 1 for the authors. With 0.1 a training starts near the mean of the
        image and a narrow prior, and reaches in 60 steps on counts what it does not in 600 with 1.

    Notes
    -----
    1,265,858 parameters. The authors take squares with sides that are multiples of 32; here zeros, which surround the
    image anyhow, fill others up at the bottom and at the right.

    References
    ----------
    Laine, Karras, Lehtinen, Aila, "High-quality self-supervised deep image denoising", NeurIPS 2019.
    """

    width: int = 48
    outputs: int = 2
    depth: int = 5
    last_layer_scale: float = 1.0

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Images [B, H, W, C] -> [B, H, W, outputs]."""
        height, width = x.shape[1:3]
        filled, unet = _fill_up(x, self.depth), LaineUNet(self.width, True, self.depth, name="unet")
        y = from_all_sides(unet, filled)[:, :height, :width]
        scale = self.last_layer_scale
        return Head(2 * self.width, self.outputs, bias=True, gain=GAIN, last_gain=scale, name="head")(y)

    def geometry(self) -> tuple[tuple, ...]:
        """The layers as `metrics.field_of_view` reads them."""
        conv, pool = (("above", 3),), (("shift",), ("pool",))
        layers = (("fill", 2**self.depth), ("save", 0), *conv)
        for level in range(1, self.depth + 1):
            layers += (*conv, *pool, ("save", level))
        layers += conv
        for level in reversed(range(self.depth)):
            layers += (("repeat",), ("concat", level), *conv, *conv)
        return (*layers, ("shift",), ("all sides",))


class NoiseNetwork(nn.Module):
    """One number for the noise of an image, which is seen whole: [B, H, W, C] -> [B, 1, 1, 1]."""

    width: int = 48
    depth: int = 5

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """1,099,585 parameters for one channel."""
        height, width = x.shape[1:3]
        filled, unet = _fill_up(x, self.depth), LaineUNet(self.width, False, self.depth, name="unet")
        y = unet(filled)[:, :height, :width]
        return Head(2 * self.width, 1, bias=True, gain=GAIN, name="head")(y).mean((1, 2), keepdims=True)


def _fill_up(x: jax.Array, depth: int) -> jax.Array:
    """Images [B, H, W, C] with zeros at the bottom and at the right up to multiples of 2**depth px."""
    margins = [(0, -size % 2**depth) for size in x.shape[1:3]]
    return jnp.pad(x, [(0, 0), *margins, (0, 0)])
