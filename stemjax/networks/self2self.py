"""The UNet of Self2Self, whose encoder is told which pixels of its input are missing."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from stemjax.networks.blind_spot import SLOPE, double
from stemjax.networks.layers import max_pool

DEPTH = 5  # halvings
HE = nn.initializers.he_normal()


class PartialConv(nn.Module):
    """3 x 3 convolution of the known pixels alone, as if the others were like them, then leaky ReLU.

        y = leaky( w * (m x) . 9 C / (sum of m over window and channels) + b ),   b alone where nothing is known

    Notes
    -----
    The authors' code of Self2Self has 9 instead of 9 C, and makes the image two pixels larger in every layer; here it
    is as in the reference.

    References
    ----------
    Liu, Reda, Shih, Wang, Tao, Catanzaro, "Image inpainting for irregular holes using partial convolutions", ECCV 2018.
    """

    features: int

    @nn.compact
    def __call__(self, x: jax.Array, mask: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Features x [B, H, W, C] and where they are known, [B, H, W, C] or [B, H, W, 1]; returns the same of y."""
        known = lax.reduce_window(mask.mean(-1, keepdims=True), 0.0, lax.add, (1, 3, 3, 1), (1, 1, 1, 1), "SAME")
        y = nn.Conv(self.features, (3, 3), use_bias=False, kernel_init=HE, dtype=x.dtype, name="conv")(x * mask)
        y = jnp.where(known > 0, 9 * y / jnp.where(known > 0, known, 1), 0)
        bias = self.param("bias", nn.initializers.zeros, (self.features,)).astype(x.dtype)
        return nn.leaky_relu(y + bias, SLOPE), (known > 0).astype(x.dtype)


class Self2SelfUNet(nn.Module):
    """UNet with five halvings: partial convolutions on the way down, dropout before every convolution on the way up.

    Attributes
    ----------
    width : int
        Features of the encoder, 48 in the paper; the decoder has twice as many.
    dropout : float
        Part of the decoder's features that is set to 0, where it is given random numbers ("dropout"); without any, all
        are kept.
    channels_out : int

    Notes
    -----
    988,609 parameters for one channel, 991,203 for three. An image whose sides are no multiples of 32 is filled up at
    the bottom and at the right with pixels that are not known.

    References
    ----------
    Quan, Chen, Pang, Ji, "Self2Self with dropout: learning self-supervised denoising from single image", CVPR 2020.
    """

    width: int = 48
    dropout: float = 0.3
    channels_out: int = 1

    @nn.compact
    def __call__(self, x: jax.Array, mask: jax.Array | None = None) -> jax.Array:
        """Images [B, H, W, C] and 1 where a value is known, [B, H, W, C] -> values from 0 to 1, [B, H, W, C]."""
        height, width = x.shape[1:3]
        margins = [(0, 0), *[(0, -size % 2**DEPTH) for size in (height, width)], (0, 0)]
        mask = jnp.pad(jnp.ones_like(x) if mask is None else mask, margins)
        y = jnp.pad(x, margins) * mask
        skips = [y]
        y, mask = PartialConv(self.width, name="enc0")(y, mask)
        for level in range(1, DEPTH + 1):
            y, mask = PartialConv(self.width, name=f"enc{level}")(y, mask)
            y, mask = max_pool(y), max_pool(mask)
            skips.append(y)
        y, _ = PartialConv(self.width, name=f"enc{DEPTH + 1}")(y, mask)
        wide = 2 * self.width
        for level in reversed(range(DEPTH)):
            y = jnp.concatenate([double(y), skips[level]], -1)
            for part, features in zip("ab", (wide, wide) if level else (2 * wide // 3, wide // 3), strict=True):
                y = nn.leaky_relu(self._drop_and_convolve(features, f"dec{level}{part}", y), SLOPE)
        y = self._drop_and_convolve(self.channels_out, "last", y)
        return nn.sigmoid(y)[:, :height, :width]

    def _drop_and_convolve(self, features: int, name: str, y: jax.Array) -> jax.Array:
        y = nn.Dropout(self.dropout, deterministic=not self.has_rng("dropout"))(y)
        init = HE if name != "last" else nn.initializers.variance_scaling(1.0, "fan_in", "normal")
        return nn.Conv(features, (3, 3), kernel_init=init, dtype=y.dtype, name=name)(y)

    def geometry(self) -> tuple[tuple, ...]:
        """The layers as `metrics.field_of_view` reads them."""
        conv = (("conv", 3),)
        layers = (("fill", 2**DEPTH), ("save", 0), *conv)
        for level in range(1, DEPTH + 1):
            layers += (*conv, ("pool",), ("save", level))
        layers += conv
        for level in reversed(range(DEPTH)):
            layers += (("repeat",), ("concat", level), *conv, *conv)
        return layers + conv
