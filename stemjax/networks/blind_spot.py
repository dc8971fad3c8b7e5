"""Blind-spot networks: what UDVD's and that of Laine et al. share.

A blind convolution sees rows above a pixel, and the pixel's own row, and nothing below. Moved down by one row, its
output sees only what lies above the pixel. Of four copies of the image, each turned by another quarter, the outputs
turned back see what lies above, to the left, below and to the right: everything but the pixel itself.

References
----------
Laine, Karras, Lehtinen, Aila, "High-quality self-supervised deep image denoising", NeurIPS 2019.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from stemjax.networks.layers import DIMENSION_NUMBERS, fan_in_uniform, max_pool

SLOPE = 0.1  # of the leaky ReLU


class BlindConv(nn.Module):
    """Cross-correlation with rows r - kernel + 1 to r, then leaky ReLU: [N, H, W, C] -> [N, H, W, features].

    There are zeros above the image.

    Attributes
    ----------
    features, kernel : int
        Output channels; side of the kernel [px], odd.
    bias : bool
        Whether a constant is added per channel.
    border : {"replicate", "zero"}
        What lies to the left and to the right of the image.
    blind : bool
        Off: an ordinary convolution with zeros all around.
    gain : float, optional
        Initial weights are normal with variance gain² / fan-in, and biases 0 (He et al. 2015); by default PyTorch's.
    active : bool
        Whether the leaky ReLU follows.
    """

    features: int
    kernel: int = 3
    bias: bool = False
    border: str = "replicate"
    blind: bool = True
    gain: float | None = None
    active: bool = True

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (self.kernel, self.kernel, x.shape[-1], self.features)
        init = bias_init = fan_in_uniform(math.prod(shape[:3]))
        if self.gain is not None:
            init = nn.initializers.variance_scaling(self.gain**2, "fan_in", "normal")
            bias_init = nn.initializers.zeros
        side = self.kernel // 2
        rows = (2 * side, 0) if self.blind else (side, side)
        x = jnp.pad(x, [(0, 0), rows, (0, 0), (0, 0)])
        mode = "edge" if self.border == "replicate" else "constant"
        x = jnp.pad(x, [(0, 0), (0, 0), (side, side), (0, 0)], mode=mode)
        kernel = self.param("kernel", init, shape).astype(x.dtype)
        y = lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=DIMENSION_NUMBERS)
        if self.bias:
            y = y + self.param("bias", bias_init, (self.features,)).astype(x.dtype)
        return nn.leaky_relu(y, SLOPE) if self.active else y


class Head(nn.Module):
    """Three pointwise layers, the first as wide as its input: [B, H, W, C] -> [B, H, W, channels_out].

    With a `gain`, the initial weights of the last layer have `last_gain` instead.
    """

    width: int
    channels_out: int
    bias: bool = False
    gain: float | None = None
    last_gain: float = 1.0

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for i, features in enumerate((x.shape[-1], self.width), start=1):
            x = BlindConv(features, 1, bias=self.bias, gain=self.gain, name=f"hidden{i}")(x)
        last = None if self.gain is None else self.last_gain
        return BlindConv(self.channels_out, 1, bias=self.bias, gain=last, active=False, name="last")(x)


def blind_pool(x: jax.Array) -> jax.Array:
    """Maximum over 2 x 2 blocks that does not look ahead: [N, H, W, C] -> [N, H // 2, W // 2, C]."""
    return max_pool(shift_down(x))


def shift_down(x: jax.Array) -> jax.Array:
    """Move [..., H, W, C] down by one row: zeros come in at the top, the last row goes."""
    return jnp.pad(x, [(0, 0)] * (x.ndim - 3) + [(1, 0), (0, 0), (0, 0)])[..., :-1, :, :]


def double(x: jax.Array) -> jax.Array:
    """Every pixel four times: [N, H, W, C] -> [N, 2 H, 2 W, C]."""
    return x.repeat(2, axis=1).repeat(2, axis=2)


def from_all_sides(above: Callable[[jax.Array], jax.Array], x: jax.Array) -> jax.Array:
    """Apply a network that sees a pixel and what lies above it from all four sides, without the pixel.

    Parameters
    ----------
    above : callable
        [N, ..., H, W, C] -> [N, ..., H, W, F], for any H and W.
    x : [B, ..., H, W, C]
        Square ones are turned into one batch of 4 B, others into two of 2 B.

    Returns
    -------
    [B, ..., H, W, 4 F]
        What `above` sees above, then to the left, below and to the right of each pixel.
    """
    plane = (x.ndim - 3, x.ndim - 2)
    turned = [jnp.rot90(x, -quarter, plane) for quarter in range(4)]
    if x.shape[-3] == x.shape[-2]:
        seen = jnp.split(above(jnp.concatenate(turned)), 4)
    else:
        upright, lying = (jnp.split(above(jnp.concatenate(turned[start::2])), 2) for start in (0, 1))
        seen = [upright[0], lying[0], upright[1], lying[1]]
    return jnp.concatenate([jnp.rot90(shift_down(y), quarter, plane) for quarter, y in enumerate(seen)], -1)
