"""Network architectures: flax.linen modules from an image [B, H, W, C] to an image, and nothing but layers.

Those of movies, [B, T, H, W, C], have a field `frames`: how many they turn into one.
"""

from stemjax.networks.dncnn import DnCNN
from stemjax.networks.durr import DURR
from stemjax.networks.noise2void import N2VUNet
from stemjax.networks.unet import UNet
from stemjax.networks.wcvd import BlindEnsemble

__all__ = ["BlindEnsemble", "DURR", "DnCNN", "N2VUNet", "UNet"]
