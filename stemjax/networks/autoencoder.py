"""The autoencoder with which Lee et al. compare WCVD: a narrow way from the frames of a movie to themselves."""

from __future__ import annotations

import flax.linen as nn
import jax

from stemjax.networks.layers import BatchNorm, Conv, TransposedConv, max_pool
from stemjax.networks.noise2void import mirror_pad


class Autoencoder(nn.Module):
    """Encoder of convolutions and max-pooling, decoder of transposed convolutions, and no connection past the middle.

    Attributes
    ----------
    blocks : int
        Halvings; the paper tries 2, 3 and 4.
    width : int
        Features of the first block, doubled with every further one; 32 in the paper.
    channels_out : int

    Notes
    -----
    Not told in the paper, and ours: everything is in two dimensions, frame by frame; the transposed convolutions are
    4 x 4 with stride 2; a 1 x 1 convolution makes the image; convolutions that a normalisation follows have no bias.
    An image whose sides are no multiples of 2^blocks is continued by its mirror image and cropped.
    246,977 parameters with 2 blocks, 1,055,041 with 3, 4,284,993 with 4.

    References
    ----------
    Lee et al., the WCID/WCVD pipeline for HRTEM movies, whose code is CFN-ETEM/HRTEM_denoising_model.
    """

    blocks: int = 3
    width: int = 32
    channels_out: int = 1

    def __post_init__(self):
        if self.blocks < 1:
            raise ValueError(f"an autoencoder needs at least 1 block, not {self.blocks}")
        super().__post_init__()

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Images [B, H, W, C] -> [B, H, W, channels_out] in the same unit."""
        height, width = x.shape[1:3]

        def normalised(layer: nn.Module, y: jax.Array) -> jax.Array:
            return nn.relu(BatchNorm(name=f"{layer.name}_norm")(layer(y), train))

        y, widths = mirror_pad(x, 2**self.blocks), [self.width * 2**block for block in range(self.blocks)]
        for block, features in enumerate(widths):
            for part in "ab":
                y = normalised(Conv(features, 3, name=f"enc{block}{part}"), y)
            y = max_pool(y)
        y = normalised(Conv(widths[-1], 3, name="middle"), y)
        for block, features in reversed(list(enumerate(widths))):
            y = normalised(TransposedConv(features, name=f"double{block}"), y)
            y = normalised(Conv(features, 3, name=f"dec{block}"), y)
        return Conv(self.channels_out, 1, bias=True, name="head")(y)[:, :height, :width]

    def geometry(self) -> tuple[tuple, ...]:
        """The layers as `metrics.field_of_view` reads them."""
        down = (("conv", 3), ("conv", 3), ("pool",)) * self.blocks
        up = (("transposed",), ("conv", 3)) * self.blocks
        return (("mirror", 2**self.blocks), *down, ("conv", 3), *up)
