"""A function of an image as a denoiser, such as one of SciPy or scikit-image."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np


@dataclass(frozen=True)
class OfPlanes:
    """A function of an image [H, W], applied to every channel of every image by itself.

    Parameters
    ----------
    function : callable
        float32 [H, W] -> [H, W], with NumPy or SciPy.
    """

    function: Callable[[np.ndarray], np.ndarray]

    name: ClassVar[str] = "function"
    on_host: ClassVar[bool] = True

    def denoise(self, variables: dict, noisy: np.ndarray, key=None) -> np.ndarray:
        """Denoised images [B, H, W, C]."""
        each = [[self.function(image[..., channel]) for channel in range(image.shape[-1])] for image in noisy]
        return np.moveaxis(np.asarray(each), 1, -1)
