"""Network architectures: flax.linen modules from an image [B, H, W, C] to an image, and nothing but layers."""

from stemjax.networks.dncnn import DnCNN
from stemjax.networks.durr import DURR
from stemjax.networks.unet import UNet

__all__ = ["DURR", "DnCNN", "UNet"]
