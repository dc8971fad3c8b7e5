"""UNet of the SBD paper, with 2, 4 or 6 scales."""

from __future__ import annotations

from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from stemjax.networks.layers import Conv, batch_norm, max_pool, upsample, zero_pad_to
from stemjax.networks.weights import convert_torch

# channels of the encoder from the full resolution to the coarsest, in units of the base width
ENCODER_WIDTHS = {2: (1, 1, 1), 4: (1, 1, 1, 2, 2), 6: (1, 1, 1, 2, 4, 8, 8)}


class ConvBlock(nn.Module):
    """Twice: replicate-padded 3 x 3 convolution, batch normalisation, ReLU. [B, H, W, C] -> [B, H, W, features]."""

    middle: int
    features: int
    bias: bool

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        for i, features in enumerate((self.middle, self.features), start=1):
            x = Conv(features, 3, bias=self.bias, padding="replicate", name=f"conv{i}")(x)
            x = nn.relu(batch_norm(self.bias, name=f"norm{i}")(x, train))
        return x


class UNet(nn.Module):
    """UNet whose depth sets the field of view: 49, 221 and 893 pixels for 2, 4 and 6 scales.

    The encoder halves the image by max-pooling, the decoder doubles it by corner-aligned bilinear interpolation and
    sees the encoder's output of the same resolution. Any height and width of at least 2^scales pixels works.

    Attributes
    ----------
    scales : {2, 4, 6}
        Number of halvings.
    width : int
        Base number of channels.
    bias : bool
        Biased convolutions and ordinary batch normalisation; without, the network in evaluation is homogeneous, f(a
        x) = a f(x).
    channels_out : int
        Channels of the output.
    residual : bool
        Return the input minus the network's output.
    last_layer_scale : float
        Factor on the initial weights of the last layer.
    rematerialise : bool
        In training keep only what goes into every block and compute its inside again for the gradient: less memory for
        a third more arithmetic, the same result.

    References
    ----------
    Mohan et al., "Deep denoising for scientific discovery: a case study in electron microscopy", IEEE Transactions on
    Computational Imaging 8, 2022.
    """

    scales: int = 6
    width: int = 16
    bias: bool = False
    channels_out: int = 1
    residual: bool = False
    last_layer_scale: float = 1.0
    rematerialise: bool = False

    def __post_init__(self):
        if self.scales not in ENCODER_WIDTHS:
            raise ValueError(f"a UNet has 2, 4 or 6 scales, not {self.scales}")
        super().__post_init__()

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Apply to images x [B, H, W, C]; returns [B, H, W, channels_out] in the same unit."""
        if min(x.shape[1:3]) < 2**self.scales:
            raise ValueError(
                f"an image of {x.shape[1]} x {x.shape[2]} pixels is too small for a UNet of {self.scales} scales: "
                f"at least {2**self.scales} pixels a side"
            )
        widths = [self.width * n for n in ENCODER_WIDTHS[self.scales]]
        block = nn.remat(ConvBlock, static_argnums=(2,)) if self.rematerialise else ConvBlock
        y = block(widths[0], widths[0], self.bias, name="inc")(x, train)
        skips = []
        for level, width in enumerate(widths[1:], start=1):
            skips.append(y)
            y = block(width, width, self.bias, name=f"down{level}")(max_pool(y), train)
        for level in reversed(range(self.scales)):
            skip = skips[level]
            y = upsample(y, *self._place(level + 1))
            y = zero_pad_to(y, *skip.shape[1:3])  # a row or column that pooling dropped comes back as zeros
            y = jnp.concatenate([skip, y], -1)
            features = widths[max(level - 1, 0)]  # as many as the next skip
            y = block(y.shape[-1] // 2, features, self.bias, name=f"up{6 - level}")(y, train)
        y = Conv(self.channels_out, 1, bias=self.bias, init_scale=self.last_layer_scale, name="outc")(y)
        return x - y if self.residual else y

    def _place(self, level: int) -> tuple:
        """Origin and size [2] at a scale, where the image is a tile and the variables say of what (see `inference`)."""
        origin, size = (self.get_variable("place", name) for name in ("origin", "size"))
        return () if origin is None else (origin // 2**level, size // 2**level)

    def geometry(self) -> tuple[tuple, ...]:
        """The layers as `metrics.field_of_view` reads them."""
        block = (("conv", 3), ("conv", 3))
        down = tuple(op for level in range(self.scales) for op in (*block, ("save", level), ("pool",)))
        up = tuple(op for level in reversed(range(self.scales)) for op in (("upsample",), ("concat", level), *block))
        return down + block + up


def from_torch(state: Mapping[str, np.ndarray], network: UNet, channels: int = 1) -> dict:
    """Variables from the authors' checkpoint: inc, down1.maxpool_conv.1, ..., up6.conv, outc.conv.

    Parameters
    ----------
    state : mapping of str to array
        PyTorch's `state_dict` as arrays.
    network : UNet
        The network that the checkpoint is for.
    channels : int
        Channels of the input image.

    Raises
    ------
    ValueError
        Naming the arrays that are missing, unknown or of another shape.
    """
    return convert_torch(state, network, _torch_name, channels)


def _torch_name(path: tuple[str, ...]) -> str:
    block, *layer = path
    if block == "outc":
        return "outc.conv"
    if block.startswith("down"):
        block += ".maxpool_conv.1"
    elif block.startswith("up"):
        block += ".conv"
    position = {"conv1": 1, "norm1": 2, "conv2": 5, "norm2": 6}[layer[0]]
    return f"{block}.double_conv.{position}"
