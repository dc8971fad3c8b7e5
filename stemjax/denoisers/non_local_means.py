"""Non-local means: a weighted mean of the pixels whose surroundings look alike, in the stabilised domain.

    denoised(p) = VST^-1( sum_q w(p, q) z(q) / sum_q w(p, q) ),   z = VST(noisy)
    w(p, q) = exp(-max(D(p, q) - 2 sigma^2, 0) / (h sigma)^2)

with D the mean squared difference of the patches around p and q, whose noise adds 2 sigma^2, and VST the Anscombe
transform.

References
----------
Buades, Coll, Morel, "A non-local algorithm for image denoising", CVPR 2005.
Darbon et al., "Fast nonlocal filtering applied to electron cryomicroscopy", ISBI 2008 (the fast form).
Makitalo, Foi 2011: see `anscombe.py`.
"""

from dataclasses import dataclass
from typing import ClassVar

import jax
import numpy as np

from stemjax.denoisers.anscombe import denoise_stabilised, noise_variance


@dataclass(frozen=True)
class NonLocalMeans:
    """Anscombe transform, scikit-image's `denoise_nl_means`, exact unbiased inverse; each frame and channel by itself.

    Parameters
    ----------
    h : float
        Decay of the weights, in standard deviations of the stabilised noise: larger is smoother.
    patch_size : int
        Side of the patches that are compared [px].
    patch_distance : int
        Farthest pixel that is averaged [px], along rows and columns.

    Notes
    -----
    The settings of Mohan et al. are not printed. scikit-image's defaults, patches of 7 px and distances of 11 px, fail
    here: at 0.45 to 1.8 counts per pixel noise hides what differs between two patches unless they hold a cell of the
    lattice, 25 to 39 px. Where it stays hidden the filter averages the whole window alike, which must then be narrower
    than a column of atoms. sigma is the exact one of counts at the image's mean, not the transform's nominal 1.
    """

    h: float = 0.4
    patch_size: int = 41
    patch_distance: int = 6

    name: ClassVar[str] = "non-local-means"
    on_host: ClassVar[bool] = True
    tunable: ClassVar[dict[str, tuple]] = {"h": (0.1, 0.14, 0.2, 0.28, 0.4, 0.56, 0.8, 1.1, 1.6)}

    def denoise(self, variables: dict, noisy: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """Denoise `noisy` [..., H, W, C] in counts."""
        return denoise_stabilised(noisy, self._denoise_plane)

    def _denoise_plane(self, stabilised: np.ndarray) -> np.ndarray:
        from skimage.restoration import denoise_nl_means

        if stabilised.min() == stabilised.max():
            return stabilised
        sigma = np.sqrt(noise_variance(float(np.mean(stabilised**2)) / 4 - 3 / 8))
        sizes = {"patch_size": self.patch_size, "patch_distance": self.patch_distance}
        return denoise_nl_means(stabilised, h=self.h * sigma, sigma=sigma, fast_mode=True, **sizes)
