"""UDVD, the blind-spot network for movies of Sheth et al., and its forms for fewer frames."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from stemjax.networks.blind_spot import BlindConv, Head, blind_pool, double, from_all_sides
from stemjax.networks.layers import zero_pad_to

STAGE = 3  # frames that a stage sees at once


class BlindUNet(nn.Module):
    """UNet of blind convolutions with two halvings: [N, H, W, C] -> [N, H, W, features], seeing nothing below a pixel.

    Attributes
    ----------
    width, features : int
        Features of the encoder, of which the decoder has twice as many; of the output.
    bias : bool
    """

    width: int
    features: int
    bias: bool

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        def block(name: str, y: jax.Array, *features: int) -> jax.Array:
            for i, count in enumerate(features, start=1):
                y = BlindConv(count, bias=self.bias, name=f"{name}_conv{i}")(y)
            return y

        def join(y: jax.Array, skip: jax.Array) -> jax.Array:
            return jnp.concatenate([zero_pad_to(double(y), *skip.shape[1:3]), skip], -1)

        narrow, wide = self.width, 2 * self.width
        half = blind_pool(block("enc1", x, narrow, narrow, narrow))
        quarter = blind_pool(block("enc2", half, narrow, narrow, narrow))
        y = block("enc3", quarter, wide, wide, narrow)
        y = block("dec2", join(y, half), wide, wide, wide, wide)
        return block("dec1", join(y, x), wide, wide, wide, self.features)


class UDVDNetwork(nn.Module):
    """Estimates a frame from itself and its neighbours, but for the pixel at the same place in any of them.

    A blind UNet sees each three frames in a row, a second one its output for three such triples in a row, and
    pointwise layers join what the four sides see.

    Attributes
    ----------
    frames : {5, 3, 1}
        Frames that it sees. With 3 or 1 there is only the second UNet, which sees the frames: the authors' blind-spot
        networks for two neighbours and for single images.
    width : int
        Features of the encoders; 48 in the paper.
    bias : bool
        Add constants; without, the network is homogeneous, f(a x) = a f(x) for a > 0.
    channels_out : int
    square : bool
        Continue frames that are not square by reflection to a square, as the authors do. Where they were continued, a
        pixel's mirror image is then in sight of the pixel. Off, it is blind everywhere; square frames do not differ.

    Notes
    -----
    2,123,664 parameters with 5 frames of one channel, 1,121,424 with 3, 1,118,832 with 1. The authors' optional second
    network, which estimates the noise, and their likelihood loss, which they do not use for microscopy, are left out.

    References
    ----------
    Sheth, Mohan, Vincent, Manzorro, Crozier, Khapra, Simoncelli, Fernandez-Granda, "Unsupervised deep video
    denoising", ICCV 2021.
    """

    frames: int = 5
    width: int = 48
    bias: bool = False
    channels_out: int = 1
    square: bool = True

    def __post_init__(self):
        if self.frames not in (1, 3, 5):
            raise ValueError(f"UDVD sees 1, 3 or 5 frames, not {self.frames}")
        super().__post_init__()

    def setup(self):
        wide = 2 * self.width
        if self.frames == 5:
            self.stage1 = BlindUNet(self.width, wide // 3, self.bias)
        self.stage2 = BlindUNet(self.width, wide, self.bias)
        self.head = Head(wide, self.channels_out, self.bias)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Movies [B, T, H, W, C] -> [B, T - frames + 1, H, W, channels_out], in the same unit."""
        height, width = x.shape[2:4]
        missing = [max(height, width) - size if self.square else 0 for size in (height, width)]
        margins = [(n // 2, n - n // 2) for n in missing]
        if any(after >= size for size, (_, after) in zip((height, width), margins, strict=True)):
            raise ValueError(
                f"frames of {height} x {width} pixels cannot be continued to a square by reflection: use square=False"
            )
        padded = jnp.pad(x, [(0, 0), (0, 0), *margins, (0, 0)], mode="reflect")
        y = from_all_sides(self._above, padded)
        (top, _), (left, _) = margins
        y = y[:, :, top : top + height, left : left + width]
        return _each_frame(self.head, y)

    def _above(self, x: jax.Array) -> jax.Array:
        """[N, T, H, W, C] -> [N, T - frames + 1, H, W, 2 width], of a pixel and what is above it."""
        if self.frames == 5:
            x = _each_frame(self.stage1, _in_a_row(x, STAGE))
        return _each_frame(self.stage2, _in_a_row(x, min(self.frames, STAGE)))

    def geometry(self) -> tuple[tuple, ...]:
        """The layers as `metrics.field_of_view` reads them."""
        block, join = (("above", 3),) * 3, ("repeat",)
        stage = (("save", "x"), *block, ("shift",), ("pool",), ("save", "half"), *block, ("shift",), ("pool",), *block)
        stage += (join, ("concat", "half"), *block, ("above", 3), join, ("concat", "x"), *block, ("above", 3))
        return stage * (2 if self.frames == 5 else 1) + (("shift",), ("all sides",))


def _in_a_row(x: jax.Array, count: int) -> jax.Array:
    """Every `count` frames in a row as channels: [N, T, H, W, C] -> [N, T - count + 1, H, W, count C]."""
    return jnp.concatenate([x[:, i : x.shape[1] - count + 1 + i] for i in range(count)], -1)


def _each_frame(network: nn.Module, x: jax.Array) -> jax.Array:
    """Apply a network for images to every frame of [N, T, H, W, C]."""
    return network(x.reshape(-1, *x.shape[2:])).reshape(*x.shape[:4], -1)
