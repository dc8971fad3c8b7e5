"""BM3D: similar blocks stacked to a third dimension and shrunk in a transform of all three, in the stabilised domain.

    denoised = VST^-1( BM3D(VST(noisy), sigma) ),  VST the Anscombe transform

The filter is its authors' package `bm3d`, which is free for NON-COMMERCIAL use only. stemjax neither contains nor
installs it unless asked: ``pip install -e '.[bm3d]'``.

References
----------
Dabov, Foi, Katkovnik, Egiazarian, "Image denoising by sparse 3-D transform-domain collaborative filtering", IEEE
Transactions on Image Processing 16, 2007.
Makitalo, Foi 2011: see `anscombe.py`.
"""

from dataclasses import dataclass
from typing import ClassVar

import jax
import numpy as np

from stemjax.denoisers import missing_package
from stemjax.denoisers.anscombe import denoise_stabilised


@dataclass(frozen=True)
class BM3D:
    """Anscombe transform, the `bm3d` package with its normal profile, exact unbiased inverse; plane by plane.

    Parameters
    ----------
    sigma : float
        Standard deviation of the noise that BM3D assumes in the stabilised domain: larger is smoother. The transform's
        nominal 1 fits above about 4 counts per pixel; the noise itself has 0.65 at 0.45 counts.
    """

    sigma: float = 1.0

    name: ClassVar[str] = "bm3d"
    on_host: ClassVar[bool] = True
    requires: ClassVar[str] = "bm3d"
    tunable: ClassVar[dict[str, tuple]] = {"sigma": (0.7, 1.0, 1.4, 2.0, 2.8)}  # few: an image takes seconds

    def denoise(self, variables: dict, noisy: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """Denoise `noisy` [..., H, W, C] in counts.

        Raises
        ------
        OSError
            If the package is not installed.
        """
        if missing_package(self):
            raise OSError("BM3D needs a package for non-commercial use only: pip install -e '.[bm3d]'")
        return denoise_stabilised(noisy, self._denoise_plane)

    def _denoise_plane(self, stabilised: np.ndarray) -> np.ndarray:
        from bm3d import BM3DProfile, bm3d

        profile = BM3DProfile()  # its normal one
        profile.num_threads = 1  # with more threads the result changes from call to call
        return bm3d(stabilised.astype(np.float64), self.sigma, profile)
