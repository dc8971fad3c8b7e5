"""Network architectures: flax.linen modules from an image [B, H, W, C] to an image, and nothing but layers."""

from stemjax.networks.dncnn import DnCNN
from stemjax.networks.durr import DURR
from stemjax.networks.noise2void import N2VUNet
from stemjax.networks.unet import UNet

__all__ = ["DURR", "DnCNN", "N2VUNet", "UNet"]
