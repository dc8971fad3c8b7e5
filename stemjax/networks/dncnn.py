"""DnCNN, the network of equal width and resolution throughout."""

from __future__ import annotations

from collections.abc import Mapping

import flax.linen as nn
import jax
import numpy as np

from stemjax.networks.layers import Conv, batch_norm
from stemjax.networks.weights import convert_torch


class DnCNN(nn.Module):
    """`depth` zero-padded 3 x 3 convolutions, ReLU between them. The field of view is 2 depth + 1 pixels.

    All but the first and the last are normalised.

    Attributes
    ----------
    depth : int
        Number of convolutions.
    width : int
        Channels between them.
    bias : bool
        Biased convolutions and ordinary batch normalisation; without, the network in evaluation is homogeneous.
    residual : bool
        Return the input minus the network's output.
    last_layer_scale : float
        Factor on the initial weights of the last layer.

    Notes
    -----
    The SBD paper's appendix draws a residual connection; its published code has none, hence `residual` is off by
    default.

    References
    ----------
    Zhang, Zuo, Chen, Meng, Zhang, "Beyond a Gaussian denoiser: residual learning of deep CNN for image denoising",
    IEEE Transactions on Image Processing 26, 2017.
    """

    depth: int = 20
    width: int = 64
    bias: bool = False
    residual: bool = False
    last_layer_scale: float = 1.0

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Apply to images x [B, H, W, C]; returns the same shape and unit."""
        y = nn.relu(Conv(self.width, 3, bias=self.bias, name="first_layer")(x))
        for i in range(self.depth - 2):
            y = Conv(self.width, 3, bias=self.bias, name=f"hidden_layer_list_{i}")(y)
            y = nn.relu(batch_norm(self.bias, name=f"bn_layer_list_{i}")(y, train))
        y = Conv(x.shape[-1], 3, bias=self.bias, init_scale=self.last_layer_scale, name="last_layer")(y)
        return x - y if self.residual else y

    def geometry(self) -> tuple[tuple, ...]:
        """The layers as `metrics.field_of_view` reads them."""
        return (("conv", 3),) * self.depth


def from_torch(state: Mapping[str, np.ndarray], network: DnCNN, channels: int = 1) -> dict:
    """Variables from the authors' checkpoint: first_layer, hidden_layer_list.0, bn_layer_list.0, ..., last_layer.

    Parameters
    ----------
    state : mapping of str to array
        PyTorch's `state_dict` as arrays.
    network : DnCNN
        The network that the checkpoint is for.
    channels : int
        Channels of the input image.

    Raises
    ------
    ValueError
        Naming the arrays that are missing, unknown or of another shape.
    """
    return convert_torch(state, network, lambda path: path[0].replace("_list_", "_list."), channels)
