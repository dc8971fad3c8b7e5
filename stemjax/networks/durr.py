"""The small UNet of DURR, the SBD paper's network of one scale."""

from __future__ import annotations

from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from stemjax.networks.layers import Conv, TransposedConv, zero_pad_to
from stemjax.networks.weights import convert_torch


class DURR(nn.Module):
    """One strided halving, dilated convolutions, one transposed doubling, one skip; no normalisation. Field of view 45.

    Attributes
    ----------
    width : int
        Channels at full resolution; twice as many at half resolution.
    bias : bool
        Biased layers, except the last, which never is.
    residual : bool
        Return the input minus the network's output.
    last_layer_scale : float
        Factor on the initial weights of the last layer.

    References
    ----------
    Zhang, Lu, Liu, Dong, "Dynamically unfolding recurrent restorer: a moving endpoint control method for image
    restoration", ICLR 2019.
    """

    width: int = 32
    bias: bool = True
    residual: bool = False
    last_layer_scale: float = 1.0

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Apply to images x [B, H, W, C]; returns the same shape and unit. `train` changes nothing here."""
        height, width = x.shape[1:3]
        fine, coarse = self.width, 2 * self.width
        y = zero_pad_to(x, height + height % 2, width + width % 2)
        y = nn.relu(Conv(fine, 5, bias=self.bias, name="conv1")(y))
        y = skip = nn.relu(Conv(fine, 3, bias=self.bias, name="conv2")(y))
        y = nn.relu(Conv(coarse, 3, stride=2, bias=self.bias, name="conv3")(y))
        y = nn.relu(Conv(coarse, 3, bias=self.bias, name="conv4")(y))
        y = nn.relu(Conv(coarse, 3, dilation=2, bias=self.bias, name="conv5")(y))
        y = nn.relu(Conv(coarse, 3, dilation=4, bias=self.bias, name="conv6")(y))
        y = nn.relu(TransposedConv(coarse, bias=self.bias, name="conv7")(y))
        y = jnp.concatenate([y, skip], -1)
        y = nn.relu(Conv(fine, 3, bias=self.bias, name="conv8")(y))
        y = Conv(x.shape[-1], 5, init_scale=self.last_layer_scale, name="conv9")(y)
        y = y[:, :height, :width]
        return x - y if self.residual else y

    def geometry(self) -> tuple[tuple, ...]:
        """The layers as `metrics.field_of_view` reads them."""
        full = (("pad_to_even",), ("conv", 5), ("conv", 3), ("save", 0))
        half = (("conv", 3), ("stride",), ("conv", 3), ("conv", 3, 2), ("conv", 3, 4), ("transposed",))
        return full + half + (("concat", 0), ("conv", 3), ("conv", 5))


def from_torch(state: Mapping[str, np.ndarray], network: DURR, channels: int = 1) -> dict:
    """Variables from a checkpoint whose layers are named conv1 to conv9 in the order of computation.

    conv7 is the transposed one.

    Parameters
    ----------
    state : mapping of str to array
        PyTorch's `state_dict` as arrays.
    network : DURR
        The network that the checkpoint is for.
    channels : int
        Channels of the input image.

    Raises
    ------
    ValueError
        Naming the arrays that are missing, unknown or of another shape.
    """
    return convert_torch(state, network, lambda path: path[0], channels)
