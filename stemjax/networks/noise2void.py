"""The UNet of Thornley et al. for Noise2Void on several channels at once, with the variants of their ablations."""

from __future__ import annotations

import math
from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from jax import lax

from stemjax.networks.layers import (
    DIMENSION_NUMBERS,
    EPSILON,
    Conv,
    TransposedConv,
    fan_in_uniform,
    max_pool,
    replicate_pad,
)
from stemjax.networks.weights import convert_torch, describe, variable_shapes


class SeparableConv(nn.Module):
    """Depthwise separable convolution: a 3 x 3 kernel for every channel by itself, then 1 x 1 between channels.

    References
    ----------
    Chollet, "Xception: deep learning with depthwise separable convolutions", CVPR 2017.
    """

    features: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[B, H, W, C] -> [B, H, W, features]."""
        channels = x.shape[-1]
        kernel = self.param("kernel", fan_in_uniform(9), (3, 3, 1, channels)).astype(x.dtype)
        y = lax.conv_general_dilated(
            x, kernel, (1, 1), [(1, 1)] * 2, dimension_numbers=DIMENSION_NUMBERS, feature_group_count=channels
        )
        return Conv(self.features, 1, bias=True, name="pointwise")(y)


class ConvBlock(nn.Module):
    """Twice: zero-padded convolution, group normalisation if any, leaky ReLU. [B, H, W, C] -> [B, H, W, features]."""

    features: int
    kernel: int
    groups: int
    separable: bool

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for i in (1, 2):
            if self.separable:
                x = SeparableConv(self.features, name=f"conv{i}")(x)
            else:
                x = Conv(self.features, self.kernel, bias=True, name=f"conv{i}")(x)
            if self.groups:
                x = nn.GroupNorm(self.groups, epsilon=EPSILON, dtype=x.dtype, name=f"norm{i}")(x)
            x = nn.leaky_relu(x)
        return x


class PyramidPooling(nn.Module):
    """Atrous spatial pyramid pooling (ASPP): a 1 x 1 and several dilated 3 x 3 convolutions side by side, then 1 x 1.

    References
    ----------
    Chen, Papandreou, Schroff, Adam, "Rethinking atrous convolution for semantic image segmentation",
    arXiv:1706.05587, without its branch that averages over the whole image.
    """

    dilations: tuple[int, ...]

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Features [B, H, W, C] of the coarsest scale -> the same shape."""
        features = x.shape[-1]
        branches = [Conv(features, 1, bias=True, name="pointwise")(x)]
        branches += [Conv(features, 3, dilation=d, bias=True, name=f"dilated{d}")(x) for d in self.dilations]
        y = nn.leaky_relu(jnp.concatenate(branches, -1))
        return nn.leaky_relu(Conv(features, 1, bias=True, name="merge")(y))


class N2VUNet(nn.Module):
    """UNet with average pooling and bilinear doubling. Field of view 225 to 249 pixels by position at depth 4.

    The number of features doubles with every halving of the image. An image whose sides are no multiples of 2^depth is
    continued by its mirror image at the far ends and cropped afterwards.

    Attributes
    ----------
    depth : int
        Number of halvings; the paper tries 2 to 4.
    width : int
        Features at full resolution.
    first_kernel : int
        Side of the kernels of the first block; all others are 3 x 3.
    pooling : {"average", "max"}
        Over blocks of 2 x 2 pixels.
    upsampling : {"resize", "transposed"}
        Bilinear interpolation followed by the block's convolution, or a transposed convolution (4 x 4, stride 2) that
        halves the features, which leaves chequerboards.
    outer_skip : bool
        Join the first block's output to the last block's input.
    xception : bool
        Depthwise separable convolutions in all blocks but the first.
    aspp : tuple of int
        Dilations of an atrous spatial pyramid at the coarsest scale, e.g. (6, 12, 18); none by default.
    channels_out : int
        Channels of the output, as many as the input has.
    groups : int
        Groups of a normalisation after every convolution of the blocks; 0 is none. Its statistics are of the whole
        array: with it, tiles do not agree with the whole image.

    Notes
    -----
    31,446,018 parameters for two channels. The paper's Figure 1 shows a transposed convolution; its text says that
    resizing replaced it. It names Xception blocks and ASPP without their settings, which here are ours.

    References
    ----------
    Thornley et al., "Noise2Void for Denoising Atomic Resolution Scanning Transmission Electron Microscopy Images".
    """

    depth: int = 4
    width: int = 64
    first_kernel: int = 5
    pooling: str = "average"
    upsampling: str = "resize"
    outer_skip: bool = True
    xception: bool = False
    aspp: tuple[int, ...] = ()
    channels_out: int = 2
    groups: int = 0

    def __post_init__(self):
        if self.pooling not in ("average", "max"):
            raise ValueError(f"pooling {self.pooling!r} is not one of 'average', 'max'")
        if self.upsampling not in ("resize", "transposed"):
            raise ValueError(f"upsampling {self.upsampling!r} is not one of 'resize', 'transposed'")
        if not isinstance(self.aspp, tuple):
            raise ValueError(f"aspp takes the dilations, such as (6, 12, 18), not {self.aspp!r}")
        super().__post_init__()

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Apply to images x [B, H, W, C]; returns [B, H, W, channels_out] in the same unit. `train` changes nothing."""
        height, width = x.shape[1:3]
        pool = average_pool if self.pooling == "average" else max_pool
        y, skips = mirror_pad(x, 2**self.depth), []
        for level in range(self.depth + 1):
            if level:
                skips.append(y)
                y = pool(y)
            kernel, separable = (3, self.xception) if level else (self.first_kernel, False)
            y = ConvBlock(self.width * 2**level, kernel, self.groups, separable, name=f"down{level}")(y)
        if self.aspp:
            y = PyramidPooling(self.aspp, name="aspp")(y)
        for level in reversed(range(self.depth)):
            features = self.width * 2**level
            y = double(y) if self.upsampling == "resize" else TransposedConv(features, True, name=f"double{level}")(y)
            if level or self.outer_skip:
                y = jnp.concatenate([skips[level], y], -1)
            y = ConvBlock(features, 3, self.groups, self.xception, name=f"up{level}")(y)
        return Conv(self.channels_out, 1, bias=True, name="head")(y)[:, :height, :width]

    def geometry(self) -> tuple[tuple, ...]:
        """The layers as `metrics.field_of_view` reads them."""
        block, first = (("conv", 3),) * 2, (("conv", self.first_kernel),) * 2
        down = (("mirror", 2**self.depth), *first)
        for level in range(self.depth):
            down += (("save", level), ("pool",), *block)
        # as wide as the most dilated of the parallel convolutions
        middle = (("conv", 2 * max(self.aspp) + 1),) if self.aspp else ()
        up = ()
        for level in reversed(range(self.depth)):
            joined = (("concat", level),) if level or self.outer_skip else ()
            up += (("transposed",), *joined, *block)  # bilinear doubling reads the same two neighbours
        return down + middle + up


def average_pool(x: jax.Array) -> jax.Array:
    """Mean over 2 x 2 blocks: [B, H, W, C] -> [B, H / 2, W / 2, C]; sides are even."""
    batch, height, width, channels = x.shape
    return x.reshape(batch, height // 2, 2, width // 2, 2, channels).mean((2, 4))


def double(x: jax.Array) -> jax.Array:
    """Bilinear interpolation to twice the size, pixels as areas: [B, H, W, C] -> [B, 2 H, 2 W, C].

    Output 2 k lies a quarter of a pixel before input k and output 2 k + 1 as much behind; beyond the edge the edge
    pixel goes on. PyTorch's `align_corners=False`.
    """
    batch, height, width, channels = x.shape
    padded = replicate_pad(x, 1)
    before, behind = padded[:, :-2, 1:-1], padded[:, 2:, 1:-1]
    rows = jnp.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * behind], 2)
    x = rows.reshape(batch, 2 * height, width, channels)
    padded = replicate_pad(x, 1)
    before, behind = padded[:, 1:-1, :-2], padded[:, 1:-1, 2:]
    columns = jnp.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * behind], 3)
    return columns.reshape(batch, 2 * height, 2 * width, channels)


def mirror_pad(x: jax.Array, multiple: int) -> jax.Array:
    """Continue images [B, H, W, C] by reflection at the bottom and at the right, up to multiples of `multiple`."""
    margins = [(0, -n % multiple) for n in x.shape[1:3]]
    return jnp.pad(x, [(0, 0), *margins, (0, 0)], mode="symmetric")


def keep_signal(params: dict) -> dict:
    """Initial parameters whose signal does not fade: no biases, weights times the square root of 6 but for the head's.

    PyTorch's initial weights have the variance 1 / (3 fan-in): every convolution with its leaky ReLU passes on 0.4 of
    what it is given, beside biases as large as that. Times 6 it is He's, 2 / fan-in, which passes on everything.

    References
    ----------
    He, Zhang, Ren, Sun, "Delving deep into rectifiers", ICCV 2015.
    """
    flat = flatten_dict(params)
    for path, array in flat.items():
        if path[-1] == "bias":
            flat[path] = jnp.zeros_like(array)
        elif path[-1] != "scale" and path[0] != "head":
            flat[path] = math.sqrt(6) * array
    return unflatten_dict(flat)


def from_torch(state: Mapping[str, np.ndarray], network: N2VUNet, channels: int | None = None) -> dict:
    """Variables from a checkpoint of the paper's network, by the order of its layers.

    Its authors' names are not known here. A PyTorch state dict lists layers as they are defined, which for this network
    is taken to be the order of computation: the two convolutions of every block from the finest scale down to the
    coarsest and up again, each followed by its group normalisation if there is one, then the 1 x 1 head. A wrong order
    does not go unnoticed: the two convolutions of a block and the blocks of all scales have different shapes.

    Parameters
    ----------
    state : mapping of str to array
        PyTorch's `state_dict` as arrays, in its order.
    network : N2VUNet
        The network that the checkpoint is for, with resize-convolutions.
    channels : int, optional
        Channels of the input image; by default as many as of the output.

    Raises
    ------
    ValueError
        If the checkpoint has another number of layers; naming the arrays that are missing, unknown or of another shape.
    """
    if network.upsampling != "resize" or network.xception or network.aspp:
        raise ValueError(
            "only the paper's network, without Xception, ASPP and transposed convolutions, has a PyTorch form"
        )
    channels = channels or network.channels_out
    blocks = [f"down{level}" for level in range(network.depth + 1)]
    blocks += [f"up{level}" for level in reversed(range(network.depth))]
    order = [(block, layer) for block in blocks for layer in ("conv1", "norm1", "conv2", "norm2")] + [("head",)]
    present = {path[1:-1] for path in flatten_dict(variable_shapes(network, channels))}
    ours = [path for path in order if path in present]
    theirs = list(dict.fromkeys(name.rpartition(".")[0] for name in state))
    if len(ours) != len(theirs):
        raise ValueError(f"the checkpoint has {len(theirs)} layers, {describe(network)} has {len(ours)}")
    return convert_torch(state, network, dict(zip(ours, theirs, strict=True)).__getitem__, channels)
